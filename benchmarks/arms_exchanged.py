"""Whether effects turn their sign, and no more, when the arms are exchanged.

Of each trial the distance of the effects from those with the arms exchanged, means over some
seeds, without the part that is noise of the chains; and how much effects vary between persons.

    python benchmarks/arms_exchanged.py --draws 2 --seeds 3
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd

from interval_coverage import design_of
from peer_tables import markdown
from tauhat.numerics.seeds import derive_seed
from tauhat.registry import estimator
from tauhat.runtime.parallel import on_one_thread

LEARNERS = ("BCF-RE", "BART-RE", "S-BART", "BRM", "Robust")
SCENARIOS = ("c2", "c4", "linear", "highly-nonlinear")


@on_one_thread
def measure(name: str, scenario: str, draw: int, n_seeds: int) -> dict[str, object]:
    """Distance, and the spread of the effects either way, over the SD of the outcome."""
    design, n = design_of(scenario)
    seed = derive_seed(20261130, scenario, draw)
    trial = design.draw(n, seed)
    effects = []
    for arm, sign in ((trial.treatment, 1.0), (1 - trial.treatment, -1.0)):
        found = [
            estimator(name, random_state=k)
            .fit(trial.X, trial.y, treatment=arm, clusters=trial.clusters)
            .effect(trial.X)
            for k in range(n_seeds)
        ]
        effects.append(sign * np.array(found))
    noise = sum(own.var(axis=0, ddof=1).mean() / n_seeds for own in effects)
    means = [own.mean(axis=0) for own in effects]
    distance = float(((means[0] - means[1]) ** 2).mean()) - noise
    unit = float(np.std(trial.y))
    spread = [float(mean.std()) / unit for mean in means]
    return {
        "estimator": name,
        "distance": np.sqrt(max(distance, 0.0)) / unit,
        "noise": np.sqrt(noise) / unit,
        "spread": spread[0],
        "spread, exchanged": spread[1],
    }


def main() -> None:
    """Print means over all trials."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = [
        measure(name, scenario, draw, options.seeds)
        for name in LEARNERS
        for scenario in SCENARIOS
        for draw in range(options.draws)
    ]
    table = pd.DataFrame(rows).groupby("estimator", sort=False).mean().reset_index()
    print(markdown(table.round(3)))


if __name__ == "__main__":
    main()
