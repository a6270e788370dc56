"""How good estimated effects are when the truth is known.

Every measure takes arrays with one value per person. Standard deviations are
population ones (divisor n), as in the papers the studies follow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tauhat._typing import FloatArray
from tauhat.arguments import check_number, check_switch
from tauhat.numerics.kendall import kendall_tau


def paired(effect: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Two arrays with one finite value a person each, or an error.

    Parameters
    ----------
    effect, truth
        Values, shape (n,).

    Returns
    -------
    tuple of ndarray

    Raises
    ------
    ValueError
        On different lengths, empty input, missing or infinite values.

    Examples
    --------
    >>> paired([1, 2], [3, 4])[1]
    array([3., 4.])
    """
    estimated = np.asarray(effect, dtype=np.float64)
    true = np.asarray(truth, dtype=np.float64)
    if estimated.shape != true.shape or estimated.ndim != 1:
        raise ValueError(
            "effect and truth need one value per person each, "
            f"got shapes {estimated.shape} and {true.shape}"
        )
    if len(true) == 0:
        raise ValueError("effect and truth are empty")
    for name, values in (("effect", estimated), ("truth", true)):
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise ValueError(f"{name} has {bad} missing or infinite values")
    return estimated, true


def _spread(values: FloatArray) -> float:
    """Standard deviation, exactly 0 for a constant (rounding would leave 1e-17)."""
    return 0.0 if np.ptp(values) == 0 else float(values.std())


