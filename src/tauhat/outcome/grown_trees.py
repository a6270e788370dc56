"""Regression trees of scikit-learn, grown one after the other without its checks of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, Self

import numpy as np

from tauhat._typing import FloatArray
from tauhat.runtime.engines import engine

_LARGEST_SEED = np.iinfo(np.int32).max


class TreeGrower:
    """Grows trees on the same rows, each with weights and a seed of its own.

    The trees are those of scikit-learn's ``DecisionTreeRegressor``, whose checks of settings and
    numbers take as long as a tree of some hundred rows: its builder is called without them.

    Parameters
    ----------
    X
        Covariates, shape (n, p).
    z
        Outcome, shape (n,).
    min_samples_leaf
        Fewest rows in a leaf; a quarter of the rows where that is less.
    max_features
        Share of the columns tried at each split, rounded up.

    Attributes
    ----------
    single
        The covariates as trees compare them.
    """

    def __init__(
        self, X: FloatArray, z: FloatArray, *, min_samples_leaf: int, max_features: float
    ) -> None:
        n, p = X.shape
        self.single = in_single_precision(X)
        self._target = np.ascontiguousarray(z[:, None], dtype=np.float64)
        self._tree = engine("sklearn.tree._tree").Tree
        # Of scikit-learn's generators: a new one for each tree costs more than its samples.
        self._random = np.random.RandomState()
        fewest = min(min_samples_leaf, max(1, n // 4))
        splitter = engine("sklearn.tree._splitter").BestSplitter(
            engine("sklearn.tree._criterion").MSE(1, n),
            ceil(max_features * p),
            fewest,
            0.0,
            self._random,
            None,
        )
        self._builder = engine("sklearn.tree._tree").DepthFirstTreeBuilder(
            splitter, 2 * fewest, fewest, 0.0, np.iinfo(np.int32).max, 0.0
        )

    def grow(self, weight: FloatArray, seed: int) -> Any:
        """scikit-learn's structure of a new tree."""
        self._random.seed(seed)
        tree = self._tree(self.single.shape[1], np.array([1], dtype=np.intp), 1)
        self._builder.build(tree, self.single, self._target, weight, None)
        return tree


def in_single_precision(X: FloatArray) -> Any:
    """Covariates as scikit-learn's trees take them."""
    return np.ascontiguousarray(X, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class GrownForest:
    """Mean of trees, the same as ``sklearn.ensemble.RandomForestRegressor`` of the same seed.

    Attributes
    ----------
    trees
        scikit-learn's tree structures.
    out_of_bag
        Mean at each training row of the trees that did not draw it, shape (n,), if asked for.
    """

    trees: tuple[Any, ...]
    out_of_bag: FloatArray | None = None

    @classmethod
    def grow(
        cls,
        grower: TreeGrower,
        n_trees: int,
        seed: int,
        sample_weight: FloatArray | None,
        *,
        out_of_bag: bool,
    ) -> Self:
        """Grow trees on bootstrap samples, in which heavy rows are drawn more often."""
        n = len(grower.single)
        trees = []
        total, number = np.zeros(n), np.zeros(n)
        for tree_seed, count in _bootstraps(n, n_trees, seed, sample_weight):
            tree = grower.grow(count, tree_seed)
            trees.append(tree)
            if out_of_bag:
                left_out = count == 0
                total[left_out] += tree.predict(grower.single[left_out])[:, 0]
                number += left_out
        # Rows that every tree has drawn are predicted by none.
        mean = total / np.maximum(number, 1) if out_of_bag else None
        return cls(tuple(trees), mean)

    def predict(self, X: FloatArray) -> FloatArray:
        """Mean outcome at ``X`` of shape (k, p), shape (k,)."""
        single = in_single_precision(X)
        total = np.zeros(len(X))
        for tree in self.trees:
            total += tree.predict(single)[:, 0]
        return total / len(self.trees)


def _bootstraps(
    n: int, n_trees: int, seed: int, sample_weight: FloatArray | None
) -> Iterator[tuple[int, FloatArray]]:
    """Seed of each tree and how often its sample has each row."""
    share = None if sample_weight is None else sample_weight / sample_weight.sum()
    # scikit-learn's generator, so that the trees are those of its forest.
    seeds, rows = np.random.RandomState(seed), np.random.RandomState()
    for _ in range(n_trees):
        tree_seed = int(seeds.randint(_LARGEST_SEED))
        rows.seed(tree_seed)
        drawn = rows.randint(0, n, n) if share is None else rows.choice(n, n, p=share)
        yield tree_seed, np.bincount(drawn, minlength=n).astype(np.float64)
