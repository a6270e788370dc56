"""How far the mean effect on an event is off, by who estimates it, beside the whole error.

Cells of `binary_outcomes.py` in which nothing differs (C1, C2, I4) or one odds ratio holds (C3, C4,
I1). The mean of the persons' effects by models of the log odds, by `LMM` with 0 and 1 taken as
numbers, and by `average_effects`, less the true one: mean absolute error in percentage points.
Beside it the root mean squared error of the persons' effects, of which that of the mean effect is
a part: the average for everyone is no model at all, and where nothing differs no estimate that
leaves the average alone has less.

    python benchmarks/mean_effect_of_events.py --draws 25 --store rows.jsonl
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tauhat as th
from binary_outcomes import CELLS, as_numbers
from kept_rows import kept_rows
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import BinaryTrial

FLAT, ONE_ODDS_RATIO = ("C1", "C2", "I4"), ("C3", "C4", "I1")
ON_LOG_ODDS = ("Constant-Odds-Ratio", "LMM", "Risk")
ON_NUMBERS, AVERAGE = "LMM on 0/1", "average for everyone"


def one_trial(cell: str, number: int) -> dict[str, Any]:
    """Errors of the mean effect and of the persons' effects, in percentage points."""
    settings, n = CELLS[cell]
    seed = derive_seed(20261129, "levels", cell, number)
    trial = BinaryTrial(**settings).draw(n, seed)
    effects = {
        name: th.estimator(name, random_state=1).fit(*trial).effect(trial.X) for name in ON_LOG_ODDS
    }
    effects[ON_NUMBERS] = as_numbers(th.estimator("LMM", random_state=1), trial).effect(trial.X)
    average = th.average_effects(trial).individual
    effects[AVERAGE] = np.full(len(trial.tau), average.estimate)
    row: dict[str, Any] = {"cell": cell, "number": number, "se": 100 * average.se}
    for name, effect in effects.items():
        row[f"mean: {name}"] = 100 * abs(float(np.mean(effect) - np.mean(trial.tau)))
        row[f"rmse: {name}"] = 100 * float(np.sqrt(np.mean((effect - trial.tau) ** 2)))
    return row


def report(rows: pd.DataFrame) -> None:
    """Print both errors by cell and over the cells of a kind, as Markdown tables."""
    names = [*ON_LOG_ODDS, ON_NUMBERS, AVERAGE]
    for what, title in (("mean", "mean effect"), ("rmse", "effects of persons")):
        print(f"\n| error of the {title} | trials | {' | '.join(names)} |")
        print("|---|--:|" + "--:|" * len(names))
        for cell, found in rows.groupby("cell", sort=True):
            cells = [f"{found[f'{what}: {name}'].mean():.2f}" for name in names]
            print(f"| {cell} | {len(found)} | {' | '.join(cells)} |")
        for kind, cells_of in (("nothing differs", FLAT), ("one odds ratio", ONE_ODDS_RATIO)):
            found = rows[rows["cell"].isin(cells_of)]
            cells = []
            for name in names:
                by_cell = found.groupby("cell")[f"{what}: {name}"]
                error = np.sqrt((by_cell.sem() ** 2).sum()) / by_cell.ngroups
                cells.append(f"{by_cell.mean().mean():.2f} ({error:.2f})")
            print(f"| {kind} | {len(found)} | {' | '.join(cells)} |")
    print(f"\nStandard error of the average effect, mean over all: {rows['se'].mean():.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=25)
    parser.add_argument("--store", type=Path, help="file of rows that are kept for another run")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = kept_rows(one_trial, (*FLAT, *ONE_ODDS_RATIO), range(given.draws), given.store)
    report(pd.DataFrame(rows))


if __name__ == "__main__":
    main()
