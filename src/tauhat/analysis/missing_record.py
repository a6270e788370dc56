"""What missing outcomes look like, as ``run.json`` holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tauhat.data import TrialData
from tauhat.disclosure import is_small
from tauhat.fitting.prognosis_curvature import has_curvature
from tauhat.registry import estimator
from tauhat.trial.checks.design_check import DesignCheck
from tauhat.trial.hidden_counts import hides_all_lost, hides_lost
from tauhat.trial.trial import Trial

_MOST_PREDICTORS = 20


def straight_models(names: Sequence[str], data: TrialData) -> list[str]:
    """Models that did not see the curvature of the prognosis, or a part of which did not.

    Parameters
    ----------
    names
        Names of models.
    data
        The trial as they saw it.
    """
    return [name for name in names if has_curvature(data) and estimator(name).has_straight_part]


def missing_record(
    trial: Trial, check: DesignCheck, straight: Sequence[str] = ()
) -> dict[str, Any] | None:
    """Who lacks an outcome, without a number about few persons; None where nobody does.

    Parameters
    ----------
    trial, check
        The trial, and its check.
    straight
        Models that learned without the curvature of the prognosis.
    """
    seen = check.missing_outcomes
    if seen is None:
        return None
    few, all_hidden = hides_lost(trial), hides_all_lost(trial)
    share = check.attrition["share_missing"]
    arms = [str(label) for label in trial.arm_labels]
    clusters = seen.clusters.drop(columns="cluster")
    return {
        "persons": None if all_hidden else seen.persons,
        "lost": None if all_hidden else seen.lost,
        "p_value": None if few else seen.p_value,
        "arms": [
            {
                "arm": label,
                "share_observed": None if few else 1 - float(share.iloc[a]),
                "clusters_lost": None if seen.clusters_lost is None else seen.clusters_lost[a],
            }
            for a, label in enumerate(arms)
        ],
        "clusters": [
            {**row, "arm": arms[int(row["arm"])]}
            # Those of one arm would tell how many it lost.
            | ({"share_observed": None} if few else {})
            for row in clusters.to_dict(orient="records")
        ],
        "blocks_p_value": seen.blocks_p_value,
        "predictors": seen.predictors.head(_MOST_PREDICTORS).to_dict(orient="records"),
        "least_likely": seen.least_likely,
        "floored": None if is_small(seen.floored) else seen.floored,
        "auxiliary": list(trial.auxiliary_names),
        "learned_from": trial.data.n,
        "learned_without_curvature": list(straight),
    }
