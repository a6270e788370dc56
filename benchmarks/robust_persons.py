"""How wide intervals of `Robust` need be where persons are randomized, and what else could weigh.

`Robust` is fitted to broad trials of persons (`tauhat.simulate.BroadTrial`), of which widths may be
learned, and to fresh draws of the 16 situations of the second paper's study, on which they are
judged. Each fit leaves a small file, so the command can be stopped and goes on where it was.

Usage: python benchmarks/robust_persons.py --broad 80 --draws 5
       python benchmarks/robust_persons.py --broad 0 --draws 0     # the tables of what is there
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tauhat as th
from peer_tables import markdown
from tauhat.fitting.bootstrap import t_quantile
from tauhat.numerics.slope_prior import posterior_probability
from tauhat.simulate import BroadTrial, SimulatedPersons, SimulatedTrial
from tauhat.study import read_study
from tauhat.study.tasks import draw_task

STORE = Path("out/benchmarks/robust_persons")
STUDY = Path(__file__).parent / "studies" / "robust-flagship-before"
SEED = 301_200
TEST_PERSONS = 400
LEVEL = 0.95
SHAPES = ("linear", "additive", "trees", "all")
FACTORS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)


def fit_one(path: Path, trial: SimulatedTrial, persons: SimulatedPersons, seed: int) -> None:
    """Fit `Robust` to a trial and keep what it and its members say of new persons."""
    X = np.asarray(persons.X, dtype=np.float64)[:TEST_PERSONS]
    start = time.process_time()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = th.estimator("Robust", random_state=seed).fit(*trial)
        draws = model.reference_posterior().effect_draws(X)
    members, weighing, held_out = model.member_effects(X), model.weighing_, model.out_of_fold_
    names, earning = list(members), list(held_out.names)
    apart = held_out.imputed[:, None] - held_out.effects
    shapes = model.evidence_.shapes
    part = path.with_name("part-of-" + path.name)
    np.savez_compressed(
        part,
        names=names,
        effects=np.array([members[name] for name in names], dtype=np.float32),
        means=[model.training_effects_[name].mean() for name in names],
        weights=[weighing.shares[name] for name in names],
        earned=[weighing.earned.get(name, 0.0) for name in names],
        straight=weighing.straight,
        shrinkage=weighing.shrinkage,
        estimate=model.predict_effect(X).astype(np.float32),
        reference=np.array([draws.mean(axis=0), draws.std(axis=0)], dtype=np.float32),
        truth=np.asarray(persons.tau)[:TEST_PERSONS],
        shapes=[shapes.get(name, 0.0) for name in SHAPES],
        log_bayes_factor=model.evidence_.log_bayes_factor,
        earning=earning,
        losses=np.cov(apart.T, bias=True),
        persons=len(trial.y),
        covariates=X.shape[1],
        outcome_sd=float(np.std(trial.y)),
        seconds=time.process_time() - start,
    )
    os.replace(part, path)


def is_cheap(trial: SimulatedTrial, most_persons: int) -> bool:
    """Whether a trial is small enough to be fitted."""
    return len(trial.y) * max(1.0, trial.X.shape[1] / 8) <= most_persons


def collect(store: Path, options: argparse.Namespace) -> None:
    """Fit what is not there yet."""
    store.mkdir(parents=True, exist_ok=True)
    for number in range(options.broad):
        path = store / f"broad-{number}.npz"
        trial = BroadTrial().draw(random_state=SEED + number)
        if path.exists() or not is_cheap(trial, options.most_persons):
            continue
        persons = BroadTrial().population(TEST_PERSONS, SEED + number)
        fit_one(path, trial, persons, SEED + number)
        print(path.stem, len(trial.y), trial.X.shape[1], flush=True)
    plan = read_study(STUDY).plan
    for replicate in range(options.draws):
        for number, row in enumerate(plan.rows):
            path = store / f"row-{number}-{replicate}.npz"
            if path.exists() or number not in (options.rows or range(len(plan.rows))):
                continue
            seed = SEED + 1000 * (1 + number) + replicate
            fit_one(path, *draw_task(plan, row, seed), seed)
            print(path.stem, row.label, row.n, flush=True)


Record = dict[str, Any]


def read(store: Path, kind: str) -> list[Record]:
    """What was kept of broad trials ("broad") or of the situations ("row")."""
    paths = sorted(store.glob(f"{kind}-*.npz"))
    return [{**np.load(path), "place": path.stem.split("-")[1]} for path in paths]


def needed_factors(one: Record) -> np.ndarray:
    """Factor of the half width at which each person's interval just covers the effect."""
    mean, sd = one["reference"]
    quantile = t_quantile(LEVEL, int(one["persons"]) - 2)
    half = quantile * np.hypot(sd, one["estimate"] - mean)
    return np.abs(one["truth"] - one["estimate"]) / half


def coverage(records: list[Record]) -> np.ndarray:
    """Coverage of each trial at each factor, shape (trials, factors)."""
    needed = [needed_factors(one) for one in records]
    return np.array([[np.mean(far <= factor) for factor in FACTORS] for far in needed])


