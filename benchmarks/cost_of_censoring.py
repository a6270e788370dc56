"""What censoring must cost: the bound for any estimator that assumes nothing about the hazards.

Given covariates and arm, the efficient outcome made of a censored time has the variance

    Var f(T) + int_0^h Var{f(T) | T > u} S(u) / G(u) dLambda_C(u),        f(T) = min(T, h),

with the true survival S and the true probability G not to be censored. Beside the variance of f(T)
alone it says by how much the standard error of an unbiased estimate grows, whatever is done with
the data. Three estimates: the mean effect of those whose G at the horizon is at least .05 in both
arms (of everybody it is infinite, or nearly: somebody is hardly ever followed so far); an effect
that all share; and the size b of the variation in a + b g(x), where the shape g is known and the
outcome without treatment may be anything. For the last two, persons are weighed by how much they
tell. Persons count as independent: a frailty of clusters, which is averaged over, adds the same
with and without censoring. Learners shrink, so that part of their error is bias, which
censoring adds less to; and a model of the hazards that is right can do better.

    python benchmarks/cost_of_censoring.py
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from tauhat.numerics.censored_outcomes import SMALLEST_PROBABILITY
from tauhat.numerics.quadrature import hermite_nodes
from tauhat.simulate import SurvivalTrial
from tauhat.simulate.survival_scenario import censoring_level, cumulative_hazard
from time_to_event import CELLS

# Points in time, and persons held at once.
_POINTS, _PART = 481, 2000


def conditional_variances(
    source: SurvivalTrial, nodes: pd.DataFrame, rate: np.ndarray, arm: int
) -> tuple[np.ndarray, np.ndarray]:
    """Variance in an arm of the time cut at the horizon, and what censoring adds, shape (n,).

    ``rate`` is the hazard of being censored, shape (n, 1).
    """
    time = np.linspace(0, source.horizon, _POINTS)
    step = time[1]
    early, late = (
        np.exp(nodes["log_hazard"] + arm * nodes[f"log_ratio_{when}"]).to_numpy()
        for when in ("early", "late")
    )
    hazard = cumulative_hazard(time, early, late)
    frailties, shares = hermite_nodes(9)
    alive = sum(
        share * np.exp(-hazard * np.exp(source.frailty_sd * node))
        for node, share in zip(frailties, shares, strict=True)
    )

    def after(values: np.ndarray) -> np.ndarray:
        """Integral from each point to the horizon."""
        pieces = step * (values[:, 1:] + values[:, :-1]) / 2
        left = np.cumsum(pieces[:, ::-1], axis=1)[:, ::-1]
        return np.column_stack([left, np.zeros(len(values))])

    # What is left at u has mean int S / S(u) and mean square 2 int (t - u) S / S(u).
    area, moment = after(alive), after(alive * time)
    mean = area / alive
    variance = np.maximum(2 * (moment - time * area) / alive - mean**2, 0)
    lost = variance * alive * rate * np.exp(rate * time)
    return variance[:, 0], after(lost)[:, 0]


def standard_errors(variance: np.ndarray, shape: np.ndarray) -> tuple[float, float]:
    """Of an effect that all share and of the size of its variation, up to a factor."""
    design = np.column_stack([np.ones(len(shape)), shape])
    bread = np.linalg.inv((design / variance[:, None]).T @ design)
    return float(1 / np.sqrt((1 / variance).sum())), float(np.sqrt(bread[1, 1]))


def factors(cell: str, n: int) -> dict[str, object]:
    """By how much standard errors grow in a cell."""
    settings, _ = CELLS[cell]
    source = SurvivalTrial(**settings)
    people = source.population(n, 1)
    full, lost, followed = np.zeros(people.n), np.zeros(people.n), np.ones(people.n, dtype=bool)
    for arm in (0, 1):
        log_rate = source.log_hazard_of_censoring(people.X, np.full(people.n, arm))
        rate = np.exp(censoring_level(source) + log_rate)
        followed &= np.exp(-rate * source.horizon) >= SMALLEST_PROBABILITY
        for i in range(0, people.n, _PART):
            rows = slice(i, i + _PART)
            one, added = conditional_variances(
                source, people.nodes.iloc[rows], rate[rows, None], arm
            )
            full[rows] += one
            lost[rows] += added
    shape = people.X["x3"].to_numpy() if settings["effect"] == "null" else people.tau
    seen = full + lost
    shared, variation = np.divide(standard_errors(seen, shape), standard_errors(full, shape))
    return {
        "cell": cell,
        "censored": settings["censored"],
        "followed": followed.mean(),
        "mean effect": np.sqrt(seen[followed].mean() / full[followed].mean()),
        "shared effect": shared,
        "variation": variation,
    }


def main() -> None:
    """Print the factors of all cells."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--persons", type=int, default=5_000)
    chosen = parser.parse_args()
    table = pd.DataFrame([factors(cell, chosen.persons) for cell in CELLS])
    print(table.set_index("cell").round(2).to_string())


if __name__ == "__main__":
    main()
