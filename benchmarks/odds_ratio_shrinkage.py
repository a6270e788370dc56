"""What `Robust` of an event would gain by shrinking it towards one odds ratio, or by another level.

The plain mean of four of its members (without the forest, which takes most of the time) on the
cells of `binary_outcomes.py`, against

* w: shrunk to `Constant-Odds-Ratio` by the posterior probability that no odds ratio differs, which
  `GAMM` and `LMM` have of their own interactions (the mean of both), half of it, and 1 - (1 - w)^2;
* shrunk to it as far as the outcomes do not speak for an effect that differs at all, with the
  posterior probability v of that (`tauhat.numerics.effect_evidence`): 1 - v, half of it, and with
  the average effect's level half way there;
* the mean with `Constant-Odds-Ratio` as a fifth member, or in the place of `Risk`;
* the weights of these five that would have been best in the very same trials, which nobody knows;
* its effects moved so that their mean is the average effect, half way there, or the true mean.

Ratio of the root mean squared errors of the persons' effects to that of the plain mean, as
geometric mean over trials (Monte Carlo error), and the error where effects are flat in points.

    python benchmarks/odds_ratio_shrinkage.py --draws 9 --store rows.jsonl
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize

import tauhat as th
from binary_outcomes import CELLS, FLAT
from kept_rows import kept_rows
from tauhat.ensembles.given_and_earned import evidence_of
from tauhat.learners.catalog import ensemble_member
from tauhat.numerics.risk_mixture import RiskMixture
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.slope_prior import posterior_probability
from tauhat.simulate import BinaryTrial

FIRST = 900
MEMBERS = ("GAMM", "LMM", "Risk", "GAMM-identity")
ONE = "Constant-Odds-Ratio"
# A standard deviation of odds ratios, on the log scale, that is none.
NEXT_TO_NOTHING = 0.02


def share_of_one(posterior: RiskMixture) -> float:
    """Posterior probability that no odds ratio differs."""
    off = (posterior.effect_sds < NEXT_TO_NOTHING).all(axis=1)
    return float(posterior.shares[off].sum())


def combined(
    effects: dict[str, np.ndarray], w: float, v: float, average: float, true_mean: float
) -> dict[str, np.ndarray]:
    """The estimates that are compared, by name."""
    plain, one = np.mean([effects[name] for name in MEMBERS], axis=0), effects[ONE]
    level = plain.mean()

    def towards(share: float) -> np.ndarray:
        return share * one + (1 - share) * plain

    by_half = towards((1 - v) / 2)
    return {
        "plain mean": plain,
        "GAMM": effects["GAMM"],
        ONE: one,
        "shrunk by w": towards(w),
        "shrunk by w / 2": towards(w / 2),
        "shrunk by 1 - (1 - w)^2": towards(1 - (1 - w) ** 2),
        "shrunk by 1 - v": towards(1 - v),
        "shrunk by (1 - v) / 2": by_half,
        "and level half way there": by_half + (average - by_half.mean()) / 2,
        f"with {ONE}": (4 * plain + one) / 5,
        f"{ONE} for Risk": plain + (one - effects["Risk"]) / 4,
        "level of the average effect": plain - level + average,
        "level half way there": plain + (average - level) / 2,
        "true level": plain - level + true_mean,
    }


def one_trial(cell: str, number: int) -> dict[str, Any]:
    """Errors of all estimates in one trial, in percentage points."""
    settings, n = CELLS[cell]
    trial = BinaryTrial(**settings).draw(n, derive_seed(20261128, cell, number))
    models = {}
    for name in (*MEMBERS, ONE):
        member = ensemble_member(name)
        member.random_state = 1
        models[name] = member.fit(*trial)
    effects = {name: model.effect(trial.X) for name, model in models.items()}
    shares = [share_of_one(models[name].risk_form_.posterior_) for name in ("GAMM", "LMM")]
    w, average = float(np.mean(shares)), th.average_effects(trial).individual.estimate
    evidence = evidence_of(models["LMM"].trial_data_, 1)
    v = posterior_probability(evidence.log_bayes_factor, null_mass=0.5)
    tau = np.asarray(trial.tau)
    told = combined(effects, w, v, average, float(tau.mean()))
    apart = 100 * np.array([effects[name] - tau for name in (*MEMBERS, ONE)])
    return {
        **{"cell": cell, "number": number, "kind": settings["effect"], "w": w, "v": v},
        "products": (apart @ apart.T / len(tau)).tolist(),
        **{name: 100 * float(np.sqrt(np.mean((e - tau) ** 2))) for name, e in told.items()},
    }


def best_weights(products: np.ndarray) -> np.ndarray:
    """Convex weights of the five with the least geometric mean of errors in all these trials."""

    def weights(free: np.ndarray) -> np.ndarray:
        told = np.exp(free - free.max())
        return told / told.sum()

    def mean_log(free: np.ndarray) -> float:
        u = weights(free)
        return float(np.log(np.einsum("i,tij,j->t", u, products, u)).mean() / 2)

    return weights(minimize(mean_log, np.zeros(products.shape[1])).x)


def report(rows: pd.DataFrame) -> None:
    """Print the ratios by kind of effect, as a Markdown table."""
    flat = rows["kind"].isin(FLAT)
    products = np.array(rows["products"].tolist())
    best = best_weights(products[~flat])
    rows["best weights, known afterwards"] = np.sqrt(np.einsum("i,tij,j->t", best, products, best))
    names = list(rows.columns[6:])
    logs = np.log(rows[names].div(rows["plain mean"], axis=0))
    kinds = {"all that differ": ~flat}
    kinds |= {kind: rows["kind"] == kind for kind in rows.loc[~flat, "kind"].unique()}
    heads = [f"{kind} ({int(chosen.sum())})" for kind, chosen in kinds.items()]
    print(f"\n| estimate | {' | '.join(heads)} | flat, points ({int(flat.sum())}) |")
    print("|---|" + "--:|" * (len(heads) + 1))
    for name in names:
        cells = []
        for chosen in kinds.values():
            found = logs.loc[chosen, name]
            cells.append(f"{np.exp(found.mean()):.3f} ({np.exp(found.mean()) * found.sem():.3f})")
        print(f"| {name} | {' | '.join(cells)} | {rows.loc[flat, name].mean():.2f} |")
    told = ", ".join(f"{n} {x:.2f}" for n, x in zip((*MEMBERS, ONE), best, strict=True))
    print(f"\nBest weights: {told}")
    for what in ("w", "v"):
        means = rows.groupby("kind", sort=False)[what].mean()
        print(f"Mean {what}: " + ", ".join(f"{kind} {x:.2f}" for kind, x in means.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=9)
    parser.add_argument("--store", type=Path, help="file of rows that are kept for another run")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = kept_rows(one_trial, list(CELLS), range(FIRST, FIRST + given.draws), given.store)
    report(pd.DataFrame(rows))


if __name__ == "__main__":
    main()
