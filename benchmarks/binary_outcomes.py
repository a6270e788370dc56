"""Risk differences of events: models on the log odds beside learners on 0/1.

Root mean squared error of the individual risk differences in percentage points by cell, and
its ratio to that of the reference, as geometric mean over the trials with heterogeneous risk
differences; coverage and mean width of `effect_interval`. The reference is the plain mean of LMM,
BRM, BCF-RE (BCF where persons are randomized) and X-GAMM-RF (X-RF) with 0 and 1 taken as numbers,
or with --quick LMM alone. Discordance is the share of pairs of persons put in the wrong order,
where effects differ; "impossible" the share of persons whose effect their true risk without
treatment rules out. The Bayesian ones run with few draws, as in the study whose cells these
are. "Robust" is the plain mean of the members of `EVENT_MEMBERS`; --no-trees leaves BCF
out of it, which takes seconds.

    python benchmarks/binary_outcomes.py --draws 3
    python benchmarks/binary_outcomes.py --draws 5 --intervals
    python benchmarks/binary_outcomes.py --draws 8 --first 1000 --intervals --robust --store r.jsonl
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tauhat as th
from kept_rows import kept_rows
from tauhat.data import validate_trial
from tauhat.ensembles.robust import RECIPES, RobustEnsemble
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.reference_posterior import Reference
from tauhat.learners.catalog import ensemble_member
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import BinaryTrial
from tauhat.simulate.metrics import rod
from tauhat.simulate.scenario import SimulatedTrial

SMALL = {"n_clusters": 20, "mean_size": 40.0}
LARGE = {"n_clusters": 40, "mean_size": 31.0}
PERSONS = {"n_clusters": None}
# Settings of each cell and, where persons are randomized, their number.
CELLS: dict[str, tuple[dict, int | None]] = {
    "C1": ({**SMALL, "effect": "null", "base_risk": 0.30, "icc": 0.10}, None),
    "C2": ({**LARGE, "effect": "risk-difference", "base_risk": 0.30, "icc": 0.03}, None),
    "C3": ({**SMALL, "effect": "odds-ratio", "base_risk": 0.30, "icc": 0.03}, None),
    "C4": ({**LARGE, "effect": "odds-ratio", "base_risk": 0.10, "icc": 0.10}, None),
    "C5": ({**SMALL, "effect": "linear-log-odds", "base_risk": 0.50, "icc": 0.10}, None),
    "C6": ({**LARGE, "effect": "linear-log-odds", "base_risk": 0.10, "icc": 0.03}, None),
    "C7": ({**LARGE, "effect": "threshold-log-odds", "base_risk": 0.30, "icc": 0.03}, None),
    "C8": ({**LARGE, "effect": "additive-risk", "base_risk": 0.30, "icc": 0.03}, None),
    "C9": ({**SMALL, "effect": "additive-risk", "base_risk": 0.30, "icc": 0.10}, None),
    "C10": ({**LARGE, "effect": "odds-ratio", "base_risk": 0.05, "icc": 0.03}, None),
    "I1": ({**PERSONS, "effect": "odds-ratio", "base_risk": 0.30}, 300),
    "I2": ({**PERSONS, "effect": "linear-log-odds", "base_risk": 0.30}, 750),
    "I3": ({**PERSONS, "effect": "threshold-log-odds", "base_risk": 0.50}, 750),
    "I4": ({**PERSONS, "effect": "null", "base_risk": 0.30}, 300),
    "I5": ({**PERSONS, "effect": "odds-ratio", "base_risk": 0.10}, 750),
    "I6": ({**PERSONS, "effect": "additive-risk", "base_risk": 0.30}, 750),
}
FLAT = ("null", "risk-difference")
# By what half widths of intervals of `Robust` are multiplied, to see what would do.
FACTORS = (0.91, 0.94, 0.97, 1.0, 1.03, 1.06, 1.1)
ON_LOG_ODDS = ("GAMM", "LMM", "Constant-Odds-Ratio", "Risk")


def as_numbers(model: CateEstimator, trial: SimulatedTrial) -> CateEstimator:
    """Fit with 0 and 1 taken as numbers."""
    arrays = trial.X, trial.y, trial.treatment, trial.clusters
    return model.fit_data(validate_trial(*arrays, endpoint="continuous"))


def reduced(name: str, seed: int) -> CateEstimator:
    """A learner at the settings of the study."""
    model = th.estimator(name, random_state=seed)
    return model.reduced() if name in ("BRM", "BCF", "BCF-RE") else model


def on_numbers(trial: SimulatedTrial, seed: int, *, quick: bool) -> dict[str, np.ndarray]:
    """Effects of the learners of the reference, and of GAMM, on 0/1."""
    names = ["LMM", "GAMM"]
    if not quick:
        more = ["BRM", "BCF", "X-RF"] if trial.clusters is None else ["BRM", "BCF-RE", "X-GAMM-RF"]
        names += more
    effects = {}
    for name in names:
        effect = as_numbers(reduced(name, seed), trial).effect(trial.X)
        effects[f"{name} on 0/1"] = np.clip(effect, -1, 1)
    return effects


def robust(clustered: bool, *, trees: bool) -> CateEstimator:
    """`Robust`, without its forest if there are to be no trees."""
    recipe = RECIPES["cluster" if clustered else "individual", "binary"]
    kept = [name for name in recipe.members if trees or not name.startswith("BCF")]
    members = [(name, ensemble_member(name, chains=recipe.chains.get(name))) for name in kept]
    return RobustEnsemble(members, random_state=1)


def one_trial(
    cell: str, number: int, *, quick: bool, intervals: bool, trees: bool, alone: bool
) -> list[dict]:
    """Errors of all models in one trial, at its persons."""
    settings, n = CELLS[cell]
    trial = BinaryTrial(**settings).draw(n, derive_seed(20261128, cell, number))
    effects = on_numbers(trial, 1, quick=quick)
    averaged = [value for name, value in effects.items() if name != "GAMM on 0/1"]
    effects["reference"] = np.mean(averaged, axis=0)
    inside, reference = {}, None
    bayesian = () if quick else ("BRM", "BCF" if trial.clusters is None else "BCF-RE")
    for name in () if alone else (*ON_LOG_ODDS, *bayesian):
        start = time.process_time()
        model = th.estimator(name, random_state=1).fit(*trial)
        effects[name] = model.effect(trial.X)
        inside[name] = {"seconds": time.process_time() - start}
        if intervals:
            reference = share_reference(model, reference)
            inside[name] |= covered(model, trial)
    start = time.process_time()
    average = robust(trial.clusters is not None, trees=trees).fit(*trial)
    effects["Robust"] = average.effect(trial.X)
    inside["Robust"] = {"seconds": time.process_time() - start}
    if intervals:
        share_reference(average, reference)
        inside["Robust"] |= covered(average, trial)
        inside["Robust"] |= scaled(average.effect_interval(trial.X), effects["Robust"], trial.tau)
    error = np.sqrt(np.mean((effects["reference"] - trial.tau) ** 2))
    rows = []
    for name, effect in effects.items():
        rmse = np.sqrt(np.mean((effect - trial.tau) ** 2))
        row = {"cell": cell, "model": name, "kind": settings["effect"], "points": 100 * rmse}
        row["log ratio"] = np.log(rmse / error)
        row["discordance"] = np.nan if settings["effect"] in FLAT else rod(effect, trial.tau)
        row["impossible"] = 100 * np.mean((effect < -trial.mu0) | (effect > 1 - trial.mu0))
        rows.append({**row, **inside.get(name, {})})
    return rows


def share_reference(model: CateEstimator, known: Reference | None) -> Reference:
    """Give a model the reference posterior of another with the same seed, or sample it."""
    if known is not None:
        model.reference_posterior_ = known
    return model.reference_posterior()


def covered(model: CateEstimator, trial: SimulatedTrial) -> dict[str, float]:
    """Share of persons whose effect their interval covers, and its mean width, in per cent."""
    low, high = model.effect_interval(trial.X)
    inside = np.mean((low <= trial.tau) & (trial.tau <= high))
    return {"coverage": 100 * inside, "width": 100 * np.mean(high - low)}


def scaled(
    interval: tuple[np.ndarray, np.ndarray], effect: np.ndarray, tau: np.ndarray
) -> dict[str, float]:
    """Coverage and width with half widths multiplied by each of the factors, in per cent."""
    found = {}
    for factor in FACTORS:
        low, high = (effect + factor * (end - effect) for end in interval)
        found[f"coverage x {factor}"] = 100 * float(np.mean((low <= tau) & (tau <= high)))
        found[f"width x {factor}"] = 100 * float(np.mean(high - low))
    return found


def report(results: pd.DataFrame) -> None:
    """Print the errors by cell, and the ratios by kind of effect with their Monte Carlo errors."""
    errors = results.pivot_table(index="model", columns="cell", values="points", sort=False)
    print("Root mean squared error, percentage points")
    print(errors.round(1).to_string())
    varied = results[~results["kind"].isin(FLAT)]
    kinds = {"all": varied, **dict(tuple(varied.groupby("kind", sort=False)))}
    table = {}
    for kind, rows in kinds.items():
        logs = rows.groupby("model", sort=False)["log ratio"]
        ratio, error = np.exp(logs.mean()), np.exp(logs.mean()) * logs.sem()
        table[kind] = [f"{r:.2f} ({e:.2f})" for r, e in zip(ratio, error, strict=True)]
        names = ratio.index
    frame = pd.DataFrame(table, index=names)
    flat = results[results["kind"].isin(FLAT)].groupby("model", sort=False)["points"]
    frame["flat, points"] = [f"{v:.1f}" for v in flat.mean().reindex(names)]
    by_model = results.groupby("model", sort=False)
    wrong = by_model["discordance"].agg(["mean", "sem"]).reindex(names)
    frame["discordance"] = [
        f"{mean:.3f} ({error:.3f})" for mean, error in zip(wrong["mean"], wrong["sem"], strict=True)
    ]
    frame["impossible, %"] = [f"{v:.2f}" for v in by_model["impossible"].mean().reindex(names)]
    frame["seconds"] = by_model["seconds"].mean().round(2)
    print("\nRatio to the reference (Monte Carlo error), CPU seconds")
    print(frame.to_string(na_rep=""), flush=True)
    cells = varied[varied["model"] == "Robust"].groupby("cell", sort=False)["log ratio"]
    ratio = np.exp(cells.mean())
    by_cell = pd.DataFrame({"ratio": ratio, "error": ratio * cells.sem()}).T
    print("\nRobust: ratio to the reference by cell, with its Monte Carlo error")
    print(by_cell.round(2).to_string(), flush=True)
    if "coverage" not in results:
        return
    results = results.dropna(subset="coverage")
    design = np.where(results["cell"].str.startswith("C"), "cluster", "individual")
    rows = results.groupby([design, "model"], sort=False)
    by_kind = results.groupby([design, "model", "kind"], sort=False)["coverage"]
    for what, of in (("", "mean"), (": Monte Carlo errors", "sem")):
        table = rows[["coverage", "width"]].agg(of).join(by_kind.agg(of).unstack())
        print(f"\nCoverage and width of intervals, %, and coverage by kind of effect{what}")
        print(table.round(1).to_string(na_rep=""))
    told = []
    for (units, factor), found in by_factor(results[results["model"] == "Robust"]):
        kinds = found.groupby("kind", sort=False)["coverage"].mean()
        row = {"units": units, "half widths": factor, "coverage": found["coverage"].mean()}
        told.append({**row, "width": found["width"].mean(), **kinds})
    print("\nRobust, with half widths multiplied by a factor")
    print(pd.DataFrame(told).round(1).to_string(index=False, na_rep=""))


def by_factor(rows: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Coverage and width of each kind of units and factor."""
    for units, first in (("cluster", "C"), ("individual", "I")):
        found = rows[rows["cell"].str.startswith(first)]
        for factor in FACTORS if len(found) else ():
            told = {what: found[f"{what} x {factor}"] for what in ("coverage", "width")}
            yield (units, f"x {factor}"), found[["kind"]].assign(**told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--cells", nargs="+", default=list(CELLS))
    parser.add_argument("--quick", action="store_true", help="LMM alone as the reference")
    parser.add_argument("--intervals", action="store_true", help="coverage and width too")
    parser.add_argument("--no-trees", action="store_true", help="no BCF in the average")
    parser.add_argument("--robust", action="store_true", help="no other model by itself")
    parser.add_argument(
        "--store", type=Path, help="file of trials that are kept for another run of these options"
    )
    given = parser.parse_args()
    warnings.simplefilter("ignore")

    def of_trial(cell: str, number: int) -> dict[str, Any]:
        rows = one_trial(
            cell,
            number,
            quick=given.quick,
            intervals=given.intervals,
            trees=not given.no_trees,
            alone=given.robust,
        )
        return {"cell": cell, "number": number, "models": rows}

    numbers = range(given.first, given.first + given.draws)
    trials = kept_rows(of_trial, given.cells, numbers, given.store)
    report(pd.DataFrame([row for trial in trials for row in trial["models"]]))


if __name__ == "__main__":
    main()
