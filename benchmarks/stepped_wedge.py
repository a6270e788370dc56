"""Stepped wedges: coverage of averages and effects, size of the test, and periods ignored.

    python benchmarks/stepped_wedge.py            # 11, 12, 20 and 40 clusters over 5 periods
    python benchmarks/stepped_wedge.py --clusters 11 --trials 200
    python benchmarks/stepped_wedge.py --cost     # 5,000 persons, 100 clusters, 6 periods
    python benchmarks/stepped_wedge.py --what events --clusters 11 20 --trials 300

Clusters of unequal size (Poisson, mean 12 persons in a period), a trend, intercepts of clusters
(SD .4) and of their periods (SD .2), residual SD 1. The effect is .5 for everyone for size and
averages, and .5 + .4 x1 for effects of persons.

Events (``--what events``) have logits with .5 x1 + .2 v, a trend of .1 a period and the same
intercepts; treatment adds .1 to every risk, or .7 to every log odds.
"""

from __future__ import annotations

import argparse
import resource
import time
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tauhat as th
from kept_rows import kept_rows

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


def events_in_wedge(
    seed: int, clusters: int, risk: float, *, log_odds: float = 0.0, difference: float = 0.0
) -> pd.DataFrame:
    """One trial of an event, with true risk differences in ``effect``."""
    df = stepped_wedge(seed, clusters)
    rng = np.random.default_rng([seed, clusters, 1])
    clinic, month = df.clinic.to_numpy(), df.month.to_numpy()
    logit = np.log(risk / (1 - risk)) + 0.1 * month + 0.5 * df.x1.to_numpy() + 0.2 * df.v.to_numpy()
    logit = logit + 0.4 * rng.normal(size=clusters)[clinic]
    logit = logit + 0.2 * rng.normal(size=(clusters, 5))[clinic, month]
    control = 1 / (1 + np.exp(-logit))
    treated = np.minimum(1 / (1 + np.exp(-logit - log_odds)) + difference, 1.0)
    chance = np.where(df.arm == 1, treated, control)
    event = (rng.random(len(df)) < chance).astype(int)
    return df.assign(y=event, effect=treated - control, control=control)


@cache
def mean_effect_on_risk(risk: float, log_odds: float) -> tuple[float, float]:
    """Difference and ratio of mean risks, over new clusters and the periods with both arms."""
    df = events_in_wedge(0, 2000, risk, log_odds=log_odds)
    found = df.loc[(df.month > 0) & (df.month < 4), ["effect", "control"]].mean()
    return float(found.effect), float(1 + found.effect / found.control)


def of_events(seed: int, clusters: int, risk: float) -> dict[str, float]:
    """The test where all have one risk difference, and averages where all have one odds ratio.

    Effects of persons take longer and are those of every tenth trial.
    """
    df = events_in_wedge(seed, clusters, risk, difference=0.1)
    row = {"rejects": rejects(th.Trial(df, covariates=COVARIATES, **ROLES), seed)}
    truth, risk_ratio = mean_effect_on_risk(risk, 0.7)
    df = events_in_wedge(seed, clusters, risk, log_odds=0.7)
    trial = th.Trial(df, covariates=COVARIATES, **ROLES)
    averages = th.average_effects(trial)
    for name, est in averages.over_periods.estimates.items():
        row[f"covers, {name}"] = est.lower <= truth <= est.upper
    row["width"] = averages.individual.upper - averages.individual.lower
    ratio = averages.individual_risks.ratio
    row["covers, risk ratio"] = ratio is not None and ratio.lower <= risk_ratio <= ratio.upper
    if seed % 10 == 0:
        lower, upper = trial.fit("LMM", random_state=seed).effect_interval(trial.X)
        row["covers effects of persons, LMM"] = np.mean((lower <= df.effect) & (df.effect <= upper))
    return row


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
    if what.startswith("events"):
        return of_events(seed, clusters, risk=float(what.split()[1]))
    if what == "size":
        null = th.Trial(stepped_wedge(seed, clusters), covariates=COVARIATES, **ROLES)
        return {"rejects": rejects(null, seed)}
    if what == "averages":
        return averages_and_test(seed, clusters)
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
    parser.add_argument(
        "--what", choices=["all", "averages", "effects", "size", "events"], default="all"
    )
    parser.add_argument("--risks", type=float, nargs="+", default=[0.1, 0.3], help="of events")
    parser.add_argument("--first", type=int, default=0, help="seed of the first trial")
    parser.add_argument("--store", type=Path, help="file of a row a trial, to go on with")
    parser.add_argument("--cost", action="store_true")
    given = parser.parse_args()
    if given.cost:
        cost()
        return
    parts = [given.what] if given.what != "events" else [f"events {p}" for p in given.risks]
    for clusters, part in product(given.clusters, parts):
        seeds = range(given.first, given.first + given.trials)
        cell = f"{clusters} clusters, {part}, {' '.join(given.learners)}"

        def trial(
            cell: str, seed: int, clusters: int = clusters, part: str = part
        ) -> dict[str, Any]:
            row = one(seed, clusters, given.learners, part)
            return {"cell": cell, "number": seed, **{k: float(v) for k, v in row.items()}}

        kept = kept_rows(trial, [cell], seeds, given.store)
        found = [row for row in kept if row["cell"] == cell and row["number"] in seeds]
        rows = pd.DataFrame(found).drop(columns=["cell", "number"])
        table = pd.DataFrame({"mean": rows.mean(), "mc_se": rows.sem(), "trials": rows.count()})
        print(
            f"\n{clusters} clusters, {part}, {given.trials} trials\n{table.round(3).to_string()}",
            flush=True,
        )


if __name__ == "__main__":
    main()
