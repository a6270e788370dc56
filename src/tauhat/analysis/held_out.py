"""What effects of held-out persons say: groups, calibration, ranking, policies, subgroups."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import IntArray
from tauhat.data import TrialData
from tauhat.disclosure import DIGITS_OF_DIFFERENCES, hidden_split, is_small
from tauhat.errors import TauhatWarning
from tauhat.inference.covariate_group_effects import CovariateGroupEffects, covariate_group_effects
from tauhat.inference.cross_fitting import CrossFit, cross_fit
from tauhat.inference.descriptive import estimate_columns
from tauhat.inference.effect_calibration import EffectCalibration, effect_calibration
from tauhat.inference.estimate import Estimate
from tauhat.inference.heterogeneity_result import HeterogeneityTest
from tauhat.inference.policy_value import PolicyValue, policy_value
from tauhat.inference.rate import RankWeightedEffect, rate
from tauhat.inference.risk_calibration import risk_calibration
from tauhat.inference.sorted_effects import (
    ClassificationAnalysis,
    SortedGroupEffects,
    classification_analysis,
    sorted_group_effects,
)
from tauhat.inference.subgroups import Subgroups, find_subgroups
from tauhat.report.grouping import covariate_codes
from tauhat.runtime.display import Shown
from tauhat.tables.extremes import frame_within
from tauhat.trial.trial import Trial
from tauhat.wording import counted

N_SPLITS = 5
# Beyond this many encoded covariates the additive mixed model takes seconds a fit.
MOST_COLUMNS = 15
# Of covariates whose groups get an effect of their own.
MOST_COVARIATES = 40
FEWEST_CLUSTERS_AN_ARM = 6
FEWEST_PERSONS_AN_ARM = 50
# Groups of a fifth of the persons hold more than five, whatever the splits.
FEWEST_PERSONS = 60
OVER_PERIODS = (
    "Held-out effects are not supported with periods yet, so groups, subgroups and calibration "
    "were not estimated."
)
QUICK = (
    "Quick models were asked for, so groups, subgroups and calibration were not estimated. "
    "Run the default models to have them."
)


@dataclass(frozen=True, eq=False)
class HeldOutEffects(Shown):
    """What the effects of persons say that no model saw; all of it describes, nothing tests.

    Attributes
    ----------
    fit
        The cross-fit that all the others come from.
    groups
        Effects of quarters of the persons, sorted by held-out effect.
    classification
        Who is in the last and the first quarter.
    calibration
        Predicted effects against those that came true.
    ranking
        Rank-weighted effects, by which outcome is better ("higher", "lower").
    policy
        Gains of treating by the model, likewise.
    subgroups
        Subgroups that the data suggest, with their credibility.
    by_covariate
        Average effects in groups along the covariates.
    risks
        Risks predicted in both arms and what became of them
        (`tauhat.inference.risk_calibration`); None where the outcome is no event.
    """

    fit: CrossFit
    groups: SortedGroupEffects
    classification: ClassificationAnalysis
    calibration: EffectCalibration
    ranking: Mapping[str, RankWeightedEffect]
    policy: Mapping[str, PolicyValue]
    subgroups: Subgroups
    by_covariate: CovariateGroupEffects
    risks: pd.DataFrame | None = None

    @property
    def table(self) -> pd.DataFrame:
        """Effects of the quarters, one row each, and their difference."""
        return self.groups.table

    @property
    def text(self) -> str:
        """The results in sentences."""
        parts = (self.groups, self.classification, self.calibration, self.subgroups)
        return " ".join(part.text for part in parts)


def too_few(data: TrialData) -> str | None:
    """Why a trial is too small for groups to be found and judged; None when it is not.

    Parameters
    ----------
    data
        The trial.

    Returns
    -------
    str or None

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> X, arm = np.zeros((40, 1)), np.arange(40) // 4 % 2
    >>> print(too_few(validate_trial(X, np.arange(40.0), arm, np.arange(40) // 4)))
    The smaller arm has 5 clusters. Groups that some clusters suggest are judged on the others; \
with fewer than 6 clusters in an arm that cannot be done.
    """
    persons = np.bincount(data.treatment, minlength=2)
    if data.design.holds_persons:
        units = int(data.design.arm_sizes.min())
        if units < FEWEST_CLUSTERS_AN_ARM:
            return (
                f"The smaller arm has {counted(units, 'cluster')}. Groups that some clusters "
                "suggest are "
                f"judged on the others; with fewer than {FEWEST_CLUSTERS_AN_ARM} clusters in an "
                "arm that cannot be done."
            )
        if data.n < FEWEST_PERSONS:
            return (
                f"The trial has {data.n} analysed persons, too few for groups of them to be "
                f"described; {FEWEST_PERSONS} are needed."
            )
    elif persons.min() < FEWEST_PERSONS_AN_ARM:
        return (
            f"The smaller arm has {counted(persons.min(), 'person')}. Groups that some persons "
            "suggest are "
            f"judged on the others; with fewer than {FEWEST_PERSONS_AN_ARM} persons in an arm "
            "that cannot be done."
        )
    return None


def held_out_effects(
    trial: Trial,
    data: TrialData,
    heterogeneity: HeterogeneityTest,
    *,
    level: float,
    seed: int,
    n_jobs: int = 1,
    higher_is_better: bool | None = None,
    named: Sequence[str] = (),
) -> HeldOutEffects | str:
    """Describe the trial by one cross-fit of a quick model.

    The model is the additive mixed model, or the linear one when the covariates
    make more than 15 columns.

    Parameters
    ----------
    trial, data
        The trial, and its validated arrays.
    heterogeneity
        The primary test.
    level
        Coverage of the intervals.
    seed
        Seed of the splits.
    n_jobs
        Number of fits at once.
    higher_is_better
        Whether a positive effect is a benefit; None for both readings.
    named
        Covariates that were named as modifiers.

    Returns
    -------
    HeldOutEffects or str
        A sentence when the trial is too small or the model cannot be fitted.

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> from tauhat.inference import test_heterogeneity
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"x": rng.normal(size=200), "arm": np.arange(200) % 2})
    >>> df["y"] = df.arm * (1 + df.x) + rng.normal(size=200)
    >>> trial = Trial(df, outcome="y", treatment="arm")
    >>> test = test_heterogeneity(trial, n_permutations=99)
    >>> data = validate_trial(*trial)
    >>> found = held_out_effects(trial, data, test, level=0.95, seed=1)
    >>> bool(found.groups.difference.lower > 0), list(found.policy)
    (True, ['higher', 'lower'])
    """
    reason = too_few(data)
    if reason:
        return reason
    directions = {"higher": True, "lower": False}
    if higher_is_better is not None:
        directions = {k: v for k, v in directions.items() if v is higher_is_better}
    try:
        model = "GAMM" if data.X.shape[1] <= MOST_COLUMNS else "LMM"
        fit = cross_fit(trial, model, n_splits=N_SPLITS, random_state=seed, n_jobs=n_jobs)
        return HeldOutEffects(
            fit=fit,
            groups=sorted_group_effects(fit, level=level),
            classification=classification_analysis(fit, level=level),
            calibration=effect_calibration(fit, level=level),
            ranking={k: rate(fit, higher_is_better=v, level=level) for k, v in directions.items()},
            policy={
                k: policy_value(fit, higher_is_better=v, level=level) for k, v in directions.items()
            },
            subgroups=find_subgroups(
                fit, heterogeneity=heterogeneity, level=level, prespecified=named
            ),
            by_covariate=covariate_group_effects(
                fit, _groups_along(frame_within(trial.counted_frame, fit.data)), level=level
            ),
            risks=risk_calibration(fit, level),
        )
    # A description that fails must not take the analysis with it.
    except Exception as error:
        reason = f"This could not be estimated: {type(error).__name__}: {error}"
        warnings.warn(f"held-out effects: {reason}", TauhatWarning, stacklevel=2)
        return reason


def _groups_along(frame: pd.DataFrame) -> dict[str, tuple[IntArray, Sequence[str]]]:
    """Thirds or categories of each covariate; none of them is chosen by the outcome."""
    groups: dict[str, tuple[IntArray, Sequence[str]]] = {}
    for name in map(str, frame.columns[:MOST_COVARIATES]):
        found = covariate_codes(frame[name], most_bins=3, most_categories=4)
        if found is not None:
            groups[name] = (found.codes, found.labels)
    return groups


def held_out_record(found: HeldOutEffects | str) -> dict[str, Any]:
    """Content of ``run.json``: whether it was estimated, why not, and every number."""
    if isinstance(found, str):
        return {"given": False, "reason": found}
    fit, calibration, subgroups = found.fit, found.calibration, found.subgroups
    return {
        "given": True,
        "estimator": fit.estimator,
        "n_splits": fit.n_splits,
        "n_folds": fit.n_folds,
        "method": fit.method,
        "groups": rows_record(found.groups.table.iloc[:-1]),
        "difference": _interval(found.groups.difference),
        "classification": _classification(found),
        "calibration": {
            "slope": _interval(calibration.slope),
            "bias": _interval(calibration.bias),
            "spread": calibration.spread,
            "curve": rows_record(calibration.curve),
            "risks": None if found.risks is None else rows_record(found.risks),
        },
        "ranking": [
            {
                "better": better,
                "autoc": _interval(ranked.autoc),
                "qini": _interval(ranked.qini),
                "curve": rows_record(ranked.curve),
            }
            for better, ranked in found.ranking.items()
        ],
        "policy": policy_record(found.policy),
        "by_covariate": _groups(found, found.by_covariate.table),
        "subgroups": {
            "found": subgroups.found,
            "subgroups": _groups(found, subgroups.table),
            "difference": _interval(subgroups.difference),
            "covariates": rows_record(subgroups.covariates),
            "credibility": rows_record(subgroups.credibility),
        },
    }


def policy_record(policies: Mapping[str, PolicyValue]) -> list[dict[str, Any]]:
    """Values of policies by which outcome is better."""
    return [
        {
            "better": better,
            "threshold": policy.threshold,
            "share_treated": policy.share_treated,
            "comparisons": rows_record(policy.table),
        }
        for better, policy in policies.items()
    ]


def rows_record(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table, names in lower case with underscores."""
    return table.rename(columns=lambda name: str(name).replace(" ", "_")).to_dict(orient="records")  # type: ignore[return-value]


def _groups(found: HeldOutEffects, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of groups; few clusters are no few persons, but few persons are."""
    rows = rows_record(table)
    return rows if found.fit.design.holds_persons else [hidden_split(row) for row in rows]


def _interval(estimate: Estimate) -> dict[str, float]:
    return estimate_columns(estimate)


def _classification(found: HeldOutEffects) -> list[dict[str, Any]]:
    """Covariate means of both quarters; without those that count fewer than five persons."""
    data = found.fit.data
    binary = {
        name: set(np.unique(column)) <= {0.0, 1.0}
        for name, column in zip(data.feature_names, data.X.T, strict=True)
    }
    sizes = {"largest": found.groups.persons[-1], "smallest": found.groups.persons[0]}
    rows = []
    for row in rows_record(found.classification.table):
        name = row["covariate"]
        counts = [side * sizes[end] for end in sizes for side in (row[end], 1 - row[end])]
        hidden = binary[name] and any(map(is_small, counts))
        numbers = {k: v for k, v in row.items() if k not in ("covariate", "source")}
        if hidden:
            numbers = dict.fromkeys(numbers)
        elif numbers["standardized"] is not None:
            numbers["standardized"] = round(numbers["standardized"], DIGITS_OF_DIFFERENCES + 1)
        rows.append(
            {"covariate": name, "source": row["source"], "binary": binary[name]}
            | {"fewer_than_five": hidden}
            | numbers
        )
    # A hidden row's place among the others would tell its size.
    return sorted(rows, key=lambda row: row["fewer_than_five"])
