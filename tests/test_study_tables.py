"""Tables, regrets, figures and the page of a study, against numbers worked out by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.study.figures import excess_of
from tauhat.study.measures import AVERAGES, METRICS
from tauhat.study.page import write_page
from tauhat.study.plan import Plan, StudyError
from tauhat.study.plan_file import plan_from
from tauhat.study.results import Study
from tauhat.study.tables import (
    _resampled_medians,
    average_effect_table,
    best_cells,
    excess_table,
    median_table,
    regret_table,
    text_table,
)

CONTENT: dict[str, Any] = {
    "name": "three <rows>",
    "note": "Calibrated & not published.",
    "replicates": 3,
    "estimators": ["LMM", "X-RF", "CBA"],
    "ensembles": ["CBA"],
    "rows": [
        {"scenario": "linear", "n": [60, 90]},
        {"scenario": "crt", "label": "null", "settings": {"effect": "constant"}},
    ],
}

#: sRMSE by task; medians are (1, 2, .5), (4, 2, 3), and nothing in the null row.
VALUES = np.array(
    [
        [1.0, 2.0, 0.5],
        [0.9, 1.0, 0.4],
        [7.0, 9.0, 0.6],
        [4.0, 2.0, np.nan],
        [4.0, 1.0, 3.0],
        [1.0, 3.0, 3.0],
        [np.nan] * 3,
    ]
)
ROW = np.array([0, 0, 0, 1, 1, 1, 2])


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_from(CONTENT, "test")


def make_study(plan: Plan) -> Study:
    values = np.full((7, 3, len(METRICS)), np.nan)
    for name in ("srmse", "rod", "subgroup_srmse", "subgroup_rod"):
        values[:, :, METRICS.index(name)] = VALUES
    values[:, :, METRICS.index("rmse")] = np.where(np.isnan(VALUES), 0.25, VALUES)
    averages = np.full((7, len(AVERAGES)), np.nan)
    averages[:, :5] = [1.5, 0.5, 0.5, 2.5, 1.0]
    averages[6, 5:] = [0.4, 0.1, 0.5, 0.6, 0.4]
    return Study(
        plan=plan,
        row=ROW,
        replicate=np.array([0, 1, 2, 0, 1, 2, 0]),
        metrics=METRICS,
        values=values,
        averages=averages,
        fit_seconds=np.ones((7, 3)),
        seconds=np.full(7, 3.0),
        failures=pd.DataFrame(
            {
                "scenario": ["linear"], "n": [90], "replicate": [0], "estimator": ["CBA"],
                "message": ["ValueError: <b>bad</b>"],
            }
        ),
        versions=("1.0",),
    )  # fmt: skip


def test_medians_leave_failures_out_and_keep_the_order_of_the_plan(plan: Plan) -> None:
    table = median_table(plan, ROW, VALUES)
    assert table["scenario"].tolist() == ["linear", "linear", "null"]
    assert table["replicates"].tolist() == [3, 3, 1]
    assert table.loc[:1, ["LMM", "X-RF", "CBA"]].to_numpy().tolist() == [[1, 2, 0.5], [4, 2, 3]]
    assert table.loc[2, ["LMM", "X-RF", "CBA"]].isna().all()


def test_a_row_without_tasks_yet_is_a_row_of_dashes(plan: Plan) -> None:
    table = median_table(plan, ROW[:3], VALUES[:3])
    assert table["replicates"].tolist() == [3, 0, 0]
    assert text_table(table, "srmse").splitlines()[2].split() == [
        "linear",
        "90",
        "0",
        "-",
        "-",
        "-",
    ]


@pytest.mark.parametrize(
    ("metric", "best"),
    [
        ("srmse", [[False, False, True], [False, True, False]]),
        ("policy_value", [[False, True, False], [True, False, False]]),
        ("calibration_slope", [[True, False, False], [False, True, False]]),
        ("bias", [[False, False, True], [False, True, False]]),
        ("sd_effect", [[False] * 3] * 2),
    ],
)
def test_the_best_of_a_row_hangs_on_the_measure(
    plan: Plan, metric: str, best: list[list[bool]]
) -> None:
    marked = best_cells(median_table(plan, ROW, VALUES), metric)
    assert marked[:2].tolist() == best
    assert not marked[2].any()


def test_text_marks_the_best_and_puts_published_values_in_brackets(plan: Plan) -> None:
    published = pd.DataFrame({"CBA": [0.75, np.nan, np.nan]})
    lines = text_table(median_table(plan, ROW, VALUES), "srmse", published).splitlines()
    assert lines[0].split() == ["scenario", "n", "reps", "LMM", "X-RF", "CBA"]
    assert re.split(r"  +", lines[1]) == ["linear", "60", "3", "1.000", "2.000", "0.500* (0.750)"]
    assert lines[2].split() == ["linear", "90", "3", "4.000", "2.000*", "3.000", "(-)"]


def test_regrets_are_ratios_to_the_best_single_estimator(plan: Plan) -> None:
    table = regret_table(plan, ROW, VALUES, n_bootstrap=0).set_index("estimator")
    # Rows: best single 1 and 2; CBA .5 / 1 and 3 / 2. The null row has no sRMSE.
    assert table["rows"].tolist() == [2, 2, 2]
    assert table["mean"].tolist() == [(1 + 2) / 2, (2 + 1) / 2, (0.5 + 1.5) / 2]
    assert table["worst"].tolist() == [2, 2, 1.5]
    assert table["worst_row"].tolist() == ["linear 90", "linear 60", "linear 90"]
    with pytest.raises(StudyError, match="ratios of 'bias' mean nothing"):
        regret_table(plan, ROW, VALUES, metric="bias")


def test_bootstrap_medians_are_the_medians_of_the_samples() -> None:
    values = np.random.default_rng(1).normal(size=(11, 4))
    values[[2, 5], 1] = np.nan
    values[:, 3] = np.nan
    found = _resampled_medians(values, 200, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    for sample in found:
        drawn = values[rng.integers(0, 11, 11)]
        np.testing.assert_allclose(sample[:3], np.nanmedian(drawn[:, :3], axis=0), rtol=1e-15)
    assert np.isnan(found[:, 3]).all()


def test_bootstrap_intervals_of_regrets_cover_at_their_level(plan: Plan) -> None:
    """Lognormal errors with known medians 1, 1.2 and .9: the true mean ratio of CBA is .9."""
    rng = np.random.default_rng(3)
    row = np.repeat([0, 1], 200)
    covered = 0
    for _ in range(60):
        noise = np.exp(0.3 * rng.normal(size=(400, 3)))
        table = regret_table(plan, row, noise * [1.0, 1.2, 0.9], n_bootstrap=200)
        lower, upper = table.loc[2, ["mean_lower", "mean_upper"]]
        covered += lower <= 0.9 <= upper
    assert 51 <= covered <= 60


def test_relative_excess_is_in_per_cent(plan: Plan) -> None:
    table = excess_table(plan, ROW, VALUES)
    assert table["excess"].tolist() == [0.0, 100.0, -50.0, 100.0, 0.0, 50.0]
    assert table["n"].tolist() == [60] * 3 + [90] * 3


def test_average_effects_have_bias_and_coverage(plan: Plan) -> None:
    table = average_effect_table(plan, ROW, make_study(plan).averages)
    assert table["estimand"].tolist() == ["individual-average"] * 3 + ["cluster-average"]
    assert table["bias"].tolist() == [0.5, 0.5, 0.5, 0.0]
    assert table["coverage"].tolist() == [1, 1, 1, 0]


@pytest.fixture(scope="module")
def folder(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study and its files."""
    folder = tmp_path_factory.mktemp("page")
    written = write_page(make_study(plan), folder)
    assert {path.name for path in written} == {path.name for path in folder.iterdir()}
    return folder