def rmse(effect: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Root mean squared error of the estimated effects, in the outcome's unit.

    Also called the precision in estimating heterogeneous effects (PEHE).

    Parameters
    ----------
    effect, truth
        Estimated and true effect of each person, shape (n,).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        On different lengths, empty input, missing or infinite values.

    Examples
    --------
    >>> rmse([1.0, 3.0], [1.0, 1.0])
    1.414...
    """
    estimated, true = paired(effect, truth)
    return float(np.sqrt(np.mean((estimated - true) ** 2)))


def srmse(effect: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Standardised root mean squared error: RMSE / SD(truth).

    1 is what the true average effect scores when given to everybody; less is
    better.

    Parameters
    ----------
    effect, truth
        Estimated and true effect of each person, shape (n,).

    Returns
    -------
    float
        NaN when the true effect is constant: there is no scale, use `rmse`.

    Examples
    --------
    >>> srmse([2.0, 2.0, 2.0], [1.0, 2.0, 3.0])
    1.0
    """
    estimated, true = paired(effect, truth)
    spread = _spread(true)
    return rmse(estimated, true) / spread if spread else float("nan")


def centred_srmse(effect: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """SD of the errors / SD(truth): the sRMSE that is left after removing the mean error.

    In a trial with few clusters the centre of the effects is the hard part;
    this measures the rest. srmse^2 = centred_srmse^2 + (bias / SD(truth))^2.

    Parameters
    ----------
    effect, truth
        Estimated and true effect of each person, shape (n,).

    Returns
    -------
    float
        NaN when the true effect is constant.

    Examples
    --------
    >>> centred_srmse([11.0, 12.0, 13.0], [1.0, 2.0, 3.0])
    0.0
    """
    estimated, true = paired(effect, truth)
    spread = _spread(true)
    return _spread(estimated - true) / spread if spread else float("nan")


def rod(effect: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Rate of discordance (1 - tau_b) / 2, the share of pairs put in the wrong order.

    Kendall's tau-b takes ties in its denominators. A constant, estimated or
    true, does not rank anybody: tau-b counts as 0 and the rate as 0.5, what
    ranking by chance scores. When the truth has ties that no estimate can
    reproduce (a share t of tied pairs), the best possible rate is
    (1 - sqrt(1 - t)) / 2.

    Parameters
    ----------
    effect, truth
        Estimated and true effect of each person, shape (n,).

    Returns
    -------
    float
        Between 0 (same order) and 1 (opposite order).

    Examples
    --------
    >>> rod([1.0, 2.0, 3.0], [10.0, 30.0, 20.0])
    0.333...
    >>> rod([1.0, 1.0, 1.0], [10.0, 30.0, 20.0])
    0.5
    """
    estimated, true = paired(effect, truth)
    return (1.0 - kendall_tau(estimated, true)) / 2.0


def bias(effect: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Mean estimated minus mean true effect, in the outcome's unit.

    Parameters
    ----------
    effect, truth
        Estimated and true effect of each person, shape (n,).

    Returns
    -------
    float

    Examples
    --------
    >>> bias([1.0, 3.0], [1.0, 1.0])
    1.0
    """
    estimated, true = paired(effect, truth)
    return float(np.mean(estimated - true))


def calibration_slope(effect: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Least-squares slope of the true on the estimated effects.

    1 is calibrated; below 1 the estimates are too spread out, above 1 too
    much shrunk.

    Parameters
    ----------
    effect, truth
        Estimated and true effect of each person, shape (n,).

    Returns
    -------
    float
        NaN when the estimates are constant.

    Examples
    --------
    >>> calibration_slope([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    0.5
    """
    estimated, true = paired(effect, truth)
    if np.ptp(estimated) == 0:
        return float("nan")
    centred = estimated - estimated.mean()
    return float(centred @ (true - true.mean()) / (centred @ centred))


def coverage(lower: npt.ArrayLike, upper: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Share of the persons whose true effect lies in their interval (ends included).

    Parameters
    ----------
    lower, upper
        Ends of each interval, shape (n,).
    truth
        True effect of each person, shape (n,).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        On different lengths, or a lower end above its upper end.

    Examples
    --------
    >>> coverage([0.0, 0.0], [1.0, 1.0], [0.5, 2.0])
    0.5
    """
    low, true = paired(lower, truth)
    high, _ = paired(upper, truth)
    if (low > high).any():
        raise ValueError(
            f"{int((low > high).sum())} intervals have their lower end above the upper"
        )
    return float(np.mean((low <= true) & (true <= high)))


def mean_width(lower: npt.ArrayLike, upper: npt.ArrayLike) -> float:
    """Mean width of the intervals, in the outcome's unit.

    Parameters
    ----------
    lower, upper
        Ends of each interval, shape (n,).

    Returns
    -------
    float

    Examples
    --------
    >>> mean_width([0.0, 0.0], [1.0, 2.0])
    1.5
    """
    low, high = paired(lower, upper)
    return float(np.mean(high - low))


def true_policy_value(
    effect: npt.ArrayLike,
    truth: npt.ArrayLike,
    *,
    threshold: float = 0.0,
    higher_is_better: bool = True,
) -> float:
    """Mean gain a person from treating those whose estimated effect is good enough.

    The mean over everybody of tau(x) 1[tau_hat(x) > threshold], compared with
    treating nobody. With ``higher_is_better=False`` (blood pressure, tumour
    growth) the signs of both effects are turned first, so that the value is
    a gain again.

    Parameters
    ----------
    effect, truth
        Estimated and true effect of each person, shape (n,).
    threshold
        Least benefit that makes treatment worth while, in the outcome's unit.
    higher_is_better
        Whether a positive effect is a benefit.

    Returns
    -------
    float
        At most the value of the true effects themselves (with threshold 0).

    Examples
    --------
    >>> true_policy_value([1.0, -1.0, 1.0, -1.0], [2.0, -2.0, -1.0, 1.0])
    0.25
    """
    check_number(threshold, "threshold", "a number in units of the outcome")
    check_switch(higher_is_better, "higher_is_better")
    estimated, true = paired(effect, truth)
    sign = 1.0 if higher_is_better else -1.0
    return float(np.mean(np.where(sign * estimated > threshold, sign * true, 0.0)))


def effect_metrics(
    effect: npt.ArrayLike,
    truth: npt.ArrayLike,
    *,
    lower: npt.ArrayLike | None = None,
    upper: npt.ArrayLike | None = None,
    higher_is_better: bool = True,
) -> dict[str, float]:
    """All person-level measures of one estimator on one test population.

    Parameters
    ----------
    effect, truth
        Estimated and true effect of each person, shape (n,).
    lower, upper
        Pointwise intervals, shape (n,), or None.
    higher_is_better
        As in `true_policy_value`.

    Returns
    -------
    dict
        Keys ``rmse srmse centred_srmse rod bias calibration_slope
        policy_value``, and with intervals ``coverage width``.

    Examples
    --------
    >>> measures = effect_metrics([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
    >>> round(measures["srmse"], 3), measures["rod"]
    (0.707, 0.0)
    """
    if (lower is None) != (upper is None):
        raise ValueError("give both lower and upper, or neither")
    measures = {
        "rmse": rmse(effect, truth),
        "srmse": srmse(effect, truth),
        "centred_srmse": centred_srmse(effect, truth),
        "rod": rod(effect, truth),
        "bias": bias(effect, truth),
        "calibration_slope": calibration_slope(effect, truth),
        "policy_value": true_policy_value(effect, truth, higher_is_better=higher_is_better),
    }
    if lower is not None and upper is not None:
        measures["coverage"] = coverage(lower, upper, truth)
        measures["width"] = mean_width(lower, upper)
    return measures
