"""The benchmarks' commands exist, and the tables beside other packages say what they should."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "benchmarks"
README = (BENCHMARKS / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script():
    """Any script of the benchmarks as a module, by name."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_make_bench_runs_sections_that_exist(script):
    recipe = re.search(r"^bench:.*\n\t(.*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    headings = re.findall(r'"([^"]+)"', recipe[1])
    chosen = script("run").commands(README, headings)
    every = script("run").commands(README, [])
    assert len(headings) == 2
    assert chosen == every[: len(chosen)]
    assert len(chosen) < len(every)
    assert "benchmarks/peers.py" in chosen[0]
    with pytest.raises(KeyError):
        script("run").commands(README, ["No such section"])


def test_every_command_of_the_readme_has_its_script_and_options(script):
    for command in script("run").commands(README, []):
        found = re.search(r"benchmarks/\S+\.py", command)
        if found is None:
            assert command.startswith("tauhat study ")
            continue
        code = (ROOT / found[0]).read_text(encoding="utf-8")
        assert all(f'"{o}"' in code for o in re.findall(r"(?<= )--[a-z-]+", command)), command


def rows(**columns):
    """Rows of two contenders on two trials, the peer with twice tauhat's time and error."""
    single = []
    for draw in (0, 1):
        for contender, factor in (("tauhat", 1.0), ("peer", 2.0)):
            single.append(
                {
                    "design": "cluster",
                    "group": "g",
                    "contender": contender,
                    "scenario": "c1",
                    "draw": draw,
                    "cpu_seconds": factor * (draw + 1),
                    "peak_MiB": 100.0 * factor,
                    "start_MiB": 90.0 * factor,
                    "rmse": 0.2 * factor,
                    "srmse": 0.4 * factor,
                    "rod": 0.1,
                    "average_error": -0.1,
                    "effect": [0.0, 1.0, factor],
                    **columns,
                }
            )
    return pd.DataFrame(single)


def test_ratios_are_tauhat_over_the_peer(script):
    pair = script("peer_tables").pairs_table(rows()).iloc[0]
    assert (pair.ours, pair.peer, pair.trials) == ("tauhat", "peer", 2)
    assert (pair["ratio CPU time"], pair["ratio peak memory"], pair["ratio RMSE"]) == (
        0.5,
        0.5,
        0.5,
    )
    assert pair.agreement == round(np.corrcoef([0, 1, 1], [0, 1, 2])[0, 1], 3)


def test_words_name_what_is_slower_and_less_accurate(script):
    pairs = pd.DataFrame(
        {
            "group": ["a", "b"],
            "ours": "tauhat",
            "peer": "other",
            "ratio CPU time": [1.3, 0.5],
            "ratio RMSE": [1.0, 1.2],
            "ratio RMSE, 95%": ["0.90 to 1.10", "1.05 to 1.40"],
        }
    )
    slower, faster, less, more = script("peer_tables").in_words(pairs).splitlines()
    assert slower.endswith("** a, tauhat to other 1.3.")
    assert faster.endswith("** b, tauhat to other 0.5.")
    assert less.endswith("** b, tauhat to other 1.2.")
    assert more.endswith("** none.")
    few = pairs.assign(**{"ratio RMSE, 95%": "-"})
    assert script("peer_tables").in_words(few).splitlines()[2].endswith("** none.")


def test_markdown_has_a_dash_for_what_is_missing(script):
    table = pd.DataFrame({"a": [1.5, None], "b": ["x", "y"]})
    assert script("peer_tables").markdown(table) == (
        "| a | b |\n| --- | --- |\n| 1.5 | x |\n| - | y |"
    )


def test_accuracy_is_the_mean_over_trials(script):
    table = script("peer_tables").accuracy_table(rows(limits_cpu_seconds=3.0, coverage=0.9))
    ours = table.iloc[0]
    assert ours["sRMSE"] == "0.400 (0.000)"
    assert ours["error of mean"] == "0.100 (0.000)"
    assert (ours["CPU s"], ours["CPU s of limits"], ours["coverage"]) == (
        1.5,
        "3.00",
        "0.900 (0.000)",
    )
    assert (ours["MiB over start"], ours["failed"]) == (10, 0)


def test_growth_has_exponents_and_ratios(script):
    table = rows().assign(by="n", n=lambda frame: 100 * (frame.draw + 1))
    ours, peer = script("peer_tables").growth_table(table, "cpu_seconds").itertuples(index=False)
    assert (ours.sizes, ours.cpu_seconds, ours.exponent) == ("100 200", "1.00 2.00", 1.0)
    assert ours[-1] == "-"
    assert (peer.cpu_seconds, peer[-1]) == ("2.00 4.00", "0.50 0.50")


def test_scores_of_an_answer(script):
    tau = np.array([0.0, 1.0, 2.0, 3.0])
    answer = {"effect": [0.0, 1.0, 2.0, 4.0], "low": [-1, 0, 2.5, 3], "high": [1, 2, 3, 5]}
    scored = script("peer_trials").scores(answer, tau)
    assert scored["rmse"] == 0.5
    assert scored["average_error"] == 0.25
    assert scored["coverage"] == 0.75
    assert scored["width"] == pytest.approx((2 + 2 + 0.5 + 2) / 4)
    assert script("peer_trials").scores({"failure": "no"}, tau) == {"failure": "no"}


def test_grown_trials_keep_clusters_in_one_arm(script):
    job = {"seed": 1, "scenario": "growth", "draw": 0, "n": 60, "m": 6, "p": 3}
    task = script("peer_trials").task(job)
    assert task.trial.X.shape == (60, 3)
    arms = pd.Series(task.trial.arm).groupby(task.trial.clusters).nunique()
    assert list(arms) == [1] * 6
    assert script("peer_trials").task({**job, "m": 0}).trial.clusters is None
