"""What `Robust` learns its rule from, and the rule: broad cluster trials, fitted once each.

Every trial of `tauhat.simulate.BroadTrial` leaves a small file with what its members say of new
persons, so the command can be stopped and goes on where it was. Then weights, shrinkage and
interval width are fitted to all files and written into the package. Trials of more than
`--most-persons` persons (at 8 covariates; fewer with more) are passed over.

Usage: python benchmarks/train_robust.py --trials 253 --jobs 2
       python benchmarks/train_robust.py --trials 253 --check    # the rule against the members, by
                                                                 # tenfold cross-validation
"""

from __future__ import annotations

import argparse
import hashlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

import tauhat as th
from peer_tables import markdown
from tauhat.data import validate_trial
from tauhat.ensembles.distance import respects_of
from tauhat.ensembles.learned_rule import SHAPES_OF_CLUES, shape_clues
from tauhat.fitting.bootstrap import t_quantile
from tauhat.fitting.learning_view import learning_view
from tauhat.simulate import BroadTrial

STORE = Path("out/benchmarks/train_robust")
RULE = Path(__file__).parents[1] / "src" / "tauhat" / "ensembles" / "robust_rule.toml"
SEED = 100_000
TEST_PERSONS = 400
CLUES = tuple(SHAPES_OF_CLUES)
# A squared error below this part of the residual variance is as good as none.
NEGLIGIBLE = 0.02**2
# Ridge penalties: of the members' weights, of what clues do to them, of the shrinkage's constants.
PENALTY = 0.01
LEVEL = 0.95


def path_of(store: Path, number: int) -> Path:
    """File of one trial."""
    return store / f"cluster-{number}.npz"


def is_cheap(number: int, most_persons: int) -> bool:
    """Whether a trial is small enough to be fitted."""
    trial = BroadTrial(clusters=True).draw(random_state=SEED + number)
    return len(trial.y) * max(1.0, trial.X.shape[1] / 8) <= most_persons


def fit_one(store: Path, number: int) -> str:
    """Fit the members to one trial and keep what they say of persons from new clusters."""
    path = path_of(store, number)
    scenario = BroadTrial(clusters=True)
    trial = scenario.draw(random_state=SEED + number)
    persons = scenario.population(TEST_PERSONS, SEED + number)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = th.estimator("Robust", random_state=SEED + number).fit(*trial)
        X = np.asarray(persons.X, dtype=np.float64)
        effects = model.member_effects(X)
        draws = model.reference_posterior().effect_draws(X)
    data, names = model.trial_data_, list(model.members_)
    evidence = model.evidence_
    clues = shape_clues(evidence)
    part = path.with_name(path.name + ".part.npz")
    np.savez_compressed(
        part,
        names=names,
        effects=np.array([effects[name] for name in names], dtype=np.float32),
        means=[model.training_effects_[name].mean() for name in names],
        truth=persons.tau.astype(np.float32),
        reference=np.array([draws.mean(axis=0), draws.std(axis=0)], dtype=np.float32),
        clues=[clues[name] for name in CLUES],
        log_bayes_factor=evidence.log_bayes_factor,
        sizes=[data.n_units, data.n, data.X.shape[1]],
        noise=float(np.std(trial.nodes["y0"] - trial.mu0)),
    )
    os.replace(part, path)
    return f"{number}: {data.n} persons, {data.n_units} clusters"


@dataclass(frozen=True)
class Trials:
    """All trials as arrays; effects are in SDs of the outcome's noise.

    Attributes
    ----------
    members
        Names of the members.
    products
        Mean products, over the test persons, of the members' mean effects and their
        deviations from them, shape (t, 2k, 2k).
    with_truth
        The same of both and the true effects, shape (t, 2k).
    truth
        Mean squared true effect, shape (t,).
    clues
        Shape (t, clues).
    evidence
        Log Bayes factors, shape (t,).
    respects
        What distances from these trials are measured by (`tauhat.ensembles.distance`).
    """

    members: tuple[str, ...]
    products: np.ndarray
    with_truth: np.ndarray
    truth: np.ndarray
    clues: np.ndarray
    evidence: np.ndarray
    respects: pd.DataFrame
    same_effect: np.ndarray
    records: list[dict[str, Any]]

    def take(self, rows: np.ndarray) -> Trials:
        """Some of the trials."""
        kept = [self.records[row] for row in np.arange(len(self.records))[rows]]
        arrays = (
            self.products, self.with_truth, self.truth, self.clues, self.evidence,
        )  # fmt: skip
        return Trials(
            self.members,
            *(one[rows] for one in arrays),
            self.respects[rows],
            self.same_effect[rows],
            kept,
        )


