"""Models of the log rate of counts: against R's glmer, on both scales, and at their limits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.ensembles.robust import recipe_for
from tauhat.errors import TrialError
from tauhat.fitting.log_rates import AdditiveLogRates
from tauhat.saving.classes import known_classes

FOLDER = Path(__file__).resolve().parent / "reference"
REFERENCE = json.loads((FOLDER / "glmer_rates.json").read_text(encoding="utf-8"))


def trial_of(df: pd.DataFrame, **more: object) -> th.Trial:
    roles = {"outcome": "events", "treatment": "arm", "cluster": "cluster", "exposure": "time"}
    return th.Trial(df, **{**roles, "endpoint": "count", "covariates": ["x1", "x2"], **more})


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "glmer_rates.csv")


@pytest.fixture(scope="module")
def at() -> pd.DataFrame:
    return pd.DataFrame(REFERENCE["at"], columns=["x1", "x2"], dtype=float)


@pytest.mark.parametrize(("name", "off"), [("LMM", 0.025), ("GAMM", 0.05)])
def test_rates_in_new_clusters_are_those_of_glmer(
    name: str, off: float, table: pd.DataFrame, at: pd.DataFrame
) -> None:
    rates = np.array(REFERENCE["rates"])
    model = trial_of(table).fit(name, random_state=1)
    found = model.risks(at)
    # What is left is the shrinkage of the interactions, and in GAMM that of curves.
    np.testing.assert_allclose(found, rates, rtol=off)
    ratio = model.effect(at, scale="ratio")
    apart = np.log(ratio) - np.log(rates[:, 1] / rates[:, 0])
    assert np.abs(apart / np.array(REFERENCE["log_ratio_errors"])).max() < 0.25
    np.testing.assert_allclose(ratio, found[:, 1] / found[:, 0])
    np.testing.assert_allclose(model.effect(at), found[:, 1] - found[:, 0])
    between = model.variance_components_.between_cluster
    assert np.sqrt(between) == pytest.approx(REFERENCE["sd"], rel=0.03)


def test_the_unit_of_time_multiplies_rates(table: pd.DataFrame, at: pd.DataFrame) -> None:
    years = trial_of(table).fit("LMM", random_state=1)
    months = trial_of(table.assign(time=12 * table.time)).fit("LMM", random_state=1)
    np.testing.assert_allclose(12 * months.risks(at), years.risks(at), rtol=1e-6)
    apart = months.effect(at, scale="ratio") / years.effect(at, scale="ratio")
    np.testing.assert_allclose(apart, 1, rtol=1e-6)


def test_exchanged_arms_exchange_the_rates(table: pd.DataFrame, at: pd.DataFrame) -> None:
    model = trial_of(table).fit("LMM", random_state=1)
    turned = trial_of(table.assign(arm=1 - table.arm)).fit("LMM", random_state=1)
    np.testing.assert_allclose(turned.risks(at), model.risks(at)[:, ::-1], rtol=1e-6)


def test_a_person_followed_twice_as_long_is_two(table: pd.DataFrame, at: pd.DataFrame) -> None:
    # Poisson counts of a person over two halves of the time are those over the whole of it.
    some = table[table.cluster <= 30]
    halves = pd.concat([some.assign(events=some.events // 2), some.assign(events=some.events % 2)])
    halves["events"] += np.r_[np.zeros(len(some)), some.events // 2].astype(int)
    halves["time"] /= 2
    both = [trial_of(df).fit("LMM", random_state=1).risks(at) for df in (some, halves)]
    np.testing.assert_allclose(both[1], both[0], rtol=0.01)


def test_scattered_counts_have_wider_posteriors(table: pd.DataFrame, at: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    mean = table.time * np.exp(0.4 + 0.4 * table.x1 - 0.3 * table.arm)
    spreads, kappas = [], []
    for frailty in (np.ones(len(table)), rng.gamma(0.5, 2.0, len(table))):
        df = table.assign(events=rng.poisson(mean * frailty))
        form = AdditiveLogRates(n_splines=0).fit(trial_of(df).data, 1)
        spreads.append(np.log(form.risk_draws(at.to_numpy())).std(axis=0).mean())
        kappas.append(form.components_.residual)
    assert spreads[1] > 1.4 * spreads[0]
    assert kappas[1] > kappas[0] + 0.5


def test_without_an_event_in_an_arm_everything_is_finite(
    table: pd.DataFrame, at: pd.DataFrame
) -> None:
    none = table.assign(events=np.where(table.arm == 1, 0, table.events))
    model = trial_of(none).fit("LMM", random_state=1)
    control, treated = model.risks(at).T
    assert (treated < 0.1 * control).all()
    assert np.isfinite(model.effect(at)).all()
    assert (model.effect(at, scale="ratio") > 0).all()


def test_learners_on_rates_have_ratios_too(table: pd.DataFrame, at: pd.DataFrame) -> None:
    model = trial_of(table, cluster=None).fit("T-Linear", random_state=1)
    assert not model.models_risks
    control, treated = model.risks(at).T
    np.testing.assert_allclose(treated - control, model.effect(at))
    assert (control > 0).all()
    low, high = model.effect_interval(at, scale="ratio")
    ratio = model.effect(at, scale="ratio")
    assert (low < ratio).all()
    assert (ratio < high).all()


def test_odds_of_counts_are_refused(table: pd.DataFrame, at: pd.DataFrame) -> None:
    model = trial_of(table).fit("LMM", random_state=1)
    with pytest.raises(TrialError, match="needs an outcome with two values"):
        model.effect(at, scale="odds ratio")


def test_other_weights_leave_counts_numbers(table: pd.DataFrame, at: pd.DataFrame) -> None:
    weighted = trial_of(table, exposure=None, weight="time")
    assert weighted.endpoint.link == "identity"
    model = weighted.fit("LMM", random_state=1)
    assert not model.models_risks
    with pytest.raises(TrialError):
        model.effect(at, scale="ratio")
    alike = trial_of(table.assign(time=2.0))
    assert (alike.endpoint.link, alike.endpoint.mean_exposure) == ("log", 2.0)


def test_robust_takes_models_of_log_rates(table: pd.DataFrame) -> None:
    trial = trial_of(table)
    assert {"GAMM", "LMM", "GAMM-identity"} < set(recipe_for(trial.data).members)
    assert "AdditiveLogRates" in known_classes()


def test_a_saved_model_gives_the_same_rates(
    table: pd.DataFrame, at: pd.DataFrame, tmp_path: Path
) -> None:
    model = trial_of(table).fit("GAMM", random_state=1)
    th.save(model, tmp_path / "rates.tauhat")
    loaded = th.load(tmp_path / "rates.tauhat")
    np.testing.assert_array_equal(loaded.risks(at), model.risks(at))
