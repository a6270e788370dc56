"""What an error from a few trials in which nothing differs is worth.

The three designs in which the study that set the aims for events had no effect that differs: no
effect in 20 clusters of 25 persons on average and for 300 persons, the same risk difference in 50
clusters. Root mean squared error of the persons' effects, in percentage points, by `LMM` with 0 and
1 taken as numbers, by the average effect for everyone, and by the members of `Robust` but for its
forest; and how often eight trials a design, drawn from these, give `LMM` on 0/1 no more than the
3.16 points that it had in that study.

    python benchmarks/flat_effects.py --draws 100 --store rows.jsonl
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tauhat as th
from binary_outcomes import as_numbers, robust
from kept_rows import kept_rows
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import BinaryTrial

TWENTY = {"n_clusters": 20, "mean_size": 25.0, "effect": "null", "icc": 0.10}
FIFTY = {"n_clusters": 50, "mean_size": 25.0, "effect": "risk-difference", "icc": 0.03}
DESIGNS: dict[str, tuple[dict, int | None]] = {
    "20 clusters": (TWENTY, None),
    "50 clusters": (FIFTY, None),
    "300 persons": ({"n_clusters": None, "effect": "null"}, 300),
}
NUMBERS, AVERAGE, MEAN = "LMM on 0/1", "average for everyone", "Robust without its forest"
# Trials a design of that study, its error of LMM on 0/1, and sets of trials that are drawn.
FEW, ITS_ERROR, SETS = 8, 3.16, 20_000


def one_trial(cell: str, number: int) -> dict[str, Any]:
    """Errors in one trial, in percentage points."""
    settings, n = DESIGNS[cell]
    seed = derive_seed(20261130, "flat", cell, number)
    trial = BinaryTrial(**settings, base_risk=0.3).draw(n, seed)
    effects = {
        NUMBERS: as_numbers(th.estimator("LMM", random_state=1), trial).effect(trial.X),
        AVERAGE: np.full(len(trial.tau), th.average_effects(trial).individual.estimate),
        MEAN: robust(trial.clusters is not None, trees=False).fit(*trial).effect(trial.X),
    }
    errors = {
        name: 100 * float(np.sqrt(np.mean((effect - trial.tau) ** 2)))
        for name, effect in effects.items()
    }
    return {"cell": cell, "number": number, **errors}


def report(rows: pd.DataFrame) -> None:
    """Print the errors by design and over all as a Markdown table, and how lucky a few may be."""
    names = [NUMBERS, AVERAGE, MEAN]
    print(f"| error, points | trials | {' | '.join(names)} |")
    print("|---|--:|" + "--:|" * len(names))
    by_design = rows.groupby("cell", sort=False)[names]
    for design, found in by_design:
        told = [f"{found[name].mean():.2f} ({found[name].sem():.2f})" for name in names]
        print(f"| {design} | {len(found)} | {' | '.join(told)} |")
    mean = by_design.mean().mean()
    error = np.sqrt((by_design.sem() ** 2).sum()) / by_design.ngroups
    told = [f"{mean[name]:.2f} ({error[name]:.2f})" for name in names]
    print(f"| all | {len(rows)} | {' | '.join(told)} |")
    rng = np.random.default_rng(1)
    drawn = np.mean(
        [rng.choice(found[NUMBERS], (SETS, FEW)).mean(axis=1) for _, found in by_design], axis=0
    )
    share = np.mean(drawn <= ITS_ERROR)
    print(f"\n{FEW} trials a design have {ITS_ERROR} points or less with probability {share:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--store", type=Path, help="file of rows that are kept for another run")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    report(pd.DataFrame(kept_rows(one_trial, list(DESIGNS), range(given.draws), given.store)))


if __name__ == "__main__":
    main()
