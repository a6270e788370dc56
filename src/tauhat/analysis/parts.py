"""The parts of an analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tauhat.analysis.held_out import HeldOutEffects
from tauhat.analysis.named import Relevance
from tauhat.analysis.relative_effects import RelativeEffects
from tauhat.analysis.sensitivity import Sensitivity
from tauhat.analysis.target_groups import TargetGroups
from tauhat.ensembles.explanation import Explanation
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.averages import AverageEffects
from tauhat.inference.cluster_intercepts import ClusterIntercepts
from tauhat.inference.exposure_time import ExposureEffects
from tauhat.inference.heterogeneity_result import HeterogeneityTest
from tauhat.inference.interaction_effects import InteractionEffects
from tauhat.inference.modifiers import EffectModifiers
from tauhat.runtime.display import Shown
from tauhat.runtime.provenance import Provenance
from tauhat.trial.checks.design_check import DesignCheck
from tauhat.trial.trial import Trial


@dataclass(frozen=True)
class IntervalMethod(Shown):
    """How the intervals of persons' effects were made.

    Attributes
    ----------
    method
        In words.
    level
        Nominal coverage of one person's interval, averaged over persons.
    """

    method: str
    level: float

    @property
    def table(self) -> pd.DataFrame:
        """The method and the level in one row."""
        return pd.DataFrame({"method": [self.method], "level": [self.level]})

    @property
    def text(self) -> str:
        """How the intervals were made, in a sentence."""
        return f"Intervals of persons' effects at {100 * self.level:g} %: {self.method}."


@dataclass(frozen=True)
class AnalysisParts:
    """What `analyze` found, part by part; `tauhat.Analysis` says what each part is."""

    trial: Trial
    check: DesignCheck
    average_effects: AverageEffects
    heterogeneity: HeterogeneityTest
    relative: RelativeEffects | None
    named_modifiers: InteractionEffects | None
    better: str | None
    relevance: Relevance | None
    modifiers: EffectModifiers
    frame: pd.DataFrame
    effects: pd.DataFrame
    models: pd.DataFrame
    agreement: pd.DataFrame | None
    variance_components: pd.DataFrame
    interval: IntervalMethod
    model: CateEstimator
    reported_model: str
    reported_text: str
    explanation: Explanation | None
    held_out: HeldOutEffects | str
    sensitivity: Sensitivity
    clusters: ClusterIntercepts | None
    member_effects: pd.DataFrame
    n_cut: int
    rerun: str
    provenance: Provenance
    synthetic: str | None = None
    target_effects: AverageEffects | None = None
    target_groups: TargetGroups | None = None
    target_named: pd.DataFrame | None = None
    exposure: ExposureEffects | None = None


def effects_table(trial: Trial, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Effects of persons: ``row``, the columns, and the id column if the trial has one.

    Parameters
    ----------
    trial
        The trial.
    columns
        What stands beside each row, by name: an array of shape (n,), or what all share.
    """
    table = pd.DataFrame({"row": trial.rows + 1, **columns})
    if trial.id is not None:
        name = trial.roles["id"]
        # A column of the data may bear the name of one of ours.
        name = f"id: {name}" if name in table.columns else name
        ids: pd.Series[Any] = pd.Series(trial.id)
        if pd.api.types.is_float_dtype(ids.dtype) and (ids.dropna() % 1 == 0).all():
            ids = ids.astype("Int64")
        table[name] = ids
    return table
