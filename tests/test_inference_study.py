"""The study of size, power and coverage: its cells, and bounds on a few of them (slow)."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def study():
    """The script benchmarks/inference_study.py as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("inference_study")
    finally:
        sys.path.remove(str(BENCHMARKS))


def cells(study, part):
    return {cell.name: cell for cell in study.cells(study.SHORT) if cell.part == part}


def test_cells_have_names_of_their_own_and_cover_the_designs(study):
    names = [(cell.part, cell.name) for cell in study.cells(study.FULL)]
    assert len(set(names)) == len(names)
    sizes = [cell.arguments[0] for cell in cells(study, "size").values()]
    for m in (8, 12, 16, 20, 32, 60):
        assert any(cell.design == "crt" and cell.units == m for cell in sizes)
    assert {cell.design for cell in sizes} == {"crt", "second", "cluster", "cluster2", "person"}
    assert {cell.null for cell in sizes} >= {"base", "slopes", "icsize", "weak", "skew"}
    assert {"c1", "c6", "second-m20", "slightly-nonlinear-p20"} <= set(cells(study, "intervals"))


def test_a_cell_that_is_done_is_not_run_again(study, tmp_path, monkeypatch, capsys):
    chosen = study.StudyCell("size", "one", lambda: [{"test": 0.05}], ())
    monkeypatch.setattr(study, "cells", lambda effort: [chosen])
    monkeypatch.setattr(sys, "argv", ["study", "--out", str(tmp_path), "--parts", "size"])
    study.main()
    study.main()
    assert "0 cells to run, 1 done before" in capsys.readouterr().out
    assert (tmp_path / "size.md").read_text().splitlines()[2] == "| one | 0.050 |"


def below(limit, trials):
    """Three Monte Carlo errors under a share."""
    return limit - 3 * np.sqrt(limit * (1 - limit) / trials)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "units", "treated"),
    [("crt", 12, None), ("crt", 32, None), ("second", 20, None), ("second", 32, 12)],
)
def test_size_on_two_generators(study, design, units, treated):
    cell = study.heterogeneity.Cell(design, units, treated=treated)
    assert cell.label in cells(study, "size")
    share = study.test_rows(cell, 400, 199)[0]["test"]
    assert share <= 0.06 + 3 * np.sqrt(0.06 * 0.94 / 400)


@pytest.mark.slow
@pytest.mark.parametrize("truth", ["linear", "nonlinear", "cluster", "binary", "interaction"])
def test_power_is_that_of_the_reference_study(study, truth):
    cell = study.heterogeneity.Cell("crt", 32, truth=truth)
    assert cell.label in cells(study, "power")
    row = study.test_rows(cell, 100, 199)[0]
    # The reference has a Monte Carlo error of its own, that of 250 trials.
    error = np.sqrt(row["reference"] * (1 - row["reference"]) * (1 / 100 + 1 / 250))
    assert row["test"] >= row["reference"] - 3 * error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "bound"), [("c4", 0.93), ("c5", 0.93), ("second-m20", 0.93), ("linear", 0.92)]
)
def test_intervals_cover_on_average(study, name, bound):
    models = ["LMM", "GAMM", "BRM"] if name == "linear" else ["LMM", "GAMM", "BRM", "BCF-RE"]
    for row in study.interval_rows(name, models, 6):
        # Persons of one trial share its luck: the error is that of the trials.
        assert row["coverage"] >= bound - 3 * row["coverage se"], row


@pytest.mark.slow
@pytest.mark.parametrize("design", ["m20-constant", "m32-linear", "n500-linear"])
def test_groups_cover(study, design):
    rows = {row["figure"]: row["mean"] for row in study.group_rows(design, 30)}
    for figure in ("top group", "top less bottom", "x1 > 0", "found subgroup", "found difference"):
        if not np.isnan(rows.get(figure, np.nan)):
            assert rows[figure] >= below(0.93, 30), figure
    assert rows["naive top group"] < rows["top group"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["crt, informative size", "second, informative size"])
def test_average_effects_cover(study, name):
    for row in study.average_rows(name, 16, 300):
        assert row["coverage"] >= below(0.93, 300), row
