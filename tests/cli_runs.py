"""Runs of the command on a small trial, for the tests of it."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.analysis import workflow
from tauhat.fitting import reference_posterior
from tauhat.numerics.probit_ridge import sample_probit_posterior
from tauhat.numerics.ridge_posterior import sample_ridge_posterior
from tauhat.report import plots

FEW_POINTS = functools.partial(sample_ridge_posterior, n_points=16, draws=80)
SHORT_CHAINS_OF_EVENTS = functools.partial(sample_probit_posterior, burn_in=5, draws=20, thin=1)

NAMES = ["report.html", "effects.csv", "run.json"]


def small_trial(clusters: int = 16, size: int = 10) -> pd.DataFrame:
    """A cluster trial whose effect grows with age; 7 persons have no outcome."""
    rng = np.random.default_rng(7)
    n = clusters * size
    clinic = np.repeat(np.arange(clusters), size)
    arm = (clinic % 2).astype(int)
    age = rng.normal(60, 10, n).round(1)
    sbp = 150 + 0.3 * age - arm * (4 + 0.3 * (age - 60)) + rng.normal(0, 2, clusters)[clinic]
    sbp += rng.normal(0, 6, n)
    df = pd.DataFrame(
        {
            "patient": [f"p{k:03d}" for k in range(n)],
            "clinic": [f"c{k}" for k in clinic],
            "arm": np.where(arm == 1, "TASSH", "HIC"),
            "age": age,
            "female": rng.integers(0, 2, n),
            "urban": (clinic % 3 == 0).astype(int),
            "sbp": sbp,
        }
    )
    df.loc[[3, 20, 21, 60, 61, 100, 159][: n // 20], "sbp"] = np.nan
    return df


ROLES = {
    "outcome": "sbp",
    "treatment": "arm",
    "control": "HIC",
    "cluster": "clinic",
    "covariates": "age,female,urban",
}


def arguments(file: Path, out: Path | None, *more: str, **roles: str | None) -> list[str]:
    """Arguments of `tauhat run` on the small trial, with some roles replaced or left out."""
    chosen = {"models": "LMM", "jobs": "1", **ROLES, **roles}
    words = ["run", str(file)]
    for name, value in chosen.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", value]
    return [*words, *([] if out is None else ["--out", str(out)]), *more]


def effects_of(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "effects.csv")


def run_of(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "run.json").read_text("utf-8"))
    return content


def small_trial_csv(folder: Path) -> Path:
    path = folder / "trial.csv"
    small_trial().to_csv(path, index=False)
    return path


def leave_out_the_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """No drawing, short chains, no held-out effects: others test these, most of a small run."""
    draw_nothing_and_take_few_points(monkeypatch)
    monkeypatch.setattr(workflow, "held_out_effects", lambda *args, **settings: "Left out.")


def draw_nothing_and_take_few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are empty, and intervals come from few points."""
    monkeypatch.setattr(plots, "to_data_uri", lambda figure: "data:,")
    take_few_points(monkeypatch)


def take_few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are those of few points, and of short chains, of the reference posterior."""
    monkeypatch.setattr(reference_posterior, "sample_ridge_posterior", FEW_POINTS)
    monkeypatch.setattr(reference_posterior, "sample_probit_posterior", SHORT_CHAINS_OF_EVENTS)
