"""How much the results depend on one member, on the seed, on a cluster and on missing data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.analysis.held_out import HeldOutEffects
from tauhat.analysis.models import fit_models
from tauhat.data import TrialData
from tauhat.design.blocks import has_counterfactual
from tauhat.disclosure import FEW, is_small
from tauhat.ensembles.ensemble import Ensemble
from tauhat.ensembles.leave_out import weighed_again
from tauhat.ensembles.robust import RobustEnsemble
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.average_effects import average_effects
from tauhat.inference.averages import AverageEffects
from tauhat.inference.estimate import Estimate
from tauhat.inference.heterogeneity_result import HeterogeneityTest
from tauhat.inference.inputs import TrialLike
from tauhat.inference.sorted_effects import sorted_group_effects
from tauhat.numerics.kendall import kendall_matrix, puts_in_order
from tauhat.numerics.seeds import derive_seed
from tauhat.runtime.display import html
from tauhat.trial.hidden_counts import hides_all_lost, hides_lost
from tauhat.trial.trial import Trial

#: Seeds with which an ensemble that draws its weights is weighed again.
SEEDS_OF_WEIGHTS = 5
#: By how many standard deviations of the outcome lost persons are taken to differ.
DEPARTURES = (-0.5, -0.25, 0.25, 0.5)


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What changes when something is left out or drawn anew; the result of `sensitivity`.

    Attributes
    ----------
    members
        The reported effects without each member, weights made anew and nothing
        refitted, and with other seeds: ``what`` ("member" or "seed"),
        ``change``, ``mean_effect``, ``sd_effect``, ``kendall`` with the reported
        effects over the persons, and ``mean_change``, the mean absolute change of
        a person's effect.
    splits
        Difference between the outer quarters by predicted effect in each split
        of the held-out effects: ``split``, ``estimate``, ``lower``, ``upper``.
    averages
        The primary average effect under other treatments of missing data:
        ``change``, ``estimate``, ``lower``, ``upper``.
    p_value_range
        Range in which the p-value of the primary test would fall, in 95 of 100
        seeds; None for an exact test.
    without_one
        Smallest and largest individual-average effect without any one cluster.
    tipping_point
        Difference, in units of the outcome, between persons lost from the
        treated arm and like persons who were seen, at which the interval of the
        average effect reaches zero; None when nobody is lost, the interval
        holds zero anyway, or no outcomes that can be would do.
    notes
        What was not done and why, in sentences.
    """

    members: pd.DataFrame
    splits: pd.DataFrame
    averages: pd.DataFrame
    p_value_range: tuple[float, float] | None
    without_one: tuple[float, float] | None
    tipping_point: float | None
    notes: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """Everything that was changed, one row each."""
        members = self.members.assign(estimate=self.members["mean_effect"])
        averages = self.averages.assign(what="average effect")
        columns = ["what", "change", "estimate", "lower", "upper", "sd_effect", "kendall"]
        both = [part.reindex(columns=columns) for part in (averages, members) if len(part)]
        return pd.concat(both, ignore_index=True) if both else pd.DataFrame(columns=columns)

    @property
    def text(self) -> str:
        """The results in sentences."""
        said = []
        left_out = self.members[self.members["what"] == "member"]
        if len(left_out):
            said.append(
                f"Without any one member the mean effect lies between "
                f"{left_out['mean_effect'].min():.4g} and {left_out['mean_effect'].max():.4g}."
            )
        ordered = left_out.dropna(subset="kendall")
        if 0 < len(ordered) < len(left_out):
            alike = left_out.loc[left_out["kendall"].isna(), "change"]
            said.append(
                f"Without {' or '.join(alike)} the effects are the same for everyone, so that "
                "no order is left."
            )
        elif len(ordered):
            lowest = ordered.sort_values("kendall", kind="stable").iloc[0]
            said.append(
                f"The order of the persons changes most without {lowest['change']} (Kendall "
                f"correlation with the reported order {lowest['kendall']:.2f})."
            )
        if self.p_value_range is not None:
            low, high = self.p_value_range
            said.append(f"Other seeds would put the p-value between {low:.3f} and {high:.3f}.")
        if self.without_one is not None:
            low, high = self.without_one
            said.append(
                f"Without any one cluster the average effect lies between {low:.4g} and {high:.4g}."
            )
        if self.tipping_point is not None:
            said.append(
                "The interval of the average effect would reach zero if those lost from the "
                f"treated arm differed by {self.tipping_point:.4g} from like persons who were seen."
            )
        return " ".join([*said, *self.notes])

    def _repr_html_(self) -> str:
        return html(self.text, self.table)


