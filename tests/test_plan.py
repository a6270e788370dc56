"""A plan is locked before outcomes are seen; a run follows it or lists every deviation."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cli_runs import leave_out_the_slow, run_of, small_trial
from tauhat.cli import main
from tauhat.cli.plan_command import FollowedPlan
from tauhat.cli.settings import Settings
from tauhat.errors import TrialError
from tauhat.protocol import Beside, Lock, read_lock, read_plan
from tauhat.protocol.analysis_plan import plan_of
from tauhat.protocol.planned_power import modifier_powers
from written_plans import PLAN, planned, written


def test_a_plan_says_what_will_be_done_and_why(tmp_path: Path) -> None:
    assert planned(tmp_path) == 0
    files = written(tmp_path)
    assert list(files) == ["plan.html", "plan.lock", "plan.md"]
    for text in (files["plan.html"], files["plan.md"]):
        for said in ("Pressure is higher in the old.", "HIC", "Holm", "5%", "female"):
            assert said in text
        assert "count them by outcomes made for them" in text
    lock = read_lock(tmp_path / "plan" / "plan.lock")
    assert lock.plan["run"]["modifiers"] == ["age"]
    assert lock.plan["run"]["adjust"] == ["female", "urban"]
    assert lock.plan["run"]["covariates"] == ["female", "urban", "age"]
    assert lock.hash in files["plan.md"]


@pytest.mark.parametrize("column", ["sbp", "arm"])
def test_a_plan_never_looks_at_outcome_or_arm(tmp_path: Path, column: str) -> None:
    table = small_trial()
    files = []
    for shuffled in (False, True):
        if shuffled:
            table[column] = np.random.default_rng(3).permutation(table[column])
        data = tmp_path / "blinded.csv"
        table.to_csv(data, index=False)
        assert planned(tmp_path, PLAN, "--data", str(data), "--force") == 0
        files.append(written(tmp_path))
    assert files[0] == files[1]
    assert read_lock(tmp_path / "plan" / "plan.lock").columns == {
        "clinic": "labels",
        "age": "numbers",
        "female": "numbers",
        "urban": "numbers",
    }


def test_rows_cannot_be_chosen_by_the_outcome(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_trial().to_csv(tmp_path / "blinded.csv", index=False)
    text = PLAN.replace("seed = 5", "seed = 5\nwhere = 'sbp > 150'")
    assert planned(tmp_path, text, "--data", str(tmp_path / "blinded.csv")) == 2
    assert "sbp" in capsys.readouterr().err
    assert not (tmp_path / "plan").exists()


def test_paths_of_a_plan_start_at_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PLAN.replace("seed = 5", 'seed = 5\ntarget = "others.csv"')
    assert planned(tmp_path, text) == 0
    assert read_lock(tmp_path / "plan" / "plan.lock").plan["run"]["target"] == "../others.csv"
    monkeypatch.chdir(tmp_path)
    assert planned(Path(), text, "--force") == 0
    assert read_lock(tmp_path / "plan" / "plan.lock").plan["run"]["target"] == "../others.csv"
    beside = Settings({"file": tmp_path / "trial.csv", "out": tmp_path / "run"})
    run = FollowedPlan(tmp_path / "plan" / "plan.lock", beside).settings
    assert Path(run.given["target"]).resolve() == (tmp_path / "others.csv").resolve()


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('subgroup = ["age > 65"]', "name the rule under [[modifiers]]"),
        ('modifiers = ["urban"]', "name each under [[modifiers]]"),
        ('adjust = ["urban"]', "name the columns under [adjustment]"),
    ],
)
def test_what_is_compared_stands_in_the_plan_with_its_reason(
    line: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert planned(tmp_path, PLAN.replace("seed = 5", f"seed = 5\n{line}")) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{line.split()[0]} is no option of [run] in a plan: {place}" in said
    assert planned(tmp_path) == 0
    assert "| age, per unit | 0.3 |" in written(tmp_path)["plan.md"]


def test_clusters_in_one_arm_have_no_plan_yet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = small_trial()
    table["clinic"] = table.clinic.astype(object).where(table.arm == "HIC")
    table.to_csv(tmp_path / "trial.csv", index=False)
    assert planned(tmp_path, PLAN, "--data", str(tmp_path / "trial.csv")) == 2
    assert "'clinic', the cluster, is empty in some rows" in capsys.readouterr().err
    # Without data it is seen when the plan is followed.
    assert planned(tmp_path) == 0
    lock = str(tmp_path / "plan" / "plan.lock")
    out = str(tmp_path / "run")
    assert main(["run", str(tmp_path / "trial.csv"), "--plan", lock, "--out", out]) == 2
    assert "a trial with clusters in one arm, and a plan describes" in capsys.readouterr().err


def followed(folder: Path, table: pd.DataFrame, *more: str) -> dict[str, Any]:
    table.to_csv(folder / "trial.csv", index=False)
    lock = str(folder / "plan" / "plan.lock")
    words = ["run", str(folder / "trial.csv"), "--plan", lock, "--out", str(folder / "out")]
    assert main([*words, "--jobs", "1", *more]) == 0
    plan: dict[str, Any] = run_of(folder / "out")["plan"]
    assert plan["sha256"] == read_lock(lock).hash
    return plan


def test_a_run_is_as_planned_or_lists_every_deviation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_out_the_slow(monkeypatch)
    table = small_trial()
    table.to_csv(tmp_path / "blinded.csv", index=False)
    assert planned(tmp_path, PLAN, "--data", str(tmp_path / "blinded.csv")) == 0
    capsys.readouterr()
    plan = followed(tmp_path, table)
    assert plan["deviations"] == []
    run = run_of(tmp_path / "out")
    assert (run["seed"], run["design"]["covariates"]) == (5, ["female", "urban", "age"])
    console = capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert f"lanned on {plan['date']}, hash {plan['sha256'][:12]}" in console
    assert f"lanned on {plan['date']}, hash {plan['sha256'][:12]}" in page
    assert "1 modifier named in the plan, each compared alone" in page

    fewer = table[table.clinic.isin([f"c{k}" for k in range(12)])].copy()
    fewer["female"] = np.where(fewer.female == 1, "yes", "no")
    changed = followed(
        tmp_path, fewer, "--force", "--seed", "6", "--level", "0.95", "--title", "Another",
        "--modifiers", "female",
    )  # fmt: skip
    assert changed["deviations"] == [
        "--modifiers female was given; planned was age.",
        "--seed 6 was given; planned was 5.",
        "The column female holds labels; in the blinded data, numbers.",
        "There are 120 persons; 160 were expected (-25%).",
        "There are 12 clusters; 16 were expected (-25%).",
    ]
    assert "--seed 6 was given" in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "--seed 6 was given" in page
    assert "1 modifier named when the analysis was called, each compared alone" in page


DRAWN = "1,999 times (9,999 where p is within .02 of the level), seed 5"


@pytest.mark.parametrize(
    ("clusters", "more", "said"),
    [
        (12, "", ": with the 12 clusters expected, 6 of them treated, in all 924 possible ways."),
        (
            10,
            "share-treated = 0.3",
            ": with the 10 clusters expected, 3 of them treated, in all 120",
        ),
        (16, "", f", {DRAWN}."),
        (10_000, "", f", {DRAWN}."),
        (
            12,
            "block",
            f" within blocks, {DRAWN}; in all possible ways where these are no more than ",
        ),
    ],
)
def test_all_assignments_are_compared_where_they_are_few(
    clusters: int, more: str, said: str, tmp_path: Path
) -> None:
    text = PLAN.replace("persons = 160", f"persons = 100000\n{more if '=' in more else ''}")
    text = text.replace("clusters = 16", f"clusters = {clusters}")
    if more == "block":
        text = text.replace("seed = 5", 'seed = 5\nblock = "site"')
    assert planned(tmp_path, text) == 0
    assert f"Whole clusters are permuted{said}" in written(tmp_path)["plan.md"]


def test_the_planned_average_leads_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_out_the_slow(monkeypatch)
    assert planned(tmp_path, f'{PLAN}[estimand]\naverage = "cluster"\n') == 0
    table = small_trial()
    # Clusters of two sizes, the small ones without any effect, so that the averages differ.
    small = table.clinic.isin([f"c{k}" for k in range(8)])
    table = table[~small | (table.groupby("clinic").cumcount() < 5)].copy()
    gains = (table.arm != "HIC") & ~table.clinic.isin([f"c{k}" for k in range(8)])
    table["sbp"] += 30.0 * gains
    table.loc[table.index[::9], "sbp"] = np.nan
    capsys.readouterr()
    followed(tmp_path, table)
    console = capsys.readouterr().out
    run = run_of(tmp_path / "out")
    effects = run["average_effect"]
    assert effects["primary"] == "cluster"
    lead, other = (effects[name]["estimate"] for name in ("cluster", "individual"))
    assert abs(lead - other) > 2
    told, other_told = (f"{value:.1f}".replace("-", "−") for value in (lead, other))
    assert console.index("cluster-average") < console.index("individual-average")
    assert f"Cluster-average effect: {lead:.1f}" in " ".join(console.split())
    # What the result depends on is that of the same estimand.
    averages = {row["change"]: row["estimate"] for row in run["sensitivity"]["averages"]}
    assert averages["as reported"] == pytest.approx(lead)
    assert averages["only persons with an outcome"] == effects["complete_cases"]["estimate"]
    first = (tmp_path / "out" / "report.html").read_text("utf-8").split('<h2 class="appendix"')[0]
    assert f"Every cluster counting the same, as the plan has it: {told}" in first
    assert f"Every person counting the same, which is another question: {other_told}" in first
    assert first.index("Average effect per cluster") < first.index("Average effect per person")
    assert main(["methods", str(tmp_path / "out" / "run.json")]) == 0
    paper = capsys.readouterr().out
    assert "as the primary estimand of the plan the cluster-average effect" in paper
    assert paper.index("The cluster-average effect was") < paper.index("The individual-average eff")


def test_other_versions_are_a_deviation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_the_slow(monkeypatch)
    assert planned(tmp_path) == 0
    path = tmp_path / "plan" / "plan.lock"
    lock = read_lock(path)
    older = Lock(lock.plan, lock.date, {**lock.versions, "tauhat": "0.0.9"}, lock.columns)
    path.write_text(older.text)
    (deviation,) = followed(tmp_path, small_trial())["deviations"]
    assert deviation.startswith("Other versions than planned: tauhat ")
    assert deviation.endswith("(planned 0.0.9).")


@pytest.mark.parametrize(
    ("path", "value"),
    [(("plan", "run", "seed"), 6), (("date",), "2020-01-01"), (("versions", "tauhat"), "9")],
)
def test_an_edited_lock_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: tuple[str, ...], value: Any
) -> None:
    planned(tmp_path)
    file = tmp_path / "plan" / "plan.lock"
    content = json.loads(file.read_text("utf-8"))
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    file.write_text(json.dumps(content))
    small_trial().to_csv(tmp_path / "trial.csv", index=False)
    out = tmp_path / "out"
    words = ["run", str(tmp_path / "trial.csv"), "--plan", str(file), "--out", str(out)]
    assert main(words) == 2
    assert "was changed after it was locked" in capsys.readouterr().err
    assert not out.exists()


def test_spaces_and_the_order_of_keys_do_not_matter(tmp_path: Path) -> None:
    planned(tmp_path)
    file = tmp_path / "plan" / "plan.lock"
    lock = read_lock(file)
    content = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(dict(reversed(content.items()))))
    assert read_lock(file).hash == lock.hash
    with pytest.raises(TrialError, match=r"plan is a folder: name the lock in it, such as .*lock$"):
        read_lock(file.parent)


def test_a_lock_is_not_replaced_by_another_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert planned(tmp_path) == 0
    first = written(tmp_path)
    assert planned(tmp_path) == 0
    assert written(tmp_path) == first
    other = PLAN.replace("seed = 5", "seed = 6")
    assert planned(tmp_path, other) == 2
    assert "locks another plan" in capsys.readouterr().err
    assert written(tmp_path) == first
    assert planned(tmp_path, other, "--force") == 0
    assert written(tmp_path)["plan.lock"] != first["plan.lock"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("direction = ", "directoin = "), r"unknown key 'directoin'; did you mean direction\?"),
        (
            ('rationale = "Pressure is higher in the old."', ""),
            "the modifier 'age' lacks rationale",
        ),
        (("seed = 5", "sead = 5"), r"unknown key 'sead'; did you mean seed\?"),
        (("seed = 5", "seed = 'five'"), "seed must be a whole number"),
        (("seed = 5", "seed = -5"), "--seed must not be negative"),
        (("seed = 5", "covariates = 'age'"), r"covariates must be a list of names"),
        (("seed = 5", "jobs = 5"), r"\[run\] cannot plan --jobs"),
        (('outcome = "sbp"', ""), "missing --outcome"),
        (("persons = 160", ""), r"\[expected\] lacks persons"),
        (("clusters = 16", ""), r"\[expected\] lacks clusters"),
        (("icc = 0.05", "icc = 5"), r"\[expected\] icc must be between 0 and 1, got 5"),
        (("sd = 7.0", "risk-control = 0.2"), "needs both risk-control and risk-treated"),
        (
            ('title = "Pressure in clinics"', ""),
            r'trial\.toml has no title: .* before the tables, .* title = "Name of the trial"$',
        ),
        (('title = "Pressure in clinics"', "title = 5"), "title must be a text in quotes, got 5"),
        (("sd = 7.0", "survival-control = 0.5"), "needs .run. event and horizon"),
        (('cluster = "clinic"', ""), r"\[expected\] clusters needs \[run\] cluster"),
    ],
)
def test_what_a_plan_lacks_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], message: str
) -> None:
    assert planned(tmp_path, PLAN.replace(*change)) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "plan").exists()


def test_power_of_a_plan_is_that_of_its_modifier(tmp_path: Path) -> None:
    (tmp_path / "trial.toml").write_text(PLAN)
    (one,) = modifier_powers(read_plan(tmp_path / "trial.toml"))
    assert one.power is not None
    assert one.primary_power is not None
    assert one.power > one.primary_power > 0.3
    assert 0.1 < one.detectable < 0.4


def test_hostile_words_do_nothing_in_the_page(tmp_path: Path) -> None:
    hostile = PLAN.replace("Pressure is higher", "<script>alert(1)</script> | higher")
    assert planned(tmp_path, hostile) == 0
    files = written(tmp_path)
    assert "<script>" not in files["plan.html"]
    assert "<script>" not in files["plan.md"]
    assert r"\| higher" in files["plan.md"]


def test_either_direction_is_planned_and_a_contrary_one_is_told() -> None:
    run = {"outcome": "y", "treatment": "a", "covariates": ["age"], "lower-is-better": True}
    content = {"title": "A", "run": run, "expected": {"persons": 9}}
    assert plan_of(content, Path("t.toml")).run["higher-is-better"] is False
    with pytest.raises(TrialError, match="both higher-is-better and lower-is-better"):
        plan_of({**content, "run": {**run, "higher-is-better": True}}, Path("t.toml"))
    option = "--higher-is-better/--lower-is-better"
    told = Beside(option, planned=True, given=False).text
    assert told == "Lower is better was given; planned: higher is better."
    unplanned = Beside(option, planned=None, given=True).text
    assert unplanned == "Higher is better was given; the plan does not say."


@pytest.mark.parametrize("name", ["arm", "clinic", "y"])
def test_the_arm_is_no_modifier(name: str) -> None:
    one = {"name": name, "direction": "none", "rationale": "asked for"}
    run = {"outcome": "y", "treatment": "arm", "cluster": "clinic", "covariates": ["age"]}
    content = {"title": "A", "run": run, "expected": {"persons": 9}, "modifiers": [one]}
    with pytest.raises(TrialError, match=f"{name!r} cannot be a modifier: column {name!r} is the"):
        plan_of(content, Path("t.toml"))


def test_a_modifier_named_twice_is_refused() -> None:
    one = {"name": "age", "direction": "none", "rationale": "asked for"}
    run = {"outcome": "y", "treatment": "a"}
    content = {"title": "A", "run": run, "expected": {"persons": 9}, "modifiers": [one, one]}
    with pytest.raises(TrialError, match="named twice"):
        plan_of(content, Path("t.toml"))
