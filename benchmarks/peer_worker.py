"""One contender in a process of its own: reads jobs line by line, writes what each cost.

`peers.py` starts it with the number of the contender; every job is a JSON object
that names a file with the trial. Nothing of tauhat is imported here but by
tauhat's own contenders, so that the memory of a peer is its own.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from peer_contenders import Contender, contenders
from peer_packages import Trial


def peak() -> float:
    """Peak resident mebibytes of this process.

    Not from `resource.getrusage`, where a new process inherits the peak of the
    one that started it.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def run(contender: Contender, job: dict[str, Any]) -> dict[str, Any]:
    """Fit once; the first job of a process warms it up, so that imports are not counted."""
    with np.load(job["trial"]) as held:
        clusters = held.get("clusters")
        trial, new = Trial(held["X"], held["y"], held["arm"], clusters), held["new"]
    # The peak of this job, not of a larger one before it.
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    start, wall = time.process_time(), time.perf_counter()
    fit = contender.fit(trial, job["draw"])
    effect = np.asarray(fit.effect(new), dtype=float).reshape(-1)
    row = {
        "cpu_seconds": time.process_time() - start,
        "seconds": time.perf_counter() - wall,
        "effect": effect.tolist(),
    }
    if fit.limits is not None and job["limits"]:
        start = time.process_time()
        low, high = (np.asarray(limit, dtype=float).reshape(-1) for limit in fit.limits(new))
        row["limits_cpu_seconds"] = time.process_time() - start
        row |= {"low": low.tolist(), "high": high.tolist()}
    return {**row, "peak_MiB": peak(), **(fit.own_cost() if fit.own_cost else {})}


def main() -> None:
    """Serve jobs until the input ends."""
    warnings.simplefilter("ignore")
    contender = contenders()[int(sys.argv[1])]
    answers = sys.stdout
    # What packages print must not come between the answers.
    sys.stdout = sys.stderr
    for line in sys.stdin:
        try:
            answer = run(contender, json.loads(line))
        except Exception as error:
            answer = {"failure": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
