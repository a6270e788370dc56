"""Times to an event: accuracy of effects, averages and the test on outcomes made of censored times.

The cells are those of `tauhat.simulate.SurvivalTrial`, with horizon 24. "arm" and "covariates" are
the two models of censoring; "oracle" is the time cut at the horizon of everybody, as if nobody had
been censored, and "naive" the time as it stands.

    python benchmarks/time_to_event.py accuracy --draws 4     RMSE / SD of the effects (null: RMSE)
    python benchmarks/time_to_event.py averages --draws 300   bias, error, coverage
    python benchmarks/time_to_event.py size --draws 500       of the heterogeneity test
    python benchmarks/time_to_event.py speed                  100,000 persons
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

import tauhat as th
from tauhat.data import TrialData, validate_trial
from tauhat.endpoint import FollowUp
from tauhat.inference import heterogeneity
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import SimulatedTimes, SurvivalTrial

PERSONS, FEW, MANY = {"n_clusters": None}, {"n_clusters": 20}, {"n_clusters": 50}
INDEPENDENT = {"censored": 0.45, "censoring": "independent"}
COVARIATES = {"censored": 0.45, "censoring": "covariates"}
# Settings and, where persons are randomized, their number.
CELLS: dict[str, tuple[dict, int | None]] = {
    "I1": ({**PERSONS, **COVARIATES, "effect": "null"}, 300),
    "C1": ({**FEW, **INDEPENDENT, "effect": "null"}, None),
    "I2": ({**PERSONS, **INDEPENDENT, "censored": 0.15, "effect": "proportional"}, 300),
    "I3": ({**PERSONS, **INDEPENDENT, "effect": "threshold"}, 750),
    "I4": ({**PERSONS, **COVARIATES, "effect": "crossing"}, 750),
    "I5": ({**PERSONS, **COVARIATES, "effect": "proportional"}, 750),
    "C2": ({**FEW, **COVARIATES, "effect": "proportional"}, None),
    "C3": ({**MANY, **COVARIATES, "censored": 0.15, "effect": "delayed"}, None),
    "C4": ({**MANY, **INDEPENDENT, "effect": "threshold"}, None),
}
AVERAGES: dict[str, tuple[dict, int | None]] = {
    "persons, crossing, independent": ({**PERSONS, **INDEPENDENT, "effect": "crossing"}, 300),
    "persons, proportional, covariates": ({**PERSONS, **COVARIATES}, 300),
    "clusters, proportional, independent": ({**FEW, **INDEPENDENT}, None),
    "clusters, proportional, covariates": ({**FEW, **COVARIATES}, None),
}
NULLS: dict[str, tuple[dict, int | None]] = {
    "persons, independent": ({**PERSONS, **INDEPENDENT, "effect": "null"}, 300),
    "persons, covariates": ({**PERSONS, **COVARIATES, "effect": "null"}, 300),
    "clusters, independent": ({**FEW, **INDEPENDENT, "effect": "null"}, None),
    "clusters, covariates": ({**FEW, **COVARIATES, "effect": "null"}, None),
}


def trial_data(trial: SimulatedTimes, censoring: str) -> TrialData:
    """A simulated trial with the outcome made of its times."""
    return validate_trial(
        trial.X,
        trial.time,
        trial.treatment,
        trial.clusters,
        endpoint="rmst",
        cause=trial.event,
        follow_up=FollowUp(trial.horizon, censoring),
    )


def known(trial: SimulatedTimes, y: np.ndarray) -> TrialData:
    """A simulated trial with any outcome."""
    return validate_trial(trial.X, y, trial.treatment, trial.clusters)


def draws(cells: dict, n_draws: int, seed: int) -> Iterator[tuple[str, int, SimulatedTimes]]:
    """Trials of the cells, one after the other."""
    for name, (settings, n) in cells.items():
        source = SurvivalTrial(**settings)
        for k in range(n_draws):
            yield name, k, source.draw(n, derive_seed(seed, name, k))


def accuracy(n_draws: int, seed: int, learners: list[str]) -> None:
    """RMSE of individual effects in units of their SD; under the null in units of time."""
    rows = []
    people = {
        name: SurvivalTrial(**settings).population(800, derive_seed(seed, name, "people"))
        for name, (settings, _) in CELLS.items()
    }
    for name, k, trial in draws(CELLS, n_draws, seed):
        uncensored = np.where(trial.treatment == 1, trial.nodes["y1"], trial.nodes["y0"])
        seen = {
            "oracle": known(trial, uncensored),
            "arm": trial_data(trial, "arm"),
            "covariates": trial_data(trial, "covariates"),
            "naive": known(trial, np.minimum(trial.time, trial.horizon)),
        }
        persons = people[name]
        spread = persons.tau.std() or 1.0
        for outcome, data in seen.items():
            for learner in learners:
                fitted = th.estimator(learner, random_state=1).fit_data(data)
                error = fitted.effect(persons.X) - persons.tau
                rows.append((name, k, learner, outcome, np.sqrt((error**2).mean()) / spread))
    found = pd.DataFrame(rows, columns=["cell", "draw", "learner", "outcome", "error"])
    table = found.pivot_table(
        index=["learner", "outcome"], columns="cell", values="error", sort=False
    )
    print(table.round(2).to_string())


def averages(n_draws: int, seed: int) -> None:
    """Bias, error and coverage of the average effect."""
    truth = {
        name: SurvivalTrial(**settings).population(100_000, 1).tau.mean()
        for name, (settings, _) in AVERAGES.items()
    }
    rows = []
    for name, _, trial in draws(AVERAGES, n_draws, seed):
        for censoring in ("arm", "covariates"):
            one = th.average_effects(trial_data(trial, censoring)).individual
            error = one.estimate - truth[name]
            covered = one.lower <= truth[name] <= one.upper
            rows.append((name, censoring, error, one.se, covered))
    found = pd.DataFrame(rows, columns=["design", "censoring", "error", "se", "covered"])
    groups = found.groupby(["design", "censoring"], sort=False)
    table = pd.DataFrame(
        {
            "bias": groups.error.mean(),
            "SD": groups.error.std(),
            "SE / SD": groups.se.mean() / groups.error.std(),
            "coverage": groups.covered.mean(),
        }
    )
    print(table.round(3).to_string())


def size(n_draws: int, seed: int) -> None:
    """Rejections of a true hypothesis at .05 and .10; also with slopes by arm, for comparison."""
    rows = []
    made_anew = TrialData.with_outcome_made_anew
    for name, k, trial in draws(NULLS, n_draws, seed):
        for censoring in ("arm", "covariates"):
            data = trial_data(trial, censoring)
            for slopes in ("shared", "by arm"):
                # The test makes the outcome itself; what it makes is replaced for the comparison.
                TrialData.with_outcome_made_anew = lambda own, _, s=slopes: made_anew(own, s)
                test = heterogeneity.test_heterogeneity(data, random_state=k, n_permutations=399)
                TrialData.with_outcome_made_anew = made_anew
                rows.append((name, censoring, slopes, test.p_value <= 0.05, test.p_value <= 0.10))
    found = pd.DataFrame(rows, columns=["design", "censoring", "slopes", "at .05", "at .10"])
    print(found.groupby(["design", "censoring", "slopes"], sort=False).mean().round(3).to_string())


def speed() -> None:
    """CPU time and memory of the outcome of 100,000 persons."""
    trial = SurvivalTrial(n_clusters=None, censored=0.45).draw(100_000, 1)
    data = replace(trial_data(trial, "arm"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    data.with_outcome_made_anew()
    seconds = time.process_time() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"100,000 persons: {seconds:.2f} CPU s, {more:.0f} MiB more than before")


def main() -> None:
    """Run one of the parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["accuracy", "averages", "size", "speed"])
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--learners", nargs="+", default=["LMM", "GAMM"])
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    if chosen.part == "accuracy":
        accuracy(chosen.draws, chosen.seed, chosen.learners)
    elif chosen.part == "speed":
        speed()
    else:
        {"averages": averages, "size": size}[chosen.part](chosen.draws, chosen.seed)


if __name__ == "__main__":
    main()