def sensitivity(
    trial: Trial,
    data: TrialData,
    *,
    names: Sequence[str],
    reported: CateEstimator,
    effect: FloatArray,
    member_effects: pd.DataFrame,
    average: AverageEffects,
    primary: str,
    heterogeneity: HeterogeneityTest,
    held_out: HeldOutEffects | str,
    level: float,
    seed: int,
    n_seeds: int = 0,
    n_jobs: int = 1,
) -> Sensitivity:
    """How much the results depend on a member, the seed, a cluster and missing data.

    Only ``n_seeds`` asks for models to be fitted again. Members are left out by
    weighing the fitted others anew.

    Parameters
    ----------
    trial, data
        The trial and its arrays.
    names
        Names of the models, to fit them again.
    reported, effect
        The fitted estimator that is reported, and its effects on the rows of the
        trial, shape (n,).
    member_effects
        Effects of the members on the same rows before they are cut to what is
        possible, one column each.
    average, heterogeneity, held_out
        What else was found.
    primary
        Which average effect leads, "individual" or "cluster".
    level
        Coverage of the intervals.
    seed
        Seed of the run.
    n_seeds
        Number of other seeds with which all models are fitted again.
    n_jobs
        Number of fits at once.

    Returns
    -------
    Sensitivity
    """
    order = data.rows
    notes: list[str] = []
    rows = _without_members(data, reported, effect, member_effects, order, notes)
    rows += _other_seeds(
        data, names, reported, effect, member_effects, order, seed, n_seeds, n_jobs, notes
    )
    columns = ["what", "change", "mean_effect", "sd_effect", "kendall", "mean_change"]
    return Sensitivity(
        members=pd.DataFrame(rows, columns=columns),
        splits=_splits(held_out, level),
        averages=pd.DataFrame(
            _averages(trial, average, primary, level, notes),
            columns=["change", "estimate", "lower", "upper"],
        ),
        p_value_range=_p_value_range(heterogeneity),
        without_one=average.without_one,
        tipping_point=_tipping_point(trial, average, primary, notes),
        notes=tuple(notes),
    )


def _changed(
    what: str, change: str, changed: FloatArray, effect: FloatArray, outcome: FloatArray
) -> dict[str, Any]:
    """A row on effects that were made in another way."""
    agreement = np.nan
    if puts_in_order(changed, outcome) and puts_in_order(effect, outcome):
        agreement = kendall_matrix(np.column_stack([changed, effect]))[0, 1]
    return {
        "what": what,
        "change": change,
        "mean_effect": float(changed.mean()),
        "sd_effect": float(changed.std()),
        "kendall": float(agreement),
        "mean_change": float(np.abs(changed - effect).mean()),
    }


def _canonical(member_effects: pd.DataFrame, order: Any) -> Mapping[str, FloatArray]:
    return {
        str(name): member_effects[name].to_numpy(dtype=np.float64)[order] for name in member_effects
    }


