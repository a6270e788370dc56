"""Where the CPU seconds of `Robust` and its intervals go, in a simulated trial.

Usage: python benchmarks/robust_parts.py
       python benchmarks/robust_parts.py --persons 500 --clusters 0

Functions that are called millions of times seem to take longer than they do, since the profile
has its price for each call. Parts within others count in both.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from peer_tables import markdown
from tauhat.registry import estimator
from tauhat.runtime.engines import engine

_RIDGE = ("numerics/ridge_posterior.py", "sample_ridge_posterior")
_EVIDENCE = ("numerics/effect_evidence.py", "effect_evidence")

#: File and function of each part, where clusters are randomized.
CLUSTER_PARTS = {
    "all members": ("ensembles/ensemble.py", "fit_effect"),
    "evidence for heterogeneity": _EVIDENCE,
    "Bayesian ridge, also the reference of the intervals": _RIDGE,
    "trees of BCF-RE": ("outcome/tree_sampler.py", "sample_trees"),
    "variance ratios by REML": ("numerics/reml_search.py", "search"),
    "Effect-Boosting": ("learners/effect_boosting.py", "fit_effect"),
    "boosted curves of Additive-Boosting": ("outcome/mermboost.py", "_fit_fixed_part"),
    "bagged trees": ("outcome/bagged_trees.py", "grow"),
    "splines": ("numerics/splines.py", "smooth_terms"),
}
#: The same where persons are.
INDIVIDUAL_PARTS = {
    "members and their refits": ("ensembles/ensemble.py", "fit_effect"),
    "refits without each fold": ("ensembles/out_of_fold.py", "out_of_fold_effects"),
    "second stages of X-learners": ("learners/meta.py", "fit_effect_model"),
    "stacks among them": ("outcome/stacked.py", "fit"),
    "BART": ("outcome/bart.py", "_fit_standardized"),
    "Bayesian causal forest": ("learners/bayesian_causal_forest.py", "fit_effect"),
    "Bayesian ridge, also the reference of the intervals": _RIDGE,
    "random forests": ("outcome/forest.py", "_fit_standardized"),
    "boosted trees": ("outcome/boosting.py", "_fit_standardized"),
    "lasso on steps": ("outcome/aglm.py", "_fit_standardized"),
    "evidence for heterogeneity": _EVIDENCE,
}


def table(
    stats: Mapping[tuple[str, int, str], Any], total: float, parts: Mapping[str, tuple[str, str]]
) -> pd.DataFrame:
    """CPU seconds and share of every part."""
    rows = []
    for part, (file, name) in parts.items():
        found = [v for k, v in stats.items() if k[0].endswith(file) and k[2] == name]
        if not found:
            raise ValueError(f"{part}: {file} has no {name}, or it was not called")
        seconds = sum(numbers[3] for numbers in found)
        rows.append({"part": part, "CPU s": round(seconds, 1), "share": f"{seconds / total:.0%}"})
    return pd.DataFrame(rows)


def main() -> None:
    """Fit under the profiler and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--persons", type=int, default=750)
    parser.add_argument("--clusters", type=int, default=30, help="0: persons are randomized")
    options = parser.parse_args()
    n, m = options.persons, options.clusters
    rng = np.random.default_rng(1)
    X, unit = rng.normal(size=(n, 10)), np.arange(n) * (m or n) // n
    arm = rng.permutation(np.arange(m or n) % 2)[unit]
    clusters, level = None, np.zeros(n)
    if m:
        clusters, level = unit, 0.3 * rng.normal(size=m)[unit]
    y = X[:, 0] + arm * (0.5 + 0.5 * X[:, 1]) + level + rng.normal(size=n)
    for name in ("stochtree", "lightgbm", "sklearn.ensemble", "sklearn.linear_model"):
        engine(name)
    profile = cProfile.Profile(time.process_time)
    start = time.process_time()
    profile.enable()
    estimator("Robust", random_state=1).fit(X, y, treatment=arm, clusters=clusters).effect_interval(
        X
    )
    profile.disable()
    # Not the profile's own sum, which misses much of what compiled libraries take.
    total = time.process_time() - start
    stats: Any = pstats.Stats(profile)
    print(f"{total:.1f} CPU seconds")
    print(markdown(table(stats.stats, total, CLUSTER_PARTS if m else INDIVIDUAL_PARTS)))


if __name__ == "__main__":
    main()
