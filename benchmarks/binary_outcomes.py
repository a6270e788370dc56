"""Risk differences of 0/1 outcomes: models on the log odds beside today's learners on 0/1.

Beside models on the log odds stand the Bayesian learners of events (BRM, BCF, BART) with the
intervals of `effect_interval`. Root mean squared error of the individual risk differences in
percentage points by cell, and its ratio to that of the reference, as geometric mean over the
trials with heterogeneous risk differences. The reference is the plain mean of LMM, BRM, BCF-RE
(BCF where persons are randomized) and X-GAMM-RF (X-RF) on 0/1 as numbers, or with --quick LMM
alone. The Bayesian ones of the reference run with few draws, as in the study whose cells these
are.

    python benchmarks/binary_outcomes.py --draws 3
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import partial

import numpy as np
import pandas as pd

import tauhat as th
from tauhat.data import validate_trial
from tauhat.numerics.marginal_risks import draw_interval
from tauhat.numerics.responses import Binomial
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.splines import smooth_columns, smooth_terms
from tauhat.numerics.standardised_columns import column_scales, constant_within
from tauhat.numerics.two_arm_logit import TwoArmModel
from tauhat.simulate import BinaryTrial
from tauhat.simulate.scenario import SimulatedTrial

SMALL = {"n_clusters": 20, "mean_size": 40.0}
LARGE = {"n_clusters": 40, "mean_size": 31.0}
PERSONS = {"n_clusters": None}
# Settings of each cell and, where persons are randomized, their number.
CELLS: dict[str, tuple[dict, int | None]] = {
    "C1": ({**SMALL, "effect": "null", "base_risk": 0.30, "icc": 0.10}, None),
    "C2": ({**LARGE, "effect": "risk-difference", "base_risk": 0.30, "icc": 0.03}, None),
    "C3": ({**SMALL, "effect": "odds-ratio", "base_risk": 0.30, "icc": 0.03}, None),
    "C4": ({**LARGE, "effect": "odds-ratio", "base_risk": 0.10, "icc": 0.10}, None),
    "C5": ({**SMALL, "effect": "linear-log-odds", "base_risk": 0.50, "icc": 0.10}, None),
    "C6": ({**LARGE, "effect": "linear-log-odds", "base_risk": 0.10, "icc": 0.03}, None),
    "C7": ({**LARGE, "effect": "threshold-log-odds", "base_risk": 0.30, "icc": 0.03}, None),
    "C8": ({**LARGE, "effect": "additive-risk", "base_risk": 0.30, "icc": 0.03}, None),
    "C9": ({**SMALL, "effect": "additive-risk", "base_risk": 0.30, "icc": 0.10}, None),
    "C10": ({**LARGE, "effect": "odds-ratio", "base_risk": 0.05, "icc": 0.03}, None),
    "I1": ({**PERSONS, "effect": "odds-ratio", "base_risk": 0.30}, 300),
    "I2": ({**PERSONS, "effect": "linear-log-odds", "base_risk": 0.30}, 750),
    "I3": ({**PERSONS, "effect": "threshold-log-odds", "base_risk": 0.50}, 750),
    "I4": ({**PERSONS, "effect": "null", "base_risk": 0.30}, 300),
    "I5": ({**PERSONS, "effect": "odds-ratio", "base_risk": 0.10}, 750),
    "I6": ({**PERSONS, "effect": "additive-risk", "base_risk": 0.30}, 750),
}
FLAT = ("null", "risk-difference")
DRAWS = 300


class LogOddsModel:
    """Lines and curves of all covariates in the log odds, and in its interactions if any."""

    def __init__(self, trial: SimulatedTrial, *, curves: bool = True, interactions: bool = True):
        X = trial.X.to_numpy(float)
        self.mean, self.scale = column_scales(X)
        level = constant_within(X, trial.clusters)
        units = len(X) if trial.clusters is None else int(trial.clusters.max()) + 1
        self.terms = smooth_terms(X, level, units) if curves else []
        blocks = [block for block in self.blocks(X) if block.shape[1]]
        model = TwoArmModel(
            Binomial(trial.y),
            trial.treatment,
            blocks,
            blocks if interactions else [],
            clusters=trial.clusters,
        )
        self.fitted = model.fit()

    def blocks(self, X: np.ndarray) -> list[np.ndarray]:
        """Lines and curves."""
        return [(X - self.mean) / self.scale, smooth_columns(self.terms, X)]

    def designs(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns of the prognosis and of the effect."""
        prognosis = np.hstack(self.blocks(X))
        return prognosis, prognosis[:, : self.fitted.n_effect]

    def risk_difference(self, X: np.ndarray) -> np.ndarray:
        """Difference of the marginal risks, shape (k,)."""
        control, treated = self.fitted.risks(*self.designs(X))
        return treated - control

    def interval(self, X: np.ndarray, df: float) -> tuple[np.ndarray, np.ndarray]:
        """Limits of the risk difference from the model's own posterior."""
        rng = np.random.default_rng(1)
        control, treated = self.fitted.risk_draws(*self.designs(X), DRAWS, rng)
        return draw_interval(treated, control, "difference", "logit", degrees_of_freedom=df)


