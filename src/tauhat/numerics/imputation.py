"""Missing covariates drawn from their distribution given the others, clusters respected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.standardised_columns import column_scales, ridge_rotation

ITERATIONS = 5
DONORS = 5
# With fewer values observed a donor is drawn from all of them.
_FEWEST = 10
# Of more persons these are drawn, which bounds the memory.
_MOST_DONORS = 2000
_TIES = 1e-9


@dataclass(frozen=True)
class IncompleteCovariate:
    """A covariate with missing values.

    Attributes
    ----------
    columns
        Its encoded columns, which are filled together.
    missing
        Who lacks it, shape (n,).
    of_cluster
        Whether it belongs to the cluster: a whole cluster then has or lacks it.
    """

    columns: IntArray
    missing: BoolArray
    of_cluster: bool


def draw_completed(
    X: FloatArray,
    predictors: IntArray,
    incomplete: Sequence[IncompleteCovariate],
    clusters: IntArray | None,
    rng: np.random.Generator,
    ratios: dict[int, FloatArray],
) -> FloatArray:
    r"""Covariates with each missing value taken from a person much like this one.

    Chained equations: in turn each incomplete covariate is regressed on the others, as they stand
    completed, by a linear mixed model with a random intercept of the cluster and one ridge penalty
    by REML. Coefficients, residual variance and intercepts are drawn from what is known of them,
    at the estimated variance ratios, and those observed are drawn with replacement; the value is
    that of one of the five of these whose expected value by the draw is nearest, so that skewed,
    whole and categorical values stay what they are. A covariate of the cluster is drawn for whole
    clusters from cluster means. Neither the outcome nor the arm has a part in it.

    Parameters
    ----------
    X
        Encoded covariates, missing values filled in any way, shape (n, p).
    predictors
        Columns that values are predicted from (no marks of missing values).
    incomplete
        The covariates with missing values.
    clusters
        Cluster 0 to m - 1, shape (n,), or None.
    rng
        Where the draws come from.
    ratios
        Log variance ratios of each column's model, where an earlier draw estimated them; those
        estimated here are put into it.

    References
    ----------
    Van Buuren and Groothuis-Oudshoorn (2011), Journal of Statistical Software 45(3); Little (1988),
    Journal of Business and Economic Statistics 6:287-296 (predictive mean matching); Siddique and
    Belin (2008), Statistics in Medicine 27:83-102 (donors drawn with replacement).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=400)
    >>> X = np.column_stack([x, x + 0.1 * rng.normal(size=400)])
    >>> gone = np.arange(400) < 100
    >>> one = IncompleteCovariate(np.array([1]), gone, False)
    >>> filled = draw_completed(np.where([[0, 1]] * gone[:, None], 0, X), np.arange(2), [one],
    ...                         None, rng, {})
    >>> bool(np.corrcoef(filled[gone].T)[0, 1] > 0.9)
    True
    """
    X = X.copy()
    order = sorted(incomplete, key=lambda one: int(one.missing.sum()))
    for one in order:
        rows = _units(one, clusters)
        known = rows[~one.missing[rows]]
        _fill(X, one, clusters, rows[one.missing[rows]], rng.choice(known, one.missing[rows].sum()))
    known_before = frozenset(ratios)
    for _ in range(ITERATIONS if len(order) > 1 else 1):
        for one in order:
            others = predictors[~np.isin(predictors, one.columns)]
            _redraw(X, others, one, clusters, rng, ratios, known_before)
    return X


def _units(one: IncompleteCovariate, clusters: IntArray | None) -> IntArray:
    """Rows that are drawn: everybody, or the first of each cluster."""
    if one.of_cluster and clusters is not None:
        first: IntArray = np.unique(clusters, return_index=True)[1]
        return first
    return np.arange(len(one.missing))


def _fill(
    X: FloatArray,
    one: IncompleteCovariate,
    clusters: IntArray | None,
    rows: IntArray,
    donors: IntArray,
) -> None:
    """Give rows, or all rows of their clusters, the donors' values."""
    if not one.of_cluster or clusters is None:
        X[np.ix_(rows, one.columns)] = X[np.ix_(donors, one.columns)]
        return
    for row, donor in zip(rows, donors, strict=True):
        X[np.ix_(clusters == clusters[row], one.columns)] = X[donor, one.columns]


