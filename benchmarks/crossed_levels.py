"""Pupils of schools and of areas, which cross: averages, the test and effects, areas named or not.

Schools are randomized, of 15 to 35 pupils each, who live in one of six areas near the school; there
are as many areas as schools. The effect depends on a covariate of the pupil and one of the area;
of the outcome's variance without covariates .07 lies between schools and .21 between areas.

    python benchmarks/crossed_levels.py averages --trials 400
    python benchmarks/crossed_levels.py effects --trials 100
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tauhat as th
from kept_rows import kept_rows

SLOPES = (0.4, 0.3)
ROLES = {"outcome": "y", "treatment": "arm", "cluster": "school", "covariates": ["x1", "x2", "v"]}


def draw(m: int, seed: int, slopes: tuple[float, float] = SLOPES) -> pd.DataFrame:
    """One trial, with the true effects in ``effect``."""
    rng = np.random.default_rng([seed, m])
    school = np.repeat(np.arange(m), rng.integers(15, 36, m))
    n = len(school)
    area = (school + rng.integers(0, 6, n)) % m
    df = pd.DataFrame(
        {"school": school, "area": area, "arm": rng.permutation(np.arange(m) % 2)[school]}
    )
    df["x1"], df["x2"], df["v"] = *rng.normal(size=(2, n)), rng.normal(size=m)[area]
    df["effect"] = 0.4 + slopes[0] * df.x1 + slopes[1] * df.v
    level = np.sqrt(0.1) * rng.normal(size=m)[school] + np.sqrt(0.3) * rng.normal(size=m)[area]
    return df.assign(y=0.5 * df.x1 + 0.3 * df.v + df.arm * df.effect + level + rng.normal(size=n))


def averages(m: int, seed: int) -> dict[str, float]:
    """Whether both averages cover, and whether the primary test rejects where effects are equal."""
    null = th.Trial(draw(m, seed, (0.0, 0.0)), crossed="area", **ROLES)
    test = th.test_heterogeneity(null, random_state=seed, n_permutations=199)
    found = th.average_effects(th.Trial(draw(m, seed), crossed="area", **ROLES))
    covers = {name: getattr(found, name) for name in ("individual", "cluster")}
    row = {f"covers, {name}": est.lower <= 0.4 <= est.upper for name, est in covers.items()}
    return {**row, "rejects": test.p_value <= 0.05}


def effects(m: int, seed: int) -> dict[str, float]:
    """Coverage and width of intervals, and error of effects over their spread, by `LMM`."""
    df = draw(m, seed)
    told: dict[str, dict[str, Any]] = {"school, area": {"crossed": "area"}, "school": {}}
    row = {}
    for name, given in told.items():
        trial = th.Trial(df, **given, **ROLES)
        model = trial.fit("LMM", random_state=seed)
        low, high = model.effect_interval(trial.X)
        row[f"coverage, {name}"] = np.mean((low <= df.effect) & (df.effect <= high))
        row[f"width, {name}"] = np.mean(high - low)
        error = np.sqrt(np.mean((model.effect(trial.X) - df.effect) ** 2))
        row[f"sRMSE, {name}"] = error / df.effect.std()
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["averages", "effects"])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--clusters", type=int, nargs="+", default=[12, 20, 40])
    parser.add_argument("--first", type=int, default=0, help="seed of the first trial")
    parser.add_argument("--store", type=Path, help="file of a row a trial, to go on with")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    one = averages if given.what == "averages" else effects
    for m in given.clusters:
        cell, seeds = f"{given.what}, {m} clusters", range(given.first, given.first + given.trials)

        def trial(cell: str, seed: int, m: int = m) -> dict[str, Any]:
            found = {name: float(value) for name, value in one(m, seed).items()}
            return {"cell": cell, "number": seed, **found}

        kept = kept_rows(trial, [cell], seeds, given.store)
        found = [row for row in kept if row["cell"] == cell and row["number"] in seeds]
        rows = pd.DataFrame(found).drop(columns=["cell", "number"])
        table = pd.DataFrame({"mean": rows.mean(), "mc_se": rows.sem(), "trials": rows.count()})
        print(f"\n{cell}\n{table.round(3).to_string()}", flush=True)


if __name__ == "__main__":
    main()
