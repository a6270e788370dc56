"""What `Robust` learned from simulated trials: weights, shrinkage, widths, by clues of a trial."""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from tauhat._typing import FloatArray
from tauhat.ensembles.distance import distances, told
from tauhat.numerics.effect_evidence import EffectEvidence

#: Clues by name, and the hypotheses about the shape of the effect whose probabilities they add up.
SHAPES_OF_CLUES: Mapping[str, tuple[str, ...]] = {
    "straight lines": ("linear",),
    "curves": ("additive",),
    "trees": ("trees", "all"),
}


def shape_clues(evidence: EffectEvidence) -> dict[str, float]:
    """Posterior probability of each shape, given that the effect varies, by the clue's name.

    What is left over speaks for products.

    Examples
    --------
    >>> shape_clues(EffectEvidence(3.0, {"linear": 0.7, "trees": 0.1, "all": 0.1}))
    {'straight lines': 0.7, 'curves': 0.0, 'trees': 0.2}
    """
    return {
        clue: round(sum(evidence.shapes.get(shape, 0.0) for shape in shapes), 12)
        for clue, shapes in SHAPES_OF_CLUES.items()
    }


@dataclass(frozen=True, eq=False)
class LearnedRule:
    r"""From clues to weights, shrinkage and interval width.

    .. math::
        w_k \propto \exp\{a_k + \textstyle\sum_c b_{kc} (z_c - \bar z_c)\}, \qquad
        v_k \propto \exp(d_k), \qquad
        s = \{1 + \exp(-\alpha - \beta \log B)\}^{-1}

    Attributes
    ----------
    members
        Names of the members.
    clues
        Names of the clues z.
    typical
        Their means over the trials that it was learned from.
    weight
        :math:`a_k` and :math:`b_{kc}` of each member, shape (k, 1 + clues).
    level
        :math:`d_k`: how much the member's mean effect counts, shape (k,).
    shrinkage
        :math:`\alpha` and :math:`\beta`.
    width
        Factor of the intervals' half width where the outcomes do not speak for an effect that
        varies (:math:`\log B \le 0`), and where they clearly do (:math:`\log B \ge 5`).
    seen
        Smallest and largest of each respect (`tauhat.ensembles.distance.respects_of`) in the
        trials that it was learned from, by name.
    trials
        Number of these trials.
    """

    members: tuple[str, ...]
    clues: tuple[str, ...]
    typical: FloatArray
    weight: FloatArray
    level: FloatArray
    shrinkage: tuple[float, float]
    width: tuple[float, float]
    seen: Mapping[str, tuple[float, float]]
    trials: int

    def weights(self, names: Sequence[str], clues: Mapping[str, float] | None) -> FloatArray:
        """Weights of the fitted members among those of the rule, shape (k,).

        Parameters
        ----------
        names
            Names of the fitted members.
        clues
            Clues by name; None for typical ones.
        """
        values = self.typical
        if clues is not None:
            values = np.array([clues[name] for name in self.clues])
        return _softmax(self.weight[self._rows(names)] @ np.r_[1.0, values - self.typical])

    def level_weights(self, names: Sequence[str]) -> FloatArray:
        """How much the mean effect of each fitted member counts, shape (k,)."""
        return _softmax(self.level[self._rows(names)])

    def _rows(self, names: Sequence[str]) -> list[int]:
        return [self.members.index(name) for name in names]

    def factor(self, log_bayes_factor: float) -> float:
        """Factor s of the estimated heterogeneity, between 0 and 1."""
        intercept, slope = self.shrinkage
        return float(1 / (1 + math.exp(-np.clip(intercept + slope * log_bayes_factor, -40, 40))))

    def interval_scale(self, log_bayes_factor: float) -> float:
        """Factor of the intervals' half width."""
        return float(np.interp(log_bayes_factor, [0.0, 5.0], self.width))

    def unlike(self, respects: Mapping[str, float]) -> list[str]:
        """In which respects a trial lies outside all that the rule was learned from, in words.

        Parameters
        ----------
        respects
            Those of the trial by name (`tauhat.ensembles.distance.respects_of`).

        Returns
        -------
        list of str
        """
        return [
            told(name, respects[name], self.seen[name]) for name in distances(respects, self.seen)
        ]

    def distance(self, respects: Mapping[str, float]) -> float:
        """Largest of the trial's `tauhat.ensembles.distance.distances`; 0 for one like those."""
        return max(distances(respects, self.seen).values(), default=0.0)


def _softmax(scores: FloatArray) -> FloatArray:
    raised: FloatArray = np.exp(scores - scores.max())
    raised /= raised.sum()
    return raised


def _text() -> str:
    return files("tauhat.ensembles").joinpath("robust_rule.toml").read_text(encoding="utf-8")


def rule_mark() -> str:
    """First twelve digits of the SHA-256 of the rule.

    Examples
    --------
    >>> len(rule_mark())
    12
    """
    return hashlib.sha256(_text().encode()).hexdigest()[:12]


@cache
def learned_rule() -> LearnedRule:
    """The rule of cluster trials.

    Returns
    -------
    LearnedRule
        From the package's file, which `python benchmarks/train_robust.py` writes.

    Examples
    --------
    >>> rule = learned_rule()
    >>> weights = rule.weights(rule.members, None)
    >>> round(float(weights.sum()), 6), "BRM" in rule.members
    (1.0, True)
    """
    found = tomllib.loads(_text())
    members = tuple(found["weight"])
    return LearnedRule(
        members=members,
        clues=tuple(found["clues"]),
        typical=np.array(list(found["clues"].values())),
        weight=np.array([found["weight"][name] for name in members]),
        level=np.array([found["level"][name] for name in members]),
        shrinkage=(found["shrinkage"]["intercept"], found["shrinkage"]["slope"]),
        width=(found["width"]["no_evidence"], found["width"]["clear_evidence"]),
        seen={name: (low, high) for name, (low, high) in found["seen"].items()},
        trials=found["trials"],
    )
