"""Averages of times to an event in clusters beside those of R's DRsurvCRT."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import tauhat as th

REFERENCE = Path(__file__).parent / "reference"


def test_averages_are_near_those_of_doubly_robust_curves() -> None:
    """Both are doubly robust for the same estimands; what they model differs.

    The package has Cox models where tauhat has ridge Cox models of other folds and a regression of
    what is made of them, and integrates by trapezoids. A tenth to a seventh of a standard error is
    what that moves.
    """
    expected = json.loads((REFERENCE / "cluster_times.json").read_text("utf-8"))
    df = pd.read_csv(REFERENCE / "cluster_times.csv")
    trial = th.Trial(
        df,
        outcome="time", event="event", horizon=expected["horizon"], treatment="arm",
        cluster="cluster", covariates=["x1", "x2", "x3", "w"], censoring="covariates",
    )  # fmt: skip
    found = th.average_effects(trial)
    for kind, means in (("individual", found.individual_means), ("cluster", found.cluster_means)):
        one, other = getattr(found, kind), expected[kind]
        assert abs(one.estimate - other["estimate"]) < 0.15 * other["se"]
        assert one.se == pytest.approx(other["se"], rel=0.05)
        assert means == pytest.approx((other["control"], other["treated"]), abs=0.3)
    # Taken as they stand the times are off by more.
    naive = df.time.clip(upper=expected["horizon"])[df.arm == 0].mean()
    assert naive < expected["individual"]["control"] - 2
