"""The command `tauhat power`."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from tauhat.cli import main
from tauhat.power import power_hte

PLAN = ["power", "--clusters", "32", "--size", "25", "--icc", "0.05", "--icc-x", "0.1"]


def plan_with(option: str, value: str) -> list[str]:
    """The plan with another value of one of its options."""
    where = PLAN.index(option) + 1
    return [*PLAN[:where], value, *PLAN[where + 1 :]]


def values_of(text: str) -> dict[str, float]:
    """Table on standard output as a dictionary."""
    rows = (line.rsplit(maxsplit=1) for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): float(value) for name, value in rows}


def test_power_of_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAN, "--sd-y", "1", "--delta", "0.2"]) == 0
    said = capsys.readouterr().out
    plan = power_hte(32, 25, icc=0.05, icc_x=0.1, delta=0.2)
    assert values_of(said)["power"] == pytest.approx(plan.power, abs=1e-4)
    assert plan.text in said


def test_counts_are_whole_however_large(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "--persons", "123456", "--delta", "0.02"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[:4]]
    assert lines[:3] == [["persons", "123456"], ["treated", "61728"], ["control", "61728"]]


def test_one_of_three_is_solved_for(capsys: pytest.CaptureFixture[str]) -> None:
    design = ["--size", "25", "--icc", "0.05", "--icc-x", "1"]
    assert main(["power", *design, "--delta", "0.3", "--power", "0.8"]) == 0
    assert values_of(capsys.readouterr().out)["clusters"] == 40
    assert main(["power", *design, "--clusters", "40", "--power", "0.8"]) == 0
    delta = power_hte(40, 25, icc=0.05, icc_x=1, power=0.8).delta
    assert values_of(capsys.readouterr().out)["interaction"] == pytest.approx(delta, abs=1e-4)
    assert main(["power", "--persons", "400", "--power", "0.9", "--prevalence", "0.5"]) == 0
    delta = power_hte(n_persons=400, power=0.9, prevalence=0.5).delta
    said = values_of(capsys.readouterr().out)
    assert said["interaction"] == pytest.approx(delta, abs=1e-3)


def test_all_three_say_what_the_wanted_power_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAN, "--delta", "0.15", "--power", "0.8"]) == 0
    said = values_of(capsys.readouterr().out)
    assert said["power"] < 0.8
    needed = power_hte(None, 25, icc=0.05, icc_x=0.1, delta=0.15, power=0.8).n_clusters
    assert said["clusters for power 0.8"] == needed
    assert needed is not None
    assert needed > 32
    assert said["interaction for power 0.8"] > 0.15


def test_several_values_make_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        *PLAN[:1],
        "--size",
        "25",
        "--icc",
        "0.01,0.05",
        "--icc-x",
        "0,1",
        "--clusters",
        "20,40",
    ]
    assert main([*words, "--delta", "0.3", "--csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert len(table) == 8
    row = table[(table.n_clusters == 40) & (table.icc == 0.05) & (table.icc_x == 1)]
    assert row.power.item() == pytest.approx(power_hte(40, 25, icc=0.05, icc_x=1, delta=0.3).power)
    assert main([*words, "--delta", "0.3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 9


def test_simulation_is_the_same_for_any_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["power", "--clusters", "12", "--size", "10", "--icc", "0.05", "--icc-x", "0.1"]
    words += ["--delta", "0.6", "--simulate", "4", "--covariates", "1", "--csv"]
    assert main([*words, "--jobs", "1"]) == 0
    one = capsys.readouterr()
    assert "simulating the interaction test" in one.err
    assert main([*words, "--jobs", "2"]) == 0
    assert capsys.readouterr().out == one.out
    (row,) = pd.read_csv(io.StringIO(one.out)).to_dict("records")
    assert row["interaction_test_power"] in (0, 0.25, 0.5, 0.75, 1)
    name = "permutation_test_of_effect_heterogeneity"
    assert row[f"{name}_lower"] <= row[f"{name}_power"] <= row[f"{name}_upper"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*plan_with("--icc-x", "2"), "--delta", "1"], "--icc-x must be in [0, 1], got 2"),
        ([*plan_with("--size", "0.5"), "--delta", "1"], "--size must be at least 1, got 0.5"),
        ([*PLAN, "--power", "1.5"], "--power must lie between the significance level"),
        (PLAN, "of --clusters, --delta and --power leave exactly one out, to be solved for;"),
        (PLAN, "; missing: --delta, --power"),
        (
            [*plan_with("--clusters", "4"), "--delta", "1"],
            "--clusters must give at least 3 to each arm, got 4 with 2 treated; a random intercept",
        ),
        (
            ["power", "--persons", "4", "--delta", "1"],
            "--persons must give at least 3 persons to each arm, got 4 with 2 treated; a",
        ),
        ([*PLAN, "--delta", "0"], "--delta must be a number other than 0"),
        ([*PLAN, "--delta", "small"], "--delta takes numbers with commas between them, got 's"),
        (plan_with("--clusters", "20.5"), "--clusters takes whole numbers"),
        ([*PLAN, "--persons", "20"], "--persons belongs to trials that randomize persons"),
        (["power", "--clusters", "20"], "--size, the mean number of persons"),
        (["power", "--persons", "90", "--icc", "0.1"], "--icc needs --size"),
        ([*PLAN, "--sd-x", "1", "--prevalence", "0.5"], "--sd-x and --prevalence exclude"),
        ([*PLAN, "--sd-y", "-1"], "--sd-y must be above 0, got -1"),
        ([*PLAN, "--delta", "0.2,0.3", "--simulate", "5"], "--simulate is for one plan, but"),
        ([*PLAN, "--delta", "0.2", "--simulate", "0"], "--simulate must be at least 1, got 0"),
    ],
)  # fmt: skip
def test_errors_name_the_option(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert len(said.err.splitlines()) == 1


def test_one_plan_and_a_grid_have_one_layout(capsys: pytest.CaptureFixture[str]) -> None:
    tables = []
    for delta in ("0.2", "0.2,0.3"):
        assert main([*PLAN, "--delta", delta, "--csv"]) == 0
        tables.append(pd.read_csv(io.StringIO(capsys.readouterr().out)))
    one, grid = tables
    assert one.columns.tolist() == grid.columns.tolist()
    pd.testing.assert_frame_equal(one, grid[grid.delta == 0.2])


def test_degrees_of_freedom_are_never_in_powers_of_ten(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["power", "--clusters", "200", "--size", "101", "--icc", "0.05", "--icc-x", "0.1",
                 "--delta", "0.05"]) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "e+" not in said
    assert values_of(said)["degrees of freedom"] > 15_000


def test_risks_and_drop_out_are_options(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["power", "--persons", "1000", "--prevalence", "0.5", "--delta", "0.15"]
    assert (
        main([*words, "--risk-control", "0.3", "--risk-treated", "0.2", "--drop-out", "0.2"]) == 0
    )
    said = values_of(capsys.readouterr().out)
    sd = (0.5 * 0.3 * 0.7 + 0.5 * 0.2 * 0.8) ** 0.5
    same = power_hte(n_persons=800, prevalence=0.5, delta=0.15, sd_y=sd)
    assert said["power"] == pytest.approx(same.power, abs=1e-4)
    assert said["persons"] == 1000
    assert main([*words, "--risk-control", "0.3"]) == 2
    assert "--risk-treated is missing" in capsys.readouterr().err


def test_several_arms_share_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--size", "25", "--icc", "0.05", "--icc-x", "0.1", "--delta", "0.3"]
    assert main(["power", "--arms", "3", "--clusters", "48", *given]) == 0
    said = capsys.readouterr().out
    plan = power_hte(32, 25, icc=0.05, icc_x=0.1, delta=0.3, significance_level=0.025)
    assert values_of(said)["power of a contrast"] == pytest.approx(plan.power, abs=1e-4)
    assert plan.text in said
    assert main(["power", "--arms", "4", "--power", "0.8", *given, "--csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    needed = power_hte(
        None, 25, icc=0.05, icc_x=0.1, delta=0.3, power=0.8, significance_level=0.05 / 3
    )
    assert needed.n_clusters is not None
    assert table["clusters"][0] == 4 * -(-needed.n_clusters // 2)
    assert table["persons"][0] == 25 * table["clusters"][0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--size", "10", "--persons", "90"], "trials that randomize persons; leave --size out"),
        (
            ["--size", "10", "--persons", "90", "--clusters", "9"],
            "--persons belongs to trials that randomize persons; leave it out",
        ),
        (["--horizon", "12", "--survival-control", "0.5", "--survival-treated", "0.6"],
         "give one of --persons and --power: the other"),
        (["--clusters", "9"], "--size, the mean number of persons in a cluster, is missing"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_told_in_options(
    given: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [] if "--horizon" in given else ["--delta", "0.3"]
    more += ["--icc", "0.05", "--icc-x", "0.1"] if "--size" in given else []
    assert main(["power", *given, *more]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--arms", "1", "--persons", "300"], "--arms must be a whole number from 3 to 20"),
        (
            ["--arms", "3", "--persons", "8"],
            "--persons must be a whole number of at least 3 an arm, 9, got 8",
        ),
        (["--arms", "3", "--persons", "300", "--share-treated", "0.4"], "--share-treated belongs"),
        (["--arms", "3", "--persons", "300,400"], "--arms is for one plan, but --persons has"),
        (["--arms", "3", "--persons", "300", "--simulate", "9"], "--simulate does not go with"),
    ],
)
def test_what_makes_no_plan_of_several_arms(
    given: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["power", *given, "--delta", "0.3"]) == 2
    assert message in capsys.readouterr().err
