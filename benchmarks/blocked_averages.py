"""Average effects of trials randomized in blocks: error, stated error and coverage.

Persons, or clusters of 15 persons, are randomized within blocks of two, three, four or twelve
that share a level; the true effect is .5 for everyone.

Usage: python benchmarks/blocked_averages.py --trials 400
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tauhat as th
from tauhat.numerics.seeds import derive_seed

EFFECT = 0.5
# Number of blocks, their size, standard deviation of their levels.
PERSONS = [(50, 2, 1.0), (60, 2, 0.0), (25, 4, 1.0), (10, 12, 1.0)]
CLUSTERS = [(20, 2, 0.8), (20, 2, 0.0), (13, 3, 0.8), (4, 10, 0.8)]


def draw(blocks: int, size: int, level: float, persons: int, seed: int) -> th.Trial:
    """A trial of units with so many persons, randomized within blocks."""
    rng = np.random.default_rng(seed)
    # Of an odd number one more is treated in every other block.
    dealt = [np.arange(size) + (size % 2) * (block % 2) for block in range(blocks)]
    arm = np.concatenate([rng.permutation(own % 2) for own in dealt])
    block = np.repeat(np.arange(blocks), size)
    of_unit = level * rng.normal(size=blocks)[block]
    if persons > 1:
        of_unit = of_unit + 0.3 * rng.normal(size=len(block))
    unit = np.repeat(np.arange(len(block)), persons)
    x = 0.5 * rng.normal(size=blocks)[block[unit]] + rng.normal(size=len(unit))
    y = of_unit[unit] + 0.5 * x + EFFECT * arm[unit] + rng.normal(size=len(unit))
    frame = pd.DataFrame({"y": y, "arm": arm[unit], "block": block[unit], "x": x, "unit": unit})
    cluster = {"cluster": "unit"} if persons > 1 else {}
    return th.Trial(frame, outcome="y", treatment="arm", block="block", covariates=["x"], **cluster)


def one_design(blocks: int, size: int, level: float, persons: int, trials: int) -> dict:
    """Errors and coverage over simulated trials."""
    key = derive_seed(20261127, "blocks", blocks, size, str(level), persons)
    found = [
        th.average_effects(draw(blocks, size, level, persons, derive_seed(key, k))).individual
        for k in range(trials)
    ]
    covered = np.mean([one.lower <= EFFECT <= one.upper for one in found])
    return {
        "randomized": "clusters" if persons > 1 else "persons",
        "blocks": f"{blocks} of {size}",
        "SD of their level": level,
        "SD of estimate": np.std([one.estimate for one in found], ddof=1),
        "mean SE": np.mean([one.se for one in found]),
        "coverage": covered,
        "coverage se": np.sqrt(covered * (1 - covered) / trials),
    }


def main() -> None:
    """Print a row for every design."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    options = parser.parse_args()
    with threadpool_limits(limits=1):
        rows = [one_design(*design, 1, options.trials) for design in PERSONS]
        rows += [one_design(*design, 15, options.trials) for design in CLUSTERS]
    print(pd.DataFrame(rows).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
