"""Clusters in one arm only: averages, the primary test, and effects of persons.

Persons are randomized 1:1; those treated are then put into groups of unequal size, each with a
level of its own, and controls stay alone. Outcomes of controls vary as much as those within
groups, half as much, or twice as much.

Usage: python benchmarks/one_clustered_arm.py --groups 8 12 20 --trials 1000 [--what averages]
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tauhat as th
from tauhat.numerics.seeds import derive_seed

RATIOS = (0.5, 1.0, 2.0)
EFFECT = 0.3


def draw(
    number, groups, ratio, *, icc=0.1, slope=0.0, informative=0.0, sorted_groups=False, slope_sd=0.0
):
    """X, y, arm, clusters of a trial, and the true effect of each person."""
    key = (20261129, groups, str(ratio), icc, number)
    rng = np.random.default_rng(derive_seed(*key))
    sizes = np.maximum(3, rng.poisson(rng.gamma(4, 2.5, groups)))
    treated = int(sizes.sum())
    n = 2 * treated
    group = np.r_[np.repeat(np.arange(groups), sizes), groups + np.arange(treated)]
    arm = (group < groups).astype(int)
    X = rng.normal(size=(n, 4))
    X[:, 3] = X[:, 3] > 0.3
    if sorted_groups:
        # Groups of people who are alike, such as those who can come in the evening.
        order = np.argsort(X[:treated, 0] + rng.normal(size=treated))
        X[:treated] = X[:treated][order]
    level = np.sqrt(icc / (1 - icc)) * rng.normal(size=groups)
    shift = informative * np.log(sizes / 10)
    own_slope = slope_sd * rng.normal(size=groups)
    effect = EFFECT + slope * (X[:, 0] + X[:, 3] - X[:, 3].mean())
    y = 0.5 * X[:, 0] + 0.4 * np.abs(X[:, 1]) + 0.3 * X[:, 3]
    y[:treated] += effect[:treated] + (level + shift)[group[:treated]]
    y[:treated] += own_slope[group[:treated]] * X[:treated, 0]
    y += rng.normal(size=n) * np.where(arm == 1, 1.0, np.sqrt(ratio))
    return (X, y, arm, group), effect, sizes, informative


def aims_of(informative):
    """Individual- and cluster-average effect over very many groups."""
    if not informative:
        return EFFECT, EFFECT
    rng = np.random.default_rng(0)
    sizes = np.maximum(3, rng.poisson(rng.gamma(4, 2.5, 10**6)))
    shift = informative * np.log(sizes / 10)
    return EFFECT + float((sizes * shift).sum() / sizes.sum()), EFFECT + float(shift.mean())


def averages(groups, trials, first, ratios):
    """Coverage of both averages, of persons taken for single, and widths."""
    rows = []
    for informative in (0.0, 0.5):
        aims = aims_of(informative)
        for ratio in ratios:
            covered, width, free = [], [], []
            for number in range(first, first + trials):
                (X, y, arm, group), *_ = draw(number, groups, ratio, informative=informative)
                found = th.average_effects((X, y, arm, group))
                alone = th.average_effects((X, y, arm)).individual
                three = (found.individual, found.cluster, alone)
                targets = (*aims, aims[0])
                pairs = zip(three, targets, strict=True)
                covered.append([e.lower <= aim <= e.upper for e, aim in pairs])
                width.append([e.upper - e.lower for e in three])
                free.append(found.individual.degrees_of_freedom)
            share, wide = np.mean(covered, axis=0), np.median(width, axis=0)
            error = np.sqrt(share * (1 - share) / trials)
            rows.append(
                {
                    "groups": groups,
                    "informative": informative,
                    "variance of controls": ratio,
                    **{
                        name: f"{s:.3f} ({e:.3f})"
                        for name, s, e in zip(
                            ("individual", "cluster", "groups ignored"), share, error, strict=True
                        )
                    },
                    "width": round(wide[0], 2),
                    "width ignored": round(wide[2], 2),
                    "df": round(float(np.median(free)), 1),
                }
            )
    return rows


SETTINGS = {
    "same residual variance": {"ratio": 1.0},
    "controls vary half as much": {"ratio": 0.5},
    "controls vary twice as much": {"ratio": 2.0},
    "ICC .3": {"ratio": 1.0, "icc": 0.3},
    "groups of like persons": {"ratio": 1.0, "sorted_groups": True},
    "slopes that differ by group": {"ratio": 1.0, "slope_sd": 0.3},
}


def primary_test(groups, trials, first, settings):
    """Rejections at .05 of the primary test: where the effect is the same, and where it is not."""
    rows = []
    for name in settings:
        setting = SETTINGS[name]
        row = {"groups": groups, "setting": name}
        for what, slope in (("size", 0.0), ("power", 0.4)):
            p = []
            for number in range(first, first + trials):
                trial, *_ = draw(number, groups, slope=slope, **setting)
                p.append(th.test_heterogeneity(trial, random_state=number, n_permutations=499))
            share = np.mean([one.p_value <= 0.05 for one in p])
            row[what] = f"{share:.3f} ({np.sqrt(share * (1 - share) / trials):.3f})"
        rows.append(row)
    return rows


NEW = 500


def effects(groups, trials, models=("LMM", "GAMM")):
    """Coverage and error of effects of new persons, and what other designs would give."""
    rows = []
    for name in models:
        for how in ("groups", "as persons"):
            found = []
            for number in range(trials):
                (X, y, arm, group), effect, *_ = draw(number, groups, 1.0, slope=0.4)
                model = th.estimator(name, random_state=number)
                model.fit(X, y, treatment=arm, clusters=group if how == "groups" else None)
                chosen = np.random.default_rng(number).choice(len(X), min(NEW, len(X)), False)
                lower, upper = model.effect_interval(X[chosen])
                error = model.effect(X[chosen]) - effect[chosen]
                covered = (lower <= effect[chosen]) & (effect[chosen] <= upper)
                found.append([covered.mean(), np.sqrt((error**2).mean()) / effect.std()])
            mean, sd = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(trials)
            rows.append(
                {
                    "groups": groups,
                    "model": name,
                    "units": how,
                    "coverage": f"{mean[0]:.3f} ({sd[0]:.3f})",
                    "sRMSE": f"{mean[1]:.2f} ({sd[1]:.2f})",
                }
            )
    return rows


WHAT = {"averages": averages, "test": primary_test, "effects": effects}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, nargs="+", default=[8, 12, 20])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument(
        "--first", type=int, default=0, help="of averages and the test: the first trial"
    )
    parser.add_argument("--ratios", type=float, nargs="+", default=RATIOS, help="of averages")
    parser.add_argument(
        "--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="of the test"
    )
    parser.add_argument("--what", nargs="+", choices=WHAT, default=list(WHAT))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with threadpool_limits(limits=1):
        for name in options.what:
            more = {
                "averages": (options.first, options.ratios),
                "test": (options.first, options.settings),
                "effects": (),
            }[name]
            rows = [row for m in options.groups for row in WHAT[name](m, options.trials, *more)]
            print(pd.DataFrame(rows).to_string(index=False), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
