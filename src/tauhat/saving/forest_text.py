"""The JSON of stochtree's forests, parsed and written anew: the engine trusts its own."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# JSON takes many times its length once parsed, so it is parsed forest by forest; the forest of one
# draw is some ten thousand characters, and lists are a small part of them.
_LONGEST_FOREST = 2**23
_LEAST_CHARACTERS_A_LIST, _LEAST_CHARACTERS_A_FOREST = 16, 200
_FOREST_NAME = '"forest_'
_NAME = re.compile(r'([0-9]{1,7})":\s*')
_FOREST = {"is_exponentiated": False, "output_dimension": 1}
_TREE = {"has_categorical_split": False, "is_log_scale": False, "output_dimension": 1}
_LISTS = ("left", "right", "parent", "split_index", "threshold", "leaf_value")
_EMPTY = ("category_list", "leaf_vector")
_ZEROS = ("category_list_begin", "category_list_end", "leaf_vector_begin", "leaf_vector_end")


@dataclass(frozen=True)
class Forests:
    """Checked forests.

    Attributes
    ----------
    text
        JSON for the engine.
    n_columns
        Columns that their splits need.
    """

    text: str
    n_columns: int


def rewritten_forests(text: str, n_trees: int, *, leaf_constant: bool) -> Forests:
    """Forests made anew from their checked fields, for the engine to read.

    Parameters
    ----------
    text
        JSON that stochtree wrote.
    n_trees
        Trees of each forest.
    leaf_constant
        Whether leaves are plain constants.

    Returns
    -------
    Forests
        Every number as it was.

    Raises
    ------
    ValueError
        If a key or a value is none that stochtree writes for forests of one
        outcome on numbers, or a tree is not whole.

    Examples
    --------
    >>> rewritten_forests('{"forest_0": {"num_trees": 7}}', 7, leaf_constant=True)
    Traceback (most recent call last):
    ValueError: forest 0 is damaged: it has or lacks 'is_exponentiated'
    """
    if text.count(_FOREST_NAME) * _LEAST_CHARACTERS_A_FOREST > len(text) + 1000:
        raise ValueError("a text has more forests than it can hold")
    start, *pieces = text.split(_FOREST_NAME)
    if start.strip() != "{" or not pieces:
        raise ValueError("a text holds no forests")
    settings = {"is_leaf_constant": leaf_constant, "num_trees": n_trees}
    forests: dict[str, str] = {}
    n_columns = 0
    rest = ","
    for piece in pieces:
        named = _NAME.match(piece)
        if named is None or rest.strip() != "," or named[1] in forests:
            raise ValueError("the forests of a text are not one after the other")
        number = named[1]
        try:
            parsed, end = _parsed(piece, named.end())
            forest, needed = _forest(parsed, {**_FOREST, **settings})
        except (TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"forest {number} is damaged: {error}") from error
        n_columns = max(n_columns, needed)
        forests[number] = json.dumps(forest, separators=(",", ":"), allow_nan=False)
        rest = piece[end:]
    if len(rest) > 1000 or not rest.lstrip().startswith(","):
        raise ValueError("a text of forests has no end")
    last = json.loads("{" + rest.lstrip()[1:])
    wanted = {**_FOREST, **settings, "initialized": True, "num_samples": len(forests)}
    _check_settings(last, wanted)
    if set(forests) != {str(number) for number in range(len(forests))}:
        raise ValueError("forests of a text are missing")
    members = [f'"forest_{number}":{forest}' for number, forest in forests.items()]
    members += [f'"{key}":{json.dumps(value)}' for key, value in wanted.items()]
    return Forests("{" + ",".join(members) + "}", n_columns)


def _parsed(piece: str, start: int) -> tuple[Any, int]:
    lists = piece.count("[") + piece.count("{")
    if len(piece) > _LONGEST_FOREST or lists * _LEAST_CHARACTERS_A_LIST > len(piece) + 1000:
        raise ValueError("it is longer or more nested than forests are")
    try:
        return json.JSONDecoder().raw_decode(piece, start)
    except RecursionError as error:
        raise ValueError("it is too deeply nested") from error


def _check_settings(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise unless keys, values and types are those wanted (``True`` is not 1 here)."""
    if set(found) != set(wanted):
        raise ValueError(f"it has or lacks {min(set(found) ^ set(wanted))[:40]!r}")
    for key, value in wanted.items():
        if type(found[key]) is not type(value) or found[key] != value:
            raise ValueError(f"its {key} is not {value}")


