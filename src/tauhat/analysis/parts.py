"""The parts of an analysis."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tauhat.analysis.held_out import HeldOutEffects
from tauhat.analysis.named import Relevance
from tauhat.analysis.relative_effects import RelativeEffects
from tauhat.analysis.sensitivity import Sensitivity
from tauhat.ensembles.explanation import Explanation
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.averages import AverageEffects
from tauhat.inference.cluster_intercepts import ClusterIntercepts
from tauhat.inference.heterogeneity import HeterogeneityTest
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
    """What `analyze` found, part by part; tables are pandas DataFrames.

    Attributes
    ----------
    trial
        The trial.
    check
        The design check.
    average_effects
        Individual-average and cluster-average effect.
    heterogeneity
        The primary test of the hypothesis that the effect is the same for everyone.
    relative
        Where the outcome is an event, whether the odds ratio differs, and effects by the risk
        without treatment; else None.
    named_modifiers
        Interactions with the modifiers and subgroups that were named
        (`tauhat.interaction_effects`); None without any.
    better
        "higher" or "lower": which outcome is better; None if nobody said.
    relevance
        Who is expected to gain at least ``mcid``; None if that was not given.
    modifiers
        Covariates by how much the estimated effect varies with them.
    frame
        Covariates of the analysed persons before encoding, with values far outside
        their column as the models read them.
    effects
        One row per person with an outcome: ``row`` (its number in the input table, the
        first data row being 1), ``effect``, ``lower``, ``upper``, and the id
        column if the trial has one. Persons in blocks with one arm only have their
        effects here, and count in nothing else.
    models
        One row a model; see `tauhat.analysis.models.models_table`.
    agreement
        Kendall's tau-b between the models' effects, or None with one model.
    variance_components
        Of the models that have a random cluster intercept.
    interval
        How ``lower`` and ``upper`` were made.
    model
        The fitted estimator whose effects are reported.
    reported_model, reported_text
        Its name, and what it made of its members.
    explanation
        Weights that were given and earned, from ensembles that explain
        themselves; None for others.
    held_out
        What held-out effects say of groups, subgroups and calibration, or the
        reason why it was not estimated.
    sensitivity
        How far the results depend on a member, the seed, a cluster and missing data.
    clusters
        Predicted intercepts of the clusters; None when persons were randomized.
    member_effects
        Effects of the single models, one column each, in the rows of ``effects``.
    n_cut
        Persons whose estimate was larger than an outcome with two values allows
        and was cut (`tauhat.CateEstimator.bounded`).
    rerun
        What to type to make the same numbers again.
    provenance
        Versions, seed, fingerprint of the data, times.
    synthetic
        What to say about data that were made up, or None.
    target_effects
        Average effect for another population, or None where none was given.
    """

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
