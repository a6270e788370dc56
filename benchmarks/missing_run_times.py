"""Average effects and CPU time of real trials with missing values, by what is done about them.

The school trial lacks covariates in about three of ten rows; a fifth of its outcomes are taken away
at random to see what outcomes that are made cost in 850 clusters. ACTG 175 lacks the CD4 count at
96 weeks of 797 of 2,139 persons. ``--runs`` times ``analyze(models="LMM")`` too. Trials stand in
``../shared/data``; one that does not is left out. ``--tests`` times the primary test alone with 999
permutations, with outcomes made anew with other arms and made once, of trials of
`missing_outcomes.py` and of the pupils, in their schools and as persons.

    python benchmarks/missing_run_times.py [--runs] [--tests]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tauhat as th
from missing_outcomes import draw, made_once
from tauhat.endpoint import MissingOutcomes

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
COMPLETE = {"missing": "complete-cases"}
# Share of the pupils' outcomes that are taken away at random.
LOST = 0.2
SCHOOL = {"outcome": "outcome_test_score", "treatment": "treatment", "cluster": "school"}
ACTG = {
    "outcome": "cd496",
    "treatment": "treat",
    "block": "strat",
    "covariates": ["age", "wtkg", "hemo", "homo", "drugs", "karnof", "race", "gender", "symptom",
                   "cd40", "cd80"],
}  # fmt: skip


def ways() -> Iterator[tuple[str, str, pd.DataFrame, dict[str, Any], dict[str, Any]]]:
    """Trial, way, table, arguments of the trial, arguments of the averages."""
    file = DATA / "schoolrct_brazil.csv"
    if file.exists():
        school = pd.read_csv(file)
        yield "schools", "filled in once", school, SCHOOL, {}
        yield "schools", "10 imputations", school, SCHOOL, {"imputations": 10}
        seen = np.random.default_rng(1).random(len(school)) > LOST
        lost = school.assign(**{SCHOOL["outcome"]: school[SCHOOL["outcome"]].where(seen)})
        yield "schools, less a fifth", "complete cases", lost, {**SCHOOL, **COMPLETE}, {}
        yield "schools, less a fifth", "outcomes made", lost, SCHOOL, {}
    file = DATA / "actg175.csv"
    if file.exists():
        actg = pd.read_csv(file)
        yield "ACTG 175", "complete cases", actg, {**ACTG, **COMPLETE}, {}
        yield "ACTG 175", "outcomes made", actg, ACTG, {}
        auxiliary = {**ACTG, "auxiliary": ["cd420", "cd820"]}
        yield "ACTG 175", "made, CD4 and CD8 at 20 weeks auxiliary", actg, auxiliary, {}


def timed(do: Callable[[], Any]) -> tuple[Any, float]:
    """What is done, and its CPU seconds."""
    start = time.process_time()
    found = do()
    return found, time.process_time() - start


def tested() -> Iterator[tuple[str, th.Trial]]:
    """Trials whose primary test is timed."""
    roles = {"outcome": "seen", "treatment": "arm", "covariates": ["x1", "x2", "x3", "v"]}
    yield "24 clusters", th.Trial(draw("clusters", True, True, 1), **roles, cluster="unit")
    yield "648 persons", th.Trial(draw("persons", True, False, 1), **roles)
    for name, way, df, given, _ in ways():
        if (name, way) == ("schools, less a fifth", "outcomes made"):
            yield "pupils in schools", th.Trial(df, **given)
            alone = {role: column for role, column in given.items() if role != "cluster"}
            yield "the same as persons", th.Trial(df.drop(columns=given["cluster"]), **alone)


def tests() -> None:
    """Print a table of the primary test."""
    print("| trial | persons | covariates | made once, CPU s | made anew, CPU s |")
    print("|---|--:|--:|--:|--:|")
    for name, trial in tested():
        data, seconds = trial.enrolled_data, []
        for after in (made_once, MissingOutcomes.after):
            with patch.object(MissingOutcomes, "after", after):
                # No p-value is close to the level, so that nobody gets more permutations.
                given = {"random_state": 1, "n_permutations": 999, "significance_level": 0.999}
                seconds.append(timed(lambda: th.test_heterogeneity(trial, **given))[1])  # noqa: B023
        told = " | ".join(f"{one:.2f}" for one in seconds)
        print(f"| {name} | {data.n:,} | {data.X.shape[1]} | {told} |", flush=True)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", action="store_true", help="time whole runs too")
    parser.add_argument("--tests", action="store_true", help="time the primary test alone")
    options = parser.parse_args()
    runs = options.runs
    # Engines are loaded before the clock starts.
    rng = np.random.default_rng(1)
    th.average_effects((rng.normal(size=(60, 1)), rng.normal(size=60), np.arange(60) % 2))
    if options.tests:
        with threadpool_limits(limits=1):
            return tests()
    print(
        "| trial | way | persons counted | individual-average (SE) | trial read, CPU s "
        "| averages, CPU s | run, CPU s |\n|---|---|--:|--:|--:|--:|--:|"
    )
    with threadpool_limits(limits=1):
        for name, way, df, roles, more in ways():
            trial, reading = timed(lambda: th.Trial(df, **roles))  # noqa: B023
            found, averages = timed(lambda: th.average_effects(trial, **more))  # noqa: B023
            run = ""
            if runs:
                fresh = th.Trial(df, **roles)
                given = {"models": "LMM", "random_state": 1, **more}
                _, seconds = timed(lambda: th.analyze(fresh, **given))  # noqa: B023
                run = f"{seconds:.1f}"
            one = found.individual
            print(
                f"| {name} | {way} | {trial.enrolled_data.n:,} | {one.estimate:.2f} "
                f"({one.se:.2f}) | {reading:.2f} | {averages:.2f} | {run} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
