"""One contender in a process of its own: reads jobs line by line, writes what each cost.

`peers.py` starts it with the number of the contender; every job is a JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from typing import Any

import numpy as np

from peer_contenders import Contender, contenders
from peer_packages import Trial
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import rmse, rod, scenario, srmse

N_TEST = 1000


def grown_trial(job: dict[str, Any], seed: int) -> tuple[Trial, np.ndarray, np.ndarray]:
    """Trial of any number of persons, clusters (0: none) and covariates; new persons, effects."""
    rng = np.random.default_rng(seed)
    n, m, p = job["n"], job["m"], job["p"]
    X, new = rng.normal(size=(n, p)), rng.normal(size=(N_TEST, p))
    clusters = np.arange(n) % m if m else None
    arm = rng.permutation(np.arange(m or n) % 2)
    arm = arm if clusters is None else arm[clusters]
    intercept = 0.0 if clusters is None else rng.normal(0, np.sqrt(0.1), m)[clusters]
    y = X[:, 0] + arm * (0.5 + 0.4 * X[:, 1]) + intercept + rng.normal(0, np.sqrt(0.9), n)
    return Trial(X, y, arm, clusters), new, 0.5 + 0.4 * new[:, 1]


def drawn_trial(job: dict[str, Any], seed: int) -> tuple[Trial, np.ndarray, np.ndarray]:
    """Trial of a registered scenario, new persons from it, and their effects."""
    design = scenario(job["scenario"])
    trial = design.draw(job["n"], seed)
    test = design.population(N_TEST, derive_seed(seed, "test"))
    X = trial.X.to_numpy(dtype=float)
    seen = Trial(X, np.asarray(trial.y), np.asarray(trial.treatment), trial.clusters)
    return seen, test.X.to_numpy(dtype=float), np.asarray(test.tau)


def cpu() -> float:
    """CPU seconds of this process; what R takes it says itself."""
    return time.process_time()


def peak() -> float:
    """Peak resident mebibytes of this process and of the largest it has waited for."""
    own, children = (
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return max(own, children) / 1024


def run(contender: Contender, job: dict[str, Any]) -> dict[str, Any]:
    """Fit once and score."""
    seed = derive_seed(job["seed"], job["scenario"], job["draw"])
    make = grown_trial if job["scenario"] == "growth" else drawn_trial
    trial, new, tau = make(job, seed)
    start, wall = cpu(), time.perf_counter()
    fit = contender.fit(trial, job["draw"])
    effect = np.asarray(fit.effect(new), dtype=float).reshape(-1)
    seconds = cpu() - start if fit.own_seconds is None else fit.own_seconds()
    wall = time.perf_counter() - wall
    null = float(np.std(tau)) < 1e-9
    row = {
        "cpu_seconds": seconds,
        "seconds": wall,
        "rmse": rmse(effect, tau),
        "srmse": None if null else srmse(effect, tau),
        "rod": None if null else rod(effect, tau),
        "average_error": float(effect.mean() - tau.mean()),
        "effect": effect.tolist(),
    }
    if fit.limits is not None and job["limits"]:
        start = cpu()
        low, high = (np.asarray(limit, dtype=float).reshape(-1) for limit in fit.limits(new))
        row["limits_cpu_seconds"] = cpu() - start
        row["coverage"] = float(np.mean((low <= tau) & (tau <= high)))
        row["width"] = float(np.mean(high - low))
    return {**row, "peak_MiB": peak()}


def main() -> None:
    """Warm up, so that imports are not counted, then serve jobs until the input ends."""
    warnings.simplefilter("ignore")
    contender = contenders()[int(sys.argv[1])]
    answers = sys.stdout
    # What packages print must not come between the answers.
    sys.stdout = sys.stderr
    m = 8 if contender.designs == ("cluster",) else 0
    warm = {"scenario": "growth", "n": 120, "m": m, "p": 3, "draw": 0, "seed": 0, "limits": False}
    run(contender, warm)
    start = peak()
    for line in sys.stdin:
        try:
            answer = {**run(contender, json.loads(line)), "start_MiB": start}
        except Exception as error:
            answer = {"failure": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
