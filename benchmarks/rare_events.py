"""From how many events the effects of persons, and ratios of risks, can be learned.

First table: trials of 1,000 persons whose log odds ratios are linear in covariates, by the number
of events that is expected. Error of `GAMM`'s individual risk differences over that of one
effect for everyone (the difference of both arms' risks), the median over trials of their rank
correlation with the truth, and the share of trials in which it is below .2.

Second table: the same trials with few events in the treated arm alone and 60 in the control arm.
Share of trials with a risk ratio, and of its 95% intervals that hold the truth; median ratio of
the upper to the lower end.

    python benchmarks/rare_events.py --trials 60
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import spearmanr

import tauhat as th
from tauhat.numerics.seeds import derive_seed

PERSONS, COVARIATES = 1000, 6
EXPECTED = (8, 15, 20, 30, 45, 60, 100, 200)
IN_ARM = (1, 2, 3, 4, 5, 7, 10)


def level_for(predictor: np.ndarray, events: float) -> float:
    """Constant at which so many events are expected among persons with these predictors."""
    return brentq(lambda a: expit(a + predictor).sum() - events, -25, 5)


def persons(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Covariates, arms, prognosis and log odds ratios less a constant."""
    X = rng.normal(size=(PERSONS, COVARIATES))
    arm = rng.permutation(PERSONS) % 2
    prognosis = 0.6 * X[:, 0] + 0.5 * (np.abs(X[:, 1]) - 0.8) + 0.35 * X[:, 2]
    return X, arm, prognosis, 0.5 * X[:, 0] - 0.4 * X[:, 3]


def effects_learned(expected: int, number: int) -> dict[str, float] | None:
    """How well individual effects are learned in one trial; None without events in both arms."""
    rng = np.random.default_rng(derive_seed(18, "rare", expected, number))
    X, arm, prognosis, change = persons(rng)
    change -= 0.5
    level = level_for(prognosis + arm * change, expected)
    control, treated = expit(level + prognosis), expit(level + prognosis + change)
    y = (rng.random(PERSONS) < np.where(arm == 1, treated, control)).astype(float)
    if min(y[arm == 0].sum(), y[arm == 1].sum()) < 1:
        return None
    tau = treated - control
    effect = th.estimator("GAMM", random_state=1).fit(X, y, treatment=arm).effect(X)
    same = y[arm == 1].mean() - y[arm == 0].mean()
    errors = [float(np.sqrt(np.mean((one - tau) ** 2))) for one in (effect, same)]
    rank = float(spearmanr(effect, tau).statistic)
    return {"log ratio": np.log(errors[0] / errors[1]), "rank": rank, "lost": rank < 0.2}


def ratio_learned(expected: int, number: int) -> dict[str, float]:
    """Whether a risk ratio is there and holds the truth in one trial."""
    rng = np.random.default_rng(derive_seed(18, "arm", expected, number))
    X, arm, prognosis, _ = persons(rng)
    risks = np.stack([
        expit(level_for(prognosis, 2 * events) + prognosis) for events in (60, expected)
    ])  # fmt: skip
    y = (rng.random(PERSONS) < risks[arm, np.arange(PERSONS)]).astype(float)
    truth = risks[1].mean() / risks[0].mean()
    try:
        found = th.average_effects((X, y, arm)).on("ratio")[0]
    except ValueError:
        found = None
    if found is None or not np.isfinite(found.upper):
        return {"there": 0.0, "holds": np.nan, "width": np.nan}
    inside = found.lower <= truth <= found.upper
    return {"there": 1.0, "holds": inside, "width": found.upper / found.lower}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for expected in EXPECTED:
        found = (effects_learned(expected, number) for number in range(given.trials))
        told = pd.DataFrame([one for one in found if one is not None])
        ratio = np.exp(told["log ratio"].mean())
        rows.append({
            "events expected": expected,
            "error ratio": ratio,
            "Monte Carlo error": ratio * told["log ratio"].sem(),
            "rank correlation": told["rank"].median(),
            "below .2": told["lost"].mean(),
        })  # fmt: skip
    print(pd.DataFrame(rows).round(2).to_string(index=False))
    rows = []
    for expected in IN_ARM:
        told = pd.DataFrame([ratio_learned(expected, number) for number in range(given.trials)])
        rows.append({
            "events expected when treated": expected,
            "with a ratio": told["there"].mean(),
            "interval holds": told["holds"].mean(),
            "upper / lower": told["width"].median(),
        })  # fmt: skip
    print(pd.DataFrame(rows).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
