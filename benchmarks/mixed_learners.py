"""Accuracy of any estimators on the six reference cluster designs, drawn afresh."""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tauhat.numerics.seeds import derive_seed
from tauhat.registry import estimator
from tauhat.runtime.parallel import run_tasks
from tauhat.simulate import CLUSTER_DESIGNS, ClusterTrial, rmse, rod, srmse

DESIGNS = {f"c{k}": ClusterTrial(**s) for k, s in enumerate(CLUSTER_DESIGNS.values(), start=1)}
DEFAULT = ("MERF", "GPBoost", "MEGB", "MERT-Boosting", "REEM-Boosting", "Additive-Boosting")
N_TEST = 1000


def one_fit(name: str, design: str, draw: int, seed: int) -> dict[str, Any]:
    """Score one estimator on one draw; test persons are from new clusters."""
    scenario = DESIGNS[design]
    own_seed = derive_seed(seed, design, draw)
    trial = scenario.draw(random_state=own_seed)
    test = scenario.population(N_TEST, random_state=own_seed)
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = estimator(name, random_state=draw).fit(*trial)
    effect = fitted.effect(test.X)
    seconds = time.process_time() - start
    null = float(np.std(test.tau)) < 1e-9
    parts = getattr(fitted, "variance_components_", None)
    return {
        "learner": name,
        "design": design,
        "draw": draw,
        "rmse": rmse(effect, test.tau),
        "srmse": np.nan if null else srmse(effect, test.tau),
        "rod": np.nan if null else rod(effect, test.tau),
        "ate": float(effect.mean() - test.tau.mean()),
        "between": np.nan if parts is None else parts.between_cluster / scenario.icc,
        "residual": np.nan if parts is None else parts.residual / (1 - scenario.icc),
        "between_total": np.nan if parts is None else parts.between_cluster,
        "icc": scenario.icc,
        "warned": any("effect" in str(w.message) for w in caught),
        "seconds": seconds,
    }


def one_saved(name: str, folder: str, seed: int) -> list[dict[str, Any]]:
    """Score one estimator on saved trials: pairs of ``*_train.csv`` and ``*_test.csv``."""
    rows = []
    for path in sorted(Path(folder).glob("c*_train.csv")):
        train = pd.read_csv(path)
        test = pd.read_csv(str(path).replace("_train", "_test"))
        columns = [c for c in train.columns if c not in ("cluster", "z", "y")]
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = estimator(name, random_state=seed).fit(
                train[columns], train.y, treatment=train.z, clusters=train.cluster
            )
        effect = fitted.effect(test[columns])
        null = float(test.tau.std()) < 1e-9
        error = rmse(effect, test.tau) if null else srmse(effect, test.tau)
        rows.append(
            {
                "learner": name,
                "trial": path.name[:2],
                "error": error,
                "ate": float(effect.mean() - test.tau.mean()),
                "seconds": time.process_time() - start,
            }
        )
    return rows


def mean_se(values: pd.Series) -> str:
    """Mean with its Monte Carlo standard error."""
    values = values.dropna()
    if values.empty:
        return "-"
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.3f} ({error:.3f})"


def summary(scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Tables of sRMSE, ATE error and the rest, one row per learner."""
    varied = scores[scores.design != "c1"]
    by = scores.pivot_table(
        index="learner", columns="design", values=["rmse", "srmse", "ate"],
        aggfunc=mean_se, sort=False,
    )  # fmt: skip
    accuracy = pd.DataFrame(index=pd.unique(scores.learner))
    for design in sorted(scores.design.unique()):
        value = "rmse" if design == "c1" else "srmse"
        label = "null RMSE" if design == "c1" else f"sRMSE {design}"
        accuracy[label] = by[value][design]
    # The designs are fixed: only the draws within them are random.
    cells = varied.groupby(["learner", "design"]).srmse.agg(["mean", "var", "count"]).reset_index()
    grouped = cells.groupby("learner")
    mean = grouped["mean"].mean()
    variance = (cells["var"] / cells["count"]).groupby(cells.learner).sum() / grouped.size() ** 2
    accuracy["mean sRMSE"] = [
        f"{mean[k]:.3f} ({np.sqrt(variance[k]):.3f})" if k in mean else "-" for k in accuracy.index
    ]
    accuracy["RoD"] = varied.groupby("learner").rod.apply(mean_se)
    centre = by["ate"].reindex(accuracy.index).add_prefix("ATE error ")
    totals = scores.groupby("learner")
    other = pd.DataFrame(index=accuracy.index)
    other["sum b / truth"] = (totals.between_total.mean() / totals.icc.mean()).round(3)
    other["mean b / truth"] = totals.between.apply(mean_se)
    other["mean e / truth"] = totals.residual.apply(mean_se)
    other["warned"] = totals.warned.mean().round(2)
    other["CPU s"] = totals.seconds.mean().round(2)
    return {"accuracy": accuracy, "average effect": centre, "variances and cost": other}


def growth(names: list[str], persons: list[int], seed: int) -> pd.DataFrame:
    """CPU seconds of one fit by the number of persons, 25 a cluster, and the growth rate."""
    table = pd.DataFrame(index=names, columns=persons, dtype=float)
    for n in persons:
        scenario = ClusterTrial(n_clusters=max(4, 2 * round(n / 50)))
        trial = scenario.draw(n, random_state=seed)
        for name in names:
            start = time.process_time()
            estimator(name, random_state=seed).fit(*trial)
            table.loc[name, n] = time.process_time() - start
    logs = np.log(table[[persons[0], persons[-1]]].to_numpy())
    rate = (logs[:, 1] - logs[:, 0]) / np.log(persons[-1] / persons[0])
    return table.round(2).assign(**{"growth exponent": rate.round(2)})


def main() -> None:
    """Run and print the tables; all scores go to a CSV file if one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--learners", default=",".join(DEFAULT), help="registry names, by comma")
    parser.add_argument("--designs", default=",".join(DESIGNS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--csv")
    parser.add_argument("--persons", type=int, nargs="+", help="time fits of these sizes instead")
    parser.add_argument("--saved", help="folder of saved trials to score instead, one draw each")
    options = parser.parse_args()
    if options.saved:
        tasks = [(name, options.saved, options.seed) for name in options.learners.split(",")]
        found = run_tasks(one_saved, tasks, n_jobs=options.jobs)
        table = pd.DataFrame([row for rows in found for row in rows])
        wide = table.pivot(index="learner", columns="trial", values="error")
        wide["mean c2-c6"] = wide.drop(columns="c1").mean(axis=1)
        print(f"sRMSE (c1: RMSE) on saved trials\n{wide.round(3).to_string()}")
        return
    if options.persons:
        table = growth(options.learners.split(","), options.persons, options.seed)
        print(f"CPU seconds by number of persons\n{table.to_string()}")
        return
    tasks = [
        (name, design, draw, options.seed)
        for design in options.designs.split(",")
        for draw in range(options.draws)
        for name in options.learners.split(",")
    ]
    scores = pd.DataFrame(run_tasks(one_fit, tasks, n_jobs=options.jobs))
    if options.csv:
        scores.to_csv(options.csv, index=False)
    with pd.option_context("display.width", 250, "display.max_columns", 30):
        for title, table in summary(scores).items():
            print(f"\n{title}: mean (Monte Carlo SE)\n{table.to_string()}")


if __name__ == "__main__":
    main()
