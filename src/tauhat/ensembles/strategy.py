"""How `Robust` weighs its members: what every strategy is asked, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.ensembles.weighing import Weights
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.numerics.effect_evidence import EffectEvidence, effect_evidence
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.seeds import derive_seed


@dataclass(frozen=True, eq=False)
class ShrunkWeights(Weights):
    r"""Weights of the members, and a heterogeneity that is shrunk.

    .. math:: \hat\tau(x) = \bar\tau + s\,\{\tilde\tau(x) - \bar\tau\}, \qquad
        \tilde\tau(x) = \sum_k w_k\, \hat\tau_k(x)

    Attributes
    ----------
    shrinkage
        s, between 0 and 1.
    level
        Mean effect over the persons of the trial.
    interval_scale
        Factor of the intervals' half width; other than 1 where it was learned.
    """

    shrinkage: float = 1.0
    level: float = 0.0
    interval_scale: float = 1.0

    def combined(self, effects: Mapping[str, FloatArray]) -> FloatArray:
        """Effect of some persons, given the members' effects on them by name, shape (k,)."""
        return self.level + self.shrinkage * (super().combined(effects) - self.level)


@dataclass(frozen=True)
class Strategy(ABC):
    """How `Robust` weighs its members in one kind of trial.

    Attributes
    ----------
    given_share
        Share of the weight that is given.
    given
        Names to which it goes; all members if none of these was fitted.
    """

    given_share: float
    given: tuple[str, ...] = ()

    #: Whether members are weighed by their effects on rows that they did not see.
    out_of_fold: ClassVar[bool] = False
    #: Whether what the outcomes say about the effect's shape counts.
    by_evidence: ClassVar[bool] = False
    #: Whether earned weights are the mean over reweightings of the units, drawn with the seed.
    averages_draws: ClassVar[bool] = False

    def nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Outcome regressions beside those on the folds."""
        return ()

    def completed(
        self, held_out: OutOfFold, data: TrialData, nuisances: Mapping[str, NuisanceFit]
    ) -> OutOfFold:
        """What members say of rows they did not see, and whatever else `weights` needs."""
        return held_out

    def evidence(
        self, effects: Mapping[str, FloatArray], data: TrialData, seed: int
    ) -> EffectEvidence:
        """What the outcomes say about the effect's shape, given the members' effects on the rows.

        Parameters
        ----------
        effects, data
            As in `weights`.
        seed
            Seed of the ensemble.
        """
        return evidence_of(data, seed)

    @abstractmethod
    def weights(
        self,
        effects: Mapping[str, FloatArray],
        data: TrialData,
        held_out: OutOfFold | None,
        evidence: EffectEvidence | None,
    ) -> ShrunkWeights:
        """Weight of every member, and how far their heterogeneity is believed.

        Parameters
        ----------
        effects
            Members' effects on the training rows by name, each of shape (n,).
        data
            The trial.
        held_out
            What members say of rows that they did not see; None unless `out_of_fold`.
        evidence
            What the outcomes say about the effect's shape; None unless `by_evidence`.

        Returns
        -------
        ShrunkWeights
        """


def evidence_of(data: TrialData, seed: int, told: FloatArray | float = 0.0) -> EffectEvidence:
    """What the outcomes of a trial say about the shape of the effect.

    Parameters
    ----------
    data
        The trial as its learners see it.
    seed
        Seed of the ensemble.
    told
        Effects on the rows, shape (n,): the evidence is about what the effect is beyond these.
    """
    intercepts = data.design.intercepts()
    contrast = data.treatment - data.propensity
    return effect_evidence(
        data.X,
        data.working_with_blocks - contrast * told,
        contrast,
        identified_clusters(intercepts.groups),
        data.sample_weight,
        derive_seed(seed, "evidence"),
        intercepts.nesting,
    )
