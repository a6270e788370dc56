"""Would an accelerated-failure-time step serve? A ridge sampler on censored log times.

The log time of each censored person is drawn in each sweep, given that it lies beyond the
censoring; effects are differences in restricted means, marginal over the cluster's intercept. The
sampler has the covariates, their squares and both by arm, with a variance of slopes of their own,
as `BRM` has.

    python benchmarks/failure_time_step.py --draws 4    RMSE / SD of the effects (null: RMSE)
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

import tauhat as th
from tauhat.endpoint import with_squares
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import SimulatedTimes, SurvivalTrial
from time_to_event import CELLS, draws, trial_data

BURN_IN, SWEEPS = 150, 300


def columns(X: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Covariates and squares in standard units of the trial."""
    bent, own = with_squares(known), with_squares(X, known)
    spread = np.where(bent.std(axis=0) > 0, bent.std(axis=0), 1.0)
    return (own - bent.mean(axis=0)) / spread


def restricted_mean(mean: np.ndarray, sd: float, horizon: float) -> np.ndarray:
    """Mean of a lognormal time cut at the horizon."""
    end = np.log(horizon)
    part = np.exp(mean + sd**2 / 2) * ndtr((end - mean - sd**2) / sd)
    return part + horizon * ndtr((mean - end) / sd)


def effects(trial: SimulatedTimes, people: pd.DataFrame, seed: int) -> np.ndarray:
    """Posterior mean of the effects of people."""
    rng = np.random.default_rng(seed)
    known = trial.X.to_numpy(dtype=float)
    Z, new = columns(known, known), columns(people.to_numpy(dtype=float), known)
    p, n, arm = Z.shape[1], len(Z), trial.treatment - 0.5
    design = np.column_stack([np.ones(n), arm, Z, arm[:, None] * Z])
    log_time, censored = np.log(np.maximum(trial.time, 1e-3)), trial.event == 0
    unit = None if trial.clusters is None else np.unique(trial.clusters, return_inverse=True)[1]
    m = 0 if unit is None else unit.max() + 1
    y, b = log_time + 0.5 * censored, np.zeros(max(m, 1))
    beta = np.zeros(design.shape[1])
    noise, between = y.var(), 0.05
    prior = {"main": 0.1, "by arm": 0.05}
    own = {"main": slice(2, 2 + p), "by arm": slice(2 + p, 2 + 2 * p)}
    cross = design.T @ design
    shift = np.zeros(n)
    total = np.zeros(len(new))
    for sweep in range(BURN_IN + SWEEPS):
        mean, sd = design @ beta + shift, np.sqrt(noise)
        least = ndtr((log_time - mean) / sd)[censored]
        luck = np.clip(least + (1 - least) * rng.random(censored.sum()), 1e-12, 1 - 1e-12)
        y[censored] = mean[censored] + sd * ndtri(luck)
        precision = np.full(len(beta), 1e-4)
        for name, rows in own.items():
            precision[rows] = 1 / prior[name]
        root = np.linalg.cholesky(cross / noise + np.diag(precision))
        centre = np.linalg.solve(root, design.T @ (y - shift) / noise)
        beta = np.linalg.solve(root.T, centre + rng.standard_normal(len(beta)))
        for name, rows in own.items():
            prior[name] = (0.01 + (beta[rows] ** 2).sum() / 2) / rng.gamma(0.5 + p / 2)
        rest = y - design @ beta
        if unit is not None:
            size = np.bincount(unit, minlength=m)
            spread = 1 / (size / noise + 1 / between)
            b = spread * np.bincount(unit, rest, m) / noise
            b = b + np.sqrt(spread) * rng.standard_normal(m)
            between = (0.02 + (b**2).sum() / 2) / rng.gamma(1 + m / 2)
            shift = b[unit]
        noise = ((rest - shift) ** 2).sum() / 2 / rng.gamma(n / 2)
        if sweep >= BURN_IN:
            s = float(np.sqrt(noise + (between if unit is not None else 0.0)))
            level = beta[0] + new @ beta[own["main"]]
            change = beta[1] + new @ beta[own["by arm"]]
            total += restricted_mean(level + change / 2, s, trial.horizon)
            total -= restricted_mean(level - change / 2, s, trial.horizon)
    return total / SWEEPS


def main() -> None:
    """Print the errors, and their ratio to those of LMM on the outcome made of the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    people = {
        name: SurvivalTrial(**settings).population(800, derive_seed(chosen.seed, name, "people"))
        for name, (settings, _) in CELLS.items()
    }
    rows = []
    for name, k, trial in draws(CELLS, chosen.draws, chosen.seed):
        tau = people[name].tau
        spread = tau.std() if CELLS[name][0]["effect"] != "null" else 1.0
        data = trial_data(trial, "arm")
        found = {"failure-time step": effects(trial, people[name].X, derive_seed(chosen.seed, k))}
        for learner in ("LMM", "BRM", "PEM"):
            model = th.estimator(learner, random_state=1).fit_data(data)
            found[learner] = model.effect(people[name].X)
        for learner, effect in found.items():
            rows.append((name, k, learner, np.sqrt(((effect - tau) ** 2).mean()) / spread))
    table = pd.DataFrame(rows, columns=["cell", "draw", "learner", "error"])
    print(
        table.pivot_table(index="learner", columns="cell", values="error", sort=False)
        .round(2)
        .to_string()
    )
    paired = table[~table.cell.isin(["I1", "C1"])].pivot_table(
        index=["cell", "draw"], columns="learner", values="error", sort=False
    )
    for other in ("LMM", "BRM", "PEM"):
        logs = np.log(paired["failure-time step"] / paired[other])
        error = logs.std() / np.sqrt(len(logs))
        print(f"to {other}: {np.exp(logs.mean()):.3f} (SE of the log {error:.3f})")


if __name__ == "__main__":
    main()
