"""What it saves to hold numerical libraries to one thread: seconds and CPU seconds of fits.

Usage: python benchmarks/threads.py

Each fit of one simulated cluster trial is made as usual, and with as many threads as the
libraries take by themselves, in turn; medians of three. Threads must not be limited from outside
(OMP_NUM_THREADS, OPENBLAS_NUM_THREADS).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_info

import tauhat as th
from peer_tables import markdown
from tauhat.fitting.cate_estimator import CateEstimator

MODELS = ("LMM", "GAMM", "BRM", "Effect-Boosting", "Robust")


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    # Threads of the work before spin for a while, in case they are needed again.
    time.sleep(0.5)
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure and print the table."""
    warnings.simplefilter("ignore")
    trial = th.datasets.tassh_trial(th.datasets.make_tassh_like(seed=1))
    free = CateEstimator.fit_data.__wrapped__  # type: ignore[attr-defined]
    averages = th.average_effects
    works = {
        "average effects": (
            lambda: averages(trial),
            lambda: averages.__wrapped__(trial),  # type: ignore[attr-defined]
        )
    }
    for name in MODELS:
        model = th.estimator(name, random_state=1)
        works[f"`{name}`"] = (
            lambda model=model: model.fit_data(trial.data),  # type: ignore[misc]
            lambda model=model: free(model, trial.data),  # type: ignore[misc]
        )
    rows = []
    for name, pair in works.items():
        pair[0]()
        found = np.array([[seconds(work) for work in pair] for _ in range(3)])
        (wall, cpu), (free_wall, free_cpu) = np.median(found, axis=0)
        rows.append(
            {
                "work": name,
                "s, free": round(free_wall, 2),
                "s": round(wall, 2),
                "ratio": round(wall / free_wall, 2),
                "CPU s, free": round(free_cpu, 2),
                "CPU s": round(cpu, 2),
            }
        )
    print(max(one["num_threads"] for one in threadpool_info()), "threads")
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
