"""Cholesky factors and what is solved with them, straight from LAPACK.

The searches and chains over variance ratios factor small matrices thousands of times.
`scipy.linalg` checks and copies its arguments at every call, which at some tens of columns
costs more than the arithmetic; these do neither, so their arguments must be finite.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf, dtrtri, dtrtrs

from tauhat._typing import FloatArray


def less_cross_products(gram: FloatArray, rows: FloatArray) -> FloatArray:
    """Upper triangle of ``gram - rows.T @ rows``, in a new array that `factor` can take.

    Parameters
    ----------
    gram
        Symmetric, shape (q, q); only its upper triangle is read, cheapest column-major.
    rows
        Shape (m, q); C-contiguous rows are not copied.

    Returns
    -------
    ndarray, shape (q, q)
        Column-major; what stands below the diagonal means nothing.

    Examples
    --------
    >>> np.triu(less_cross_products(4 * np.eye(2), np.array([[1.0, 1.0]]))).tolist()
    [[3.0, -1.0], [0.0, 3.0]]
    """
    result: FloatArray = gram.copy(order="F")
    if len(rows):
        result = dsyrk(-1.0, rows.T, 1.0, result, overwrite_c=1)
    return result


def factor(precision: FloatArray) -> FloatArray:
    """Upper-triangular R with ``R.T @ R`` equal to a matrix of which the upper triangle is read.

    Parameters
    ----------
    precision
        Symmetric and positive definite, shape (q, q); overwritten if column-major.

    Raises
    ------
    numpy.linalg.LinAlgError
        If it is not positive definite or not finite.

    Examples
    --------
    >>> factor(np.array([[4.0, 2.0], [2.0, 5.0]])).tolist()
    [[2.0, 1.0], [0.0, 2.0]]
    """
    root, failed = dpotrf(precision, lower=0, clean=1, overwrite_a=1)
    # Numbers that are not finite reach the diagonal, of which LAPACK need not say so.
    if failed or not np.isfinite(np.trace(root)):
        raise np.linalg.LinAlgError(f"a matrix of {len(precision)} columns has no Cholesky factor")
    found: FloatArray = root
    return found


def solve_transposed(root: FloatArray, right: FloatArray) -> FloatArray:
    """Solution x of ``root.T @ x = right``.

    Examples
    --------
    >>> solve_transposed(np.array([[2.0, 1.0], [0.0, 2.0]]), np.array([2.0, 3.0])).tolist()
    [1.0, 1.0]
    """
    solved: FloatArray = dtrtrs(root, right, trans=1)[0]
    return solved


def solve(root: FloatArray, right: FloatArray) -> FloatArray:
    """Solution x of ``root @ x = right``.

    Examples
    --------
    >>> solve(np.array([[2.0, 1.0], [0.0, 2.0]]), np.array([3.0, 2.0])).tolist()
    [1.0, 1.0]
    """
    solved: FloatArray = dtrtrs(root, right)[0]
    return solved


def inverse(root: FloatArray) -> FloatArray:
    """Inverse of an upper-triangular matrix.

    Examples
    --------
    >>> inverse(np.array([[2.0, 1.0], [0.0, 2.0]])).tolist()
    [[0.5, -0.25], [0.0, 0.5]]
    """
    inverted: FloatArray = dtrtri(root)[0]
    return inverted
