# ruff: noqa: PT028  (the public name begins with test_; it is not a pytest test)
"""Permutation test of the hypothesis that the treatment effect is the same for everyone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tauhat.arguments import check_level
from tauhat.design import Design
from tauhat.design.permutations import (
    MANY_PERSONS,
    Assignments,
    PersonGroups,
    assignments,
    person_groups,
)
from tauhat.errors import TrialError
from tauhat.inference.heterogeneity_comparison import (
    Comparison,
    Problem,
    compare_assignments,
    ordered_allocations,
)
from tauhat.inference.heterogeneity_result import HeterogeneityTest
from tauhat.inference.inputs import OrderedTrial, TrialLike, as_trial_data, ordered_trial
from tauhat.inference.one_arm_test import Signs, problem_in_one_arm
from tauhat.inference.period_test import problem_over_periods, without_baseline
from tauhat.inference.relative_scale import on_log_odds
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.runtime.parallel import on_one_thread

DEFAULT_WEIGHTS: Mapping[str, float] = {
    "linear": 0.4,
    "curvature": 0.2,
    "products": 0.2,
    "cluster-level": 0.2,
}
"""Weights of the components of `test_heterogeneity`, fixed in advance of any data."""

SCALES_OF_TEST = ("difference", "odds ratio")
"""Scales on which `test_heterogeneity` knows an effect that is the same for everyone."""

# Close to the significance level the Monte Carlo error of the first draws could decide.
CLOSE_TO_LEVEL = 0.02
MANY_PERMUTATIONS = 9_999


@on_one_thread
def test_heterogeneity(
    trial: TrialLike,
    *,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
    weights: Mapping[str, float] | None = None,
    n_permutations: int = 1999,
    allocations: Any = None,
    significance_level: float = 0.05,
    scale: str = "difference",
) -> HeterogeneityTest:
    r"""Test whether the treatment effect is the same for everyone.

    The null hypothesis is a constant effect, not a zero one. Outcome and
    covariates are centred within cluster, the outcome is residualised on a smooth
    function of the covariates without looking at the treatment, and scores
    (basis times residual, summed over the persons of a cluster) are compared
    between arms, with the real randomization as the reference: whole clusters
    are permuted within blocks of the design. Up to four components, each of
    several terms, are tested together:

    * ``linear``: every person-level covariate;
    * ``curvature``: squares and hinges of the many-valued ones;
    * ``products``: pairs of covariates, and pairs with a cluster-level one;
    * ``cluster-level``: covariates that are constant within clusters.

    Each component's statistic becomes a permutation p-value :math:`p_b`, and the
    test is that of :math:`\min_b p_b / w_b`, calibrated by the same
    permutations, so that no choice of weights can spoil its size. With clusters
    the first three components are exact in finite samples: an effect that is
    constant within clusters drops out by centring. The fourth needs the average
    effect as a plug-in and is left out below 12 clusters or 6 an arm. When
    persons were randomized there is no cluster to centre in: the average
    effect is projected out, which makes the test approximate. More than 20,000
    persons are permuted in about 5,000 random groups of one arm (and block), for
    time: given the groups, that is as valid as permuting single persons.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, or an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity. Arms are permuted
        within blocks (and within groups of equal propensity).
    random_state
        Seed of the permutations.
    weights
        Weight of each component, fixed before seeing the data; one left out or
        with weight 0 is not tested. Default .4, .2, .2, .2 in the order above.
        They are rescaled to sum to 1 over the components there are.
    n_permutations
        Random assignments; all are compared when there are at most 10,000, and
        9,999 are drawn when the p-value is within .02 of the level.
    allocations
        For a restricted randomization, the allocations it chose from, equally
        likely: shape (k, m), one column per cluster (or a person). A DataFrame's
        columns are the cluster labels (row numbers when persons were randomized);
        an array's columns are in the sorted order of the labels.
    significance_level
        Level for the wording of the result and for the extra permutations.
    scale
        Scale on which the effect is the same for everyone under the null hypothesis:
        "difference" for the primary test; "odds ratio" where the outcome is an event, for
        whether anything but the risk without treatment makes the benefit differ.

    Returns
    -------
    HeterogeneityTest

    Raises
    ------
    NothingToTestError
        A `TrialError`: if no covariate can be tested as an effect modifier.
    TrialError
        If only one assignment was possible, or the scale does not go with the outcome.
    ValueError
        If a weight names an unknown component or is negative.

    Notes
    -----
    Marks of missing values help to predict the outcome but are not tested as effect modifiers.
    The person-level components say nothing about effects that differ only between
    clusters, and the cluster-level one has little power below 32 clusters.
    An outcome that is made of right-censored times is made here of Cox models whose slopes the
    arms share: slopes by arm would carry their own errors into it as if effects differed (size
    .07 to .09 at a level of .05 in simulations, against .05 to .06). So has the model of outcomes
    that some persons lack (`tauhat.average_effects`). With permuted arms these are made anew, to
    first order, which corrects the scores of the units (`tauhat.numerics.arm_changes`); in the
    component of cluster-level covariates, over periods and with clusters in one arm only they stay.
    One odds ratio for everyone makes risk differences that differ. On the scale "odds ratio"
    the scores are those of interactions in a mixed logistic regression with one coefficient of
    treatment (`tauhat.inference.relative_scale.on_log_odds`), of persons with an outcome. That
    test is approximate: its residuals come from a fit that knows the arms.
    In a stepped wedge or a cluster crossover the sequences of whole clusters are permuted within
    blocks (`tauhat.inference.period_test.problem_over_periods`); rows of a baseline take no part.
    With clusters in one arm only nothing is permuted: signs of the scores are drawn
    (`tauhat.inference.one_arm_test.problem_in_one_arm`), which is approximate.
    Adjusted p-values follow Westfall and Young (1993), step-single max-|t|, from
    the same permutations.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(20), 25)
    >>> arm = clusters % 2
    >>> X = rng.normal(size=(500, 2))
    >>> y = arm * (1 + X[:, 0]) + rng.normal(size=20)[clusters] + rng.normal(size=500)
    >>> result = test_heterogeneity((X, y, arm, clusters), random_state=1, n_permutations=199)
    >>> result.p_value < 0.05, result.modifiers.covariate[0]
    (True, 'x1')
    """
    check_level(significance_level, "significance_level")
    wanted = _checked_weights(weights)
    if scale not in SCALES_OF_TEST:
        raise TrialError(f"scale must be one of {', '.join(SCALES_OF_TEST)}, got {scale!r}")
    of_design = as_trial_data(trial).design
    if scale != "difference" and of_design.fixed_effects.shape[1]:
        raise TrialError(f"scale={scale!r} is not supported with period= yet")
    if not of_design.can_permute and (scale != "difference" or allocations is not None):
        what = "allocations=" if allocations is not None else f"scale={scale!r}"
        raise TrialError(f"{what} is not supported with clusters in one arm only")
    # What stands for an outcome that is missing is no event.
    ordered = ordered_trial(trial, counted=scale == "difference")
    data = ordered.data if scale == "difference" else on_log_odds(ordered.data)
    anew = of_design.can_permute and not of_design.fixed_effects.shape[1]
    data = data.with_outcome_made_anew("shared", with_arms=anew)
    ordered = without_baseline(replace(ordered, data=data))
    seed = resolve_seed(random_state)
    design = ordered.data.design
    # Without the rows before the start there may be no periods left.
    over_periods = bool(design.fixed_effects.shape[1])
    allowed = None if allocations is None else ordered_allocations(allocations, ordered)
    permuted, groups, free = design.whole_units, None, 1.0
    if over_periods:
        permuted = "sequences of whole clusters"
    elif allowed is None:
        permuted, groups = permuted_units(design, seed)
    if over_periods:
        problem = problem_over_periods(ordered, wanted)
    elif design.can_permute:
        problem = Problem.of(ordered, wanted, groups)
    else:
        problem, free = problem_in_one_arm(ordered, wanted)

    def assigned(draws: int) -> Assignments | Signs:
        if not design.can_permute:
            return Signs(design.n_units, draws + 1, derive_seed(seed, "signs"), free)
        if groups is None:
            return design.permutations(draws, seed, allowed)
        return assignments(groups.arm, groups.stratum, n_permutations=draws, random_state=seed)

    draws = n_permutations
    compared = compare_assignments(problem, assigned(draws))
    near = abs(compared.p_value - significance_level) <= CLOSE_TO_LEVEL
    if not compared.assignments.enumerated and near and draws < MANY_PERMUTATIONS:
        compared = compare_assignments(problem, assigned(MANY_PERMUTATIONS))
    if not design.can_permute:
        permuted = f"signs of the scores of {permuted} drawn"
        how = "Weighted min-p test of components by random signs"
        return _result(problem, compared, ordered, how, permuted, significance_level)
    n_strata = design.n_blocks if over_periods else int(design.strata.max()) + 1
    within = f" within {n_strata} strata" if n_strata > 1 else ""
    how = "Weighted min-p permutation test of components"
    permuted = f"{permuted} permuted{within}"
    result = _result(problem, compared, ordered, how, permuted, significance_level)
    return replace(result, scale=scale)


# The name is the public one; pytest would otherwise collect it as a test.
test_heterogeneity.__test__ = False  # type: ignore[attr-defined]


def permuted_units(design: Design, seed: int) -> tuple[str, PersonGroups | None]:
    """Whose arms are permuted, in words, and the groups of persons where these are many."""
    if design.holds_persons or design.n_units <= MANY_PERSONS:
        return design.whole_units, None
    groups = person_groups(design.arm, design.strata, seed)
    return f"groups of up to {groups.persons.max():,} persons", groups


def _result(
    problem: Problem,
    compared: Comparison,
    ordered: OrderedTrial,
    how: str,
    permuted: str,
    significance_level: float,
) -> HeterogeneityTest:
    drawn = compared.assignments
    table = pd.DataFrame(
        {
            "component": list(compared.component_p),
            "p_value": list(compared.component_p.values()),
            "weight": [problem.weights[name] for name in compared.component_p],
            "n_terms": [problem.n_terms[name] for name in compared.component_p],
        }
    )
    notes = list(problem.notes)
    if drawn.enumerated and drawn.smallest_p > significance_level / 2:
        notes.append(
            f"Only {drawn.n_assignments} assignments were possible, so that the smallest p-value "
            f"this test can give is {drawn.smallest_p:.3f}."
        )
    if not problem.has_clusters:
        notes.append(
            "The average effect is estimated and projected out, which makes the test approximate."
        )
    return HeterogeneityTest(
        statistic=compared.statistic,
        p_value=compared.p_value,
        method=f"{how}; {permuted}, {drawn.words}",
        table=table,
        modifiers=_modifier_table(problem, compared, ordered),
        n_assignments=drawn.n_assignments,
        exact=drawn.enumerated,
        significance_level=significance_level,
        notes=tuple(notes),
    )


def _modifier_table(problem: Problem, compared: Comparison, ordered: OrderedTrial) -> pd.DataFrame:
    """Signed t of each covariate with raw and Westfall-Young adjusted p-values."""
    names = ordered.data.feature_names
    rows = []
    scaled = []
    for _, statistics in compared.columns:
        # Scaling by the permutation spread makes t's of different degrees of freedom comparable.
        spread = np.sqrt((statistics**2).mean(axis=0))
        scaled.append(np.abs(statistics) / np.where(spread > 0, spread, 1.0))
    largest = np.max(np.hstack(scaled), axis=1) if scaled else np.empty(0)
    for (which, statistics), size in zip(compared.columns, scaled, strict=True):
        for position, column in enumerate(which):
            value = float(statistics[0, position])
            own = size[:, position]
            rows.append(
                {
                    "covariate": names[column],
                    "source": ordered.sources[column],
                    "varies": _varies(problem, int(column)),
                    "direction": _direction(value),
                    "statistic": value,
                    "p_value": float(np.mean(own >= own[0] * (1 - 1e-9))),
                    "p_adjusted": float(np.mean(largest >= own[0] * (1 - 1e-9))),
                }
            )
    tested = {row["covariate"] for row in rows}
    for column in np.flatnonzero(problem.cluster_level):
        if names[column] not in tested:
            rows.append(
                {
                    "covariate": names[column],
                    "source": ordered.sources[column],
                    "varies": _varies(problem, int(column)),
                    "direction": "not tested",
                    "statistic": np.nan,
                    "p_value": np.nan,
                    "p_adjusted": np.nan,
                }
            )
    table = pd.DataFrame(rows)
    return table.sort_values(["p_adjusted", "p_value"], kind="stable").reset_index(drop=True)


def _varies(problem: Problem, column: int) -> str:
    if not problem.has_clusters:
        return "between persons"
    return "between clusters" if problem.cluster_level[column] else "within clusters"


def _direction(statistic: float) -> str:
    if statistic == 0:
        return "none"
    return f"larger effect at {'larger' if statistic > 0 else 'smaller'} values"


def _checked_weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    chosen = dict(DEFAULT_WEIGHTS if weights is None else weights)
    unknown = sorted(set(chosen) - set(DEFAULT_WEIGHTS))
    if unknown:
        known = list(DEFAULT_WEIGHTS)
        raise ValueError(f"unknown component {unknown[0]!r} in weights; use {known}")
    if any(not np.isfinite(value) or value < 0 for value in chosen.values()):
        raise ValueError(f"weights must be finite and not negative, got {chosen}")
    if not sum(chosen.values()) > 0:
        raise ValueError("at least one component needs a positive weight")
    return chosen
