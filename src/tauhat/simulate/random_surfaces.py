"""Random outcome and effect surfaces of many shapes, for trials that nobody had in mind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from tauhat._typing import FloatArray, IntArray

#: A function of covariates of shape (n, p) with values of shape (n,).
Surface = Callable[[FloatArray], FloatArray]
_Maker = Callable[[FloatArray, np.random.Generator], Surface]


def _chosen(p: int, most: int, rng: np.random.Generator) -> IntArray:
    """Some covariates, one to `most` of them."""
    count = min(int(rng.integers(1, most + 1)), p)
    return rng.permutation(p)[:count]


def _threshold(column: FloatArray, rng: np.random.Generator) -> float:
    """A cut of a covariate that leaves a fair share of the persons on either side."""
    values = np.unique(column)
    if len(values) < 3:
        return float(values.mean())
    below, above = np.quantile(column, [0.2, 0.8])
    return float(rng.uniform(below, max(above, below + 1e-9)))


def _lines(columns: IntArray, slopes: FloatArray) -> Surface:
    return lambda rows: rows[:, columns] @ slopes


def sparse_lines(X: FloatArray, rng: np.random.Generator) -> Surface:
    """Straight lines in one to three covariates."""
    columns = _chosen(X.shape[1], 3, rng)
    return _lines(columns, rng.normal(size=len(columns)))


def dense_lines(X: FloatArray, rng: np.random.Generator) -> Surface:
    """Straight lines in all covariates, with slopes of unequal size."""
    p = X.shape[1]
    slopes: FloatArray = np.multiply(rng.normal(size=p), rng.exponential(size=p))
    return _lines(np.arange(p), slopes)


def curves(X: FloatArray, rng: np.random.Generator) -> Surface:
    """Sum of smooth random functions of one to four single covariates."""
    parts = [_smooth(X, np.array([column]), rng) for column in _chosen(X.shape[1], 4, rng)]
    return lambda rows: np.sum([part(rows) for part in parts], axis=0)


def steps(X: FloatArray, rng: np.random.Generator) -> Surface:
    """Jumps at thresholds of one to three covariates."""
    columns = _chosen(X.shape[1], 3, rng)
    cuts = np.array([_threshold(X[:, column], rng) for column in columns])
    jumps = rng.normal(size=len(columns))
    return lambda rows: (rows[:, columns] > cuts) @ jumps


def trees(X: FloatArray, rng: np.random.Generator) -> Surface:
    """One to three trees of two or three levels, each level one threshold of one covariate."""
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        depth = int(rng.integers(2, 4))
        columns = rng.integers(X.shape[1], size=depth)
        cuts = np.array([_threshold(X[:, column], rng) for column in columns])
        parts.append((columns, cuts, rng.normal(size=2**depth)))

    def surface(rows: FloatArray) -> FloatArray:
        total = np.zeros(len(rows))
        for columns, cuts, leaves in parts:
            sides = (rows[:, columns] > cuts).astype(np.int64)
            total += leaves[sides @ (1 << np.arange(len(columns)))]
        return total

    return surface


def products(X: FloatArray, rng: np.random.Generator) -> Surface:
    """Products of one to three pairs of covariates, with their lines or without."""
    pairs = rng.integers(X.shape[1], size=(int(rng.integers(1, 4)), 2))
    weights = rng.normal(size=len(pairs))
    centre = X.mean(axis=0)
    alone = rng.normal(size=len(pairs)) * float(rng.integers(0, 2))

    def surface(rows: FloatArray) -> FloatArray:
        first, second = ((rows - centre)[:, pairs[:, side]] for side in (0, 1))
        total: FloatArray = (first * second) @ weights + first @ alone
        return total

    return surface


def _smooth(X: FloatArray, columns: IntArray, rng: np.random.Generator) -> Surface:
    """A draw of a Gaussian process in some covariates, by random Fourier features."""
    n_features = 50
    scale = X[:, columns].std(axis=0)
    scale[scale == 0] = 1.0
    length = rng.uniform(0.6, 2.5) * np.sqrt(len(columns))
    frequencies = rng.normal(size=(len(columns), n_features)) / scale[:, None] / length
    phases = rng.uniform(0, 2 * np.pi, n_features)
    weights = rng.normal(size=n_features)
    return lambda rows: np.cos(rows[:, columns] @ frequencies + phases) @ weights


def smooth(X: FloatArray, rng: np.random.Generator) -> Surface:
    """A draw of a Gaussian process in one to five covariates together."""
    return _smooth(X, _chosen(X.shape[1], 5, rng), rng)


#: Shapes by name.
SHAPES: Final[dict[str, _Maker]] = {
    "sparse lines": sparse_lines,
    "dense lines": dense_lines,
    "curves": curves,
    "steps": steps,
    "trees": trees,
    "products": products,
    "smooth": smooth,
}


def random_surface(X: FloatArray, n_shapes: int, rng: np.random.Generator) -> Surface:
    """Sum of surfaces of random shapes, each and their sum with mean 0 and SD 1 over some persons.

    Parameters
    ----------
    X
        Covariates of many persons, shape (n, p), over whom it is standardised.
    n_shapes
        Number of shapes that are added up.
    rng
        Generator.

    Returns
    -------
    callable
        Of covariates, shape (k, p), with values of shape (k,).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(1000, 3))
    >>> values = random_surface(X, 2, rng)(X)
    >>> round(float(values.std()), 6)
    1.0
    """
    names = rng.choice(list(SHAPES), size=n_shapes)
    parts = [_standardised(SHAPES[name](X, rng), X) for name in names]
    shares = rng.uniform(0.3, 1.0, n_shapes)
    return _standardised(
        lambda rows: np.sum(
            [w * part(rows) for w, part in zip(shares, parts, strict=True)], axis=0
        ),
        X,
    )


def _standardised(surface: Surface, X: FloatArray) -> Surface:
    values = surface(X)
    mean, sd = values.mean(), values.std()
    # A surface that is flat over the persons stays so.
    divisor = sd if sd > 1e-9 else np.inf
    return lambda rows: (surface(rows) - mean) / divisor
