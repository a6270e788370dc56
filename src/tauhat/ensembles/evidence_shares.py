"""How `Robust` weighs members for a restricted mean time: by what a model of hazards missed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.ensembles.strategy import ShrunkWeights, Strategy, evidence_of
from tauhat.ensembles.weighing import Weights, by_name
from tauhat.numerics.effect_evidence import EffectEvidence
from tauhat.numerics.slope_prior import posterior_probability


@dataclass(frozen=True, eq=False)
class EvidenceWeights(ShrunkWeights):
    """Weights by whether the effect varies in a way that members with given weight have missed.

    Attributes
    ----------
    varies
        Posterior probability that it does.
    """

    varies: float = 1.0


@dataclass(frozen=True)
class EvidenceShares(Strategy):
    r"""A strategy: members that outcomes must speak against before others are heard.

    .. math:: \hat\tau(x) = (1 - w)\,\hat\tau_C(x) + w\,\frac1K \sum_{k} \hat\tau_k(x), \qquad
        \hat\tau_C(x) = \frac{1}{|C|}\sum_{k \in C} \hat\tau_k(x)

    with the members C to which weight is given, all K members, and the posterior probability w
    that the effect varies beyond :math:`\hat\tau_C`, when that is as likely beforehand as not: the
    evidence (`tauhat.numerics.effect_evidence.effect_evidence`) is that of the outcome less
    :math:`(A - \pi)\,\hat\tau_C(x)`. Members that let anything vary are nearer to the truth where
    :math:`\hat\tau_C` has missed something, and invent variation where it has not; what is made of
    censored times is noisy enough for that to matter more than it does for other numbers.
    """

    by_evidence: ClassVar[bool] = True

    def evidence(
        self, effects: Mapping[str, FloatArray], data: TrialData, seed: int
    ) -> EffectEvidence:
        """What the outcomes say about the effect beyond that of the members with given weight."""
        told = [effect for name, effect in effects.items() if name in self.given]
        return evidence_of(data, seed, np.mean(told, axis=0) if told else 0.0)

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
        given = np.array([name in self.given for name in names])
        if not given.any():
            given[:] = True
        varies = posterior_probability(evidence.log_bayes_factor, null_mass=0.5)
        shares = by_name(names, (1 - varies) * given / given.sum() + varies / len(names))
        mean = Weights(shares).combined(effects)
        level = float(np.average(mean, weights=data.sample_weight))
        return EvidenceWeights(shares, level=level, varies=varies)
