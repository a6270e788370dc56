"""CPU seconds of our mixed-effects forest and of the package merf at equal trees.

merf is no dependency: install it aside (``pip install --no-deps --target DIR merf==1.0``)
and name the folder with ``--merf DIR``.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

from tauhat.outcome.merf import MERF
from tauhat.simulate import CLUSTER_DESIGNS, ClusterTrial

SCENARIO = ClusterTrial(**CLUSTER_DESIGNS["crt-nonlinear-m50-icc10"])
FORESTS: dict[str, dict[str, Any]] = {
    "merf's own": {},
    "equal leaves": {"min_samples_leaf": 5, "max_features": 0.5},
}


def compare(package: Any, forest: dict[str, Any], trees: int, draw: int) -> dict[str, float]:
    """Fit both to one trial; the true residual variance is 0.9."""
    trial = SCENARIO.draw(random_state=draw)
    X, clusters = trial.X.to_numpy(dtype=float), trial.clusters
    engine = RandomForestRegressor(trees, n_jobs=1, random_state=draw, **forest)
    start = time.process_time()
    theirs = package(fixed_effects_model=engine)
    theirs.fit(X, np.ones((len(X), 1)), pd.Series(clusters), pd.Series(trial.y))
    middle = time.process_time()
    ours = MERF(n_estimators=trees, random_state=draw).fit(X, trial.y, clusters=clusters)
    return {
        "merf": middle - start,
        "tauhat": time.process_time() - middle,
        "merf residual": theirs.sigma2_hat_history[-1],
        "tauhat residual": ours.variance_components_.residual,
    }


def main() -> None:
    """Fit both to the same trials, in turn, and print the times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--merf", type=Path, required=True)
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--draws", type=int, default=2)
    options = parser.parse_args()
    sys.path.append(str(options.merf))
    warnings.simplefilter("ignore")
    package = import_module("merf.merf").MERF
    logging.disable(logging.INFO)
    rows = [
        {"forest": name, **compare(package, forest, options.trees, draw)}
        for draw in range(options.draws)
        for name, forest in FORESTS.items()
    ]
    table = pd.DataFrame(rows).groupby("forest").mean()
    print(table.assign(ratio=table.merf / table.tauhat).round(2).to_string())


if __name__ == "__main__":
    main()
