"""A fitted estimator out of nodes, arrays and texts; classes come from tauhat's own list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray
from tauhat.outcome.tree_draws import TreeDraws
from tauhat.saving.archive import Contents
from tauhat.saving.classes import check_attribute, known_classes
from tauhat.saving.engines import checked_forests, gpboost_booster, lightgbm_booster
from tauhat.saving.rows import RowsLeftOut

_NUMBERS_OF_NO_SIZE = ("nan", "inf", "-inf")


class Decoder:
    """Turns nodes back into what `tauhat.saving.encode.Encoder` was given.

    Parameters
    ----------
    contents
        Arrays and texts that the nodes refer to.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._objects: dict[int, Any] = {}
        self._readers: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "tuple": lambda node: tuple(self.value(node["items"])),
            "dict": self._dict,
            "float": self._float,
            "scalar": lambda node: self._array(node)[()],
            "array": self._array,
            "strings": self._strings,
            "table": self._table,
            "same": lambda node: self._objects[node["number"]],
            "object": self._object,
            "rows left out": self._rows_left_out,
            "tree draws": self._tree_draws,
            "lightgbm": lambda node: lightgbm_booster(self._text(node)),
            "gpboost": lambda node: gpboost_booster(self._text(node)),
        }

    def value(self, node: Any) -> Any:
        """Value of a node.

        Raises
        ------
        ValueError, KeyError, TypeError, IndexError
            If the node is none that `Encoder` makes.
        """
        if isinstance(node, list):
            return [self.value(item) for item in node]
        if not isinstance(node, dict):
            return node
        made = self._readers[node["kind"]](node)
        if node["kind"] != "same" and node.get("number") is not None:
            self._objects[node["number"]] = made
        return made

    def _dict(self, node: Mapping[str, Any]) -> dict[Any, Any]:
        return {self.value(key): self.value(item) for key, item in node["items"]}

    def _float(self, node: Mapping[str, Any]) -> float:
        if node["value"] not in _NUMBERS_OF_NO_SIZE:
            raise ValueError(f"{node['value']!r} is no number")
        return float(node["value"])

    def _array(self, node: Mapping[str, Any]) -> AnyArray:
        return self._contents.arrays[int(node["array"])]

    def _text(self, node: Mapping[str, Any]) -> str:
        return self._contents.texts[int(node["text"])]

    def _strings(self, node: Mapping[str, Any]) -> AnyArray:
        items = [str(item) for item in node["items"]]
        array = np.array(items, dtype=object if node["object"] else np.str_)
        return array.reshape([int(length) for length in node["shape"]])

    def _table(self, node: Mapping[str, Any]) -> pd.DataFrame:
        columns = self.value(node["columns"])
        values = [self.value(column) for column in node["values"]]
        index = None if node["index"] is None else self.value(node["index"])
        table = pd.DataFrame(dict(enumerate(values)), index=index)
        table.columns = pd.Index(columns)
        return table

    def _rows_left_out(self, node: Mapping[str, Any]) -> RowsLeftOut:
        names = tuple(map(str, node["feature_names"]))
        # Files of older versions have neither.
        limits = self.value(node.get("limits"))
        largest = self.value(node.get("largest_effect", RowsLeftOut.largest_effect))
        return RowsLeftOut(names, limits, float(largest))

    def _tree_draws(self, node: Mapping[str, Any]) -> TreeDraws:
        text = checked_forests(self._text(node))
        constant = bool(node["leaf_constant"])
        return TreeDraws.from_json(text, int(node["n_trees"]), leaf_constant=constant)

    def _object(self, node: Mapping[str, Any]) -> Any:
        kind = known_classes()[node["class"]]
        state = {}
        for name, item in node["state"].items():
            check_attribute(kind, name)
            state[name] = self.value(item)
        made: Any = object.__new__(kind)
        # Past the guard of frozen dataclasses; the names were checked above.
        vars(made).update(state)
        return made
