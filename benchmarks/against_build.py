"""CPU seconds and peak memory of whole processes, side by side with another revision.

Usage: python benchmarks/against_build.py b8f3fa0 --draws 5
       python benchmarks/against_build.py b8f3fa0 --only help import --draws 9

The other revision is unpacked into a temporary folder and put in front of this
environment's packages; where these are not what it asks for, it gets an environment of
its own. Both builds take turns, each run is a new process. Pages that processes share
count in each of them in the MiB, and once in PSS.
"""

from __future__ import annotations

import argparse
import compileall
import os
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from packaging.requirements import Requirement

from peer_tables import markdown
from process_tree import measure

OUT = Path("out/benchmarks")
ROOT = Path(__file__).resolve().parent.parent

FIT = """
import sys
import numpy as np
from tauhat.registry import estimator
rng = np.random.default_rng(int(sys.argv[1]))
n, p = {n}, 10
X = rng.normal(size=(n, p))
clusters = np.repeat(np.arange({m}), n // {m}) if {m} else None
arm = rng.permutation(np.arange({m} or n) % 2)
treatment = arm if clusters is None else arm[clusters]
level = 0 if clusters is None else 0.3 * rng.normal(size={m})[clusters]
y = X[:, 0] + treatment * (0.5 + 0.5 * X[:, 1]) + level + rng.normal(size=n)
model = estimator("{name}", random_state=1).fit(X, y, treatment=treatment, clusters=clusters)
np.save(sys.argv[2], [model.effect(X), *model.effect_interval(X)])
"""

#: The fit a second time, when all that it needs is there; its CPU seconds alone.
AGAIN = """
import time
start = time.process_time()
estimator("{name}", random_state=1).fit(
    X, y, treatment=treatment, clusters=clusters
).effect_interval(X)
open(sys.argv[2] + ".cpu", "w").write(str(time.process_time() - start))
"""

#: Every draw of a study is the study as it is: it has seeds of its own.
STUDY = ["study", "run", "--jobs", "2"]

#: What follows the interpreter in each case; {draw} and {out} are filled in.
CASES = {
    "robust-clusters": ["-c", FIT.format(n=750, m=30, name="Robust"), "{draw}", "{out}.npy"],
    "robust-individual": ["-c", FIT.format(n=500, m=0, name="Robust"), "{draw}", "{out}.npy"],
    "brm": ["-c", FIT.format(n=750, m=30, name="BRM"), "{draw}", "{out}.npy"],
    "brm-again": [
        "-c",
        (FIT + AGAIN).format(n=750, m=30, name="BRM"),
        "{draw}",
        "{out}.npy",
    ],
    "demo": ["-m", "tauhat", "demo", "--jobs", "1", "--seed", "{draw}", "--out", "{out}"],
    "demo-two-jobs": ["-m", "tauhat", "demo", "--jobs", "2", "--seed", "{draw}", "--out", "{out}"],
    "help": ["-m", "tauhat", "--help"],
    "import": ["-c", "import tauhat.ensembles"],
    "study-persons": ["-m", "tauhat", *STUDY, "robust-ensembles-quick", "--out", "{out}"],
    "study-clusters": ["-m", "tauhat", *STUDY, "cluster-trials-quick", "--out", "{out}"],
}


def is_served(folder: Path) -> bool:
    """Whether the packages of this environment are what the build in a folder asks for."""
    with (folder / "pyproject.toml").open("rb") as file:
        asked = map(Requirement, tomllib.load(file)["project"]["dependencies"])
        return all(one.specifier.contains(version(one.name)) for one in asked)


