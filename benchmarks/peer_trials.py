"""Trials of `peers.py`, and the scores of what a contender makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from peer_packages import Trial
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import rmse, rod, scenario, srmse

N_TEST = 1000


@dataclass
class Task:
    """A trial, the covariates of new persons, and their true effects."""

    trial: Trial
    new: np.ndarray
    tau: np.ndarray


def task(job: dict[str, Any]) -> Task:
    """Trial and new persons of a job."""
    seed = derive_seed(job["seed"], job["scenario"], job["draw"])
    return (grown if job["scenario"] == "growth" else drawn)(job, seed)


def grown(job: dict[str, Any], seed: int) -> Task:
    """Trial of any number of persons, clusters (0: none) and covariates."""
    rng = np.random.default_rng(seed)
    n, m, p = job["n"], job["m"], job["p"]
    X, new = rng.normal(size=(n, p)), rng.normal(size=(N_TEST, p))
    clusters = np.arange(n) % m if m else None
    arm = rng.permutation(np.arange(m or n) % 2)
    arm = arm if clusters is None else arm[clusters]
    intercept = 0.0 if clusters is None else rng.normal(0, np.sqrt(0.1), m)[clusters]
    y = X[:, 0] + arm * (0.5 + 0.4 * X[:, 1]) + intercept + rng.normal(0, np.sqrt(0.9), n)
    return Task(Trial(X, y, arm, clusters), new, 0.5 + 0.4 * new[:, 1])


def drawn(job: dict[str, Any], seed: int) -> Task:
    """Trial of a registered scenario and new persons from it."""
    design = scenario(job["scenario"])
    trial = design.draw(job["n"], seed)
    test = design.population(N_TEST, derive_seed(seed, "test"))
    clusters = None
    if trial.clusters is not None:
        # Integers, which every package takes.
        clusters = np.unique(np.asarray(trial.clusters), return_inverse=True)[1]
    seen = Trial(
        trial.X.to_numpy(dtype=float), np.asarray(trial.y), np.asarray(trial.treatment), clusters
    )
    return Task(seen, test.X.to_numpy(dtype=float), np.asarray(test.tau))


def scores(answer: dict[str, Any], tau: np.ndarray) -> dict[str, Any]:
    """Accuracy of the effects, coverage and width of the limits; the rest as it was."""
    if "failure" in answer:
        return answer
    effect = np.asarray(answer["effect"])
    null = float(np.std(tau)) < 1e-9
    row = {
        **answer,
        "rmse": rmse(effect, tau),
        "srmse": None if null else srmse(effect, tau),
        "rod": None if null else rod(effect, tau),
        "average_error": float(effect.mean() - tau.mean()),
    }
    if "low" in row:
        low, high = np.asarray(row.pop("low")), np.asarray(row.pop("high"))
        row["coverage"] = float(np.mean((low <= tau) & (tau <= high)))
        row["width"] = float(np.mean(high - low))
    return row
