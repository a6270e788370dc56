"""A fitted estimator out of nodes, arrays and texts; classes come from tauhat's own list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray
from tauhat.data import TrialData
from tauhat.outcome.tree_draws import TreeDraws
from tauhat.saving.archive import Contents
from tauhat.saving.classes import check_state, known_classes
from tauhat.saving.engine_text import gpboost_booster, lightgbm_booster, tree_draws
from tauhat.saving.rows import RowsLeftOut, check_endpoint, check_limits, check_trial
from tauhat.saving.trees import StoredForest, StoredTree

_NUMBERS_OF_NO_SIZE = ("nan", "inf", "-inf")
# Models that are members of ensembles in several places are one object in the file, yet each
# place has its own work: a few levels of ensembles of themselves would never end. More work than
# this many nodes, and times the nodes of the file, is none of a fitted model.
_WORK, _WORK_A_NODE = 100_000, 20
# Nodes within nodes; an ensemble of learners of outcome models has less than twenty.
_DEEPEST = 100
# Trees count by the length of what describes them.
_CHARACTERS_A_NODE = _ENTRIES_A_NODE = 64
# numpy stores texts of an array as wide as the longest.
_MOST_CHARACTERS = 2**24

_KEYS: Mapping[str, frozenset[str]] = {
    kind: frozenset(keys.split())
    for kind, keys in {
        "tuple": "items",
        "dict": "items",
        "float": "value",
        "scalar": "array",
        "array": "array",
        "strings": "object shape items",
        "table": "columns index values",
        "same": "number",
        "object": "class state number",
        "rows left out": "feature_names limits endpoint number",
        "tree draws": "n_trees leaf_constant text number",
        "lightgbm": "text number",
        "gpboost": "text number",
    }.items()
}

T = TypeVar("T")


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
        # Nodes below each object, those of the objects that it shares counted every time.
        self._work_of: dict[int, int] = {}
        self._nodes = self._work = self._depth = 0
        self._readers: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "tuple": lambda node: tuple(self._items(node["items"])),
            "dict": self._dict,
            "float": self._float,
            "scalar": lambda node: self._array(node)[()],
            "array": self._array,
            "strings": self._strings,
            "table": self._table,
            "object": self._object,
            "rows left out": self._rows_left_out,
            "tree draws": self._tree_draws,
            "lightgbm": lambda node: lightgbm_booster(self._text(node)),
            "gpboost": lambda node: gpboost_booster(self._text(node)),
        }

    def model(self, node: Any) -> Any:
        """Value of the node of a whole model.

        Raises
        ------
        ValueError, KeyError, TypeError, IndexError
            If the node is none that `Encoder` makes.
        """
        made = self._value(node)
        if self._work > _WORK + _WORK_A_NODE * self._nodes:
            raise ValueError("its models are members of each other too many times")
        return made

    def _value(self, node: Any) -> Any:
        self._count(1)
        if not isinstance(node, (list, dict)):
            return node
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
        made = self._items(node) if isinstance(node, list) else self._of_a_kind(node)
        self._depth -= 1
        return made

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        self._work += nodes

    def _items(self, items: list[Any]) -> list[Any]:
        return [self._value(item) for item in _of(items, list)]

    def _of_a_kind(self, node: Mapping[str, Any]) -> Any:
        kind = _of(node["kind"], str)
        if set(node) - {"kind"} - _KEYS[kind]:
            raise ValueError(f"a node of the kind {kind!r} has unknown keys")
        if kind == "same":
            number = _of(node["number"], int)
            # Counted no further than the limit, since it can double at every node.
            self._work = min(self._work + self._work_of[number], 2**60)
            return self._objects[number]
        before = self._work
        made = self._readers[kind](node)
        if node.get("number") is not None:
            number = _of(node["number"], int)
            if number in self._objects:
                raise ValueError(f"object {number} is there twice")
            self._objects[number] = made
            self._work_of[number] = self._work - before
        return made

    def _dict(self, node: Mapping[str, Any]) -> dict[Any, Any]:
        return {self._value(key): self._value(item) for key, item in _of(node["items"], list)}

    def _float(self, node: Mapping[str, Any]) -> float:
        if node["value"] not in _NUMBERS_OF_NO_SIZE:
            raise ValueError(f"{node['value']!r} is no number")
        return float(node["value"])

    def _array(self, node: Mapping[str, Any]) -> AnyArray:
        return _at(self._contents.arrays, node["array"])

    def _text(self, node: Mapping[str, Any]) -> str:
        text = _at(self._contents.texts, node["text"])
        self._count(len(text) // _CHARACTERS_A_NODE)
        return text

    def _strings(self, node: Mapping[str, Any]) -> AnyArray:
        items = _texts(node["items"])
        as_objects = _of(node["object"], bool)
        if not as_objects and len(items) * max(map(len, items), default=0) > _MOST_CHARACTERS:
            raise ValueError("it has an array of texts that are too long")
        array = np.array(items, dtype=object if as_objects else np.str_)
        return array.reshape([_of(length, int) for length in node["shape"]])

    def _table(self, node: Mapping[str, Any]) -> pd.DataFrame:
        columns = self._items(node["columns"])
        values = self._items(node["values"])
        index = None if node["index"] is None else self._items(node["index"])
        lengths = {len(column) for column in values} | ({len(index)} if index else set())
        if len(columns) != len(values) or len(lengths) > 1:
            raise ValueError("the columns of a table do not go together")
        table = pd.DataFrame(dict(enumerate(values)), index=index)
        table.columns = pd.Index(columns)
        return table

    def _rows_left_out(self, node: Mapping[str, Any]) -> RowsLeftOut:
        names = tuple(_texts(node["feature_names"]))
        limits, endpoint = self._value(node["limits"]), self._value(node["endpoint"])
        check_limits(limits, len(names))
        check_endpoint(endpoint)
        return RowsLeftOut(names, limits, endpoint)

    def _tree_draws(self, node: Mapping[str, Any]) -> TreeDraws:
        n_trees, constant = _of(node["n_trees"], int), _of(node["leaf_constant"], bool)
        return tree_draws(self._text(node), n_trees, leaf_constant=constant)

    def _object(self, node: Mapping[str, Any]) -> Any:
        kind = known_classes()[_of(node["class"], str)]
        state = _of(node["state"], dict)
        check_state(kind, set(state))
        values = {name: self._value(item) for name, item in state.items()}
        if "n_jobs" in values:
            # How many processes to start is for whoever loads a model, not for its file.
            values["n_jobs"] = 1
        made: Any = object.__new__(kind)
        # Past the guard of frozen dataclasses; the names were checked above.
        vars(made).update(values)
        if isinstance(made, (StoredTree, StoredForest)):
            made.check()
        if isinstance(made, StoredTree):
            self._count(made.values.size // _ENTRIES_A_NODE)
        if isinstance(made, TrialData):
            check_trial(made)
        return made


def _of(value: Any, kind: type[T]) -> T:
    """Return the value if it is of a type (truths are no numbers)."""
    if type(value) is not kind:
        raise ValueError(f"it has {type(value).__name__} where {kind.__name__} should be")
    return value


def _texts(items: Any) -> list[str]:
    return [_of(item, str) for item in _of(items, list)]


def _at(parts: Sequence[T], number: Any) -> T:
    place = _of(number, int)
    if not 0 <= place < len(parts):
        raise ValueError(f"it names part {place} of {len(parts)}")
    return parts[place]
