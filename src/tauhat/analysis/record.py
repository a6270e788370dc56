"""``run.json``: every number of an analysis, without a value of a single person."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tauhat.analysis.average_record import average_record, rates_record, risks_record
from tauhat.analysis.group_counts import hide_groups
from tauhat.analysis.held_out import held_out_record
from tauhat.analysis.missing_record import missing_record, straight_models
from tauhat.analysis.models_schema import ExplainedMember
from tauhat.analysis.named import named_record
from tauhat.analysis.period_record import period_record
from tauhat.analysis.run_schema import SCHEMA
from tauhat.analysis.target_groups import target_record
from tauhat.endpoint import effective_size
from tauhat.ensembles.explanation import Explanation
from tauhat.inference.effect_over_horizons import effect_over_horizons
from tauhat.inference.survival_by_arm import survival_by_arm
from tauhat.inference.survival_of_groups import survival_of_groups
from tauhat.report.grouping import covariate_groups
from tauhat.trial.checks.cluster_checks import too_few_clusters_for
from tauhat.trial.checks.file_checks import file_record
from tauhat.trial.checks.level_checks import crossed_shares, level_shares
from tauhat.trial.hidden_counts import hides_all_lost, hides_lost
from tauhat.trial.incomplete_blocks import named_blocks
from tauhat.trial.used_covariates import used_covariates

if TYPE_CHECKING:
    from tauhat.analysis.parts import AnalysisParts
    from tauhat.analysis.relative_effects import RelativeEffects
    from tauhat.analysis.sensitivity import Sensitivity
    from tauhat.inference.heterogeneity_result import HeterogeneityTest
    from tauhat.trial.checks.design_check import DesignCheck
    from tauhat.trial.trial import Trial

QUANTILES = ("0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95")


def plain(value: Any) -> Any:
    """A value as JSON can hold it: numbers that are not finite become null.

    Examples
    --------
    >>> plain({"a": np.float64(1.5), "b": [np.nan, np.int64(2)], "c": np.bool_(True)})
    {'a': 1.5, 'b': [None, 2], 'c': True}
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as JSON can hold them."""
    return [plain(row) for row in table.to_dict(orient="records")]


def design_record(trial: Trial, icc: float | None) -> dict[str, Any]:
    """The design with its counts of those who take part in fits, averages and tests."""
    compared, arms = trial.has_counterfactual, {}
    lost = np.bincount(trial.enrolled_treatment[~trial.has_outcome], minlength=2)
    all_hidden = hides_all_lost(trial)
    design = trial.randomization.take(compared)
    for arm, name in enumerate(("control", "treated")):
        rows = trial.treatment[compared] == arm
        arms[name] = {
            "label": str(trial.arm_labels[arm]),
            "n": int(rows.sum()),
            "clusters": int(design.clusters_by_arm[arm]) if design.holds_persons else None,
            # With the total one arm's number gives the other's.
            "n_missing_outcome": None if hides_lost(trial) else int(lost[arm]),
        }
    sizes = None
    if design.holds_persons:
        counts = np.bincount(design.unit)
        # Clusters in one arm only. Over periods `design.arm` numbers sequences, not arms.
        if design.n_clusters < design.n_units:
            counts = counts[design.clusters_by_arm[design.arm] > 0]
        sizes = {
            "min": int(counts.min()),
            "median": float(np.median(counts)),
            "max": int(counts.max()),
            "cv": float(counts.std(ddof=1) / counts.mean()),
        }
    return {
        "type": "participant" if trial.units_are_participants else trial.design,
        "n": int(compared.sum()),
        "n_rows": trial.n_rows,
        "n_counted": None if all_hidden else trial.enrolled_data.n,
        "n_missing_outcome": None if all_hidden else trial.n_missing_outcome,
        "n_excluded": None if all_hidden else trial.n_excluded,
        "incomplete_blocks": incomplete_record(trial),
        "clusters": design.n_clusters if design.holds_persons else None,
        "cluster_size": sizes,
        "levels": [
            {"column": share.name, "units": share.units, "icc": share.icc}
            for share in level_shares(trial)
        ],
        "crossed": [
            {"column": share.name, "units": share.units, "icc": share.icc}
            for share in crossed_shares(trial)
        ],
        "arms": arms,
        "icc": icc,
        "blocks": None if trial.blocks is None else len(pd.unique(trial.blocks[compared])),
        "covariates": used_covariates(trial),
        "cluster_covariates": used_covariates(trial, trial.cluster_level_names),
        "too_few_clusters_for": too_few_clusters_for(trial),
        "propensity_given": trial.propensity is not None,
    }


def endpoint_record(trial: Trial) -> dict[str, Any]:
    """What kind of outcome it is, what follows for effects on it, and how persons are weighed."""
    weight = trial.sample_weight
    compared = trial.has_counterfactual
    return {
        **trial.endpoint.record(),
        "weight": trial.roles.get("weight"),
        "effective_n": None if weight is None else effective_size(weight[compared]),
    }


def incomplete_record(trial: Trial) -> dict[str, Any] | None:
    """How many blocks hold one arm only, and who is in them; None without such blocks."""
    table = trial.incomplete_blocks
    if table.empty:
        return None
    return {
        "blocks": len(table),
        "persons": trial.n_without_counterfactual,
        "units": int(table["units"].sum()),
        "named": named_blocks(table),
    }


def agreement_record(agreement: pd.DataFrame | None) -> dict[str, Any] | None:
    """The Kendall matrix and its mean off the diagonal."""
    if agreement is None:
        return None
    matrix = agreement.to_numpy(dtype=np.float64)
    off_diagonal = matrix[~np.eye(len(matrix), dtype=bool)]
    return {
        "models": [str(name) for name in agreement.columns],
        "kendall": matrix.tolist(),
        "mean": float(off_diagonal.mean()),
    }


def effects_record(effects: pd.DataFrame) -> dict[str, Any]:
    """How the estimated effects are spread."""
    values = effects["effect"].to_numpy(dtype=np.float64)
    lower, upper = (effects[name].to_numpy(dtype=np.float64) for name in ("lower", "upper"))
    return {
        "mean": float(values.mean()),
        "sd": float(values.std()),
        "mean_interval_width": float((upper - lower).mean()),
        "share_interval_excludes_zero": float(((lower > 0) | (upper < 0)).mean()),
        "quantiles": {q: float(np.quantile(values, float(q))) for q in QUANTILES},
    }


def modifier_records(analysis: AnalysisParts) -> list[dict[str, Any]]:
    """Covariates, strongest first, with the groups in which the mean effect is extreme."""
    trial, effects, compared = analysis.trial, analysis.effects, analysis.trial.has_counterfactual
    effect = effects["effect"].to_numpy(dtype=np.float64)[compared]
    found = []
    for row in records(analysis.modifiers.table):
        name = row["covariate"]
        groups = covariate_groups(analysis.frame.loc[compared, name], effect)
        row["measured_on"] = "cluster" if name in trial.cluster_level_names else "person"
        for end, which in (("lowest", np.argmin), ("highest", np.argmax)):
            at = None if groups is None else int(which(groups.effect))
            row[f"{end}_label"] = None if groups is None or at is None else groups.labels[at]
            row[f"{end}_effect"] = None if groups is None else float(groups.effect[at])
        found.append(row)
    return found


def explanation_record(explanation: Explanation | None) -> dict[str, Any] | None:
    """Sentences on an ensemble's weights, and one row per member."""
    if explanation is None:
        return None
    table = explanation.table.reset_index()
    named = table.rename(columns=lambda name: str(name).replace(" ", "_"))
    return {
        "text": explanation.text,
        "warning": explanation.warning or None,
        # What one way of weighing does not have is missing.
        "members": records(named.reindex(columns=list(ExplainedMember.__annotations__))),
    }


