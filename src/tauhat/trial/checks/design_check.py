"""The design check: what a reader of a trial asks before looking at any effect."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.disclosure import tells_few
from tauhat.errors import TauhatWarning
from tauhat.numerics.balance import ArmDifferences, arm_differences
from tauhat.numerics.far_values import ColumnLimits
from tauhat.numerics.icc import IntraclusterCorrelation, intracluster_correlation
from tauhat.runtime.parallel import on_one_thread
from tauhat.tables.columns import missing_values
from tauhat.trial.checks.answers import answered, merged, said_once
from tauhat.trial.checks.baseline_checks import baseline_findings
from tauhat.trial.checks.block_checks import block_findings
from tauhat.trial.checks.cluster_checks import (
    cluster_findings,
    cluster_sizes,
    unit_numbers,
    unlearnable_findings,
)
from tauhat.trial.checks.covariate_checks import covariate_findings
from tauhat.trial.checks.extreme_checks import far_value_findings
from tauhat.trial.checks.file_checks import file_findings
from tauhat.trial.checks.finding import Finding, Status, told_of_participants
from tauhat.trial.checks.finding_codes import GRADES
from tauhat.trial.checks.follow_up_checks import outcome_findings
from tauhat.trial.checks.label_checks import label_findings, other_arm_findings
from tauhat.trial.checks.leak_checks import leakage_findings, missing_findings
from tauhat.trial.checks.level_checks import level_findings
from tauhat.trial.checks.missing_outcome_checks import (
    MissingOutcomesSeen,
    lost_by_arm,
    missing_outcome_findings,
    missing_outcomes_seen,
)
from tauhat.trial.checks.one_arm_checks import icc_in_one_arm, one_arm_findings
from tauhat.trial.checks.period_checks import (
    icc_over_periods,
    period_findings,
    within_periods,
)
from tauhat.trial.checks.size_checks import (
    few_persons_finding,
    probability_of_treatment,
    weight_findings,
)
from tauhat.trial.hidden_counts import hides_lost
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable


@dataclass(frozen=True)
class DesignCheck:
    """Result of `check_design`.

    Attributes
    ----------
    findings : tuple of Finding
        One for each thing looked at.
    balance : DataFrame
        One row per encoded covariate: means of everyone enrolled by arm (observed
        values that are not far outside), standardised difference, t and p value judged
        against the variation between randomized units, and whether such figures would tell
        that fewer than five persons of an arm have one of two values: then no
        finding and no report shows them.
    missingness : DataFrame
        One row per column: share missing by arm, p value of the difference.
    attrition : DataFrame
        Persons enrolled and without an outcome by arm; p value of the difference.
    cluster_sizes : DataFrame or None
        Clusters by arm: number, minimum, median, maximum, mean, CV of their size.
    icc : IntraclusterCorrelation or None
        Of the outcome within arm; None when persons were randomized.
    missing_outcomes : MissingOutcomesSeen or None
        Who lacks an outcome, by cluster, block and covariate, and how likely each was to have
        one; None when nobody does, or with more than two arms.
    """

    findings: tuple[Finding, ...]
    balance: pd.DataFrame
    missingness: pd.DataFrame
    attrition: pd.DataFrame
    cluster_sizes: pd.DataFrame | None
    icc: IntraclusterCorrelation | None
    missing_outcomes: MissingOutcomesSeen | None = None

    def _sentences(self, *statuses: Status, accepted: bool = False) -> list[str]:
        told = [f for f in self.findings if f.status in statuses and f.accepted == accepted]
        return said_once(told)

    @property
    def failures(self) -> list[str]:
        """What makes the analysis wrong unless it is put right: the errors."""
        return self._sentences("error")

    @property
    def warnings(self) -> list[str]:
        """What a reader must know or the analyst should look into, and nobody answered."""
        return self._sentences("warning")

    @property
    def accepted(self) -> list[str]:
        """Warnings that were answered by their codes with ``accept=``."""
        return self._sentences("warning", accepted=True)

    @property
    def notes(self) -> list[str]:
        """What is worth knowing."""
        return self._sentences("note", "ok")

    @property
    def passed(self) -> bool:
        """Whether nothing graded warning or worse is left unanswered."""
        return not self.open_codes

    @property
    def open_codes(self) -> tuple[str, ...]:
        """Codes of the errors, and of the warnings that nobody answered, each once."""
        graded = sorted(
            (f for f in self.findings if f.status in ("error", "warning") and not f.accepted),
            key=lambda finding: GRADES.index(finding.status),
        )
        return tuple(dict.fromkeys(finding.code for finding in graded))

    @property
    def table(self) -> pd.DataFrame:
        """One row per finding: item, value, status, code."""
        rows = [
            (f.item, f.value, "accepted" if f.accepted else f.status, f.code) for f in self.findings
        ]
        return pd.DataFrame(rows, columns=["item", "value", "status", "code"])

    @property
    def graded(self) -> list[Finding]:
        """Errors, warnings and notes, in this order, each sentence once."""
        return merged(
            sorted(
                (f for f in self.findings if f.status != "ok" and f.sentence),
                key=lambda f: (GRADES.index(f.status), f.accepted),
            )
        )

    @property
    def text(self) -> str:
        """The check in sentences, one a line, what matters most first."""
        return "\n".join(
            [
                *(f"Failed: {sentence}" for sentence in self.failures),
                *(f"Warning: {sentence}" for sentence in self.warnings),
                *(f"Accepted: {sentence}" for sentence in self.accepted),
                *self.notes,
            ]
        )

    def __repr__(self) -> str:
        return f"{self.table.to_string(index=False)}\n\n{self.text}"

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{escape(line)}</li>" for line in self.text.splitlines())
        return f"{self.table.to_html(index=False, escape=True)}<ul>{lines}</ul>"


@on_one_thread
def check_design(trial: TrialTable) -> DesignCheck:
    """Check the design and the data of a trial without looking at any effect.

    Arms, clusters and blocks; the intracluster correlation of the outcome within
    arm; baseline balance, missing values and attrition, judged against the
    variation between randomized units; values far outside their column and codes
    for missing values; and covariates that look measured after randomization.
    Persons in blocks with one arm only were not randomized beside the other, so they
    are not compared. A failure is a covariate that is a copy of the outcome or of the
    treatment, which makes every effect estimate wrong, or more than a quarter of the
    persons in blocks with one arm only. All else is a warning, which ``accept`` may
    answer by its code (`tauhat.trial.checks.finding_codes`), or a note.

    Parameters
    ----------
    trial
        The trial.

    Returns
    -------
    DesignCheck

    Examples
    --------
    >>> from tauhat.trial.trial import Trial
    >>> df = pd.DataFrame({"arm": [0, 1] * 20, "age": range(40), "y": [1.0, 2, 4, 7, 3] * 8})
    >>> df["copy"] = df.y * 2
    >>> roles = {"outcome": "y", "treatment": "arm", "covariates": ["age", "copy"]}
    >>> check = check_design(Trial(df, **roles))
    >>> check.failures
    ["'copy' is the outcome in other units (correlation 1.000): remove it from the covariates."]
    """
    units = unit_numbers(trial)
    rows = trial.has_counterfactual
    X = trial.X.to_numpy(dtype=np.float64)
    design = trial.randomization.take(rows)
    limits, tails = ColumnLimits.with_tails(X[rows], design.clusters)
    missing = np.column_stack(
        [missing_values(trial.enrolled_frame[name]) for name in trial.covariate_names]
    )
    values, names = _observed_values(trial, limits, missing)
    differences = _between_arms(trial, values, units)
    randomized = trial.enrolled_has_counterfactual
    few = tells_few(values[randomized], trial.enrolled_treatment[randomized])
    gaps = _between_arms(trial, missing.astype(np.float64), units)
    lost = _between_arms(trial, (~trial.has_outcome)[:, None].astype(np.float64), units)
    attrition = _attrition_table(trial, lost)
    seen = missing_outcomes_seen(trial, values, names, float(lost.p_value[0]))
    sizes = icc = None
    if trial.period is not None:
        icc = icc_over_periods(trial)
    elif not design.can_permute:
        icc = icc_in_one_arm(trial)
    elif design.holds_persons:
        sizes = cluster_sizes(trial)
        icc = intracluster_correlation(trial.y[rows], design.unit, trial.treatment[rows])
    findings = [
        *_design_findings(trial),
        *period_findings(trial),
        *one_arm_findings(trial, icc),
        *baseline_findings(trial),
        *([] if sizes is None or icc is None else cluster_findings(trial, sizes, icc, units)),
        *level_findings(trial),
        *unlearnable_findings(trial),
        *block_findings(trial),
        *outcome_findings(trial),
        *missing_outcome_findings(trial, seen, attrition),
        *weight_findings(trial),
        *trial.row_findings,
        *file_findings(trial),
        *label_findings(trial),
        *covariate_findings(trial),
        *far_value_findings(trial, X, limits, tails),
        *leakage_findings(trial, units, names, differences, limits, few),
        *missing_findings(trial, missing, gaps),
    ]
    if trial.units_are_participants:
        findings = list(map(told_of_participants, findings))
    return DesignCheck(
        findings=answered(findings, trial.accept),
        balance=_balance_table(trial, names, differences, few),
        missingness=_missing_table(trial, gaps),
        attrition=attrition,
        cluster_sizes=sizes,
        icc=icc,
        missing_outcomes=seen,
    )


def _between_arms(trial: TrialTable, values: FloatArray, units: IntArray) -> ArmDifferences:
    """Arms compared, without blocks that hold one only."""
    rows = trial.enrolled_has_counterfactual
    if trial.period is not None:
        values = within_periods(trial, values, rows)
    return arm_differences(values[rows], trial.enrolled_treatment[rows], units[rows])


def _observed_values(
    trial: TrialTable, limits: ColumnLimits, missing: BoolArray
) -> tuple[FloatArray, list[str]]:
    """Encoded covariates of everyone enrolled, without the missing marks.

    NaN where missing, in the columns of the covariates, or far outside.
    """
    if trial.n_missing_outcome:
        with warnings.catch_warnings():
            # Levels that only persons without an outcome have are no news here.
            warnings.simplefilter("ignore", TauhatWarning)
            encoded = trial.encoder_.transform(trial.enrolled_frame)
    else:
        encoded = trial.X
    sources = trial.encoder_.sources_
    names = [name for name in encoded.columns if name != f"{sources[name]} (missing)"]
    outside = limits.outside(encoded.to_numpy(dtype=np.float64))
    values = encoded.mask(outside)[names].to_numpy(dtype=np.float64).copy()
    of = dict(zip(trial.covariate_names, missing.T, strict=True))
    for j, name in enumerate(names):
        values[of[sources[name]], j] = np.nan
    return values, names


def _balance_table(
    trial: TrialTable, names: Sequence[str], differences: ArmDifferences, few: BoolArray
) -> pd.DataFrame:
    cluster_level = set(trial.cluster_level_columns)
    return pd.DataFrame(
        {
            "column": names,
            "source": [trial.encoder_.sources_[name] for name in names],
            "measured_on": ["cluster" if name in cluster_level else "person" for name in names],
            "mean_control": differences.control,
            "mean_treated": differences.treated,
            "sd": differences.sd,
            "standardized_difference": differences.standardized,
            "t": differences.t,
            "p_value": differences.p_value,
            "fewer_than_five": few,
        }
    )


def _missing_table(trial: TrialTable, gaps: ArmDifferences) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "column": trial.covariate_names,
            "share_control": gaps.control,
            "share_treated": gaps.treated,
            "p_value": gaps.p_value,
        }
    )


def _attrition_table(trial: TrialTable, lost: ArmDifferences) -> pd.DataFrame:
    enrolled = np.bincount(trial.enrolled_treatment, minlength=2)
    analysed = np.bincount(trial.treatment, minlength=2)
    return pd.DataFrame(
        {
            "arm": [*map(str, trial.arm_labels), "difference"],
            "enrolled": pd.array([*enrolled, pd.NA], dtype="Int64"),
            "missing_outcome": pd.array([*(enrolled - analysed), pd.NA], dtype="Int64"),
            "share_missing": [lost.control[0], lost.treated[0], lost.difference[0]],
            "p_value": [np.nan, np.nan, lost.p_value[0]],
        }
    )


def randomization_finding(trial: TrialTable) -> Finding:
    """What was randomized."""
    design = trial.randomization
    if not design.can_permute:
        return Finding("design", "randomized by persons, who have clusters in one arm only")
    column = f" ({trial.roles['cluster']})" if "cluster" in trial.roles else ""
    units = f"{trial.randomization.units_word}{column}"
    if trial.period is not None:
        return Finding("design", f"{trial.design}: {units} randomized to sequences of arms")
    return Finding("design", f"randomized by {units}")


def _design_findings(trial: TrialTable) -> Iterator[Finding]:
    yield randomization_finding(trial)
    counts, which = np.bincount(trial.enrolled_treatment, minlength=2), "enrolled"
    if hides_lost(trial):
        # Beside the numbers analysed, those enrolled would tell how many an arm lost.
        counts, which = counts - lost_by_arm(trial), "with an outcome"
    for label, count, role in zip(trial.arm_labels, counts, ("control", "treated"), strict=True):
        yield Finding(f"{role} arm", f"{label}: {counted(int(count), 'person')} {which}")
    yield from other_arm_findings(trial)
    if not trial.randomization.holds_persons:
        yield from few_persons_finding(trial)
    if trial.propensity is not None:
        yield from _propensity_finding(trial, trial.propensity)
    if trial.period is None:
        yield from _allocation_finding(trial)


def _allocation_finding(trial: TrialTable) -> Iterator[Finding]:
    chance = probability_of_treatment(trial)[trial.has_counterfactual]
    low, high = chance.min(), chance.max()
    if high - low >= 0.05:
        yield Finding(
            "range of propensity",
            f"{low:.3f} to {high:.3f}",
            "note",
            f"The probability of treatment differs between units ({low:.0%} to {high:.0%}). "
            "Outcomes are adjusted for it before the models are fitted.",
            "allocation",
        )


def _propensity_finding(trial: TrialTable, propensity: FloatArray) -> Iterator[Finding]:
    # Persons were randomized where one arm only has clusters.
    by_unit = trial.randomization.can_permute
    first = trial.randomization.first if by_unit else np.arange(len(propensity))
    first = first[trial.has_counterfactual[first]]
    chance, treated = propensity[first], trial.treatment[first]
    units = "units" if by_unit else "persons"
    z = float((treated - chance).sum() / np.sqrt((chance * (1 - chance)).sum()))
    unlikely = abs(z) > 4
    yield Finding(
        "propensity",
        f"{chance.mean():.3f} by design, {treated.mean():.3f} of {units} treated",
        "warning" if unlikely else "ok",
        f"{treated.mean():.0%} of the randomized {units} are treated where propensity= says "
        f"{chance.mean():.0%} ({abs(z):.1f} standard errors apart): check it."
        if unlikely
        else "",
        "propensity" if unlikely else "",
    )