def unpack(revision: str, folder: Path) -> tuple[str, dict[str, str]]:
    """Interpreter and environment variables that run another revision."""
    archive = subprocess.run(
        ["git", "archive", revision], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    python = sys.executable
    if not is_served(folder):
        own = folder / ".venv"
        subprocess.run([sys.executable, "-m", "venv", str(own)], check=True)
        python = str(own / "bin" / "python")
        install = [python, "-m", "pip", "install", "-q", "-c", "constraints.txt", "."]
        subprocess.run(install, cwd=folder, check=True)
    return python, variables(folder)


def variables(folder: Path) -> dict[str, str]:
    """Environment in which the build of a folder comes first, one thread a library.

    The build is compiled, as one is that pip installs; not every environment keeps compiled files.
    """
    compileall.compile_dir(folder / "src", quiet=1)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": str(folder / "src")}


def distance(one: Path, other: Path) -> float:
    """Largest difference of two arrays over the largest number of the second."""
    values, reference = np.load(one), np.load(other)
    return float(np.abs(values - reference).max() / np.abs(reference).max())


def row(case: str, runs: pd.DataFrame) -> dict[str, object]:
    """Medians of both builds over the draws, and their ratios."""
    middle = runs.groupby("build")[["seconds", "cpu", "mebibytes", "proportional"]].median()
    by_draw = runs.pivot(index="draw", columns="build", values="cpu")
    ratios = by_draw["this"] / by_draw["other"]
    return {
        "case": case,
        "draws": len(by_draw),
        "CPU s, other": round(middle.cpu["other"], 2),
        "CPU s, this": round(middle.cpu["this"], 2),
        "ratio": round(middle.cpu["this"] / middle.cpu["other"], 2),
        "ratios by draw": f"{ratios.min():.2f} to {ratios.max():.2f}",
        "seconds, other": round(middle.seconds["other"], 2),
        "seconds, this": round(middle.seconds["this"], 2),
        "ratio seconds": round(middle.seconds["this"] / middle.seconds["other"], 2),
        "MiB, other": round(middle.mebibytes["other"]),
        "MiB, this": round(middle.mebibytes["this"]),
        "ratio MiB": round(middle.mebibytes["this"] / middle.mebibytes["other"], 2),
        "PSS, other": round(middle.proportional["other"]),
        "PSS, this": round(middle.proportional["this"]),
        "ratio PSS": round(middle.proportional["this"] / middle.proportional["other"], 2),
        "effects differ by": None if runs.distance.isna().all() else f"{runs.distance.max():.1g}",
    }


def main() -> None:
    """Measure every case, alternating between the builds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("revision", help="any commit of this repository")
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        builds = {"other": unpack(options.revision, folder)}
        builds["this"] = sys.executable, variables(ROOT)
        for case in options.only:
            runs = []
            for draw in range(1, options.draws + 1):
                for build, (python, environment) in builds.items():
                    out = str(folder / f"{case}-{draw}-{build}")
                    words = CASES[case]
                    if "-c" in words:
                        words = ["-c", words[1], *(w.format(draw=draw, out=out) for w in words[2:])]
                    else:
                        words = [word.format(draw=draw, out=out) for word in words]
                    # Looks at the memory of a study would take time from its workers.
                    interval = 0.5 if case.startswith("study") else 0.02
                    cost = measure([python, *words], interval, environment)
                    memory = cost.peak_mebibytes, cost.peak_proportional
                    alone = Path(f"{out}.npy.cpu")
                    cpu = float(alone.read_text()) if alone.exists() else cost.cpu_seconds
                    runs.append((build, draw, cost.seconds, cpu, *memory))
            columns = ["build", "draw", "seconds", "cpu", "mebibytes", "proportional"]
            table = pd.DataFrame(runs, columns=columns)
            saved = [folder / f"{case}-{draw}" for draw in table.draw.unique()]
            pairs = [(Path(f"{path}-this.npy"), Path(f"{path}-other.npy")) for path in saved]
            found = [distance(*pair) if pair[0].exists() else np.nan for pair in pairs]
            table["distance"] = np.repeat(found, len(builds))
            rows.append(row(case, table))
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print(markdown(table))
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / "against_build.csv", index=False)


if __name__ == "__main__":
    main()
