"""How far effects on a time are off where nobody's differs, beside one who knows that it does not.

Cells I1 and C1 of `time_to_event.py`, the same draws as its tables of a seed. Somebody who knows
that nothing differs gives everyone the average effect (`average_effects`); what learners have
above that is invented variation. Outcomes: "oracle", the time cut at the horizon of everybody;
"arm", made of the censored times as trials do; "pseudo", pseudo-observations by arm. Printed is the
root mean squared error of the effects on 800 new persons, in units of time, mean over the draws
with its Monte Carlo error; that of their mean; its ratio to the error of `LMM` on "arm"; and how
much the mean of eight draws varies.

    python benchmarks/flat_times.py --draws 100 --seed 46 --store rows.jsonl
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tauhat as th
from kept_rows import kept_rows
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import SurvivalTrial
from time_to_event import CELLS, followed_to_the_horizon, known, trial_data

FLAT = ("I1", "C1")
AVERAGE = "average for everyone"
LEARNERS = ("LMM", "PEM")
FIRST = "LMM|arm"


def one_trial(seed: int, cell: str, number: int) -> dict[str, Any]:
    """Errors of every estimate from every outcome."""
    settings, n = CELLS[cell]
    source = SurvivalTrial(**settings)
    people = source.population(800, derive_seed(seed, cell, "people"))
    trial = source.draw(n, derive_seed(seed, cell, number))
    made = trial_data(trial, "arm")
    pseudo = np.empty(trial.n)
    pseudo[made.rows] = made.with_outcome_made_anew(slopes="none").y
    outcomes = {
        "oracle": followed_to_the_horizon(trial),
        "arm": made,
        "pseudo": known(trial, pseudo),
    }
    row: dict[str, Any] = {"cell": cell, "number": number}
    for outcome, data in outcomes.items():
        # PEM takes the times, whatever is made of them.
        for name in LEARNERS if outcome != "pseudo" else LEARNERS[:1]:
            effect = th.estimator(name, random_state=1).fit_data(data).effect(people.X)
            row[f"{name}|{outcome}"] = float(np.sqrt(np.mean((effect - people.tau) ** 2)))
            row[f"{name}|{outcome}|mean"] = abs(float(np.mean(effect - people.tau)))
        average = th.average_effects(data).individual.estimate
        row[f"{AVERAGE}|{outcome}"] = row[f"{AVERAGE}|{outcome}|mean"] = abs(float(average))
    return row


def report(rows: pd.DataFrame, draws: int) -> None:
    """Print errors by cell, of the effects and of their mean."""
    rows = rows[rows.number < draws]
    order = [*LEARNERS, AVERAGE]
    keys = [key for key in rows.columns if key.count("|") == 1]
    print(f"\n{draws} draws a cell")
    columns = [f"{cell}: error | of the mean | to LMM | SD of 8" for cell in FLAT]
    print(f"| estimate | outcome | {' | '.join(columns)} |")
    print("|:--|:--|" + "--:|" * 4 * len(FLAT))
    for key in sorted(keys, key=lambda key: order.index(key.split("|")[0])):
        cells = []
        for cell in FLAT:
            own = rows[rows.cell == cell]
            error, first = own[key], own[FIRST]
            ratio = error.mean() / first.mean()
            spread = (error - ratio * first).sem() / first.mean()
            cells += [
                f"{error.mean():.2f} ({error.sem():.2f})",
                f"{own[key + '|mean'].mean():.2f}",
                f"{ratio:.2f} ({spread:.2f})",
                f"{error.std() / np.sqrt(8):.2f}",
            ]
        print(f"| {' | '.join([*key.split('|'), *cells])} |")


def main() -> None:
    """Run the trials that are not there yet, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=46)
    parser.add_argument("--store", type=Path, help="file of rows that are kept for another run")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    one = partial(one_trial, chosen.seed)
    rows = pd.DataFrame(kept_rows(one, FLAT, range(chosen.draws), chosen.store))
    for draws in sorted({min(20, chosen.draws), chosen.draws}):
        report(rows, draws)


if __name__ == "__main__":
    main()
