"""The table of two builds: medians, ratios and the distance of their effects."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def script():
    """Any script of the benchmarks as a module, by name."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_ratios_are_of_medians_and_by_draw(script):
    runs = pd.DataFrame(
        {
            "build": ["other", "this"] * 3,
            "draw": [1, 1, 2, 2, 3, 3],
            "seconds": [30.0, 10.0, 20.0, 9.0, 25.0, 20.0],
            "cpu": [10.0, 5.0, 20.0, 8.0, 12.0, 9.0],
            "mebibytes": [200.0, 150.0] * 3,
            "proportional": [160.0, 96.0] * 3,
            "distance": [np.nan, np.nan, 0.0, 0.0, 2e-13, 2e-13],
        }
    )
    row = script("against_build").row("brm", runs)
    assert (row["CPU s, other"], row["CPU s, this"], row["ratio"]) == (12.0, 8.0, 0.67)
    assert (row["seconds, other"], row["seconds, this"], row["ratio seconds"]) == (25.0, 10.0, 0.4)
    assert (row["ratios by draw"], row["ratio MiB"]) == ("0.40 to 0.75", 0.75)
    assert (row["PSS, other"], row["PSS, this"], row["ratio PSS"]) == (160, 96, 0.6)
    assert (row["draws"], row["effects differ by"]) == (3, "2e-13")


def test_distance_is_relative_to_the_other_build(script, tmp_path):
    np.save(tmp_path / "a.npy", [1.0, -4.0])
    np.save(tmp_path / "b.npy", [1.0, -5.0])
    assert script("against_build").distance(tmp_path / "a.npy", tmp_path / "b.npy") == 0.2


def test_cpu_of_a_short_process_is_counted(script):
    code = "import time\nwhile time.process_time() < .3: pass"
    cost = script("process_tree").measure([sys.executable, "-c", code], interval=0.02)
    assert 0.3 <= cost.cpu_seconds < 0.6
    assert 1 < cost.peak_proportional <= cost.peak_mebibytes < 100


def test_a_page_that_two_processes_share_counts_once(script):
    code = "import os, time\nx = b'x' * (40 << 20)\nos.fork()\ntime.sleep(0.7)"
    cost = script("process_tree").measure([sys.executable, "-c", code], interval=0.02)
    assert cost.peak_mebibytes > 80
    assert 40 < cost.peak_proportional < 70


def test_a_build_has_its_own_environment_only_where_ours_does_not_serve(script, tmp_path):
    for asked, served in (("numpy>=1.0", True), ("numpy>=999", False)):
        (tmp_path / "pyproject.toml").write_text(f'[project]\ndependencies = ["{asked}"]\n')
        assert script("against_build").is_served(tmp_path) is served
