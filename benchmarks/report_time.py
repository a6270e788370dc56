"""CPU seconds of a report, rendered from a finished run, side by side with another revision.

Usage: python benchmarks/report_time.py b8f3fa0 --draws 5

Each build analyses the same simulated trial once, with its default models, and keeps the result.
Then both take turns at writing report.html with all of its figures from it, each time in a new
process: what is counted starts with the result read and `tauhat` imported, and ends with the file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from against_build import ROOT, unpack, variables
from peer_tables import markdown

OUT = Path("out/benchmarks")

ANALYSIS = """
import pickle
import sys
import numpy as np
import pandas as pd
from tauhat import Trial
from tauhat.analysis import analyze
rng = np.random.default_rng(1)
n, m, p = 750, 30, 8
x = rng.normal(size=(n, p))
site = np.repeat(np.arange(m), n // m)
arm = rng.permutation(np.arange(m) % 2)[site]
level = 0.3 * rng.normal(size=m)[site]
y = x[:, 0] + arm * (0.5 + 0.4 * x[:, 1]) + level + rng.normal(size=n)
names = [f"x{j}" for j in range(1, p + 1)]
data = pd.DataFrame(x, columns=names).assign(y=y, arm=arm, site=site)
trial = Trial(data, outcome="y", treatment="arm", cluster="site", covariates=names)
with open(sys.argv[1], "wb") as file:
    pickle.dump(analyze(trial, random_state=1), file)
"""

REPORT = """
import pickle
import sys
import time
import tauhat.analysis
with open(sys.argv[1], "rb") as file:
    result = pickle.load(file)
start = time.process_time()
result.report(sys.argv[2])
print(time.process_time() - start)
"""


def main() -> None:
    """Write the report by both builds in turn, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("revision", help="any commit of this repository")
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        builds = {"other": unpack(options.revision, folder)}
        builds["this"] = sys.executable, variables(ROOT)
        for build, (python, environment) in builds.items():
            kept = str(folder / f"{build}.pickle")
            subprocess.run([python, "-c", ANALYSIS, kept], env=environment, check=True)
        seconds: dict[str, list[float]] = {build: [] for build in builds}
        for _ in range(options.draws):
            for build, (python, environment) in builds.items():
                files = [str(folder / f"{build}.{end}") for end in ("pickle", "html")]
                said = subprocess.run(
                    [python, "-c", REPORT, *files],
                    env=environment,
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                seconds[build].append(float(said.stdout))
        pages = {build: (folder / f"{build}.html").read_text() for build in builds}
    times = pd.DataFrame(seconds)
    middle, ratios = times.median(), times.this / times.other
    row = {
        "draws": len(times),
        "CPU s, other": round(middle.other, 2),
        "CPU s, this": round(middle.this, 2),
        "ratio": round(middle.this / middle.other, 2),
        "ratios by draw": f"{ratios.min():.2f} to {ratios.max():.2f}",
        "figures, other": pages["other"].count("<img"),
        "figures, this": pages["this"].count("<img"),
        "kB, other": round(len(pages["other"]) / 1000),
        "kB, this": round(len(pages["this"]) / 1000),
    }
    table = pd.DataFrame([row])
    print(markdown(table))
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / "report_time.csv", index=False)


if __name__ == "__main__":
    main()
