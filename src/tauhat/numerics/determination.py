"""How well one column tells another, in units that were left out."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from tauhat._typing import FloatArray, IntArray

_NEIGHBOURS = 10
# A column with fewer values is no part of a sum.
_FEWEST_VALUES = 10
_MOST_IN_PAIRS = 200


def told_by(x: FloatArray, targets: FloatArray, fold: IntArray) -> FloatArray:
    r"""Share of each target's variance that one column tells in units that were left out.

    Each value is predicted by the mean of the targets of the ten nearest values of
    ``x``, or of all equal ones, in the other folds:

    .. math:: R^2 = 1 - \sum_i (t_i - \hat t_i)^2 / \sum_i (t_i - \bar t)^2

    Parameters
    ----------
    x
        Shape (n,).
    targets
        Shape (n, k).
    fold
        Fold of each row, whole units, shape (n,).

    Returns
    -------
    ndarray, shape (k,)

    Examples
    --------
    >>> x = np.linspace(-2, 2, 200)
    >>> noise = np.random.default_rng(1).normal(size=200)
    >>> told_by(x, np.column_stack([x**2, noise]), np.arange(200) % 5).round(1)
    array([ 1. , -0.2])
    """
    error = np.zeros(targets.shape[1])
    for k in np.unique(fold):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        order = train[np.argsort(x[train], kind="stable")]
        known = x[order]
        total = np.vstack([np.zeros(targets.shape[1]), np.cumsum(targets[order], axis=0)])
        left = np.searchsorted(known, x[test], "left")
        right = np.searchsorted(known, x[test], "right")
        more = np.maximum(_NEIGHBOURS - (right - left), 0)
        left = np.maximum(left - (more + 1) // 2, 0)
        right = np.minimum(right + (more + 1) // 2, len(known))
        predicted = (total[right] - total[left]) / (right - left)[:, None]
        error += ((targets[test] - predicted) ** 2).sum(axis=0)
    spread = ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, 1 - error / spread, 0.0)


def mutual_determination(X: FloatArray, y: FloatArray, arm: IntArray, fold: IntArray) -> FloatArray:
    """How well each column tells the outcome, or the outcome the column, by ranks.

    Ranks make it blind to units, logarithms and single values far outside. The outcome is
    told as it is and within arms; the larger share counts, and that of the other way.

    Parameters
    ----------
    X
        Columns, shape (n, p).
    y, arm, fold
        Outcome, arm and fold of each row, shape (n,).

    Returns
    -------
    ndarray, shape (p,)

    Examples
    --------
    >>> y = np.linspace(0, 1, 200) ** 3
    >>> X = np.column_stack([y > 0.2, np.random.default_rng(1).normal(size=200)])
    >>> mutual_determination(X, y, np.arange(200) % 2, np.arange(200) % 5).round(1)
    array([1., 0.])
    """
    n, p = X.shape
    ranked = rankdata(y)
    within = ranked.copy()
    for a in np.unique(arm):
        within[arm == a] -= within[arm == a].mean()
    found = np.zeros(p)
    if n < 3 * _NEIGHBOURS:
        return found
    targets = np.column_stack([ranked, within])
    columns = rankdata(X, axis=0)
    for j in range(p):
        found[j] = told_by(columns[:, j], targets, fold).max()
    return np.maximum(np.maximum(found, told_by(ranked, columns, fold)), 0.0)


def telling_pair(X: FloatArray, y: FloatArray, fold: IntArray, least: float) -> list[int]:
    """The two columns of which the outcome is a sum or difference, or an empty list.

    Parameters
    ----------
    X
        Columns, shape (n, p).
    y, fold
        Outcome and fold of each row, shape (n,).
    least
        Share of the variance that they must tell in units that were left out, by least squares.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(80, 3))
    >>> telling_pair(X, X[:, 2] - 2 * X[:, 0], np.arange(80) % 5, 0.98)
    [0, 2]
    """
    varied = np.array([len(np.unique(X[:, j])) >= _FEWEST_VALUES for j in range(X.shape[1])])
    chosen = np.flatnonzero(varied)
    if len(y) < 3 * _NEIGHBOURS or not 2 <= len(chosen) <= _MOST_IN_PAIRS or np.ptp(y) == 0:
        return []
    r = np.corrcoef(np.column_stack([X[:, chosen], y]), rowvar=False)
    between, with_y = r[:-1, :-1], r[:-1, -1]
    apart = 1 - between**2
    np.fill_diagonal(apart, 0.0)
    squares = with_y[:, None] ** 2 + with_y[None, :] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (squares - 2 * with_y[:, None] * with_y[None, :] * between) / apart
    share[apart < 1e-8] = 0.0
    first, second = np.unravel_index(int(np.argmax(share)), share.shape)
    if share[first, second] < least:
        return []
    pair = chosen[[first, second]]
    design = np.column_stack([np.ones(len(y)), X[:, pair]])
    error = 0.0
    for k in np.unique(fold):
        slopes = np.linalg.lstsq(design[fold != k], y[fold != k], rcond=None)[0]
        error += float(((y - design @ slopes)[fold == k] ** 2).sum())
    told = 1 - error / float(((y - y.mean()) ** 2).sum())
    return sorted(pair.tolist()) if told >= least else []