def _without_members(
    data: TrialData,
    reported: CateEstimator,
    effect: FloatArray,
    member_effects: pd.DataFrame,
    order: Any,
    notes: list[str],
) -> list[dict[str, Any]]:
    if not isinstance(reported, Ensemble):
        notes.append(
            "The effects reported are those of one model and not of several weighed together, so "
            "none was left out."
        )
        return []
    members = list(reported.members_)
    if len(members) < 2:
        notes.append("There is one member only, so none was left out.")
        return []
    known = _canonical(member_effects, order)
    rows = []
    for name in members:
        try:
            changed = weighed_again(reported, known, without=[name])
        except ValueError as error:
            notes.append(f"Without {name} the others cannot be weighed: {error}.")
            continue
        rows.append(_changed("member", name, reported.bounded(changed), effect[order], data.y))
    return rows


def _other_seeds(
    data: TrialData,
    names: Sequence[str],
    reported: CateEstimator,
    effect: FloatArray,
    member_effects: pd.DataFrame,
    order: Any,
    seed: int,
    n_seeds: int,
    n_jobs: int,
    notes: list[str],
) -> list[dict[str, Any]]:
    rows = []
    if isinstance(reported, RobustEnsemble) and not reported.weights_are_drawn:
        where = " in a trial of clusters" if data.design.holds_persons else ""
        notes.append(f"The weights do not depend on the seed{where}.")
    elif isinstance(reported, RobustEnsemble):
        known = _canonical(member_effects, order)
        drawn = [
            weighed_again(reported, known, seed=derive_seed(seed, "weights again", k))
            for k in range(SEEDS_OF_WEIGHTS)
        ]
        changes = [
            _changed("seed", "", reported.bounded(one), effect[order], data.y) for one in drawn
        ]
        worst = max(changes, key=lambda row: float(row["mean_change"]))
        rows.append({**worst, "change": f"weights drawn anew (most changed of {SEEDS_OF_WEIGHTS})"})
    for k in range(n_seeds):
        again = derive_seed(seed, "fitted again", k)
        model = fit_models(data, names, seed=again, n_jobs=n_jobs).reported
        changed = model.bounded(model.predict_effect(data.X))
        change = f"all models fitted again, {k + 1}"
        rows.append(_changed("seed", change, changed, effect[order], data.y))
    if not n_seeds:
        notes.append(
            "Models were not fitted again with other seeds, since no number of seeds was asked for."
        )
    return rows


def _splits(held_out: HeldOutEffects | str, level: float) -> pd.DataFrame:
    """Difference between the outer quarters in each split, whose folds have their own seed."""
    rows = []
    if not isinstance(held_out, str):
        fit = held_out.fit
        for k in range(fit.n_splits):
            one = replace(
                fit,
                folds=fit.folds[[k]],
                surfaces=fit.surfaces[[k]],
                outcome=fit.outcome[[k]],
            )
            difference = sorted_group_effects(one, level=level).difference
            rows.append((k + 1, difference.estimate, difference.lower, difference.upper))
    return pd.DataFrame(rows, columns=["split", "estimate", "lower", "upper"])


def _p_value_range(test: HeterogeneityTest) -> tuple[float, float] | None:
    """Monte Carlo error of the permutation p-value."""
    if test.exact or not test.tested:
        return None
    p, draws = test.p_value, max(test.n_assignments, 1)
    error = 1.96 * float(np.sqrt(p * (1 - p) / draws))
    return max(p - error, 0.0), min(p + error, 1.0)


