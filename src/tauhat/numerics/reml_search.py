"""Search for the variance ratios that maximise a restricted likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import optimize

from tauhat._typing import BoolArray, FloatArray

# Ratios below exp(LOWER) are a variance of zero for every purpose; above exp(UPPER) the
# residual is.
_LOWER, _UPPER = -18.0, 12.0

# Where a search that ended at zero starts again.
_RETRIES = (1e-3, 1e-2, 1.0)

# A log ratio below this that is not zero may be on its way there or lost where all is flat.
_FLAT = -12.0

Penalty = Callable[[FloatArray], tuple[float, FloatArray]]


def at_zero(log_ratios: FloatArray) -> BoolArray:
    """Which log ratios stand for a variance of zero.

    Examples
    --------
    >>> at_zero(np.array([-18.0, 0.0])).tolist()
    [True, False]
    """
    zero: BoolArray = log_ratios <= _LOWER + 1e-3
    return zero


def penalised(deviance: Penalty, penalty: Penalty | None) -> Penalty:
    """Sum of a deviance and a penalty, with its gradient.

    Examples
    --------
    >>> square = lambda x: (float(x @ x), 2 * x)
    >>> value, slope = penalised(square, square)(np.ones(2))
    >>> value, slope.tolist()
    (4.0, [4.0, 4.0])
    """
    if penalty is None:
        return deviance

    def total(log_ratios: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = deviance(log_ratios)
        extra, slope = penalty(log_ratios)
        return value + extra, gradient + slope

    return total


def search(target: Penalty, start: FloatArray, *, near: bool = False) -> FloatArray:
    """Log ratios at which a deviance is least, to many digits.

    Parameters
    ----------
    target
        Deviance and its exact gradient as a function of the log ratios.
    start
        Log ratios to start from.
    near
        Whether the deviance is nearly that of which ``start`` is the minimum. Then a zero from
        which it rises is taken for the minimum; otherwise larger ratios are always tried too.

    Returns
    -------
    ndarray, of the shape of ``start``

    Examples
    --------
    >>> search(lambda x: (float(((x - 1) ** 2).sum()), 2 * (x - 1)), np.zeros(2)).round(6).tolist()
    [1.0, 1.0]
    """
    if len(start) == 0:
        return start
    if len(start) == 1:
        only = _one_ratio(target, float(start[0]))
        if only is not None:
            return only
    target = _asked_once(target)
    best = _minimise(target, start)
    if at_zero(best).any() and not (near and _rises_from(target, best)):
        # The deviance is flat near zero variance: a long step can get lost there.
        retries = [best]
        for ratio in _RETRIES:
            retries.append(_minimise(target, np.where(at_zero(best), np.log(ratio), best)))
        best = min(retries, key=lambda point: target(point)[0])
    return _polish(target, best)


def _asked_once(target: Penalty) -> Penalty:
    """The same deviance, which is not made anew where it was asked for last."""
    latest: tuple[FloatArray, float, FloatArray] | None = None

    def known(log_ratios: FloatArray) -> tuple[float, FloatArray]:
        nonlocal latest
        if latest is None or not np.array_equal(latest[0], log_ratios):
            latest = log_ratios.copy(), *target(log_ratios)
        return latest[1], latest[2].copy()

    return known


def _rises_from(target: Penalty, point: FloatArray) -> bool:
    """Whether a deviance rises from the zeros of a point whose other ratios are far from zero."""
    zero = at_zero(point)
    if (point[~zero] < _FLAT).any():
        return False
    # The derivative in a ratio has the sign of that in its logarithm.
    return bool((target(point)[1][zero] > 0).all())


def _one_ratio(target: Penalty, start: float) -> FloatArray | None:
    """Where the slope in the only log ratio is zero; None where there may be several minima."""

    def slope(log_ratio: float) -> float:
        return float(target(np.array([log_ratio]))[1][0])

    here, below = start, slope(start) > 0
    step = -2.0 if below else 2.0
    while True:
        there = min(max(here + step, _LOWER), _UPPER)
        if (slope(there) > 0) != below:
            low, high = min(here, there), max(here, there)
            return np.array([optimize.brentq(slope, low, high, xtol=1e-13, rtol=1e-13)])
        if there == _LOWER and any(slope(np.log(ratio)) <= 0 for ratio in _RETRIES):
            return None
        if there in (_LOWER, _UPPER):
            return np.array([there])
        here, step = there, 2 * step


def _minimise(target: Penalty, start: FloatArray) -> FloatArray:
    """Minimise by bounded quasi-Newton steps with the exact gradient."""
    found = optimize.minimize(
        target,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(_LOWER, _UPPER)] * len(start),
        options={"maxiter": 300, "ftol": 1e-13, "gtol": 1e-7},
    )
    return np.asarray(found.x, dtype=np.float64)


def _polish(target: Penalty, point: FloatArray) -> FloatArray:
    """Newton steps on the exact gradient, so that estimates agree to many digits."""
    for _ in range(4):
        value, gradient = target(point)
        free = np.flatnonzero(~at_zero(point) & (point < _UPPER - 1e-3))
        if len(free) == 0 or np.abs(gradient[free]).max() < 1e-9:
            break
        step = 1e-4
        hessian = np.empty((len(free), len(free)))
        for a, j in enumerate(free):
            low, high = point.copy(), point.copy()
            low[j] -= step
            high[j] += step
            hessian[a] = (target(high)[1][free] - target(low)[1][free]) / (2 * step)
        hessian = (hessian + hessian.T) / 2
        if np.linalg.eigvalsh(hessian).min() <= 1e-6:
            break
        proposal = point.copy()
        proposal[free] -= np.linalg.solve(hessian, gradient[free])
        if np.abs(proposal - point).max() > 1 or target(proposal)[0] > value + 1e-9:
            break
        point = np.clip(proposal, _LOWER, _UPPER)
    return point


def exponential_prior(positions: Sequence[int], rate: float) -> Penalty:
    r"""Minus twice the log of an exponential prior on standard-deviation ratios, and gradient.

    .. math:: p(s) \propto e^{-rate\, s}, \quad s = \sqrt{\varphi}

    The prior's mode is at zero: without evidence for it, a block is switched off.

    Examples
    --------
    >>> value, slope = exponential_prior([0], rate=2.0)(np.array([0.0, 1.0]))
    >>> value, slope.tolist()
    (4.0, [2.0, 0.0])
    """

    def penalty(log_ratios: FloatArray) -> tuple[float, FloatArray]:
        gradient = np.zeros(len(log_ratios))
        ratios = np.exp(log_ratios[list(positions)] / 2)
        gradient[list(positions)] = rate * ratios
        return float(2 * rate * ratios.sum()), gradient

    return penalty
