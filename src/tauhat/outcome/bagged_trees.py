"""Bagged trees whose leaf values can be updated without growing them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.seeds import derive_seed
from tauhat.outcome.grown_trees import TreeGrower, in_single_precision


def two_stage_bootstrap(n: int, clusters: IntArray | None, rng: np.random.Generator) -> FloatArray:
    """Multiplicity of each row in a bootstrap of clusters and of the rows within them.

    Clusters are drawn with replacement and a Poisson(1) number of copies of
    each of their rows is kept, so that rows are out of bag alone and together
    with their whole cluster. Without clusters it is the ordinary bootstrap.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> int(two_stage_bootstrap(5, None, rng).sum())
    5
    """
    if clusters is None:
        return np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)
    m = int(clusters.max()) + 1
    drawn = np.bincount(rng.integers(m, size=m), minlength=m)[clusters].astype(np.float64)
    count: FloatArray = drawn * rng.poisson(1.0, size=n)
    return count if (count > 0).sum() > 1 else np.ones(n)


@dataclass
class BaggedTrees:
    """Trees grown once on bootstrap samples, with a table of their leaves.

    Attributes
    ----------
    trees
        scikit-learn's fitted tree structures.
    first_leaf
        Number of the first node of each tree in ``values``.
    values
        Mean outcome of every node of all trees.
    leaves
        Node of each training row in each tree, shape (n, trees).
    counts
        Weight of each training row in each tree, shape (n, trees).
    out_of_bag
        Trees to use for each row's out-of-bag prediction, shape (n, trees).
    """

    trees: list[Any]
    first_leaf: IntArray
    values: FloatArray
    leaves: IntArray
    counts: FloatArray
    out_of_bag: BoolArray

    @classmethod
    def grow(
        cls,
        X: FloatArray,
        z: FloatArray,
        weight: FloatArray,
        clusters: IntArray | None,
        *,
        n_trees: int,
        min_samples_leaf: int,
        max_features: float,
        seed: int,
    ) -> BaggedTrees:
        """Grow trees on ``X`` of shape (n, p) and ``z`` of shape (n,)."""
        n = len(X)
        leaves = np.empty((n, n_trees), dtype=np.int64)
        counts = np.empty((n, n_trees))
        first, trees = [0], []
        grower = TreeGrower(X, z, min_samples_leaf=min_samples_leaf, max_features=max_features)
        for t in range(n_trees):
            rng = np.random.default_rng(derive_seed(seed, "tree", t))
            count = weight * two_stage_bootstrap(n, clusters, rng)
            counts[:, t] = count
            tree = grower.grow(count, int(rng.integers(2**31 - 1)))
            leaves[:, t] = first[-1] + tree.apply(grower.single)
            first.append(first[-1] + tree.node_count)
            trees.append(tree)
        out_of_bag = counts == 0
        # With few trees or rows a row may lie in every sample: then all trees must do.
        out_of_bag[~out_of_bag.any(axis=1)] = True
        bags = cls(trees, np.array(first), np.zeros(first[-1]), leaves, counts, out_of_bag)
        return bags

    def update(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Set the leaf values to the means of ``z``: in-bag and out-of-bag fitted values."""
        flat = self.leaves.ravel()
        total = np.bincount(flat, self.counts.ravel(), len(self.values))
        sums = np.bincount(flat, (self.counts * z[:, None]).ravel(), len(self.values))
        self.values = sums / np.maximum(total, 1e-300)
        predicted = self.values[self.leaves]
        out = (predicted * self.out_of_bag).sum(axis=1) / self.out_of_bag.sum(axis=1)
        return predicted.mean(axis=1), out

    def predict(self, X: FloatArray) -> FloatArray:
        """Mean over the trees at ``X`` of shape (k, p), shape (k,)."""
        single = in_single_precision(X)
        total = np.zeros(len(X))
        for first, tree in zip(self.first_leaf, self.trees, strict=False):
            total += self.values[first + tree.apply(single)]
        return total / len(self.trees)

    def forget_rows(self) -> None:
        """Drop the tables of the training rows, which only `update` needs."""
        self.leaves, self.counts = np.empty((0, 0), np.int64), np.empty((0, 0))
        self.out_of_bag = np.empty((0, 0), bool)
