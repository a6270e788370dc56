"""Patients of providers in clinics: averages, the test and effects, with and without level three.

Clinics are randomized and hold 3 to 6 providers of 4 to 10 patients. The effect depends on a
covariate of the patient and one of the provider; of the outcome's variance without covariates
.07 lies between clinics and .21 between providers. An event (``events``) has log odds that
differ likewise, and patients of two visits, who are a level of their own.

    python benchmarks/three_levels.py averages --trials 400
    python benchmarks/three_levels.py size --trials 400
    python benchmarks/three_levels.py events --trials 400
    python benchmarks/three_levels.py effects --learners LMM --trials 30
    python benchmarks/three_levels.py effects --learners Robust --trials 4
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

import tauhat as th

NEW = 2000
SLOPES = (0.4, 0.3)


def effect_of(X: np.ndarray, slopes: tuple[float, float]) -> np.ndarray:
    """The effect at covariates: of the patient, of the provider."""
    return 0.4 + slopes[0] * X[:, 0] + slopes[1] * X[:, 1]


def draw(m: int, seed: int, slopes: tuple[float, float] = SLOPES) -> tuple[np.ndarray, ...]:
    """Covariates, outcome, arm, and clinic beside provider."""
    rng = np.random.default_rng([seed, m])
    of_clinic = rng.integers(3, 7, m)
    clinic = np.repeat(np.arange(m), of_clinic)
    patients = rng.integers(4, 11, len(clinic))
    provider = np.repeat(np.arange(len(clinic)), patients)
    clinic = clinic[provider]
    n = len(provider)
    arm = rng.permutation(np.arange(m) % 2)[clinic]
    X = np.column_stack([rng.normal(size=n), rng.normal(size=provider[-1] + 1)[provider]])
    X = np.column_stack([X, rng.normal(size=n)])
    level = np.sqrt(0.1) * rng.normal(size=m)[clinic]
    level += np.sqrt(0.3) * rng.normal(size=provider[-1] + 1)[provider]
    y = 0.5 * X[:, 0] + 0.3 * X[:, 1] + arm * effect_of(X, slopes) + level + rng.normal(size=n)
    return X, y, arm, np.column_stack([clinic, provider])


def draw_events(m: int, seed: int) -> tuple[np.ndarray, ...]:
    """The same of an event, two visits a patient; last the difference that treatment makes."""
    X, _, arm, levels = draw(m, seed)
    rng = np.random.default_rng([seed, m, 1])
    n = len(arm)
    log_odds = -1.5 + 0.5 * X[:, 0] + 0.3 * X[:, 1]
    # Deviations of clinics, providers and patients.
    for sd, unit in ((0.5, levels[:, 0]), (0.8, levels[:, 1]), (0.8, np.arange(n))):
        log_odds += sd * rng.normal(size=n)[unit]
    risks = [1 / (1 + np.exp(-log_odds - a * effect_of(X, SLOPES))) for a in (0, 1)]
    twice = np.repeat(np.arange(n), 2)
    event = (rng.random(2 * n) < np.where(arm == 1, *risks[::-1])[twice]).astype(float)
    of_visit = np.column_stack([levels, np.arange(n)])[twice]
    return X[twice], event, arm[twice], of_visit, risks[1] - risks[0]


def events(m: int, trials: int) -> str:
    """Coverage of both averages of the risk difference."""
    truth = float(np.mean([draw_events(4000, seed)[4].mean() for seed in range(20)]))
    hits = []
    for seed in range(trials):
        found = th.average_effects(draw_events(m, seed)[:4])
        hits.append([e.lower <= truth <= e.upper for e in (found.individual, found.cluster)])
    share = np.mean(hits, axis=0)
    return f"| {m} | {shown(share[0], trials)} | {shown(share[1], trials)} |"


def shown(share: float, n: int) -> str:
    """A share with its Monte Carlo error."""
    return f"{share:.3f} ({np.sqrt(share * (1 - share) / n):.3f})"


def averages(m: int, trials: int) -> str:
    """Coverage of both averages."""
    hits = []
    for seed in range(trials):
        X, y, arm, levels = draw(m, seed)
        found = th.average_effects((X, y, arm, levels))
        # Of a superpopulation of clinics whose sizes say nothing of effects.
        hits.append([e.lower <= 0.4 <= e.upper for e in (found.individual, found.cluster)])
    share = np.mean(hits, axis=0)
    return f"| {m} | {shown(share[0], trials)} | {shown(share[1], trials)} |"


def size(m: int, trials: int) -> str:
    """Rejections at .05 of the primary test where the effect is the same for all."""
    found = []
    for seed in range(trials):
        X, y, arm, levels = draw(m, seed, (0.0, 0.0))
        test = th.test_heterogeneity((X, y, arm, levels), random_state=seed, n_permutations=199)
        found.append(test.p_value <= 0.05)
    return f"| {m} | {shown(float(np.mean(found)), trials)} |"


def effects(m: int, trials: int, learner: str) -> list[str]:
    """Coverage of intervals and error of effects over their spread, with and without level 3."""
    rows = []
    X_new = np.random.default_rng(1).normal(size=(NEW, 3))
    truth = effect_of(X_new, SLOPES)
    found: dict[str, list[list[float]]] = {"clinic, provider": [], "clinic": []}
    for seed in range(trials):
        X, y, arm, levels = draw(m, seed)
        for name, given in zip(found, (levels, levels[:, 0]), strict=True):
            model = th.estimator(learner, random_state=seed).fit(X, y, arm, given)
            low, high = model.effect_interval(X_new)
            error = np.sqrt(np.mean((model.effect(X_new) - truth) ** 2)) / truth.std()
            covered = np.mean((low <= truth) & (truth <= high))
            found[name].append([covered, float((high - low).mean()), error])
    for name, values in found.items():
        mean = np.mean(values, axis=0)
        se = np.std(values, axis=0, ddof=1) / np.sqrt(trials)
        cells = " | ".join(f"{a:.3f} ({b:.3f})" for a, b in zip(mean, se, strict=True))
        rows.append(f"| {m} | {learner} | {name} | {cells} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["averages", "size", "events", "effects"])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--clusters", default="12,20,40")
    parser.add_argument("--learners", default="LMM")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for m in map(int, given.clusters.split(",")):
        if given.what == "averages":
            print(averages(m, given.trials), flush=True)
        elif given.what == "size":
            print(size(m, given.trials), flush=True)
        elif given.what == "events":
            print(events(m, given.trials), flush=True)
        else:
            for learner in given.learners.split(","):
                print("\n".join(effects(m, given.trials, learner)), flush=True)


if __name__ == "__main__":
    main()
