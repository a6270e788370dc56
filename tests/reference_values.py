"""The trials and values in ``tests/reference``, which other programs computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray

FOLDER = Path(__file__).resolve().parent / "reference"
R_VALUES: dict[str, Any] = json.loads((FOLDER / "lme4.json").read_text(encoding="utf-8"))["sets"]
SETS = tuple(R_VALUES)


def trial(name: str) -> pd.DataFrame:
    """One of the synthetic trials: cluster, arm, age, sex, urban, y, weight."""
    return pd.read_csv(FOLDER / f"{name}.csv")


def columns(data: pd.DataFrame, terms: list[str]) -> FloatArray:
    """The columns of R's model matrix of these terms, one row per person."""

    def column(term: str) -> FloatArray:
        parts = [] if term == "(Intercept)" else term.split(":")
        return np.prod([np.ones(len(data)), *(data[p].to_numpy(float) for p in parts)], axis=0)

    return np.column_stack([column(term) for term in terms])
