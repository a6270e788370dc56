"""Accuracy in cluster trials with many covariates, few of which change the effect."""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd

from tauhat.numerics.seeds import derive_seed
from tauhat.registry import estimator
from tauhat.simulate import ClusterTrial, rod, srmse

# Covariates of the reference designs; all others have no effect on anything.
OWN_COVARIATES = 9
N_TEST = 1000


def one_draw(
    scenario: ClusterTrial, learners: list[str], draw: int, seed: int
) -> list[dict[str, Any]]:
    """Score every learner on the same draw; test persons are from new clusters."""
    own_seed = derive_seed(seed, "many covariates", draw)
    trial = scenario.draw(random_state=own_seed)
    test = scenario.population(N_TEST, random_state=own_seed)
    rows = []
    for name in learners:
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            effect = estimator(name, random_state=draw).fit(*trial).effect(test.X)
        scores = {"srmse": srmse(effect, test.tau), "rod": rod(effect, test.tau)}
        seconds = time.process_time() - start
        rows.append({"learner": name, "draw": draw, **scores, "seconds": seconds})
    return rows


def mean_se(values: pd.Series) -> str:
    """Mean with its Monte Carlo standard error."""
    return f"{values.mean():.3f} ({values.std(ddof=1) / np.sqrt(len(values)):.3f})"


def main() -> None:
    """Print one row per learner, and its sRMSE less that of the first one on the same draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--covariates", type=int, default=60, help="in all, at least 9")
    parser.add_argument("--clusters", type=int, default=40)
    parser.add_argument("--effects", default="linear,nonlinear", help="of `crt`, by comma")
    parser.add_argument("--learners", default="LMM,LMM-lasso", help="registry names, by comma")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.covariates < OWN_COVARIATES or options.draws < 2:
        parser.error(f"--covariates must be at least {OWN_COVARIATES}, --draws at least 2")
    learners = options.learners.split(",")
    for effect in options.effects.split(","):
        scenario = ClusterTrial(
            n_clusters=options.clusters,
            effect=effect,
            extra_individual=options.covariates - OWN_COVARIATES,
        )
        rows = [
            row
            for draw in range(options.draws)
            for row in one_draw(scenario, learners, draw, options.seed)
        ]
        wide = pd.DataFrame(rows).pivot(index="draw", columns="learner")
        error = wide["srmse"]
        table = pd.DataFrame(
            {
                "sRMSE": [mean_se(error[name]) for name in learners],
                f"less {learners[0]}": [
                    mean_se(error[name] - error[learners[0]]) for name in learners
                ],
                "RoD": [mean_se(wide["rod"][name]) for name in learners],
                "CPU s": [round(float(wide["seconds"][name].mean()), 2) for name in learners],
            },
            index=learners,
        )
        print(f"\n{effect} effect, {options.covariates} covariates, {options.clusters} clusters")
        print(table.to_string(), flush=True)


if __name__ == "__main__":
    main()
