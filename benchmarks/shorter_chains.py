"""What fewer and shorter chains do to the error of learners of cluster trials.

On the six reference cluster designs: the root mean squared error of the effects of 2,000 persons
from new clusters, as ratio to that with longer chains (geometric mean over trials, 95% interval;
by design, Monte Carlo error), and the ratio of the CPU seconds. `BCF-RE` as studies without
intervals have it beside `BCF-RE` for intervals, `Stacked-X` beside one whose cross-fitted members
have their full settings, and `BART-RE` as it would be with chains as short as those of `BCF-RE`.

    python benchmarks/shorter_chains.py --draws 10
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kept_rows import kept_rows
from tauhat.ensembles import StackedX
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.learners.catalog import single_estimator
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import scenario
from tauhat.simulate.metrics import effect_metrics
from tauhat.study import load_plan

DESIGNS = [row.scenario for row in load_plan("cluster-flagship").rows]


@cache
def pairs() -> dict[str, tuple[CateEstimator, CateEstimator]]:
    """Longer and shorter form of each learner."""
    forest, bart = single_estimator("BCF-RE"), single_estimator("BART-RE")
    short = single_estimator("BART-RE", outcome_model=bart.outcome_model.quick())
    return {
        "BCF-RE": (forest, forest.quick()),
        "Stacked-X": (StackedX(quick_folds=False), StackedX()),
        "BART-RE": (bart, short),
    }


def one_trial(learners: Sequence[str], design: str, number: int) -> dict[str, Any]:
    """Log ratios of the errors and of the CPU seconds."""
    seed = derive_seed(20261130, design, number)
    source = scenario(design)
    data = source.draw(None, seed).compared.data
    persons = source.population(2000, seed)
    row: dict[str, Any] = {"cell": design, "number": number}
    for name in learners:
        found = []
        for one in pairs()[name]:
            start = time.process_time()
            effect = one.set_params(random_state=1).fit_data(data).effect(persons.X)
            seconds = time.process_time() - start
            found.append((effect_metrics(effect, persons.tau)["rmse"], seconds))
        row[name], row[f"{name}, CPU"] = np.log(np.array(found[1]) / np.array(found[0])).tolist()
    return row


def told(logs: pd.Series) -> str:
    """Geometric mean of ratios and its Monte Carlo error."""
    return f"{np.exp(logs.mean()):.3f} ({np.exp(logs.mean()) * logs.sem():.3f})"


def report(rows: pd.DataFrame, learners: Sequence[str]) -> None:
    """Print a line a learner as a Markdown table."""
    designs = dict(tuple(rows.groupby("cell", sort=False)))
    names = [f"c{k}" for k in range(1, len(designs) + 1)]
    print(f"| learner | error | 95% interval | {' | '.join(names)} | CPU |")
    print("|---|" + "--:|" * (len(names) + 3))
    for name in learners:
        logs = rows[name]
        half = 1.96 * logs.sem()
        bounds = [float(np.exp(logs.mean() + side * half)) for side in (-1, 1)]
        cells = " | ".join(told(group[name]) for group in designs.values())
        mean = f"{np.exp(logs.mean()):.3f} | {bounds[0]:.3f} to {bounds[1]:.3f}"
        print(f"| `{name}` | {mean} | {cells} | {np.exp(rows[f'{name}, CPU'].mean()):.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--learners", nargs="+", choices=list(pairs()), default=list(pairs()))
    parser.add_argument("--store", type=Path, help="file of rows that are kept for another run")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    one = partial(one_trial, given.learners)
    rows = kept_rows(one, DESIGNS, range(given.draws), given.store)
    report(pd.DataFrame(rows), given.learners)


if __name__ == "__main__":
    main()
