"""Coverage and width of ``effect_interval`` over simulated trials, with Monte Carlo errors.

Usage: python benchmarks/interval_coverage.py --draws 6 --models LMM GAMM
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import tauhat as th
from second_generator import SecondGenerator
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import scenario

CLUSTER = ["c1", "c2", "c3", "c4", "c5", "c6"]
SECOND = ["second-m20", "second-m50"]
INDIVIDUAL = [
    "linear", "slightly-nonlinear", "slightly-nonlinear-p20", "highly-nonlinear", "pd-l1",
]  # fmt: skip
PERSONS = 250


def design_of(name: str):
    """Scenario of a row and its number of persons (None: its own)."""
    if name.startswith("second-m"):
        clusters = int(name.removeprefix("second-m"))
        return SecondGenerator(effect="skewed", n_clusters=clusters), None
    if name in CLUSTER:
        return scenario(name), None
    if name.endswith("-p20"):
        return scenario(name.removesuffix("-p20"), p=20), PERSONS
    return scenario(name), PERSONS


def one_trial(name: str, replicate: int, models: list[str], persons: int) -> list[dict]:
    """Coverage, width and error of each model in one simulated trial."""
    design, n = design_of(name)
    seed = derive_seed(20261121, name, replicate)
    trial = design.draw(n, seed)
    test = design.population(persons, derive_seed(seed, "test"))
    rows = []
    reference = None
    for model in models:
        start = time.process_time()
        fitted = th.estimator(model, random_state=1).fit(*trial)
        if reference is not None:
            # One posterior serves every model: it depends on the trial and the seed only.
            fitted.reference_posterior_ = reference
        low, high = fitted.effect_interval(test.X)
        reference = getattr(fitted, "reference_posterior_", reference)
        effect = fitted.effect(test.X)
        tau = np.asarray(test.tau)
        rows.append(
            {
                "scenario": name,
                "model": model,
                "coverage": np.mean((low <= tau) & (tau <= high)),
                "width": np.mean(high - low),
                "rmse": np.sqrt(np.mean((effect - tau) ** 2)),
                "seconds": time.process_time() - start,
            }
        )
    return rows


def coverage_table(
    names: list[str], models: list[str], draws: int, persons: int = 1000, first: int = 0
) -> pd.DataFrame:
    """Mean coverage with its Monte Carlo error, width, error and CPU seconds, a row per cell."""
    rows = []
    for name in names:
        for replicate in range(first, first + draws):
            rows += one_trial(name, replicate, models, persons)
    grouped = pd.DataFrame(rows).groupby(["scenario", "model"], sort=False)
    summary = grouped.mean(numeric_only=True)
    summary.insert(1, "coverage se", grouped.coverage.sem())
    summary.insert(3, "width se", grouped.width.sem())
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--persons", type=int, default=1000)
    parser.add_argument("--models", nargs="+", default=["LMM", "GAMM", "BRM"])
    parser.add_argument("--scenarios", nargs="+", default=CLUSTER + SECOND + INDIVIDUAL)
    options = parser.parse_args()
    print(f"Nominal 95%, {options.draws} trials a scenario, {options.persons} new persons each")
    for name in options.scenarios:
        table = coverage_table(
            [name], options.models, options.draws, options.persons, options.first
        )
        print(table.round(3).to_string(header=name == options.scenarios[0]), flush=True)


if __name__ == "__main__":
    main()
