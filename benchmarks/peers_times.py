"""Times to an event: tauhat beside forests of other packages, on the same trials.

T-learners of random survival forests are scikit-survival's (GPL, so never a dependency) and live in
an environment of their own, whose interpreter is named with --forests: one forest an arm predicts
survival curves, and an effect is the difference of their areas up to the horizon. Causal survival
forests are R's grf (GPL), which Rscript must find (R_LIBS); it knows clusters by drawing whole
ones. What is not there is said and left out. Trials and persons are those of
`time_to_event.py accuracy`; what is done is kept in --store.

    python -m venv build/forests && build/forests/bin/pip install scikit-survival
    python benchmarks/peers_times.py --forests build/forests/bin/python --draws 10
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

_SURVIVAL, _CAUSAL = "T-learner of survival forests", "causal survival forest (grf)"
_TREES, _LEAF = 200, 15
# The cost of a forest grows with the number of different times: they are read in 48 steps.
_STEPS = 48
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ""}
_GRF = Path(__file__).with_name("grf_times.R")


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


def survival_forests(python: Path, trial, X) -> tuple[np.ndarray, None, float]:
    """Effects by forests on the persons of X, and CPU seconds, in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trial.npz"
        np.savez(
            file, X=trial.X, time=trial.time, event=trial.event, arm=trial.treatment, new=X,
            horizon=trial.horizon,
        )  # fmt: skip
        subprocess.run(
            [python, __file__, "--fit", file],
            check=True, env={**os.environ, **_ONE_THREAD}, timeout=3000,
        )  # fmt: skip
        with np.load(file.with_name("effects.npz")) as made:
            return made["effect"], None, float(made["cpu"])


def causal_forest(rscript: str, trial, X) -> tuple[np.ndarray, tuple, float]:
    """Effects by grf on the persons of X, their intervals, and CPU seconds."""
    import pandas as pd

    table = trial.X.assign(time=trial.time, event=trial.event, arm=trial.treatment)
    if trial.clusters is not None:
        table["cluster"] = pd.factorize(trial.clusters)[0] + 1
    with tempfile.TemporaryDirectory() as folder:
        table.to_csv(Path(folder) / "trial.csv", index=False)
        X.to_csv(Path(folder) / "new.csv", index=False)
        subprocess.run([rscript, _GRF, folder, f"{trial.horizon:g}"], check=True, timeout=3000)
        made = pd.read_csv(Path(folder) / "effects.csv")
    interval = made.low.to_numpy(), made.high.to_numpy()
    return made.effect.to_numpy(), interval, float(made.cpu[0])


def runs(command: list) -> bool:
    """Whether a command can be run and succeeds."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def peers(chosen: argparse.Namespace) -> dict:
    """Those of other packages that are there; the others are said."""
    found = {
        _SURVIVAL: ([chosen.forests, "-c", "import sksurv"], survival_forests, chosen.forests),
        _CAUSAL: ([chosen.rscript, "-e", "library(grf)"], causal_forest, chosen.rscript),
    }
    there = {}
    for name, (command, fit, where) in found.items():
        if runs(command):
            there[name] = lambda trial, X, fit=fit, where=where: fit(where, trial, X)
        else:
            print(f"without {name}: {where} has not what it needs", file=sys.stderr)
    return there


def own(learner: str, trial, X) -> tuple[np.ndarray, tuple, float]:
    """Effects by one of tauhat's learners, their intervals, and CPU seconds without these."""
    import tauhat as th
    from time_to_event import trial_data

    data = trial_data(trial, "arm")
    start = time.process_time()
    model = th.estimator(learner, random_state=1).fit_data(data)
    effect = model.effect(X)
    cpu = time.process_time() - start
    return effect, model.effect_interval(X), cpu


def compare(chosen: argparse.Namespace) -> None:
    """Errors, coverage and CPU seconds of all on the same trials."""
    import pandas as pd

    from tauhat.numerics.seeds import derive_seed
    from tauhat.simulate import SurvivalTrial
    from time_to_event import CELLS

    columns = ["seed", "cell", "draw", "learner", "error", "coverage", "width", "cpu"]
    found = pd.DataFrame(columns=columns)
    if chosen.store is not None and chosen.store.exists():
        found = pd.read_csv(chosen.store)
    done = set(found[columns[:4]].itertuples(index=False, name=None))
    fits = {name: lambda trial, X, name=name: own(name, trial, X) for name in chosen.learners}
    fits |= peers(chosen)
    cells = chosen.cells or list(CELLS)
    for k, name in [(k, name) for k in range(chosen.draws) for name in cells]:
        settings, n = CELLS[name]
        source = SurvivalTrial(**settings)
        people = source.population(800, derive_seed(chosen.seed, name, "people"))
        trial = source.draw(n, derive_seed(chosen.seed, name, k))
        spread = people.tau.std() if settings["effect"] != "null" else 1.0
        for learner, fit in fits.items():
            if (chosen.seed, name, k, learner) in done:
                continue
            effect, interval, cpu = fit(trial, people.X)
            error = np.sqrt(np.mean((effect - people.tau) ** 2)) / spread
            coverage = width = np.nan
            if interval is not None:
                low, high = interval
                coverage = np.mean((low <= people.tau) & (people.tau <= high))
                width = np.mean(high - low)
            key = [chosen.seed, name, k, learner]
            found.loc[len(found)] = [*key, error, coverage, width, cpu]
            if chosen.store is not None:
                found.to_csv(chosen.store, index=False)
    found = found[(found.seed == chosen.seed) & (found.draw < chosen.draws)]
    found = found[found.cell.isin(cells) & found.learner.isin(list(fits))]
    _print(found.astype(dict.fromkeys(columns[4:], float)), chosen.learners)


def _print(found, learners: list[str]) -> None:
    """Means by cell, and errors paired with those of tauhat's first and last learner."""

    def by_cell(of: str):
        return found.pivot_table(
            index="learner", columns="cell", values=of, sort=False, dropna=False
        )

    print(f"Error of effects over their SD (without effect: months), {found.draw.nunique()} draws:")
    print(by_cell("error").round(2).to_string())
    some = found[~found.cell.isin(["I1", "C1"])]
    paired = np.log(
        some.pivot_table(index=["cell", "draw"], columns="learner", values="error", sort=False)
    )
    for first in dict.fromkeys((learners[0], learners[-1])):
        if len(paired.columns) == 1:
            break
        print(f"\nGeometric mean ratio to the errors of {first}, its log's SE; persons, clusters:")
        for learner in [one for one in paired.columns if one != first]:
            logs = paired[learner] - paired[first]
            parts = [logs[logs.index.get_level_values("cell").str.startswith(c)] for c in "IC"]
            told = [f"{np.exp(one.mean()):.3f} ({one.sem():.3f})" for one in parts if len(one)]
            print(f"{learner:30} {'  '.join(told)}")
    print("\nCoverage of nominal 95% intervals:")
    print(by_cell("coverage").round(3).dropna(how="all").to_string())
    print("\nTheir width in months:")
    print(by_cell("width").round(1).dropna(how="all").to_string())
    print("\nCPU seconds of a fit and 800 effects:")
    print(by_cell("cpu").round(2).to_string())


def main() -> None:
    """Compare, or fit the survival forests where this is the process for that."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forests", type=Path, default=Path(sys.executable))
    parser.add_argument("--rscript", default="Rscript", help="the command of R that finds grf")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--cells", nargs="+", help="all")
    parser.add_argument("--learners", nargs="+", default=["LMM", "PEM", "Robust"])
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