def _forest(found: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """A forest of checked values only, and the columns that it needs."""
    names = [f"tree_{place}" for place in range(int(settings["num_trees"]))]
    _check_settings({k: v for k, v in found.items() if not k.startswith("tree_")}, settings)
    if len(found) != len(settings) + len(names):
        raise ValueError("it has other trees than it says")
    trees = {name: _tree(found.get(name)) for name in names}
    forest = {**settings, **{name: tree for name, (tree, _) in trees.items()}}
    return forest, max(needed for _, needed in trees.values())


def _tree(found: Any) -> tuple[dict[str, Any], int]:
    """A tree of checked values only, and the columns that it needs."""
    if not isinstance(found, dict):
        raise ValueError("a tree is missing")
    n = found.get("num_nodes")
    if type(n) is not int or n < 1:
        raise ValueError("a tree has no nodes")
    for name in ("left", "right", "parent"):
        _check_integers(found, name, n, -1, n - 1)
    _check_integers(found, "split_index", n, -1, 2**31 - 2)
    for name in ("threshold", "leaf_value"):
        _check_floats(found, name, n)
    left, right, parent, column = (
        found[name] for name in ("left", "right", "parent", "split_index")
    )
    alive = [False] * n
    waiting = [0] if parent[0] == -1 else []
    while waiting:
        node = waiting.pop()
        if alive[node]:
            raise ValueError("the nodes of a tree go round in a circle")
        alive[node] = True
        if left[node] == right[node] == -1:
            continue
        children = [left[node], right[node]]
        if min(children) < 0 or any(parent[child] != node for child in children):
            raise ValueError("the nodes of a tree do not go together")
        if column[node] < 0:
            raise ValueError("a split of a tree has no column")
        waiting += children
    split = [alive[node] and left[node] != -1 for node in range(n)]
    leaf = [alive[node] and not split[node] for node in range(n)]
    inner = [node for node in range(n) if split[node]]
    lists = {
        "deleted_nodes": [node for node in range(n) if not alive[node]],
        "internal_nodes": inner,
        "leaf_parents": [node for node in inner if leaf[left[node]] and leaf[right[node]]],
        "leaves": [node for node in range(n) if leaf[node]],
    }
    for name, nodes in lists.items():
        _check_integers(found, name, len(nodes), 0, n - 1)
        if sorted(found[name]) != nodes:
            raise ValueError(f"{name} of a tree are not what they should be")
    if any(left[node] != -1 or right[node] != -1 for node in lists["deleted_nodes"]):
        raise ValueError("deleted nodes of a tree are in use")
    expected = {
        **_TREE,
        "num_nodes": n,
        "num_deleted_nodes": len(lists["deleted_nodes"]),
        "node_type": [int(node) for node in split],
        "node_deleted": [not there for there in alive],
        **{name: [] for name in _EMPTY},
        **{name: [0] * n for name in _ZEROS},
    }
    checked = {name: found[name] for name in (*_LISTS, *lists)}
    _check_settings({k: v for k, v in found.items() if k not in checked}, expected)
    needed = max((column[node] for node in inner), default=-1) + 1
    return {**expected, **checked}, needed


def _check_integers(tree: Mapping[str, Any], name: str, n: int, least: int, most: int) -> None:
    values = tree.get(name)
    if type(values) is not list or len(values) != n or not set(map(type, values)) <= {int}:
        raise ValueError(f"{name} of a tree are not {n} whole numbers")
    if values and not (least <= min(values) and max(values) <= most):
        raise ValueError(f"{name} of a tree are out of bounds")


def _check_floats(tree: Mapping[str, Any], name: str, n: int) -> None:
    values = tree.get(name)
    if type(values) is not list or len(values) != n or set(map(type, values)) != {float}:
        raise ValueError(f"{name} of a tree are not {n} numbers")
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{name} of a tree are not finite")
