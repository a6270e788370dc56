"""Mean effect of each learner where blocks differ in their share of treated and in their level.

Twelve blocks, in turn a quarter and three quarters treated; the latter lie 2 higher. The effect is
.5 + .3 x, the difference of the arms' means 1.5. In cluster trials eight clusters of 15 a block.

Usage: python benchmarks/unequal_allocation.py --trials 10
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tauhat as th
from tauhat.numerics.seeds import derive_seed

EFFECT = 0.5
SHARES = np.tile([0.25, 0.75], 6)
PERSONS = ["LMM", "GAMM", "BRM", "T-Linear", "S-BART", "X-BART", "X-RF", "DR-RF", "BCF"]
CLUSTERS = [
    "LMM", "GAMM", "BRM", "BART-RE", "BCF-RE", "MERF", "GPBoost", "Effect-Boosting",
    "Additive-Boosting", "X-GAMM-RF", "CF-DML-linear",
]  # fmt: skip


def draw(units: int, persons: int, seed: int) -> th.Trial:
    """A trial with so many units a block and persons a unit."""
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(12), units)
    arm = np.concatenate([rng.permutation(np.arange(units) < units * p) for p in SHARES])
    level = 4 * (SHARES - 0.5)[block]
    if persons > 1:
        level = level + 0.3 * rng.normal(size=len(block))
    unit = np.repeat(np.arange(len(block)), persons)
    x, other = rng.normal(size=(2, len(unit)))
    y = level[unit] + 0.5 * x + arm[unit] * (EFFECT + 0.3 * x) + rng.normal(size=len(unit))
    frame = pd.DataFrame(
        {"y": y, "arm": arm[unit].astype(int), "block": block[unit], "x": x, "z": other}
    ).assign(unit=unit)
    cluster = {"cluster": "unit"} if persons > 1 else {}
    return th.Trial(
        frame, outcome="y", treatment="arm", block="block", covariates=["x", "z"], **cluster
    )


def errors(names: list[str], units: int, persons: int, trials: int) -> pd.DataFrame:
    """Mean error of the mean effect, of the model-robust average and of every learner."""
    found = []
    for k in range(trials):
        trial = draw(units, persons, derive_seed(20261128, "allocation", persons, k))
        row = {"model-robust average": th.average_effects(trial).individual.estimate}
        for name in names:
            fitted = th.estimator(name, random_state=1).fit(*trial)
            row[name] = float(np.mean(fitted.effect(trial.X)))
        found.append(row)
    off = pd.DataFrame(found) - EFFECT
    return pd.DataFrame({"bias": off.mean(), "se": off.sem(), "RMSE": np.sqrt((off**2).mean())})


def main() -> None:
    """Print a table for persons and one for clusters."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10)
    options = parser.parse_args()
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print("240 persons randomized\n", errors(PERSONS, 20, 1, options.trials).round(3))
        print("96 clusters randomized\n", errors(CLUSTERS, 8, 15, options.trials).round(3))


if __name__ == "__main__":
    main()
