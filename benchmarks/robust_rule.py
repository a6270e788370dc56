"""`Robust` by its learned rule on the draws of the stored study of cluster trials, beside shares.

The rule was learned from other trials; nobody looked at these while it was made. Each fit is a
row of a file as soon as it is there, so the command can be stopped and goes on where it was.
What is stored as `Robust` is `weighting="shares"`, as it was before.

Usage: python benchmarks/robust_rule.py --draws 20 --jobs 2
"""

from __future__ import annotations

import argparse
import time
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
from tauhat.study.tasks import draw_task, task_seed

OUT = Path("out/benchmarks/robust_rule.csv")
STORE = Path(__file__).parent / "studies" / "cluster-flagship-by-shares"


def one_fit(number: int, replicate: int) -> dict[str, float]:
    """Measures of `Robust` on one draw of the stored study."""
    plan = read_study(STORE).plan
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
        "row": number,
        "replicate": replicate,
        **measured,
        "sd_effect": float(effect.std()),
        "cpu": time.process_time() - start,
    }


def clusters_table(found: pd.DataFrame) -> pd.DataFrame:
    """Error, heterogeneity, coverage and width in each cluster design, paired with the stored."""
    study = read_study(STORE)
    stored = study.results
    stored["row"] = np.repeat(study.row, len(study.plan.names))
    stored = stored[stored["estimator"] == "Robust"].set_index(["row", "replicate"])
    own = found.set_index(["row", "replicate"])
    shares = stored[["srmse", "rmse"]].add_suffix(" by shares")
    both = own.join(shares, how="inner")
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


def main() -> None:
    """Fit what is not there yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    found = pd.read_csv(options.out) if options.out.exists() else pd.DataFrame()
    done = set()
    if len(found):
        done = set(zip(found["row"], found["replicate"], strict=True))
    tasks = [
        (number, replicate)
        for replicate in range(options.draws)
        for number in range(len(read_study(STORE).plan.rows))
        if (number, replicate) not in done
    ]
    for line in Parallel(n_jobs=options.jobs, return_as="generator")(
        delayed(one_fit)(*task) for task in tasks
    ):
        one = pd.DataFrame([line])
        one.to_csv(options.out, mode="a", header=not options.out.exists(), index=False)
    found = pd.read_csv(options.out)
    found = found[found["replicate"] < options.draws]
    print(markdown(clusters_table(found)))


if __name__ == "__main__":
    main()
