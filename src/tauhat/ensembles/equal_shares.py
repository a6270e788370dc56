"""How `Robust` weighs the members for an event: equally."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.ensembles.strategy import ShrunkWeights, Strategy
from tauhat.ensembles.weighing import Weights, by_name
from tauhat.numerics.effect_evidence import EffectEvidence


@dataclass(frozen=True)
class EqualShares(Strategy):
    r"""A strategy: the plain mean of the members, :math:`\hat\tau(x) = K^{-1}\sum_k \hat\tau_k(x)`.

    All of the weight is given, whatever share the user asks for: in trials with an event for
    an outcome no weighing beat the mean of members of which each is wrong in another way, and
    their interactions are shrunk already.
    """

    def weights(
        self,
        effects: Mapping[str, FloatArray],
        data: TrialData,
        held_out: OutOfFold | None,
        evidence: EffectEvidence | None,
    ) -> ShrunkWeights:
        """The same weight for all, and nothing shrunk."""
        named = by_name(list(effects), np.full(len(effects), 1 / len(effects)))
        mean = Weights(named).combined(effects)
        level = float(np.average(mean, weights=data.sample_weight))
        return ShrunkWeights(named, level=level)
