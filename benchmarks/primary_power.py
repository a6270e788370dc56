"""Power of the primary test of heterogeneity: the approximation against simulation.

    python benchmarks/primary_power.py --trials 600 --seed 977
    python benchmarks/primary_power.py --trials 600 --seed 977 --designs new
    python benchmarks/primary_power.py --check 40

One line per design: power of the interaction test by formula, of the primary test by simulation
with its Monte Carlo error, by `tauhat.power.primary_power`, and their difference.

A trial is drawn and its scores are made and permuted by the functions of the test itself, without
the checks and tables around them. The noise of the estimated interaction is stratified over the
trials, so that their share of rejections varies less than that of independent trials. ``--check``
compares the p-values with those of `tauhat.test_heterogeneity`.
"""

from __future__ import annotations

import argparse
import math
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import stats

import tauhat as th
from tauhat._typing import FloatArray
from tauhat.design.permutations import upper_tail_p
from tauhat.inference.heterogeneity import DEFAULT_WEIGHTS
from tauhat.inference.heterogeneity_comparison import cluster_level_component
from tauhat.inference.heterogeneity_components import person_scores, unit_scores
from tauhat.inference.permutation_statistics import UnitScores, component_statistic
from tauhat.power import power_hte
from tauhat.power.interaction_power import persons_left, sizes_left
from tauhat.power.interaction_trials import modifier_values
from tauhat.power.planned_trial import HtePower

OTHERS = (0, 3, 8)
DESIGNS: list[dict[str, Any]] = [
    {"n_clusters": 12, "cluster_size": 20, "icc": 0.05, "icc_x": 0.1, "delta": 0.45},
    {"n_clusters": 20, "cluster_size": 20, "icc": 0.05, "icc_x": 0.1, "delta": 0.35},
    {"n_clusters": 40, "cluster_size": 20, "icc": 0.1, "icc_x": 0.3, "delta": 0.25},
    {
        "n_clusters": 20, "cluster_size": 40, "icc": 0.05, "icc_x": 0.0, "delta": 0.25,
        "size_cv": 0.6,
    },
    {
        "n_clusters": 30, "cluster_size": 25, "icc": 0.05, "icc_x": 0.05, "delta": 0.5,
        "prevalence": 0.3, "drop_out": 0.2,
    },
    {
        "n_clusters": 60, "cluster_size": 20, "icc": 0.05, "icc_x": 0.05, "delta": 0.2,
        "share_treated": 1 / 3,
    },
    {"n_clusters": 40, "cluster_size": 25, "icc": 0.05, "icc_x": 1.0, "delta": 0.35},
    {
        "n_clusters": 80, "cluster_size": 20, "icc": 0.02, "icc_x": 1.0, "delta": 0.4,
        "prevalence": 0.5,
    },
    {"n_persons": 300, "delta": 0.35},
    {"n_persons": 1000, "delta": 0.35, "prevalence": 0.4},
    {"n_persons": 240, "delta": 0.5, "share_treated": 1 / 3},
]  # fmt: skip
# With their numbers of further covariates; not looked at while the formulas were made.
NEW: list[tuple[dict[str, Any], int]] = [
    ({"n_clusters": 14, "cluster_size": 30, "icc": 0.1, "icc_x": 0.2, "delta": 0.4}, 2),
    ({"n_clusters": 16, "cluster_size": 15, "icc": 0.02, "icc_x": 0.0, "delta": 0.5,
      "size_cv": 0.8}, 5),
    ({"n_clusters": 24, "cluster_size": 50, "icc": 0.05, "icc_x": 0.1, "delta": 0.22,
      "size_cv": 0.4}, 0),
    ({"n_clusters": 36, "cluster_size": 12, "icc": 0.2, "icc_x": 0.05, "delta": 0.6,
      "prevalence": 0.5}, 1),
    ({"n_clusters": 50, "cluster_size": 18, "icc": 0.05, "icc_x": 0.2, "delta": 0.3,
      "share_treated": 0.25}, 4),
    ({"n_clusters": 48, "cluster_size": 30, "icc": 0.05, "icc_x": 1.0, "delta": 0.35}, 2),
    ({"n_clusters": 32, "cluster_size": 40, "icc": 0.1, "icc_x": 1.0, "delta": 0.8,
      "prevalence": 0.4}, 0),
    ({"n_persons": 160, "delta": 0.5}, 4),
    ({"n_persons": 400, "delta": 0.35, "share_treated": 0.7}, 2),
    ({"n_persons": 600, "delta": 0.5, "prevalence": 0.25}, 6),
]  # fmt: skip


