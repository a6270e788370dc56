"""Power with clusters in one arm only: the formula against simulated trials.

    python benchmarks/one_arm_power.py --trials 2000
    python benchmarks/one_arm_power.py --what interaction --trials 400

One line per design: power by `tauhat.power.power_one_arm`, the share of simulated trials in which
`tauhat.average_effects` (or, of a modifier, `tauhat.interaction_effects`) has p of at most .05 with
its Monte Carlo error, and their difference. Trials have the sizes, ICC and variances of the plan,
and a covariate that tells nothing of the outcome.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
import pandas as pd

import tauhat as th
from tauhat.power import power_one_arm
from tauhat.power.interaction_power import cluster_sizes

DESIGNS: list[dict[str, Any]] = [
    {"n_clusters": 6, "cluster_size": 10, "icc": 0.1, "effect": 0.7},
    {"n_clusters": 8, "cluster_size": 10, "icc": 0.05, "effect": 0.5},
    {"n_clusters": 12, "cluster_size": 10, "icc": 0.1, "effect": 0.5},
    {"n_clusters": 12, "cluster_size": 10, "icc": 0.3, "effect": 0.6},
    {"n_clusters": 12, "cluster_size": 10, "icc": 0.1, "effect": 0.5, "size_cv": 0.6},
    {"n_clusters": 8, "cluster_size": 20, "icc": 0.1, "effect": 0.4, "share_clustered": 2 / 3},
    {"n_clusters": 20, "cluster_size": 6, "icc": 0.1, "effect": 0.4, "share_clustered": 0.4},
    {"n_clusters": 12, "cluster_size": 10, "icc": 0.1, "effect": 0.5, "sd_alone": 1.5},
    {"n_clusters": 12, "cluster_size": 10, "icc": 0.1, "effect": 0.4, "sd_alone": 0.7},
    {"n_clusters": 40, "cluster_size": 15, "icc": 0.05, "effect": 0.2, "size_cv": 0.4},
]


def draw(plan: dict[str, Any], n_alone: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Modifier, outcome, arm and cluster."""
    sizes, probabilities = cluster_sizes(plan["cluster_size"], plan.get("size_cv", 0.0))
    size = rng.choice(sizes, plan["n_clusters"], p=probabilities).astype(int)
    # Clusters of one person each would be no clusters.
    size[0] = max(size[0], 2)
    inside, icc = size.sum(), plan["icc"]
    cluster = np.r_[np.repeat(np.arange(len(size)), size), len(size) + np.arange(n_alone)]
    arm = (cluster < len(size)).astype(int)
    x = rng.normal(size=len(arm))
    y = np.empty(len(arm))
    y[:inside] = np.sqrt(icc) * rng.normal(size=len(size))[cluster[:inside]]
    y[:inside] += np.sqrt(1 - icc) * rng.normal(size=inside)
    y[inside:] = plan.get("sd_alone", 1.0) * rng.normal(size=n_alone)
    return x, y + arm * (plan.get("effect", 0.0) + plan.get("delta", 0.0) * x), arm, cluster


def p_value(plan: dict[str, Any], n_alone: int, seed: int) -> float:
    """Of the average effect, or of the interaction, in one trial."""
    x, y, arm, cluster = draw(plan, n_alone, np.random.default_rng(seed))
    if "delta" not in plan:
        return th.average_effects((x[:, None], y, arm, cluster)).individual.p_value
    table = pd.DataFrame({"x": x, "y": y, "arm": arm, "cluster": cluster})
    trial = th.Trial(table, outcome="y", treatment="arm", cluster="cluster", covariates=["x"])
    return float(th.interaction_effects(trial, ["x"]).table.p_value.iloc[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=["average", "interaction"], default="average")
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--designs", type=int, nargs="+", default=range(len(DESIGNS)))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for number in given.designs:
        plan = dict(DESIGNS[number])
        if given.what == "interaction":
            plan["delta"] = round(0.9 * plan.pop("effect"), 2)
        formula = power_one_arm(**plan)
        rejected = [
            p_value(plan, formula.n_alone, 10_000 * given.seed + k) <= 0.05
            for k in range(given.trials)
        ]
        share = float(np.mean(rejected))
        error = np.sqrt(share * (1 - share) / given.trials)
        told = ", ".join(f"{name} {value:.3g}" for name, value in plan.items())
        print(
            f"{told}: {formula.power:.3f} by the formula (t with "
            f"{formula.degrees_of_freedom:.1f}), {share:.3f} ({error:.3f}) simulated, "
            f"{formula.power - share:+.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
