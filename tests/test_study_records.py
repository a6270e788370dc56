"""What a study's store may hold: records of its own plan, each of the right shape."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tauhat.runtime.files import open_regular
from tauhat.study import records
from tauhat.study.measures import AVERAGES, METRICS, TaskResult
from tauhat.study.plan import StudyError
from tauhat.study.plan_file import load_plan, plan_from
from tauhat.study.records import record_line
from tauhat.study.results import read_study
from tauhat.study.store import FILE, Store, read_store

CONTENT: dict[str, Any] = {
    "name": "small",
    "replicates": 4,
    "estimators": ["LMM", "T-Linear"],
    "rows": [{"scenario": "linear", "n": [60, 100]}],
}
COLUMNS = 2 * len(METRICS) + len(AVERAGES) + 2


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of a plan and three tasks."""
    with Store(tmp_path, plan_from(CONTENT, "test"), "1.0") as opened:
        for replicate in range(3):
            result = TaskResult(
                row="linear n=60",
                replicate=replicate,
                metrics=np.full((2, len(METRICS)), float(replicate)),
                averages=np.zeros(len(AVERAGES)),
                fit_seconds=np.ones(2),
                seconds=1.0,
                messages={},
            )
            opened.append(result)
    return tmp_path / FILE


def changed(path: Path, line: int, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the record of a line, or put there what the change returns, with a right checksum."""
    lines = path.read_bytes().splitlines(keepends=True)
    record = json.loads(lines[line - 1][9:])
    made = change(record)
    text = json.dumps(record if made is None else made).encode()
    lines[line - 1] = b"%08x %s\n" % (zlib.crc32(text), text)
    path.write_bytes(b"".join(lines))


def with_seed_two(record: dict[str, Any]) -> None:
    record["plan"]["seed"] = 2
    record["identity"]["seed"] = "2"


def numbers(count: int) -> str:
    return base64.b64encode(np.ones(count).astype("<f8").tobytes()).decode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(values=numbers(1)), f"it has 1 numbers where the plan has {COLUMNS}"),
        (lambda r: r.update(values=numbers(COLUMNS + 1)), "numbers where the plan has"),
        (lambda r: r.update(values=numbers(COLUMNS)[:-4]), "numbers where the plan has"),
        (lambda r: r.update(values="not base64!"), "no base64"),
        (lambda r: r.update(values=[1.0]), "no base64"),
        (lambda r: r.update(replicate=-1), "its replicate -1 is no whole number from 0"),
        (lambda r: r.update(replicate=10**9), "its replicate 1000000000 is beyond the plan's"),
        (lambda r: r.update(replicate="1"), "its replicate '1' is no whole number"),
        (lambda r: r.update(replicate=True), "its replicate True is no whole number"),
        (lambda r: r.update(replicate=1.0), "its replicate 1.0 is no whole number"),
        (lambda r: r.update(row="linear n=61"), "its row 'linear n=61' is not in the plan"),
        (lambda r: r.update(row=["linear n=60"]), "is not in the plan"),
        (lambda r: r.update(seconds=-1), "are no time"),
        (lambda r: r.update(seconds="1"), "are no time"),
        (lambda r: r.update(seconds=float("nan")), "NaN stands where a number should be"),
        (lambda r: r.update(messages=[]), "messages are not texts by estimator"),
        (lambda r: r.update(messages={"LMM": 1}), "messages are not texts by estimator"),
        (lambda r: r.update(messages={"other": "x"}), "messages are not texts by estimator"),
        (lambda r: r.update(kind="result"), "it is neither a plan nor a task"),
        (lambda r: r.update(more=1), "has or lacks the key 'more'"),
        (lambda r: r.__delitem__("seconds"), "has or lacks the key 'seconds'"),
        (lambda r: [1, 2], "it is no record"),
        (lambda r: "text", "it is no record"),
    ],
)
def test_a_record_of_another_shape_is_left_out_and_named(
    change: Any, message: str, store: Path
) -> None:
    changed(store, 3, change)
    study = read_study(store.parent)
    assert study.replicate.tolist() == [0, 2]
    assert study.damaged == 1
    assert study.damaged_records[0].startswith("study.jsonl, line 3: ")
    assert message in study.damaged_records[0]
    assert np.unique(study.values).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["plan"].update(seed=2), "contradicts what it says results depend on: seed"),
        (with_seed_two, "plan of another study: seed"),
        (lambda r: r["plan"].update(replicates=2), "fewer replicates"),
        (lambda r: r["plan"].update(replicates=-1), "replicates must be"),
        (lambda r: r["plan"]["estimators"].reverse(), "estimators"),
        (lambda r: r["metrics"].reverse(), "metrics"),
        (lambda r: r.update(metrics=["rod", "rod"]), "other measures"),
        (lambda r: r.update(identity=[]), "identity"),
        (lambda r: r.update(plan="small"), "its plan is no table"),
        (lambda r: r.update(version=1), "is no text"),
        (lambda r: r.__delitem__("folder"), "'folder'"),
    ],
)
def test_a_later_plan_of_another_study_is_left_out_and_named(
    change: Any, message: str, store: Path
) -> None:
    first = store.read_bytes().splitlines(keepends=True)[0]
    with store.open("ab") as file:
        file.write(first)
    changed(store, 5, change)
    before = store.read_bytes()
    study = read_study(store.parent)
    assert (study.plan.seed, study.plan.replicates, study.n_tasks) == (1, 4, 3)
    assert study.damaged == 1
    assert message in study.damaged_records[0]
    assert "line 5" in study.damaged_records[0]
    # The study goes on from what is right.
    with Store(store.parent, plan_from(CONTENT, "test"), "1.0") as opened:
        assert opened.contents is not None
        assert len(opened.contents.tasks) == 3
    assert store.read_bytes() == before


def test_a_first_record_that_is_no_plan(store: Path) -> None:
    changed(store, 1, lambda record: record["plan"].update(rows=[]))
    with pytest.raises(StudyError, match=r"is not the store of a study \(line 1: .*rows must be"):
        read_study(store.parent)


def test_lines_are_bounded(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST_LINE", 5000)
    whole = store.read_bytes().splitlines(keepends=True)
    long = record_line({"kind": "unit", "row": "x" * 20_000})
    store.write_bytes(b"".join([*whole[:2], long, *whole[2:]]))
    study = read_study(store.parent)
    assert study.replicate.tolist() == [0, 1, 2]
    assert study.damaged_records[0].startswith("study.jsonl, line 3: is longer than")
    with open_regular(store) as file:
        assert [line.number for line in records.read_lines(file)] == [1, 2, 3, 4, 5]
    # A line without an end is what a kill leaves behind, however long.
    store.write_bytes(b"".join(whole) + b"0" * 20_000)
    contents = read_store(store.parent)
    assert contents is not None
    assert (len(contents.tasks), contents.damaged) == (3, ())
    assert contents.end == len(b"".join(whole))


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(StudyError, match="a folder, a pipe or a device"):
        read_store(tmp_path)
    with pytest.raises(StudyError, match="a folder, a pipe or a device"):
        load_plan(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = " + "[" * 100 + "]" * 100, "nested 100 levels deep"),
        ("x = " + "{a=" * 100 + "1" + "}" * 100, "nested 100 levels deep"),
        ("x." * 100 + "x = 1", "nested 100 levels deep"),
        ('"x" . ' * 100 + "x = 1", "nested 100 levels deep"),
        ("[" + "x." * 100 + "x]", "nested 100 levels deep"),
        ("# " + "x" * 2**20, "longer than 1 MiB"),
        ("x = \udcff", "is not TOML"),
        ('x = "[[[', "is not TOML"),
    ],
)
def test_plans_that_are_hard_on_a_parser_are_not_parsed(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(StudyError, match=message):
        load_plan(path)


def test_brackets_and_dots_in_texts_and_comments_are_none(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    odd = "[" * 50 + "a." * 50
    path.write_text(
        f'replicates = 1 # {odd}\nestimators = ["LMM"]\nnote = "{odd}"\n'
        f"description = '''\n{odd}\n'''\n[[rows]]\nscenario = \"linear\"\nn = 60\n"
    )
    assert load_plan(path).note == odd


def test_rows_and_depth_of_plans_are_bounded() -> None:
    rows = [{"scenario": "linear", "grid": {str(k): list(range(10)) for k in range(10)}}]
    with pytest.raises(StudyError, match="row 1 stands for more than 10,000 rows"):
        plan_from({**CONTENT, "rows": rows}, "test")
    nested: Any = 1
    for _ in range(30):
        nested = {"a": nested}
    rows = [{"scenario": "linear", "settings": nested}]
    with pytest.raises(StudyError, match="nested no more than 20 levels"):
        plan_from({**CONTENT, "rows": rows}, "test")