def _averages(
    trial: Trial, average: AverageEffects, primary: str, level: float, notes: list[str]
) -> list[tuple[str, float, float, float]]:
    """Average effect with other treatments of missing covariates and outcomes."""
    reported = getattr(average, primary)
    rows = [("as reported", reported.estimate, reported.lower, reported.upper)]
    if average.complete_cases is not None:
        seen = getattr(average.complete_cases, primary)
        rows.append(("only persons with an outcome", seen.estimate, seen.lower, seen.upper))
    data = trial.enrolled_data
    nothing = replace(data, X=np.zeros((data.n, 1)), feature_names=("none",))
    alone = _average_of(nothing.with_outcome_made_anew(), primary, level)
    if alone is not None:
        rows.append(("no covariates used", *alone))
    compared = trial.has_counterfactual
    n_complete, complete = _without_missing_covariates(trial)
    if n_complete < data.n:
        found = _average_of(complete, primary, level)
        told = not (hides_all_lost(trial) or is_small(data.n - n_complete))
        share = f" ({n_complete:,} of {data.n:,})" if told else ""
        if found is None:
            notes.append(f"Rows without a missing covariate{share} are too few to be analysed.")
        else:
            rows.append((f"only rows without a missing covariate{share}", *found))
    if hides_lost(trial):
        # By how much the average effect moves with them tells which share of an arm they are.
        notes.append(
            "What it would mean if those lost differed from like persons is not shown: it would "
            f"tell how many an arm lost, {FEW}."
        )
        return rows
    outcome_sd = float(np.std(trial.y[compared]))
    for arm, label in ((1, "treated"), (0, "control")):
        lost = _share_lost(trial, arm, primary)
        if lost > 0:
            for departure in DEPARTURES:
                shift = (1 if arm else -1) * departure * outcome_sd * lost
                way = "higher" if departure > 0 else "lower"
                rows.append(
                    (
                        f"lost persons of the {label} arm {abs(departure):g} SD {way}",
                        reported.estimate + shift,
                        reported.lower + shift,
                        reported.upper + shift,
                    )
                )
    return rows


def _without_missing_covariates(trial: Trial) -> tuple[int, TrialLike]:
    """How many have all covariates, in blocks that then hold both arms, and their trial."""
    data = trial.enrolled_data
    if data.missing is not None or trial.period is not None or trial.crossed:
        rows = np.flatnonzero(trial.counted_frame.notna().all(axis=1).to_numpy()[data.rows])
        blocks = None if data.blocks is None else data.blocks[rows]
        rows = rows[has_counterfactual(data.treatment[rows], blocks)]
        return len(rows), data.take(rows)
    rows = np.flatnonzero(trial.frame.notna().all(axis=1))
    blocks = None if trial.blocks is None else trial.blocks[rows]
    rows = rows[has_counterfactual(trial.treatment[rows], blocks)]
    return len(rows), tuple(None if part is None else np.asarray(part)[rows] for part in trial)


def _average_of(trial: TrialLike, primary: str, level: float) -> tuple[float, float, float] | None:
    """The primary average effect; None where the rows make no trial."""
    try:
        found = getattr(average_effects(trial, level=level), primary)
    except (ValueError, np.linalg.LinAlgError):
        return None
    return found.estimate, found.lower, found.upper


def _share_lost(trial: Trial, arm: int, primary: str) -> float:
    """Share of an arm's persons who have no outcome, in blocks that hold both arms.

    For the cluster-average the mean of the clusters' shares: each counts the same.
    """
    enrolled = (trial.enrolled_treatment == arm) & trial.enrolled_has_counterfactual
    lost = (~trial.has_outcome)[enrolled]
    if primary == "cluster" and len(lost):
        _, unit = np.unique(trial.enrolled_randomization.unit[enrolled], return_inverse=True)
        return float((np.bincount(unit, weights=lost) / np.bincount(unit)).mean())
    return float(lost.sum() / max(len(lost), 1))


def _tipping_point(
    trial: Trial, average: AverageEffects, primary: str, notes: list[str]
) -> float | None:
    lost = _share_lost(trial, 1, primary)
    reported: Estimate = getattr(average, primary)
    lower, upper = reported.lower, reported.upper
    if lost == 0 or lower <= 0 <= upper:
        return None
    nearest = lower if lower > 0 else upper
    if abs(nearest) / lost > trial.endpoint.largest_effect:
        notes.append(
            "Whatever the outcomes of those lost from the treated arm were, the interval of the "
            "average effect would not reach zero, with those lost from the control arm like "
            "similar persons with an outcome."
        )
        return None
    return None if hides_lost(trial) else -nearest / lost
