"""CPU seconds and peak memory of `effect_interval` by persons, clusters and covariates.

Usage: python benchmarks/interval_size.py
       python benchmarks/interval_size.py --sizes 15000:5000:5 200:0:2000

A size is persons:clusters:covariates, no clusters where persons are randomized; with an
s at the end the covariates are shares that sum to one. Each size is a process of its own
that fits LMM; nearly all of its time is the reference posterior of the intervals.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from peer_tables import markdown
from process_tree import measure

OUT = Path("out/benchmarks")
SIZES = [
    *("150:50:5", "1500:500:5", "15000:5000:5"),
    *("300:0:10", "300:0:25", "300:0:60", "300:0:150", "300:0:150s", "1000:0:60", "200:0:2000"),
    *("2000:0:20", "20000:0:20", "200000:0:20"),
]

FIT = """
import sys
import numpy as np
from tauhat.registry import estimator
n, m, p = map(int, sys.argv[1].rstrip("s").split(":"))
rng = np.random.default_rng(1)
X = rng.normal(size=(n, p))
if sys.argv[1].endswith("s"):
    X = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)
clusters = np.repeat(np.arange(m), n // m) if m else None
arm = rng.permutation(np.arange(m or n) % 2)
treatment, level = (arm[clusters], 0.3 * rng.normal(size=m)[clusters]) if m else (arm, 0)
y = X[:, 0] + treatment * (1 + X[:, 1]) + level + rng.normal(size=n)
model = estimator("LMM", random_state=1).fit(X, y, treatment=treatment, clusters=clusters)
model.effect_interval(X)
"""


def main() -> None:
    """Measure each size and print the table; the same as CSV goes to out/benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    options = parser.parse_args()
    start = measure([sys.executable, "-c", "from tauhat.registry import estimator"])
    rows = []
    for size in options.sizes:
        cost = measure([sys.executable, "-c", FIT, size])
        persons, clusters, covariates = size.rstrip("s").split(":")
        rows.append(
            {
                "persons": persons,
                "clusters": "-" if clusters == "0" else clusters,
                "covariates": covariates + (" shares" if size.endswith("s") else ""),
                "CPU s": round(cost.cpu_seconds - start.cpu_seconds, 1),
                "peak MiB": round(cost.peak_mebibytes),
            }
        )
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print(f"Imports ({start.cpu_seconds:.1f} CPU s) are not counted.\n{markdown(table)}")
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / "interval_size.csv", index=False)


if __name__ == "__main__":
    main()
