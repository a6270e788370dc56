"""The text of LightGBM's and GPBoost's trees, parsed and written anew: the engines trust theirs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

_INTEGER = re.compile(r"-?[0-9]{1,10}")
_NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?(e[+-]?[0-9]{1,3})?")
_RANGE = re.compile(r"\[([^:\]]+):([^:\]]+)\]")

# What the head of a model may say: one of the values given; None where more is checked below.
_HEAD: Mapping[str, tuple[str, ...] | None] = {
    "version": ("v3", "v4"),
    "num_class": ("1",),
    "num_tree_per_iteration": ("1",),
    "label_index": ("0",),
    "max_feature_idx": None,
    "objective": ("regression",),
    "feature_names": None,
    "feature_infos": None,
    "tree_sizes": None,
}
_NOT_NEEDED = {"objective", "tree_sizes"}
_SPLIT_NUMBERS = ("split_gain", "threshold", "internal_value", "internal_weight", "internal_count")
_LEAF_NUMBERS = ("leaf_value", "leaf_weight", "leaf_count")
_TREE = (
    "num_leaves",
    "num_cat",
    "split_feature",
    "split_gain",
    "threshold",
    "decision_type",
    "left_child",
    "right_child",
    *_LEAF_NUMBERS,
    "internal_value",
    "internal_weight",
    "internal_count",
    "is_linear",
    "shrinkage",
)
# Bits of a decision on a number without missing values, which covariates never have.
_DECISIONS = ("0", "2")


def rewritten_boosting(text: str) -> str:
    r"""Text of a boosting model made anew from its checked fields, for an engine to read.

    Nothing but what is checked here reaches the engine: lines of other keys are
    refused, and what follows the trees (importances, settings) is left out. So are
    the sizes of the trees, by which the engines would cut the text without looking.

    Parameters
    ----------
    text
        What LightGBM or GPBoost wrote.

    Returns
    -------
    str
        Numbers digit for digit as they were.

    Raises
    ------
    ValueError
        If a key or a value is none that the engines write for a regression on
        numbers, or a tree is not whole: a child, a leaf or a column that it names
        is not there, or a value is not finite.

    Examples
    --------
    >>> rewritten_boosting("tree\nnum_class=7\n\nTree=0\nnum_leaves=2\n\nend of trees\n")
    Traceback (most recent call last):
    ValueError: the head of a boosting model says num_class=7
    """
    before, _, _ = text.partition("\nend of trees\n")
    head, *blocks = before.split("\nTree=")
    lines, n_columns = _head(head)
    if not blocks:
        raise ValueError("a boosting model has no trees")
    trees = []
    for number, block in enumerate(blocks):
        name, _, rest = block.partition("\n")
        try:
            if name != str(number):
                raise ValueError("it is out of order")
            trees.append("\n".join([f"Tree={number}", *_tree(_fields(rest), n_columns), "", ""]))
        except ValueError as error:
            raise ValueError(f"tree {number} of a boosting model is damaged: {error}") from error
    return "\n".join([*lines, "", *trees, "end of trees", "", "pandas_categorical:null", ""])


def _fields(block: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        if not line:
            continue
        key, equals, value = line.partition("=")
        if not equals or key in fields:
            raise ValueError(f"it has the line {line[:40]!r}")
        fields[key] = value
    return fields


def _head(head: str) -> tuple[list[str], int]:
    """Lines of the head to keep, and the number of columns."""
    first, _, rest = head.partition("\n")
    if first != "tree":
        raise ValueError("a text is no boosting model")
    fields = _fields(rest)
    for key, value in fields.items():
        allowed = _HEAD.get(key, ())
        if allowed is not None and value not in allowed:
            raise ValueError(f"the head of a boosting model says {key[:40]}={value[:40]}")
    absent = set(_HEAD) - set(fields) - _NOT_NEEDED
    if absent:
        raise ValueError(f"the head of a boosting model lacks {min(absent)}")
    infos = fields["feature_infos"].split(" ")
    n_columns = len(infos)
    if fields["max_feature_idx"] != str(n_columns - 1) or not all(map(_is_range, infos)):
        raise ValueError("the head of a boosting model disagrees on the number of columns")
    # Covariates go to the engines as arrays, which have no names.
    fields["feature_names"] = " ".join(f"Column_{j}" for j in range(n_columns))
    kept = [f"{key}={fields[key]}" for key in _HEAD if key in fields and key != "tree_sizes"]
    return ["tree", *kept], n_columns


def _is_range(info: str) -> bool:
    found = _RANGE.fullmatch(info)
    return info == "none" or (found is not None and all(map(_is_finite, found.groups())))


def _is_finite(token: str) -> bool:
    return _NUMBER.fullmatch(token) is not None and math.isfinite(float(token))


def _tree(fields: Mapping[str, str], n_columns: int) -> list[str]:
    """Lines of one tree."""
    if set(fields) != set(_TREE):
        raise ValueError(f"it has or lacks {min(set(fields) ^ set(_TREE))[:40]!r}")
    if fields["num_cat"] != "0" or fields["is_linear"] != "0":
        raise ValueError("it splits on categories or has linear leaves")
    (leaves,) = _integers(fields, "num_leaves", 1)
    splits = leaves - 1
    if splits < 0:
        raise ValueError("it has no leaves")
    for key in _SPLIT_NUMBERS:
        _check_numbers(fields, key, splits)
    for key in _LEAF_NUMBERS:
        # A tree of one leaf comes without the counts of it.
        if splits or fields[key] or key == "leaf_value":
            _check_numbers(fields, key, leaves)
    _check_numbers(fields, "shrinkage", 1)
    if not all(0 <= column < n_columns for column in _integers(fields, "split_feature", splits)):
        raise ValueError("it splits on a column that is not there")
    decisions = _tokens(fields, "decision_type", splits)
    if not set(decisions) <= set(_DECISIONS):
        raise ValueError("it splits on something else than numbers")
    sides = [_integers(fields, side, splits) for side in ("left_child", "right_child")]
    # Inner nodes are numbered as they are split off, leaves are -1 - number.
    ordered = all(child < 0 or child > node for side in sides for node, child in enumerate(side))
    children = sorted(child for side in sides for child in side)
    if not ordered or (splits and children != [*range(-leaves, 0), *range(1, splits)]):
        raise ValueError("its nodes are not those of a tree")
    return [f"{key}={fields[key]}" for key in _TREE]


def _tokens(fields: Mapping[str, str], key: str, count: int) -> Sequence[str]:
    tokens = fields[key].split(" ") if fields[key] else []
    if len(tokens) != count:
        raise ValueError(f"{key} has {len(tokens)} values, not {count}")
    return tokens


def _integers(fields: Mapping[str, str], key: str, count: int) -> list[int]:
    tokens = _tokens(fields, key, count)
    if not all(map(_INTEGER.fullmatch, tokens)):
        raise ValueError(f"{key} holds something else than whole numbers")
    return [int(token) for token in tokens]


def _check_numbers(fields: Mapping[str, str], key: str, count: int) -> None:
    if not all(map(_is_finite, _tokens(fields, key, count))):
        raise ValueError(f"{key} holds something else than finite numbers")
