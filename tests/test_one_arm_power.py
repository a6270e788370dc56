"""Power with clusters in one arm only: against variances by hand, simulated trials, the command."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import tauhat as th
from tauhat.cli import main
from tauhat.power import power_one_arm

GIVEN: dict[str, Any] = {"cluster_size": 10, "icc": 0.1, "effect": 0.5}


def test_the_variance_is_that_of_both_means() -> None:
    plan = power_one_arm(12, **GIVEN, n_alone=90, sd_y=2.0, sd_alone=1.5)
    # Of a mean over 120 persons, and over 90.
    group = np.repeat(np.arange(12), 10)
    covariance = 4.0 * (0.1 * (group[:, None] == group) + 0.9 * np.eye(120))
    v1, v0 = covariance.mean(), 1.5**2 / 90
    assert plan.se == pytest.approx(np.sqrt(v1 + v0), rel=1e-12)
    assert plan.degrees_of_freedom == pytest.approx((v1 + v0) ** 2 / (v1**2 / 11 + v0**2 / 89))
    shift, critical = 0.5 / plan.se, stats.t.isf(0.025, plan.degrees_of_freedom)
    expected = stats.nct.sf(critical, plan.degrees_of_freedom, shift)
    assert plan.published_power == pytest.approx(expected, abs=1e-3)
    assert plan.n_persons == 210


def test_unequal_sizes_cost_what_eldridge_says() -> None:
    even, uneven = (power_one_arm(40, **GIVEN, size_cv=cv) for cv in (0.0, 0.6))
    v0 = 1 / even.n_alone
    # Rounded gamma sizes have a CV of nearly .6.
    ratio = (uneven.se**2 - v0) / (even.se**2 - v0)
    assert ratio == pytest.approx((1 + (1.36 * 10 - 1) * 0.1) / (1 + 9 * 0.1), rel=0.02)
    assert uneven.degrees_of_freedom < even.degrees_of_freedom


def test_the_best_share_is_the_best() -> None:
    given = {**GIVEN, "cluster_size": 5, "icc": 0.3, "sd_alone": 0.8}
    best = power_one_arm(20, **given).best_share
    errors = {}
    # The same 400 persons, shared out otherwise.
    for clusters in range(30, 70):
        errors[clusters] = power_one_arm(clusters, **given, n_alone=400 - 5 * clusters).se
    assert min(errors, key=errors.__getitem__) == pytest.approx(best * 80, abs=1)


def test_the_number_of_clusters_is_the_smallest() -> None:
    for changes in ({}, {"effect": -0.2}, {"effect": None, "delta": 0.3}, {"n_alone": 60}):
        found = power_one_arm(power=0.8, **{**GIVEN, **changes})
        fewer = power_one_arm(found.n_clusters - 1, **{**GIVEN, **changes})
        assert fewer.power < 0.8 <= found.power
    assert power_one_arm(power=0.9, **{**GIVEN, "effect": 9.0}).n_clusters == 3
    with pytest.raises(th.TrialError, match="persons alone that no number of clusters makes up"):
        power_one_arm(power=0.9, **GIVEN, n_alone=10)


def test_an_effect_has_the_power_of_its_mirror_image_and_level_without_any() -> None:
    plus, minus = (power_one_arm(8, **{**GIVEN, "effect": e}).power for e in (0.4, -0.4))
    assert plus == minus
    tiny = power_one_arm(8, **{**GIVEN, "effect": 1e-9}).power
    # What the moderated test rejects by chance is at most its level.
    assert 0.035 < tiny < 0.052


@pytest.mark.parametrize(
    ("clusters", "changes", "message"),
    [
        (None, {}, "give one of n_clusters and power"),
        (2, {}, "n_clusters must be a whole number of at least 3"),
        (float("nan"), {}, "n_clusters must be a whole number of at least 3, got nan"),
        (12, {"icc": 1.0}, "icc must be in"),
        (12, {"cluster_size": 1}, "cluster_size must be at least 2"),
        (12, {"effect": None}, "give one of effect"),
        (12, {"delta": 0.1}, "give one of effect"),
        (12, {"effect": 0.0}, "effect must be a number other than 0"),
        (12, {"n_alone": 2}, "n_alone must be a whole number of at least 3"),
        (12, {"n_alone": 50, "share_clustered": 0.4}, "give one of n_alone and share_clustered"),
        (12, {"share_clustered": 1.0}, "share_clustered must be in"),
        (None, {"power": 0.01}, "power must be in"),
    ],
)
def test_what_makes_no_plan(clusters: float | None, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(th.TrialError, match=message):
        power_one_arm(clusters, **{**GIVEN, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("sd_alone", [1.0, 1.5])
def test_simulated_trials_are_rejected_as_often(sd_alone: float) -> None:
    plan = power_one_arm(8, **GIVEN, sd_alone=sd_alone)
    group = np.r_[np.repeat(np.arange(8), 10), 8 + np.arange(plan.n_alone)]
    arm = (group < 8).astype(int)
    rejected = []
    for seed in range(600):
        rng = np.random.default_rng(seed)
        level = np.r_[np.sqrt(0.1) * rng.normal(size=8), np.zeros(plan.n_alone)]
        noise = np.where(arm == 1, np.sqrt(0.9), sd_alone) * rng.normal(size=len(arm))
        y = 0.5 * arm + level[group] + noise
        found = th.average_effects((rng.normal(size=(len(arm), 1)), y, arm, group))
        rejected.append(found.individual.p_value <= 0.05)
    # 600 trials: a Monte Carlo error of .02.
    assert np.mean(rejected) == pytest.approx(plan.power, abs=0.055)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["power", "--one-arm", "--size", "10", "--icc", "0.1"]
    assert main([*words, "--effect", "0.5", "--clusters", "12"]) == 0
    power = power_one_arm(12, **GIVEN).power
    assert f"{100 * power:.1f}% power" in " ".join(capsys.readouterr().out.split())
    more = ["--share-treated", "0.6", "--sd-alone", "1.2", "--size-cv", "0.3"]
    assert main([*words, "--effect", "0.5", "--power", "0.8", *more, "--csv"]) == 0
    header, values = capsys.readouterr().out.splitlines()
    assert header.startswith('"clusters, in one arm only",')
    plan = power_one_arm(power=0.8, **GIVEN, share_clustered=0.6, sd_alone=1.2, size_cv=0.3)
    assert float(values.split(",")[0]) == plan.n_clusters
    assert main([*words, "--delta", "0.4", "--clusters", "12", "--alone", "50"]) == 0
    assert "with one unit of a modifier" in " ".join(capsys.readouterr().out.split())
    for wrong, message in (
        (["--clusters", "12"], "give one of --effect and --delta, on average"),
        (["--clusters", "12", "--effect", "1", "--icc-x", "0.1"], "--icc-x belongs to trials with"),
        (["--clusters", "12", "--effect", "1", "--periods", "4"], "--periods does not go with"),
        (["--clusters", "12", "--effect", "1", "--arms", "3"], "--arms does not go with --one-arm"),
        (["--clusters", "12,14", "--effect", "1"], "--clusters has several values"),
        (["--clusters", "2", "--effect", "1"], "--clusters must be a whole number of at least 3"),
        (
            ["--clusters", "9", "--effect", "1", "--alone", "9", "--share-treated", "0.4"],
            "give one of --alone and --share-treated",
        ),
    ):
        assert main([*words, *wrong]) == 2
        assert message in capsys.readouterr().err
    for alone in (["--alone", "3"], ["--sd-alone", "1"]):
        assert main(["power", "--persons", "400", "--delta", "0.3", *alone]) == 2
        assert f"{alone[0]} needs --one-arm" in capsys.readouterr().err
    assert main(["power", "--one-arm", "--clusters", "9", "--icc", "0", "--effect", "1"]) == 2
    assert "--size is missing" in capsys.readouterr().err
