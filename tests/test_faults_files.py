"""Sets of files and what befalls the process that writes them."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fault_processes import (
    NAMES,
    NEW,
    OLD,
    held,
    in_child,
    outcome,
    small_disk,
)
from tauhat.errors import TrialError
from tauhat.runtime import files
from tauhat.runtime.files import settle, write_files

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def killed_at(step: int) -> None:
    """Let the process kill itself at the n-th call that changes the disk."""
    count = itertools.count()

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **named: Any) -> Any:
            if next(count) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **named)

        return wrapped

    for name in ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync"):
        setattr(os, name, counted(getattr(os, name)))


@pytest.mark.parametrize("there", [True, False], ids=["old set there", "no folder yet"])
def test_killed_at_every_step_of_writing(there: bool, tmp_path: Path) -> None:
    for step in range(100):
        folder = tmp_path / f"{step}" / "out"
        if there:
            write_files(folder, {"notes.txt": "mine"})
            write_files(folder, OLD)
        else:
            folder.parent.mkdir()

        def work(step: int = step, folder: Path = folder) -> None:
            killed_at(step)
            write_files(folder, NEW)

        code = outcome(in_child(work))
        if there and (folder / "run.json").exists():
            # The seal stands: whatever else is hidden in the folder, the set is whole.
            shown = [(folder / name).read_text() for name in NAMES]
            assert shown in ([OLD[n] for n in NAMES], [NEW[n] for n in NAMES]), step
        settle(folder)
        found = held(folder) if folder.exists() else {}
        if there:
            assert found.pop("notes.txt") == "mine"
            assert found in (OLD, NEW), step
        else:
            assert found in ({}, NEW), step
        assert not [p for p in folder.parent.iterdir() if p != folder], step
        write_files(folder, NEW)
        assert {k: v for k, v in held(folder).items() if k != "notes.txt"} == NEW
        if code == 0:
            assert step > 5
            return
        assert code == -signal.SIGKILL
    raise AssertionError("writing never ended")


def test_writers_of_one_folder_do_not_mix_their_sets(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sets = [dict.fromkeys(NAMES, letter * 5000) for letter in "ab"]

    def work(which: int) -> None:
        for _ in range(25):
            write_files(out, sets[which])

    children = [in_child(lambda which=which: work(which)) for which in (0, 1)]
    assert [outcome(child) for child in children] == [0, 0]
    assert held(out) in sets
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_living_writers_files_are_not_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".tauhat-part-killed").mkdir()
    with files._only_writer(tmp_path) as alone:
        assert alone
        child = in_child(lambda: write_files(tmp_path, NEW) and None)
        time.sleep(0.2)
        # It waits for the lock.
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        assert (tmp_path / ".tauhat-part-killed").exists()
    assert outcome(child) == 0
    assert held(tmp_path) == NEW


def test_an_interrupt_between_two_renames_does_not_stop_half_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, OLD)
    replace, calls = os.replace, itertools.count()

    def interrupted(*args: Any) -> None:
        if next(calls) == 1:
            raise KeyboardInterrupt
        replace(*args)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, NEW)
    assert held(tmp_path) == NEW


def test_a_folder_under_the_name_of_a_result_stops_before_anything_is_changed(
    tmp_path: Path,
) -> None:
    (tmp_path / "effects.csv").mkdir()
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(TrialError, match=r"effects\.csv is a folder"):
        write_files(tmp_path, NEW)
    assert (tmp_path / "report.html").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["effects.csv", "report.html"]


def test_a_disk_without_room_keeps_the_old_set(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        write_files(disk / "out", OLD)
        for folder in (disk / "out", disk / "other"):
            with pytest.raises(TrialError, match="No space left on device"):
                write_files(folder, {**NEW, "run.json": "x" * 100_000})
        assert held(disk / "out") == OLD
        assert [path.name for path in disk.iterdir()] == ["out"]
