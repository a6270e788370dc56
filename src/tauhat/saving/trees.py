"""Trees of scikit-learn and econml as plain arrays, with a reader that predicts from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tauhat._typing import AnyArray, FloatArray, IntArray


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
        node = np.zeros(len(columns), dtype=np.int64)
        moving = np.flatnonzero(self.left[node] >= 0)
        # A tree is no deeper than it has nodes; a circle in a spoilt file must not run for ever.
        for _ in range(len(self.left)):
            if len(moving) == 0:
                break
            at = node[moving]
            goes_left = np.less_equal(columns[moving, self.feature[at]], self.threshold[at])
            node[moving] = np.where(goes_left, self.left[at], self.right[at])
            moving = moving[self.left[node[moving]] >= 0]
        return node


@dataclass(frozen=True, eq=False)
class StoredForest:
    """Mean of regression trees, in place of ``sklearn.ensemble.RandomForestRegressor``.

    Attributes
    ----------
    trees
        The trees, with one value a node.
    """

    trees: tuple[StoredTree, ...]

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


def stored_forest(forest: Any) -> StoredForest:
    """A fitted ``RandomForestRegressor`` of one outcome as a `StoredForest`."""
    return StoredForest(
        tuple(
            stored_tree(part.tree_, part.tree_.value[:, :, 0], single=True)
            for part in forest.estimators_
        )
    )


def stored_effect_forest(forest: Any) -> StoredEffectForest:
    """A fitted ``econml.grf.CausalForest`` as a `StoredEffectForest`."""
    trees = []
    for part in forest.estimators_:
        values = np.hstack([part.tree_.precond, part.tree_.jac])
        trees.append(stored_tree(part.tree_, values, single=False))
    return StoredEffectForest(tuple(trees), int(forest.n_outputs_))
