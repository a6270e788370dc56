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

    def predict(self, X: FloatArray) -> FloatArray:
        """Sum of the leaf values at ``X`` of shape (k, p) for every draw, shape (draws, k).

        Raises
        ------
        TrialError
            If the trees split on a column that ``X`` does not have.
        """
        if X.shape[1] < self._n_columns:
            raise TrialError(
                f"the trees split on column {self._n_columns}, but there are {X.shape[1]}: "
                "the model does not fit its trial"
            )
        data = engine("stochtree").Dataset()
        data.add_covariates(np.ascontiguousarray(X))
        data.add_basis(np.ones(len(X)))
        values: FloatArray = self._engine().predict(data).T
        return values

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
        return {**self.__dict__, "_container": None, "_packed": packed}