def widths_table(store: Path) -> pd.DataFrame:
    """Coverage at each factor, in groups of broad trials and in each situation."""
    broad, rows = read(store, "broad"), read(store, "row")
    covered = coverage(broad)
    varies = np.array([np.ptp(one["truth"]) > 0 for one in broad])
    evidence = np.array([float(one["log_bayes_factor"]) for one in broad])
    persons = np.array([int(one["persons"]) for one in broad])
    few = persons <= np.median(persons)
    groups = {
        "broad, same effect": ~varies,
        "broad, effect differs": varies,
        "little evidence": varies & (evidence <= 1),
        "evidence": varies & (evidence > 1),
        f"at most {np.median(persons):.0f} persons": varies & few,
        "more persons": varies & ~few,
    }
    lines = {name: covered[take] for name, take in groups.items()}
    labels = [f"{row.label} {row.n}" for row in read_study(STUDY).plan.rows]
    of_rows = coverage(rows)
    place = np.array([int(one["place"]) for one in rows])
    for number in np.unique(place):
        lines[labels[number]] = of_rows[place == number]
    table = []
    for name, part in lines.items():
        of_factors = {
            f"{factor:g}": f"{mean:.3f}" for factor, mean in zip(FACTORS, part.mean(0), strict=True)
        }
        table.append({"trials": name, "number": len(part), **of_factors})
    worst = np.quantile(covered[varies], 0.1, axis=0)
    for name, values in {
        "worst tenth of broad trials": worst,
        "all situations": of_rows.mean(axis=0),
        "their lowest": np.array([of_rows[place == k].mean(0) for k in np.unique(place)]).min(0),
    }.items():
        of_factors = {f"{f:g}": f"{value:.3f}" for f, value in zip(FACTORS, values, strict=True)}
        table.append({"trials": name, "number": "", **of_factors})
    return pd.DataFrame(table)


def recombined(one: Record) -> dict[str, np.ndarray]:
    """Effects of a trial's test persons by other weights of the same fits."""
    names = [str(name) for name in one["names"]]
    stacked = [name for name in names if name.startswith("X-Stack")]
    lines, curves = one["shapes"][:2]
    varies = posterior_probability(float(one["log_bayes_factor"]), null_mass=0.5)

    def equally(*chosen: str) -> np.ndarray:
        return np.isin(names, chosen) / len(chosen)

    def by(weights: np.ndarray, factor: float = float(one["shrinkage"])) -> np.ndarray:
        level = weights @ one["means"]
        return level + factor * (weights @ one["effects"] - level)

    equal, own = equally(*names), one["weights"]
    of_lines, of_trees = equally("T-Linear"), equally(*stacked, "X-BART", "BCF")
    all_trees = equally("X-BART", "X-RF", "BCF", "BRM")
    pair = equally("T-Linear", "X-Stack-Stack")
    shape = lines * of_lines + curves * equally("GAMM") + (1 - lines - curves) * of_trees
    return {
        "not shrunk": by(own, 1.0),
        "half way to equal weights": by((own + equal) / 2),
        "equal weights": by(equal),
        "by the effect's shape": by(shape),
        "two always, trees as the effect varies": by(
            (1 - varies / 2) * pair + varies / 2 * all_trees, 1.0
        ),
    }


def errors_table(store: Path) -> pd.DataFrame:
    """Root mean squared errors by other weights over those of `Robust`, where effects differ."""
    columns = {}
    for kind, title in {"broad": "broad trials", "row": "situations"}.items():
        records = [one for one in read(store, kind) if np.ptp(one["truth"]) > 0]
        ratios = []
        for one in records:
            own = np.mean((one["estimate"] - one["truth"]) ** 2)
            others = recombined(one).items()
            ratios.append(
                {n: np.log(np.mean((e - one["truth"]) ** 2) / own) / 2 for n, e in others}
            )
        logs = pd.DataFrame(ratios)
        if kind == "row":
            logs = logs.groupby([int(one["place"]) for one in records]).mean()
            columns["worst situation"] = np.exp(logs.max()).round(3)
        columns[f"{title} ({len(records)} trials)"] = [
            f"{np.exp(mean):.3f} ({error:.3f})"
            for mean, error in zip(logs.mean(), logs.sem(), strict=True)
        ]
    return pd.DataFrame(columns).rename_axis("weights").reset_index()


def main() -> None:
    """Fit what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--broad", type=int, default=80, help="numbers of broad trials tried")
    parser.add_argument("--draws", type=int, default=5, help="of each of the 16 situations")
    parser.add_argument(
        "--rows", nargs="+", type=int, help="which of them, from 0; all if left out"
    )
    parser.add_argument("--most-persons", type=int, default=800)
    parser.add_argument("--store", type=Path, default=STORE)
    options = parser.parse_args()
    collect(options.store, options)
    print(markdown(widths_table(options.store)), "\n")
    print(markdown(errors_table(options.store)))


if __name__ == "__main__":
    main()
