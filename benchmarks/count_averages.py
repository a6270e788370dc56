"""Coverage of rate differences and rate ratios, with Monte Carlo errors.

Trials of clusters or persons with unequal times at risk, a rate that depends on a covariate, and
counts that are Poisson, overdispersed by person, or overdispersed by cluster too.

Usage: python benchmarks/count_averages.py --trials 300
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from tauhat import Trial, average_effects
from tauhat.numerics.seeds import derive_seed

SLOPE, LOG_RATIO, PERSONS = 0.5, -0.4, 500


def draw(clusters: int | None, rate: float, by_person: float, by_cluster: float, seed: int):
    """One trial as a table; random effects multiply rates and have mean one."""
    rng = np.random.default_rng(seed)
    sizes = np.ones(PERSONS, int) if clusters is None else rng.integers(10, 41, clusters)
    unit = np.repeat(np.arange(len(sizes)), sizes)
    n, m = len(unit), len(sizes)
    arm = rng.permutation(np.arange(m) % 2)[unit]
    age = rng.normal(size=n)
    years = np.where(rng.random(n) < 0.3, rng.uniform(0.1, 1, n), 1.0)
    spread = np.ones(n)
    if by_person:
        spread = rng.gamma(1 / by_person, by_person, n)
    if by_cluster and clusters is not None:
        spread = spread * rng.gamma(1 / by_cluster, by_cluster, m)[unit]
    mean = rate * np.exp(SLOPE * age + LOG_RATIO * arm) * spread
    falls = rng.poisson(mean * years)
    return pd.DataFrame({"unit": unit, "arm": arm, "age": age, "years": years, "falls": falls})


def coverage(clusters: int | None, rate: float, by_person: float, by_cluster: float, trials: int):
    """Share of intervals that hold the truth, and median widths."""
    level = rate * np.exp(SLOPE**2 / 2)
    truth = level * np.expm1(LOG_RATIO), np.exp(LOG_RATIO)
    roles = {"outcome": "falls", "treatment": "arm", "exposure": "years", "covariates": ["age"]}
    if clusters is not None:
        roles["cluster"] = "unit"
    held = []
    for number in range(trials):
        seed = derive_seed(20261129, "counts", clusters or 0, rate, by_person, by_cluster, number)
        df = draw(clusters, rate, by_person, by_cluster, seed)
        found = average_effects(Trial(df, endpoint="count", **roles))
        told = found.on("difference")[0], found.on("ratio")[0]
        held.append([one.lower <= aim <= one.upper for one, aim in zip(told, truth, strict=True)])
    share = np.mean(held, axis=0)
    return {
        "units": f"{PERSONS} persons" if clusters is None else f"{clusters} clusters",
        "rate": rate,
        "overdispersion (person, cluster)": f"{by_person:g}, {by_cluster:g}",
        "difference": share[0],
        "ratio": share[1],
    }


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=300)
    trials = parser.parse_args().trials
    cells = [
        (clusters, rate, by_person, 0.1 if by_person else 0.0)
        for clusters in (12, 24, None)
        for rate in (0.3, 2.0)
        for by_person in (0.0, 1.0)
    ]
    table = pd.DataFrame([coverage(*cell, trials) for cell in cells])
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
