"""Elastic net on standardised columns with the penalty chosen by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray

# The walk along the penalties looks up after so many whether to go on; with few columns
# the looking up takes longer than the rest of the walk.
_PENALTIES_AT_ONCE = 4
_FEW_COLUMNS = 50

# The Gram matrix of more columns than rows is kept up to this many (32 MB).
_MOST_COLUMNS_OF_A_GRAM = 2000

# Of more rows the folds subtract their sums of squares from those of all; with fewer the products
# are cheap, and those of the very rows have a few digits more.
_MANY_ROWS = 20_000


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
    patience: int = 12,
) -> ElasticNetFit:
    r"""Fit an elastic net whose penalty minimises the cross-validated squared error.

    .. math:: \min_{a, b} \frac{1}{2 \sum_i w_i} \sum_i w_i (y_i - a - x_i' b)^2
              + \lambda \Big(\alpha |b|_1 + \frac{1 - \alpha}{2} |b|_2^2\Big)

    on columns scaled to variance one. The folds walk the same grid of penalties
    in step, each on its Gram matrix and warm-started, from the largest penalty
    down. With more than 50 columns the walk ends when the error has not fallen
    for ``patience`` penalties: the far end, where the model is densest, takes
    most of the time and is hardly ever chosen. Of equal errors the larger
    penalty wins.

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
    patience
        Penalties without a smaller error after which smaller ones are not tried.

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
    # Steps in turn draw nothing, but each walk would make a generator of its own to draw from.
    solver = _Solver(tolerance, np.random.RandomState(0))
    sums = None
    if len(y) > _MANY_ROWS and Z.shape[1] <= _MOST_COLUMNS_OF_A_GRAM:
        sums = _sums_of_folds(Z, y - location, weight, folds)
    for l1_ratio in l1_ratios:
        grid = correlation / l1_ratio * steps
        parts: list[_Fold] | list[_FoldOfMany]
        if sums is None:
            parts = [
                _Fold(Z, y, weight, folds == fold, l1_ratio, solver) for fold in np.unique(folds)
            ]
        else:
            parts = [_FoldOfMany(*of_fold, l1_ratio, solver) for of_fold in sums]
        errors = _walk(parts, grid, patience)
        chosen = int(np.argmin(errors))
        if errors[chosen] < best[0]:
            best = (float(errors[chosen]), chosen, l1_ratio)
    error, chosen, l1_ratio = best
    penalties = correlation / l1_ratio * steps[: chosen + 1]
    whole = _Path.of(Z, y - location, weight, l1_ratio, solver)
    coef[kept] = whole.extend(penalties)[:, -1] / scale[kept]
    return ElasticNetFit(
        intercept=location - float(centre @ coef),
        coef=coef,
        penalty=float(penalties[-1]),
        l1_ratio=l1_ratio,
        cv_error=error / len(y),
    )


def _walk(parts: Sequence[_Fold | _FoldOfMany], penalties: FloatArray, patience: int) -> FloatArray:
    """Squared error summed over the folds at each penalty, until it no longer falls."""
    errors: FloatArray = np.empty(0)
    few = parts[0].path.columns.shape[1] <= _FEW_COLUMNS
    step = len(penalties) if few else _PENALTIES_AT_ONCE
    while len(errors) < len(penalties):
        block = penalties[len(errors) : len(errors) + step]
        errors = np.r_[errors, sum(part.errors(block) for part in parts)]
        if len(errors) - 1 - int(np.argmin(errors)) >= patience:
            break
    return errors


@dataclass(frozen=True, eq=False)
class _Solver:
    """When coordinate descent stops, and the generator that scikit-learn asks for."""

    tolerance: float
    generator: np.random.RandomState


class _Path:
    """Coefficients along falling penalties, a block of penalties at a time."""

    def __init__(
        self,
        columns: FloatArray,
        target: FloatArray,
        l1_ratio: float,
        solver: _Solver,
        gram: FloatArray | None = None,
        products: FloatArray | None = None,
    ) -> None:
        self.columns, self.target = columns, target
        self.l1_ratio, self.solver = l1_ratio, solver
        self.gram, self.products = gram, products
        self.last: FloatArray | None = None

    @classmethod
    def of(
        cls,
        centred: FloatArray,
        y: FloatArray,
        weight: FloatArray,
        l1_ratio: float,
        solver: _Solver,
    ) -> _Path:
        """Path on centred columns and outcome."""
        root = np.sqrt(weight / weight.mean())
        columns: FloatArray = np.asfortranarray(centred * root[:, None])
        target: FloatArray = y * root
        n, p = columns.shape
        if p > max(n, _MOST_COLUMNS_OF_A_GRAM):
            return cls(columns, target, l1_ratio, solver)
        # Steps on the Gram matrix cost nothing for the columns that stay at zero.
        gram, products = columns.T @ columns, columns.T @ target
        # Of the columns only the shape is read beside their products: let them go.
        return cls(_shape_only(n, p), target, l1_ratio, solver, gram, products)

    @classmethod
    def of_sums(cls, sums: FloatArray, n: int, l1_ratio: float, solver: _Solver) -> _Path:
        """Path from centred sums of ``n`` rows, as `_centred` gives them."""
        scaled = sums[1:, 1:] * n / sums[0, 0]
        # Of the outcome only the length and the norm are read beside the products.
        target = np.zeros(n)
        target[0] = np.sqrt(scaled[-1, -1])
        gram, products = np.ascontiguousarray(scaled[:-1, :-1]), scaled[:-1, -1].copy()
        columns = _shape_only(n, len(gram))
        return cls(columns, target, l1_ratio, solver, gram, products)

    def extend(self, penalties: FloatArray) -> FloatArray:
        """Coefficients at the next penalties, shape (p, number of penalties)."""
        from sklearn import config_context
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import enet_path  # a third of a second to import

        # A block of few penalties takes less time than scikit-learn's checks of its settings.
        unchecked = config_context(skip_parameter_validation=True, assume_finite=True)
        with warnings.catch_warnings(), unchecked:
            # The tail of the path need not converge to the last digit to lose the comparison.
            warnings.simplefilter("ignore", ConvergenceWarning)
            _, found, _ = enet_path(
                self.columns,
                self.target,
                l1_ratio=self.l1_ratio,
                alphas=penalties,
                precompute=False if self.gram is None else self.gram,
                Xy=self.products,
                coef_init=self.last,
                check_input=False,
                tol=self.solver.tolerance,
                max_iter=1000,
                random_state=self.solver.generator,
            )
        coefs = np.asarray(found, dtype=np.float64)
        self.last = np.ascontiguousarray(coefs[:, -1])
        return coefs


class _Fold:
    """One fold left out: a path on the other rows and its errors on these."""

    def __init__(
        self,
        Z: FloatArray,
        y: FloatArray,
        weight: FloatArray,
        out: BoolArray,
        l1_ratio: float,
        solver: _Solver,
    ) -> None:
        inside = ~out
        centre = np.average(Z[inside], axis=0, weights=weight[inside])
        mean = np.average(y[inside], weights=weight[inside])
        centred = Z[inside] - centre
        self.path = _Path.of(centred, y[inside] - mean, weight[inside], l1_ratio, solver)
        self.columns = Z[out] - centre
        self.target, self.weight = y[out] - mean, weight[out]

    def errors(self, penalties: FloatArray) -> FloatArray:
        """Weighted squared error of the rows left out, at the next penalties."""
        missed = self.target[:, None] - self.columns @ self.path.extend(penalties)
        errors: FloatArray = (self.weight[:, None] * missed**2).sum(axis=0)
        return errors


class _FoldOfMany:
    """The same from sums of squares and products of its own rows and of the others."""

    def __init__(
        self, own: FloatArray, others: FloatArray, n_others: int, l1_ratio: float, solver: _Solver
    ) -> None:
        self.path = _Path.of_sums(others, n_others, l1_ratio, solver)
        self.sums = own

    def errors(self, penalties: FloatArray) -> FloatArray:
        """Weighted squared error of the rows left out, at the next penalties."""
        coefficients = self.path.extend(penalties)
        missed = np.vstack([-coefficients, np.ones(coefficients.shape[1])])
        errors: FloatArray = ((self.sums @ missed) * missed).sum(axis=0)
        return errors


def _sums_of_folds(
    Z: FloatArray, y: FloatArray, weight: FloatArray, folds: IntArray
) -> list[tuple[FloatArray, FloatArray, int]]:
    """Of each fold the sums of its own rows and of the others, less the others' means, and n."""
    numbers = np.unique(folds)
    sums = [_sums(Z, y, weight, folds == fold) for fold in numbers]
    total = sum(sums)
    found = []
    for fold, own in zip(numbers, sums, strict=True):
        others = total - own
        centre = others[0] / others[0, 0]
        centred = _centred(own, centre)[1:, 1:], _centred(others, centre)
        found.append((*centred, int((folds != fold).sum())))
    return found


def _sums(Z: FloatArray, y: FloatArray, weight: FloatArray, rows: BoolArray) -> FloatArray:
    """Weighted sums of squares and products of one, the columns and the outcome, (p + 2) square."""
    columns = np.column_stack([np.ones(int(rows.sum())), Z[rows], y[rows]])
    sums: FloatArray = columns.T @ (columns * weight[rows, None])
    return sums


def _centred(sums: FloatArray, centre: FloatArray) -> FloatArray:
    """Sums of columns less a centre, whose first entry is one; those of one stay."""
    shift = np.eye(len(sums))
    shift[0, 1:] -= centre[1:]
    centred: FloatArray = shift.T @ sums @ shift
    return centred


def _shape_only(n: int, p: int) -> FloatArray:
    """An array of zeros that takes no memory."""
    return np.broadcast_to(np.zeros(1), (n, p))
