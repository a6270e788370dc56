"""CPU seconds of `GAMM` on an event, and of `Robust` on an event and on the same trial as numbers.

With --revision also of that revision's `Robust` on the trial as numbers, in a process of its own
(`against_build.py` says how it is made to run).

    python benchmarks/binary_time.py
    python benchmarks/binary_time.py --fits 3 --designs cluster --revision b8f3fa0
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import tauhat as th
from against_build import unpack
from tauhat.data import TrialData, validate_trial
from tauhat.simulate import BinaryTrial
from tauhat.simulate.scenario import SimulatedTrial

TRIALS = {
    "cluster": BinaryTrial(n_clusters=50, mean_size=25.0),
    "individual": BinaryTrial(n_clusters=None),
}
KINDS = ("binary", "continuous")
PERSONS, FEW, GAMM_FITS = 1250, 300, 7

# Fits Robust to some of the persons of a file, then to all, and prints the CPU seconds of that.
ELSEWHERE = """
import sys, time, warnings
import numpy as np
from tauhat.registry import estimator
warnings.simplefilter("ignore")
kept = np.load(sys.argv[1])
clusters = kept["clusters"] if "clusters" in kept else None
few = slice(0, 200) if clusters is None else kept["clusters"] < 12
for rows in (few, slice(None)):
    start = time.process_time()
    own = None if clusters is None else clusters[rows]
    arrays = kept["X"][rows], kept["y"][rows]
    estimator("Robust", random_state=1).fit(*arrays, treatment=kept["arm"][rows], clusters=own)
print(time.process_time() - start)
"""


def seconds(name: str, data: TrialData) -> float:
    """CPU seconds of one fit."""
    start = time.process_time()
    th.estimator(name, random_state=1).fit_data(data)
    return time.process_time() - start


def as_kind(trial: SimulatedTrial) -> Callable[[str], TrialData]:
    """What reads a trial as one of a kind of outcome."""
    arrays = trial.X, trial.y, trial.treatment, trial.clusters
    return lambda kind: validate_trial(*arrays, endpoint=kind)


@contextlib.contextmanager
def of_revision(revision: str) -> Iterator[Callable[[SimulatedTrial], float]]:
    """What gives the CPU seconds of another revision's `Robust` on 0/1 as numbers."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        python, environment = unpack(revision, folder)
        file = folder / "trial.npz"

        def its_seconds(trial: SimulatedTrial) -> float:
            arrays = {"X": trial.X, "y": trial.y, "arm": trial.treatment}
            if trial.clusters is not None:
                arrays["clusters"] = trial.clusters
            np.savez(file, **arrays)
            words = [python, "-c", ELSEWHERE, str(file)]
            found = subprocess.run(
                words, env=environment, stdout=subprocess.PIPE, text=True, check=True
            )
            return float(found.stdout.split()[-1])

        yield its_seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=1, help="fits of Robust, their median counts")
    parser.add_argument("--designs", nargs="+", default=list(TRIALS), choices=list(TRIALS))
    parser.add_argument("--revision", help="another commit, whose Robust on 0/1 is timed as well")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    with contextlib.ExitStack() as opened:
        other = opened.enter_context(of_revision(given.revision)) if given.revision else None
        for design in given.designs:
            trial, few = TRIALS[design].draw(PERSONS, 1), TRIALS[design].draw(FEW, 1)
            event, number = map(as_kind(trial), KINDS)
            for data in map(as_kind(few), KINDS):
                seconds("Robust", data)  # what is loaded when first used
            gamm = np.median([seconds("GAMM", event) for _ in range(GAMM_FITS)])
            # In turn, so that what else the machine does counts for all alike.
            rows = [
                [*(seconds("Robust", data) for data in (event, number)), other(trial)]
                if other
                else [seconds("Robust", data) for data in (event, number)]
                for _ in range(given.fits)
            ]
            both = np.median(rows, axis=0)
            told = f"{both[1]:.1f} s on numbers, ratio {both[0] / both[1]:.2f}"
            if other:
                told += f"; {both[2]:.1f} s in {given.revision}, ratio {both[0] / both[2]:.2f}"
            print(
                f"{design}, {PERSONS} persons: GAMM {gamm:.2f} s; "
                f"Robust {both[0]:.1f} s on the event, {told}",
                flush=True,
            )


if __name__ == "__main__":
    main()
