"""Rate differences of persons: models of the log rate beside learners on rates as numbers.

Root mean squared error of the individual rate differences over the standard deviation of the
rates, and its ratio to that of the same learner, or of GAMM, with rates taken as numbers
(`link="identity"`); coverage and mean width of `effect_interval`, the latter over the same
standard deviation. Cells: clusters or persons, a low and a high rate, Poisson counts and
overdispersed ones, times at risk between .3 and 2; rates differ with three of six covariates.

    python benchmarks/count_effects.py --draws 5
    python benchmarks/count_effects.py --draws 5 --others BCF-RE BRM
"""

from __future__ import annotations

import argparse
import time
import warnings
from itertools import product

import numpy as np
import pandas as pd

import tauhat as th
from tauhat.numerics.seeds import derive_seed

DESIGNS = {"cluster": 24, "individual": None}
EFFECTS = ("null", "ratio", "linear-log-rate", "additive")
#: Rate without treatment at the mean covariates, and overdispersion of persons.
RATES = {"low": (0.4, 0.0), "high": (2.0, 0.5)}
LOGS = ("LMM", "GAMM")


def drawn(
    clusters: int | None, effect: str, rate: float, scatter: float, rng: np.random.Generator
) -> tuple[th.Trial, np.ndarray, float]:
    """A trial, its persons' rate differences and the standard deviation of their rates."""
    n, sd = 750, 0.4 if clusters else 0.0
    unit = np.arange(n) if clusters is None else rng.integers(0, clusters, n)
    arm = rng.permutation(np.arange(clusters or n) % 2)[unit]
    level = sd * rng.normal(size=clusters or n)[unit]
    X = rng.normal(size=(n, 6))
    prognosis = np.log(rate) + 0.5 * X[:, 0] + 0.4 * (np.abs(X[:, 1]) - 0.8) + 0.3 * X[:, 2]
    control = np.exp(prognosis)
    change = {
        "null": control,
        "ratio": control * np.exp(-0.4),
        "linear-log-rate": control * np.exp(-0.3 + 0.4 * X[:, 0] - 0.3 * X[:, 3]),
        "additive": np.maximum(control + rate * (0.3 + 0.3 * X[:, 3]), 0.02 * rate),
    }[effect]
    both = np.stack([control, change]) * np.exp(sd**2 / 2)
    years = rng.uniform(0.3, 2, n).round(2)
    frailty = 1.0 if scatter == 0 else rng.gamma(1 / scatter, scatter, n)
    mean = np.where(arm == 1, change, control) * np.exp(level) * years * frailty
    df = pd.DataFrame(X, columns=[f"x{k}" for k in range(1, 7)])
    df = df.assign(unit=unit, arm=arm, years=years, events=rng.poisson(mean))
    roles = {} if clusters is None else {"cluster": "unit"}
    trial = th.Trial(
        df,
        outcome="events",
        treatment="arm",
        exposure="years",
        endpoint="count",
        covariates=[f"x{k}" for k in range(1, 7)],
        **roles,
    )
    return trial, both[1] - both[0], float(both[0].std())


def one_trial(
    design: str, effect: str, level: str, number: int, others: list[str], *, intervals: bool
) -> list[dict]:
    """Errors of all models in one trial, at its persons."""
    rng = np.random.default_rng(derive_seed(18, design, effect, level, number))
    trial, tau, scale = drawn(DESIGNS[design], effect, *RATES[level], rng)
    models = {name: th.estimator(name, random_state=1) for name in (*LOGS, *others)}
    for name in LOGS:
        model = th.estimator(name, random_state=1)
        models[f"{name} on rates"] = model.set_params(link="identity")
    rows, effects = [], {}
    for name, model in models.items():
        start = time.process_time()
        trial.fit(model)
        effects[name] = model.effect(trial.X)
        row = {"model": name, "seconds": time.process_time() - start}
        if intervals:
            low, high = model.effect_interval(trial.X)
            row["coverage"] = np.mean((low <= tau) & (tau <= high))
            row["width"] = np.mean(high - low) / scale
        rows.append(row)
    for name in LOGS:
        effects[f"{name}, mean of both"] = (effects[name] + effects[f"{name} on rates"]) / 2
        rows.append({"model": f"{name}, mean of both"})
    errors = {name: np.sqrt(np.mean((e - tau) ** 2)) / scale for name, e in effects.items()}
    cell = {"design": design, "effect": effect, "rate": level, "number": number}
    for row in rows:
        row |= cell | {"error": errors[row["model"]]}
        row["log ratio"] = np.log(row["error"] / errors["GAMM on rates"])
    return rows


def report(results: pd.DataFrame) -> None:
    """Print errors by kind of effect, ratios and intervals."""
    columns = ["design", "effect"]
    print("Root mean squared error over the SD of rates")
    errors = results.pivot_table(index="model", columns=columns, values="error", sort=False)
    print(errors.round(2).to_string())
    varied = results[results["effect"] != "null"].groupby("model", sort=False)["log ratio"]
    ratio = np.exp(varied.mean())
    table = pd.DataFrame({"ratio": ratio, "error": ratio * varied.sem()})
    table["seconds"] = results.groupby("model", sort=False)["seconds"].mean()
    print("\nRatio to GAMM on rates where effects differ (Monte Carlo error), CPU seconds")
    print(table.round(2).to_string())
    if "coverage" in results:
        found = results.dropna(subset="coverage").groupby(["design", "model"], sort=False)
        means = found[["coverage", "width"]].mean()
        kinds = results.dropna(subset="coverage").pivot_table(
            index=["design", "model"], columns="effect", values="coverage", sort=False
        )
        print("\nIntervals")
        print(means.join(kinds).round(2).to_string(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--others", nargs="*", default=[], help="names of more learners")
    parser.add_argument("--intervals", action="store_true", help="coverage and width too")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for number in range(given.draws):
        for design, effect, level in product(DESIGNS, EFFECTS, RATES):
            rows += one_trial(
                design, effect, level, number, given.others, intervals=given.intervals
            )
    report(pd.DataFrame(rows))


if __name__ == "__main__":
    main()
