"""Simulated trials of several arms, third levels and crossovers: their laws, files and studies."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.cli import main
from tauhat.data import TrialData
from tauhat.simulate import SeveralArmsTrial, scenario, scenario_names
from tauhat.simulate.randomize import allocate
from tauhat.study import load_plan, plan_names
from tauhat.study.measures import AVERAGES, METRICS
from tauhat.study.tasks import run_task
from tauhat.tables.reading import read_table


def of_groups(rest: np.ndarray, group: np.ndarray) -> float:
    """Variance between groups by analysis of variance."""
    table = pd.DataFrame({"group": group, "rest": rest}).groupby("group")["rest"]
    size = table.size().to_numpy()
    within = (table.var() * (size - 1)).sum() / (size - 1).sum()
    common = (size.sum() - (size**2).sum() / size.sum()) / (len(size) - 1)
    between = (size * (table.mean() - rest.mean()) ** 2).sum() / (len(size) - 1)
    return float((between - within) / common)


# --- several arms -------------------------------------------------------------------------


def test_every_arm_has_its_own_effect_and_share() -> None:
    source = SeveralArmsTrial(
        n_clusters=None, effects=("binary", "linear", "constant"), shares=(0.4, 0.3, 0.2, 0.1)
    )
    trial = source.draw(40_000, random_state=1)
    assert np.bincount(trial.treatment).tolist() == [16_000, 12_000, 8_000, 4_000]
    X = trial.X
    np.testing.assert_allclose(trial.effects[:, 1], 0.4 + 0.5 * X.x6)
    np.testing.assert_allclose(
        trial.effects[:, 2], 0.4 + 0.3 * X.x1 - 0.25 * X.x2 + 0.3 * X.x6 + 0.2 * X.w1
    )
    np.testing.assert_array_equal(trial.tau, trial.effects[:, 1])
    rest = trial.y - trial.mu0 - trial.effects[np.arange(trial.n), trial.treatment]
    for arm in range(4):
        assert rest[trial.treatment == arm].mean() == pytest.approx(0, abs=0.05)
    assert rest.var() == pytest.approx(1, abs=0.03)


def test_the_contrast_changes_what_is_compared_and_not_the_trial() -> None:
    first, second = (
        SeveralArmsTrial(n_clusters=12, contrast=name).draw(random_state=2)
        for name in ("1 against 0", "2 against 1")
    )
    np.testing.assert_array_equal(first.y, second.y)
    np.testing.assert_array_equal(first.treatment, second.treatment)
    pair = second.compared
    kept = first.treatment > 0
    np.testing.assert_array_equal(pair.y, first.y[kept])
    np.testing.assert_array_equal(pair.treatment, first.treatment[kept] - 1)
    np.testing.assert_allclose(pair.tau, (first.effects[:, 2] - first.effects[:, 1])[kept])
    # The reference is arm 1, whose effect belongs to what would have been without arm 2.
    np.testing.assert_allclose(pair.mu0, (first.mu0 + first.effects[:, 1])[kept])
    assert pair.clusters is not None
    assert len(np.unique(pair.clusters)) == pair.clusters.max() + 1 == 8
    assert isinstance(second.data, TrialData)
    assert second.data.n_units == 8


def test_cluster_effects_have_the_variance_that_was_said() -> None:
    trial = scenario("crt-several-arms", n_clusters=3000, icc=0.3).draw(random_state=3)
    rest = trial.y - trial.mu0 - trial.effects[np.arange(trial.n), trial.treatment]
    assert of_groups(rest, trial.clusters) == pytest.approx(0.3, abs=0.03)
    assert rest.var() == pytest.approx(1, abs=0.04)


def test_arms_have_their_probability_where_units_cannot_be_shared_out() -> None:
    shares = np.array([0.5, 0.3, 0.2])
    sizes = [
        np.bincount(allocate(11, shares, np.random.default_rng(seed)), minlength=3)
        for seed in range(2000)
    ]
    assert {tuple(one) for one in sizes} <= {(5, 4, 2), (6, 3, 2), (5, 3, 3), (5, 4, 2), (6, 3, 2)}
    np.testing.assert_allclose(np.mean(sizes, axis=0), 11 * shares, atol=0.04)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"effects": ()}, "effects must be of"),
        ({"effects": ("linear", "none")}, "effects must be of"),
        ({"prognosis": "even"}, "prognosis must be of"),
        ({"shares": (0.5, 0.5)}, "shares must be 3 positive numbers"),
        ({"shares": (0.5, 0.5, 0.5)}, "that sum to 1"),
        (
            {"contrast": "3 against 0"},
            "contrast must be one of 1 against 0, 2 against 0",
        ),
        ({"icc": 1.0}, "icc must lie"),
    ],
)
def test_settings_that_make_no_trial_of_several_arms(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SeveralArmsTrial(**settings)  # type: ignore[arg-type]


def test_too_few_clusters_for_the_arms() -> None:
    with pytest.raises(ValueError, match="5 units are too few for 3 arms"):
        SeveralArmsTrial(n_clusters=5).draw(random_state=1)


def test_a_file_of_several_arms_with_the_truth_of_each_contrast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "trial.csv"
    words = [
        "simulate",
        "--scenario",
        "crt-several-arms",
        "--set",
        "effects=linear,binary,constant",
    ]
    assert main([*words, "--truth", "--out", str(out)]) == 0
    drawn = scenario("crt-several-arms", effects=["linear", "binary", "constant"]).draw(
        random_state=1
    )
    truth = pd.read_csv(tmp_path / "trial-truth.csv")
    contrasts = [f"true_effect_{a}_against_0" for a in (1, 2, 3)]
    assert truth.columns.tolist() == ["person", *contrasts, "true_untreated_mean"]
    np.testing.assert_array_equal(truth[contrasts], drawn.effects[:, 1:])
    said = capsys.readouterr().out.splitlines()
    average = f"the average is {drawn.effects[:, 2].mean():.4g} over persons"
    assert f"true effect of 2 against 0 on each person; {average}" in said[2]
    command = shlex.split(said[-1])
    assert "--propensity" not in command
    assert main(["check", *command[2:]]) in (0, 3)
    trial = th.Trial(
        read_table(out), outcome="outcome", treatment="treatment", cluster="cluster", id="person"
    )
    assert list(trial.contrasts) == ["1 against 0", "2 against 0", "3 against 0"]
    np.testing.assert_array_equal(trial.contrast("1").y, drawn.compared.y)


# --- third levels -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "field"), [("crt-three-levels", "within"), ("crt-crossed", "crossed")]
)
def test_the_third_level_has_its_variance_and_its_covariate(name: str, field: str) -> None:
    source = scenario(name, n_clusters=1500, icc=0.1, third_level_variance=0.4)
    trial = source.draw(random_state=4)
    unit = getattr(trial, field)
    assert (trial.X.groupby(unit)["v1"].nunique() == 1).all()
    plain = 0.4 + 0.3 * trial.X.x1 - 0.25 * trial.X.x2 + 0.3 * trial.X.x6 + 0.2 * trial.X.w1
    np.testing.assert_allclose(trial.tau, plain + 0.3 * trial.X.v1)
    rest = trial.y - trial.mu0 - trial.treatment * trial.tau
    assert rest.var() == pytest.approx(1.4, abs=0.05)
    # Within clusters only the third level is left between its units, if they do not cross.
    level = trial.nodes.groupby(unit)["third_level_effect"].first()
    assert level.var() == pytest.approx(0.4, abs=0.04)
    by_cluster = rest - pd.Series(rest).groupby(trial.clusters).transform("mean").to_numpy()
    cell = pd.factorize(pd.Series(trial.clusters) * 10**6 + unit)[0]
    assert of_groups(by_cluster, cell) > 0.2


def test_providers_are_nested_and_areas_cross() -> None:
    nested, crossed = (
        scenario(name, n_clusters=10).draw(random_state=5)
        for name in ("crt-three-levels", "crt-crossed")
    )
    assert (pd.Series(nested.clusters).groupby(nested.within).nunique() == 1).all()
    sizes = np.bincount(nested.within)
    assert sizes.mean() == pytest.approx(7, abs=1.5)
    of_area = pd.Series(crossed.clusters).groupby(crossed.crossed).nunique()
    assert of_area.mean() == pytest.approx(4, abs=0.6)
    for trial, within, across in ((nested, 1, 0), (crossed, 0, 1)):
        assert len(trial.data.design.within) == within
        assert len(trial.data.design.crossed) == across


def test_drop_out_takes_the_levels_along() -> None:
    trial = scenario("crt-three-levels", n_clusters=8, dropout=0.3).draw(random_state=1)
    assert len(trial.within) == trial.n == len(trial.clusters)
    assert (pd.Series(trial.clusters).groupby(trial.within).nunique() == 1).all()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("crt-three-levels", {"provider_size": 0.5}, "provider_size must be at least 1"),
        ("crt-three-levels", {"third_level_variance": -1.0}, "must not be negative"),
        ("crt-crossed", {"areas_of_cluster": 1}, "areas_of_cluster must be a whole number"),
        ("crt-crossed", {"n_clusters": 4, "areas_of_cluster": 5}, "the number of areas"),
        ("cluster-crossover", {"n_periods": 1}, "n_periods must be a whole number of at least 2"),
    ],
)
def test_settings_that_make_no_such_trial(
    name: str, settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        scenario(name, **settings)


@pytest.mark.parametrize(
    ("name", "design", "said"),
    [
        ("crt-three-levels", "cluster, 77 provider", "--cluster cluster,provider"),
        ("crt-crossed", "crossed", "--cluster cluster --crossed area"),
        ("cluster-crossover", "cluster crossover", "--cluster cluster --period period"),
        ("stepped-wedge", "stepped wedge", "--cluster cluster --period period"),
        ("one-arm-clusters", "who have clusters in one arm only", "--cluster cluster"),
    ],
)
def test_files_are_analysed_as_what_they_are(
    name: str, design: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "trial.csv"
    assert main(["simulate", "--scenario", name, "--out", str(out)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert said in last
    assert main(["check", *shlex.split(last)[2:]]) in (0, 3)
    assert design in capsys.readouterr().out


def test_blocks_are_a_column_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "trial.csv"
    # That of seed 26 has blocks.
    assert main(["simulate", "--scenario", "crt-broad", "--seed", "26", "--out", str(out)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert "--cluster cluster --block block" in last
    assert main(["check", *shlex.split(last)[2:]]) in (0, 3)
    np.testing.assert_array_equal(
        pd.read_csv(out).block, scenario("crt-broad").draw(random_state=26).blocks
    )


def test_a_crossover_changes_every_period() -> None:
    trial = scenario("cluster-crossover", n_clusters=9, n_periods=3).draw(random_state=2)
    cells = pd.DataFrame(
        {"cluster": trial.clusters, "period": trial.period, "arm": trial.treatment}
    )
    arms = cells.groupby(["cluster", "period"])["arm"].first().unstack().to_numpy()
    assert (np.abs(np.diff(arms, axis=1)) == 1).all()
    assert arms[:, 0].sum() in (4, 5)


# --- all designs --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["several-arms", "three-levels", "cluster-crossover"])
def test_a_task_of_each_plan(name: str) -> None:
    plan = load_plan(name)
    assert plan.replicates <= 20
    short = replace(plan, estimators=plan.estimators[:1], intervals=False, test_size=500)
    for row in plan.rows[:: len(plan.rows) - 1]:
        found = run_task(short, row, 1)
        assert not found.messages
        measured = dict(zip(METRICS, found.metrics[0], strict=True))
        assert measured["rmse"] < 1.2
        averages = dict(zip(AVERAGES, found.averages, strict=True))
        truth = 0.4 if "2 against" in row.key or "constant" in row.key else 0.55
        assert averages["individual_truth"] == pytest.approx(truth, abs=0.02)


def test_the_page_of_designs_names_scenarios_and_plans_that_exist() -> None:
    page = (Path(__file__).parents[1] / "docs" / "designs.md").read_text(encoding="utf-8")
    table = page.partition("| Design | Scenario | Study plan |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines()[2:]]
    assert len(rows) >= 10
    known = set(scenario_names()) | {"crt"}
    for _, names, plans in rows:
        assert set(names.split("`")[1::2]) & known
        assert set(plans.split("`")[1::2]) <= set(plan_names())
