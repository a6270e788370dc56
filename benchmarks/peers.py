"""tauhat beside other packages: same data, same settings, each contender in its own process.

Usage: python benchmarks/peers.py --draws 1
       python benchmarks/peers.py --grow

Contenders of a group take turns on every trial, so that a busy machine slows
all of them alike; CPU seconds are those of the fit and of the effects of 1,000
new persons, imports not counted. Packages that are not installed are named and
left out: pip install -r benchmarks/peers.txt.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from peer_contenders import Contender, contenders
from peer_packages import packages_of_r
from peer_tables import accuracy_table, growth_table, in_words, markdown, pairs_table
from peer_trials import scores, task

OUT = Path("out/benchmarks")
HERE = Path(__file__).resolve().parent
SCENARIOS = {
    "individual": ["linear", "slightly-nonlinear", "highly-nonlinear", "pd-l1"],
    "cluster": ["c1", "c2", "c3", "c4", "c5", "c6"],
}
# Persons, clusters, covariates. Sizes are bounded by mgcv, which takes the longest by far.
GROWTH = {
    "n": [(500, 20, 5), (1500, 60, 5), (4500, 180, 5)],
    "m": [(1000, 20, 5), (1000, 80, 5), (1000, 320, 5)],
    "p": [(1000, 40, 4), (1000, 40, 8), (1000, 40, 16)],
}


class Worker:
    """A process that fits one contender, job after job."""

    def __init__(self, number: int) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "peer_worker.py"), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**environment, "MKL_NUM_THREADS": "1"},
        )

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """Send a job and wait for its result."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"failure": "its process ended"}

    def end(self) -> None:
        """Close its input and wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def run_group(
    members: list[tuple[int, Contender]], jobs: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """All contenders of a group on all jobs, in turn."""
    clustered = members[0][1].designs == ("cluster",)
    warm = {"scenario": "growth", "n": 120, "m": 8 if clustered else 0, "p": 3}
    warm |= {"draw": 0, "seed": 0, "limits": False}
    workers = [(contender, Worker(number)) for number, contender in members]
    # After a small first fit: imports are neither timed nor counted as memory of a fit.
    starts = {worker: done for _, worker, _, done in take_turns(workers, warm)}
    rows = []
    for job in jobs:
        for contender, worker, tau, answer in take_turns(workers, job):
            row = {**job, "group": contender.group, "contender": contender.name}
            row |= {"start_MiB": starts[worker].get("peak_MiB"), **scores(answer, tau)}
            rows.append(row)
            if "failure" in row:
                print(f"{contender.key} failed on {job}: {row['failure']}", flush=True)
    for _, worker in workers:
        worker.end()
    return rows


def take_turns(
    workers: list[tuple[Contender, Worker]], job: dict[str, Any]
) -> Iterator[tuple[Contender, Worker, np.ndarray, dict[str, Any]]]:
    """Every contender's answer to a job, one after the other, with the true effects."""
    given = task(job)
    arrays = {**vars(given.trial), "new": given.new}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.npz"
        np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
        for contender, worker in workers:
            yield contender, worker, given.tau, worker.do({**job, "trial": str(path)})


def run_all(
    design: str, jobs: list[dict[str, Any]], chosen: list[tuple[int, Contender]]
) -> Iterator[pd.DataFrame]:
    """Rows of every group of a design, one group after the other."""
    for group in dict.fromkeys(contender.group for _, contender in chosen):
        members = [pair for pair in chosen if pair[1].group == group and design in pair[1].designs]
        if members:
            print(f"{design}: {group} ({', '.join(c.name for _, c in members)})", flush=True)
            yield pd.DataFrame(run_group(members, jobs)).assign(design=design)


def machine() -> str:
    """Processor, number of cores, Python and packages."""
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    found = []
    for name in ("econml", "causalml", "metalearners", "merf", "stochtree", "gpboost"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    found += [f"R {name} {own}" for name, own in packages_of_r().items()]
    cores = len(os.sched_getaffinity(0))
    return f"{processor}, {cores} cores, Python {platform.python_version()}; {', '.join(found)}"


def keep(table: pd.DataFrame, name: str) -> None:
    """Write a table to the folder of results."""
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / name, index=False)


