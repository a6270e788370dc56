"""Cox's proportional hazards with a ridge penalty, and its baseline hazard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.standardised_columns import ridge_rotation
from tauhat.numerics.survival_curves import StepCurve

# A hazard 150 times that of the average person says no more than that someone is at the end of
# the scale.
FARTHEST = 5.0
_MOST_STEPS, _TOLERANCE = 25, 1e-7


@dataclass(frozen=True)
class CoxModel:
    r"""A fitted model :math:`\lambda(t \mid x) = \lambda_0(t) \exp\{(x - c)^\top \beta\}`.

    Attributes
    ----------
    coefficients
        Log hazard ratio of one unit of each column, shape (p,).
    centre
        Values of the columns at which the baseline holds, shape (p,).
    baseline
        Cumulative baseline hazard (Breslow).
    """

    coefficients: FloatArray
    centre: FloatArray
    baseline: StepCurve

    def log_ratio(self, X: FloatArray) -> FloatArray:
        """Log hazard ratio against the baseline, shape (k,), within `FARTHEST`."""
        ratio: FloatArray = np.clip((X - self.centre) @ self.coefficients, -FARTHEST, FARTHEST)
        return ratio

    def survival(self, X: FloatArray, times: FloatArray) -> FloatArray:
        """Probability to be without an event at each time, shape (k, times)."""
        hazard = np.exp(self.log_ratio(X))[:, None] * self.baseline.at(times)
        survival: FloatArray = np.exp(-hazard)
        return survival


def fit_cox(
    X: FloatArray,
    time: FloatArray,
    event: BoolArray,
    *,
    penalty: float = 10.0,
    weight: FloatArray | None = None,
) -> CoxModel:
    r"""Fit by the penalised partial likelihood, ties after Breslow.

    .. math::
        \ell(\beta) = \sum_{i: \delta_i = 1} w_i \Big\{ x_i^\top\beta
        - \log \sum_{j: t_j \ge t_i} w_j e^{x_j^\top\beta} \Big\} - \frac{\kappa}{2} |\beta|^2

    on standardised columns, by Newton's method from sorted sums: time n log n and memory n for
    a given number of columns. Constant columns get no coefficient.

    Parameters
    ----------
    X
        Covariates, shape (n, p).
    time
        Time to the event or to censoring, shape (n,).
    event
        Whether the event was seen, shape (n,).
    penalty
        The :math:`\kappa`.
    weight
        Positive, shape (n,), or None.

    Returns
    -------
    CoxModel
        Without any event its hazard is zero.

    References
    ----------
    Cox (1972), J. R. Stat. Soc. B 34, 187-220; Breslow (1974), Biometrics 30, 89-99; Verweij
    and van Houwelingen (1994), Stat. Med. 13, 2427-2436.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(400, 1))
    >>> time = rng.exponential(size=400) / np.exp(X[:, 0])
    >>> model = fit_cox(X, np.minimum(time, 2.0), time <= 2.0)
    >>> round(float(model.coefficients[0]), 1)
    1.0
    """
    alone = np.zeros(len(time), dtype=np.int64)
    return fit_stratified_cox(X, time, event, alone, penalty=penalty, weight=weight)[0]


def fit_stratified_cox(
    X: FloatArray,
    time: FloatArray,
    event: BoolArray,
    stratum: IntArray,
    *,
    penalty: float = 10.0,
    weight: FloatArray | None = None,
) -> list[CoxModel]:
    """Fit with a baseline hazard for each stratum and the same coefficients for all.

    Parameters
    ----------
    X, time, event, penalty, weight
        As in `fit_cox`.
    stratum
        0, 1, ... of each row, shape (n,).

    Returns
    -------
    list of CoxModel
        One a stratum, which differ in their baselines.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, half = rng.normal(size=(400, 1)), np.arange(400) % 2
    >>> time = rng.exponential(size=400) / np.exp(X[:, 0] + 2 * half)
    >>> one, other = fit_stratified_cox(X, time, time < 9, half)
    >>> round(float(one.coefficients[0]), 1), other.baseline.at(1.0) > 3 * one.baseline.at(1.0)
    (1.0, np.True_)
    """
    centre = np.average(X, axis=0, weights=weight)
    spread = X.std(axis=0)
    varies = spread > 1e-12 * (1 + np.abs(centre))
    scale = np.where(varies, spread, 1.0)
    Z = (X - centre) / scale * varies
    rotation = ridge_rotation(Z)
    Z = Z @ rotation
    strata = [
        _Stratum.of(Z, time, event, weight, np.flatnonzero(stratum == level))
        for level in range(int(stratum.max()) + 1)
    ]
    beta = np.zeros(Z.shape[1])
    for _ in range(_MOST_STEPS if event.any() else 0):
        parts = [part.score_and_information(beta) for part in strata]
        score = sum((part[0] for part in parts), -penalty * beta)
        information = sum((part[1] for part in parts), penalty * np.eye(len(beta)))
        step = np.linalg.solve(information, score)
        # A step of one standard deviation of a column is far; longer ones can overshoot.
        beta = beta + np.clip(step, -1, 1)
        if np.abs(step).max() < _TOLERANCE:
            break
    of_columns = rotation @ beta / scale
    return [CoxModel(of_columns, centre, part.baseline(beta)) for part in strata]


@dataclass(frozen=True)
class _Stratum:
    """Persons of one stratum, those with the longest times first.

    ``last`` is where the block of equal times ends: everyone up to there is at risk.
    """

    Z: FloatArray
    time: FloatArray
    weight: FloatArray
    happened: IntArray
    last: IntArray

    @classmethod
    def of(
        cls,
        Z: FloatArray,
        time: FloatArray,
        event: BoolArray,
        weight: FloatArray | None,
        rows: IntArray,
    ) -> _Stratum:
        rows = rows[np.argsort(-time[rows], kind="stable")]
        at = time[rows]
        last = np.searchsorted(-at, -at, side="right") - 1
        weighed = np.ones(len(rows)) if weight is None else weight[rows]
        return cls(Z[rows], at, weighed, np.flatnonzero(event[rows]), last)

    def score_and_information(self, beta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of the partial likelihood, shapes (p,) and (p, p)."""
        ends, counted = self.last[self.happened], self.weight[self.happened]
        risk = self.weight * np.exp(np.clip(self.Z @ beta, -30, 30))
        total = np.cumsum(risk)[ends]
        means = np.cumsum(risk[:, None] * self.Z, axis=0)[ends] / total[:, None]
        # Each person counts in the risk sets of all events no later than their own time.
        share = np.bincount(ends, weights=counted / total, minlength=len(risk))
        share = np.cumsum(share[::-1])[::-1]
        squares = (self.Z * (risk * share)[:, None]).T @ self.Z
        return (
            counted @ (self.Z[self.happened] - means),
            squares - (means * counted[:, None]).T @ means,
        )

    def baseline(self, beta: FloatArray) -> StepCurve:
        """Cumulative hazard by Breslow."""
        ratio = np.exp(np.clip(self.Z @ beta, -FARTHEST, FARTHEST))
        at_risk = np.cumsum(self.weight * ratio)[self.last[self.happened]]
        times, place = np.unique(self.time[self.happened], return_inverse=True)
        share = self.weight[self.happened] / at_risk
        steps = np.bincount(place, weights=share, minlength=len(times))
        return StepCurve(times, np.cumsum(steps), 0.0)


