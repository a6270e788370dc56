"""Changed stores of a study in a process of bounded memory: ``fuzz_stores.py DIR SEED COUNT``.

Each change lies in one line, which mostly gets a right checksum again, so that it is the reader of
the record that has to notice. Every store must be read, with the numbers that are left unchanged,
or refused by a `StudyError`; anything else ends the process.
"""

from __future__ import annotations

import json
import resource
import sys
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from fuzz_models import changed_manifest, changed_text
from tauhat.study.measures import AVERAGES, METRICS, TaskResult
from tauhat.study.plan import StudyError
from tauhat.study.plan_file import plan_from
from tauhat.study.results import read_study
from tauhat.study.store import FILE, Store

MEMORY = 2 * 2**30
PLAN = plan_from(
    {
        "replicates": 5,
        "estimators": ["LMM", {"name": "mine", "estimator": "T-Linear", "settings": {"n_jobs": 1}}],
        "rows": [{"scenario": "linear", "n": [60, 100], "settings": {"noise": 1.5}}],
    },
    "test",
)


def fill(folder: Path) -> None:
    """Write a store whose numbers are those of row and replicate."""
    (folder / FILE).unlink(missing_ok=True)
    with Store(folder, PLAN, "1.0") as store:
        for row, replicate in PLAN.tasks():
            store.append(
                TaskResult(
                    row=row.key,
                    replicate=replicate,
                    metrics=np.full((2, len(METRICS)), number(row.n, replicate)),
                    averages=np.zeros(len(AVERAGES)),
                    fit_seconds=np.ones(2),
                    seconds=1.0,
                    messages={"mine": "a message"} if replicate == 1 else {},
                )
            )


def number(n: int | None, replicate: int) -> float:
    """Value of every measure of a task."""
    return float(n or 0) + replicate


def changed_store(whole: bytes, rng: np.random.Generator) -> bytes:
    """A store with one line changed, left out, repeated or moved."""
    lines = whole.splitlines(keepends=True)
    place = int(rng.integers(len(lines)))
    text = lines[place][9:-1].decode()
    kind = rng.integers(6)
    if kind == 0:
        at = int(rng.integers(len(whole)))
        return whole[:at] + bytes([rng.integers(256)]) + whole[at + 1 :]
    if kind == 1:
        lines[place] = lines[rng.integers(len(lines))]
        return b"".join(lines)
    if kind == 2:
        lines.insert(int(rng.integers(len(lines))), lines.pop(place))
        return b"".join(lines)
    text = changed_manifest(text, rng) if kind < 5 else changed_text(text, rng)
    data = text.encode()
    again = b"%08x %s\n" % (zlib.crc32(data), data)
    if rng.random() < 0.5:
        lines[place] = again
    else:
        lines.append(again)
    return b"".join(lines)


def main(folder: Path, seed: int, count: int) -> None:
    """Try changed stores one after the other."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    fill(folder)
    whole = (folder / FILE).read_bytes()
    outcomes: Counter[str] = Counter()
    for k in range(count):
        (folder / FILE).write_bytes(changed_store(whole, np.random.default_rng([seed, k])))
        try:
            study = read_study(folder)
            assert study.plan.names == PLAN.names
            sizes = [study.plan.rows[row].n for row in study.row]
            shape = (study.n_tasks, 2, len(study.metrics))
            assert study.values.shape == shape
            assert study.n_tasks <= PLAN.n_tasks
            right = [number(n, r) for n, r in zip(sizes, study.replicate, strict=True)]
            same = (study.values == np.reshape(right, (-1, 1, 1))).all(axis=(1, 2))
            # One task at most holds what the change put there.
            assert (~same).sum() <= 1
            outcomes["fine" if not study.damaged else "damaged"] += 1
        except StudyError:
            outcomes["refused"] += 1
        except BaseException:
            print(f"change {k} of seed {seed}", file=sys.stderr)
            raise
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
