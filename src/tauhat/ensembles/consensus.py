"""Consensus Based Averaging: keep the estimators that agree with each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.ensemble import Ensemble
from tauhat.ensembles.library import Members
from tauhat.ensembles.weighing import Weights, by_name
from tauhat.numerics.kendall import kendall_matrix

Knee = Literal["largest-drop", "smallest-drop", "none"]


class ConsensusAverage(Ensemble):
    r"""Average of the members that agree best on the order of the effects.

    With Kendall's :math:`K_{ij}` between the effects of members i and j on the
    training rows and the mean correlation
    :math:`\bar K_i = \frac{1}{k-1}\sum_{j\ne i} K_{ij}`, members are sorted by
    :math:`\bar K` downwards and those before the knee

    .. math:: k^* = \arg\min_i \{\bar K_{(i+1)} - \bar K_{(i)}\}

    are averaged with equal weights. A constant effect correlates 0 with
    everything.

    Parameters
    ----------
    members
        Pairs of name and estimator; None takes the library for the design: the
        second paper's nine single estimators for individual trials,
        mixed-effects learners when clusters are given.
    knee
        "largest-drop" (default) cuts before the largest fall of the mean
        correlation; "smallest-drop" is the other reading of the paper's
        sentence, the flattest step; "none" keeps every member.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    weighing_
        ``weighing_.scores`` has the mean Kendall correlation of each member with the
        others.
    members_, weights_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.ensemble.Ensemble`.

    References
    ----------
    Machluf, Frostig, Shoham, Milo, Berkman and Pryluk, Robust CATE estimation
    using novel ensemble methods, arXiv:2407.03690, appendix A.

    Examples
    --------
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(300, 3)), rng.integers(0, 2, 300)
    >>> y = X[:, 0] + A * (1 + X[:, 1]) + rng.normal(size=300)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "T-Linear", "X-Linear")]
    >>> model = ConsensusAverage(members, random_state=1).fit(X, y, treatment=A)
    >>> round(sum(model.weights_.values()), 6)
    1.0
    """

    registered_name = "CBA"

    flips_exactly: ClassVar[bool] = False

    def __init__(
        self,
        members: Members | None = None,
        knee: Knee = "largest-drop",
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(members, random_state, n_jobs)
        self.knee = knee

    def weigh(self, effects: Mapping[str, FloatArray], held_out: Any, data: TrialData) -> Weights:
        """Equal weights on the members before the knee; the scores are mean correlations."""
        mean_correlation, kept = consensus(
            kendall_matrix(np.column_stack(list(effects.values()))), self.knee
        )
        shares = by_name(list(effects), kept / kept.sum())
        return Weights(shares, scores=by_name(list(effects), mean_correlation))


def consensus(
    correlation: FloatArray, knee: Knee = "largest-drop"
) -> tuple[FloatArray, FloatArray]:
    """Mean correlation of each member and which members stand before the knee.

    Parameters
    ----------
    correlation
        Kendall matrix, shape (k, k).
    knee
        As in `ConsensusAverage`.

    Returns
    -------
    mean_correlation
        Shape (k,), without the member's correlation with itself.
    kept
        1.0 for a kept member, 0.0 for another, shape (k,).

    Raises
    ------
    ValueError
        If ``knee`` is unknown.

    Examples
    --------
    >>> agree = np.array([[1, 0.8, 0.1], [0.8, 1, 0.1], [0.1, 0.1, 1]])
    >>> consensus(agree)[1].tolist()
    [1.0, 1.0, 0.0]
    """
    k = len(correlation)
    if knee not in ("largest-drop", "smallest-drop", "none"):
        raise ValueError(f"knee must be 'largest-drop', 'smallest-drop' or 'none', got {knee!r}")
    mean_correlation = (correlation.sum(axis=1) - np.diag(correlation)) / max(k - 1, 1)
    kept = np.ones(k)
    # Of two members neither can be the odd one out.
    if k <= 2 or knee == "none":
        return mean_correlation, kept
    order = np.argsort(-mean_correlation, kind="stable")
    steps = np.diff(mean_correlation[order])
    last = int(np.argmin(steps)) if knee == "largest-drop" else int(np.argmin(np.abs(steps)))
    kept[order[last + 1 :]] = 0.0
    return mean_correlation, kept
