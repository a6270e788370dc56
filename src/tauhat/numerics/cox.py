"""Cox's proportional hazards with a ridge penalty, and its baseline hazard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import BoolArray, FloatArray
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
    order = np.argsort(-time, kind="stable")
    at = time[order]
    # Where the block of equal times ends: everyone up to there is at risk.
    last = np.searchsorted(-at, -at, side="right") - 1
    centre = np.average(X, axis=0, weights=weight)
    spread = X.std(axis=0)
    varies = spread > 1e-12 * (1 + np.abs(centre))
    Z = ((X - centre) / np.where(varies, spread, 1.0))[order] * varies
    weighed = np.ones(len(time)) if weight is None else weight[order]
    happened = np.flatnonzero(event[order])
    ends, counted = last[happened], weighed[happened]
    seen = counted @ Z[happened]
    beta = np.zeros(X.shape[1])
    for _ in range(_MOST_STEPS if len(happened) else 0):
        risk = weighed * np.exp(np.clip(Z @ beta, -30, 30))
        total = np.cumsum(risk)[ends]
        means = np.cumsum(risk[:, None] * Z, axis=0)[ends] / total[:, None]
        # Each person counts in the risk sets of all events no later than their own time.
        share = np.bincount(ends, weights=counted / total, minlength=len(at))
        share = np.cumsum(share[::-1])[::-1]
        information = (Z * (risk * share)[:, None]).T @ Z - (means * counted[:, None]).T @ means
        information[np.diag_indices_from(information)] += penalty
        step = np.linalg.solve(information, seen - counted @ means - penalty * beta)
        # A step of one standard deviation of a column is far; longer ones can overshoot.
        beta = beta + np.clip(step, -1, 1)
        if np.abs(step).max() < _TOLERANCE:
            break
    ratio = np.exp(np.clip(Z @ beta, -FARTHEST, FARTHEST))
    at_risk = np.cumsum(weighed * ratio)[ends]
    times, place = np.unique(at[happened], return_inverse=True)
    steps = np.bincount(place, weights=counted / at_risk, minlength=len(times))
    return CoxModel(
        beta / np.where(varies, spread, 1.0), centre, StepCurve(times, np.cumsum(steps), 0.0)
    )
