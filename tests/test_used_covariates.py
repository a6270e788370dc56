"""Only covariates that became columns of the models are said to be used."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tauhat.analysis.record import design_record
from tauhat.inference import interaction_effects
from tauhat.trial.trial import Trial


def test_covariates_that_were_left_out_are_not_said_to_be_used() -> None:
    rng = np.random.default_rng(2)
    clinic = np.repeat(np.arange(60), 20)
    df = pd.DataFrame({"clinic": clinic, "arm": rng.permutation(np.arange(60) % 2)[clinic]})
    df = df.assign(age=rng.normal(size=1200), country="here", never=np.nan)
    df["y"] = 0.3 * rng.normal(size=60)[clinic] + rng.normal(size=1200) + df.arm
    trial = Trial(
        df, outcome="y", treatment="arm", cluster="clinic", covariates=["age", "country", "never"]
    )
    found = {row["item"]: row["value"] for _, row in trial.check().table.iterrows()}
    assert found["covariates"] == "1 (1 column encoded)"
    assert found["missing covariates"].startswith("0 of 1 columns")
    record = design_record(trial, icc=0.1)
    assert record["covariates"] == ["age"]
    assert record["cluster_covariates"] == []
    assert interaction_effects(trial, "age").adjusted_for == ("age",)
