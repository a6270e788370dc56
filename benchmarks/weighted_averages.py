"""Coverage of average effects with sampling weights, beside the same without them.

Persons enter the trial with a probability that falls with age, whole clusters (of 27 persons on
average, CV .4) with one that falls with a covariate of the cluster; the weight is the inverse. The
effect goes with both, so that the trial's own average is not the population's, which is .3.
Weights of persons and of clusters vary with a standard deviation of .5 ("some") or 1 ("much") of
their logarithm. "Tell as much" is the effective sample size over the persons.

    python benchmarks/weighted_averages.py --trials 500
"""

from __future__ import annotations

import argparse

import numpy as np
from threadpoolctl import threadpool_limits

import tauhat as th
from tauhat.numerics.seeds import derive_seed

TRUTH = 0.3
SPREADS = {"some": 0.5, "much": 1.0}
DESIGNS = [
    ("24 clusters", 24, "persons"),
    ("24 clusters", 24, "clusters"),
    ("60 clusters", 60, "persons"),
    ("60 clusters", 60, "clusters"),
    ("600 persons", 600, "persons"),
]


def draw(design: str, m: int, weighed: str, spread: float, seed: int) -> tuple:
    """Covariates, outcome, arm, clusters and weights of a trial."""
    rng = np.random.default_rng(seed)
    in_clusters = design.endswith("clusters")
    sizes = np.ones(m, dtype=int)
    if in_clusters:
        sizes = np.maximum(np.round(rng.gamma(1 / 0.16, 27 * 0.16, m)), 3).astype(int)
    unit = np.repeat(np.arange(m), sizes)
    # A standard normal whose chance to be drawn goes with exp(-spread x) has its mean moved so far.
    of_persons, of_clusters = (spread * (weighed == name) for name in ("persons", "clusters"))
    age = rng.normal(size=len(unit)) - of_persons
    urban = (rng.normal(size=m) - of_clusters)[unit]
    other = rng.normal(size=len(unit))
    arm = rng.permutation(np.arange(m) % 2)[unit]
    level, own = (sd * in_clusters * rng.normal(size=m)[unit] for sd in (0.23, 0.15))
    effect = TRUTH + 0.3 * age + 0.2 * urban + own
    y = 0.5 * age + 0.3 * other + 0.2 * age**2 + arm * effect + level + rng.normal(size=len(unit))
    weight = np.exp(of_persons * age + of_clusters * urban)
    X = np.column_stack([age, other, urban])
    return X, y, arm, unit if in_clusters else None, weight


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--weighed", nargs="+", default=["persons", "clusters"])
    given = parser.parse_args()
    trials = given.trials
    print(
        "| trial | weights of | they vary | tell as much | average | bias | coverage | SE / SD "
        "| width | without weights: bias | coverage |\n"
        "|---|---|---|--:|---|--:|--:|--:|--:|--:|--:|"
    )
    with threadpool_limits(limits=1):
        for design, m, weighed in (one for one in DESIGNS if one[2] in given.weighed):
            for word, spread in SPREADS.items():
                key = derive_seed(20261130, "weights", design, weighed, word)
                pairs, share = [], []
                for k in range(given.first, given.first + trials):
                    X, y, arm, unit, weight = draw(design, m, weighed, spread, derive_seed(key, k))
                    share.append(weight.sum() ** 2 / (weight**2).sum() / len(weight))
                    both = [(X, y, arm, unit, weight), (X, y, arm, unit)]
                    pairs.append([th.average_effects(one) for one in both])
                # The cluster-average counts the trial's clusters alike, however they were drawn.
                both_averages = design.endswith("clusters") and weighed == "persons"
                for name in ("individual", "cluster")[: 1 + both_averages]:
                    found = np.array(
                        [
                            [(e.estimate, e.se, e.lower <= TRUTH <= e.upper, e.upper - e.lower)
                             for e in (getattr(one, name) for one in pair)]
                            for pair in pairs
                        ]
                    )  # fmt: skip
                    estimate, se, covered, width = np.moveaxis(found, 2, 0)
                    sd, bias = estimate.std(axis=0, ddof=1), estimate.mean(axis=0) - TRUTH
                    of_bias, c = sd / np.sqrt(trials), covered.mean(axis=0)
                    of_cover = np.sqrt(c * (1 - c) / trials)
                    print(
                        f"| {design} | {weighed} | {word} | {np.mean(share):.2f} | {name} | "
                        f"{bias[0]:+.3f} ({of_bias[0]:.3f}) | {c[0]:.3f} ({of_cover[0]:.3f}) | "
                        f"{se[:, 0].mean() / sd[0]:.2f} | {width[:, 0].mean():.2f} | "
                        f"{bias[1]:+.3f} | {c[1]:.3f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