def score_statistics(
    X: FloatArray, time: FloatArray, event: BoolArray, stratum: IntArray
) -> FloatArray:
    r"""Score statistic of each column by itself, for no association with the hazard.

    .. math::
        z_j = \sum_i \delta_i (x_{ij} - \bar x_{ij}) \Big/
        \sqrt{\sum_i \delta_i\, \mathrm{var}(x_{ij})}

    with means and variances over those at risk in the same stratum.

    Parameters
    ----------
    X
        Columns, shape (n, p).
    time, event
        As in `fit_cox`.
    stratum
        Number of each row's stratum, shape (n,).

    Returns
    -------
    ndarray, shape (p,)
        About standard normal without association; 0 for constant columns.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(300, 2))
    >>> time = rng.exponential(size=300) / np.exp(X[:, 0])
    >>> score_statistics(X, time, time < 1, np.zeros(300, dtype=int)).round(1).tolist()
    [10.3, 0.5]
    """
    score, information = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for level in np.unique(stratum):
        part = _Stratum.of(X, time, event, None, np.flatnonzero(stratum == level))
        Z, happened = part.Z - part.Z.mean(axis=0), part.happened
        ends = part.last[happened]
        mean = np.cumsum(Z, axis=0)[ends] / (ends + 1)[:, None]
        score += Z[happened].sum(axis=0) - mean.sum(axis=0)
        information += (np.cumsum(Z**2, axis=0)[ends] / (ends + 1)[:, None] - mean**2).sum(axis=0)
    least = 1e-12 * (1 + (X**2).sum(axis=0))
    z: FloatArray = np.where(
        information > least, score / np.sqrt(np.maximum(information, least)), 0
    )
    return z
