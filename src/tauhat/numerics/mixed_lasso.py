"""Lasso beside a random intercept, its penalty by cross-validation over whole clusters."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from tauhat._typing import FloatArray, IntArray

_N_PENALTIES = 40
_NOISE = 1e-10
_SMALLEST_PENALTY = 0.01
_TOLERANCE = 1e-8


def whiten_intercepts(
    columns: FloatArray,
    clusters: IntArray | None,
    ratios: FloatArray,
    weight: FloatArray | None = None,
) -> FloatArray:
    r"""Columns times the square root of the inverse covariance of a random intercept.

    .. math:: W v = \tilde v - c\, s\,\frac{s'\tilde v}{s's}, \quad
              \tilde v = s \circ v, \quad c = 1 - (1 + \varphi\, s's)^{-1/2}

    within each cluster, with :math:`s = \sqrt w`.

    Parameters
    ----------
    columns
        Shape (n, k).
    clusters
        Cluster number 0 to m - 1 of each row, or None for independent rows.
    ratios
        Between-cluster over residual variance :math:`\varphi` of each cluster,
        shape (m,); ignored without clusters.
    weight
        Positive weights, or None.

    Returns
    -------
    ndarray, shape (n, k)

    Examples
    --------
    >>> white = whiten_intercepts(np.ones((4, 1)), np.array([0, 0, 1, 1]), np.array([4.0, 0.0]))
    >>> white[:, 0].round(3).tolist()
    [0.333, 0.333, 1.0, 1.0]
    """
    root = np.ones(len(columns)) if weight is None else np.sqrt(weight)
    scaled = columns * root[:, None]
    if clusters is None:
        return scaled
    size = np.bincount(clusters, root**2, len(ratios))
    sums = np.zeros((len(ratios), columns.shape[1]))
    np.add.at(sums, clusters, root[:, None] * scaled)
    shrink = 1 - 1 / np.sqrt(1 + ratios * size)
    share = sums * (shrink / np.maximum(size, 1e-300))[:, None]
    white: FloatArray = scaled - root[:, None] * share[clusters]
    return white


@dataclass(frozen=True)
class MixedLassoFit:
    """A fitted lasso.

    Attributes
    ----------
    free
        Coefficients without penalty, shape (f,).
    sparse
        Coefficients with the penalty, shape (p,).
    penalty
        The chosen lambda.
    """

    free: FloatArray
    sparse: FloatArray
    penalty: float


def fit_mixed_lasso(
    y: FloatArray, free: FloatArray, sparse: FloatArray, folds: IntArray
) -> MixedLassoFit:
    r"""Fit a lasso on whitened rows; the penalty has the least held-out squared error.

    .. math:: \min_{a, b} \frac{1}{2n} \lVert y - F a - Z b \rVert^2 + \lambda \lvert b \rvert_1

    The columns are not rescaled: standardise them before they are whitened.

    Parameters
    ----------
    y
        Outcome, shape (n,).
    free
        Columns without penalty, shape (n, f), of full rank in every fold's complement.
    sparse
        Columns with the penalty, shape (n, p).
    folds
        Fold of each row, shape (n,); whole clusters.

    Returns
    -------
    MixedLassoFit

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> Z = rng.normal(size=(100, 20))
    >>> y = 1 + 2 * Z[:, 3] + 0.1 * rng.normal(size=100)
    >>> fit = fit_mixed_lasso(y, np.ones((100, 1)), Z, np.arange(100) % 5)
    >>> int(np.abs(fit.sparse).argmax()), bool(abs(fit.sparse[3] - 2) < 0.1)
    (3, True)
    """
    # What is left of a constant column is rounding noise, which a path would blow up.
    sparse = np.where(np.abs(sparse).max(axis=0, initial=0.0) <= _NOISE, 0.0, sparse)
    basis, _ = np.linalg.qr(free)
    largest = float(np.abs(sparse.T @ (y - basis @ (basis.T @ y))).max(initial=0.0)) / len(y)
    if largest == 0:
        start = np.asarray(np.linalg.lstsq(free, y, rcond=None)[0], dtype=np.float64)
        return MixedLassoFit(start, np.zeros(sparse.shape[1]), 0.0)
    penalties = largest * np.logspace(0, np.log10(_SMALLEST_PENALTY), _N_PENALTIES)
    errors = np.zeros(_N_PENALTIES)
    for fold in np.unique(folds):
        out = folds == fold
        heads, coefficients = _path(y[~out], free[~out], sparse[~out], penalties)
        missed = y[out, None] - free[out] @ heads - sparse[out] @ coefficients
        errors += (missed**2).sum(axis=0)
    best = int(np.argmin(errors))
    heads, coefficients = _path(y, free, sparse, penalties[: best + 1])
    return MixedLassoFit(heads[:, -1], coefficients[:, -1], float(penalties[best]))


def _path(
    y: FloatArray, free: FloatArray, sparse: FloatArray, penalties: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Coefficients of free and of sparse columns along falling penalties."""
    basis, root = np.linalg.qr(free)
    both = np.column_stack([y, sparse])
    onto = basis.T @ both
    left = both - basis @ onto
    A, b = np.asfortranarray(left[:, 1:]), np.ascontiguousarray(left[:, 0])
    use_gram = A.shape[0] > A.shape[1]
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import enet_path  # a third of a second to import

    with warnings.catch_warnings():
        # The tail of the path need not converge to the last digit to lose the comparison.
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, coefficients, _ = enet_path(
            A,
            b,
            l1_ratio=1.0,
            alphas=penalties,
            precompute=A.T @ A if use_gram else False,
            Xy=A.T @ b if use_gram else None,
            check_input=False,
            tol=_TOLERANCE,
            max_iter=1000,
        )
    coefficients = np.asarray(coefficients, dtype=np.float64)
    heads: FloatArray = linalg.solve_triangular(root, onto[:, :1] - onto[:, 1:] @ coefficients)
    return heads, coefficients