def sensitivity_record(found: Sensitivity) -> dict[str, Any]:
    """What changes when something is left out or drawn anew."""
    return {
        "members": records(found.members),
        "splits": records(found.splits),
        "averages": records(found.averages),
        "p_value_range": found.p_value_range,
        "without_one_cluster": found.without_one,
        "tipping_point": found.tipping_point,
        "notes": list(found.notes),
    }


def survival_record(analysis: AnalysisParts) -> dict[str, Any] | None:
    """Curves of a time to an event, and effects over horizons; None for other outcomes."""
    trial, level, held_out = analysis.trial, analysis.interval.level, analysis.held_out
    if trial.endpoint.follow_up is None:
        return None
    groups = (
        []
        if isinstance(held_out, str)
        else survival_of_groups(held_out.fit).record(trial.arm_labels)
    )
    over = records(effect_over_horizons(trial, level=level).table)
    return {
        **survival_by_arm(trial, level=level).record(),
        "groups": groups,
        "over_horizons": over,
    }


def finding_records(check: DesignCheck) -> list[dict[str, Any]]:
    """Errors, warnings and notes of the design check, in this order, each once."""
    return [
        {
            "code": found.code,
            "grade": found.status,
            "item": found.item,
            "value": found.value,
            "sentence": found.sentence,
            "accepted": found.accepted,
        }
        for found in check.graded
    ]


