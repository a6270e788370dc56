"""Rows of an experiment, one a trial, that can be kept in a file for another run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any


def kept_rows(
    one_trial: Callable[[str, int], dict[str, Any]],
    cells: Sequence[str],
    numbers: Iterable[int],
    store: Path | None,
) -> list[dict[str, Any]]:
    """All rows of the file, and those of the cells and numbers that it lacks.

    Parameters
    ----------
    one_trial
        Makes the row of a trial from its cell and number, which it holds as "cell" and "number".
    cells, numbers
        Cells, and the numbers of their trials.
    store
        File of a row a line, to which new ones are added; None to keep nothing.
    """
    rows: list[dict[str, Any]] = []
    if store is not None and store.exists():
        rows = [json.loads(line) for line in store.read_text().splitlines()]
    known = {(row["cell"], row["number"]) for row in rows}
    for number in numbers:
        for cell in cells:
            if (cell, number) in known:
                continue
            rows.append(one_trial(cell, number))
            if store is not None:
                with store.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    return rows
