"""A baseline period: the cluster's mean as a covariate, its rows in the model, or left out.

    python benchmarks/baseline_period.py                                  # all of it
    python benchmarks/baseline_period.py --what averages --clusters 12 --trials 200
    python benchmarks/baseline_period.py --what effects --clusters 12 --trials 24

Parallel clusters of unequal size (8 persons and a Poisson number of 8 on average, before and after,
each time other persons), half of them treated in the second period. Outcomes have .5 x1 + .2 v,
intercepts of clusters and of their periods, whose variances sum to the ICC and whose share is the
cluster autocorrelation, and a residual of the rest of 1. The effect is .5 for everyone for averages
and size, .5 + .4 x1 for power and effects of persons. With ``--informative`` it grows with the
cluster's intercept, so that what the baseline tells goes with the effect too.
"""

from __future__ import annotations

import argparse
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tauhat as th
from kept_rows import kept_rows

ROLES = {"outcome": "y", "treatment": "arm", "cluster": "clinic", "covariates": ["x1", "x2", "v"]}
WAYS = ("covariate", "model", "left out")


def draw(
    seed: int, clusters: int, icc: float, autocorrelation: float, slope: float, informative: float
) -> pd.DataFrame:
    """One trial with a column ``effect`` of true effects."""
    rng = np.random.default_rng([seed, clusters])
    treated = rng.permutation(np.arange(clusters) % 2)
    lasting = np.sqrt(icc * autocorrelation) * rng.normal(size=clusters)
    of_period = np.sqrt(icc * (1 - autocorrelation)) * rng.normal(size=(clusters, 2))
    v = rng.normal(size=clusters)
    counts = 8 + rng.poisson(8, size=(clusters, 2))
    clinic, period = (np.repeat(part.ravel(), counts.ravel()) for part in np.indices(counts.shape))
    x = rng.normal(size=(len(clinic), 2))
    arm = treated[clinic] * period
    effect = 0.5 + slope * x[:, 0] + informative * (lasting / np.sqrt(icc))[clinic]
    y = 0.3 * period + lasting[clinic] + of_period[clinic, period] + 0.5 * x[:, 0]
    y += 0.2 * v[clinic] + arm * effect + np.sqrt(1 - icc) * rng.normal(size=len(clinic))
    columns = {"x1": x[:, 0], "x2": x[:, 1], "v": v[clinic], "effect": effect}
    return pd.DataFrame({"clinic": clinic, "period": period, "arm": arm, "y": y, **columns})


def trial_of(df: pd.DataFrame, way: str) -> th.Trial:
    """The trial with the rows of its baseline used in one of `WAYS`."""
    if way == "left out":
        return th.Trial(df[df.period == 1], **ROLES)
    return th.Trial(df, **ROLES, period="period", baseline_rows=way)


def averages(seed: int, informative: float, way: str, **law: Any) -> dict[str, float]:
    """Averages and the test in one trial with one effect, and the test in one with several."""
    null = trial_of(draw(seed, slope=0.0, informative=informative, **law), way)
    found = th.average_effects(null)
    row = {"width": found.individual.upper - found.individual.lower}
    row["error squared"] = (found.individual.estimate - 0.5) ** 2
    for name, one in (("person", found.individual), ("cluster", found.cluster)):
        row[f"covers, {name}"] = one.lower <= 0.5 <= one.upper
    if informative:
        return row
    row["size"] = rejects(null, seed)
    row["power"] = rejects(trial_of(draw(seed, slope=0.4, informative=0.0, **law), way), seed)
    return row


def rejects(trial: th.Trial, seed: int) -> bool:
    """Whether the primary test rejects at .05."""
    return th.test_heterogeneity(trial, random_state=seed, n_permutations=199).p_value <= 0.05


def effects(seed: int, learner: str, way: str, **law: Any) -> dict[str, float]:
    """Effects of persons in the later period."""
    df = draw(seed + 50_000, slope=0.4, informative=0.0, **law)
    trial = trial_of(df, way)
    later = df[df.period == 1]
    new = trial.X if trial.period is None else trial.X[trial.period == 1]
    model = trial.fit(learner, random_state=seed)
    truth = later.effect.to_numpy()
    error = np.sqrt(np.mean((model.effect(new) - truth) ** 2)) / truth.std()
    low, high = model.effect_interval(new)
    covered = np.mean((low <= truth) & (truth <= high))
    return {"sRMSE": error, "covers effects": covered, "width": np.mean(high - low)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=["averages", "effects"], nargs="+", default=["averages"])
    parser.add_argument("--clusters", type=int, nargs="+", default=[12, 20, 40])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first trial")
    parser.add_argument("--icc", type=float, default=0.1)
    parser.add_argument("--autocorrelation", type=float, nargs="+", default=[0.8])
    parser.add_argument(
        "--informative", type=float, default=0.0, help="slope of the effect along the intercept"
    )
    parser.add_argument("--learners", nargs="+", default=["LMM"])
    parser.add_argument("--ways", nargs="+", default=WAYS)
    parser.add_argument("--store", type=Path, help="file of a row a trial, to go on with")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    parts = [("averages", "")] if "averages" in given.what else []
    parts += [("effects", name) for name in given.learners if "effects" in given.what]
    cells = product(given.clusters, given.autocorrelation, parts, given.ways)
    for clusters, autocorrelation, (what, learner), way in cells:
        law = {"clusters": clusters, "icc": given.icc, "autocorrelation": autocorrelation}
        cell = f"{clusters} clusters, autocorrelation {autocorrelation:g}, {learner or what}, {way}"
        if given.informative:
            cell += f", effect grows with the intercept by {given.informative:g}"

        def trial(cell: str, seed: int, what=what, learner=learner, way=way, law=law) -> dict:
            if what == "effects":
                row = effects(seed, learner, way, **law)
            else:
                row = averages(seed, given.informative, way, **law)
            return {"cell": cell, "number": seed, **{k: float(v) for k, v in row.items()}}

        seeds = range(given.first, given.first + given.trials)
        kept = kept_rows(trial, [cell], seeds, given.store)
        found = [row for row in kept if row["cell"] == cell and row["number"] in seeds]
        rows = pd.DataFrame(found).drop(columns=["cell", "number"])
        told = "  ".join(
            f"{name} {mean:.3f} ({error:.3f})"
            for name, mean, error in zip(rows.columns, rows.mean(), rows.sem(), strict=True)
        )
        print(f"{cell}: {told}", flush=True)


if __name__ == "__main__":
    main()
