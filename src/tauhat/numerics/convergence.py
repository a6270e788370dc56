"""Did the chains converge: rank-normalised R-hat and effective sample size."""

from __future__ import annotations

import numpy as np
from scipy import stats

from tauhat._typing import FloatArray


def _split(draws: FloatArray) -> FloatArray:
    """Halves of the chains as chains of their own, shape (2 * chains, draws // 2)."""
    half = draws.shape[1] // 2
    return np.vstack([draws[:, :half], draws[:, -half:]])


def _rank_normalize(draws: FloatArray) -> FloatArray:
    ranks = stats.rankdata(draws, method="average").reshape(draws.shape)
    scores: FloatArray = stats.norm.ppf((ranks - 0.375) / (draws.size + 0.25))
    return scores


def _basic_rhat(chains: FloatArray) -> float:
    n = chains.shape[1]
    within = chains.var(axis=1, ddof=1).mean()
    between = n * chains.mean(axis=1).var(ddof=1)
    return float(np.sqrt(((n - 1) / n * within + between / n) / within))


def _check(draws: FloatArray) -> None:
    if draws.ndim != 2 or draws.shape[1] < 4:
        raise ValueError(
            f"draws must have shape (chains, draws) with at least 4 draws, got {draws.shape}"
        )


def r_hat(draws: FloatArray) -> float:
    r"""Rank-normalised split R-hat: 1 when the chains agree.

    .. math:: \hat R = \sqrt{\frac{(n-1)/n\, W + B / n}{W}}

    on halves of the chains, with W the mean variance within and B / n the
    variance of the means between them, of normal scores of the draws; the
    larger of that and the same for the distances to the median.

    Parameters
    ----------
    draws
        One quantity, shape (chains, draws).

    Returns
    -------
    float
        Above 1.01 the chains disagree by more than chance in long runs; NaN for
        a constant quantity.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), Bayesian Analysis
    16:667-718.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(size=(4, 2000))
    >>> round(r_hat(draws), 2), r_hat(draws + np.arange(4)[:, None]) > 1.3
    (1.0, True)
    """
    _check(draws)
    if np.ptp(draws) == 0:
        return float("nan")
    chains = _split(draws)
    folded = np.abs(chains - np.median(chains))
    return max(_basic_rhat(_rank_normalize(chains)), _basic_rhat(_rank_normalize(folded)))


def effective_sample_size(draws: FloatArray) -> float:
    r"""Number of independent draws worth as much for the mean as these correlated ones.

    .. math:: n_{eff} = \frac{m n}{1 + 2 \sum_t \hat\rho_t}

    for m half-chains of n draws of the normal scores, with the sum ended by
    Geyer's initial monotone sequence.

    Parameters
    ----------
    draws
        One quantity, shape (chains, draws).

    Returns
    -------
    float
        NaN for a constant quantity.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), Bayesian Analysis
    16:667-718.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(size=(4, 500))
    >>> 1500 < effective_sample_size(draws) < 2500
    True
    """
    _check(draws)
    if np.ptp(draws) == 0:
        return float("nan")
    chains = _rank_normalize(_split(draws))
    m, n = chains.shape
    centred = chains - chains.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, n=2 * n, axis=1)
    autocovariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :n].mean(axis=0) / n
    within = autocovariance[0] * n / (n - 1)
    pooled = within * (n - 1) / n + chains.mean(axis=1).var(ddof=1)
    correlation = 1 - (within - autocovariance * n / (n - 1)) / pooled
    correlation[0] = 1.0
    pairs = correlation[: n - n % 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    kept = pairs[: negative[0]] if len(negative) else pairs
    total = 2 * np.minimum.accumulate(kept).sum() - 1
    # Antithetic chains cannot be worth more than this: the estimate is not to be trusted there.
    return float(m * n / max(total, 1 / np.log10(m * n)))
