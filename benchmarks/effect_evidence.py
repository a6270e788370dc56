"""How far `Robust` shrinks: the posterior probability that the effect differs between persons.

Each draw is judged twice, as it is and with everybody given the average effect.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from tauhat.data import validate_trial
from tauhat.numerics.effect_evidence import effect_evidence
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.slope_prior import posterior_probability
from tauhat.simulate.scenario import scenario

ROWS = (
    [(name, n) for name in ("linear", "slightly-nonlinear", "highly-nonlinear", "pd-l1")
     for n in (100, 250, 500)]
    + [(f"c{k}", None) for k in range(2, 7)]
)  # fmt: skip


def probability(name: str, n: int | None, seed: int, *, same: bool) -> float:
    """Posterior probability of heterogeneity in one draw."""
    trial = scenario(name).draw(n, seed)
    y = trial.y
    if same:
        y = y - trial.treatment * (trial.tau - trial.tau.mean())
    data = validate_trial(trial.X, y, trial.treatment, trial.clusters)
    contrast = data.treatment - data.propensity
    clusters = identified_clusters(data.clusters)
    found = effect_evidence(data.X, data.y, contrast, clusters, None, seed)
    return posterior_probability(found.log_bayes_factor)


def main() -> None:
    """Print the mean probability and its quartiles for every scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with threadpool_limits(limits=1):
        print(table(options.draws, options.seed).to_string(index=False))


def table(draws: int, seed: int) -> pd.DataFrame:
    """Mean probability with its quartiles, one row per scenario."""
    lines = []
    for name, n in ROWS:
        line: dict[str, object] = {"scenario": name, "n": n or "-"}
        for same in (True, False):
            found = np.array(
                [
                    probability(name, n, derive_seed(seed, name, n, draw), same=same)
                    for draw in range(draws)
                ]
            )
            low, high = np.quantile(found, [0.25, 0.75])
            label = "same effect" if same else "effect differs"
            line[label] = f"{found.mean():.2f} ({low:.2f} to {high:.2f})"
        lines.append(line)
    return pd.DataFrame(lines)


if __name__ == "__main__":
    main()