def _redraw(
    X: FloatArray,
    others: IntArray,
    one: IncompleteCovariate,
    clusters: IntArray | None,
    rng: np.random.Generator,
    ratios: dict[int, FloatArray],
    known_before: frozenset[int],
) -> None:
    """Draw one covariate anew, given the others as they stand."""
    rows = _units(one, clusters)
    gone = one.missing[rows]
    if (~gone).sum() < _FEWEST or not len(others):
        _fill(X, one, clusters, rows[gone], rng.choice(rows[~gone], gone.sum()))
        return
    Z = X[:, others]
    of = clusters
    if one.of_cluster and clusters is not None:
        m = len(rows)
        size = np.bincount(clusters, minlength=m)[:, None]
        total = np.zeros((m, Z.shape[1]))
        np.add.at(total, clusters, Z)
        Z, of = total / size, None
    mean, scale = column_scales(Z)
    Z = ((Z - mean) / scale)[:, np.ptp(Z, axis=0) > 0]
    Z = Z @ ridge_rotation(Z) if Z.shape[1] else Z
    # Without this, the level of those observed would count as known.
    pool = rng.choice(np.flatnonzero(~gone), min(int((~gone).sum()), _MOST_DONORS))
    gap = np.zeros((int(gone.sum()), len(pool)))
    for j in one.columns:
        y = X[rows, j]
        if np.ptp(y[~gone]) == 0:
            continue
        center, spread = y[~gone].mean(), y[~gone].std()
        drawn = _predicted(
            (y - center) / spread, gone, Z, of, rng, ratios, int(j), int(j) in known_before
        )
        gap += (drawn[gone][:, None] - drawn[pool][None, :]) ** 2
    # Where nothing predicts it, all are as near.
    gap += _TIES * rng.random(gap.shape)
    k = min(DONORS, len(pool))
    nearest = np.argpartition(gap, k - 1, axis=1)[:, :k]
    pick = nearest[np.arange(len(nearest)), rng.integers(0, k, len(nearest))]
    _fill(X, one, clusters, rows[gone], rows[pool[pick]])


def _predicted(
    y: FloatArray,
    gone: BoolArray,
    Z: FloatArray,
    clusters: IntArray | None,
    rng: np.random.Generator,
    ratios: dict[int, FloatArray],
    column: int,
    estimated: bool,
) -> FloatArray:
    """Expected values by a draw of the parameters, shape (n,)."""
    known = ~gone
    fixed = np.ones((len(y), 1))
    own = None if clusters is None else np.unique(clusters[known], return_inverse=True)[1]
    # One person a cluster tells nothing of it.
    own = None if own is None or own.max() + 1 > 0.8 * len(own) else own
    blocks = [Z[known]] if Z.shape[1] else []
    model = MixedModel(y[known], fixed[known], blocks, own)
    before = ratios.get(column)
    fit = model.at(before) if estimated and before is not None else model.fit(start=before)
    ratios[column] = fit.log_ratios
    (coefficients,), (variance,) = model.conditional(fit.log_ratios).draws(1, rng)
    draw: FloatArray = np.hstack([fixed, Z]) @ coefficients
    if own is None or clusters is None:
        return draw
    m = int(clusters.max()) + 1
    size = np.bincount(clusters[known], minlength=m)
    ratio = fit.between_cluster_variance / fit.residual_variance
    residual = np.bincount(clusters[known], weights=(y - draw)[known], minlength=m)
    shrunk = ratio / (1 + ratio * size)
    intercept = shrunk * residual + np.sqrt(variance * shrunk) * rng.normal(size=m)
    draw += intercept[clusters]
    return draw
