"""Risks and rates of people in new clusters, and contrasts of the two arms'."""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from scipy.special import expit
from scipy.stats import t as student

from tauhat._typing import FloatArray
from tauhat.numerics.quadrature import hermite_nodes
from tauhat.numerics.responses import Link

Scale = Literal["difference", "ratio", "odds ratio"]
SCALES: Final = get_args(Scale)

# With 15 nodes the error of a risk is below 1e-8 up to an SD of 1, 1e-5 up to 2 and 1e-3 up
# to 3.
_NODES = 15
# Logs of risks need them to be off zero and one.
_LEAST = 1e-12
_LARGEST_LOG_RATE = 300.0


def marginal_mean(
    predictor: FloatArray, variance: float, link: Link, nodes: int = _NODES
) -> FloatArray:
    r"""Mean outcome over the random intercepts of new clusters.

    .. math:: \mathrm{E}_b\,g^{-1}(\eta + b), \quad b \sim N(0, v)

    by Gauss-Hermite quadrature for the logit link; :math:`e^{\eta + v/2}` for the
    log link.

    Parameters
    ----------
    predictor
        Linear predictor at an intercept of zero, any shape.
    variance
        Variance of the intercept, 0 without clusters.
    link
        "logit" or "log".
    nodes
        Number of quadrature nodes.

    Returns
    -------
    ndarray, of the shape of ``predictor``
        Risks in [0, 1], or rates.

    Examples
    --------
    >>> marginal_mean(np.array([0.0, 2.0]), 1.0, "logit").round(4).tolist()
    [0.5, 0.8445]
    """
    if link == "log":
        rate: FloatArray = np.exp(np.minimum(predictor + variance / 2, _LARGEST_LOG_RATE))
        return rate
    if variance == 0:
        risk: FloatArray = expit(predictor)
        return risk
    sd = float(np.sqrt(variance))
    total = np.zeros_like(predictor)
    for node, share in zip(*hermite_nodes(nodes), strict=True):
        total += share * expit(predictor + sd * node)
    return np.clip(total, 0.0, 1.0)


def contrast(treated: FloatArray, control: FloatArray, scale: Scale) -> FloatArray:
    """Difference, ratio or odds ratio of marginal risks.

    Odds ratios are those of the marginal risks: smaller than the conditional ones
    of the model, and never averages of odds ratios.

    Parameters
    ----------
    treated, control
        Risks, or rates for the first two scales, of the same shape.
    scale
        "difference", "ratio" or "odds ratio".

    Raises
    ------
    ValueError
        If the scale is none of these.

    Examples
    --------
    >>> for scale in SCALES:
    ...     print(scale, contrast(np.array([0.2]), np.array([0.1]), scale).round(2).tolist())
    difference [0.1]
    ratio [2.0]
    odds ratio [2.25]
    """
    if scale == "difference":
        return treated - control
    return np.exp(log_contrast(treated, control, scale))


def log_contrast(treated: FloatArray, control: FloatArray, scale: Scale) -> FloatArray:
    """Log of the ratio or odds ratio, on which scale standard errors are taken.

    Parameters
    ----------
    treated, control
        Risks or rates of the same shape.
    scale
        "ratio" or "odds ratio".

    Raises
    ------
    ValueError
        If the scale is neither.

    Examples
    --------
    >>> log_contrast(np.array([0.2]), np.array([0.1]), "ratio").round(3).tolist()
    [0.693]
    """
    if scale not in ("ratio", "odds ratio"):
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    value: FloatArray = np.log(np.maximum(treated, _LEAST)) - np.log(np.maximum(control, _LEAST))
    if scale == "odds ratio":
        value = value + np.log(np.maximum(1 - control, _LEAST))
        value = value - np.log(np.maximum(1 - treated, _LEAST))
    return value


def possible(values: FloatArray, scale: Scale, link: Link) -> FloatArray:
    """Values cut to what can be: differences of risks lie in [-1, 1], ratios are not negative.

    Examples
    --------
    >>> possible(np.array([-1.2, 0.3]), "difference", "logit").tolist()
    [-1.0, 0.3]
    """
    if scale == "difference":
        return np.clip(values, -1.0, 1.0) if link == "logit" else values
    return np.maximum(values, 0.0)


def draw_interval(
    treated: FloatArray,
    control: FloatArray,
    scale: Scale,
    link: Link,
    *,
    level: float = 0.95,
    degrees_of_freedom: float | None = None,
) -> tuple[FloatArray, FloatArray]:
    r"""Interval of a contrast from draws of both arms' risks, without the delta method.

    With degrees of freedom :math:`\bar d \pm t\,s` of the draws' mean and standard
    deviation, on the log scale for ratios; otherwise their quantiles.

    Parameters
    ----------
    treated, control
        Draws of the risks or rates, shape (draws, k).
    scale
        Contrast.
    link
        Link, which decides what is possible.
    level
        Nominal coverage.
    degrees_of_freedom
        Of the t quantile, such as the number of clusters less two, or None.

    Returns
    -------
    lower, upper
        Each of shape (k,), within what is possible.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> control, treated = (rng.beta(a, 20, size=(2000, 1)) for a in (2, 4))
    >>> low, high = draw_interval(treated, control, "difference", "logit")
    >>> bool(-0.12 < low[0] < 0 < high[0] < 0.3)
    True
    """
    tail = (1 - level) / 2
    if degrees_of_freedom is None:
        values = contrast(treated, control, scale)
        low, high = np.quantile(values, [tail, 1 - tail], axis=0)
    elif scale == "difference":
        low, high = _around(treated - control, student.ppf(1 - tail, degrees_of_freedom))
    else:
        logs = log_contrast(treated, control, scale)
        low, high = map(np.exp, _around(logs, student.ppf(1 - tail, degrees_of_freedom)))
    return possible(low, scale, link), possible(high, scale, link)


def _around(draws: FloatArray, quantile: float) -> tuple[FloatArray, FloatArray]:
    """Mean of the draws less and plus a multiple of their standard deviation."""
    centre, half = draws.mean(axis=0), quantile * draws.std(axis=0)
    return centre - half, centre + half
