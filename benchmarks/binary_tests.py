"""Size of both tests of heterogeneity where the outcome is an event, with Monte Carlo errors.

The primary test (risk differences) where treatment does nothing, also where the intracluster
correlation differs between subgroups; the secondary one (odds ratios) there and where one odds
ratio holds for everyone. In the last case risk differences do differ: what the primary test
rejects there is its power.

    python benchmarks/binary_tests.py --trials 400
    python benchmarks/binary_tests.py --clusters 12 --bases .05 --effects null --first 2000
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy.special import expit

from tauhat.inference import test_heterogeneity
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import scenario

LEVEL, PERMUTATIONS, PERSONS = 0.05, 199, 500
BASES = (0.05, 0.1, 0.3, 0.5)
EFFECTS = ("null", "null, ICC by subgroup", "odds-ratio")
# Intracluster correlation of the latent outcome in persons with x6 = 0 and x6 = 1.
OF_SUBGROUPS = (0.02, 0.25)


def of_subgroups(trial, seed: int) -> tuple:
    """The trial with clusters' intercepts of their own, and of other variances, by x6."""
    rng = np.random.default_rng(seed)
    group = trial.X["x6"].to_numpy().astype(int)
    icc = np.array(OF_SUBGROUPS)
    spread = np.sqrt(icc / (1 - icc) * np.pi**2 / 3)
    m = int(trial.clusters.max()) + 1
    intercept = (rng.standard_normal((m, 2)) * spread)[trial.clusters, group]
    risk = expit(trial.nodes["log_odds0"].to_numpy() + intercept)
    y = (rng.random(len(risk)) < risk).astype(float)
    return trial.X, y, trial.treatment, trial.clusters


def rejections(base: float, clusters: int | None, effect: str, trials: range) -> dict:
    """Share of trials in which each test rejects."""
    plain = "null" if effect == "null, ICC by subgroup" else effect
    if clusters is None:
        design, size = scenario("binary", base_risk=base, effect=plain), PERSONS
    else:
        design, size = (
            scenario(
                "crt-binary",
                n_clusters=clusters,
                mean_size=30,
                base_risk=base,
                effect=plain,
                icc=0.05,
            ),
            None,
        )
    found, start = [], time.process_time()
    for number in trials:
        seed = derive_seed(20261129, "binary tests", base, clusters or 0, number)
        trial = design.draw(size, seed)
        arrays = trial if plain == effect else of_subgroups(trial, seed)
        settings = {"random_state": number, "n_permutations": PERMUTATIONS}
        found.append(
            [
                test_heterogeneity(arrays, scale=scale, **settings).p_value <= LEVEL
                for scale in ("difference", "odds ratio")
            ]
        )
    share = np.mean(found, axis=0)
    return {
        "base risk": base,
        "clusters": clusters or f"none, {PERSONS} persons",
        "effect": effect,
        "difference": share[0],
        "odds ratio": share[1],
        "largest se": np.sqrt(share * (1 - share) / len(trials)).max(),
        "seconds": (time.process_time() - start) / len(trials),
    }


def main() -> None:
    """Print one row per cell."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument(
        "--clusters", type=int, nargs="*", default=[12, 20, 40, 0], help="0 for persons"
    )
    parser.add_argument("--bases", type=float, nargs="*", default=BASES)
    parser.add_argument("--effects", nargs="*", choices=EFFECTS, default=EFFECTS)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    chosen = parser.parse_args()
    trials = range(chosen.first, chosen.first + chosen.trials)
    first = True
    for number in chosen.clusters:
        clusters = number or None
        for base in chosen.bases:
            for effect in chosen.effects:
                if clusters is None and "ICC" in effect:
                    continue
                row = pd.DataFrame([rejections(base, clusters, effect, trials)])
                print(row.round(3).to_string(index=False, header=first), flush=True)
                first = False


if __name__ == "__main__":
    main()
