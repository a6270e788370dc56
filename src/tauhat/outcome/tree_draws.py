"""Posterior draws of sums of trees: predict, pickle, copy."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from tauhat._typing import FloatArray
from tauhat.errors import TrialError
from tauhat.runtime.engines import engine

if TYPE_CHECKING:
    from stochtree import ForestContainer


class TreeDraws:
    """Draws of a sum-of-trees function, picklable.

    The engine's object lives in C++ and cannot be pickled or copied; it is
    written to JSON when the draws are pickled and rebuilt when they are next
    used. Nothing but the trees is kept: no cluster effect can leak into a
    prediction.

    Parameters
    ----------
    container
        The engine's forests, one a draw.
    n_trees
        Trees in each forest.
    leaf_constant
        False for forests whose leaves hold the coefficient of a regressor.
    n_columns
        Fewest columns that a prediction needs, where the forests come from a file: the engine
        would read beyond the end of a shorter row.
    """

    def __init__(
        self,
        container: ForestContainer,
        n_trees: int,
        *,
        leaf_constant: bool,
        n_columns: int = 0,
    ) -> None:
        self._container: ForestContainer | None = container
        self._packed = b""
        self._n_trees = n_trees
        self._leaf_constant = leaf_constant
        self._n_columns = n_columns
        self._parts: dict[tuple[int, ...], TreeDraws] = {}

    def predict(self, X: FloatArray) -> FloatArray:
        """Sum of the leaf values at ``X`` of shape (k, p) for every draw, shape (draws, k).

        Raises
        ------
        TrialError
            If the trees split on a column that ``X`` does not have.
        """
        self._check_columns(X)
        data = engine("stochtree").Dataset()
        data.add_covariates(np.ascontiguousarray(X))
        data.add_basis(np.ones(len(X)))
        values: FloatArray = self._engine().predict(data).T
        return values

    def predict_difference(self, X: FloatArray, other: FloatArray) -> FloatArray:
        """What `predict` gives at ``X`` less what it gives at ``other``, shape (draws, k).

        Both have the shape (k, p). Trees that split on no column in which the two differ, most of
        them where that is the treatment, drop out and are not evaluated.

        Raises
        ------
        TrialError
            As `predict`.
        """
        self._check_columns(X)
        differing = tuple(np.flatnonzero(np.not_equal(X, other).any(axis=0)).tolist())
        if differing not in self._parts:
            self._parts[differing] = self._splitting_on(differing, X.shape[1])
        part = self._parts[differing]
        return part.predict(X) - part.predict(other)

    def _check_columns(self, X: FloatArray) -> None:
        if X.shape[1] < self._n_columns:
            raise TrialError(
                f"the trees split on column {self._n_columns}, but there are {X.shape[1]}: "
                "the model does not fit its trial"
            )

    def _splitting_on(self, columns: tuple[int, ...], p: int) -> TreeDraws:
        """Copies of the trees that split on one of some of the p columns."""
        whole = self._engine()
        splits = whole.get_granular_split_counts(p)[..., list(columns)]
        chosen = splits.any(axis=-1)
        n_trees = max(1, int(chosen.sum(axis=1).max()))
        part = engine("stochtree").ForestContainer(n_trees, 1, self._leaf_constant, False)
        for draw, trees in enumerate(chosen):
            # Those of a draw that has fewer are roots of zero.
            part.add_sample(0.0)
            for place, tree in enumerate(np.flatnonzero(trees).tolist()):
                _copy_tree(whole, part, draw, tree, place)
        return TreeDraws(part, n_trees, leaf_constant=self._leaf_constant)

    def to_json(self) -> str:
        """Return the forests in the engine's own JSON, from which `from_json` makes equal ones."""
        text: str = self._engine().dump_json_string()
        return text

    @classmethod
    def from_json(
        cls, text: str, n_trees: int, *, leaf_constant: bool, n_columns: int = 0
    ) -> TreeDraws:
        """Draws of a text that `to_json` wrote."""
        container = engine("stochtree").ForestContainer(n_trees, 1, leaf_constant, False)
        container.load_from_json_string(text)
        return cls(container, n_trees, leaf_constant=leaf_constant, n_columns=n_columns)

    @property
    def settings(self) -> tuple[int, bool]:
        """Number of trees of a draw, and whether leaves are plain constants."""
        return self._n_trees, self._leaf_constant

    def _engine(self) -> ForestContainer:
        if self._container is None:
            container = engine("stochtree").ForestContainer(
                self._n_trees, 1, self._leaf_constant, False
            )
            container.load_from_json_string(zlib.decompress(self._packed).decode())
            self._container = container
            self._packed = b""
        return self._container

    def __getstate__(self) -> dict[str, Any]:
        packed = self._packed
        if self._container is not None:
            packed = zlib.compress(self._container.dump_json_string().encode(), 1)
        return {**self.__dict__, "_container": None, "_packed": packed, "_parts": {}}


def _copy_tree(
    source: ForestContainer, target: ForestContainer, draw: int, tree: int, place: int
) -> None:
    """Grow a tree of a draw anew from the root at a place in another container."""
    waiting, n_nodes = [(0, 0)], 1
    while waiting:
        node, copy = waiting.pop()
        children = (
            source.left_child_node(draw, tree, node),
            source.right_child_node(draw, tree, node),
        )
        left, right = (float(source.node_leaf_values(draw, tree, own)[0]) for own in children)
        target.add_numeric_split(
            draw,
            place,
            copy,
            source.node_split_index(draw, tree, node),
            source.node_split_threshold(draw, tree, node),
            left,
            right,
        )
        for child, number in zip(children, (n_nodes, n_nodes + 1), strict=True):
            if not source.is_leaf_node(draw, tree, child):
                waiting.append((child, number))
        n_nodes += 2