def check_record(check: DesignCheck, notes: Sequence[str] = ()) -> dict[str, Any]:
    """The design check, with what else was decided on the way and is not said by it."""
    told = check.notes
    # Who was left out is counted by the check, and what the encoder did is in it.
    more = [
        note
        for note in notes
        if not note.endswith("left out.") and not any(said.startswith(note) for said in told)
    ]
    return {
        "passed": check.passed,
        "failures": check.failures,
        "warnings": check.warnings,
        "accepted": check.accepted,
        "notes": [*told, *more],
        "findings": finding_records(check),
    }


def test_record(test: HeterogeneityTest) -> dict[str, Any]:
    """A test of an effect that is the same for everyone."""
    return {
        "tested": test.tested,
        "statistic": test.statistic,
        "p_value": test.p_value,
        "method": test.method,
        "text": test.text,
        "parts": dict(zip(test.table["component"], test.table["p_value"], strict=True)),
        "exact": test.exact,
        "notes": list(test.notes),
    }


def relative_record(
    relative: RelativeEffects | None, risks: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Whether the odds ratio differs, and effects by risk; None where nothing is an event.

    Risks that a model fitted add up to the number of events, so that few are not told by them.
    """
    if relative is None or risks is None:
        return None
    by_risk = [] if _few_events(risks) else records(relative.by_risk)
    return {"test": test_record(relative.test), "by_risk": by_risk}


def _few_events(risks: dict[str, Any]) -> bool:
    return any(arm["events"] is None for arm in risks["arms"])


def run_record(analysis: AnalysisParts) -> dict[str, Any]:
    """Everything about an analysis but its rows."""
    made, average, test = analysis.provenance, analysis.average_effects, analysis.heterogeneity
    risks = risks_record(analysis.trial, average)
    rates = rates_record(analysis.trial, average)
    effects = average_record(average, made.plan)
    if rates is not None and rates["individual"]["ratio"] is None:
        effects["ratio"] = None
    record = {
        "schema": SCHEMA,
        "versions": dict(made.versions),
        "seed": made.seed,
        "command": made.command,
        "rerun": analysis.rerun,
        "plan": None if made.plan is None else made.plan.record,
        "finished": made.finished,
        "seconds": dict(made.seconds),
        "data": {
            "file": made.source,
            "sha256": made.data_sha256,
            "read": file_record(analysis.trial),
        },
        "data_sha256": made.data_sha256,
        "synthetic": analysis.synthetic,
        "roles": {**analysis.trial.roles},
        "endpoint": endpoint_record(analysis.trial),
        "design": design_record(
            analysis.trial, None if analysis.check.icc is None else analysis.check.icc.value
        ),
        "check": check_record(analysis.check, analysis.trial.notes),
        "missing_outcomes": missing_record(
            analysis.trial,
            analysis.check,
            straight_models(analysis.models["name"].tolist(), analysis.model.trial_data_),
        ),
        "survival_by_arm": survival_record(analysis),
        "average_effect": effects,
        "over_periods": period_record(analysis),
        "average_risks": risks,
        "average_rates": rates,
        "target": target_record(
            analysis.target_effects, analysis.target_groups, analysis.target_named
        ),
        "heterogeneity_test": test_record(test),
        "relative_effect": relative_record(analysis.relative, risks),
        "named_modifiers": named_record(
            analysis.named_modifiers, of_persons=not analysis.trial.randomization.holds_persons
        ),
        "better": analysis.better,
        "relevance": None if analysis.relevance is None else analysis.relevance.record(),
        "modifiers": modifier_records(analysis),
        "held_out": held_out_record(analysis.held_out),
        "reported_model": {
            "name": analysis.reported_model,
            "text": analysis.reported_text,
            "explanation": explanation_record(analysis.explanation),
        },
        "models": records(analysis.models),
        "agreement": agreement_record(analysis.agreement),
        "sensitivity": sensitivity_record(analysis.sensitivity),
        "variance_components": records(analysis.variance_components),
        "interval": {
            "method": analysis.interval.method,
            "level": analysis.interval.level,
        },
        "effects": {
            **effects_record(analysis.effects[analysis.trial.has_counterfactual]),
            "n_cut": analysis.n_cut,
        },
    }
    result: dict[str, Any] = plain(record)
    if result["held_out"]["given"] and risks is not None and _few_events(risks):
        # One arm's events and the average effect would tell those of the other.
        result["held_out"]["calibration"]["risks"] = []
    hide_groups([result], lost=hides_lost(analysis.trial))
    return result
