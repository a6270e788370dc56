"""What it is worth to a learner to know the blocks: error, coverage and width with and without.

Blocks differ by a level of given standard deviation, the residual's being 1; half of each block
is treated. The effect has a line and a step; two covariates act on the outcome, one in a curve.

Usage: python benchmarks/block_intercepts.py --trials 10
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tauhat as th
from tauhat._typing import FloatArray, IntArray
from tauhat.errors import TauhatWarning
from tauhat.numerics.seeds import derive_seed

PERSONS = ["LMM", "GAMM", "BRM", "T-Linear", "X-RF", "BCF"]
CLUSTERS = ["LMM", "GAMM", "BRM", "BCF-RE", "Additive-Boosting", "X-GAMM-RF"]
N_TEST = 1000


@dataclass(frozen=True)
class Design:
    """Units, persons in each, units a block, spread of the blocks' and of the clusters' levels."""

    units: int
    persons: int
    a_block: int
    of_blocks: float
    of_clusters: float = 0.0


DESIGNS = {
    "10 sites of 25 persons": Design(250, 1, 25, 1.0),
    "25 sites of 10 persons": Design(250, 1, 10, 0.7),
    "100 pairs of persons": Design(200, 1, 2, 1.0),
    "25 sites without levels": Design(250, 1, 10, 0.0),
    "10 pairs of clusters": Design(20, 25, 2, 0.5, 0.2),
    "3 strata of 8 clusters": Design(24, 25, 8, 0.5, 0.2),
    "10 pairs without levels": Design(20, 25, 2, 0.0, 0.3),
}


def effect_at(X: FloatArray) -> FloatArray:
    """Line in the first covariate, step in the second."""
    effect: FloatArray = 0.4 + 0.4 * X[:, 0] + 0.5 * (X[:, 1] > 0.5)
    return effect


def draw(
    design: Design, seed: int
) -> tuple[FloatArray, FloatArray, IntArray, IntArray | None, IntArray]:
    """Covariates, outcome, arm, clusters and blocks; the last covariate is of the unit."""
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(design.units // design.a_block), design.a_block)
    arm = np.concatenate(
        [rng.permutation(np.arange(design.a_block) % 2) for _ in range(block.max() + 1)]
    )
    unit = np.repeat(np.arange(design.units), design.persons)
    X = rng.normal(size=(len(unit), 5))
    X[:, 4] = rng.normal(size=design.units)[unit]
    level = design.of_blocks * rng.normal(size=block.max() + 1)[block]
    level = level + design.of_clusters * rng.normal(size=design.units)
    y = level[unit] + 0.5 * X[:, 0] + 0.5 * X[:, 2] ** 2 + rng.normal(size=len(unit))
    y = y + arm[unit] * effect_at(X)
    return X, y, arm[unit], unit if design.persons > 1 else None, block[unit]


def one_trial(name: str, k: int, models: list[str]) -> list[dict[str, object]]:
    """Error, coverage and width of each model, with the blocks and without."""
    design = DESIGNS[name]
    seed = derive_seed(20261129, "block levels", name, k)
    X, y, arm, clusters, blocks = draw(design, seed)
    new = np.random.default_rng(derive_seed(seed, "test")).normal(size=(N_TEST, 5))
    truth = effect_at(new)
    rows: list[dict[str, object]] = []
    for told, given in (("not told", None), ("told", blocks)):
        reference = None
        for model in models or (PERSONS if clusters is None else CLUSTERS):
            fitted = th.estimator(model, random_state=1)
            fitted.fit(X, y, treatment=arm, clusters=clusters, blocks=given)
            if reference is not None:
                # One posterior serves every model: it depends on the trial and the seed only.
                fitted.reference_posterior_ = reference
            low, high = fitted.effect_interval(new)
            reference = getattr(fitted, "reference_posterior_", reference)
            off = fitted.effect(new) - truth
            rows.append(
                {
                    "design": name,
                    "model": model,
                    "blocks": told,
                    "RMSE": np.sqrt(np.mean(off**2)),
                    "coverage": np.mean((low <= truth) & (truth <= high)),
                    "width": np.mean(high - low),
                }
            )
    return rows


def main() -> None:
    """Print one row per design and model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--designs", nargs="+", choices=list(DESIGNS), default=list(DESIGNS))
    parser.add_argument("--models", nargs="+", default=[])
    options = parser.parse_args()
    rows = []
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", TauhatWarning)
        for name in options.designs:
            for k in range(options.trials):
                rows += one_trial(name, k, options.models)
    cells = pd.DataFrame(rows).groupby(["design", "model", "blocks"], sort=False)
    table = cells.mean().unstack("blocks")
    table["RMSE", "ratio"] = table["RMSE"]["told"] / table["RMSE"]["not told"]
    print(table.round(3).to_string())
    print("Monte Carlo error of coverage, at most:", cells.coverage.sem().max().round(3))


if __name__ == "__main__":
    main()
