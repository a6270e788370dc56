"""Penalised cubic splines as random effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline

from tauhat._typing import BoolArray, FloatArray

# Two values make a line and three a parabola; a curve needs a few more to be worth a basis.
_FEWEST_VALUES = 5


@dataclass(frozen=True)
class SmoothTerm:
    r"""Curved part of a cubic spline of one covariate, ready to be a random block.

    With B-splines :math:`B` and the penalty :math:`S = \int (B'')(B'')^T`, the
    eigenvectors of :math:`S` with positive eigenvalues give columns
    :math:`Z = B U D^{-1/2}` whose coefficients are independent with one
    variance: the smoothing-spline prior. The straight line is left to the
    fixed effects. Columns are centred and scaled to mean square 1 over the
    term on the training rows.

    Attributes
    ----------
    column
        Position of the covariate.
    knots
        Knots of the B-splines, with repeated ends.
    rotation
        From B-splines to the curved columns, shape (splines, q).
    centre
        Means of the columns on the training rows, shape (q,).
    """

    column: int
    knots: FloatArray
    rotation: FloatArray
    centre: FloatArray

    def columns(self, X: FloatArray) -> FloatArray:
        """Curved columns at new rows, shape (k, q); constant beyond the training range."""
        low, high = self.knots[0], self.knots[-1]
        inside = np.clip(X[:, self.column], low, high)
        curved: FloatArray = _splines(inside, self.knots, self.rotation) - self.centre
        return curved


def _splines(x: FloatArray, knots: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Cubic splines of some coefficients, shape (splines, q), at ``x``, shape (k, q)."""
    # Without the checks of its arguments, which take longer than their values.
    values: FloatArray = BSpline.construct_fast(knots, coefficients, 3)(x)
    return values


def _curvature(knots: FloatArray) -> FloatArray:
    """Integral of products of second derivatives of cubic B-splines."""
    first = 3 * np.diff(np.eye(len(knots) - 4), axis=0) / (knots[4:-1] - knots[1:-4])[:, None]
    second = 2 * np.diff(first, axis=0) / (knots[4:-2] - knots[2:-4])[:, None]
    # Second derivatives are linear between knots: means and half differences give their products.
    length = np.diff(knots[3:-3])[:, None]
    middle, half = (second[1:] + second[:-1]) / 2, (second[1:] - second[:-1]) / 2
    curvature: FloatArray = middle.T @ (length * middle) + half.T @ (length * half) / 3
    return curvature


def smooth_term(X: FloatArray, column: int, n_splines: int) -> SmoothTerm | None:
    """Curved spline columns of one covariate, or None when it has too few values.

    Parameters
    ----------
    X
        Covariates of the training rows, shape (n, p).
    column
        Which covariate.
    n_splines
        Size of the B-spline basis, at least 4; reduced to the number of
        different values.

    Returns
    -------
    SmoothTerm or None

    Examples
    --------
    >>> x = np.linspace(0, 1, 50)[:, None]
    >>> smooth_term(x, 0, 10).columns(x).shape
    (50, 8)
    >>> smooth_term(np.round(x), 0, 10) is None
    True
    """
    values = np.unique(X[:, column])
    if len(values) < _FEWEST_VALUES:
        return None
    n_splines = max(4, min(n_splines, len(values) - 1))
    shares = np.linspace(0, 1, n_splines - 2)[1:-1]
    inner = np.unique(np.quantile(X[:, column], shares)) if len(shares) else np.zeros(0)
    inner = inner[(inner > values[0]) & (inner < values[-1])]
    knots = np.r_[[values[0]] * 4, inner, [values[-1]] * 4]
    eigenvalues, vectors = np.linalg.eigh(_curvature(knots))
    curved = eigenvalues > 1e-9 * eigenvalues[-1]
    rotation = vectors[:, curved] / np.sqrt(eigenvalues[curved])
    basis = _splines(X[:, column], knots, rotation)
    centre = basis.mean(axis=0)
    size = np.sqrt(((basis - centre) ** 2).sum(axis=1).mean())
    return SmoothTerm(column, knots, rotation / size, centre / size)


def smooth_terms(
    X: FloatArray, cluster_level: BoolArray, n_units: int, n_splines: int = 10
) -> list[SmoothTerm]:
    """Smooth terms of all covariates with enough values; small bases at cluster level.

    Parameters
    ----------
    X
        Covariates of the training rows, shape (n, p).
    cluster_level
        Which covariates are constant within clusters, shape (p,).
    n_units
        Number of clusters: a cluster-level covariate has no more values than
        that, and gets a basis of at most 5 and at most a quarter of it.
    n_splines
        Basis size of individual-level covariates.

    Returns
    -------
    list of SmoothTerm

    Examples
    --------
    >>> x = np.random.default_rng(1).normal(size=(60, 2))
    >>> len(smooth_terms(x, np.array([False, False]), 60))
    2
    """
    terms = []
    for j in range(X.shape[1]):
        size = min(5, n_units // 4) if cluster_level[j] else n_splines
        if size < 4:
            continue
        term = smooth_term(X, j, size)
        if term is not None:
            terms.append(term)
    return terms


def smooth_columns(terms: list[SmoothTerm], X: FloatArray) -> FloatArray:
    """Curved columns of all terms side by side, shape (k, q)."""
    if not terms:
        return np.zeros((len(X), 0))
    return np.hstack([term.columns(X) for term in terms])
