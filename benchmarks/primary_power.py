"""Power of the primary test of heterogeneity: the approximation against simulation.

    python benchmarks/primary_power.py --trials 600

One line per design: power of the interaction test by formula, of the primary test by simulation
(499 permutations) with its Monte Carlo error, by `tauhat.power.primary_power`, and their
difference.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

from tauhat.power import power_by_simulation, power_hte

DESIGNS: list[dict[str, Any]] = [
    {"n_clusters": 12, "cluster_size": 20, "icc": 0.05, "icc_x": 0.1, "delta": 0.45},
    {"n_clusters": 20, "cluster_size": 20, "icc": 0.05, "icc_x": 0.1, "delta": 0.35},
    {"n_clusters": 40, "cluster_size": 20, "icc": 0.1, "icc_x": 0.3, "delta": 0.25},
    {
        "n_clusters": 20, "cluster_size": 40, "icc": 0.05, "icc_x": 0.0, "delta": 0.25,
        "size_cv": 0.6,
    },
    {
        "n_clusters": 30, "cluster_size": 25, "icc": 0.05, "icc_x": 0.05, "delta": 0.5,
        "prevalence": 0.3, "drop_out": 0.2,
    },
    {
        "n_clusters": 60, "cluster_size": 20, "icc": 0.05, "icc_x": 0.05, "delta": 0.2,
        "share_treated": 1 / 3,
    },
    {"n_clusters": 40, "cluster_size": 25, "icc": 0.05, "icc_x": 1.0, "delta": 0.35},
    {
        "n_clusters": 80, "cluster_size": 20, "icc": 0.02, "icc_x": 1.0, "delta": 0.4,
        "prevalence": 0.5,
    },
    {"n_persons": 300, "delta": 0.35},
    {"n_persons": 1000, "delta": 0.35, "prevalence": 0.4},
    {"n_persons": 240, "delta": 0.5, "share_treated": 1 / 3},
]  # fmt: skip
OTHERS = (0, 3, 8)


def main() -> None:
    """Print one line per design."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    start = time.process_time()
    print("design | others | interaction | simulated (SE) | approximated | difference")
    differences = []
    for design in DESIGNS:
        for others in OTHERS:
            plan = power_hte(**design, n_others=others)
            found = power_by_simulation(
                plan.scenario(others),
                n_trials=arguments.trials,
                n_permutations=499,
                random_state=arguments.seed,
                n_jobs=arguments.jobs,
            ).power
            error = math.sqrt(found * (1 - found) / arguments.trials)
            differences.append(plan.primary_power - found)
            words = ", ".join(f"{name} {value:.3g}" for name, value in design.items())
            print(
                f"{words} | {others} | {plan.power:.3f} | {found:.3f} ({error:.3f}) | "
                f"{plan.primary_power:.3f} | {differences[-1]:+.3f}",
                flush=True,
            )
    size = sum(map(abs, differences)) / len(differences)
    print(
        f"{len(differences)} designs: mean absolute difference {size:.3f}, largest "
        f"{max(map(abs, differences)):.3f}; {time.process_time() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
