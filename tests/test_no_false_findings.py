"""What the design check leaves alone: simulated trials, measured numbers, ends of follow-up."""

from __future__ import annotations

import numpy as np
import pytest

from tauhat.simulate import scenario, scenario_names
from test_findings import TRUE_OF_SMALL, check, persons


@pytest.mark.parametrize(
    "name", [n for n in scenario_names() if n != "semi-synthetic" and not n.startswith("crt-n")]
)
def test_simulated_trials_have_no_false_warning(name: str) -> None:
    drawing = scenario(name)
    drawn = drawing.draw(None if drawing.randomizes_clusters else 300, random_state=3)
    df = drawn.X.assign(arm=drawn.treatment, y=drawn.y)
    roles = {"covariates": list(drawn.X)}
    if drawn.clusters is not None:
        df["group"] = drawn.clusters
        roles["cluster"] = "group"  # type: ignore[assignment]
    if drawn.period is not None:
        df["month"] = drawn.period
        roles["period"] = "month"  # type: ignore[assignment]
    for covariates in (roles["covariates"], None):
        result = check(df, **(roles | {"covariates": covariates}))
        assert set(result.open_codes) <= TRUE_OF_SMALL, result.text


def test_measured_whole_numbers_are_no_identifiers() -> None:
    rng = np.random.default_rng(12)
    df = persons().assign(
        steps=rng.integers(0, 20_000, 300),
        income=(rng.lognormal(10, 0.6, 300) / 100).round() * 100,
        cd4=rng.gamma(4, 90, 300).round(),
        weight_g=rng.normal(3400, 450, 300).round(),
        day=np.sort(rng.integers(0, 400, 300)),
    )
    assert "identifier" not in check(df, covariates=["age", *df.columns[-5:]]).open_codes


def test_an_outcome_after_one_fixed_time_is_no_censored_one() -> None:
    df = persons().assign(time=lambda d: np.random.default_rng(3).exponential(4, len(d)))
    df = df.assign(event=(df["time"] < 3) * 1, years=df["time"].clip(upper=3))
    for outcome in ("event", "years"):
        assert check(df, outcome=outcome).open_codes == ()
    cut = np.minimum(df["time"], np.linspace(1, 6, len(df)))
    censored = df.assign(time=cut, event=(cut == df["time"]) * 1, years=cut)
    for outcome in ("event", "years"):
        assert check(censored, outcome=outcome).open_codes == ("time-with-status",)
