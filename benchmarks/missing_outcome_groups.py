"""Effects in groups, and along named modifiers, where outcomes are missing: coverage, bias, width.

Trials of `missing_outcomes.py` of which about a quarter of the outcomes are lost by arm and
covariate (with clusters, by cluster too): 24 clusters of about 27 persons, or 648 persons. The
effect is .4 + .4 x1 + .2 v, or the same for all. Held-out groups are quarters by GAMM over three
splits, whose true effect is the mean of their members' own; named groups are those of x1 > 0 and
of a cluster's covariate v > 0 (where there are two such clusters in each arm). Named modifiers are
x1 and v as numbers, x1 > 0, and x2 > 0, along which nothing differs. Beside outcomes made stands
the same trial with all outcomes. SE / SD is the mean standard error over the standard deviation of
the error.

    python benchmarks/missing_outcome_groups.py --trials 200 [--randomized persons] [--constant]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tauhat as th
from missing_outcomes import CLUSTERS, EFFECT, PERSONS, draw
from tauhat.inference import Estimate
from tauhat.numerics.seeds import derive_seed

WAYS = {"all outcomes": "y", "made": "seen"}
# What is added to the log odds of an outcome that is seen: a quarter is lost in either design.
SEEN_MORE = {"clusters": 0.4, "persons": 0.0}
HALF_NORMAL = 2 * np.sqrt(2 / np.pi)

# Name, interval, truth.
Row = tuple[str, Estimate, float]


def groups(trial: th.Trial, frame: pd.DataFrame, tau: np.ndarray, seed: int) -> Iterator[Row]:
    """Held-out quarters with their members' mean effects, named groups with everyone's."""
    fit = th.cross_fit(trial, n_splits=3, random_state=seed)
    true = tau[fit.rows]
    found = th.sorted_group_effects(fit, n_groups=4)
    member = np.eye(4)[fit.quantile_groups(4)]
    means = (np.einsum("snk,n->sk", member, true) / member.sum(axis=1)).mean(axis=0)
    for k, (one, truth) in enumerate(zip(found.groups, means, strict=True)):
        yield f"quarter {k + 1}", one, truth
    yield "top less bottom quarter", found.difference, means[-1] - means[0]
    for name in ("x1", "v"):
        try:
            named = th.group_effect(fit, f"{name} > 0")
        except th.TrialError:
            # Fewer than two clusters of an arm in it.
            continue
        rule = frame[name].to_numpy() > 0
        inside, outside = tau[rule].mean(), tau[~rule].mean()
        yield f"{name} > 0", named.inside, inside
        yield f"{name} > 0, less the others", named.difference, inside - outside


def modifiers(trial: th.Trial, differs: bool) -> Iterator[Row]:
    """Differences along named modifiers with those in the population."""
    found = th.interaction_effects(trial, ["x1", "x1 > 0", "x2 > 0", "v"]).table
    slopes = {"x1": 0.4, "x1 > 0": 0.4 * HALF_NORMAL, "x2 > 0": 0.0, "v": 0.2}
    for row, slope in zip(found.itertuples(), slopes.values(), strict=True):
        df = row.degrees_of_freedom
        one = Estimate.from_t(row.estimate, row.se, degrees_of_freedom=df, level=0.95)
        scale = 1.0 if np.isnan(row.spread) else row.spread
        yield f"modifier {row.modifier}", one, differs * slope * scale


def one_trial(randomized: str, differs: bool, seed: int) -> dict[tuple[str, str], Row]:
    """Intervals and truths by way and by what is estimated."""
    frame = draw(
        randomized, True, randomized == "clusters", seed,
        differs=differs, seen_more=SEEN_MORE[randomized],
    )  # fmt: skip
    tau = EFFECT + differs * (0.4 * frame.x1 + 0.2 * frame.v).to_numpy()
    roles = {"treatment": "arm", "covariates": ["x1", "x2", "x3", "v"]}
    roles |= {"cluster": "unit"} if randomized == "clusters" else {}
    found = {}
    for way, outcome in WAYS.items():
        trial = th.Trial(frame, outcome=outcome, **roles)
        rows = [*groups(trial, frame, tau, seed % 2**31), *modifiers(trial, differs)]
        found |= {(way, row[0]): row for row in rows}
    return found


def main() -> None:
    """Print a row for everything that is estimated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--randomized", choices=tuple(SEEN_MORE), default="clusters")
    parser.add_argument("--constant", action="store_true", help="the same effect for all")
    parser.add_argument("--out", help="file for errors and intervals of the trials")
    options = parser.parse_args()
    key = derive_seed(20261130, "missing, groups", options.randomized, int(options.constant))
    records = []
    with threadpool_limits(limits=1):
        for k in range(options.first, options.first + options.trials):
            seed = derive_seed(key, k)
            one = one_trial(options.randomized, not options.constant, seed)
            records += [
                (k, name, way, it.estimate - truth, it.se, it.upper - it.lower,
                 it.lower <= truth <= it.upper)
                for (way, name), (_, it, truth) in one.items()
            ]  # fmt: skip
            if options.out:
                pd.DataFrame(records).to_csv(options.out, index=False)
    names = ["trial", "effect", "way", "error", "se", "width", "covered"]
    table = pd.DataFrame(records, columns=names)
    who = f"{CLUSTERS} x {PERSONS}"
    who = who if options.randomized == "clusters" else f"{CLUSTERS * PERSONS} persons"
    print(
        "| trial | effect | " + " | ".join(f"{way}: bias, coverage, SE / SD, width" for way in WAYS)
    )
    print("|---|---|" + "---|" * len(WAYS))
    for name, rows in table.groupby("effect", sort=False):
        cells = []
        for way in WAYS:
            own = rows[rows.way == way].dropna()
            sd, n = own.error.std(), len(own)
            cells.append(
                f"{own.error.mean():+.3f} ({sd / np.sqrt(n):.3f}), {own.covered.mean():.3f}, "
                f"{own.se.mean() / sd:.2f}, {own.width.mean():.2f}"
            )
        print(f"| {who} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