def read_trials(store: Path) -> Trials:
    """All files whose members were all fitted."""
    paths = sorted(store.glob("cluster-*.npz"), key=lambda p: int(p.stem.split("-")[1]))
    records = [
        {**np.load(path), "number": int(path.stem.split("-")[1])}
        for path in paths
        if ".part" not in path.name
    ]
    members = max((tuple(map(str, one["names"])) for one in records), key=len)
    records = [one for one in records if len(one["names"]) == len(members)]
    products, with_truth, truth = [], [], []
    for one in records:
        noise, means = float(one["noise"]), one["means"][:, None]
        # An effect of nought is as good as any other for everyone: levels count from their mean.
        origin = means.mean()
        apart = one["effects"] - means
        both = np.vstack([np.repeat(means - origin, apart.shape[1], axis=1), apart]) / noise
        target = (one["truth"] - origin) / noise
        products.append(both @ both.T / len(target))
        with_truth.append(both @ target / len(target))
        truth.append(np.mean(target**2))
    return Trials(
        members,
        *map(np.array, (products, with_truth, truth)),
        np.array([one["clues"] for one in records]),
        np.array([float(one["log_bayes_factor"]) for one in records]),
        respects_of_trials([one["number"] for one in records]),
        np.array([np.ptp(one["truth"]) == 0 for one in records]),
        records,
    )


def respects_of_trials(numbers: list[int]) -> pd.DataFrame:
    """What distances are measured by, of trials that are drawn again."""
    found = []
    for number in numbers:
        trial = BroadTrial(clusters=True).draw(random_state=SEED + number)
        found.append(respects_of(learning_view(validate_trial(*trial))))
    return pd.DataFrame(found)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Positive weights of each row that sum to one."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


