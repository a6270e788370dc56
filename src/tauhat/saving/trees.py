"""Trees of scikit-learn and econml as plain arrays, with a reader that predicts from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.errors import TrialError


@dataclass(frozen=True, eq=False)
class StoredTree:
    """A binary tree that sends rows to the left where ``X[:, feature] <= threshold``.

    Attributes
    ----------
    left, right
        Children of every node, -1 for a leaf, shape (nodes,).
    feature
        Column of the split, shape (nodes,).
    threshold
        Where it splits, shape (nodes,).
    values
        What a row in the node is given, shape (nodes, k).
    single
        Whether covariates are compared in single precision, as scikit-learn does.
    """

    left: IntArray
    right: IntArray
    feature: IntArray
    threshold: FloatArray
    values: FloatArray
    single: bool

    def apply(self, X: Any) -> IntArray:
        """Leaf of every row of ``X`` of shape (k, p), shape (k,).

        Examples
        --------
        >>> stump = StoredTree(
        ...     np.array([1, -1, -1]), np.array([2, -1, -1]), np.zeros(3, np.int64),
        ...     np.array([0.5, 0, 0]), np.array([[0.0], [1.0], [2.0]]), single=False,
        ... )
        >>> stump.apply([[0.2], [0.7]]).tolist()
        [1, 2]
        """
        columns: AnyArray = np.asarray(X, dtype=np.float32 if self.single else np.float64)
        needed = int(self.feature.max(where=self.left >= 0, initial=-1)) + 1
        if columns.shape[1] < needed:
            raise TrialError(
                f"a tree splits on column {needed}, but there are {columns.shape[1]}: "
                "the model does not fit its trial"
            )
        node = np.zeros(len(columns), dtype=np.int64)
        moving = np.flatnonzero(self.left[node] >= 0)
        while len(moving):
            at = node[moving]
            goes_left = np.less_equal(columns[moving, self.feature[at]], self.threshold[at])
            node[moving] = np.where(goes_left, self.left[at], self.right[at])
            moving = moving[self.left[node[moving]] >= 0]
        return node

    def check(self) -> None:
        """Raise a `ValueError` unless it is a whole tree with finite thresholds and values.

        Examples
        --------
        >>> StoredTree(
        ...     np.array([0, -1]), np.array([1, -1]), np.zeros(2, np.int64),
        ...     np.zeros(2), np.ones((2, 1)), single=False,
        ... ).check()
        Traceback (most recent call last):
        ValueError: the nodes of a tree are not those of a tree
        """
        nodes = np.shape(self.left)
        for name in ("left", "right", "feature"):
            _check_array(getattr(self, name), np.int64, nodes, name)
        _check_array(self.threshold, np.float64, nodes, "threshold")
        _check_array(self.values, np.float64, np.shape(self.values), "values")
        if len(nodes) != 1 or self.values.ndim != 2 or len(self.values) != nodes[0] > 0:
            raise ValueError("the arrays of a tree do not go together")
        if not isinstance(self.single, bool):
            raise ValueError("the precision of a tree is not told")
        inner = np.flatnonzero(self.left >= 0)
        below = np.concatenate([self.left[inner], self.right[inner]])
        # Nodes are numbered from the root downwards, so that there is no way round in a circle.
        if (
            not np.array_equal(self.left >= 0, self.right >= 0)
            or (self.feature[inner] < 0).any()
            or (below <= np.tile(inner, 2)).any()
            or not np.array_equal(np.sort(below), np.arange(1, nodes[0]))
        ):
            raise ValueError("the nodes of a tree are not those of a tree")


def _check_array(array: Any, dtype: Any, shape: tuple[int, ...], name: str) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{name} of a tree is not an array of {np.dtype(dtype)} {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} of a tree is not finite")


@dataclass(frozen=True, eq=False)
class StoredForest:
    """Mean of regression trees, in place of `GrownForest` and ``RandomForestRegressor``.

    Attributes
    ----------
    trees
        The trees, with one value per node.
    """

    trees: tuple[StoredTree, ...]

    def check(self) -> None:
        """Raise a `ValueError` unless it holds trees with as many values each."""
        ours = isinstance(self.trees, tuple) and all(isinstance(t, StoredTree) for t in self.trees)
        if not ours or len({tree.values.shape[1] for tree in self.trees}) != 1:
            raise ValueError("the trees of a forest do not go together")

    def mean_values(self, X: FloatArray) -> FloatArray:
        """Mean over the trees of the values at ``X`` of shape (k, p), shape (k, values)."""
        total = np.zeros((len(X), self.trees[0].values.shape[1]))
        for tree in self.trees:
            total += tree.values[tree.apply(X)]
        mean: FloatArray = total / len(self.trees)
        return mean

    def predict(self, X: FloatArray) -> FloatArray:
        """Mean outcome at ``X`` of shape (k, p), shape (k,)."""
        return self.mean_values(X)[:, 0]


@dataclass(frozen=True, eq=False)
class StoredEffectForest(StoredForest):
    r"""Effects of a generalized random forest, in place of ``econml.grf.CausalForest``.

    .. math:: \hat\theta(x) = \bar J(x)^{+} \bar\alpha(x)

    with the mean over the trees of the moments :math:`\alpha` and of their
    Jacobians J in the leaf of x.

    Attributes
    ----------
    trees
        The trees, with :math:`\alpha` and then the rows of J as values.
    n_outputs
        Number of parameters.
    """

    n_outputs: int

    def check(self) -> None:
        """Raise a `ValueError` unless every node has the moments and their Jacobians."""
        super().check()
        q = self.n_outputs
        if not isinstance(q, int) or q < 1 or self.trees[0].values.shape[1] != q + q * q:
            raise ValueError("the trees of a forest do not have its number of outputs")

    def predict(self, X: FloatArray) -> FloatArray:
        """First parameter at ``X`` of shape (k, p), shape (k, 1)."""
        means = self.mean_values(X)
        q = self.n_outputs
        inverse = np.linalg.pinv(means[:, q:].reshape(-1, q, q))
        solved: FloatArray = np.einsum("ijk,ik->ij", inverse, means[:, :q])
        return solved[:, :1]


def stored_tree(tree: Any, values: FloatArray, *, single: bool) -> StoredTree:
    """A fitted tree structure of scikit-learn or econml as a `StoredTree`.

    Parameters
    ----------
    tree
        The ``tree_`` of a fitted tree.
    values
        Shape (nodes, k).
    single
        Whether it compares in single precision.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> tree = DecisionTreeRegressor().fit([[0.0], [1.0]], [3.0, 4.0]).tree_
    >>> stored_tree(tree, tree.value[:, :, 0], single=True).apply([[0.2], [0.7]]).tolist()
    [1, 2]
    """
    return StoredTree(
        np.array(tree.children_left, dtype=np.int64),
        np.array(tree.children_right, dtype=np.int64),
        np.array(tree.feature, dtype=np.int64),
        np.array(tree.threshold, dtype=np.float64),
        np.array(values, dtype=np.float64),
        single,
    )


def stored_forest(trees: Iterable[Any]) -> StoredForest:
    """Tree structures of a forest of scikit-learn, of one outcome, as a `StoredForest`."""
    return StoredForest(
        tuple(stored_tree(tree, tree.value[:, :, 0], single=True) for tree in trees)
    )


def stored_effect_forest(forest: Any) -> StoredEffectForest:
    """A fitted ``econml.grf.CausalForest`` as a `StoredEffectForest`."""
    trees = []
    for part in forest.estimators_:
        values = np.hstack([part.tree_.precond, part.tree_.jac])
        trees.append(stored_tree(part.tree_, values, single=False))
    return StoredEffectForest(tuple(trees), int(forest.n_outputs_))
