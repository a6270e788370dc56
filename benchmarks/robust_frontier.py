"""What other weights would have done to `Robust` by shares in individual trials: mean, worst row.

On the draws of a stored study, `Robust` is fitted once a draw and its members combined anew with
other given shares, without its parts, and with weights fitted to the true effects, which nobody
has. Ratios are to the best single estimator of each row, from the store. Looking at these draws
decided nothing: the recipe was fixed before.

Usage: python benchmarks/robust_frontier.py --draws 8 --jobs 2
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

import tauhat as th
from peer_tables import markdown
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.simplex import simplex_minimum
from tauhat.simulate.metrics import rod, srmse
from tauhat.study import read_study
from tauhat.study.plan import EstimatorSpec, Plan, Row
from tauhat.study.tables import regret_table
from tauhat.study.tasks import draw_task, task_seed

STORE = Path(__file__).parent / "studies" / "robust-flagship-before"
CLUSTER_STORE = Path(__file__).parent / "studies" / "cluster-flagship"
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
DRAW_ORACLE = "weights fitted to the truth of each draw"
ROW_ORACLE = "weights fitted to the truth of each row"


class Draw:
    """Effects of the members of one fitted `Robust`, on the trial and on new persons."""

    def __init__(self, plan: Plan, row: Row, replicate: int) -> None:
        seed = task_seed(plan, row, replicate)
        trial, persons = draw_task(plan, row, seed)
        model = th.estimator("Robust", random_state=derive_seed(seed, "fit"))
        model = model.set_params(weighting="shares").fit(*trial)
        self.tau = np.asarray(persons.tau)
        own = model.member_effects(np.asarray(persons.X, dtype=np.float64))
        self.effects = np.column_stack([own[name] for name in model.members_])
        self.level = np.array([model.training_effects_[name].mean() for name in model.members_])
        self.own = model.effect(persons.X)
        self.shrinkage, lines, share = (
            model.weighing_.shrinkage,
            model.weighing_.straight,
            model.given_share,
        )
        weights = np.array([model.weights_[name] for name in model.members_])
        earned = np.array([model.weighing_.earned.get(name, 0.0) for name in model.members_])
        straight = np.array([name == "T-Linear" for name in model.members_]) * 1.0
        stacked = np.array([name not in model.weighing_.earned for name in model.members_])
        stacked = stacked / stacked.sum()
        given = (1 - lines) * stacked + lines * straight
        if not np.allclose(weights, share * given + (1 - share) * earned, atol=1e-8):
            raise ValueError("the weights of Robust are not made as this script takes them to be")
        self.weights = {f"given share {g:g}": g * given + (1 - g) * earned for g in SHARES}
        self.weights["given share 0.4, none of it to lines"] = 0.4 * stacked + 0.6 * earned
        self.weights["equal weights"] = np.full(len(weights), 1 / len(weights))
        self.gram = np.cov(self.effects.T, bias=True) / self.tau.var()
        centred = self.effects - self.effects.mean(axis=0)
        self.linear = centred.T @ (self.tau - self.tau.mean()) / len(self.tau) / self.tau.var()
        self.weights[DRAW_ORACLE] = simplex_minimum(self.gram, self.linear)

    def measures(self, weights: np.ndarray, *, shrink: bool = True) -> tuple[float, float]:
        """Standardised RMSE and rate of discordance of one combination."""
        level = float(self.level @ weights)
        factor = self.shrinkage if shrink else 1.0
        effect = level + factor * (self.effects @ weights - level)
        return srmse(effect, self.tau), rod(effect, self.tau)


def one_row(plan: Plan, number: int, draws: int) -> tuple[list[dict], float]:
    """Measures of every combination in each draw of a row; the largest difference to `effect`."""
    with threadpool_limits(limits=1):
        fitted = [Draw(plan, plan.rows[number], replicate) for replicate in range(draws)]
    shared = simplex_minimum(sum(one.gram for one in fitted), sum(one.linear for one in fitted))
    found, gap = [], 0.0
    for replicate, one in enumerate(fitted):
        recipe = one.weights["given share 0.4"]
        measured = {name: one.measures(weights) for name, weights in one.weights.items()}
        measured["given share 0.4, not shrunk"] = one.measures(recipe, shrink=False)
        measured[ROW_ORACLE] = one.measures(shared)
        gap = max(gap, abs(measured["given share 0.4"][0] - srmse(one.own, one.tau)))
        found += [
            {"row": number, "replicate": replicate, "weights": name, "srmse": s, "rod": d}
            for name, (s, d) in measured.items()
        ]
    return found, gap


def frontier(plan: Plan, singles: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Mean and worst ratio to the best single estimator of a row, for every combination."""
    names = list(dict.fromkeys(found["weights"]))
    specs = [spec for spec in plan.estimators if spec.name not in plan.ensembles]
    own = [EstimatorSpec(name, "Robust") for name in names]
    joint = replace(plan, estimators=(*specs, *own), ensembles=tuple(names))
    parts = []
    for metric in ("srmse", "rod"):
        wide = found.pivot(index=["row", "replicate"], columns="weights", values=metric)[names]
        alone = singles.pivot(index=["row", "replicate"], columns="estimator", values=metric)
        values = alone[[spec.name for spec in specs]].join(wide, how="inner")
        row = values.index.get_level_values("row").to_numpy(dtype=np.int64)
        table = regret_table(joint, row, values.to_numpy(dtype=np.float64), metric=metric)
        table = table[table["estimator"].isin(names)]
        parts.append(
            pd.DataFrame(
                {
                    "weights": table["estimator"].to_numpy(),
                    f"{metric} mean": _with_interval(table, "mean"),
                    f"{metric} worst": _with_interval(table, "worst"),
                    f"{metric} worst row": table["worst_row"].to_numpy(),
                }
            ).set_index("weights")
        )
    return pd.concat(parts, axis=1).reset_index()


