"""Power for restricted mean survival times: the formula of `tauhat.power_rmst` against simulation.

python benchmarks/times_power.py --trials 2000    share of trials that reject, and the formula
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from scipy import stats

import tauhat as th
from tauhat.numerics.censored_outcomes import RESTRICTED_TIME, Curves, censored_outcome
from tauhat.numerics.survival_curves import censoring_curve, kaplan_meier
from tauhat.power.times_power import weibull_rate

PLANS: dict[str, dict[str, Any]] = {
    "persons, exponential": {
        "n_persons": 400, "survival_control": 0.4, "survival_treated": 0.52, "accrual": 12.0,
        "follow_up": 18.0,
    },
    "persons, Weibull 1.5, modifier": {
        "n_persons": 800, "survival_control": (0.4, 0.4), "survival_treated": (0.45, 0.66),
        "prevalence": 0.4, "shape": 1.5, "accrual": 12.0, "follow_up": 18.0,
    },
    "persons, 2 to 1": {
        "n_persons": 450, "survival_control": 0.7, "survival_treated": 0.82, "shape": 0.7,
        "share_treated": 2 / 3,
    },
    "20 clusters, modifier": {
        "n_clusters": 20, "cluster_size": 40, "survival_control": (0.4, 0.4),
        "survival_treated": (0.42, 0.68), "prevalence": 0.5, "frailty_sd": 0.3, "accrual": 12.0,
        "follow_up": 18.0,
    },
    "40 clusters, frailty .5": {
        "n_clusters": 40, "cluster_size": 25, "survival_control": 0.4, "survival_treated": 0.56,
        "frailty_sd": 0.5,
    },
}  # fmt: skip
HORIZON = 24.0


def simulated(plan: dict[str, Any], rng: np.random.Generator) -> tuple[bool, bool]:
    """Whether a trial rejects for the difference, and for its modification."""
    clustered = "n_clusters" in plan
    units = plan["n_clusters"] if clustered else plan["n_persons"]
    size = int(plan.get("cluster_size", 1))
    treated = round(units * plan.get("share_treated", 0.5))
    unit = np.repeat(np.arange(units), size)
    arm = (unit < treated).astype(int)
    prevalence, sd, shape = (
        plan.get(name, other)
        for name, other in (("prevalence", 0.0), ("frailty_sd", 0.0), ("shape", 1.0))
    )
    has = (rng.random(len(unit)) < prevalence).astype(int)
    rate = np.array(
        [
            [weibull_rate(s, HORIZON, shape, sd) for s in np.broadcast_to(plan[name], 2)]
            for name in ("survival_control", "survival_treated")
        ]
    )[arm, has]
    frailty = np.exp(sd * rng.standard_normal(units))[unit]
    event = (rng.exponential(size=len(unit)) / (rate * frailty)) ** (1 / shape)
    last = plan.get("follow_up", HORIZON) + plan.get("accrual", 0.0) * rng.random(len(unit))
    time, cause = np.minimum(event, last), (event <= last).astype(int)
    whole = rejects(time, cause, arm, [np.ones(len(unit), dtype=bool)], unit)
    if not prevalence:
        return whole, False
    return whole, rejects(time, cause, arm, [has == 0, has == 1], unit)


def rejects(
    time: np.ndarray, cause: np.ndarray, arm: np.ndarray, groups: list[np.ndarray], unit: np.ndarray
) -> bool:
    """Test of the difference between the arms, or of how it differs between two groups."""
    estimate, variance = 0.0, 0.0
    for a in (0, 1):
        share = np.zeros(unit.max() + 1)
        for k, group in enumerate(groups):
            rows = np.flatnonzero(group & (arm == a))
            t, c = time[rows], cause[rows]
            curves = Curves(kaplan_meier(t, c > 0)), Curves(censoring_curve(t, c > 0))
            pseudo = censored_outcome(t, c, HORIZON, RESTRICTED_TIME, *curves).values
            sign = (1 if a else -1) * (1 if k == len(groups) - 1 else -1)
            estimate += sign * pseudo.mean()
            share += np.bincount(
                unit[rows], sign * (pseudo - pseudo.mean()) / len(rows), len(share)
            )
        m = len(np.unique(unit[arm == a]))
        variance += m / (m - 1) * (share**2).sum()
    df = unit.max() + 1 - 2
    return bool(abs(estimate) / np.sqrt(variance) > stats.t.isf(0.025, df))


def main() -> None:
    """Print both for each plan."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    print(f"{'plan':32} {'difference':>22} {'interaction':>22}")
    print(f"{'':32} {'formula':>11}{'simulated':>11} {'formula':>11}{'simulated':>11}")
    for number, (name, plan) in enumerate(PLANS.items()):
        rng = np.random.default_rng([chosen.seed, number])
        found = np.mean([simulated(plan, rng) for _ in range(chosen.trials)], axis=0)
        formula = th.power_rmst(horizon=HORIZON, **plan)
        text = f"{name:32} {formula.difference_power:11.3f}{found[0]:11.3f}"
        if formula.interaction_power is not None:
            text += f" {formula.interaction_power:11.3f}{found[1]:11.3f}"
        print(text, flush=True)


if __name__ == "__main__":
    main()
