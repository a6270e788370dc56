"""Mean effects of learners beside the model-robust average effect where clusters are few.

The root mean squared error of each learner's mean effect, true value 1, in trials with one
cluster-level covariate (or more), and that of `tauhat.average_effects` on the same trials.

    python benchmarks/few_clusters.py --trials 20
    python benchmarks/few_clusters.py --trials 20 --skewed --clusters 12 --covariates 2
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

import tauhat as th

LEARNERS = "LMM,T-Linear,X-GAMM-RF,REEM-Boosting,CF-DML-linear,Effect-Boosting"


def draw(
    m: int, n_covariates: int, seed: int, size: int = 40, skewed: bool = False
) -> tuple[np.ndarray, ...]:
    """Covariates, outcome, arm and cluster; the effect is 1 + x / 2 for a person's own x.

    Where the covariates of clusters are skewed, they are lognormal with standard deviation 1.5 of
    the logarithms, which the outcome goes with.
    """
    rng = np.random.default_rng([seed, m, n_covariates])
    clusters = np.repeat(np.arange(m), size)
    arm = rng.permutation(np.arange(m) % 2)[clusters]
    x = rng.normal(size=m * size)
    V = rng.normal(size=(m, n_covariates))[clusters]
    intercept = 0.3 * rng.normal(size=m)[clusters]
    y = x + 0.3 * V.sum(axis=1) + arm * (1 + 0.5 * x) + intercept + rng.normal(size=m * size)
    return np.column_stack([x, np.exp(4 + 1.5 * V) if skewed else V]), y, arm, clusters


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--clusters", default="4,6,8,16")
    parser.add_argument("--covariates", default="1", help="numbers of cluster-level covariates")
    parser.add_argument("--skewed", action="store_true", help="lognormal covariates of clusters")
    parser.add_argument("--learners", default=LEARNERS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    learners = given.learners.split(",")
    print("| clusters | covariates of clusters | average effect |", " | ".join(learners), "|")
    print("|--:|--:|--:|" + "--:|" * len(learners))
    for m in map(int, given.clusters.split(",")):
        for q in map(int, given.covariates.split(",")):
            trials = [draw(m, q, seed, skewed=given.skewed) for seed in range(given.trials)]
            means = [[th.average_effects(trial).individual.estimate for trial in trials]]
            for name in learners:
                fits = [th.estimator(name, random_state=1).fit(*trial) for trial in trials]
                pairs = zip(fits, trials, strict=True)
                means.append([float(fit.effect(trial[0]).mean()) for fit, trial in pairs])
            errors = np.sqrt(((np.array(means) - 1) ** 2).mean(axis=1))
            print(f"| {m} | {q} |", " | ".join(f"{error:.2f}" for error in errors), "|", flush=True)


if __name__ == "__main__":
    main()
