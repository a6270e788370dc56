"""Models that earlier versions saved are read, and their effects are those of then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th

FOLDER = Path(__file__).resolve().parent / "saved"
NEW = pd.DataFrame([[-1.0, 0.5], [0.0, 0.0], [1.5, -2.0]], columns=["age", "bmi"])
SAVED = [
    (path.stem, name, effects)
    for path in sorted(FOLDER.glob("*.json"))
    for name, effects in json.loads(path.read_text("utf-8")).items()
]


def test_there_is_a_file_of_this_version_or_an_earlier_one() -> None:
    assert len(SAVED) >= 6


@pytest.mark.parametrize(
    ("version", "name", "effects"), SAVED, ids=[f"{version}-{name}" for version, name, _ in SAVED]
)
def test_a_kept_file_is_read(version: str, name: str, effects: list[float]) -> None:
    model: Any = th.load(FOLDER / f"{version}-{name}.tauhat")
    np.testing.assert_allclose(model.effect(NEW), effects, rtol=1e-9)
    lower, upper = model.effect_interval(NEW)
    assert ((lower < effects) & (effects < upper)).all()
    with pytest.raises(ValueError, match="another order"):
        model.effect(NEW[["bmi", "age"]])
