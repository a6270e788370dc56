"""Coverage of the model-robust average effects over simulated trials, with Monte Carlo errors.

Individual- and cluster-average effect, with and without informative cluster size (slope .5 of
outcome and effect on the log of the size, CV .8), on the scenario "crt" and on the second
generator. The targets are those of the superpopulation of clusters.

Usage: python benchmarks/average_effect_coverage.py --trials 400
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import pandas as pd

from second_generator import SecondGenerator
from tauhat.inference import average_effects
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import scenario

INFORMATIVE = {"size_cv": 0.8, "prognosis_log_size": 0.5, "effect_log_size": 0.5}
CLUSTERS = (8, 16, 20, 32)


def designs() -> dict[str, object]:
    """Generators by name."""
    return {
        "crt": scenario("crt", effect="nonlinear"),
        "crt, informative size": scenario("crt", effect="nonlinear", **INFORMATIVE),
        "second, informative size": SecondGenerator(effect="skewed", effect_log_size=0.5),
    }


def targets(design) -> tuple[float, float]:
    """Individual- and cluster-average effect over very many clusters."""
    trial = replace(design, n_clusters=20_000).draw(None, 1)
    effect = pd.Series(trial.tau).groupby(np.asarray(trial.clusters)).mean()
    return float(trial.tau.mean()), float(effect.mean())


def coverage(design, clusters: int, trials: int, aims: tuple[float, float]) -> list[dict]:
    """Bias, standard errors and coverage of both averages over simulated trials."""
    start = time.process_time()
    estimates = []
    for number in range(trials):
        seed = derive_seed(20261126, "average", clusters, number)
        found = average_effects(replace(design, n_clusters=clusters).draw(None, seed))
        estimates.append((found.individual, found.cluster))
    rows = []
    for which, (name, aim) in enumerate(zip(("individual", "cluster"), aims, strict=True)):
        own = [pair[which] for pair in estimates]
        covered = np.mean([e.lower <= aim <= e.upper for e in own])
        rows.append(
            {
                "clusters": clusters,
                "average": name,
                "bias": np.mean([e.estimate for e in own]) - aim,
                "sd": np.std([e.estimate for e in own]),
                "mean se": np.mean([e.se for e in own]),
                "coverage": covered,
                "coverage se": np.sqrt(max(covered * (1 - covered), 0.05 * 0.2) / trials),
                "seconds": (time.process_time() - start) / trials,
            }
        )
    return rows


def coverage_table(trials: int, clusters: tuple[int, ...] = CLUSTERS) -> pd.DataFrame:
    """All cells, one row each."""
    rows = []
    for name, design in designs().items():
        aims = targets(design)
        for m in clusters:
            rows += [{"design": name} | row for row in coverage(design, m, trials, aims)]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--clusters", type=int, nargs="+", default=list(CLUSTERS))
    options = parser.parse_args()
    print(coverage_table(options.trials, tuple(options.clusters)).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
