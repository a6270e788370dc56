"""The plain mean of members; those for the effects on an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.ensemble import Ensemble
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.learners.catalog import ensemble_member

# Of both links, with and without odds ratios that differ, and trees; BRM, which lets almost
# anything vary, made the average worse (benchmarks/binary_outcomes.py).
_OF_EVENTS = ("GAMM", "LMM", "Risk", "GAMM-identity")
#: Members by whether clusters are randomized.
EVENT_MEMBERS: dict[bool, tuple[str, ...]] = {
    False: (*_OF_EVENTS, "BCF"),
    True: (*_OF_EVENTS, "BCF-RE"),
}


def event_members(clustered: bool) -> list[tuple[str, CateEstimator]]:
    """Members for the effects on an event, unfitted, in the order of their names.

    Parameters
    ----------
    clustered
        Whether clusters are randomized.

    Examples
    --------
    >>> [name for name, _ in event_members(True)]
    ['BCF-RE', 'GAMM', 'GAMM-identity', 'LMM', 'Risk']
    """
    return [(name, ensemble_member(name)) for name in sorted(EVENT_MEMBERS[clustered])]


class EqualWeights(Ensemble):
    r"""Plain mean of the members' effects, :math:`\hat\tau(x) = K^{-1}\sum_k \hat\tau_k(x)`.

    In trials with an event for an outcome, weights that are learned did not beat equal ones of
    `EVENT_MEMBERS`, of which each is wrong in another way.

    Parameters
    ----------
    members
        Pairs of name and estimator; None takes `event_members`.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Examples
    --------
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(300, 2)), np.arange(300) % 2
    >>> y = rng.random(300) < 0.3 + 0.2 * A
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "Constant-Odds-Ratio")]
    >>> EqualWeights(members).fit(X, y, treatment=A).weights_
    {'Constant-Odds-Ratio': 0.5, 'LMM': 0.5}
    """

    flips_exactly: ClassVar[bool] = False

    def resolve_members(self, data: TrialData) -> list[tuple[str, CateEstimator]]:
        """Members to fit, as unfitted copies in the order of their names."""
        if self.members is None:
            return event_members(data.design.holds_persons)
        return super().resolve_members(data)

    def aggregate(self, effects: FloatArray, names: Sequence[str], data: TrialData) -> FloatArray:
        """The same weight for all."""
        return np.full(len(names), 1 / len(names))
