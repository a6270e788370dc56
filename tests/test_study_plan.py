"""Plans: what they say, how their mistakes are named, what their tasks depend on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tauhat.study import StudyError, load_plan, plan_names
from tauhat.study.plan import Plan
from tauhat.study.plan_file import plan_from
from tauhat.study.reference import reference_table
from tauhat.study.tables import best_cells
from tauhat.study.tasks import task_seed

SMALL: dict[str, Any] = {
    "replicates": 2,
    "estimators": ["LMM", "T-Linear"],
    "rows": [{"scenario": "linear", "n": [60, 100]}],
}


def test_the_shipped_plans_are_those_of_both_papers_and_of_the_flagship() -> None:
    assert plan_names() == [
        "baseline-period",
        "cluster-crossover",
        "cluster-flagship",
        "cluster-trials",
        "cluster-trials-quick",
        "one-arm-clusters",
        "robust-ensembles",
        "robust-ensembles-quick",
        "robust-flagship",
        "robust-training",
        "several-arms",
        "stepped-wedge",
        "three-levels",
    ]
    flagship = load_plan("robust-flagship")
    plan = load_plan("robust-ensembles")
    # The same situations on other draws, and one estimator more.
    assert [row.key for row in flagship.rows] == [row.key for row in plan.rows]
    assert flagship.seed != plan.seed
    assert [*plan.names, "Robust"] == list(flagship.names)
    assert (len(plan.rows), len(plan.names), plan.replicates, plan.test_size) == (16, 11, 50, 5000)
    assert plan.singles == plan.names[:9]
    assert "not published" in plan.note
    cluster = load_plan("cluster-trials")
    assert {"n_clusters", "mean_size", "icc", "effect"} <= set(cluster.rows[0].settings)
    assert len({row.key for row in cluster.rows}) == len(cluster.rows) == 57


@pytest.mark.parametrize("name", plan_names())
def test_every_estimator_of_a_shipped_plan_can_be_made(name: str) -> None:
    load_plan(name).check()


def test_the_papers_numbers_stand_in_the_rows_of_the_plan() -> None:
    plan = load_plan("robust-ensembles")
    table = reference_table(plan, "srmse")
    assert table is not None
    assert not table.iloc[:, 2:].isna().to_numpy().any()
    of_row = table[(table["scenario"] == "linear") & (table["n"] == 500)].iloc[0]
    assert (of_row["T-Linear"], of_row["CBA"], of_row["Stacked-X"]) == (0.41, 0.60, 0.46)
    # The worst regret of Stacked-X that the paper's own table implies: 1.222 at PD-L1, n = 500.
    singles = table[plan.singles].min(axis=1)
    assert (table["Stacked-X"] / singles).max() == pytest.approx(1.222, abs=5e-4)
    assert (table["CBA"] / singles).mean() == pytest.approx(1.089, abs=5e-4)
    assert reference_table(plan, "bias") is None
    assert (
        best_cells(
            table.assign(replicates=1)[["scenario", "n", "replicates", *plan.names]], "icc"
        ).sum()
        == 0
    )


def test_a_grid_makes_every_combination_in_the_order_written() -> None:
    rows = [
        {
            "scenario": "crt",
            "settings": {"icc": 0.2},
            "grid": {"effect": ["linear", "binary"], "n_clusters": [20, 50]},
        }
    ]
    plan = plan_from({**SMALL, "rows": rows}, "test")
    assert [row.label for row in plan.rows] == [
        "crt effect=linear, n_clusters=20",
        "crt effect=linear, n_clusters=50",
        "crt effect=binary, n_clusters=20",
        "crt effect=binary, n_clusters=50",
    ]
    assert plan.rows[1].key == 'crt effect="linear" icc=0.2 n_clusters=50'
    assert plan.rows[1].n is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"replicate": 3}, "unknown key 'replicate'; did you mean replicates"),
        ({"replicates": 0}, "replicates must be a whole number of at least 1, got 0"),
        ({"replicates": True}, "replicates must be a whole number"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"intervals": "yes"}, "intervals must be true or false"),
        ({"rows": []}, "rows must be a list with at least one entry"),
        ({"rows": [{"scenario": "linera", "n": 100}]}, "row 1: .*did you mean 'linear'"),
        ({"rows": [{"scenario": "linear", "sizes": 1}]}, "row 1: unknown key 'sizes'"),
        ({"rows": [{"scenario": "linear", "n": [50, 2]}]}, "n must be whole numbers of at least 8"),
        ({"rows": [{"scenario": "crt", "settings": {"icc": 1.5}}]}, "icc must lie in"),
        (
            {"rows": [{"scenario": "linear", "n": [50, 50]}]},
            "rows has 'linear n=50' more than once",
        ),
        ({"estimators": ["LMM", "LMM"]}, "estimators has 'LMM' more than once"),
        ({"estimators": [{"name": "mine", "import": "module"}]}, "must be module:attribute"),
        ({"estimators": [{"name": "a", "import": "m:n", "estimator": "LMM"}]}, "not both"),
        ({"ensembles": ["CBA"]}, "ensembles must be a list of names that estimators has"),
        ({"ensembles": ["LMM", "T-Linear"]}, "not all"),
        ({"subgroup_shares": [0.5]}, "subgroup_shares must be two numbers"),
    ],
)
def test_mistakes_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        plan_from({**SMALL, **change}, "test")


def test_files_that_are_no_plans(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="neither a file nor a shipped plan; did you mean robust"):
        load_plan("robust-ensemble")
    (tmp_path / "plan.toml").write_text("replicates = = 2")
    with pytest.raises(StudyError, match="is not TOML"):
        load_plan(tmp_path / "plan.toml")


def test_a_file_is_read_and_named_after_itself(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'replicates = 2\nestimators = ["LMM", { name = "flat CBA", estimator = "CBA", '
        'settings = { knee = "smallest-drop" } }]\n[[rows]]\nscenario = "linear"\nn = 60\n'
    )
    plan = load_plan(tmp_path / "mine.toml")
    assert plan.name == "mine"
    assert plan.estimators[1].make().knee == "smallest-drop"
    assert plan_from(plan.as_dict(), "stored", plan.folder) == plan


def test_an_estimator_that_does_not_exist_is_named_before_the_run(tmp_path: Path) -> None:
    plan = plan_from({**SMALL, "estimators": ["X-BRAT"]}, "test")
    with pytest.raises(StudyError, match=r"estimator 'X-BRAT'.*X-BART"):
        plan.check()
    plan = plan_from({**SMALL, "estimators": [{"name": "mine", "import": "no_such:Thing"}]}, "test")
    with pytest.raises(StudyError, match=r"estimator 'mine'.*no_such"):
        plan.check()


def test_a_tasks_seed_hangs_on_its_own_key_only() -> None:
    plan = plan_from(SMALL, "test")
    other = plan_from(
        {
            **SMALL,
            "replicates": 9,
            "estimators": ["LMM"],
            "rows": [{"scenario": "linear", "n": 100, "label": "again"}],
        },
        "test",
    )
    assert task_seed(plan, plan.rows[1], 1) == task_seed(other, other.rows[0], 1)
    seeds = {task_seed(plan, row, replicate) for row, replicate in plan.tasks()}
    seeds.add(task_seed(plan_from({**SMALL, "seed": 2}, "test"), plan.rows[0], 0))
    assert len(seeds) == 5


def test_tasks_go_replicate_by_replicate_large_trials_first() -> None:
    order = [(row.n, replicate) for row, replicate in plan_from(SMALL, "test").tasks()]
    assert order == [(100, 0), (60, 0), (100, 1), (60, 1)]


def test_the_identity_of_a_plan_holds_the_code_of_own_estimators(tmp_path: Path) -> None:
    module = tmp_path / "own_for_identity.py"
    module.write_text("class Mine: ...\n")
    content = {**SMALL, "estimators": [{"name": "mine", "import": "own_for_identity:Mine"}]}
    before = plan_from(content, "test", str(tmp_path)).identity()
    assert (
        plan_from(
            {**content, "description": "d", "replicates": 7}, "test", str(tmp_path)
        ).identity()
        == before
    )
    module.write_text("class Mine: x = 1\n")
    after = plan_from(content, "test", str(tmp_path)).identity()
    assert {key for key in after if after[key] != before[key]} == {"estimator mine"}


def test_chains_are_for_points_where_no_interval_is_asked_for_and_nothing_was_set() -> None:
    names: list[Any] = ["BCF-RE", "BART-RE"]
    own = {"name": "own", "estimator": "BCF-RE", "settings": {"n_outcome_trees": 40}}
    content = {**SMALL, "estimators": [*names, own]}
    with_intervals = plan_from({**content, "intervals": True}, "test")
    without = plan_from(content, "test")

    def lengths(plan: Plan) -> list[tuple[int, int]]:
        made = [plan.make(spec) for spec in plan.estimators]
        chains = [getattr(one, "outcome_model", one) for one in made]
        return [(one.n_burn_in, one.n_draws) for one in chains]

    assert lengths(with_intervals) == [(100, 100), (200, 250), (100, 100)]
    # With a half of its draws BART-RE would err more.
    assert lengths(without) == [(50, 50), (200, 250), (100, 100)]
    # Results of one are not continued with those of the other.
    before, after = with_intervals.identity(), without.identity()
    differ = {key for key in after if after[key] != before[key]}
    assert differ == {"intervals", "estimator BCF-RE"}
