"""Which rows of a trial can be compared: those in blocks that hold both arms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.design import design_of
from tauhat.design.blocks import has_counterfactual
from tauhat.numerics.ordering import canonical_order


def comparable_rows(
    arms: IntArray,
    codes: IntArray | None,
    blocks: IntArray | None,
    to_fit: bool,
    period: IntArray | None = None,
) -> BoolArray:
    """Rows in blocks that hold both arms, or an error when too few are left to fit.

    Parameters
    ----------
    arms
        0 or 1, shape (n,).
    codes, blocks
        Cluster and block numbers, shape (n,), or None.
    to_fit
        Whether two units in each arm are needed.
    period
        Period numbers, shape (n,), or None.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If no block holds both arms, or too few units are left.

    Examples
    --------
    >>> comparable_rows(np.array([0, 1, 1]), None, np.array([0, 0, 1]), to_fit=False).tolist()
    [True, True, False]
    """
    kept = has_counterfactual(arms, blocks)
    if not kept.any():
        raise ValueError(
            "no block holds both arms, so that nothing can be compared within blocks; if whole "
            "blocks were randomized they are the clusters, otherwise leave blocks out"
        )
    if not to_fit:
        return kept
    left_out = ""
    if not kept.all():
        left_out = (
            f" ({int((~kept).sum())} of {len(arms)} rows lie in blocks with one arm only and do "
            "not count)"
        )
    design = design_of(
        arms[kept],
        None if codes is None else codes[kept],
        period=None if period is None else period[kept],
    )
    control, treated = design.arm_sizes
    if min(control, treated) < 2:
        raise ValueError(
            f"there are {control} control and {treated} treated {design.units_word}; at least two "
            f"{design.units_word} in each arm are needed{left_out}"
        )
    return kept


def order_comparable(
    X: FloatArray,
    y: FloatArray,
    treatment: IntArray,
    clusters: IntArray | None,
    blocks: IntArray | None,
    ties: Sequence[FloatArray] = (),
) -> tuple[IntArray, IntArray | None]:
    """Canonical order of the rows that take part: those in blocks that hold both arms.

    Parameters
    ----------
    X, y, treatment, clusters, blocks
        As in `TrialData`, in the user's row order, n rows.
    ties
        What else tells rows apart that are alike in these, each of shape (n,).

    Returns
    -------
    order
        The user's row numbers, shape (rows that take part,).
    codes
        Cluster number 0, 1, ... of each row in the new order, or None.

    Examples
    --------
    >>> X = np.array([[2.0], [1.0], [3.0]])
    >>> arm, block = np.array([0, 1, 1]), np.array([0, 0, 1])
    >>> order_comparable(X, np.zeros(3), arm, None, block)[0].tolist()
    [1, 0]
    """
    rows = np.flatnonzero(has_counterfactual(treatment, blocks))
    order, codes = canonical_order(
        X[rows],
        y[rows],
        treatment[rows],
        None if clusters is None else clusters[rows],
        [values[rows] for values in ties],
    )
    return rows[order], codes
