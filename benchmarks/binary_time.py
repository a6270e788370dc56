"""CPU seconds of `GAMM` on an event, and of `Robust` on an event and on the same trial as numbers.

python benchmarks/binary_time.py
"""

from __future__ import annotations

import time
import warnings

import tauhat as th
from tauhat.data import TrialData, validate_trial
from tauhat.simulate import BinaryTrial

TRIALS = {
    "cluster": BinaryTrial(n_clusters=50, mean_size=25.0),
    "individual": BinaryTrial(n_clusters=None),
}
PERSONS, FITS = 1250, 7


def seconds(name: str, data: TrialData) -> float:
    """CPU seconds of one fit."""
    start = time.process_time()
    th.estimator(name, random_state=1).fit_data(data)
    return time.process_time() - start


def main() -> None:
    warnings.simplefilter("ignore")
    for design, scenario in TRIALS.items():
        trial = scenario.draw(PERSONS, 1)
        arrays = trial.X, trial.y, trial.treatment, trial.clusters
        event, number = (
            validate_trial(*arrays, endpoint=kind) for kind in ("binary", "continuous")
        )
        seconds("GAMM", event)  # what is loaded when first used
        gamm = sorted(seconds("GAMM", event) for _ in range(FITS))[FITS // 2]
        both = [seconds("Robust", data) for data in (event, number)]
        print(
            f"{design}, {PERSONS} persons: GAMM {gamm:.2f} s; Robust {both[0]:.1f} s on the event, "
            f"{both[1]:.1f} s on numbers, ratio {both[0] / both[1]:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
