"""Coverage and size of the descriptive functions over simulated trials, with Monte Carlo errors.

For each design: coverage of 95% intervals (sorted groups, the top group and its difference from
the bottom one, named subgroups, found subgroups, policy values) and size at 5% of the one-sided
tests (slope of the best linear predictor, AUTOC) where effects are constant, else their power.

Usage: python benchmarks/descriptive_coverage.py --draws 20 --designs m20-constant m500-linear
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import tauhat as th
from tauhat.inference import HeterogeneityTest
from tauhat.inference.boxes import extreme_boxes
from tauhat.inference.cross_fitting import CrossFit
from tauhat.inference.inputs import ordered_trial
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import scenario

# Number of clusters, or of persons in individually randomized trials, and the true effect.
DESIGNS = {
    "m16-constant": (16, "constant"),
    "m20-constant": (20, "constant"),
    "m20-nonlinear": (20, "nonlinear"),
    "m32-constant": (32, "constant"),
    "m32-weak": (32, "weak"),
    # Twelve treated clusters, in which the variance is larger.
    "m32-weak-unequal": (32, "weak"),
    "m32-linear": (32, "linear"),
    # Pairs and triples of clusters with like outcomes, arms dealt within them.
    "m40-constant-blocks2": (40, "constant"),
    "m40-linear-blocks2": (40, "linear"),
    "m39-constant-blocks3": (39, "constant"),
    "m40-constant-blocks4": (40, "constant"),
    "n500-constant": (500, "constant"),
    "n500-linear": (500, "linear"),
}


def draw(design: str, seed: int) -> tuple[tuple, np.ndarray]:
    """One trial of a design, as the functions take it, and the true effects."""
    size, effect = DESIGNS[design]
    if design.startswith("m"):
        settings = (
            {"n_clusters": size} if effect == "weak" else {"n_clusters": size, "effect": effect}
        )
        if design.endswith("-unequal"):
            settings["share_treated"] = 12 / 32
        name = "crt-null-weak" if effect == "weak" else "crt"
        trial = scenario(name, **settings).draw(None, seed)
        if "-blocks" in design:
            return in_blocks(trial, int(design[-1]), seed), np.asarray(trial.tau)
        return tuple(trial), np.asarray(trial.tau)
    # Persons one by one: clusters of the same surfaces with no cluster effect, arms dealt anew.
    trial = scenario("crt", n_clusters=size, mean_size=5, size_cv=0, icc=0, effect=effect).draw(
        None, seed
    )
    rng = np.random.default_rng(derive_seed(seed, "persons"))
    keep = np.sort(rng.choice(len(trial.y), size=size, replace=False))
    arm = rng.permutation(np.arange(size) % 2)
    y = np.where(arm == 1, trial.nodes.y1.to_numpy()[keep], trial.nodes.y0.to_numpy()[keep])
    X = trial.X.iloc[keep].reset_index(drop=True)
    return (X, y, arm), np.asarray(trial.tau)[keep]


def in_blocks(trial, size: int, seed: int) -> tuple:
    """The trial with arms dealt anew within blocks of clusters whose outcomes are alike."""
    rng = np.random.default_rng(derive_seed(seed, "blocks"))
    level = trial.nodes.y0.groupby(np.asarray(trial.clusters)).mean()
    block = pd.Series(np.argsort(np.argsort(level.to_numpy())) // size, level.index)
    arm = pd.Series(0, level.index)
    for _, own in block.groupby(block):
        # One treated cluster of two; one or two of three.
        treated = size // 2 + (rng.integers(2) if size % 2 else 0)
        arm[rng.permutation(own.index)[:treated]] = 1
    arms = arm[trial.clusters].to_numpy()
    y = np.where(arms == 1, trial.nodes.y1, trial.nodes.y0)
    return trial.X, y, arms, trial.clusters, None, block[trial.clusters].to_numpy()


def covered(estimate, truth: float) -> float:
    return float(estimate.lower <= truth <= estimate.upper)


def one_trial(design: str, replicate: int, splits: int, estimator: str) -> dict:
    """What each function gives in one simulated trial."""
    start = time.process_time()
    given, tau = draw(design, derive_seed(20261124, design, replicate))
    fit = th.cross_fit(given, estimator, n_splits=splits, random_state=replicate)
    true = tau[ordered_trial(given).rows]
    row: dict[str, float] = {}
    groups = th.sorted_group_effects(fit, n_groups=4)
    member = np.eye(4)[fit.quantile_groups(4)]
    means = np.einsum("snk,n->sk", member, true) / member.sum(axis=1)
    target = means.mean(axis=0)
    row["sorted groups"] = np.mean(
        [covered(g, t) for g, t in zip(groups.groups, target, strict=True)]
    )
    row["top group"] = covered(groups.groups[-1], target[-1])
    row["top less bottom"] = covered(groups.difference, target[-1] - target[0])
    row["top bias"] = groups.groups[-1].estimate - target[-1]
    row["top width"] = groups.groups[-1].upper - groups.groups[-1].lower
    fitted = th.estimator(estimator, random_state=1).fit_data(fit.data)
    row |= naive_top(fit, fitted.predict_effect(fit.data.X), true)
    for name, rule in (("x1", fit.data.X[:, 0] > 0), ("w1", fit.data.X[:, 7] > 0)):
        try:
            named = th.group_effect(fit, rule[np.argsort(fit.rows)])
        except th.TrialError:
            # A cluster-level rule may leave an arm with fewer than two clusters.
            continue
        row[f"{name} > 0"] = covered(named.inside, true[rule].mean())
        gap = true[rule].mean() - true[~rule].mean()
        row[f"{name} difference"] = covered(named.difference, gap)
    found = th.find_subgroups(fit, heterogeneity=NO_TEST)
    if found.subgroups:
        truth = found_truth(fit, true)
        row["found subgroup"] = covered(found.subgroups[0].effect, truth[0])
        row["found difference"] = covered(found.difference, truth[0] - truth[1])
    policy = th.policy_value(fit, threshold=0.4)
    treats = fit.effects > 0.4
    row["policy over none"] = covered(policy.over_none, float((treats * true).mean()))
    row["policy over all"] = covered(policy.over_all, float(((treats - 1.0) * true).mean()))
    row["slope rejects"] = float(th.best_linear_predictor(fit).p_value <= 0.05)
    ranked = th.rate(fit)
    row["AUTOC rejects"] = float(ranked.autoc.p_value <= 0.05)
    row["Qini rejects"] = float(ranked.qini.p_value <= 0.05)
    row["seconds"] = time.process_time() - start
    return {"design": design} | row


def naive_top(fit: CrossFit, effects: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """The same top quarter, chosen by a fit that saw everyone: what is never offered."""
    everyone = CrossFit(
        fit.trial, fit.rows, fit.frame, fit.estimator, np.zeros((1, fit.data.n), dtype=int),
        np.tile(effects, (1, 1, 1)), fit.outcome[:1], fit.seed,
    )  # fmt: skip
    top = everyone.quantile_groups(4)[0] == 3
    estimate = th.group_effect(everyone, top[np.argsort(fit.rows)]).inside
    return {"naive top group": covered(estimate, true[top].mean())}


def found_truth(fit: CrossFit, true: np.ndarray) -> np.ndarray:
    """True effect of the held-out members of the found subgroups, mean over splits."""
    means = []
    for folds, surfaces in zip(fit.folds, fit.surfaces, strict=True):
        inside = np.zeros((len(true), 2), dtype=bool)
        for fold, surface in enumerate(surfaces):
            boxes = extreme_boxes(
                fit.data.X, surface, fit.weight, np.arange(fit.data.X.shape[1]),
                max_depth=2, min_share=0.2,
            )  # fmt: skip
            rows = folds == fold
            for j, box in enumerate(boxes or ()):
                inside[rows, j] = box.members(fit.data.X[rows])
        means.append([true[inside[:, j]].mean() if inside[:, j].any() else np.nan for j in (0, 1)])
    return np.nanmean(means, axis=0)


NO_TEST = HeterogeneityTest(
    np.nan, 1.0, "not run", pd.DataFrame(), pd.DataFrame(), 1, False, 0.05, ()
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--estimator", default="GAMM")
    parser.add_argument("--designs", nargs="+", default=["m20-constant", "n500-linear"])
    parser.add_argument("--out", help="file for the rows of the trials")
    options = parser.parse_args()
    rows = []
    for design in options.designs:
        for replicate in range(options.first, options.first + options.draws):
            rows.append(one_trial(design, replicate, options.splits, options.estimator))
            if options.out:
                pd.DataFrame(rows).to_csv(options.out, index=False)
    table = pd.DataFrame(rows)
    grouped = table.groupby("design", sort=False)
    print(f"{options.draws} trials a design, {options.estimator}, {options.splits} splits")
    print(grouped.mean().T.round(3).to_string())
    print("Monte Carlo standard errors")
    print(grouped.sem().T.round(3).to_string())


if __name__ == "__main__":
    main()
