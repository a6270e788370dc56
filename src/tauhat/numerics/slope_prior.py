"""Whether held-out heterogeneity is real, judged by its calibration slope."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

#: Prior mass on a slope of 0, which is no heterogeneity.
NULL_MASS = 0.2
#: Prior standard deviation of the slope around 1 otherwise.
SLOPE_SD = 0.5


def probability_real(slope: float, se: float) -> float:
    r"""Posterior probability that a calibration slope is not 0.

    .. math:: b \sim N(1,\, 0.5^2 + se^2) \quad\text{or}\quad b \sim N(0,\, se^2)

    Parameters
    ----------
    slope, se
        Estimate b and its standard error.

    Returns
    -------
    float

    Examples
    --------
    >>> round(probability_real(1.0, 0.1), 2), round(probability_real(0.0, 0.1), 2)
    (1.0, 0.1)
    """
    log_odds = (
        np.log((1 - NULL_MASS) / NULL_MASS)
        + norm.logpdf(slope, 1, float(np.hypot(se, SLOPE_SD)))
        - norm.logpdf(slope, 0, se)
    )
    return float(1 / (1 + np.exp(-np.clip(log_odds, -700, 700))))
