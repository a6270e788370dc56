"""Accuracy, posterior coverage and convergence of the Bayesian tree learners."""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixed_learners import DESIGNS, N_TEST, mean_se
from tauhat.errors import TauhatWarning
from tauhat.numerics.seeds import derive_seed
from tauhat.registry import estimator
from tauhat.simulate import rmse, srmse

LEARNERS = ("BART-RE", "BCF-RE")
AVERAGE = "average effect"
BETWEEN = "between-cluster standard deviation"


def one_fit(name: str, design: str, draw: int, seed: int) -> dict[str, Any]:
    """Score one learner on one draw; test persons are from new clusters."""
    scenario = DESIGNS[design]
    own_seed = derive_seed(seed, design, draw)
    trial = scenario.draw(random_state=own_seed)
    test = scenario.population(N_TEST, random_state=own_seed)
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = estimator(name, random_state=draw).fit(*trial)
    seconds = time.process_time() - start
    draws = fitted.effect_draws(test.X)
    effect = draws.mean(axis=0)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    average = draws.mean(axis=1)
    average_low, average_high = np.quantile(average, [0.025, 0.975])
    truth = float(test.tau.mean())
    null = float(np.std(test.tau)) < 1e-9
    parts = fitted.variance_components_
    return {
        "learner": name, "design": design, "draw": draw,
        "sRMSE": np.nan if null else srmse(effect, test.tau),
        "RMSE": rmse(effect, test.tau),
        "coverage": float(((low <= test.tau) & (test.tau <= high)).mean()),
        "width": float((high - low).mean()),
        "ATE coverage": float(average_low <= truth <= average_high),
        "ATE width": float(average_high - average_low),
        "ATE error": float(average.mean() - truth),
        "R-hat": fitted.convergence_.loc[AVERAGE, "r_hat"],
        "ESS": fitted.convergence_.loc[AVERAGE, "effective_draws"],
        "ESS sigma_b": fitted.convergence_.loc[BETWEEN, "effective_draws"],
        "warned": float(any(issubclass(w.category, TauhatWarning) for w in caught)),
        "b / truth": parts.between_cluster / scenario.icc,
        "e / truth": parts.residual / (1 - scenario.icc),
        "CPU s": seconds,
    }  # fmt: skip


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per learner and design, and their unweighted mean over the designs."""
    cells = scores.groupby(["learner", "design"], sort=False)
    table = cells.mean(numeric_only=True).drop(columns="draw")
    table["ATE error"] = cells["ATE error"].apply(lambda error: np.sqrt((error**2).mean()))
    table = table.rename(columns={"ATE error": "ATE RMSE"}).round(3)
    for column in ("sRMSE", "ATE coverage"):
        table[column] = cells[column].apply(mean_se)
    return table


def overall(scores: pd.DataFrame) -> pd.DataFrame:
    """Means over designs with Monte Carlo standard errors; sRMSE has no null design."""
    table = {}
    for name, own in scores.groupby("learner", sort=False):
        row = {"null RMSE": mean_se(own.loc[own.design == "c1", "RMSE"])}
        for column in ("sRMSE", "coverage", "ATE coverage", "R-hat", "ESS", "warned", "CPU s"):
            cells = own.dropna(subset=[column]).groupby("design")[column]
            error = np.sqrt((cells.var() / cells.count()).sum()) / len(cells)
            row[f"mean {column}"] = f"{cells.mean().mean():.3f} ({error:.3f})"
        table[name] = row
    return pd.DataFrame(table).T


def main() -> None:
    """Run and print the tables; scores go to a CSV file, if one is named, as they come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--learners", default=",".join(LEARNERS), help="registry names, by comma")
    parser.add_argument("--designs", default=",".join(DESIGNS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    rows = []
    for draw in range(options.draws):
        for design in options.designs.split(","):
            for name in options.learners.split(","):
                rows.append(one_fit(name, design, draw, options.seed))
        if options.csv:
            pd.DataFrame(rows).to_csv(options.csv, index=False)
    scores = pd.DataFrame(rows)
    with pd.option_context("display.width", 250, "display.max_columns", 30):
        print(f"by design: means (Monte Carlo SE)\n{summary(scores).to_string()}")
        print(f"\nover designs: means (Monte Carlo SE)\n{overall(scores).to_string()}")


if __name__ == "__main__":
    main()