def test_the_page_and_its_files(folder: Path) -> None:
    page = (folder / "study.html").read_text(encoding="utf-8")
    assert "three &lt;rows&gt;" in page
    assert "<b>bad</b>" not in page
    assert "Calibrated &amp; not published." in page
    assert "7 of 9 tasks are done" in page
    assert page.count("<strong>0.500</strong>") == 4 + 1
    assert page.count("data:image/svg+xml") == 2
    assert not re.search(r'(?:src|href)="https?:', page)
    medians = pd.read_csv(folder / "medians.csv")
    assert list(medians.columns) == ["metric", "scenario", "n", "replicates", "LMM", "X-RF", "CBA"]
    assert medians.loc[medians["metric"] == "srmse", "CBA"].tolist()[:2] == [0.5, 3.0]
    assert (folder / "relative-excess.png").read_bytes().startswith(b"\x89PNG")
    assert "excess over" in (folder / "relative-excess.svg").read_text().lower()
    regrets = pd.read_csv(folder / "regrets.csv")
    assert regrets.loc[regrets["metric"] == "rod", "mean"].tolist() == [1.5, 1.5, 1.0]


def test_the_page_is_the_same_whenever_it_is_written(
    plan: Plan, folder: Path, tmp_path: Path
) -> None:
    write_page(make_study(plan), tmp_path)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_a_study_of_constant_effects_has_no_figures(tmp_path: Path) -> None:
    plan = plan_from({**CONTENT, "rows": CONTENT["rows"][1:]}, "test")
    study = make_study(plan)
    arrays = ("replicate", "values", "averages", "seconds", "fit_seconds")
    last = {name: vars(study)[name][6:] for name in arrays}
    study = Study(**{**vars(study), **last, "row": np.zeros(1, dtype=np.int64)})
    assert excess_of(study).empty
    names = {path.name for path in write_page(study, tmp_path)}
    assert "relative-excess.svg" not in names
    assert "RMSE, in the outcome" in (tmp_path / "study.html").read_text()


def test_nothing_to_show_is_said(plan: Plan, tmp_path: Path) -> None:
    study = make_study(plan)
    none = Study(**{**vars(study), "row": ROW[:0], "values": study.values[:0]})
    with pytest.raises(StudyError, match="no task of the study is done yet"):
        write_page(none, tmp_path)
