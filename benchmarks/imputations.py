"""Missing covariates: filled in once and marked, against multiple imputation.

    python benchmarks/imputations.py --trials 60

24 clusters of 14 to 40 persons, 27 on average, with three covariates that are correlated within
persons and clusters; x1 predicts the outcome and carries the effect. Values of x1 and x2 are
missing at random given x3. Both averages: bias (against the same trial with every covariate seen),
coverage and width of 95% intervals; the LMM: root mean squared error of the effects of new persons
with all covariates seen, over the standard deviation of the effects.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tauhat as th
from tauhat.inference import completed_trials, pooled
from tauhat.numerics.seeds import derive_seed

CLUSTERS, PERSONS = 24, 27
NAMES = ["x1", "x2", "x3"]
WAYS = ("all covariates", "filled in once", "m = 5", "m = 10")


def effect(X: np.ndarray) -> np.ndarray:
    """Effect of each person; its mean is 0.3."""
    return 0.3 + 0.4 * X[:, 0]


def covariates(clusters: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Covariates and the cluster of each person."""
    unit = np.repeat(np.arange(clusters), rng.integers(PERSONS - 13, PERSONS + 14, clusters))
    root = np.linalg.cholesky(np.array([[1, 0.5, 0.4], [0.5, 1, 0.3], [0.4, 0.3, 1]]))
    within = rng.normal(size=(len(unit), 3)) @ root.T
    between = rng.normal(size=(clusters, 3)) @ root.T
    return np.sqrt(0.85) * within + np.sqrt(0.15) * between[unit], unit


def draw(lost: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A trial with all covariates, and as it was seen."""
    rng = np.random.default_rng(seed)
    X, unit = covariates(CLUSTERS, rng)
    arm = rng.permutation(np.arange(CLUSTERS) % 2)[unit]
    y = 0.6 * X[:, 0] + 0.3 * X[:, 1] + arm * effect(X) + 0.25 * rng.normal(size=CLUSTERS)[unit]
    everything = pd.DataFrame(X, columns=NAMES).assign(
        arm=arm, unit=unit, y=y + rng.normal(size=len(y))
    )
    seen = everything.copy()
    for name in ("x1", "x2"):
        odds = np.exp(np.log(lost / (1 - lost)) + 0.7 * X[:, 2])
        seen.loc[rng.random(len(y)) < odds / (1 + odds), name] = np.nan
    return everything, seen


def one_trial(lost: float, seed: int) -> dict[str, dict[str, float]]:
    """Estimates and errors by way."""
    roles = {"outcome": "y", "treatment": "arm", "cluster": "unit", "covariates": NAMES}
    everything, seen = (th.Trial(frame, **roles) for frame in draw(lost, seed))
    new, _ = covariates(40, np.random.default_rng(derive_seed(seed, "new persons")))
    truth = effect(new)
    marks = seen.X.shape[1] - len(NAMES)
    columns = [name for name in seen.X.columns if not name.endswith("(missing)")]
    place = [list(seen.X.columns).index(name) for name in columns]
    with_marks = np.zeros((len(new), len(NAMES) + marks))
    with_marks[:, place] = new
    # The first of ten draws are those of five; `average_effects(imputations=)` pools likewise.
    drawn = completed_trials(seen, 10, random_state=seed)
    parts = dict(zip(WAYS, ([everything.data], [seen.data], drawn[:5], drawn), strict=True))
    by_trial = {id(one): th.average_effects(one) for one in drawn}
    by_trial |= {id(parts[way][0]): th.average_effects(parts[way][0]) for way in WAYS[:2]}
    effects_of = {}
    for one in (*drawn, everything.data, seen.data):
        shown = new if one is everything.data else with_marks
        effects_of[id(one)] = np.ravel(th.estimator("LMM").fit_data(one).effect(shown))
    found = {}
    for way, own in parts.items():
        effects = np.mean([effects_of[id(one)] for one in own], axis=0)
        found[way] = {"LMM": float(np.sqrt(np.mean((effects - truth) ** 2)) / truth.std())}
        for name in ("individual", "cluster"):
            one = pooled([getattr(by_trial[id(part)], name) for part in own])
            found[way] |= {f"{name}": one.estimate, f"{name} width": one.upper - one.lower}
            found[way][f"{name} covered"] = float(one.lower <= 0.3 <= one.upper)
    return found


def main() -> None:
    """Print a row for each share missing and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=60)
    trials = parser.parse_args().trials
    with threadpool_limits(limits=1):
        for lost in (0.1, 0.3):
            key = derive_seed(20261129, "imputations", int(100 * lost))
            found = [one_trial(lost, derive_seed(key, k)) for k in range(trials)]
            rows = []
            for way in WAYS:
                table = pd.DataFrame([one[way] for one in found])
                base = pd.DataFrame([one["all covariates"] for one in found])
                once = pd.DataFrame([one["filled in once"] for one in found])
                ratio = np.log(table["LMM"] / once["LMM"])
                row = {"missing": lost, "covariates": way}
                for name in ("individual", "cluster"):
                    apart = table[name] - base[name]
                    row |= {
                        f"{name} bias": apart.mean(),
                        f"{name} bias se": apart.sem(),
                        f"{name} SD": table[name].std(),
                        f"{name} coverage": table[f"{name} covered"].mean(),
                        f"{name} width": table[f"{name} width"].mean(),
                    }
                row |= {"LMM error": table["LMM"].mean(), "over once": np.exp(ratio.mean())}
                rows.append(row | {"se of log": ratio.sem()})
            print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
