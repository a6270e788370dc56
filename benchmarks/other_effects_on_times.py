"""Effects on times that `PEM` does not allow for: what `Robust` loses where that is wrong.

Log hazard ratios that go with a product of two covariates, that are largest in the middle of one,
and that go a little with each of five; 750 persons or 50 clusters, 30% censored before the
horizon. Error of persons' effects over their standard deviation, mean over the draws with its Monte
Carlo error, and the geometric mean ratio to the error of `LMM`.

    python benchmarks/other_effects_on_times.py --draws 10 --seed 47 --store rows.jsonl
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tauhat as th
from kept_rows import kept_rows
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import SurvivalTrial, survival_scenario
from time_to_event import trial_data

LEARNERS = ("LMM", "PEM", "GAMM", "Robust")
EFFECTS = {
    "product": lambda X: -0.4 + 0.6 * X["x3"] * X["x4"],
    "middle": lambda X: 0.2 - 1.2 * np.exp(-(X["x3"] ** 2)),
    "a little each": lambda X: -0.4 + 0.2 * (X["x1"] - X["x2"] + X["x3"] - X["x4"] + X["x5"]),
}
CELLS = {
    f"{effect}, {units}": ({"effect": effect, "n_clusters": clusters, "censored": 0.3}, n)
    for effect in EFFECTS
    for units, clusters, n in (("persons", None, 750), ("clusters", 50, None))
}


def all_along(
    log_ratio: Callable[[pd.DataFrame], pd.Series], X: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Log hazard ratio early and late, the same."""
    values = log_ratio(X).to_numpy(dtype=np.float64)
    return values, values


def one_trial(seed: int, cell: str, number: int) -> dict[str, Any]:
    """Errors of the learners in one trial."""
    settings, n = CELLS[cell]
    source = SurvivalTrial(**settings)
    people = source.population(800, derive_seed(seed, cell, "people"))
    data = trial_data(source.draw(n, derive_seed(seed, cell, number)), "arm")
    row: dict[str, Any] = {"cell": cell, "number": number}
    for name in LEARNERS:
        effect = th.estimator(name, random_state=1).fit_data(data).effect(people.X)
        row[name] = float(np.sqrt(np.mean((effect - people.tau) ** 2)) / people.tau.std())
    return row


def report(rows: pd.DataFrame) -> None:
    """Print errors by cell, and ratios to `LMM`."""
    print(f"| cell | {' | '.join(LEARNERS)} |")
    print("|:--|" + "--:|" * len(LEARNERS))
    for cell, own in rows.groupby("cell", sort=False):
        told = [f"{own[name].mean():.2f} ({own[name].sem():.2f})" for name in LEARNERS]
        print(f"| {cell} | {' | '.join(told)} |")
    logs = np.log(rows[list(LEARNERS)].div(rows["LMM"], axis=0))
    told = [f"{np.exp(logs[name].mean()):.3f} ({logs[name].sem():.3f})" for name in LEARNERS]
    print(f"| ratio to LMM | {' | '.join(told)} |")


def main() -> None:
    """Run the trials that are not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seed", type=int, default=47)
    parser.add_argument("--store", type=Path, help="file of rows that are kept for another run")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    # The scenario has no such effects: studies of it need none of them.
    survival_scenario.EFFECTS.update({name: partial(all_along, g) for name, g in EFFECTS.items()})
    one = partial(one_trial, chosen.seed)
    report(pd.DataFrame(kept_rows(one, list(CELLS), range(chosen.draws), chosen.store)))


if __name__ == "__main__":
    main()
