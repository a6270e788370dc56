"""Average effects in groups along covariates: the same numbers as for one named subgroup."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tauhat.errors import TrialError
from tauhat.inference import covariate_group_effects, cross_fit, group_effect
from tauhat.inference.cross_fitting import CrossFit
from tauhat.trial.trial import Trial


@pytest.fixture(scope="module")
def fit() -> CrossFit:
    rng = np.random.default_rng(5)
    clinic = rng.permutation(np.repeat(np.arange(16), 20))
    df = pd.DataFrame({"clinic": clinic, "arm": clinic % 2, "age": rng.normal(60, 9, 320)})
    df["y"] = df.arm * (df.age > 60) * 3 + rng.normal(0, 1, 16)[clinic] + rng.normal(0, 2, 320)
    trial = Trial(df, outcome="y", treatment="arm", cluster="clinic")
    return cross_fit(trial, "LMM", n_splits=2, n_folds=2, random_state=1)


def test_groups_have_the_effects_of_named_subgroups(fit: CrossFit) -> None:
    old = (fit.frame["age"] > 60).to_numpy()
    found = covariate_group_effects(fit, {"age": (old.astype(int), ["young", "old"])}).table
    one = group_effect(fit, "age > 60")
    assert found["group"].tolist() == ["young", "old"]
    assert found["persons"].tolist() == [one.n_outside, one.n_inside]
    assert found.loc[1, "control units"] == one.units[0]
    for row, expected in ((1, one.inside), (0, one.outside)):
        assert found.loc[row, "estimate"] == pytest.approx(expected.estimate)
        assert found.loc[row, "lower"] == pytest.approx(expected.lower)
    assert found.loc[1, "lower"] < 3 < found.loc[1, "upper"]


def test_persons_in_no_group_and_groups_of_one_arm(fit: CrossFit) -> None:
    codes = np.full(fit.data.n, -1)
    codes[fit.rows[np.flatnonzero(fit.data.treatment == 1)[:30]]] = 0
    row = covariate_group_effects(fit, {"age": (codes, ["some"])}).table.iloc[0]
    assert (row["persons"], row["control units"]) == (30, 0)
    assert np.isnan(row["estimate"])
    with pytest.raises(TrialError, match="one is needed for each of the 320"):
        covariate_group_effects(fit, {"age": (codes[:-1], ["some"])})


def test_a_group_without_an_estimate_leaves_those_of_the_others(fit: CrossFit) -> None:
    old = (fit.frame["age"] > 60).to_numpy().astype(int)
    codes = old.copy()
    # Two clusters are too few for an estimate of their own.
    codes[np.isin(fit.units[np.argsort(fit.rows)], (0, 1))] = 2
    found = covariate_group_effects(fit, {"age": (codes, ["young", "old", "rare"])}).table
    alone = covariate_group_effects(fit, {"age": (np.where(codes == 1, 0, -1), ["old"])}).table
    assert np.isnan(found.loc[2, "estimate"])
    assert found.loc[:1, "estimate"].notna().all()
    assert found.loc[1, "lower"] == pytest.approx(alone.loc[0, "lower"])
