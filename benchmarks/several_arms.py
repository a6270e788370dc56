"""Three arms: size and power of the one test over all contrasts, and what three arms cost.

p-values under constant effects (`python benchmarks/several_arms.py size`), where one arm of
two has an effect that differs (`power`), and time over that of the two-arm analyses (`cost`, of
four arms by the model named: `cost LMM 4`). `pooled` compares the linear mixed model of each pair
of arms with one of all arms, whose variance components are those of all (`pooled 100 12`: 100
trials of 12 clusters).
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd
from scipy import stats

import tauhat as th
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.reml_search import exponential_prior

WITHOUT_EFFECT = {"a": 0.0, "b": 1.0, "c": 2.0, "d": 1.0}
# That of the registry's LMM.
PRIOR_RATE = 10.0
DESIGNS = {"12 clusters": 12, "21 clusters": 21, "39 clusters": 39, "150 persons": 0}


def made(m: int, seed: int, slope: float = 0.0, arms: int = 3) -> th.Trial:
    """A trial of several arms: clusters of 4 to 24 persons, or persons; arm c has the slope."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 25, m) if m else np.ones(150, dtype=int)
    unit = np.repeat(np.arange(len(sizes)), sizes)
    arm = rng.permutation(np.arange(len(sizes)) % arms)[unit]
    df = pd.DataFrame({"unit": unit, "arm": np.array(list("abcd"))[arm]})
    df["x1"], df["x2"], df["x3"] = rng.normal(size=(3, len(df)))
    df["v"] = rng.normal(size=len(sizes))[unit]
    level = 0.4 * rng.normal(size=len(sizes))[unit] if m else 0.0
    noise = rng.standard_exponential(len(df)) - 1
    df["y"] = df.arm.map(WITHOUT_EFFECT) + df.x1 + 0.5 * df.v + level + noise
    df["y"] += slope * df.x1 * (df.arm == "c")
    roles = {"cluster": "unit"} if m else {}
    covariates = ["x1", "x2", "x3", "v"]
    return th.Trial(df, outcome="y", treatment="arm", control="a", covariates=covariates, **roles)


def rejections(draws: int, slope: float) -> None:
    """Share of trials with p at most .05: all contrasts, each alone adjusted, either unadjusted."""
    print("design           all  b adj  c adj  either, unadjusted")
    for name, m in DESIGNS.items():
        found = []
        for seed in range(draws):
            test = th.test_contrasts(made(m, seed, slope), random_state=seed, n_permutations=199)
            own, adjusted = test.table.p_value, test.table.p_adjusted
            found.append([test.p_value, *adjusted, own.min()])
        shares = (np.array(found) <= 0.05).mean(axis=0)
        print(f"{name:<13}" + "".join(f"{share:7.3f}" for share in shares), flush=True)


def cost(model: str, arms: int) -> None:
    """CPU seconds of an analysis of several arms, and of each of its contrasts alone."""
    trial = made(13 * arms, 1, 0.5, arms)
    th.analyze(trial.contrast("b"), models=["LMM"], random_state=1)

    def seconds(one: th.Trial) -> float:
        start = time.process_time()
        th.analyze(one, models=model, random_state=1)
        return time.process_time() - start

    whole = seconds(trial)
    alone = sum(map(seconds, trial.contrasts.values()))
    print(f"{arms} arms {whole:.1f} s, {arms - 1} pairs {alone:.1f} s, ratio {whole / alone:.2f}")


def coefficients(trial: th.Trial, arms: tuple[int, ...]) -> dict[int, tuple[np.ndarray, ...]]:
    """Estimate, error and t quantile of everyone's effect of each arm against the first.

    A linear mixed model of these arms: their means, covariates, covariates by arm with one
    variance for all, and an intercept of each cluster. Of two arms it is `LMM`.
    """
    kept = np.isin(trial.treatment, arms)
    X = trial.X.to_numpy()
    X = (X - X[kept].mean(axis=0)) / X[kept].std(axis=0)
    p, k = X.shape[1], len(arms)
    arm = trial.treatment[kept][:, None] == np.array(arms)
    unit = pd.factorize(trial.clusters[kept])[0]
    # Scaled so that the difference of two arms varies as in a model of these two.
    by_arm = [np.sqrt(0.5) * (arm[:, [a]] - 1 / k) * X[kept] for a in range(k)]
    y = (trial.y[kept] - trial.y[kept].mean()) / trial.y[kept].std()
    model = MixedModel(y, np.hstack([arm, X[kept]]), [np.hstack(by_arm)], unit)
    fit = model.fit(penalty=exponential_prior([0], PRIOR_RATE))
    found = {}
    for a in range(1, k):
        rows = np.zeros((len(X), len(fit.coefficients)))
        rows[:, [0, a]] = [-1, 1]
        own = slice(k + p * (1 + a), k + p * (2 + a))
        rows[:, k + p : k + 2 * p], rows[:, own] = -np.sqrt(0.5) * X, np.sqrt(0.5) * X
        rows *= trial.y[kept].std()
        quantile = stats.t.ppf(0.975, unit.max() + 1 - k)
        found[arms[a]] = (rows @ fit.coefficients, fit.standard_errors(rows), quantile)
    return found


def pooled(trials: int, clusters: tuple[int, ...]) -> None:
    """Error, coverage and width of the model's intervals, pairs of arms and all arms."""
    print("clusters  models of   RMSE          coverage      width")
    for m in clusters:
        rows: dict[str, list[list[float]]] = {"pairs": [], "all arms": []}
        for seed in range(trials):
            trial = made(m, seed, 0.5)
            truth = {1: np.ones(trial.n), 2: 2 + 0.5 * trial.X["x1"].to_numpy()}
            pairs = {**coefficients(trial, (0, 1)), **coefficients(trial, (0, 2))}
            for name, found in (("pairs", pairs), ("all arms", coefficients(trial, (0, 1, 2)))):
                parts = []
                for arm, (effect, error, quantile) in found.items():
                    off = effect - truth[arm]
                    covered = np.abs(off) <= quantile * error
                    parts.append([(off**2).mean(), covered.mean(), (2 * quantile * error).mean()])
                mean = np.mean(parts, axis=0)
                rows[name].append([np.sqrt(mean[0]), *mean[1:]])
        for name, values in rows.items():
            se = np.std(values, axis=0, ddof=1) / np.sqrt(trials)
            cells = "  ".join(
                f"{a:.3f} ({b:.3f})" for a, b in zip(np.mean(values, axis=0), se, strict=True)
            )
            print(f"{m:<9} {name:<10} {cells}", flush=True)
        ratio = np.array(rows["all arms"])[:, 0].mean() / np.array(rows["pairs"])[:, 0].mean()
        print(f"{m:<9} RMSE of all arms over pairs {ratio:.3f}", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    what, *count = sys.argv[1:]
    if what == "cost":
        cost(count[0] if count else "default", int(count[1]) if len(count) > 1 else 3)
    elif what == "pooled":
        pooled(int(count[0]) if count else 100, tuple(map(int, count[1:])) or (12, 20, 40))
    else:
        rejections(int(count[0]) if count else 400, 0.5 if what == "power" else 0.0)
