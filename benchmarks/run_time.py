"""Time and peak memory of `tauhat run`, the whole process tree, by the size of the trial."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from process_tree import exponent, measure

OUT = Path("out/benchmarks")
PERSONS_A_CLUSTER = 25


def person_trial(n: int, n_covariates: int, seed: int) -> pd.DataFrame:
    """Simulate a trial of persons whose effect depends on one covariate."""
    rng = np.random.default_rng(seed)
    arm = rng.permutation(np.arange(n) % 2)
    covariates = rng.normal(size=(n, n_covariates))
    outcome = covariates[:, 0] + arm * (0.5 + 0.4 * covariates[:, 1]) + rng.normal(size=n)
    table = pd.DataFrame(covariates, columns=[f"x{j + 1}" for j in range(n_covariates)])
    return table.assign(arm=arm, outcome=outcome)


def cluster_trial(n: int, n_clusters: int, n_covariates: int, seed: int) -> pd.DataFrame:
    """Simulate a cluster trial with ICC .1 and an effect that depends on one covariate."""
    rng = np.random.default_rng(seed)
    clinic = np.sort(rng.integers(0, n_clusters, n))
    arm = rng.permutation(np.arange(n_clusters) % 2)[clinic]
    covariates = rng.normal(size=(n, n_covariates))
    intercept = rng.normal(0, np.sqrt(0.1), n_clusters)[clinic]
    noise = rng.normal(0, np.sqrt(0.9), n)
    outcome = covariates[:, 0] + arm * (0.5 + 0.4 * covariates[:, 1]) + intercept + noise
    table = pd.DataFrame(covariates, columns=[f"x{j + 1}" for j in range(n_covariates)])
    return table.assign(clinic=clinic, arm=arm, outcome=outcome)


def main() -> None:
    """Measure each size and print a table; the same as CSV goes to out/benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, nargs="+", default=[250, 750, 2500])
    parser.add_argument("--clusters", type=int, nargs="+", help="one for each size; else n / 25")
    parser.add_argument("--individual", action="store_true", help="persons are randomized")
    parser.add_argument("--covariates", type=int, default=8)
    parser.add_argument("--models", default="default")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    usual = [max(4, 2 * round(n / PERSONS_A_CLUSTER / 2)) for n in options.persons]
    clusters = options.clusters or usual
    if len(clusters) != len(options.persons):
        parser.error("--clusters needs one number for each of --persons")
    OUT.mkdir(parents=True, exist_ok=True)
    rows = []
    for n, m in zip(options.persons, clusters, strict=True):
        data, out = OUT / f"trial_{n}.csv", OUT / f"run_{n}"
        trial = (
            person_trial(n, options.covariates, options.seed)
            if options.individual
            else cluster_trial(n, m, options.covariates, options.seed)
        )
        trial.to_csv(data, index=False)
        command = [sys.executable, "-m", "tauhat", "run", str(data)]
        command += ["--outcome", "outcome", "--treatment", "arm"]
        command += [] if options.individual else ["--cluster", "clinic"]
        command += ["--models", options.models, "--jobs", str(options.jobs)]
        # The numbers of persons may be those of a run before, of other clusters.
        command += ["--seed", str(options.seed), "--out", str(out), "--force"]
        cost = measure(command)
        rows.append(
            {
                "persons": n,
                "clusters": "-" if options.individual else m,
                "seconds": round(cost.seconds, 1),
                "cpu_seconds": round(cost.cpu_seconds, 1),
                "peak_MiB": round(cost.peak_mebibytes),
                "peak_PSS": round(cost.peak_proportional),
            }
        )
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if len(table) > 1:
        sizes = list(table.persons)
        print(f"growth exponent of CPU time: {exponent(sizes, list(table.cpu_seconds)):.2f}")
        extra = table.peak_PSS.iloc[-1] - table.peak_PSS.iloc[0]
        more = (sizes[-1] - sizes[0]) / 1000
        print(f"memory from first to last: {extra / more:.1f} MiB (PSS) for each 1,000 persons")
    name = f"run_time_{options.models.replace(',', '_')}_{'_'.join(map(str, options.persons))}.csv"
    table.to_csv(OUT / name, index=False)


if __name__ == "__main__":
    main()