class Fit:
    """Constants of the rule: least mean squared error, relative to that of equal weights."""

    def __init__(self, trials: Trials) -> None:
        self.trials, self.k, self.c = trials, len(trials.members), 1 + trials.clues.shape[1]
        equal = np.full((len(trials.truth), 2 * self.k), 1 / self.k)
        self.usual = squared_error(trials, equal) + NEGLIGIBLE
        self.typical = trials.clues.mean(axis=0)
        start = np.zeros(self.k * self.c + self.k + 2)
        start[-2] = np.log(4)
        found = minimize(self._loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
        self.weight = found.x[: self.k * self.c].reshape(self.k, self.c)
        self.level = found.x[self.k * self.c : -2]
        self.shrinkage = float(found.x[-2]), float(np.exp(found.x[-1]))
        self.constants = found.x

    def combination(self, trials: Trials, constants: np.ndarray) -> tuple[np.ndarray, ...]:
        """Level weights, weights and factor of each trial, and the rows of the clues."""
        weight = constants[: self.k * self.c].reshape(self.k, self.c)
        rows = np.column_stack([np.ones(len(trials.truth)), trials.clues - self.typical])
        level = softmax(np.tile(constants[self.k * self.c : -2], (len(rows), 1)))
        odds = constants[-2] + np.exp(constants[-1]) * trials.evidence
        return level, softmax(rows @ weight.T), 1 / (1 + np.exp(-np.clip(odds, -40, 40))), rows

    def errors(self, trials: Trials) -> np.ndarray:
        """Mean squared error of the rule in each trial, in noise variances."""
        level, weights, factor, _ = self.combination(trials, self.constants)
        return squared_error(trials, np.hstack([level, factor[:, None] * weights]))

    def _loss(self, constants: np.ndarray) -> tuple[float, np.ndarray]:
        trials, k, c = self.trials, self.k, self.c
        level, weights, factor, rows = self.combination(trials, constants)
        shares = np.hstack([level, factor[:, None] * weights])
        error = squared_error(trials, shares) + NEGLIGIBLE
        slope = np.einsum("tij,tj->ti", trials.products, shares) - trials.with_truth
        slope /= (self.usual * len(error))[:, None]
        of_weights = slope[:, k:] * factor[:, None]
        scores = weights * (of_weights - (of_weights * weights).sum(axis=1, keepdims=True))
        of_level = level * (slope[:, :k] - (slope[:, :k] * level).sum(axis=1, keepdims=True))
        odds = (slope[:, k:] * weights).sum(axis=1) * factor * (1 - factor)
        steepness = np.exp(constants[-1])
        gradient = np.concatenate(
            [
                (scores.T @ rows).ravel(),
                of_level.sum(axis=0),
                [odds.sum(), (odds * steepness * trials.evidence).sum()],
            ]
        )
        scale = np.full(len(constants), PENALTY / 4)
        scale[: k * c].reshape(k, c)[:, 1:] = PENALTY
        scale[-2:] = PENALTY / 10, PENALTY
        centre = np.zeros(len(constants))
        centre[-2] = np.log(4)
        away = constants - centre
        value = (error / self.usual).mean() / 2 + float(scale @ away**2)
        return value, gradient + 2 * scale * away


def squared_error(trials: Trials, shares: np.ndarray) -> np.ndarray:
    """Mean squared error of combinations, shape (t,), of shares of shape (t, 2k)."""
    square = np.einsum("ti,tij,tj->t", shares, trials.products, shares)
    error = square - 2 * (shares * trials.with_truth).sum(axis=1) + trials.truth
    return np.maximum(error, 0.0)


def own_effects(fit: Fit, trials: Trials) -> list[np.ndarray]:
    """Effects by the rule on the test persons of each trial, in the outcome's unit."""
    level, weights, factor, _ = fit.combination(trials, fit.constants)
    return [
        v @ one["means"] + s * (w @ (one["effects"] - one["means"][:, None]))
        for v, w, s, one in zip(level, weights, factor, trials.records, strict=True)
    ]


def distances(fit: Fit, trials: Trials) -> list[tuple[np.ndarray, np.ndarray]]:
    """Distance of the truth to the estimate, and half width of the interval before its factor."""
    found = []
    for one, effect in zip(trials.records, own_effects(fit, trials), strict=True):
        mean, sd = one["reference"]
        quantile = t_quantile(LEVEL, int(one["sizes"][0]) - 2)
        found.append((np.abs(one["truth"] - effect), quantile * np.hypot(sd, effect - mean)))
    return found


def learned_width(apart: list[tuple[np.ndarray, np.ndarray]], chosen: np.ndarray) -> float:
    """Factor at which the intervals cover as often as they should, on average over the trials."""
    needed = [far / half for (far, half), take in zip(apart, chosen, strict=True) if take]
    # Every trial has as many persons, so the mean over trials is that over all of them.
    return float(np.quantile(np.concatenate(needed), LEVEL))


def widths(fit: Fit, trials: Trials) -> tuple[float, float]:
    """Factors of the intervals without evidence for heterogeneity, and with it."""
    apart = distances(fit, trials)
    varying = ~trials.same_effect
    return (
        learned_width(apart, varying & (trials.evidence <= 1)),
        learned_width(apart, varying & (trials.evidence > 1)),
    )


def write_rule(store: Path) -> None:
    """Fit the rule to all trials and write it into the package."""
    trials = read_trials(store)
    fit = Fit(trials)
    low, high = widths(fit, trials)
    seen = trials.respects.agg(["min", "max"])
    digest = hashlib.sha256()
    for one in trials.records:
        digest.update(one["effects"].tobytes() + one["truth"].tobytes())

    def numbers(values: Any) -> str:
        return "[" + ", ".join(f"{value:.4f}" for value in values) + "]"

    lines = [
        "# Written by `python benchmarks/train_robust.py`, not by hand.",
        f"# Seed {SEED}; SHA-256 of effects and truth {digest.hexdigest()}.",
        f"trials = {len(trials.truth)}",
        "",
        "# Clues and their means.",
        "[clues]",
        *(f'"{name}" = {mean:.4f}' for name, mean in zip(CLUES, fit.typical, strict=True)),
        "",
        "# Of each member: a constant and what each clue above its mean adds to the log weight.",
        "[weight]",
        *(f'"{n}" = {numbers(row)}' for n, row in zip(trials.members, fit.weight, strict=True)),
        "",
        "# Log weight of each member's mean effect.",
        "[level]",
        *(f'"{n}" = {value:.4f}' for n, value in zip(trials.members, fit.level, strict=True)),
        "",
        "# Log odds of the factor s: a constant, and the slope of the log Bayes factor.",
        "[shrinkage]",
        f"intercept = {fit.shrinkage[0]:.4f}",
        f"slope = {fit.shrinkage[1]:.4f}",
        "",
        "# Factor of the intervals' half width.",
        "[width]",
        f"no_evidence = {low:.4f}",
        f"clear_evidence = {high:.4f}",
        "",
        "# Least and most that the trials had.",
        "[seen]",
        *(f'"{name}" = [{low:.4g}, {high:.4g}]' for name, (low, high) in seen.items()),
    ]
    RULE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def check(store: Path) -> pd.DataFrame:
    """Error of the rule in trials that it was not fitted to, beside each member's."""
    trials = read_trials(store)
    fold = np.random.default_rng(SEED).permutation(len(trials.truth)) % 10
    error = np.empty(len(fold))
    covered, wide = np.empty(len(fold)), np.empty(len(fold))
    for k in range(10):
        fit, rest = Fit(trials.take(fold != k)), trials.take(fold == k)
        error[fold == k] = fit.errors(rest)
        low, high = widths(fit, trials.take(fold != k))
        factor = np.interp(rest.evidence, [0.0, 5.0], [low, high])
        apart = distances(fit, rest)
        covered[fold == k] = [np.mean(d <= f * h) for (d, h), f in zip(apart, factor, strict=True)]
        wide[fold == k] = factor
    members = np.eye(len(trials.members))
    rows = {"the rule": error}
    for name, one in zip(trials.members, members, strict=True):
        rows[name] = squared_error(trials, np.tile(np.r_[one, one], (len(fold), 1)))
    rows["equal weights"] = squared_error(
        trials, np.full((len(fold), 2 * len(members)), 1 / len(members))
    )
    table = []
    for name, own in rows.items():
        ratio = np.log((own + NEGLIGIBLE) / (error + NEGLIGIBLE)) / 2
        error_of_mean = ratio.std() / len(ratio) ** 0.5
        table.append(
            {
                "weights": name,
                "RMSE over the rule's": f"{np.exp(ratio.mean()):.3f} ({error_of_mean:.3f})",
                "effect differs": f"{np.exp(ratio[~trials.same_effect].mean()):.3f}",
                "same effect": f"{np.exp(ratio[trials.same_effect].mean()):.3f}",
            }
        )
    print(f"\n{len(fold)} cluster trials, rule from the other nine tenths. Intervals cover")
    print(
        f"{covered.mean():.3f} ({covered[~trials.same_effect].mean():.3f} where effects differ), "
    )
    print(f"at {np.exp(np.log(wide).mean()):.2f} of the width without the rule.\n")
    return pd.DataFrame(table)


def main() -> None:
    """Collect, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=253, help="numbers tried")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--most-persons", type=int, default=1500)
    parser.add_argument("--store", type=Path, default=STORE)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="nothing is fitted or written")
    options = parser.parse_args()
    if not options.check:
        options.store.mkdir(parents=True, exist_ok=True)
        tasks = [
            number
            for number in range(options.first, options.first + options.trials)
            if not path_of(options.store, number).exists()
            and is_cheap(number, options.most_persons)
        ]
        for line in Parallel(n_jobs=options.jobs, return_as="generator")(
            delayed(fit_one)(options.store, number) for number in tasks
        ):
            print(line, flush=True)
        write_rule(options.store)
    print(markdown(check(options.store)))


if __name__ == "__main__":
    main()
