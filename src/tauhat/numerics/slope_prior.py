"""Whether heterogeneity is real: from a Bayes factor, or from a held-out calibration slope."""

from __future__ import annotations

import numpy as np
from scipy.special import expit
from scipy.stats import norm

#: Prior mass on no heterogeneity, which is a slope of 0.
NULL_MASS = 0.2
#: Prior standard deviation of the slope around 1 otherwise.
SLOPE_SD = 0.5


def posterior_probability(log_bayes_factor: float, null_mass: float = NULL_MASS) -> float:
    """Posterior probability of heterogeneity, given its Bayes factor against a constant effect.

    Parameters
    ----------
    log_bayes_factor
        Natural logarithm.
    null_mass
        Prior probability of a constant effect.

    Returns
    -------
    float

    Examples
    --------
    >>> posterior_probability(0.0) == 1 - NULL_MASS
    True
    """
    return float(expit(log_bayes_factor + np.log(1 / null_mass - 1)))


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
    real = norm.logpdf(slope, 1, float(np.hypot(se, SLOPE_SD)))
    return posterior_probability(float(real - norm.logpdf(slope, 0, se)))
