"""How `Robust` weighs members for a restricted mean time: by whether the effect varies at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.ensembles.strategy import ShrunkWeights, Strategy
from tauhat.ensembles.weighing import Weights, by_name
from tauhat.numerics.effect_evidence import EffectEvidence
from tauhat.numerics.slope_prior import posterior_probability


@dataclass(frozen=True, eq=False)
class EvidenceWeights(ShrunkWeights):
    """Weights by whether the effect varies.

    Attributes
    ----------
    varies
        Posterior probability that it does.
    """

    varies: float = 1.0


@dataclass(frozen=True)
class EvidenceShares(Strategy):
    r"""A strategy: calm members, and others as far as the outcomes speak for an effect that varies.

    .. math:: \hat\tau(x) = (1 - w)\,\frac{1}{|C|}\sum_{k \in C} \hat\tau_k(x)
        + w\,\frac1K \sum_{k} \hat\tau_k(x)

    with the members C to which weight is given, all K members, and the posterior probability w
    of an effect that varies, when it is as likely beforehand as one that does not
    (`tauhat.numerics.effect_evidence.effect_evidence`). Members that let anything vary are nearer
    to the truth where effects vary, and invent variation where they do not; what is made of
    censored times is noisy enough for that to matter more than it does for other numbers.
    """

    by_evidence: ClassVar[bool] = True

    def weights(
        self,
        effects: Mapping[str, FloatArray],
        data: TrialData,
        held_out: OutOfFold | None,
        evidence: EffectEvidence | None,
    ) -> EvidenceWeights:
        """Weight of every member, by the evidence."""
        assert evidence is not None
        names = list(effects)
        calm = np.array([name in self.given for name in names])
        if not calm.any():
            calm[:] = True
        varies = posterior_probability(evidence.log_bayes_factor, null_mass=0.5)
        shares = by_name(names, (1 - varies) * calm / calm.sum() + varies / len(names))
        mean = Weights(shares).combined(effects)
        level = float(np.average(mean, weights=data.sample_weight))
        return EvidenceWeights(shares, level=level, varies=varies)
