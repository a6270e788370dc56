"""Coverage of average effects of an event on three scales, with Monte Carlo errors.

Risk difference, risk ratio and odds ratio of the average risks, individual-average and
cluster-average, where events are rare and clusters few. The targets are those of very many new
clusters, or persons.

Usage: python benchmarks/binary_averages.py --trials 300
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import pandas as pd

from tauhat.endpoint import SCALES
from tauhat.inference import average_effects
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import scenario

LEVEL, PERSONS = 0.95, 500


def designs() -> dict[str, object]:
    """Generators by name."""
    made = {}
    for base in (0.05, 0.1, 0.3):
        for effect in ("null", "odds-ratio"):
            made[f"20 clusters, base {base:g}, {effect}"] = scenario(
                "crt-binary", n_clusters=20, mean_size=30, base_risk=base, effect=effect, icc=0.05
            )
    made["20 clusters, base 0.05, a quarter treated"] = scenario(
        "crt-binary", n_clusters=20, mean_size=30, base_risk=0.05, icc=0.05, share_treated=0.25
    )
    for base in (0.05, 0.3):
        made[f"{PERSONS} persons, base {base:g}, odds-ratio"] = scenario(
            "binary", base_risk=base, effect="odds-ratio"
        )
    return made


def targets(design) -> list[np.ndarray]:
    """Average risks over very many persons, and clusters, without and with treatment."""
    if design.n_clusters is None:
        trial = design.draw(400_000, 1)
        risks = np.column_stack([trial.mu0, trial.mu0 + trial.tau])
        return [risks.mean(axis=0)]
    trial = replace(design, n_clusters=20_000).draw(None, 1)
    risks = pd.DataFrame({0: trial.mu0, 1: trial.mu0 + trial.tau})
    of_clusters = risks.groupby(np.asarray(trial.clusters)).mean()
    return [risks.mean().to_numpy(), of_clusters.mean().to_numpy()]


def coverage(name: str, design, trials: int) -> list[dict]:
    """Bias, coverage and width of each average on each scale."""
    aims, start = targets(design), time.process_time()
    size = PERSONS if design.n_clusters is None else None
    found = [
        average_effects(design.draw(size, derive_seed(20261128, name, number)), level=LEVEL)
        for number in range(trials)
    ]
    seconds = (time.process_time() - start) / trials
    rows = []
    for scale in SCALES:
        for which, aim in zip(("individual", "cluster"), aims, strict=False):
            target = float(SCALES[scale].of(aim))
            told = [one.on(scale)[which == "cluster"] for one in found]
            own = [one for one in told if one is not None]
            ends = np.array([(one.lower, one.upper, one.estimate) for one in own])
            if SCALES[scale].is_log:
                ends, target = np.log(ends), np.log(target)
            covered = np.mean((ends[:, 0] <= target) & (target <= ends[:, 1]))
            rows.append(
                {
                    "design": name,
                    "scale": scale,
                    "average": which,
                    "coverage": covered,
                    "se": np.sqrt(covered * (1 - covered) / len(own)),
                    "bias": ends[:, 2].mean() - target,
                    "width": np.median(ends[:, 1] - ends[:, 0]),
                    "told": len(own) / trials,
                    "seconds": seconds,
                }
            )
    return rows


def main() -> None:
    """Print one table; ratios in logs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--designs", default="", help="part of the name of the designs to run")
    chosen = parser.parse_args()
    pd.set_option("display.width", 200, "display.max_columns", 20, "display.max_rows", 200)
    for name, design in designs().items():
        if chosen.designs in name:
            table = pd.DataFrame(coverage(name, design, chosen.trials))
            print(table.round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
