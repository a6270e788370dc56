"""What an aggregation makes of the members: weights, and how effects are combined by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tauhat._typing import FloatArray
from tauhat.errors import TrialError


@dataclass(frozen=True, eq=False)
class Weights:
    r"""Weights of the members and a constant, :math:`\hat c + \sum_k \hat w_k\, \hat\tau_k(x)`.

    Attributes
    ----------
    shares
        Weight by name of the member; 0 for one that is not kept.
    intercept
        c, in units of the outcome; 0 for aggregations without it.
    scores
        What the aggregation judged each member by, by name: the out-of-fold loss over
        the residual variance (Q-aggregation, exponential weights) or the mean
        Kendall correlation with the others (consensus); empty for other aggregations.
    """

    shares: Mapping[str, float]
    intercept: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def kept(self) -> list[str]:
        """Names of the members with weight."""
        return [name for name, share in self.shares.items() if share != 0]

    @property
    def counted(self) -> list[str]:
        """Names of the members whose effects `combined` needs: one of them at least.

        Where no member has any weight, as least squares may have it, the estimate is the
        constant of the aggregation for everybody, and the effects only say for how many persons.
        """
        return self.kept or list(self.shares)[:1]

    def combined(self, effects: Mapping[str, FloatArray]) -> FloatArray:
        """Effect of some persons, given the members' effects on them by name, shape (k,)."""
        total = np.zeros(len(next(iter(effects.values()))))
        for name in self.kept:
            total += self.shares[name] * effects[name]
        return self.intercept + total


@dataclass(frozen=True, eq=False)
class RankWeights(Weights):
    """Weights of ranks: the members' effects are put in order anew for every person.

    Attributes
    ----------
    ranks
        Weight of each rank among the ordered effects, lowest first, shape (k,).
    """

    ranks: FloatArray = field(kw_only=True)

    @property
    def counted(self) -> list[str]:
        """Names of all members: each has a rank, whatever its weight."""
        return list(self.shares)

    def combined(self, effects: Mapping[str, FloatArray]) -> FloatArray:
        """Effect of some persons, given the members' effects on them by name, shape (k,)."""
        ordered = np.sort(np.column_stack([effects[name] for name in self.shares]), axis=1)
        effect: FloatArray = ordered @ self.ranks
        return effect


def by_name(names: Sequence[str], values: FloatArray) -> dict[str, float]:
    """Values of an array by the names of the members.

    Examples
    --------
    >>> by_name(["GAMM", "LMM"], np.array([0.25, 0.75]))
    {'GAMM': 0.25, 'LMM': 0.75}
    """
    return dict(zip(names, values.tolist(), strict=True))


def prior_weights(prior: Mapping[str, float] | None, names: Sequence[str]) -> FloatArray:
    """Prior weights that sum to one, equal where there is no prior.

    Parameters
    ----------
    prior
        Positive weight by name of a member, or None; members that could not be
        fitted are passed over.
    names
        Names of the fitted members.

    Returns
    -------
    ndarray, shape (k,)

    Raises
    ------
    TrialError
        If a member has no weight or one that is not positive.

    Examples
    --------
    >>> prior_weights({"LMM": 3, "GAMM": 1}, ["GAMM", "LMM"]).tolist()
    [0.25, 0.75]
    """
    if prior is None:
        return np.full(len(names), 1.0 / len(names))
    lacking = [name for name in names if not prior.get(name, 0.0) > 0]
    if lacking:
        raise TrialError(f"prior needs a positive weight for every member; see {lacking}")
    weights = np.array([float(prior[name]) for name in names])
    shares: FloatArray = weights / weights.sum()
    return shares
