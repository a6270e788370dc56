"""`Robust` by its learned rule on the draws of the stored studies, beside what is stored of them.

The rule was learned from other trials; nobody looked at these while it was made. Each fit is a
row of a file as soon as it is there, so the command can be stopped and goes on where it was.
Stored are the single estimators and `Robust` by shares (`weighting="shares"`), as it was before.

Usage: python benchmarks/robust_rule.py --draws 10 --jobs 2
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

import tauhat as th
from peer_tables import markdown
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate.metrics import effect_metrics
from tauhat.study import read_study
from tauhat.study.plan import EstimatorSpec
from tauhat.study.tables import regret_table
from tauhat.study.tasks import draw_task, task_seed

OUT = Path("out/benchmarks/robust_rule.csv")
STORES = Path(__file__).parent / "studies"
STUDIES = ("cluster-flagship", "robust-flagship")
RULE = "Robust, learned rule"


def one_fit(name: str, number: int, replicate: int) -> dict[str, float | str]:
    """Measures of `Robust` on one draw of a stored study."""
    plan = read_study(STORES / name).plan
    row = plan.rows[number]
    seed = task_seed(plan, row, replicate)
    trial, persons = draw_task(plan, row, seed)
    start = time.process_time()
    with threadpool_limits(limits=1):
        model = th.estimator("Robust", random_state=derive_seed(seed, "fit")).fit(*trial)
        effect = model.effect(persons.X)
        lower, upper = model.effect_interval(persons.X)
    measured = effect_metrics(
        effect, persons.tau, lower=lower, upper=upper, higher_is_better=row.higher_is_better
    )
    return {
        "study": name,
        "row": number,
        "replicate": replicate,
        **measured,
        "sd_effect": float(effect.std()),
        "cpu": time.process_time() - start,
    }


def clusters_table(found: pd.DataFrame) -> pd.DataFrame:
    """Error, heterogeneity, coverage and width in each cluster design, paired with the stored."""
    study = read_study(STORES / "cluster-flagship")
    stored = study.results
    stored["row"] = np.repeat(study.row, len(study.plan.names))
    stored = stored[stored["estimator"] == "Robust"].set_index(["row", "replicate"])
    own = found[found["study"] == "cluster-flagship"].set_index(["row", "replicate"])
    both = own.join(stored[["srmse", "rmse", "rod"]], rsuffix=" by shares", how="inner")
    lines = []
    for number, row in enumerate(study.plan.rows):
        part = both.loc[number]
        lines.append({"design": row.label.split(":")[0], **_paired(part, "c1" in row.label)})
    differing = both[both.index.get_level_values("row") != 0]
    lines.append({"design": "c2 to c6", **_paired(differing, False)})
    return pd.DataFrame(lines)


def _paired(part: pd.DataFrame, same_effect: bool) -> dict[str, str]:
    error = "rmse" if same_effect else "srmse"
    change = part[error] - part[f"{error} by shares"]
    return {
        "draws": str(len(part)),
        "error": f"{part[error].mean():.3f}",
        "by shares": f"{part[f'{error} by shares'].mean():.3f}",
        "difference": f"{change.mean():+.3f} ({change.sem():.3f})",
        "rate of discordance": f"{part['rod'].mean():.3f}",
        "SD of effects": f"{part['sd_effect'].mean():.3f}",
        "coverage": f"{part['coverage'].mean():.3f}",
        "width": f"{part['width'].mean():.2f}",
        "CPU s": f"{part['cpu'].mean():.1f}",
    }


def persons_table(found: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Ratio to the best single estimator of each row, of the rule and as stored."""
    study = read_study(STORES / "robust-flagship")
    plan, stored = study.plan, study.results
    stored["row"] = np.repeat(study.row, len(plan.names))
    wide = stored.pivot(index=["row", "replicate"], columns="estimator", values=metric)
    own = found[found["study"] == "robust-flagship"].set_index(["row", "replicate"])[metric]
    singles = [spec for spec in plan.estimators if spec.name not in plan.ensembles]
    kept = [spec for spec in plan.estimators if spec.name in plan.ensembles]
    joint = replace(
        plan,
        estimators=(*singles, *kept, EstimatorSpec(RULE, "Robust")),
        ensembles=(*(spec.name for spec in kept), RULE),
    )
    columns = [spec.name for spec in (*singles, *kept)]
    values = wide[columns].join(own.rename(RULE), how="inner")
    row = values.index.get_level_values("row").to_numpy(dtype=np.int64)
    table = regret_table(joint, row, values.to_numpy(dtype=np.float64), metric=metric)
    table = table[table["estimator"].isin([RULE, *(spec.name for spec in kept)])]
    return pd.DataFrame(
        {
            "estimator": table["estimator"],
            f"{metric} mean": _with_interval(table, "mean"),
            "worst": _with_interval(table, "worst"),
            "worst row": table["worst_row"],
        }
    )


def _with_interval(table: pd.DataFrame, name: str) -> list[str]:
    columns = (table[name], table[f"{name}_lower"], table[f"{name}_upper"])
    return [f"{a:.3f} ({b:.3f} to {c:.3f})" for a, b, c in zip(*columns, strict=True)]


def rows_table(found: pd.DataFrame) -> pd.DataFrame:
    """Error against the stored recipe, coverage and width in each row of individual trials."""
    study = read_study(STORES / "robust-flagship")
    stored = study.results
    stored["row"] = np.repeat(study.row, len(study.plan.names))
    stored = stored[stored["estimator"] == "Robust"].set_index(["row", "replicate"])
    own = found[found["study"] == "robust-flagship"].set_index(["row", "replicate"])
    both = own.join(stored[["srmse"]], rsuffix=" by shares", how="inner")
    lines = []
    for number, row in enumerate(study.plan.rows):
        if number not in both.index.get_level_values("row"):
            continue
        part = both.loc[number]
        ratio = np.log(part["srmse"] / part["srmse by shares"])
        lines.append(
            {
                "situation": f"{row.label}, {row.n}",
                "sRMSE": f"{part['srmse'].mean():.3f}",
                "over that by shares": f"{np.exp(ratio.mean()):.3f} ({ratio.sem():.3f})",
                "coverage": f"{part['coverage'].mean():.3f}",
                "width": f"{part['width'].mean():.2f}",
                "CPU s": f"{part['cpu'].mean():.1f}",
            }
        )
    return pd.DataFrame(lines)


def main() -> None:
    """Fit what is not there yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--studies", nargs="*", default=list(STUDIES))
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    found = pd.read_csv(options.out) if options.out.exists() else pd.DataFrame()
    done = set()
    if len(found):
        done = set(zip(found["study"], found["row"], found["replicate"], strict=True))
    tasks = [
        (name, number, replicate)
        for replicate in range(options.draws)
        for name in options.studies
        for number in range(len(read_study(STORES / name).plan.rows))
        if (name, number, replicate) not in done
    ]
    for line in Parallel(n_jobs=options.jobs, return_as="generator")(
        delayed(one_fit)(*task) for task in tasks
    ):
        one = pd.DataFrame([line])
        one.to_csv(options.out, mode="a", header=not options.out.exists(), index=False)
    found = pd.read_csv(options.out)
    found = found[found["replicate"] < options.draws]
    if "cluster-flagship" in options.studies:
        print(markdown(clusters_table(found)), "\n")
    if "robust-flagship" in options.studies:
        print(markdown(rows_table(found)), "\n")
        for metric in ("srmse", "rod"):
            print(markdown(persons_table(found, metric)), "\n")


if __name__ == "__main__":
    main()
