"""Risks of both arms and effects on three scales, whatever stands for the event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import tauhat as th
from tauhat.cli import main
from tauhat.data import validate_trial
from tauhat.endpoint import SCALES
from tauhat.ensembles import ConsensusAverage
from tauhat.errors import TrialError
from tauhat.fitting.average_risk import AverageRisk
from tauhat.fitting.learning_view import learning_view

pytestmark = pytest.mark.usefixtures("short_chains")

RNG = np.random.default_rng(1)
N = 400
X = pd.DataFrame({"risk": RNG.normal(size=N), "age": RNG.normal(size=N)})
ARM = np.arange(N) % 2
Y = (RNG.random(N) < expit(-1 + X.risk - 0.8 * ARM)).to_numpy(dtype=float)
SOME = X.iloc[:30]
RATIOS = ("ratio", "odds ratio")


def fitted(name: str, y: Any = Y, **arrays: Any) -> Any:
    return th.estimator(name, random_state=1).fit(X, y, treatment=ARM, **arrays)


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    short = th.estimator("BRM", random_state=1).set_params(n_chains=2, burn_in=60, draws=60)
    return {
        "LMM": fitted("LMM"),
        "T-Linear": fitted("T-Linear"),
        "BRM": short.fit(X, Y, treatment=ARM),
    }


def trial_of(**settings: Any) -> th.Trial:
    df = X.assign(arm=ARM, relapse=np.where(Y > 0, "relapse", "well"), code=2 - Y)
    other = "code" if settings["outcome"] == "relapse" else "relapse"
    return th.Trial(df.drop(columns=other), treatment="arm", **settings)


# The scales.


def test_effects_on_every_scale_are_those_of_the_two_risks(models: dict[str, Any]) -> None:
    for name, model in models.items():
        control, treated = model.risks(SOME).T
        assert model.models_risks == (name != "T-Linear")
        assert 0 < min(control.min(), treated.min()) <= max(control.max(), treated.max()) < 1
        np.testing.assert_allclose(model.effect(SOME), treated - control, atol=1e-12)
        np.testing.assert_allclose(model.effect(SOME, "ratio"), treated / control)
        odds = treated / (1 - treated) / (control / (1 - control))
        np.testing.assert_allclose(model.effect(SOME, scale="odds ratio"), odds)


@pytest.mark.parametrize("scale", SCALES)
def test_intervals_hold_the_estimate_and_are_narrower_at_a_lower_level(
    models: dict[str, Any], scale: str
) -> None:
    for model in models.values():
        effect = model.effect(SOME, scale)
        lower, upper = model.effect_interval(SOME, scale=scale)
        inner, outer = model.effect_interval(SOME, scale=scale, level=0.6)
        assert ((lower < inner) & (inner < effect) & (effect < outer) & (outer < upper)).all()
        assert scale == "difference" or lower.min() > 0
    few = models["T-Linear"].effect_interval(SOME, n_bootstrap=3, scale=scale)
    assert (few[0] < models["T-Linear"].effect(SOME, scale)).all()


def test_a_ratio_leaves_out_one_about_where_the_difference_leaves_out_zero(
    models: dict[str, Any],
) -> None:
    model = models["LMM"]
    apart = [model.effect_interval(X, scale=scale, level=0.8) for scale in SCALES]
    said = [
        (low > null) | (high < null) for (low, high), null in zip(apart, (0, 1, 1), strict=True)
    ]
    assert 0.02 < said[0].mean() < 0.8
    for other in said[1:]:
        # The error of the average risk makes some border cases less sure, and none surer.
        assert not (other & ~said[0]).any()
        assert (other != said[0]).mean() < 0.15


def test_draws_of_ratios_are_about_the_estimate(models: dict[str, Any]) -> None:
    for scale in RATIOS:
        draws = models["BRM"].effect_draws(SOME, scale)
        assert draws.shape[1] == len(SOME)
        assert draws.min() > 0
        middle = np.median(draws, axis=0)
        assert np.abs(np.log(middle / models["BRM"].effect(SOME, scale))).max() < 0.5
    assert models["T-Linear"].has_draws is False


# Estimators that model effects only.


def test_an_effect_is_put_about_the_average_risk_that_knows_no_variation() -> None:
    data = learning_view(validate_trial(X, Y, ARM))
    average = AverageRisk.of(data, seed=1)
    rows = X.to_numpy()
    true = (expit(-1 + X.risk) + expit(-1.8 + X.risk)) / 2
    assert np.sqrt(((average.risk(rows) - true) ** 2).mean()) < 0.05
    np.testing.assert_allclose(average.draws(rows).mean(axis=0), average.risk(rows), atol=0.01)
    risks = average.with_effect(np.array([0.3, 0.05, 0.9]), np.array([0.2, -0.4, 2.0]))
    half = 0.5 / N
    np.testing.assert_allclose(risks[0], [0.2, 0.4])
    np.testing.assert_allclose(risks[1], [0.4 + half, half])
    np.testing.assert_allclose(risks[2], [half, 1 - half])


def test_an_ensemble_and_its_rules_share_the_average_risk() -> None:
    members = [(name, th.estimator(name)) for name in ("T-Linear", "LMM")]
    model: Any = ConsensusAverage(members, random_state=1).fit(X, Y, treatment=ARM)
    risks = model.risks(SOME)
    np.testing.assert_allclose(risks[:, 1] - risks[:, 0], model.effect(SOME), atol=1e-12)
    assert model.reaggregate("Median").average_risk() is model.average_risk()


def test_risks_of_new_clusters_in_a_cluster_trial() -> None:
    clusters = np.arange(N) // 20
    arm = clusters % 2
    rng = np.random.default_rng(2)
    y = rng.random(N) < expit(-1 + X.risk - arm + rng.normal(0, 0.5, 20)[clusters])
    for name in ("LMM", "X-GAMM-RF"):
        model: Any = th.estimator(name, random_state=1)
        model.fit(X, y, treatment=arm, clusters=clusters)
        risks = model.risks(X)
        assert abs(risks[:, 0].mean() - y[arm == 0].mean()) < 0.08
        np.testing.assert_allclose(risks[:, 1] - risks[:, 0], model.effect(X), atol=1e-9)


# What stands for the event.


@pytest.mark.parametrize(("low", "high"), [(1, 2), (0, 100), (-1, 1)])
def test_any_two_values_have_risks_of_the_higher_one(
    models: dict[str, Any], low: float, high: float
) -> None:
    model = fitted("T-Linear", low + (high - low) * Y)
    np.testing.assert_allclose(model.risks(SOME), models["T-Linear"].risks(SOME), atol=1e-9)
    one, other = (m.effect_interval(SOME, scale="ratio") for m in (model, models["T-Linear"]))
    # The reference posterior is that of risks where the values are one apart.
    if high - low == 1:
        np.testing.assert_allclose(one, other, rtol=1e-6)
    risks = fitted("LMM", low + (high - low) * Y).risks(SOME)
    effect = fitted("LMM", low + (high - low) * Y).effect(SOME)
    np.testing.assert_allclose(risks[:, 1] - risks[:, 0], effect / (high - low), atol=1e-12)


def test_rows_without_an_event_have_none_whatever_its_code() -> None:
    data = validate_trial(X, Y + 1, ARM)
    part = data.take(data.y == 1)
    assert part.endpoint.events(part.y).sum() == 0
    latent = part.latent()
    assert latent is not None
    assert not latent.events.any()


def test_event_value_names_the_event_among_two_labels_or_numbers(models: dict[str, Any]) -> None:
    for settings in (
        {"outcome": "relapse", "event_value": "relapse"},
        {"outcome": "code", "event_value": 1},
        {"outcome": "code", "event_value": ["1"], "endpoint": "binary"},
    ):
        trial = trial_of(**settings)
        np.testing.assert_array_equal(trial.y, Y)
        assert trial.endpoint.kind_name == "binary"
        event = np.ravel(settings["event_value"])[0]
        assert (
            trial.check().table.value.astype(str).str.contains(f"(1 is {event})", regex=False).any()
        )
    risks = trial.fit("LMM", random_state=1).risks(trial.X)
    np.testing.assert_allclose(risks, models["LMM"].risks(X), atol=1e-12)
    # Of two numbers the higher one is the event unless somebody says otherwise.
    plain = trial_of(outcome="code")
    np.testing.assert_array_equal(plain.y, 2 - Y)
    swapped = plain.fit("LMM", random_state=1).risks(plain.X)
    np.testing.assert_allclose(swapped, 1 - risks, atol=1e-6)


def test_persons_without_an_outcome_are_left_out_beside_labels() -> None:
    outcome = pd.Series(np.where(Y > 0, "relapse", "well"), dtype=object)
    outcome[:7] = [None, "", "NA", np.nan, " ", None, "NaN"]
    df = X.assign(arm=ARM, y=outcome)
    trial = th.Trial(df, outcome="y", treatment="arm", event_value="relapse")
    assert trial.n_missing_outcome == 7
    np.testing.assert_array_equal(trial.y, Y[7:])
    frame = df.assign(y=df.y.replace({"": None, " ": None, "NA": None, "NaN": None}))
    frame["y"] = frame.y.astype("category")
    again = th.Trial(frame, outcome="y", treatment="arm", event_value="relapse")
    np.testing.assert_array_equal(again.y, trial.y)


# Wrong input.


def test_risks_and_ratios_of_a_continuous_outcome_are_refused_alike() -> None:
    model = fitted("LMM", Y + X.age)
    why = "needs an outcome with two values, an event or none; this one is continuous"
    with pytest.raises(TrialError, match=f"a risk {why}"):
        model.risks(SOME)
    for call in (model.effect, model.effect_draws):
        with pytest.raises(TrialError, match=f"scale='ratio' {why}"):
            call(SOME, "ratio")
    with pytest.raises(TrialError, match=f"scale='odds ratio' {why}"):
        model.effect_interval(SOME, scale="odds ratio")
    with pytest.raises(TrialError, match="scale must be one of difference, ratio, odds ratio"):
        model.effect(SOME, "logit")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "labels 'relapse' and 'well'; say with event_value= which of them is the event"),
        ({"event_value": "dead"}, "one of the two values of outcome column 'relapse'"),
        ({"event_value": ["relapse", "well"]}, "one of the two values of outcome column"),
        ({"event_value": "well", "endpoint": "continuous"}, "endpoint must then be 'binary'"),
    ],
)
def test_two_labels_bring_one_clear_question(settings: Any, message: str) -> None:
    with pytest.raises(TrialError, match=message):
        trial_of(outcome="relapse", **settings)


def test_event_value_needs_two_values() -> None:
    with pytest.raises(TrialError, match=r"two values; column 'age' has 400: .* in event="):
        th.Trial(X.assign(arm=ARM), outcome="age", treatment="arm", event_value=1)
    df = X.assign(arm=ARM, y=pd.Series(["well", "relapse", "lost"] * 134)[:N])
    with pytest.raises(TrialError, match="column 'y' has 3: 'well', 'relapse', 'lost'"):
        th.Trial(df, outcome="y", treatment="arm", event_value="relapse")


def test_the_command_line_asks_and_takes_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "trial.csv"
    df = X.assign(arm=ARM, y=np.where(Y > 0, "relapse", "well"))
    df.to_csv(file, index=False)
    words = ["check", str(file), "--outcome", "y", "--treatment", "arm"]
    assert main(words) == 2
    assert "--event-value" in capsys.readouterr().err
    assert main([*words, "--event-value", "relapse"]) in (0, 1)
    assert "(1 is relapse)" in " ".join(capsys.readouterr().out.split())


# Saved models.


def test_saved_models_give_the_same_risks(models: dict[str, Any], tmp_path: Path) -> None:
    for name in ("LMM", "T-Linear"):
        risks = models[name].risks(SOME)
        for with_data in (True, False):
            th.save(models[name], tmp_path / "model.tauhat", with_data=with_data)
            loaded: Any = th.load(tmp_path / "model.tauhat")
            np.testing.assert_array_equal(loaded.risks(SOME), risks)
            np.testing.assert_array_equal(
                loaded.effect(SOME, "ratio"), models[name].effect(SOME, "ratio")
            )
    # An average risk that was never asked for needs the rows.
    th.save(fitted("T-Linear"), tmp_path / "model.tauhat", with_data=False)
    with pytest.raises(TrialError, match="needs the rows of the trial"):
        th.load(tmp_path / "model.tauhat").risks(SOME)
