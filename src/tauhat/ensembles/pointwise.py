"""Median and trimmed mean of the members' effects, person by person."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.ensemble import Ensemble
from tauhat.ensembles.library import Members
from tauhat.ensembles.weighing import RankWeights, Weights, by_name
from tauhat.errors import TrialError


class PointwiseEnsemble(Ensemble):
    """Ensemble that orders the members' effects anew for every person.

    Attributes
    ----------
    weights_
        Mean weight of each member over the training rows: the share of the
        estimate that it gave. All members count for every person, also those
        with little weight.
    members_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.ensemble.Ensemble`.
    """

    @abstractmethod
    def rank_weights(self, k: int) -> FloatArray:
        """Weight of each rank among ``k`` ordered effects, lowest first, shape (k,)."""

    def weigh(self, effects: Mapping[str, FloatArray], held_out: Any, data: TrialData) -> Weights:
        """Weights of ranks, and the mean weight of each member over the training rows."""
        columns = np.column_stack(list(effects.values()))
        ranks = np.argsort(np.argsort(columns, axis=1, kind="stable"), axis=1)
        of_rank = self.rank_weights(len(effects))
        return RankWeights(by_name(list(effects), of_rank[ranks].mean(axis=0)), ranks=of_rank)


class MedianEffect(PointwiseEnsemble):
    """Median of the members' effects, person by person.

    Up to half of the members can be anywhere without moving it far.

    Parameters
    ----------
    members, random_state, n_jobs
        As in `tauhat.ensembles.ensemble.Ensemble`.

    Attributes
    ----------
    weights_
        Share of the training rows in which a member is the median; of two in
        the middle each counts half.
    members_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.ensemble.Ensemble`.

    Examples
    --------
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(200, 2)), np.tile([0, 1], 100)
    >>> y = A * X[:, 1] + 0.1 * rng.normal(size=200)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "T-LMM", "X-LMM")]
    >>> model = MedianEffect(members, random_state=1).fit(X, y, treatment=A)
    >>> round(sum(model.weights_.values()), 6)
    1.0
    """

    registered_name = "Median"

    def rank_weights(self, k: int) -> FloatArray:
        """All weight on the middle."""
        weights = np.zeros(k)
        weights[[(k - 1) // 2, k // 2]] += 0.5 if k % 2 == 0 else 1.0
        return weights


class TrimmedMeanEffect(PointwiseEnsemble):
    """Mean of the members' effects without the extreme ones, person by person.

    Parameters
    ----------
    members
        As in `tauhat.ensembles.ensemble.Ensemble`.
    trim
        Number of members left out at each end.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    weights_
        Mean weight over the training rows: 1 / (k - 2 trim) in those where the
        member is not left out.
    members_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.ensemble.Ensemble`.

    Raises
    ------
    TrialError
        If no member would be left.

    Examples
    --------
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(200, 2)), np.tile([0, 1], 100)
    >>> y = A * X[:, 1] + 0.1 * rng.normal(size=200)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "T-LMM", "X-LMM")]
    >>> model = TrimmedMeanEffect(members, random_state=1).fit(X, y, treatment=A)
    >>> round(sum(model.weights_.values()), 6)
    1.0
    """

    registered_name = "Trimmed-Mean"

    def __init__(
        self,
        members: Members | None = None,
        trim: int = 1,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(members, random_state, n_jobs)
        self.trim = trim

    def rank_weights(self, k: int) -> FloatArray:
        """Equal weight on all ranks but the extreme ones."""
        if not 0 <= 2 * self.trim < k:
            raise TrialError(
                f"trim={self.trim} at each end leaves none of {k} members; lower it or add some"
            )
        weights = np.zeros(k)
        weights[self.trim : k - self.trim] = 1 / (k - 2 * self.trim)
        return weights
