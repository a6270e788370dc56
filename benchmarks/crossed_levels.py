"""Pupils of schools and of areas, which cross: averages, the test and effects, areas named or not.

Schools are randomized, of 15 to 35 pupils each, who live in one of six areas near the school; there
are as many areas as schools. The effect depends on a covariate of the pupil and one of the area;
of the outcome's variance without covariates .07 lies between schools and .21 between areas.

    python benchmarks/crossed_levels.py averages --trials 200
    python benchmarks/crossed_levels.py effects --trials 20
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
import pandas as pd

import tauhat as th
from three_levels import shown

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


def averages(m: int, trials: int) -> str:
    """Coverage of both averages, and size of the primary test at .05."""
    hits = []
    for seed in range(trials):
        null = th.Trial(draw(m, seed, (0.0, 0.0)), crossed="area", **ROLES)
        test = th.test_heterogeneity(null, random_state=seed, n_permutations=199)
        found = th.average_effects(th.Trial(draw(m, seed), crossed="area", **ROLES))
        both = (found.individual, found.cluster)
        hits.append([*(e.lower <= 0.4 <= e.upper for e in both), test.p_value <= 0.05])
    return f"| {m} | {' | '.join(shown(one, trials) for one in np.mean(hits, axis=0))} |"


def effects(m: int, trials: int) -> list[str]:
    """Coverage and width of intervals, and error of effects over their spread, by `LMM`."""
    told: dict[str, dict[str, Any]] = {"school, area": {"crossed": "area"}, "school": {}}
    rows: dict[str, list[list[float]]] = {name: [] for name in told}
    for seed in range(trials):
        df = draw(m, seed)
        for name, given in told.items():
            trial = th.Trial(df, **given, **ROLES)
            model = trial.fit("LMM", random_state=seed)
            low, high = model.effect_interval(trial.X)
            error = np.sqrt(np.mean((model.effect(trial.X) - df.effect) ** 2)) / df.effect.std()
            covered = np.mean((low <= df.effect) & (df.effect <= high))
            rows[name].append([covered, float((high - low).mean()), error])
    lines = []
    for name, values in rows.items():
        se = np.std(values, axis=0, ddof=1) / np.sqrt(trials)
        cells = " | ".join(
            f"{a:.3f} ({b:.3f})" for a, b in zip(np.mean(values, axis=0), se, strict=True)
        )
        lines.append(f"| {m} | {name} | {cells} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["averages", "effects"])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--clusters", type=int, nargs="+", default=[12, 20, 40])
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for m in given.clusters:
        if given.what == "averages":
            print(averages(m, given.trials), flush=True)
        else:
            print("\n".join(effects(m, given.trials)), flush=True)


if __name__ == "__main__":
    main()
