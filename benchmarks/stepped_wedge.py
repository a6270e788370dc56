"""Stepped wedges: coverage of averages and effects, size of the test, and periods ignored.

    python benchmarks/stepped_wedge.py            # 11, 12, 20 and 40 clusters over 5 periods
    python benchmarks/stepped_wedge.py --clusters 11 --trials 200
    python benchmarks/stepped_wedge.py --cost     # 5,000 persons, 100 clusters, 6 periods

Clusters of unequal size (Poisson, mean 12 persons in a period), a trend, intercepts of clusters
(SD .4) and of their periods (SD .2), residual SD 1. The effect is .5 for everyone for size and
averages, and .5 + .4 x1 for effects of persons.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pandas as pd

import tauhat as th

ROLES = {"outcome": "y", "treatment": "arm", "cluster": "clinic", "period": "month"}
COVARIATES = ["x1", "x2", "v"]


def stepped_wedge(
    seed: int, clusters: int, periods: int = 5, persons: float = 12, slope: float = 0.0
) -> pd.DataFrame:
    """One trial with a column ``effect`` of true effects."""
    rng = np.random.default_rng([seed, clusters])
    start = rng.permutation(np.resize(np.arange(1, periods), clusters))
    level, v = 0.4 * rng.normal(size=clusters), rng.normal(size=clusters)
    of_period = 0.2 * rng.normal(size=(clusters, periods))
    counts = 2 + rng.poisson(persons - 2, size=(clusters, periods))
    clinic, month = (part.ravel() for part in np.indices((clusters, periods)))
    clinic, month = np.repeat(clinic, counts.ravel()), np.repeat(month, counts.ravel())
    x = rng.normal(size=(len(clinic), 2))
    arm = (month >= start[clinic]).astype(int)
    effect = 0.5 + slope * x[:, 0]
    y = 0.25 * month + level[clinic] + of_period[clinic, month] + 0.5 * x[:, 0] + 0.2 * v[clinic]
    y = y + arm * effect + rng.normal(size=len(clinic))
    columns = {"x1": x[:, 0], "x2": x[:, 1], "v": v[clinic], "effect": effect}
    return pd.DataFrame({"clinic": clinic, "month": month, "arm": arm, "y": y, **columns})


def rejects(trial: th.Trial, seed: int) -> bool:
    """Whether the primary test rejects at .05."""
    return th.test_heterogeneity(trial, random_state=seed, n_permutations=499).p_value < 0.05


def averages_and_test(seed: int, clusters: int) -> dict[str, float]:
    """What one trial gives whose effect is the same for everyone."""
    null = th.Trial(stepped_wedge(seed, clusters), covariates=COVARIATES, **ROLES)
    averages = th.average_effects(null).over_periods.estimates
    row = {f"covers, {name}": est.lower <= 0.5 <= est.upper for name, est in averages.items()}
    row["rejects"] = rejects(null, seed)
    exposure = th.exposure_effects(null)
    row["exposure rejects"] = exposure.p_value < 0.05
    row["covers, mean over exposure"] = exposure.mean.lower <= 0.5 <= exposure.mean.upper
    return row


def effects(seed: int, clusters: int, learners: list[str]) -> dict[str, float]:
    """What one trial with differing effects gives, and with its periods ignored."""
    df = stepped_wedge(seed + 50_000, clusters, slope=0.4)
    trial = th.Trial(df, covariates=COVARIATES, **ROLES)
    effect = df.effect.to_numpy()
    row = {}
    for name in learners:
        model = trial.fit(name, random_state=seed)
        found = model.effect(trial.X)
        row[f"sRMSE, {name}"] = np.sqrt(np.mean((found - effect) ** 2)) / effect.std()
        lower, upper = model.effect_interval(trial.X)
        row[f"covers effects of persons, {name}"] = np.mean((lower <= effect) & (effect <= upper))
        # Periods ignored: rows are taken for an individually randomized trial's.
        ignored = th.estimator(name, random_state=seed)
        ignored.fit(trial.X, trial.y, treatment=trial.treatment)
        wrong = ignored.effect(trial.X)
        row[f"sRMSE, periods ignored, {name}"] = (
            np.sqrt(np.mean((wrong - effect) ** 2)) / effect.std()
        )
    return row


def one(seed: int, clusters: int, learners: list[str], what: str) -> dict[str, float]:
    """What one trial without and one with differing effects gives."""
    if what == "size":
        null = th.Trial(stepped_wedge(seed, clusters), covariates=COVARIATES, **ROLES)
        return {"rejects": rejects(null, seed)}
    found = effects(seed, clusters, learners)
    if what == "effects":
        return found
    df = stepped_wedge(seed + 50_000, clusters, slope=0.4)
    power = rejects(th.Trial(df, covariates=COVARIATES, **ROLES), seed)
    return {
        **averages_and_test(seed, clusters),
        "rejects with differing effects": power,
        **found,
    }


def cost() -> None:
    """Time and memory of an analysis of 5,000 persons in 100 clusters over 6 periods."""
    df = stepped_wedge(1, 100, 6, persons=5000 / 600, slope=0.4)
    began = time.process_time()
    trial = th.Trial(df, covariates=COVARIATES, **ROLES)
    steps = th.analyze(trial, random_state=1).provenance.seconds
    seconds = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    whole = sum(steps.values())
    told = ", ".join(f"{name} {value / whole:.0%}" for name, value in steps.items())
    print(f"{len(df)} persons: {seconds:.1f} CPU s ({told}), {memory:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, nargs="+", default=[11, 12, 20, 40])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--learners", nargs="+", default=["LMM", "GAMM"])
    parser.add_argument("--what", choices=["all", "effects", "size"], default="all")
    parser.add_argument("--first", type=int, default=0, help="seed of the first trial")
    parser.add_argument("--cost", action="store_true")
    given = parser.parse_args()
    if given.cost:
        cost()
        return
    for clusters in given.clusters:
        seeds = range(given.first, given.first + given.trials)
        found = [one(seed, clusters, given.learners, given.what) for seed in seeds]
        rows = pd.DataFrame(found).astype(float)
        table = pd.DataFrame({"mean": rows.mean(), "mc_se": rows.sem()})
        print(
            f"\n{clusters} clusters, {given.trials} trials\n{table.round(3).to_string()}",
            flush=True,
        )


if __name__ == "__main__":
    main()
