"""Error and time of the causal forest above its threshold of persons, against the usual forest.

Usage: python benchmarks/forest_size.py

One simulated trial; the root mean squared error of the effects is taken at 5,000 new persons,
in units in which the effects have a standard deviation of one.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from peer_tables import markdown
from tauhat.learners import CausalForest, causal_forest
from tauhat.outcome import ElasticNetModel


def main() -> None:
    """Fit both forests to the same trial and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--persons", type=int, default=40_000)
    parser.add_argument("--covariates", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    n, threshold = options.persons, causal_forest.MANY_ROWS
    rng = np.random.default_rng(options.seed)
    X, new = (rng.normal(size=(k, options.covariates)) for k in (n, 5_000))
    arm = rng.permutation(np.arange(n) % 2)
    effect, truth = (
        0.3 * Z[:, 0] + 0.6 * (Z[:, 1] > 0) + 0.2 * Z[:, 0] * Z[:, 2] for Z in (X, new)
    )
    y = X[:, 0] + arm * effect + rng.normal(size=n)
    rows = []
    for setting, many in (("large", threshold), ("usual", n)):
        causal_forest.MANY_ROWS = many
        start = time.process_time()
        model = CausalForest(ElasticNetModel(), random_state=options.seed)
        model.fit(X, y, treatment=arm)
        error = model.effect(new) - truth
        forest = model.forest_
        rows.append(
            {
                "setting": setting,
                "trees": len(forest),
                "rows a tree": round(forest.max_samples * n),
                "error / SD": round(float(np.sqrt((error**2).mean()) / truth.std()), 3),
                "CPU s": round(time.process_time() - start, 1),
            }
        )
        print(rows[-1], flush=True)
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