Plan = list[tuple[str, list[dict[str, Any]]]]


def accuracy_plan(options: argparse.Namespace) -> Plan:
    """Jobs of each design: every scenario, every draw."""
    draws = range(options.first_draw, options.first_draw + options.draws)
    plan = []
    for design in options.designs:
        n = options.persons if design == "individual" else None
        common = {"seed": options.seed, "n": n, "limits": True}
        names = SCENARIOS[design]
        jobs = [{**common, "scenario": name, "draw": draw} for name in names for draw in draws]
        plan.append((design, jobs))
    return plan


def growth_plan(options: argparse.Namespace) -> Plan:
    """Jobs of growing size, one draw each."""
    common = {"seed": options.seed, "scenario": "growth", "draw": 0, "limits": False}
    plan = []
    for design in options.designs:
        jobs = [
            {**common, "by": by, "n": n, "m": m if design == "cluster" else 0, "p": p}
            for by in options.grow_by
            for n, m, p in GROWTH[by]
            if design == "cluster" or by != "m"
        ]
        plan.append((design, jobs))
    return plan


def make_tables(rows: pd.DataFrame, *, grow: bool) -> dict[str, pd.DataFrame]:
    """Tables to be written, by name."""
    single = rows.drop(columns="effect", errors="ignore")
    if grow:
        measures = ("cpu_seconds", "peak_MiB")
        return {"growth_rows": single} | {f"growth_{m}": growth_table(rows, m) for m in measures}
    return {"rows": single, "accuracy": accuracy_table(rows), "ratios": pairs_table(rows)}


def in_markdown(tables: dict[str, pd.DataFrame]) -> Iterator[str]:
    """Each table of each design; after the ratios, what they say in words."""
    for name, table in tables.items():
        if name.endswith("rows"):
            continue
        for design, part in table.groupby("design", sort=False):
            yield f"{name}, {design} trials"
            yield markdown(part.drop(columns="design"))
            if name == "ratios":
                yield in_words(part)


def main() -> None:
    """Run, print the tables, write them as CSV and in Markdown, and the single rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1, help="trials of each scenario")
    parser.add_argument("--first-draw", type=int, default=0)
    parser.add_argument("--persons", type=int, default=500, help="persons of individual trials")
    parser.add_argument("--designs", nargs="+", default=["individual", "cluster"])
    parser.add_argument("--groups", nargs="+", help="words in the names of groups; default all")
    parser.add_argument("--seed", type=int, default=20261126)
    parser.add_argument("--grow", action="store_true", help="growth of time and memory instead")
    parser.add_argument("--grow-by", nargs="+", default=list(GROWTH), choices=list(GROWTH))
    parser.add_argument("--name", default="", help="ending of the names of the written files")
    options = parser.parse_args()
    words = options.groups or [""]
    chosen = [
        (number, contender)
        for number, contender in enumerate(contenders())
        if any(word.lower() in contender.group.lower() for word in words)
    ]
    absent = sorted({c.library for _, c in chosen if c.missing()})
    chosen = [pair for pair in chosen if not pair[1].missing()]
    if not chosen:
        parser.error("no such group is installed; --groups takes words of their names")
    print(machine())
    if absent:
        print(f"not installed, left out: {', '.join(absent)}; see benchmarks/peers.txt")
    plan = growth_plan(options) if options.grow else accuracy_plan(options)
    parts: list[pd.DataFrame] = []
    for design, jobs in plan:
        # In growth, individual trials are for methods that no cluster trial can show.
        alone = options.grow and design == "individual"
        able = [pair for pair in chosen if not (alone and "cluster" in pair[1].designs)]
        for part in run_all(design, jobs, able):
            parts.append(part)
            # After every group, so that a run that is stopped leaves what it has done.
            tables = make_tables(pd.concat(parts, ignore_index=True), grow=options.grow)
            for name, table in tables.items():
                keep(table, f"peers_{name}{options.name}.csv")
            text = "\n\n".join([machine(), *in_markdown(tables)]) + "\n"
            kind = "growth" if options.grow else "beside"
            (OUT / f"peers_{kind}{options.name}.md").write_text(text, encoding="utf-8")
    print(f"\n{text}", end="")


if __name__ == "__main__":
    main()