def null_floor(draws: int) -> pd.DataFrame:
    """Error in c1, where the effect is the same for all, of saying so: one number for everyone."""
    plan = read_study(CLUSTER_STORE).plan
    row = next(row for row in plan.rows if row.label.startswith("c1"))
    lines = []
    for replicate in range(draws):
        trial, _ = draw_task(plan, row, task_seed(plan, row, replicate))
        average = th.average_effects(trial).individual
        adjusted = float(np.mean(th.estimator("LMM").fit(*trial).effect(trial.X)))
        truth = float(np.mean(trial.tau))
        lines.append((abs(average.estimate - truth), abs(adjusted - truth)))
    table = pd.DataFrame(lines, columns=["model-robust average", "mean effect of LMM"])
    return table.agg(["mean", "sem"]).round(3).rename_axis("error").reset_index()


def _with_interval(table: pd.DataFrame, name: str) -> list[str]:
    columns = (table[name], table[f"{name}_lower"], table[f"{name}_upper"])
    return [f"{a:.3f} ({b:.3f} to {c:.3f})" for a, b, c in zip(*columns, strict=True)]


def main() -> None:
    """Print the frontier as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=STORE)
    parser.add_argument("--draws", type=int, default=8, help="of each row, the first of the store")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    print("Cluster trials without heterogeneity (c1), 20 draws: one number for everyone\n")
    print(markdown(null_floor(20)), "\n")
    study = read_study(options.store)
    plan = study.plan
    done = Parallel(n_jobs=options.jobs)(
        delayed(one_row)(plan, number, options.draws) for number in range(len(plan.rows))
    )
    found = pd.DataFrame([line for lines, _ in done for line in lines])
    stored = study.results
    stored["row"] = np.repeat(study.row, len(plan.names))
    own = stored[stored.estimator == "Robust"].set_index(["row", "replicate"])["srmse"]
    again = found[found["weights"] == "given share 0.4"].set_index(["row", "replicate"])["srmse"]
    differs = float((own - again).abs().max())
    print(f"{options.draws} draws a row. Largest difference of the sRMSE to the stored one of")
    print(f"Robust: {differs:.1e}; recombined, to the estimator's own: ", end="")
    print(f"{max(gap for _, gap in done):.1e}\n")
    print(markdown(frontier(plan, stored, found)))


if __name__ == "__main__":
    main()
