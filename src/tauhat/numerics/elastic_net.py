"""Elastic net on standardised columns with the penalty chosen by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path

from tauhat._typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class ElasticNetFit:
    """A fitted elastic net.

    Attributes
    ----------
    intercept
        On the scale of ``y``.
    coef
        On the scale of the columns as given, shape (p,); zero for constant columns.
    penalty
        The chosen lambda, for standardised columns.
    l1_ratio
        The chosen share of the absolute-value penalty.
    cv_error
        Mean squared error in cross-validation at the chosen penalty; NaN when
        there was nothing to choose.
    """

    intercept: float
    coef: FloatArray
    penalty: float
    l1_ratio: float
    cv_error: float

    def predict(self, X: FloatArray) -> FloatArray:
        """Fitted values at ``X`` of shape (k, p), shape (k,)."""
        fitted: FloatArray = self.intercept + X @ self.coef
        return fitted


def fit_elastic_net(
    X: FloatArray,
    y: FloatArray,
    folds: IntArray,
    *,
    sample_weight: FloatArray | None = None,
    l1_ratios: Sequence[float] = (1.0,),
    n_penalties: int = 50,
    smallest_penalty: float = 1e-3,
    tolerance: float = 1e-4,
) -> ElasticNetFit:
    r"""Fit an elastic net whose penalty minimises the cross-validated squared error.

    .. math:: \min_{a, b} \frac{1}{2 \sum_i w_i} \sum_i w_i (y_i - a - x_i' b)^2
              + \lambda \Big(\alpha |b|_1 + \frac{1 - \alpha}{2} |b|_2^2\Big)

    on columns scaled to variance one. Every fold walks the same grid of
    penalties on its Gram matrix, warm-started from the largest down. Of equal
    errors the larger penalty wins.

    Parameters
    ----------
    X
        Columns, shape (n, p).
    y
        Outcome, shape (n,).
    folds
        Fold of each row, shape (n,); with a single fold the largest penalty is
        used, that is, the mean of ``y``.
    sample_weight
        Positive weights, shape (n,), or None.
    l1_ratios
        Values of alpha to choose from, each in (0, 1].
    n_penalties
        Length of the grid.
    smallest_penalty
        Last penalty of the grid, as a share of the one that empties the model.
    tolerance
        Duality-gap tolerance of the coordinate descent.

    Returns
    -------
    ElasticNetFit

    Raises
    ------
    ValueError
        If an ``l1_ratio`` lies outside (0, 1].

    Examples
    --------
    >>> x = np.linspace(-1, 1, 50)
    >>> X = np.column_stack([x, np.cos(9 * x)])
    >>> fit = fit_elastic_net(X, 1 + 2 * x, np.arange(50) % 5)
    >>> fit.coef.round(1) + 0.0
    array([2., 0.])
    """
    if not l1_ratios or min(l1_ratios) <= 0 or max(l1_ratios) > 1:
        raise ValueError(f"l1_ratios must lie in (0, 1], got {list(l1_ratios)}")
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    weight = weight / weight.mean()
    centre = np.average(X, axis=0, weights=weight)
    scale = np.sqrt(np.average((X - centre) ** 2, axis=0, weights=weight))
    # A column that is constant up to rounding must not be blown up to variance one.
    kept = scale > 1e-10 * np.maximum(np.abs(centre), np.finfo(float).tiny)
    Z = np.asfortranarray((X[:, kept] - centre[kept]) / scale[kept])
    location = float(np.average(y, weights=weight))
    correlation = np.abs(Z.T @ (weight * (y - location))).max(initial=0.0) / len(y)
    coef = np.zeros(X.shape[1])
    if correlation == 0 or folds.max() == folds.min():
        return ElasticNetFit(location, coef, np.inf, l1_ratios[0], np.nan)
    steps = np.logspace(0, np.log10(smallest_penalty), n_penalties)
    best = (np.inf, 0, l1_ratios[0])
    for l1_ratio in l1_ratios:
        errors = np.zeros(n_penalties)
        for fold in np.unique(folds):
            out = folds == fold
            errors += _path_error(
                Z, y, weight, out, l1_ratio, correlation / l1_ratio * steps, tolerance
            )
        chosen = int(np.argmin(errors))
        if errors[chosen] < best[0]:
            best = (float(errors[chosen]), chosen, l1_ratio)
    error, chosen, l1_ratio = best
    penalties = correlation / l1_ratio * steps[: chosen + 1]
    path = _path(Z, y - location, weight, l1_ratio, penalties, tolerance)[:, -1]
    coef[kept] = path / scale[kept]
    return ElasticNetFit(
        intercept=location - float(centre @ coef),
        coef=coef,
        penalty=float(penalties[-1]),
        l1_ratio=l1_ratio,
        cv_error=error / len(y),
    )


def _path(
    centred: FloatArray,
    y: FloatArray,
    weight: FloatArray,
    l1_ratio: float,
    penalties: FloatArray,
    tolerance: float,
) -> FloatArray:
    """Coefficients along falling penalties, shape (p, number of penalties)."""
    root = np.sqrt(weight / weight.mean())
    A = np.asfortranarray(centred * root[:, None])
    b = y * root
    use_gram = A.shape[0] > A.shape[1]
    with warnings.catch_warnings():
        # The tail of the path need not converge to the last digit to lose the comparison.
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, coefs, _ = enet_path(
            A,
            b,
            l1_ratio=l1_ratio,
            alphas=penalties,
            precompute=A.T @ A if use_gram else False,
            Xy=A.T @ b if use_gram else None,
            check_input=False,
            tol=tolerance,
            max_iter=1000,
            random_state=0,
        )
    coefs = np.asarray(coefs, dtype=np.float64)
    return coefs


def _path_error(
    Z: FloatArray,
    y: FloatArray,
    weight: FloatArray,
    out: BoolArray,
    l1_ratio: float,
    penalties: FloatArray,
    tolerance: float,
) -> FloatArray:
    """Weighted squared error of the rows left out, at every penalty."""
    inside = ~out
    centre = np.average(Z[inside], axis=0, weights=weight[inside])
    mean = np.average(y[inside], weights=weight[inside])
    coefs = _path(
        Z[inside] - centre, y[inside] - mean, weight[inside], l1_ratio, penalties, tolerance
    )
    missed = (y[out] - mean)[:, None] - (Z[out] - centre) @ coefs
    errors: FloatArray = (weight[out, None] * missed**2).sum(axis=0)
    return errors
