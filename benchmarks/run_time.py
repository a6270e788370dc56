"""Wall-clock time and peak memory of `tauhat run` by the size of the trial."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

OUT = Path("out/benchmarks")
PERSONS_A_CLUSTER = 25
N_COVARIATES = 8


def cluster_trial(n: int, seed: int) -> pd.DataFrame:
    """Simulate a cluster trial with ICC .1 and an effect that depends on one covariate."""
    rng = np.random.default_rng(seed)
    n_clusters = max(4, 2 * round(n / PERSONS_A_CLUSTER / 2))
    clinic = np.sort(rng.integers(0, n_clusters, n))
    arm = rng.permutation(np.arange(n_clusters) % 2)[clinic]
    covariates = rng.normal(size=(n, N_COVARIATES))
    intercept = rng.normal(0, np.sqrt(0.1), n_clusters)[clinic]
    noise = rng.normal(0, np.sqrt(0.9), n)
    outcome = covariates[:, 0] + arm * (0.5 + 0.4 * covariates[:, 1]) + intercept + noise
    table = pd.DataFrame(covariates, columns=[f"x{j + 1}" for j in range(N_COVARIATES)])
    return table.assign(clinic=clinic, arm=arm, outcome=outcome)


def tree_bytes(root: int) -> int:
    """Resident memory of a process and all that it started, from /proc."""
    parents: dict[int, int] = {}
    resident: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = dict(
                line.split(":", 1) for line in (entry / "status").read_text().splitlines()
            )
        except OSError:
            continue  # it ended while we looked
        parents[int(entry.name)] = int(fields["PPid"])
        resident[int(entry.name)] = 1024 * int(fields.get("VmRSS", "0 kB").split()[0])
    total = 0
    for process in resident:
        ancestor = process
        while ancestor not in (0, root):
            ancestor = parents.get(ancestor, 0)
        total += resident[process] if ancestor == root else 0
    return total


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds and peak mebibytes of a command."""
    start = time.perf_counter()
    peak = 0
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages)
        while process.poll() is None:
            peak = max(peak, tree_bytes(process.pid))
            time.sleep(0.1)
        seconds = time.perf_counter() - start
        if process.returncode:
            messages.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{messages.read().decode()}")
    return seconds, peak / 2**20


def main() -> None:
    """Measure each size and print a table; the same as CSV goes to out/benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, nargs="+", default=[250, 750, 2500])
    parser.add_argument("--models", default="default")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    rows = []
    for n in options.persons:
        data, out = OUT / f"trial_{n}.csv", OUT / f"run_{n}"
        cluster_trial(n, options.seed).to_csv(data, index=False)
        command = [
            sys.executable,
            "-m",
            "tauhat",
            "run",
            str(data),
            "--outcome",
            "outcome",
            "--treatment",
            "arm",
        ]
        command += ["--cluster", "clinic", "--models", options.models]
        command += ["--jobs", str(options.jobs), "--seed", str(options.seed), "--out", str(out)]
        seconds, mebibytes = measure(command)
        rows.append({"persons": n, "seconds": round(seconds, 1), "peak_MiB": round(mebibytes)})
        print(rows[-1], flush=True)
    name = f"run_time_{options.models.replace(',', '_')}_{'_'.join(map(str, options.persons))}.csv"
    pd.DataFrame(rows).to_csv(OUT / name, index=False)


if __name__ == "__main__":
    main()