class RiskModel(LogOddsModel):
    """Constant odds ratio, then an odds ratio that changes with the predicted log odds alone."""

    def __init__(self, trial: SimulatedTrial):
        self.base = LogOddsModel(trial, interactions=False)
        X = trial.X.to_numpy(float)
        raw = self.log_odds(X)
        self.mean, self.scale = raw.mean(), max(raw.std(), 1e-6)
        block = [(raw - self.mean)[:, None] / self.scale]
        model = TwoArmModel(
            Binomial(trial.y), trial.treatment, block, block, clusters=trial.clusters, prior_rate=0
        )
        # Prior SDs of the predictor's coefficient and of its interaction; the intercept's is free.
        self.fitted = model.fit(np.array([100.0, 0.3**2, np.nan])[: model.model.n_variances])

    def log_odds(self, X: np.ndarray) -> np.ndarray:
        """Mean of both arms' log odds."""
        return sum(self.base.fitted.predictors(*self.base.designs(X))) / 2

    def blocks(self, X: np.ndarray) -> list[np.ndarray]:
        """The predicted log odds in standard units."""
        return [(self.log_odds(X) - self.mean)[:, None] / self.scale]


def on_log_odds(trial: SimulatedTrial) -> dict[str, LogOddsModel]:
    """The models on the log odds by name, with the seconds that each took."""
    kinds = {
        "logit GAMM": LogOddsModel,
        "logit LMM": partial(LogOddsModel, curves=False),
        "odds ratio": partial(LogOddsModel, interactions=False),
        "Risk": RiskModel,
    }
    models = {}
    for name, kind in kinds.items():
        start = time.process_time()
        models[name] = kind(trial)
        models[name].seconds = time.process_time() - start
    return models


def today(trial: SimulatedTrial, seed: int, *, quick: bool) -> dict[str, np.ndarray]:
    """Effects of today's learners on 0/1."""
    names = ["LMM", "GAMM"]
    if not quick:
        more = ["BRM", "BCF", "X-RF"] if trial.clusters is None else ["BRM", "BCF-RE", "X-GAMM-RF"]
        names += more
    numbers = validate_trial(
        trial.X, trial.y, trial.treatment, trial.clusters, endpoint="continuous"
    )
    effects = {}
    for name in names:
        model = th.estimator(name, random_state=seed)
        if name in ("BRM", "BCF", "BCF-RE"):
            model = model.reduced()
        effects[name] = model.fit_data(numbers).effect(trial.X)
    return effects


