"""What shorter chains of the causal forest do to `Robust` of an event.

On the cells of `binary_outcomes.py`: the root mean squared error of the persons' effects by the
plain mean of `Robust`'s members, as ratio to the mean whose forest has four chains of 50 + 50, by
how many chains there are, how long they are, and without the forest (geometric mean over trials,
Monte Carlo error). All are parts of one run of four chains from six greedy iterations. Then the
share of trials in which R-hat of the average effect is above 1.1.

    python benchmarks/event_forest.py --draws 2 --first 5000 --store rows.jsonl
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from binary_outcomes import CELLS, FLAT
from kept_rows import kept_rows
from tauhat.data import validate_trial
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.learners.catalog import ensemble_member
from tauhat.learners.chains import convergence_table
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import BinaryTrial

OTHERS = ("GAMM", "LMM", "Risk", "GAMM-identity")
LONGEST, N_CHAINS, N_GROW = 100, 4, 6
# Chains, iterations thrown away and kept.
USUAL = (4, 50, 50)
SETTINGS = ((2, 50, 50), (2, 25, 75), (3, 25, 50), (4, 25, 40), (4, 10, 30))
WITHOUT = "no forest"


def member(name: str, **settings: Any) -> CateEstimator:
    """Member of `Robust` with some settings."""
    model = ensemble_member(name)
    model.set_params(random_state=1, **settings)
    return model


def called(settings: tuple[int, int, int]) -> str:
    """Chains in a few characters."""
    return "{} x ({} + {})".format(*settings)


def one_trial(cell: str, number: int) -> dict[str, Any]:
    """Log ratios of errors, and R-hat, by chains."""
    given, n = CELLS[cell]
    trial = BinaryTrial(**given).draw(n, derive_seed(20261130, cell, number))
    arrays = trial.X, trial.y, trial.treatment, trial.clusters
    data, tau = validate_trial(*arrays, endpoint="binary"), np.asarray(trial.tau)
    others = [member(name).fit_data(data).effect(trial.X) for name in OTHERS]
    name = "BCF" if trial.clusters is None else "BCF-RE"
    chains = {"n_chains": N_CHAINS, "n_grow": N_GROW, "n_burn_in": 0, "n_draws": LONGEST}
    forest = member(name, **chains).fit_data(data)
    draws = forest.effect_draws(trial.X).reshape(N_CHAINS, LONGEST, -1)

    def error(*more: np.ndarray) -> float:
        mean = np.mean([*others, *more], axis=0)
        return float(np.log(np.sqrt(np.mean((mean - tau) ** 2))))

    row: dict[str, Any] = {"cell": cell, "number": number, WITHOUT: error()}
    for settings in (USUAL, *SETTINGS):
        n_chains, burn_in, kept = settings
        part = draws[:n_chains, burn_in : burn_in + kept]
        row[called(settings)] = error(part.mean(axis=(0, 1)))
        table = convergence_table({"average": part.mean(axis=-1)})
        row[f"R-hat {called(settings)}"] = float(table.filter(like="hat").iloc[0, 0])
    return row


def report(rows: pd.DataFrame) -> None:
    """Print the ratios by kind of effect, and how often chains disagree, as a Markdown table."""
    kinds = rows["cell"].map({cell: settings["effect"] for cell, (settings, _) in CELLS.items()})
    kinds = kinds.where(~kinds.isin(FLAT), "nothing differs")
    groups = {
        "all that differ": rows[kinds != "nothing differs"],
        **dict(tuple(rows.groupby(kinds))),
    }
    print(f"| chains | {' | '.join(f'{kind} ({len(g)})' for kind, g in groups.items())} | apart |")
    print("|---|" + "--:|" * (len(groups) + 1))
    for name in (*map(called, (USUAL, *SETTINGS)), WITHOUT):
        told = []
        for group in groups.values():
            logs = group[name] - group[called(USUAL)]
            told.append(f"{np.exp(logs.mean()):.3f} ({np.exp(logs.mean()) * logs.sem():.3f})")
        hats = rows.get(f"R-hat {name}")
        apart = "" if hats is None else f"{np.mean(hats > 1.1):.2f}"
        print(f"| {name} | {' | '.join(told)} | {apart} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--first", type=int, default=5000, help="number of the first draw")
    parser.add_argument("--cells", nargs="+", default=list(CELLS))
    parser.add_argument("--store", type=Path, help="file of rows that are kept for another run")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    numbers = range(given.first, given.first + given.draws)
    report(pd.DataFrame(kept_rows(one_trial, given.cells, numbers, given.store)))


if __name__ == "__main__":
    main()
