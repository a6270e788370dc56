"""Made-up trials with times to an event, for the tests of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import tauhat as th

HORIZON = 24.0


def table(n: int = 240, seed: int = 1, clusters: int = 0, extra: float = 1.0) -> pd.DataFrame:
    """Times in months, some censored; the treatment halves the hazard of those with x > 0."""
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
    df["arm"] = np.arange(n) % 2
    if clusters:
        df["clinic"] = np.arange(n) % clusters
        df["arm"] = df.clinic % 2
    hazard = 0.05 * np.exp(0.4 * df.z - 0.7 * df.arm * (df.x > 0))
    time = rng.exponential(size=n) / hazard
    left = np.minimum(rng.exponential(size=n) * 40 * extra, 30.0)
    df["months"] = np.minimum(time, left).round(3)
    df["died"] = (time <= left).astype(int)
    df["cause"] = np.where(df.died == 1, 1 + (rng.random(n) < 0.3), 0)
    return df


def trial_of(df: pd.DataFrame | None = None, **more: Any) -> th.Trial:
    df = table() if df is None else df
    settings: dict[str, Any] = {
        "outcome": "months", "treatment": "arm", "event": "died", "horizon": HORIZON,
        "covariates": ["x", "z"],
    }  # fmt: skip
    return th.Trial(df, **{**settings, **more})
