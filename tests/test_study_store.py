"""The store: exact, append-only, whole after any cut, closed to a second writer."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tauhat.study.measures import AVERAGES, METRICS, TaskResult
from tauhat.study.plan import Plan, StudyError
from tauhat.study.plan_file import plan_from
from tauhat.study.records import record_line
from tauhat.study.results import read_study
from tauhat.study.store import FILE, Store, read_store

CONTENT: dict[str, Any] = {
    "name": "small",
    "replicates": 4,
    "estimators": ["LMM", "T-Linear"],
    "rows": [{"scenario": "linear", "n": [60, 100]}],
}


def make_plan(**change: Any) -> Plan:
    return plan_from({**CONTENT, **change}, "test")


def make_task(row: str, replicate: int) -> TaskResult:
    rng = np.random.default_rng([len(row), replicate])
    metrics = rng.normal(size=(2, len(METRICS)))
    metrics[1, 3] = np.nan
    return TaskResult(
        row=row,
        replicate=replicate,
        metrics=metrics,
        averages=np.full(len(AVERAGES), np.nan),
        fit_seconds=np.array([0.5, 0.25]),
        seconds=0.8,
        messages={"T-Linear": 'ValueError: "quoted"\nsecond line ä'} if replicate == 1 else {},
    )


TASKS = [("linear n=100", 0), ("linear n=60", 0), ("linear n=100", 1), ("linear n=60", 1)]


def fill(folder: Path, tasks: list[tuple[str, int]] = TASKS) -> Path:
    with Store(folder, make_plan(), "1.0") as store:
        for key in tasks:
            store.append(make_task(*key))
    return folder / FILE


def test_numbers_come_back_bit_for_bit_in_the_order_of_the_plan(tmp_path: Path) -> None:
    fill(tmp_path)
    study = read_study(tmp_path)
    assert study.row.tolist() == [0, 0, 1, 1]
    assert study.replicate.tolist() == [0, 1, 0, 1]
    expected = [make_task(f"linear n={n}", r).metrics for n in (60, 100) for r in (0, 1)]
    assert study.values.tobytes() == np.array(expected).tobytes()
    assert study.failures["message"].tolist() == ['ValueError: "quoted"\nsecond line ä'] * 2
    assert study.failures["n"].tolist() == [60, 100]
    assert len(study.results) == 8
    assert study.results.loc[3, ["n", "replicate", "estimator"]].tolist() == [60, 1, "T-Linear"]
    assert study.results.loc[3, "srmse"] == expected[1][1, 0]


@pytest.mark.parametrize(
    ("scenario", "settings", "learned"),
    [
        ("crt-null-m20-icc10", {}, True),
        ("crt-null-m20-icc10", {"weighting": "shares"}, False),
        ("linear", {}, False),
    ],
)
def test_what_an_estimator_learned_anew_is_not_mixed_with_what_is_stored(
    scenario: str,
    settings: dict[str, str],
    learned: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    robust = {"name": "Robust", "estimator": "Robust", "settings": settings}
    plan = make_plan(rows=[{"scenario": scenario}], estimators=["LMM", robust])
    Store(tmp_path, plan, "1.0").close()
    Store(tmp_path, plan, "1.1").close()
    monkeypatch.setattr("tauhat.ensembles.robust.rule_mark", lambda: "of another rule")
    if learned:
        with pytest.raises(StudyError, match=r"an estimator that has changed.*\n.*Robust.*before"):
            Store(tmp_path, plan, "1.2")
    else:
        Store(tmp_path, plan, "1.2").close()
    # What is stored can be read all the same.
    assert read_study(tmp_path).plan.names == ["LMM", "Robust"]


def test_the_file_only_grows(tmp_path: Path) -> None:
    path = fill(tmp_path, TASKS[:2])
    before = path.read_bytes()
    fill(tmp_path, TASKS[2:])
    assert path.read_bytes().startswith(before)
    assert read_study(tmp_path).n_tasks == 4


def test_cut_at_any_byte_it_loses_the_torn_record_only_and_goes_on(tmp_path: Path) -> None:
    path = fill(tmp_path)
    whole = path.read_bytes()
    ends = [0, *(k + 1 for k, byte in enumerate(whole) if byte == ord("\n"))]
    header = ends[1]
    cuts = {*range(len(whole) - 40, len(whole)), *ends, *(e + 1 for e in ends[:-1]), header - 1, 5}
    for cut in sorted(cuts):
        path.write_bytes(whole[:cut])
        complete = sum(end <= cut for end in ends[1:])
        contents = read_store(tmp_path)
        if cut < header:
            assert contents is None
        else:
            assert contents is not None
            assert [(task.row, task.replicate) for task in contents.tasks] == TASKS[: complete - 1]
            assert contents.damaged == ()
        fill(tmp_path, TASKS[max(complete - 1, 0) :])
        assert b"".join(path.read_bytes().splitlines(True)[1:]) == whole[header:]


def test_a_record_damaged_on_the_disk_is_left_out_and_made_anew(tmp_path: Path) -> None:
    path = fill(tmp_path)
    content = bytearray(path.read_bytes())
    lines = content.split(b"\n")
    position = len(lines[0]) + 1 + len(lines[1]) + 1 + 300
    content[position] ^= 1
    path.write_bytes(bytes(content))
    study = read_study(tmp_path)
    assert (study.n_tasks, study.damaged) == (3, 1)
    fill(tmp_path, [TASKS[1]])
    assert read_study(tmp_path).n_tasks == 4


def test_a_task_stored_twice_counts_once(tmp_path: Path) -> None:
    fill(tmp_path, [*TASKS, TASKS[0]])
    assert read_study(tmp_path).n_tasks == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 2}, "seed: 1 before, 2 now"),
        ({"test_size": 100}, "test_size: 5000 before, 100 now"),
        ({"estimators": ["LMM", "X-Linear"]}, "estimator T-Linear: .* before, absent now"),
        ({"estimators": ["T-Linear", "LMM"]}, "estimators: .*before"),
        ({"rows": [{"scenario": "linear", "n": [60, 101]}]}, "rows: .*n=100.*n=101"),
        ({"replicates": 3}, "replicates: 4 before, 3 now"),
    ],
)
def test_a_changed_plan_is_refused_and_the_change_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = fill(tmp_path)
    before = path.read_bytes()
    with pytest.raises(StudyError, match=message):
        Store(tmp_path, make_plan(**change), "1.0")
    assert path.read_bytes() == before


def test_more_replicates_and_other_words_continue_the_study(tmp_path: Path) -> None:
    fill(tmp_path)
    with Store(tmp_path, make_plan(replicates=6, description="again"), "1.1") as store:
        assert store.contents is not None
        assert len(store.contents.tasks) == 4
        store.append(make_task("linear n=60", 5))
    study = read_study(tmp_path)
    assert (study.plan.replicates, study.n_tasks) == (6, 5)
    assert study.versions == ("1.0", "1.1")


def test_another_file_under_the_name_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("my notes\nof today\n")
    with pytest.raises(StudyError, match="not the store of a study"):
        Store(tmp_path, make_plan(), "1.0")
    assert (tmp_path / FILE).read_text() == "my notes\nof today\n"


HOLDER = """
import sys, time
from tauhat.study.plan_file import plan_from
from tauhat.study.store import Store
store = Store(sys.argv[1], plan_from({content!r}, "test"), "1.0")
print("held", flush=True)
time.sleep(60)
"""


def test_two_writers_exclude_each_other_until_one_is_killed(tmp_path: Path) -> None:
    code = HOLDER.format(content=CONTENT)
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StudyError, match="another process is running the study"):
            Store(tmp_path, make_plan(), "1.0")
        assert read_study(tmp_path).n_tasks == 0
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    assert fill(tmp_path).exists()


@pytest.mark.slow
def test_a_hundred_thousand_tasks_are_summarised_in_five_seconds(tmp_path: Path) -> None:
    content: dict[str, Any] = {
        **CONTENT,
        "replicates": 6250,
        "estimators": load_names(),
        "rows": [{"scenario": "linear", "n": list(range(100, 116))}],
    }
    plan = plan_from(content, "test")
    Store(tmp_path, plan, "1.0").close()
    write_tasks(tmp_path, plan)
    start = time.perf_counter()
    table = read_study(tmp_path).table("srmse")
    assert time.perf_counter() - start < 5
    assert table["replicates"].tolist() == [6250] * 16
    assert table["CBA"].between(0.6, 0.8).all()


def load_names() -> list[str]:
    return [
        *(f"{letter}-Linear" for letter in "STXR"),
        "LMM",
        "DR-Linear",
        "X-RF",
        "T-RF",
        "S-RF",
        "DR-RF",
        "CBA",
    ]


def write_tasks(folder: Path, plan: Plan) -> None:
    """Append a task for every key of a plan, without waiting for the disk."""
    rng = np.random.default_rng(1)
    k = len(plan.names)
    with (folder / FILE).open("ab") as file:
        for row, replicate in plan.tasks():
            numbers = np.concatenate(
                [rng.normal(0.7, 0.1, k * len(METRICS)), np.full(len(AVERAGES), np.nan), np.ones(k)]
            )
            record = {
                "kind": "unit",
                "row": row.key,
                "replicate": replicate,
                "seconds": 1.0,
                "messages": {},
                "values": base64.b64encode(numbers.astype("<f8").tobytes()).decode(),
            }
            file.write(record_line(record))
