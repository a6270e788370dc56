"""How `Robust` weighs its members: by a rule that it learned from simulated trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.distance import FAR, respects_of
from tauhat.ensembles.learned_rule import LearnedRule, learned_rule, shape_clues
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.ensembles.strategy import ShrunkWeights, Strategy
from tauhat.ensembles.weighing import Weights, by_name
from tauhat.numerics.effect_evidence import EffectEvidence


@dataclass(frozen=True, eq=False)
class RuleWeights(ShrunkWeights):
    r"""Weights by a learned rule, a level of its own, and a heterogeneity that is shrunk.

    .. math:: \hat\tau(x) = \sum_k v_k \bar\tau_k
        + s \sum_k w_k \{\hat\tau_k(x) - \bar\tau_k\}

    Attributes
    ----------
    middle
        :math:`\sum_k w_k \bar\tau_k`, while ``level`` is :math:`\sum_k v_k \bar\tau_k`.
    level_shares
        :math:`v_k` by name.
    clues
        Clues of the trial by name.
    typical
        Weights :math:`w_k` with typical clues, by name.
    moved
        For each clue, how much it moved the weight of each member, by name.
    unlike
        In which respects the trial lies outside those that the rule was learned from.
    distance
        How far it lies outside, in doublings (`tauhat.ensembles.distance.distances`).
    trials
        Number of those trials.
    """

    middle: float = 0.0
    level_shares: Mapping[str, float] = field(default_factory=dict)
    clues: Mapping[str, float] = field(default_factory=dict)
    typical: Mapping[str, float] = field(default_factory=dict)
    moved: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    unlike: tuple[str, ...] = ()
    distance: float = 0.0
    trials: int = 0

    @property
    def warning(self) -> str:
        """Sentence about a trial that lies far from those that the rule was learned from."""
        if self.distance < FAR:
            return ""
        return (
            "This trial lies far outside those that the weights, the shrinkage and the widths of "
            f"intervals were learned from: {'; '.join(self.unlike)}. They may not suit it: compare "
            'single models, or RobustEnsemble(weighting="shares").'
        )

    def combined(self, effects: Mapping[str, FloatArray]) -> FloatArray:
        """Effect of some persons, given the members' effects on them by name, shape (k,)."""
        varying = Weights(self.shares).combined(effects) - self.middle
        return self.level + self.shrinkage * varying


@dataclass(frozen=True)
class LearnedWeights(Strategy):
    """A strategy: weights, shrinkage and interval width by the rule of the design."""

    by_evidence: ClassVar[bool] = True

    def weights(
        self,
        effects: Mapping[str, FloatArray],
        data: TrialData,
        held_out: OutOfFold | None,
        evidence: EffectEvidence | None,
    ) -> RuleWeights:
        """Weight of every member, by the rule's clues in the evidence."""
        assert evidence is not None
        rule = learned_rule()
        names = list(effects)
        clues = shape_clues(evidence)
        weights, levels = rule.weights(names, clues), rule.level_weights(names)
        respects = respects_of(data)
        means = np.array([np.average(effects[name], weights=data.sample_weight) for name in names])
        return RuleWeights(
            by_name(names, weights),
            shrinkage=rule.factor(evidence.log_bayes_factor),
            level=float(levels @ means),
            middle=float(weights @ means),
            level_shares=by_name(names, levels),
            clues=clues,
            typical=by_name(names, rule.weights(names, None)),
            moved=_moved(rule, names, clues),
            unlike=tuple(rule.unlike(respects)),
            distance=rule.distance(respects),
            trials=rule.trials,
            interval_scale=rule.interval_scale(evidence.log_bayes_factor),
        )


def _moved(
    rule: LearnedRule, names: list[str], clues: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """What each clue alone did to the weights."""
    usual = dict(zip(rule.clues, rule.typical.tolist(), strict=True))
    before = rule.weights(names, None)
    return {
        clue: by_name(names, rule.weights(names, {**usual, clue: clues[clue]}) - before)
        for clue in rule.clues
    }
