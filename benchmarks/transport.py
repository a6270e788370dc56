"""Coverage of the average effect carried over to another population, and refusals.

Clusters of 27 persons on average (CV .4); the effect goes with two covariates of persons and one
of the cluster, and bends. The population is 1,000 persons whose covariates are shifted, given as
rows and as one row of means; the truth is the mean of their own effects. "Moderate" shifts two
covariates of persons by half a standard deviation (and a third, a share, by .15), "moderate,
clusters too" that of the cluster also, "far" all of them by .85 and "extreme" by 1.25. The last
columns say how many of the trial's persons speak for the target (effective sample size, as a
share), and by how much the trial's own average misses the truth. With ``--lost`` a quarter of the
outcomes are missing, by the product of the arm with two covariates.

    python benchmarks/transport.py --trials 500 [--lost] [--shifts moderate]
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd

import tauhat as th
from tauhat.errors import TrialError

SHIFTS = {
    "none": (0.0, 0.0),
    "moderate": (0.5, 0.0),
    "moderate, clusters too": (0.5, 0.5),
    "far": (0.85, 0.85),
    "extreme": (1.25, 1.25),
}
NAMES = ["age", "severity", "income", "female", "urban"]


def effect(df: pd.DataFrame) -> pd.Series:
    """True effect of a person of a new cluster."""
    bend = np.maximum(df.age - 0.5, 0)
    return 0.3 + 0.3 * df.age + 0.2 * df.female + 0.2 * df.urban + 0.2 * bend


def persons(urban: np.ndarray, rng: np.random.Generator, shift: float = 0.0) -> pd.DataFrame:
    """Covariates of persons, one for each value of the cluster's covariate."""
    n = len(urban)
    female = rng.random(n) < 0.5 + 0.3 * min(shift, 1.0)
    normal = rng.normal(size=(n, 3))
    normal[:, :2] += shift
    return pd.DataFrame(normal, columns=NAMES[:3]).assign(female=female.astype(float), urban=urban)


def draw(m: int, seed: int) -> pd.DataFrame:
    """A cluster-randomized trial, ICC .05, with effects that vary between clusters (SD .15)."""
    rng = np.random.default_rng([seed, m])
    sizes = np.maximum(np.round(rng.gamma(1 / 0.16, 27 * 0.16, m)), 3).astype(int)
    cluster = np.repeat(np.arange(m), sizes)
    df = persons(rng.normal(size=m)[cluster], rng)
    df["arm"], df["cluster"] = rng.permutation(np.arange(m) % 2)[cluster], cluster
    level, own = 0.23 * rng.normal(size=m)[cluster], 0.15 * rng.normal(size=m)[cluster]
    y = 0.5 * df.age + 0.3 * df.severity + df.arm * (effect(df) + own) + level
    return df.assign(y=y + rng.normal(size=len(df)))


def losing(df: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The trial without the outcomes of about a quarter, by arm and covariates."""
    rng = np.random.default_rng([seed, 7])
    odds = 1.2 - df.arm * df.age + 0.5 * (1 - df.arm) * df.severity
    return df.assign(y=df.y.where(rng.random(len(df)) < 1 / (1 + np.exp(-odds))))


def one(m: int, seed: int, shifts: tuple[float, float], lost: bool) -> list[float] | None:
    """Covered, error, width, persons, standard error, bias of the own average, rows less means."""
    drawn = losing(draw(m, seed), seed) if lost else draw(m, seed)
    trial = th.Trial(drawn, outcome="y", treatment="arm", cluster="cluster", covariates=NAMES)
    rng = np.random.default_rng([seed, m, 9])
    rows = persons(shifts[1] + rng.normal(size=1000), rng, shifts[0])
    truth = effect(rows).mean()
    try:
        found = th.average_effects(trial, target=rows)
    except TrialError:
        return None
    means = th.average_effects(trial, target=rows.mean().to_frame().T).individual
    own, it = th.average_effects(trial).individual, found.individual
    covered = it.lower < truth < it.upper
    return [
        covered,
        it.estimate - truth,
        it.upper - it.lower,
        found.target.effective_n / trial.enrolled_data.n,
        it.se,
        own.estimate - truth,
        abs(it.estimate - means.estimate),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--clusters", default="24,60")
    parser.add_argument("--lost", action="store_true", help="a quarter of the outcomes are missing")
    parser.add_argument("--shifts", nargs="+", choices=SHIFTS, default=list(SHIFTS))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        "| clusters | shift | refused | coverage | bias | SE / SD | width | share that speaks "
        "| own average off by |"
    )
    print("|--:|:--|--:|--:|--:|--:|--:|--:|--:|")
    apart = 0.0
    for m in map(int, given.clusters.split(",")):
        for name in given.shifts:
            tried = [one(m, s, SHIFTS[name], given.lost) for s in range(given.trials)]
            kept = np.array([each for each in tried if each is not None], dtype=float)
            refused = f"{1 - len(kept) / given.trials:.2f}"
            if len(kept) < 20:
                print(f"| {m} | {name} | {refused} | | | | | | |", flush=True)
                continue
            cover, bias, width, share, error, own = kept[:, :6].mean(axis=0)
            of_cover = np.sqrt(cover * (1 - cover) / len(kept))
            of_bias = kept[:, 1].std() / np.sqrt(len(kept))
            apart = max(apart, kept[:, 6].max())
            print(
                f"| {m} | {name} | {refused} | {cover:.3f} ({of_cover:.3f}) | "
                f"{bias:+.3f} ({of_bias:.3f}) | {error / kept[:, 1].std():.2f} | {width:.2f} | "
                f"{share:.2f} | {own:+.2f} |",
                flush=True,
            )
    print(f"\nRows and means as target: estimates differ by {apart:.1g} at most.")


if __name__ == "__main__":
    main()
