"""Trees of the compiled engines as the text that each writes, checked before each reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import gpboost
import lightgbm


def lightgbm_text(booster: lightgbm.Booster) -> str:
    """Trees of a LightGBM booster, every number with 17 digits."""
    text: str = booster.model_to_string(num_iteration=-1)
    return text


def lightgbm_booster(text: str) -> lightgbm.Booster:
    """Booster of a text of `lightgbm_text`.

    Raises
    ------
    ValueError
        If the text does not describe trees.
    """
    return lightgbm.Booster(model_str=checked_boosting(text))


def gpboost_text(booster: gpboost.Booster) -> str:
    """Trees of a GPBoost booster without its random effects model, which holds training rows.

    Effects are those of the trees alone, so that nothing they need is left out.
    """
    trees_only = SimpleNamespace(
        handle=booster.handle, has_gp_model=False, pandas_categorical=None, best_iteration=-1
    )
    text: str = gpboost.Booster.model_to_string(trees_only, num_iteration=-1)
    return text


def gpboost_booster(text: str) -> gpboost.Booster:
    """Booster of a text of `gpboost_text`.

    Raises
    ------
    ValueError
        If the text does not describe trees.
    """
    return gpboost.Booster(model_str=checked_boosting(text), silent=True)


def checked_boosting(text: str) -> str:
    r"""Text of a boosting model, if its trees are whole: the engines trust what they read.

    The sizes of the trees, by which the engines would cut the text without
    looking, are taken out; the engines then read tree by tree.

    Parameters
    ----------
    text
        What LightGBM or GPBoost wrote.

    Raises
    ------
    ValueError
        If a child, a leaf or a column that a tree names is not there.

    Examples
    --------
    >>> checked_boosting("tree\nmax_feature_idx=0\n\nTree=0\nnum_leaves=2\nleft_child=5\n")
    Traceback (most recent call last):
    ValueError: tree 0 of a boosting model is damaged
    """
    head, *blocks = text.split("\nTree=")
    lines = head.split("\n")
    if lines[0] != "tree":
        raise ValueError("a text is no boosting model")
    columns = int(_fields(head)["max_feature_idx"]) + 1
    for number, block in enumerate(blocks):
        try:
            whole = _boosted_tree_is_whole(_fields(block.split("\nend of trees")[0]), columns)
        except (KeyError, ValueError):
            whole = False
        if not whole:
            raise ValueError(f"tree {number} of a boosting model is damaged")
    kept = "\n".join(line for line in lines if not line.startswith("tree_sizes="))
    return "\nTree=".join([kept, *blocks])


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.split("\n") if "=" in line)


def _boosted_tree_is_whole(fields: Mapping[str, str], columns: int) -> bool:
    leaves = int(fields["num_leaves"])
    if leaves < 1 or fields["num_cat"] != "0" or fields.get("is_linear", "0") != "0":
        return False
    if len(fields["leaf_value"].split()) != leaves:
        return False
    if leaves == 1:
        return True
    splits = [int(value) for value in fields["split_feature"].split()]
    lengths = {len(fields[name].split()) for name in ("threshold", "decision_type")}
    if lengths != {leaves - 1} or not all(0 <= split < columns for split in splits):
        return False
    for side in ("left_child", "right_child"):
        children = [int(value) for value in fields[side].split()]
        # Inner nodes are numbered as they are split off, leaves are -1 - number.
        inside = [node < c < leaves - 1 or 0 <= ~c < leaves for node, c in enumerate(children)]
        if len(children) != leaves - 1 or not all(inside):
            return False
    return len(splits) == leaves - 1


def checked_forests(text: str) -> str:
    """Text of stochtree's forests, if its trees are whole.

    Parameters
    ----------
    text
        JSON that stochtree wrote.

    Raises
    ------
    ValueError
        If a tree is not one.

    Examples
    --------
    >>> checked_forests('{"num_samples": 1, "forest_0": {"num_trees": 0}}')[:14]
    '{"num_samples"'
    """
    described = json.loads(text)
    try:
        for number in range(int(described["num_samples"])):
            forest = described[f"forest_{number}"]
            for place in range(int(forest["num_trees"])):
                if not _sampled_tree_is_whole(forest[f"tree_{place}"]):
                    raise ValueError(f"tree {place} of forest {number} is damaged")
    except (KeyError, TypeError) as error:
        raise ValueError(f"the forests lack {error}") from error
    return text


_NODE_LISTS = (
    "left",
    "right",
    "parent",
    "split_index",
    "threshold",
    "leaf_value",
    "node_type",
    "node_deleted",
)


def _sampled_tree_is_whole(tree: Mapping[str, Any]) -> bool:
    n = int(tree["num_nodes"])
    if n < 1 or tree["has_categorical_split"] or any(len(tree[k]) != n for k in _NODE_LISTS):
        return False
    left: Sequence[int] = tree["left"]
    right: Sequence[int] = tree["right"]
    seen: set[int] = set()
    waiting = [0]
    while waiting:
        node = waiting.pop()
        if not 0 <= node < n or node in seen:
            return False
        seen.add(node)
        if left[node] == -1 and right[node] == -1:
            continue
        if tree["split_index"][node] < 0:
            return False
        waiting += [left[node], right[node]]
    return True
