"""What sharing saves, and what the default and the quick models cost.

Usage: python benchmarks/shared_cost.py --eleven
       python benchmarks/shared_cost.py --fits --draws 2

``--eleven`` fits the second paper's eleven estimators together and, piece by
piece, from econml, scikit-learn, lightgbm and stochtree with the same settings,
on the same trial, in turn. ``--fits`` times the default and the quick models on
750 persons in 30 clusters, and scores both on the six reference designs.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import composed
from process_tree import measure
from tauhat.analysis.models import fit_models, model_names
from tauhat.data import validate_trial
from tauhat.ensembles.together import fit_together
from tauhat.numerics.seeds import derive_seed
from tauhat.registry import PAPER_NAMES, estimator
from tauhat.simulate import ClusterTrial, rmse, rod, scenario, srmse

OUT = Path("out/benchmarks")
DESIGNS = ("c1", "c2", "c3", "c4", "c5", "c6")


def together(X: np.ndarray, y: np.ndarray, arm: np.ndarray, new: np.ndarray, seed: int) -> tuple:
    """Effects of the eleven by name, and CPU seconds."""
    start = time.process_time()
    data = validate_trial(X, y, arm)
    fits = fit_together({name: estimator(name) for name in PAPER_NAMES}, data, seed)
    effects = {name: fit.estimator.effect(new) for name, fit in fits.items()}
    return effects, time.process_time() - start


def apart(X: np.ndarray, y: np.ndarray, arm: np.ndarray, new: np.ndarray, seed: int) -> tuple:
    """The same from other packages; CPU seconds by name, the consensus without its members."""
    effects, seconds, inside = {}, {}, []
    for name in PAPER_NAMES:
        start = time.process_time()
        if name == "CBA":
            singles = [effects[single] for single in composed.SINGLES]
            effects[name] = composed.consensus(inside, singles)
        else:
            effect = composed.fit_alone(name, X, y, arm, seed)
            effects[name] = effect(new)
            if name in composed.SINGLES:
                inside.append(effect(X))
        seconds[name] = time.process_time() - start
    return effects, seconds


def eleven(draws: int, persons: int, seed: int) -> None:
    """Print and write time and agreement of the eleven."""
    rows, totals = [], []
    for draw in range(-1, draws):
        # The first trial is small and not counted: it pays for the imports.
        names = ("linear", "highly-nonlinear")
        design = scenario(names[draw % 2])
        own = derive_seed(seed, "eleven", draw)
        trial = design.draw(persons if draw >= 0 else 100, own)
        test = design.population(1000, derive_seed(own, "test"))
        parts = (trial.X.to_numpy(dtype=float), trial.y, trial.treatment)
        new = test.X.to_numpy(dtype=float)
        ours, shared = together(*parts, new, draw + 1)
        theirs, seconds = apart(*parts, new, draw + 1)
        if draw < 0:
            continue
        again, _ = together(*parts, new, 1000 + draw)
        alone = sum(seconds.values())
        # On its own the consensus would fit its nine members once more.
        refitted = alone + sum(seconds[name] for name in composed.SINGLES)
        totals.append(
            {
                "scenario": names[draw % 2],
                "together": shared,
                "apart": alone,
                "apart, CBA on its own": refitted,
            }
        )
        for name in PAPER_NAMES:
            spread = float(np.std(ours[name]))
            rows.append(
                {
                    "estimator": name,
                    "CPU s apart": seconds[name],
                    "correlation": np.corrcoef(ours[name], theirs[name])[0, 1],
                    "difference / SD": rmse(ours[name], theirs[name]) / spread,
                    "other seed / SD": rmse(ours[name], again[name]) / spread,
                    "RMSE tauhat": rmse(ours[name], test.tau),
                    "RMSE composed": rmse(theirs[name], test.tau),
                }
            )
    table = pd.DataFrame(rows).groupby("estimator", sort=False).mean().round(3)
    table.reset_index().to_csv(OUT / "shared_cost_agreement.csv", index=False)
    print(table.to_string())
    cost = pd.DataFrame(totals)
    cost["ratio"] = cost.together / cost.apart
    cost["ratio, CBA on its own"] = cost.together / cost["apart, CBA on its own"]
    cost.round(2).to_csv(OUT / "shared_cost_eleven.csv", index=False)
    print(f"\nCPU seconds, n = {persons}\n{cost.round(2).to_string(index=False)}")


def one_fit(models: str, seed: int) -> None:
    """Fit the default or the quick models to 750 persons in 30 clusters: a process of its own."""
    trial = ClusterTrial(n_clusters=30, icc=0.1, effect="nonlinear").draw(750, seed)
    data = validate_trial(trial.X, trial.y, trial.treatment, clusters=trial.clusters)
    fit_models(data, model_names(models, "cluster"), seed=1, n_jobs=2)


def fits(draws: int, seed: int) -> None:
    """Time both, then score both on the six designs."""
    rows = []
    for models in ("default", "quick"):
        cost = measure([sys.executable, __file__, "--one-fit", models])
        rows.append(
            {
                "models": models,
                "CPU s": round(cost.cpu_seconds, 1),
                "wall s": round(cost.seconds, 1),
                "peak MiB": round(cost.peak_mebibytes),
            }
        )
    load = os.getloadavg()[0]
    costs = pd.DataFrame(rows)
    costs.to_csv(OUT / "shared_cost_fits.csv", index=False)
    print("750 persons in 30 clusters, two jobs, the start of Python and all imports counted")
    print(f"{costs.to_string(index=False)}\nload of the machine: {load:.1f}")
    scores = []
    for name in DESIGNS:
        for draw in range(draws):
            own = derive_seed(seed, name, draw)
            trial, test = scenario(name).draw(None, own), scenario(name).population(1000, own)
            data = validate_trial(trial.X, trial.y, trial.treatment, clusters=trial.clusters)
            for models in ("default", "quick"):
                start = time.process_time()
                fitted = fit_models(data, model_names(models, "cluster"), seed=draw, n_jobs=1)
                effect = fitted.reported.effect(test.X)
                null = float(np.std(test.tau)) < 1e-9
                scores.append(
                    {
                        "models": models,
                        "design": name,
                        "draw": draw,
                        "null RMSE": rmse(effect, test.tau) if null else np.nan,
                        "sRMSE": np.nan if null else srmse(effect, test.tau),
                        "RoD": np.nan if null else rod(effect, test.tau),
                        "CPU s": time.process_time() - start,
                    }
                )
    table = pd.DataFrame(scores)
    table.to_csv(OUT / "shared_cost_quick_rows.csv", index=False)
    means = table.groupby("models", sort=False)[["sRMSE", "RoD", "null RMSE", "CPU s"]].mean()
    print(f"\nsix designs, {draws} trials each\n{means.round(3).to_string()}")
    wide = table.pivot(index=["design", "draw"], columns="models", values="sRMSE").dropna()
    loss = np.log(wide.quick / wide.default)
    error = 1.96 * loss.std(ddof=1) / np.sqrt(len(loss))
    limits = np.exp([loss.mean(), loss.mean() - error, loss.mean() + error])
    print("sRMSE of quick / default: {:.2f} (95% {:.2f} to {:.2f})".format(*limits))
    print(wide.groupby("design").mean().round(3).to_string())


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--eleven", action="store_true")
    parser.add_argument("--fits", action="store_true")
    parser.add_argument("--one-fit", choices=["default", "quick"], help=argparse.SUPPRESS)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--persons", type=int, default=500, help="persons of the eleven's trials")
    parser.add_argument("--seed", type=int, default=20261126)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    OUT.mkdir(parents=True, exist_ok=True)
    if options.one_fit:
        one_fit(options.one_fit, options.seed)
    if options.eleven:
        eleven(options.draws, options.persons, options.seed)
    if options.fits:
        fits(options.draws, options.seed)


if __name__ == "__main__":
    main()