def drawn(
    plan: HtePower, others: int, rng: np.random.Generator, stratum: tuple[int, int] | None
) -> SimpleNamespace:
    """One planned trial, with as much of a `TrialData` and its design as the scores ask for.

    The noise of the interaction is drawn from stratum k of K, all equally likely; None for any.
    """
    clustered = plan.n_clusters is not None
    total = plan.treated + plan.control
    if clustered:
        mean, cv = sizes_left(plan.cluster_size, plan.size_cv, plan.drop_out)
        sizes = np.full(total, round(mean))
        if cv:
            sizes = np.maximum(np.rint(rng.gamma(cv**-2, mean * cv**2, total)), 1).astype(int)
    else:
        sizes = np.ones(persons_left(plan.n_persons, plan.drop_out), dtype=int)
    m = len(sizes)
    icc, icc_x = (plan.icc, plan.icc_x) if clustered else (0.0, 1.0)
    unit = np.repeat(np.arange(m), sizes)
    n, first = len(unit), np.r_[0, np.cumsum(sizes)[:-1]]
    modifier = modifier_values(
        unit, m, icc_x=icc_x, sd_x=plan.sd_x, prevalence=plan.prevalence, rng=rng
    )
    arm = np.zeros(m, dtype=int)
    arm[rng.permutation(m)[: round(m * plan.treated / total)]] = 1
    own, shared = rng.standard_normal(n), rng.standard_normal(m)
    if stratum is not None:
        sign = np.where(arm == 1, 1 / arm.sum(), -1 / (m - arm.sum()))
        inside = modifier - modifier.mean()
        z = stats.norm.ppf((stratum[0] + rng.random()) / stratum[1])
        if clustered and icc_x == 1:
            along = sign * inside[first]
            along /= np.sqrt(along @ along)
            shared += (z - along @ shared) * along
        else:
            if clustered:
                inside = modifier - (np.add.reduceat(modifier, first) / sizes)[unit]
            along = sign[unit] * inside
            along /= np.sqrt(along @ along)
            own += (z - along @ own) * along
    y = plan.delta * modifier * arm[unit]
    y = y + plan.sd_y * (math.sqrt(icc) * shared[unit] + math.sqrt(1 - icc) * own)
    level = np.zeros(1 + others, dtype=bool)
    level[0] = clustered and icc_x == 1
    design = SimpleNamespace(
        holds_persons=clustered, unit=unit, arm=arm, first=first, n_units=m, n_arms=2,
        arm_sizes=np.bincount(arm, minlength=2), strata=np.zeros(m, dtype=int),
        block=np.zeros(m, dtype=int), small_blocks=np.array([], dtype=int),
    )  # fmt: skip
    return SimpleNamespace(
        X=np.column_stack([modifier, rng.standard_normal((n, others))]),
        y=y, treatment=arm[unit], sample_weight=None, design=design, cluster_level=level,
        n=n, n_units=m,
    )  # fmt: skip


def p_value(data: SimpleNamespace, permutations: int, rng: np.random.Generator) -> float:
    """P-value of the primary test."""
    scores, design = person_scores(data, np.ones(data.X.shape[1], dtype=bool)), data.design
    copies = np.tile(design.arm.astype(float), (permutations, 1))
    assigned = np.vstack([design.arm.astype(float), rng.permuted(copies, axis=1)])
    found: dict[str, FloatArray] = {}
    for name, basis in scores.bases.items():
        summed = unit_scores(basis, scores, data)
        summed -= summed.mean(axis=0)
        units = UnitScores(summed, None if design.holds_persons else (basis, scores.residual))
        found[name] = upper_tail_p(component_statistic(units, assigned))
    if design.holds_persons:
        component, _ = cluster_level_component(data, scores)
        if component is not None:
            found["cluster-level"] = upper_tail_p(component.joint(assigned))
    # Weights that are not rescaled divide all p-values alike.
    smallest = np.min([p / DEFAULT_WEIGHTS[name] for name, p in found.items()], axis=0)
    return float(np.mean(smallest <= smallest[0] * (1 + 1e-12)))


def simulated(plan: HtePower, others: int, given: argparse.Namespace) -> tuple[float, float]:
    """Share of trials with p at most .05, and its error from trials in neighbouring strata."""
    rejects = np.empty(given.trials)
    for k in range(given.trials):
        rng = np.random.default_rng([given.seed, k])
        data = drawn(plan, others, rng, (k, given.trials))
        rejects[k] = p_value(data, given.permutations, rng) <= 0.05
    return rejects.mean(), math.sqrt((np.diff(rejects) ** 2).sum() / 2) / given.trials


def check(given: argparse.Namespace) -> None:
    """Largest difference of the p-values from those of `tauhat.test_heterogeneity`."""
    apart = []
    for number, design in enumerate(DESIGNS):
        plan = power_hte(**design, n_others=3)
        for k in range(given.check):
            rng = np.random.default_rng([given.seed, number, k])
            data = drawn(plan, 3, rng, None)
            clusters = data.design.unit if data.design.holds_persons else None
            trial = (data.X, data.y, data.treatment, clusters)
            whole = th.test_heterogeneity(trial, random_state=k, n_permutations=given.permutations)
            apart.append(p_value(data, given.permutations, rng) - whole.p_value)
    print(f"{len(apart)} trials: mean difference of p {np.mean(apart):+.4f}, "
          f"SD {np.std(apart):.4f}, largest {np.abs(apart).max():.3f}")  # fmt: skip


def main() -> None:
    """Print one line per design."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--permutations", type=int, default=499)
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("--designs", choices=["judged", "new"], default="judged")
    parser.add_argument("--check", type=int, default=0, metavar="TRIALS", help="of each design")
    given = parser.parse_args()
    if given.check:
        check(given)
        return
    start = time.process_time()
    print("design | others | interaction | simulated (SE) | approximated | difference")
    differences = []
    judged = [(design, others) for design in DESIGNS for others in OTHERS]
    for design, others in judged if given.designs == "judged" else NEW:
        plan = power_hte(**design, n_others=others)
        found, error = simulated(plan, others, given)
        differences.append(plan.primary_power - found)
        words = ", ".join(f"{name} {value:.3g}" for name, value in design.items())
        print(
            f"{words} | {others} | {plan.power:.3f} | {found:.3f} ({error:.3f}) | "
            f"{plan.primary_power:.3f} | {differences[-1]:+.3f}",
            flush=True,
        )
    sizes = np.abs(differences)
    print(
        f"{len(sizes)} designs: {(sizes <= 0.03).sum()} within .03, mean absolute difference "
        f"{sizes.mean():.3f}, largest {sizes.max():.3f}; {time.process_time() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
