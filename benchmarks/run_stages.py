"""CPU seconds and peak memory of a run, stage by stage, in one process.

Usage: python benchmarks/run_stages.py

The run is that of `tauhat demo --jobs 1`: 643 persons in 32 clusters, default models, report and
figures. Peak memory is that of the process at the end of each stage.
"""

from __future__ import annotations

import resource
import tempfile
import time
import warnings
from pathlib import Path

import pandas as pd

from peer_tables import markdown


def main() -> None:
    """Run under a clock and print the table."""
    rows: list[tuple[str, float, float]] = []
    stage, start = "imports", 0.0

    def enter(name: str, done: int = 0, total: int = 0) -> None:
        """Close the stage before; the run says again and again how far a stage is."""
        nonlocal stage, start
        if name == stage:
            return
        now = time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append((stage, now - start, peak))
        stage, start = name, now

    import tauhat as th
    from tauhat.cli.result_files import write_results

    for name in ("Trial", "analyze", "plots"):
        getattr(th, name)
    warnings.simplefilter("ignore")
    enter("reading the trial")
    trial = th.datasets.tassh_trial(th.datasets.make_tassh_like(seed=1))
    analysis = th.analyze(trial, random_state=1, progress=enter)
    enter("writing the report")
    with tempfile.TemporaryDirectory() as folder:
        write_results(analysis, Path(folder))
    enter("end")
    table = pd.DataFrame(rows, columns=["stage", "CPU s", "MiB"])
    whole = table["CPU s"].sum()
    table.insert(2, "share", [f"{seconds / whole:.0%}" for seconds in table["CPU s"]])
    table["CPU s"], table["MiB"] = table["CPU s"].round(2), table["MiB"].round().astype(int)
    print(f"{whole:.1f} CPU seconds")
    print(markdown(table))


if __name__ == "__main__":
    main()
