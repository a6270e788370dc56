"""`Risk` where covariates hardly predict the event: its unit, and what it was without one.

Persons with six normal covariates of which three predict the event, by log odds of a standard
deviation from none to .8; treatment multiplies the odds by 2.2, the same for everyone or more
where the risk is higher (the log odds ratio by .5 per unit of the log odds). Root mean squared
error of the persons' risk differences in points with predictions in units of at least
`tauhat.learners.risk.LEAST_SPREAD` and in units of their own standard deviation, and the geometric
mean of the ratio (Monte Carlo error), over the same trials.

    python benchmarks/weak_prognosis.py --trials 30
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from scipy.special import expit

import tauhat as th
from tauhat.learners import risk
from tauhat.numerics.seeds import derive_seed

PERSONS, PREDICTION_SDS, SLOPES = (150, 400), (0.0, 0.15, 0.3, 0.5, 0.8), (0.0, 0.5)
LEVEL, LOG_ODDS_RATIO = -0.8, 0.8
# Units of their own, however little predictions differ.
OWN_UNITS, UNIT = 1e-6, risk.LEAST_SPREAD


def errors(n: int, spread: float, slope: float, seed: int) -> list[float]:
    """Errors of `Risk` with its unit and without one, in percentage points."""
    rng = np.random.default_rng(derive_seed(20261130, n, f"{spread} {slope}", seed))
    X, arm = rng.normal(size=(n, 6)), np.arange(n) % 2
    prediction = spread * X[:, :3].sum(axis=1) / np.sqrt(3)
    control = expit(LEVEL + prediction)
    treated = expit(LEVEL + LOG_ODDS_RATIO + (1 + slope) * prediction)
    event = rng.random(n) < np.where(arm == 1, treated, control)
    found = []
    for unit in (UNIT, OWN_UNITS):
        risk.LEAST_SPREAD = unit
        effect = th.estimator("Risk").fit(X, event, treatment=arm).effect(X)
        found.append(100 * float(np.sqrt(np.mean((effect - (treated - control)) ** 2))))
    risk.LEAST_SPREAD = UNIT
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=30)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for n in PERSONS:
        for spread in PREDICTION_SDS:
            for slope in SLOPES if spread else (0.0,):
                found = np.array([errors(n, spread, slope, k) for k in range(given.trials)])
                logs = np.log(found[:, 0] / found[:, 1])
                ratio, error = np.exp(logs.mean()), logs.std(ddof=1) / np.sqrt(len(logs))
                row = {"persons": n, "SD of log odds": spread, "slope": slope}
                row |= dict(zip(("with a unit", "without"), found.mean(axis=0), strict=True))
                rows.append({**row, "ratio": f"{ratio:.2f} ({ratio * error:.2f})"})
    print(pd.DataFrame(rows).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
