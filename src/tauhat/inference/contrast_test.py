# ruff: noqa: PT028  (the public name begins with test_; it is not a pytest test)
"""One test of whether any contrast of several arms has effects that differ between persons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, FloatArray
from tauhat.arguments import check_level
from tauhat.design.permutations import assignments
from tauhat.errors import NothingToTestError
from tauhat.inference.all_arms import all_arms
from tauhat.inference.heterogeneity import (
    DEFAULT_WEIGHTS,
    permuted_units,
    test_heterogeneity,
)
from tauhat.inference.heterogeneity_comparison import (
    Problem,
    cluster_level_component,
    compare_assignments,
    unit_scores_of,
)
from tauhat.inference.heterogeneity_components import person_scores
from tauhat.inference.heterogeneity_result import HeterogeneityTest
from tauhat.inference.inputs import OrderedTrial, refuse_no_trial
from tauhat.inference.permutation_statistics import component_statistic
from tauhat.numerics.seeds import resolve_seed
from tauhat.numerics.several_tests import closed_test
from tauhat.runtime.display import html
from tauhat.runtime.parallel import on_one_thread
from tauhat.trial.trial import Trial
from tauhat.wording import p_words

Statistic = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class ContrastTests:
    """Result of `test_contrasts`.

    Attributes
    ----------
    p_value
        Of the hypothesis that no contrast's effect differs between persons: the primary test;
        NaN when there is nothing to test.
    table
        One row per contrast: ``contrast``, ``p_value`` (of `test_heterogeneity` in its two arms)
        and ``p_adjusted`` (for the number of contrasts).
    tests
        `HeterogeneityTest` of each contrast by its name.
    method
        What was permuted, and how often.
    n_assignments
        Assignments compared, the observed one included.
    significance_level
        Level at which ``text`` speaks of evidence.
    """

    p_value: float
    table: pd.DataFrame
    tests: Mapping[str, HeterogeneityTest]
    method: str
    n_assignments: int
    significance_level: float

    @property
    def tested(self) -> bool:
        """Whether there was anything to test."""
        return not np.isnan(self.p_value)

    @property
    def text(self) -> str:
        """The result in sentences."""
        if not self.tested:
            return f"Whether effects differ between persons was not tested. {self.method}"
        p = p_words(self.p_value)
        if self.p_value <= self.significance_level:
            verdict = f"There is evidence that the effect of an arm differs between persons ({p})."
        else:
            verdict = (
                f"There is no clear evidence that the effect of any arm differs between persons "
                f"({p}); that is not evidence that effects are the same for everyone."
            )
        each = "; ".join(
            f"{row['contrast']} {p_words(row['p_adjusted'])}"
            for row in self.table.dropna().to_dict("records")
        )
        return (
            f"{verdict} This is one test over all contrasts. Adjusted for their number: {each}. "
            f"{self.method}."
        )

    def _repr_html_(self) -> str:
        return html(self.text, self.table, number=".3f")


@on_one_thread
def test_contrasts(
    trial: Trial,
    *,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
    n_permutations: int = 1999,
    significance_level: float = 0.05,
    tests: Mapping[str, HeterogeneityTest] | None = None,
) -> ContrastTests:
    r"""Test whether the effect is the same for everyone in all contrasts of several arms.

    The scores are those of `test_heterogeneity`, made once of all arms. The arms of whole
    units are permuted within blocks, all of them at once, and each contrast c compares its two
    arms by the same blocks of terms b with permutation p-values :math:`p_{cb}`. The primary
    test is that of

    .. math:: \min_{c,b} p_{cb} / w_b

    calibrated by the same permutations, so that it is one test however many arms there are;
    with clusters its person-level terms are exact in finite samples.

    Those permutations say nothing of one contrast where another one's effects differ. So each
    contrast's own p-value permutes its two arms alone, and adjusted ones come from a closed
    test (Marcus, Peritz and Gabriel 1976): all contrasts together by the primary test, fewer of
    them by Bonferroni,

    .. math:: \tilde p_c = \max\{p, \max_{C \ni c} |C| \min_{d \in C} p_d\},

    which keeps the chance of any false finding at the level whichever effects differ.
    Where outcomes are missing, the joint test is of persons with an outcome, each contrast's own
    of everyone enrolled.

    Parameters
    ----------
    trial
        A `tauhat.Trial` of two arms or more.
    random_state
        Seed of the permutations.
    n_permutations
        Random assignments; all are compared when there are at most 10,000.
    significance_level
        Level for the wording of the result.
    tests
        Tests of the contrasts by their names, when they were made already.

    Returns
    -------
    ContrastTests

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"dose": np.arange(300) % 3, "x": rng.normal(size=300)})
    >>> df["y"] = (df.dose == 2) * df.x + rng.normal(size=300)
    >>> found = test_contrasts(Trial(df, outcome="y", treatment="dose"), random_state=1)
    >>> found.p_value < 0.01, (found.table.p_adjusted < 0.05).tolist()
    (True, [False, True])
    """
    refuse_no_trial(trial, arrays=False)
    check_level(significance_level, "significance_level")
    seed = resolve_seed(random_state)
    if tests is None:
        tests = {
            name: _tested(part, seed, n_permutations) for name, part in trial.contrasts.items()
        }
    p_values = np.array([tests[name].p_value for name in trial.contrasts])
    if trial.n_arms > 2:
        joint, method, count = _joint(trial, seed, n_permutations)
    else:
        (only,) = tests.values()
        joint, method, count = only.p_value, only.method, only.n_assignments
    table = pd.DataFrame(
        {
            "contrast": list(trial.contrasts),
            "p_value": p_values,
            "p_adjusted": closed_test(p_values, joint),
        }
    )
    return ContrastTests(joint, table, tests, method, count, significance_level)


# The name is the public one; pytest would otherwise collect it as a test.
test_contrasts.__test__ = False  # type: ignore[attr-defined]


def _tested(trial: Trial, seed: int, n_permutations: int) -> HeterogeneityTest:
    try:
        return test_heterogeneity(trial, random_state=seed, n_permutations=n_permutations)
    except NothingToTestError as error:
        return HeterogeneityTest.not_tested(f"{error}.")


def _joint(trial: Trial, seed: int, n_permutations: int) -> tuple[float, str, int]:
    """p-value over all contrasts, how it was made, and the number of assignments."""
    ordered = all_arms(trial)
    design = ordered.data.design
    permuted, groups = permuted_units(design, seed)
    permutable = design.arm, design.strata
    if groups is not None:
        permutable = groups.arm, groups.stratum
    scores = person_scores(ordered.data, ~ordered.marks)
    statistics: dict[str, Statistic] = {
        name: partial(component_statistic, unit_scores_of(basis, scores, ordered.data, groups))
        for name, basis in scores.bases.items()
    }
    if design.holds_persons:
        component, _ = cluster_level_component(ordered.data, scores)
        if component is not None:
            statistics["cluster-level"] = component.joint
    if not statistics:
        return np.nan, "No covariate can be tested as an effect modifier.", 0
    drawn = assignments(*permutable, n_permutations=n_permutations, random_state=seed)
    problem = _problem(trial, ordered, statistics, by_block=groups is None)
    compared = compare_assignments(problem, drawn)
    of = f"{len(trial.pairs)} contrasts of {trial.n_arms} arms"
    method = (
        f"Weighted min-p permutation test of components over {of}; {permuted} permuted, "
        f"{drawn.words}"
    )
    return compared.p_value, method, drawn.n_assignments


def _problem(
    trial: Trial, ordered: OrderedTrial, statistics: Mapping[str, Statistic], *, by_block: bool
) -> Problem:
    """Every component in every contrast, all of them weighed as in a test of two arms.

    With ``by_block`` a contrast takes the blocks that hold both its arms.
    """
    sizes = ordered.data.design.block_sizes
    bound: dict[str, Callable[[FloatArray], FloatArray]] = {}
    weights = {}
    for name, (reference, arm) in trial.pairs.items():
        both = None
        if by_block:
            # Permutations stay within blocks, so that the same blocks hold both arms in all.
            both = (sizes[:, [reference, arm]].min(axis=1) > 0)[ordered.data.design.block]
        for component, statistic in statistics.items():
            bound[f"{name}: {component}"] = _between(statistic, reference, arm, both)
            weights[f"{name}: {component}"] = DEFAULT_WEIGHTS[component]
    return Problem(
        bound,
        {},
        weights,
        [],
        np.zeros(0, dtype=bool),
        ordered.data.design.holds_persons,
        (),
    )


def _between(
    statistic: Statistic, reference: int, arm: int, both: BoolArray | None
) -> Callable[[FloatArray], FloatArray]:
    """The statistic of two of the arms, of units in blocks that hold both."""

    def of(assigned: FloatArray) -> FloatArray:
        treated = (assigned == arm).astype(np.float64)
        controls = (assigned == reference).astype(np.float64)
        if both is not None:
            treated *= both
            controls *= both
        return statistic(treated, controls)

    return of