def of_events(trial: SimulatedTrial, seed: int) -> dict[str, th.CateEstimator]:
    """The Bayesian learners fitted to events, by name, with the seconds that each took."""
    trees = "BCF" if trial.clusters is None else "BCF-RE"
    models = {}
    for name, label in (("BRM", "BRM"), (trees, "BCF"), ("BART-RE", "BART")):
        start = time.process_time()
        model = th.estimator(name, random_state=seed).fit(*trial)
        model.seconds = time.process_time() - start
        models[f"{label} of events"] = model
    reference = models["BCF of events"].reference_posterior()
    models["BART of events"].reference_posterior_ = reference
    return models


def one_trial(cell: str, number: int, *, quick: bool) -> list[dict]:
    """Errors of all models in one trial, at its persons."""
    settings, n = CELLS[cell]
    seed = derive_seed(20261128, cell, number)
    trial = BinaryTrial(**settings).draw(n, seed)
    X = trial.X.to_numpy(float)
    units = len(X) if trial.clusters is None else int(trial.clusters.max()) + 1
    effects = today(trial, 1, quick=quick)
    members = [value for name, value in effects.items() if name != "GAMM"]
    effects["reference"] = np.mean(members, axis=0)
    rows = []
    inside = {}
    for name, model in on_log_odds(trial).items():
        effects[name] = model.risk_difference(X)
        low, high = model.interval(X, units - 2)
        covered = np.mean((low <= trial.tau) & (trial.tau <= high))
        inside[name] = {
            "seconds": model.seconds,
            "coverage": 100 * covered,
            "width": 100 * np.mean(high - low),
        }
    for name, model in ({} if quick else of_events(trial, 1)).items():
        effects[name] = model.effect(trial.X)
        low, high = model.effect_interval(trial.X)
        covered = np.mean((low <= trial.tau) & (trial.tau <= high))
        inside[name] = {
            "seconds": model.seconds,
            "coverage": 100 * covered,
            "width": 100 * np.mean(high - low),
        }
    reference = np.sqrt(np.mean((effects["reference"] - trial.tau) ** 2))
    for name, effect in effects.items():
        rmse = np.sqrt(np.mean((effect - trial.tau) ** 2))
        row = {"cell": cell, "model": name, "kind": settings["effect"], "points": 100 * rmse}
        row["log ratio"] = np.log(rmse / reference)
        rows.append({**row, **inside.get(name, {})})
    return rows


def report(results: pd.DataFrame) -> None:
    """Print the errors by cell, and the ratios by kind of effect with their Monte Carlo errors."""
    errors = results.pivot_table(index="model", columns="cell", values="points", sort=False)
    print("Root mean squared error, percentage points")
    print(errors.round(1).to_string())
    varied = results[~results["kind"].isin(FLAT)]
    kinds = {"all": varied, **dict(tuple(varied.groupby("kind", sort=False)))}
    table = {}
    for kind, rows in kinds.items():
        logs = rows.groupby("model", sort=False)["log ratio"]
        ratio, error = np.exp(logs.mean()), np.exp(logs.mean()) * logs.sem()
        table[kind] = [f"{r:.2f} ({e:.2f})" for r, e in zip(ratio, error, strict=True)]
        names = ratio.index
    frame = pd.DataFrame(table, index=names)
    flat = results[results["kind"].isin(FLAT)].groupby("model", sort=False)["points"]
    frame["flat, points"] = [f"{v:.1f}" for v in flat.mean().reindex(names)]
    means = results.groupby("model", sort=False)[["coverage", "width", "seconds"]].mean()
    frame = frame.join(means.round({"coverage": 1, "width": 1, "seconds": 3}))
    print("\nRatio to the reference (Monte Carlo error), and intervals, %")
    print(frame.to_string(na_rep=""), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--cells", nargs="+", default=list(CELLS))
    parser.add_argument("--quick", action="store_true", help="LMM alone as the reference")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for number in range(given.first, given.first + given.draws):
        for cell in given.cells:
            rows += one_trial(cell, number, quick=given.quick)
    report(pd.DataFrame(rows))


if __name__ == "__main__":
    main()
