"""Folds inside the fit of one outcome model, which knows clusters and no arms."""

from __future__ import annotations

import numpy as np

from tauhat._typing import IntArray
from tauhat.numerics.seeds import derive_seed


def cluster_folds(n: int, clusters: IntArray | None, n_folds: int, seed: int) -> IntArray:
    """Fold of each row for choosing a model's settings: whole clusters of about equal totals.

    Unlike `tauhat.design.Design.folds` it knows no arms: it serves inside the fit of one
    outcome model. Clusters are shuffled and dealt, largest first, to the fold
    with the fewest rows. A single cluster cannot be left out, so its rows are
    dealt one by one.

    Parameters
    ----------
    n
        Number of rows.
    clusters
        Cluster code of each row, shape (n,), or None when every row is its own.
    n_folds
        Number of folds; reduced to the number of clusters or rows when there are fewer.
    seed
        Seed.

    Returns
    -------
    ndarray of int, shape (n,)
        Fold 0 to n_folds - 1 of each row.

    Examples
    --------
    >>> fold = cluster_folds(6, np.array([0, 0, 1, 1, 2, 2]), n_folds=3, seed=1)
    >>> [len(set(fold[2 * c : 2 * c + 2].tolist())) for c in range(3)], sorted(set(fold.tolist()))
    ([1, 1, 1], [0, 1, 2])
    """
    rng = np.random.default_rng(derive_seed(seed, "inner folds"))
    unit = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    n_units = int(unit.max()) + 1
    if n_units == 1:
        unit, n_units = np.arange(n), n
    n_folds = min(n_folds, n_units)
    if n_units == n:
        fold_of_unit = rng.permutation(n) % n_folds
        return fold_of_unit[unit].astype(np.int64)
    size = np.bincount(unit)
    shuffled = rng.permutation(n_units)
    fold_of_unit = np.empty(n_units, dtype=np.int64)
    total = np.zeros(n_folds, dtype=np.int64)
    for this_unit in shuffled[np.argsort(-size[shuffled], kind="stable")]:
        smallest = int(np.argmin(total))
        fold_of_unit[this_unit] = smallest
        total[smallest] += size[this_unit]
    return fold_of_unit[unit]
