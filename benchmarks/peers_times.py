"""Times to an event: tauhat beside T-learners of random survival forests, on the same trials.

The forests are scikit-survival's (GPL, so never a dependency) and live in an environment of their
own; its interpreter is named with --forests. One forest an arm predicts survival curves; an effect
is the difference of their areas up to the horizon. Trials and persons are those of
`time_to_event.py accuracy`; what is done is kept in --store.

    python -m venv build/forests && build/forests/bin/pip install scikit-survival
    python benchmarks/peers_times.py --forests build/forests/bin/python --draws 3
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

_FORESTS = "T-learner of survival forests"
_TREES, _LEAF = 200, 15
# The cost of a forest grows with the number of different times: they are read in 48 steps.
_STEPS = 48


def fit_forests(file: Path) -> None:
    """Fit one forest an arm to the trial in a file and put effects and CPU seconds beside it."""
    from sksurv.ensemble import RandomSurvivalForest
    from sksurv.util import Surv

    with np.load(file) as held:
        X, seen, event, arm, new = (held[k] for k in ("X", "time", "event", "arm", "new"))
        horizon = float(held["horizon"])
    start = time.process_time()
    step = horizon / _STEPS
    rounded = (np.floor(np.minimum(seen, horizon + step / 2) / step) + 0.5) * step
    means = []
    for own in (arm == 0, arm == 1):
        forest = RandomSurvivalForest(
            n_estimators=_TREES, min_samples_leaf=_LEAF, max_features="sqrt", random_state=1
        )
        forest.fit(X[own], Surv.from_arrays(event[own] == 1, rounded[own]))
        known = np.append(0.0, np.minimum(forest.unique_times_, horizon))
        alive = forest.predict_survival_function(new, return_array=True)
        means.append(np.column_stack([np.ones(len(new)), alive]) @ np.diff(known, append=horizon))
    cpu = time.process_time() - start
    np.savez(file.with_name("effects.npz"), effect=means[1] - means[0], cpu=cpu)


def forest_effects(python: Path, trial, X) -> tuple[np.ndarray, float]:
    """Effects by forests on the persons of X, and CPU seconds, in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trial.npz"
        np.savez(
            file, X=trial.X, time=trial.time, event=trial.event, arm=trial.treatment, new=X,
            horizon=trial.horizon,
        )  # fmt: skip
        one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ""}
        subprocess.run(
            [python, __file__, "--fit", file], check=True, env={**os.environ, **one}, timeout=3000
        )
        with np.load(file.with_name("effects.npz")) as made:
            return made["effect"], float(made["cpu"])


def compare(chosen: argparse.Namespace) -> None:
    """Errors and CPU seconds of all on the same trials."""
    import pandas as pd

    import tauhat as th
    from tauhat.numerics.seeds import derive_seed
    from tauhat.simulate import SurvivalTrial
    from time_to_event import CELLS, trial_data

    columns = ["seed", "cell", "draw", "learner", "error", "cpu"]
    found = pd.DataFrame(columns=columns)
    if chosen.store is not None and chosen.store.exists():
        found = pd.read_csv(chosen.store)
    done = set(found[columns[:4]].itertuples(index=False, name=None))
    for k, name in [(k, name) for k in range(chosen.draws) for name in chosen.cells]:
        settings, n = CELLS[name]
        source = SurvivalTrial(**settings)
        people = source.population(800, derive_seed(chosen.seed, name, "people"))
        trial = source.draw(n, derive_seed(chosen.seed, name, k))
        spread = people.tau.std() if settings["effect"] != "null" else 1.0
        for learner in [*chosen.learners, _FORESTS]:
            if (chosen.seed, name, k, learner) in done:
                continue
            if learner == _FORESTS:
                effect, cpu = forest_effects(chosen.forests, trial, people.X)
            else:
                data = trial_data(trial, "arm")
                start = time.process_time()
                effect = th.estimator(learner, random_state=1).fit_data(data).effect(people.X)
                cpu = time.process_time() - start
            error = np.sqrt(np.mean((effect - people.tau) ** 2)) / spread
            found.loc[len(found)] = [chosen.seed, name, k, learner, error, cpu]
            if chosen.store is not None:
                found.to_csv(chosen.store, index=False)
    found = found[(found.seed == chosen.seed) & (found.draw < chosen.draws)]
    _print(found[found.cell.isin(chosen.cells)].astype({"error": float, "cpu": float}))


def _print(found) -> None:
    """A Markdown table: error with its Monte Carlo error, and CPU seconds."""
    groups = found.groupby(["cell", "learner"], sort=False)
    print("| cell | learner | error | its error | CPU s |\n|:--|:--|--:|--:|--:|")
    before = None
    for (cell, learner), rows in groups:
        sem = rows.error.std() / np.sqrt(len(rows))
        head = "" if cell == before else cell
        print(
            f"| {head} | {learner} | {rows.error.mean():.2f} | {sem:.2f} | {rows.cpu.mean():.2f} |"
        )
        before = cell


def main() -> None:
    """Compare, or fit the forests where this is the process for that."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forests", type=Path, default=Path(sys.executable))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--cells", nargs="+", default=["I1", "I3", "C4"])
    parser.add_argument("--learners", nargs="*", default=["LMM", "PEM"])
    parser.add_argument("--store", type=Path, help="file of what is not computed again")
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    if chosen.fit is not None:
        fit_forests(chosen.fit)
    else:
        compare(chosen)


if __name__ == "__main__":
    main()
