"""Power of stepped wedges: against least squares on persons, simulated trials, and the command."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from scipy import stats

import tauhat as th
from tauhat.cli import main
from tauhat.data import validate_trial
from tauhat.power import power_stepped_wedge
from tauhat.simulate import SteppedWedgeTrial

GIVEN: dict[str, Any] = {
    "n_periods": 5,
    "cluster_period_size": 12,
    "icc": 0.1,
    "autocorrelation": 0.8,
    "effect": 0.5,
}


@pytest.mark.parametrize(("clusters", "periods"), [(8, 3), (12, 5), (11, 5)])
@pytest.mark.parametrize("autocorrelation", [1.0, 0.6])
def test_the_formula_is_generalized_least_squares(
    clusters: int, periods: int, autocorrelation: float
) -> None:
    size, icc, sd = 3, 0.2, 2.0
    cluster, period, _ = (part.ravel() for part in np.indices((clusters, periods, size)))
    same = cluster[:, None] == cluster
    covariance = sd**2 * icc * autocorrelation * same
    covariance += sd**2 * icc * (1 - autocorrelation) * (same & (period[:, None] == period))
    covariance += sd**2 * (1 - icc) * np.eye(len(cluster))
    plan = power_stepped_wedge(
        clusters, n_periods=periods, cluster_period_size=size, icc=icc, sd_y=sd, effect=1.0,
        autocorrelation=autocorrelation,
    )  # fmt: skip
    start = np.repeat(np.arange(1, periods), plan.clusters_of_steps)
    X = np.column_stack([period >= start[cluster], np.eye(periods)[period]]).astype(float)
    variance = np.linalg.inv(X.T @ np.linalg.solve(covariance, X))[0, 0]
    assert plan.se == pytest.approx(np.sqrt(variance), rel=1e-9)
    shift = 1.0 / plan.se
    assert plan.large_sample_power == pytest.approx(
        stats.norm.sf(1.959964 - shift) + stats.norm.cdf(-1.959964 - shift), abs=1e-6
    )
    assert plan.power < plan.large_sample_power


def test_the_number_of_clusters_is_the_smallest() -> None:
    found = power_stepped_wedge(power=0.8, **GIVEN)
    assert found.n_clusters % 4 == 0
    assert found.power >= 0.8
    assert power_stepped_wedge(found.n_clusters - 4, **GIVEN).power < 0.8
    # More than at first tried.
    small = power_stepped_wedge(power=0.9, **{**GIVEN, "effect": -0.1})
    assert power_stepped_wedge(small.n_clusters - 4, **{**GIVEN, "effect": -0.1}).power < 0.9
    assert small.power >= 0.9
    assert power_stepped_wedge(power=0.2, **{**GIVEN, "effect": 5.0}).n_clusters == 4


@pytest.mark.parametrize(
    ("clusters", "changes", "message"),
    [
        (None, {}, "give one of n_clusters and power"),
        (3, {}, "at least 4 with 5 periods"),
        (12, {"icc": 1.0}, "icc must be in"),
        (12, {"autocorrelation": 2.0}, "autocorrelation must be in"),
        (12, {"n_periods": 2}, "n_periods must be a whole number of at least 3"),
        (12, {"n_periods": float("inf")}, "n_periods must be a whole number of at least 3"),
        (12, {"effect": 0.0}, "effect must be a number other than 0"),
        (None, {"power": 0.01}, "power must be in"),
    ],
)
def test_what_makes_no_plan(clusters: int | None, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(th.TrialError, match=message):
        power_stepped_wedge(clusters, **{**GIVEN, **changes})


@pytest.mark.slow
def test_simulated_trials_have_the_standard_error() -> None:
    source = SteppedWedgeTrial(
        n_clusters=12, mean_size=60, size_cv=0, icc=0.1, prognosis="null", effect="constant"
    )
    plan = power_stepped_wedge(12, **GIVEN)
    estimates = []
    for seed in range(120):
        trial = source.draw(random_state=seed)
        X = trial.X[["x3"]]
        data = validate_trial(X, trial.y, trial.treatment, trial.clusters, period=trial.period)
        estimates.append(th.average_effects(data).individual.estimate)
    assert abs(np.mean(estimates) - 0.4) < 3 * np.std(estimates) / np.sqrt(120)
    # 120 trials: the SD has a Monte Carlo error of 6.5 %.
    assert np.std(estimates) / plan.averages_se == pytest.approx(1, abs=0.15)
    assert plan.averages_se > 1.3 * plan.se


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["power", "--periods", "5", "--size", "12", "--icc", "0.1", "--effect", "0.5"]
    assert main([*words, "--clusters", "12", "--autocorrelation", "0.8"]) == 0
    power = power_stepped_wedge(12, **GIVEN).power
    said = " ".join(capsys.readouterr().out.split())
    assert f"{100 * power:.1f}% power" in said
    assert re.search(r"needs no such model, has \d+\.\d% power\.$", said)
    assert main([*words, "--power", "0.8", "--csv"]) == 0
    assert capsys.readouterr().out.startswith("clusters,periods,")
    for more, message in (
        (["--clusters", "12", "--icc-x", "0.1"], "--icc-x belongs to trials without periods"),
        (["--clusters", "12", "--horizon", "3"], "--horizon does not go with --periods"),
        (["--clusters", "2"], "--clusters must be a whole number of at least 4"),
        ([], "give one of --clusters and --power"),
    ):
        assert main([*words, *more]) == 2
        assert message in capsys.readouterr().err
    assert main(["power", "--persons", "400", "--delta", "0.3", "--effect", "0.5"]) == 2
    assert "--effect needs --periods" in capsys.readouterr().err
