"""A fitted estimator as values that JSON can write, arrays and texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import gpboost
import lightgbm
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree._tree import Tree

from tauhat._typing import AnyArray
from tauhat.data import TrialData
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.errors import TrialError
from tauhat.outcome.grown_trees import GrownForest
from tauhat.outcome.tree_draws import TreeDraws
from tauhat.saving.classes import known_classes
from tauhat.saving.engine_text import gpboost_text, lightgbm_text
from tauhat.saving.rows import RowsLeftOut
from tauhat.saving.trees import stored_effect_forest, stored_forest, stored_tree

#: Attributes that hold one value per row of the trial.
ROW_ATTRIBUTES = ("held_out_",)


class Encoder:
    """Turns an estimator into nodes of JSON; arrays and texts are set aside by number.

    Parameters
    ----------
    with_data
        Whether the rows of the trial are kept.

    Attributes
    ----------
    arrays, texts
        What the nodes refer to.
    """

    def __init__(self, *, with_data: bool) -> None:
        self.with_data = with_data
        self.arrays: list[AnyArray] = []
        self.texts: list[str] = []
        self._numbers: dict[int, int] = {}
        self._array_numbers: dict[int, int] = {}
        # An object that is let go could give its id to another.
        self._alive: list[Any] = []

    def node(self, value: Any, where: str) -> Any:
        """Node of a value.

        Parameters
        ----------
        value
            What to write.
        where
            Words for the place of the value, for the message of an error.

        Raises
        ------
        TrialError
            If the value has no form that can be read without running code.
        """
        if isinstance(value, np.generic):
            return {"kind": "scalar", "array": self._array(np.asarray(value))}
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"kind": "float", "value": str(value)}
        if isinstance(value, (list, tuple)):
            if where.endswith(".members") and len(value) == 2 and isinstance(value[0], str):
                where = f"member {value[0]!r}"
            items = [self.node(item, where) for item in value]
            return items if isinstance(value, list) else {"kind": "tuple", "items": items}
        if isinstance(value, dict):
            return self._dict(value, where)
        if isinstance(value, np.ndarray):
            return self._any_array(value, where)
        if isinstance(value, pd.DataFrame):
            return self._table(value, where)
        return self._object(value, where)

    def _dict(self, value: dict[Any, Any], where: str) -> Any:
        pairs = []
        for key, item in value.items():
            inner = f"member {key!r}" if where.endswith("members_") else where
            pairs.append([self.node(key, where), self.node(item, inner)])
        return {"kind": "dict", "items": pairs}

    def _any_array(self, value: AnyArray, where: str) -> Any:
        if value.dtype.kind in "biuf":
            return {"kind": "array", "array": self._array(value)}
        if value.dtype.kind in "OU" and all(isinstance(item, str) for item in value.flat):
            return {
                "kind": "strings",
                "object": value.dtype.kind == "O",
                "shape": list(value.shape),
                "items": [str(item) for item in value.flat],
            }
        raise _no_form(value, where)

    def _array(self, value: AnyArray) -> int:
        if id(value) not in self._array_numbers:
            self._array_numbers[id(value)] = len(self.arrays)
            self._alive.append(value)
            self.arrays.append(value)
        return self._array_numbers[id(value)]

    def _table(self, value: pd.DataFrame, where: str) -> Any:
        plain_index = isinstance(value.index, pd.RangeIndex)
        return {
            "kind": "table",
            "columns": self.node(value.columns.tolist(), where),
            "index": None if plain_index else self.node(value.index.tolist(), where),
            "values": [self._column(value.iloc[:, j], where) for j in range(value.shape[1])],
        }

    def _column(self, column: pd.Series, where: str) -> Any:
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
            return {"kind": "array", "array": self._array(column.to_numpy())}
        return self.node(column.tolist(), where)

    def _text(self, text: str) -> int:
        self.texts.append(text)
        return len(self.texts) - 1

    def _object(self, value: Any, where: str) -> Any:
        if id(value) in self._numbers:
            return {"kind": "same", "number": self._numbers[id(value)]}
        number = self._numbers[id(value)] = len(self._numbers)
        self._alive.append(value)
        if not self.with_data and isinstance(value, (TrialData, OutOfFold)):
            node = self._rows_left_out(value if isinstance(value, TrialData) else RowsLeftOut(()))
        elif isinstance(value, RowsLeftOut):
            node = self._rows_left_out(value)
        elif isinstance(value, TreeDraws):
            n_trees, leaf_constant = value.settings
            text = self._text(value.to_json())
            node = {"kind": "tree draws", "n_trees": n_trees, "leaf_constant": leaf_constant}
            node["text"] = text
        elif isinstance(value, lightgbm.Booster):
            node = {"kind": "lightgbm", "text": self._text(lightgbm_text(value))}
        elif isinstance(value, gpboost.Booster):
            node = {"kind": "gpboost", "text": self._text(gpboost_text(value))}
        else:
            node = self._own_object(_with_own_reader(value), where)
        return {**node, "number": number}

    def _own_object(self, value: Any, where: str) -> dict[str, Any]:
        kind = type(value)
        if known_classes().get(kind.__name__) is not kind:
            raise _no_form(value, where)
        state = {}
        for name, item in _attributes(value).items():
            if name == "training_effects_":
                # They can be predicted again.
                continue
            if not self.with_data and name == "reference_posterior_":
                # Only intervals use it, and they need the rows besides.
                continue
            if not self.with_data and name in ROW_ATTRIBUTES and item is not None:
                state[name] = {**self._rows_left_out(RowsLeftOut(())), "number": None}
                continue
            if name == "cluster_labels":
                # Labels can be anything, and no model needs them.
                item = None
            inner = where if where.startswith("member ") else f"{kind.__name__}.{name}"
            state[name] = self.node(item, inner)
        return {"kind": "object", "class": kind.__name__, "state": state}

    def _rows_left_out(self, trial: TrialData | RowsLeftOut) -> dict[str, Any]:
        return {
            "kind": "rows left out",
            "feature_names": list(trial.feature_names),
            "limits": self.node(trial.limits, "limits"),
            "endpoint": self.node(trial.endpoint, "endpoint"),
        }


def _attributes(value: Any) -> Mapping[str, Any]:
    """What an object consists of: a dataclass of its fields, not of what it remembers of them."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    attributes: Mapping[str, Any] = vars(value)
    return attributes


def _with_own_reader(value: Any) -> Any:
    """Trees of other libraries as arrays with a reader of ours; anything else as it is."""
    if isinstance(value, Tree):
        return stored_tree(value, value.value[:, :, 0], single=True)
    if isinstance(value, RandomForestRegressor) and value.n_outputs_ == 1:
        return stored_forest(part.tree_ for part in value.estimators_)
    if isinstance(value, GrownForest):
        return stored_forest(value.trees)
    # econml's import takes two seconds, which other models need not pay.
    kind = type(value)
    if kind.__module__ == "econml.grf.classes" and kind.__name__ == "CausalForest":
        return stored_effect_forest(value)
    return value


def _no_form(value: Any, where: str) -> TrialError:
    kind = type(value)
    name = "an array of objects" if kind is np.ndarray else f"{kind.__module__}.{kind.__qualname__}"
    return TrialError(
        f"cannot save {where}: it holds {name}, which cannot be read back without running code "
        "from the file. Leave it out; within one's own process pool, pickle works"
    )
