"""Average effects where outcomes are missing: bias, error and coverage, beside complete cases.

Trials of 24 clusters of about 27 persons, or of 648 persons. Who lacks an outcome depends on
the arm's product with a covariate, in two designs also on the cluster; the prognosis is
straight or bent. The true effect of the population is .4. What is made for those without
an outcome stands beside complete cases and beside the same trial with all outcomes.

``--outcome binary`` is an event with a logistic model of the same predictor, ``--outcome times``
the time to an event (RMST up to 2, some censored), in bent prognosis and clusters that lose
unevenly, about 10, 25 and 40% in all. Their true effects are those of a million persons.

Usage: python benchmarks/missing_outcomes.py --trials 150 [--tests] [--outcome binary]
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tauhat as th
from tauhat.numerics.seeds import derive_seed

EFFECT = 0.4
CLUSTERS, PERSONS = 24, 27
# Design, whether the prognosis is bent, whether clusters lose persons unevenly.
DESIGNS = [
    ("clusters", False, False),
    ("clusters", False, True),
    ("clusters", True, True),
    ("persons", True, False),
]


# What is added to the log odds of an outcome that is seen, by the share lost.
LOST = {"10%": 1.6, "25%": 0.4, "40%": -0.5}
HORIZON = 2.0


def draw(
    randomized: str,
    bent: bool,
    uneven: bool,
    seed: int,
    *,
    differs: bool = True,
    outcome: str = "continuous",
    seen_more: float = 0.0,
    clusters: int = CLUSTERS,
) -> pd.DataFrame:
    """A trial with all outcomes, and in the column ``seen`` the outcomes that are seen."""
    rng = np.random.default_rng(seed)
    in_clusters = randomized == "clusters"
    m = clusters if in_clusters else clusters * PERSONS
    sizes = np.maximum(rng.poisson(PERSONS, m), 6) if in_clusters else np.ones(m, dtype=int)
    unit = np.repeat(np.arange(m), sizes)
    arm = rng.permutation(np.arange(m) % 2)[unit]
    x = rng.normal(size=(len(unit), 3))
    v = rng.normal(size=m)[unit]
    level = rng.normal(size=m)[unit] * in_clusters
    prognosis = x[:, 0] + 0.5 * ((x[:, 1] ** 2 - 1) if bent else x[:, 1])
    mean = prognosis + arm * (EFFECT + differs * (0.4 * x[:, 0] + 0.2 * v)) + level / 3
    noise = rng.normal(size=len(unit))
    y = mean + noise
    event = np.ones(len(unit), dtype=int)
    if outcome == "binary":
        y = (rng.random(len(unit)) < 1 / (1 + np.exp(0.5 - mean))).astype(float)
    elif outcome == "times":
        own = np.exp(0.6 * mean) * rng.weibull(1.2, len(unit)) * 1.5
        censored = rng.exponential(7.0, len(unit))
        y, event = np.minimum(own, censored), (own <= censored).astype(int)
    odds = 1.2 + seen_more - arm * x[:, 0] + 0.5 * (1 - arm) * x[:, 1]
    if uneven:
        odds = odds - 0.3 + 0.75 * level + 0.7 * rng.normal(size=m)[unit]
    seen = rng.random(len(unit)) < 1 / (1 + np.exp(-odds))
    frame = pd.DataFrame(x, columns=["x1", "x2", "x3"])
    frame = frame.assign(v=v, arm=arm, unit=unit, y=y, seen=np.where(seen, y, np.nan))
    return frame.assign(event=event) if outcome == "times" else frame


def true_effect(outcome: str, bent: bool) -> float:
    """Average effect over about a million persons in clusters of their own."""
    if outcome == "continuous":
        return EFFECT
    frame = draw("clusters", bent, False, 1, outcome=outcome, clusters=40_000)
    y = np.minimum(frame.y, HORIZON) if outcome == "times" else frame.y
    if outcome == "times":
        # Without censoring: the same times, all of which end with the event.
        fit = [frame[frame.arm == a] for a in (0, 1)]
        return float(np.diff([_restricted_mean(one.y, one.event) for one in fit])[0])
    return float(y[frame.arm == 1].mean() - y[frame.arm == 0].mean())


def _restricted_mean(time: pd.Series, event: pd.Series) -> float:
    """Area under the Kaplan-Meier curve up to the horizon."""
    order = np.argsort(time.to_numpy())
    times, events = time.to_numpy()[order], event.to_numpy()[order]
    survival = np.cumprod(1 - events / np.arange(len(times), 0, -1))
    inside = times <= HORIZON
    edges = np.r_[0.0, times[inside], HORIZON]
    return float((np.r_[1.0, survival[inside]] * np.diff(edges)).sum())


def averages(
    frame: pd.DataFrame, randomized: str, outcome: str = "continuous"
) -> dict[tuple[str, str], th.Estimate]:
    """Averages by all outcomes, by complete cases, and by outcomes made."""
    roles = {"treatment": "arm", "covariates": ["x1", "x2", "x3", "v"]}
    if outcome == "times":
        roles |= {"event": "event", "horizon": HORIZON}
    roles |= {"cluster": "unit"} if randomized == "clusters" else {}
    everybody = th.average_effects(th.Trial(frame, outcome="y", **roles))
    made = th.average_effects(th.Trial(frame, outcome="seen", **roles))
    by_way = {
        "all outcomes": everybody,
        "complete cases": made.complete_cases,
        "doubly robust": made,
    }
    return {
        (way, name): estimate
        for way, found in by_way.items()
        for name, estimate in (("individual", found.individual), ("cluster", found.cluster))
        if estimate is not None
    }


def one_design(
    randomized: str,
    bent: bool,
    uneven: bool,
    trials: int,
    outcome: str = "continuous",
    seen_more: float = 0.0,
) -> list[dict]:
    """Errors and coverage over simulated trials."""
    key = derive_seed(20261128, "missing", randomized, int(bent), int(uneven))
    truth = true_effect(outcome, bent)
    frames = [
        draw(randomized, bent, uneven, derive_seed(key, k), outcome=outcome, seen_more=seen_more)
        for k in range(trials)
    ]
    found = [averages(frame, randomized, outcome) for frame in frames]
    lost = np.mean([frame["seen"].isna().mean() for frame in frames])
    rows = []
    for way, average in found[0]:
        own = [one[way, average] for one in found]
        estimates = np.array([one.estimate for one in own])
        apart = estimates - np.array([one["all outcomes", average].estimate for one in found])
        rows.append(
            {
                "randomized": randomized,
                "bent": bent,
                "uneven": uneven,
                "lost": lost,
                "average": average,
                "outcomes": way,
                "bias": apart.mean(),
                "bias se": apart.std(ddof=1) / np.sqrt(trials),
                "SD": estimates.std(ddof=1),
                "mean SE": np.mean([one.se for one in own]),
                "coverage": np.mean([one.lower <= truth <= one.upper for one in own]),
                "width": np.mean([one.upper - one.lower for one in own]),
            }
        )
    return rows


def size_of_test(randomized: str, uneven: bool, trials: int) -> list[dict]:
    """Share of trials with one effect for everyone in which the primary test rejects."""
    key = derive_seed(20261129, "missing, size", randomized, int(uneven))
    roles = {"outcome": "seen", "treatment": "arm", "covariates": ["x1", "x2", "x3"]}
    roles |= {"cluster": "unit"} if randomized == "clusters" else {}
    found: dict[str, list[float]] = {"doubly-robust": [], "complete-cases": []}
    for k in range(trials):
        frame = draw(randomized, True, uneven, derive_seed(key, k), differs=False)
        for way, values in found.items():
            trial = th.Trial(frame, missing=way, **roles)
            test = th.test_heterogeneity(trial, random_state=k, n_permutations=199)
            values.append(test.p_value)
    return [
        {"randomized": randomized, "outcomes": way}
        | {f"size at {level}": np.mean(np.array(values) <= level) for level in (0.05, 0.1)}
        for way, values in found.items()
    ]


def main() -> None:
    """Print a row for every design, average and treatment of missing outcomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=150)
    parser.add_argument("--tests", action="store_true", help="the size of the primary test")
    parser.add_argument(
        "--outcome", choices=("continuous", "binary", "times"), default="continuous"
    )
    options = parser.parse_args()
    with threadpool_limits(limits=1):
        if options.outcome != "continuous":
            for more in LOST.values():
                rows = one_design("clusters", True, True, options.trials, options.outcome, more)
                print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)
            return
        if options.tests:
            for randomized in ("clusters", "persons"):
                rows = size_of_test(randomized, randomized == "clusters", options.trials)
                print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)
            return
        for design in DESIGNS:
            rows = one_design(*design, options.trials)
            print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
