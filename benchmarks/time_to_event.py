"""Times to an event: accuracy of effects, averages and the test on outcomes made of censored times.

The cells are those of `tauhat.simulate.SurvivalTrial`, with horizon 24. "arm" and "covariates" are
the two models of censoring; "oracle" is the time cut at the horizon of everybody, as if nobody had
been censored, "known" the outcome made with the curves that the times were drawn from, and "naive"
the time as it stands. "PEM+GAMM" is the mean of the effects of both.

    python benchmarks/time_to_event.py accuracy --draws 4     RMSE / SD of the effects (null: RMSE)
                                                              (--store FILE keeps what is done)
    python benchmarks/time_to_event.py accuracy --endpoint survival --learners LMM GAMM PEM
                                                              ratio of the errors to the first's
    python benchmarks/time_to_event.py averages --draws 300   bias, error, coverage
    python benchmarks/time_to_event.py coverage --draws 10    of the intervals of persons' effects
    python benchmarks/time_to_event.py ratios --draws 8       of restricted means, of persons
    python benchmarks/time_to_event.py size --draws 500       of the heterogeneity test
                                                              (--slopes shared for its own only)
    python benchmarks/time_to_event.py speed                  100,000 persons
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import tauhat as th
from tauhat.data import TrialData, validate_trial
from tauhat.endpoint import FollowUp
from tauhat.inference import heterogeneity
from tauhat.numerics.quadrature import hermite_nodes
from tauhat.numerics.seeds import derive_seed
from tauhat.registry import registered
from tauhat.simulate import SimulatedTimes, SurvivalTrial
from tauhat.simulate.scenario import SimulatedPersons
from tauhat.simulate.survival_scenario import censoring_level, cumulative_hazard

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


def trial_data(trial: SimulatedTimes, censoring: str, endpoint: str = "rmst") -> TrialData:
    """A simulated trial with the outcome made of its times."""
    time, cause = trial.time, trial.event
    if endpoint == "time-lost":
        # Another event, with a hazard that goes with x1 and grows a little under treatment.
        rng = np.random.default_rng(int(1e6 * time.sum()))
        rate = competing_hazard(trial.X, trial.treatment)
        other = rng.exponential(size=len(time)) / rate
        time, cause = np.minimum(time, other), np.where(other < time, 2, cause)
    return of_times(trial, time, cause, FollowUp(trial.horizon, censoring), endpoint)


def of_times(
    trial: SimulatedTimes,
    time: np.ndarray,
    cause: np.ndarray,
    follow_up: FollowUp,
    endpoint: str = "rmst",
) -> TrialData:
    """A simulated trial with these times."""
    return validate_trial(
        trial.X,
        time,
        trial.treatment,
        trial.clusters,
        endpoint=endpoint,
        cause=cause,
        follow_up=follow_up,
    )


def competing_hazard(X: pd.DataFrame, arm: np.ndarray) -> np.ndarray:
    """Hazard of the event that competes where time lost is wanted, shape (n,)."""
    return 0.012 * np.exp(0.4 * X["x1"].to_numpy() + 0.3 * arm)


def true_effects(source: SurvivalTrial, people: SimulatedPersons, endpoint: str) -> np.ndarray:
    """Effects on persons of new clusters, shape (n,)."""
    if endpoint == "rmst":
        return people.tau
    without, treated = true_means(source, people, endpoint).T
    return treated - without


def true_means(source: SurvivalTrial, people: SimulatedPersons, endpoint: str) -> np.ndarray:
    """What arms are compared on, of persons of new clusters, without and with treatment (n, 2)."""
    time = np.linspace(0, source.horizon, 241)
    middle = (time[1:] + time[:-1]) / 2
    nodes, shares = hermite_nodes(9)
    means = []
    for arm in (0, 1):
        early, late = (
            np.exp(people.nodes["log_hazard"] + arm * people.nodes[f"log_ratio_{when}"]).to_numpy()
            for when in ("early", "late")
        )
        hazard = cumulative_hazard(time, early, late)
        alive = sum(
            share * np.exp(-hazard * np.exp(source.frailty_sd * node))
            for node, share in zip(nodes, shares, strict=True)
        )
        if endpoint == "survival":
            means.append(alive[:, -1])
            continue
        if endpoint == "rmst":
            means.append((alive[:, 1:] + alive[:, :-1]) @ np.diff(time) / 2)
            continue
        rate = competing_hazard(people.X, np.full(people.n, arm))[:, None]
        had_it = -np.diff(alive, axis=1) * np.exp(-rate * middle)
        means.append(had_it @ (source.horizon - middle))
    return np.column_stack(means)


def known(trial: SimulatedTimes, y: np.ndarray) -> TrialData:
    """A simulated trial with any outcome."""
    return validate_trial(trial.X, y, trial.treatment, trial.clusters)


def draws(cells: dict, n_draws: int, seed: int) -> Iterator[tuple[str, int, SimulatedTimes]]:
    """Trials of the cells, one after the other."""
    for name, (settings, n) in cells.items():
        source = SurvivalTrial(**settings)
        for k in range(n_draws):
            yield name, k, source.draw(n, derive_seed(seed, name, k))


def uncensored(trial: SimulatedTimes) -> np.ndarray:
    """Times cut at the horizon of everybody, as if nobody had been censored, shape (n,)."""
    return np.where(trial.treatment == 1, trial.nodes["y1"], trial.nodes["y0"])


def with_known_curves(source: SurvivalTrial, trial: SimulatedTimes) -> np.ndarray:
    """Outcome made with the curves that the times were drawn from, shape (n,)."""
    grid = np.linspace(0, source.horizon, 481)
    step, arm = grid[1], trial.treatment
    early, late = (
        np.exp(trial.nodes["log_hazard"] + arm * trial.nodes[f"log_ratio_{when}"]).to_numpy()
        for when in ("early", "late")
    )
    hazard = cumulative_hazard(grid, early, late)
    nodes, shares = hermite_nodes(9)
    alive = sum(
        share * np.exp(-hazard * np.exp(source.frailty_sd * node))
        for node, share in zip(nodes, shares, strict=True)
    )
    area = step * (alive[:, 1:] + alive[:, :-1]) / 2
    left = np.column_stack([np.cumsum(area[:, ::-1], axis=1)[:, ::-1], np.zeros(len(arm))])
    expected = grid + left / alive
    rate = np.exp(censoring_level(source) + source.log_hazard_of_censoring(trial.X, arm))[:, None]
    weighed = expected * np.exp(rate * grid)
    passed = step * rate * (weighed[:, 1:] + weighed[:, :-1]) / 2
    passed = np.column_stack([np.zeros(len(arm)), np.cumsum(passed, axis=1)])
    cut = np.minimum(trial.time, source.horizon)
    seen = (trial.event == 1) | (trial.time >= source.horizon)

    def at_own_time(values: np.ndarray) -> np.ndarray:
        return np.array([np.interp(t, grid, row) for t, row in zip(cut, values, strict=True)])

    first = np.where(seen, cut * np.exp(rate[:, 0] * cut), at_own_time(weighed))
    return first - at_own_time(passed)


def followed_to_the_horizon(trial: SimulatedTimes) -> TrialData:
    """A simulated trial of which everybody was followed to the horizon."""
    time = uncensored(trial)
    cause = (time < trial.horizon).astype(np.int64)
    return of_times(trial, time, cause, FollowUp(trial.horizon))


def outcomes(
    source: SurvivalTrial, trial: SimulatedTimes, endpoint: str
) -> dict[str, Callable[[], TrialData]]:
    """What learners may see of a trial, by name, made when it is wanted."""
    arm = {"arm": partial(trial_data, trial, "arm", endpoint)}
    if endpoint != "rmst":
        return arm
    return {
        "oracle": partial(followed_to_the_horizon, trial),
        "known": lambda: known(trial, with_known_curves(source, trial)),
        **arm,
        "covariates": partial(trial_data, trial, "covariates"),
        "naive": lambda: known(trial, np.minimum(trial.time, trial.horizon)),
    }


def mean_effect(
    learner: str, data: TrialData, X: pd.DataFrame, made: dict[str, np.ndarray]
) -> np.ndarray:
    """Effects by a learner, or the mean of those of learners joined by "+", each fitted once."""
    for name in learner.split("+"):
        if name not in made:
            made[name] = th.estimator(name, random_state=1).fit_data(data).effect(X)
    return np.mean([made[name] for name in learner.split("+")], axis=0)


def accuracy(
    n_draws: int,
    seed: int,
    learners: list[str],
    endpoint: str,
    cells: list[str],
    compared: list[str] | None,
    store: Path | None,
) -> None:
    """RMSE of individual effects over their SD; where there is none in units of the outcome."""
    columns = ["endpoint", "seed", "cell", "draw", "learner", "outcome", "error"]
    found = pd.DataFrame(columns=columns)
    if store is not None and store.exists():
        found = pd.read_csv(store)
    done = set(found[columns[:-1]].itertuples(index=False, name=None))
    chosen = {name: CELLS[name] for name in cells}
    sources = {name: SurvivalTrial(**settings) for name, (settings, _) in chosen.items()}
    people, effects = {}, {}
    for name, source in sources.items():
        people[name] = source.population(800, derive_seed(seed, name, "people"))
        effects[name] = true_effects(source, people[name], endpoint)
    for k, name in [(k, name) for k in range(n_draws) for name in cells]:
        trial = sources[name].draw(chosen[name][1], derive_seed(seed, name, k))
        spread = effects[name].std() if chosen[name][0]["effect"] != "null" else 1.0
        rows = []
        for outcome, make in outcomes(sources[name], trial, endpoint).items():
            if compared is not None and outcome not in compared:
                continue
            data, made = make(), dict[str, np.ndarray]()
            for learner in learners:
                key = (endpoint, seed, name, k, learner, outcome)
                # Models of the hazard take the times themselves, however censoring is modelled.
                of_hazards = any(registered(part).refuses for part in learner.split("+"))
                if key in done or (of_hazards and outcome not in ("arm", "oracle")):
                    continue
                error = mean_effect(learner, data, people[name].X, made) - effects[name]
                rows.append((*key, np.sqrt((error**2).mean()) / spread))
        found = pd.concat([found, pd.DataFrame(rows, columns=columns)], ignore_index=True)
        if store is not None and rows:
            found.to_csv(store, index=False)
    found = found[(found.endpoint == endpoint) & (found.seed == seed) & (found.draw < n_draws)]
    _print_accuracy(found[found.learner.isin(learners) & found.cell.isin(cells)], learners)


def _print_accuracy(found: pd.DataFrame, learners: list[str]) -> None:
    """Errors by cell, of outcomes beside each other and of learners beside the first."""
    found = found.astype({"error": float})
    endpoint = found.endpoint.iloc[0]
    table = found.pivot_table(
        index=["learner", "outcome"], columns="cell", values="error", sort=False
    )
    print(table.round(2 if endpoint == "rmst" else 3).to_string())
    with_effect = found[~found.cell.isin(["I1", "C1"])]

    def ratios(rows: pd.DataFrame, of: str, first: str) -> pd.DataFrame:
        paired = rows.pivot_table(index=["cell", "draw"], columns=of, values="error", sort=False)
        return np.log(paired.div(paired[first], axis=0))

    first = learners[0]
    logs = ratios(with_effect[with_effect.outcome == "arm"], "learner", first)
    if len(learners) > 1:
        print(f"\nGeometric mean ratio of the errors to those of {first}, cells with an effect:")
    for learner in learners[1:]:
        error = logs[learner].std() / np.sqrt(len(logs))
        print(f"{learner:12} {np.exp(logs[learner].mean()):.3f} (SE of the log {error:.3f})")
    of_oracle = set(found.learner[found.outcome == "oracle"])
    for learner in [one for one in learners if one in of_oracle]:
        print(f"\nThe same to the oracle's, {learner}:")
        own = with_effect[with_effect.learner == learner]
        cells = ratios(own, "outcome", "oracle").drop(columns="oracle").groupby("cell", sort=False)
        told = np.exp(cells.mean()).round(2).astype(str) + " (" + cells.sem().round(2).astype(str)
        print((told + ")").T.to_string())


def averages(n_draws: int, seed: int, begins: str) -> None:
    """Bias, error and coverage of the average effect in designs whose name begins so."""
    designs = {name: design for name, design in AVERAGES.items() if name.startswith(begins)}
    truth = {
        name: SurvivalTrial(**settings).population(100_000, 1).tau.mean()
        for name, (settings, _) in designs.items()
    }
    rows = []
    for name, _, trial in draws(designs, n_draws, seed):
        for censoring in ("oracle", "arm", "covariates"):
            data = known(trial, uncensored(trial))
            if censoring != "oracle":
                data = trial_data(trial, censoring)
            one = th.average_effects(data).individual
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


def coverage(n_draws: int, seed: int, learners: list[str], cells: list[str]) -> None:
    """Share of new persons whose interval holds their effect, and its width over the effects' SD.

    The error of a share is that of its mean over trials.
    """
    chosen = {name: CELLS[name] for name in cells}
    people, effects = {}, {}
    for name, (settings, _) in chosen.items():
        source = SurvivalTrial(**settings)
        people[name] = source.population(800, derive_seed(seed, name, "people"))
        effects[name] = true_effects(source, people[name], "rmst")
    rows = []
    for name, _, trial in draws(chosen, n_draws, seed):
        data, reference = trial_data(trial, "arm"), None
        spread = effects[name].std() if CELLS[name][0]["effect"] != "null" else 1.0
        for learner in learners:
            fitted = th.estimator(learner, random_state=1).fit_data(data)
            if reference is not None:
                # One posterior serves every model: it depends on the trial and the seed only.
                fitted.reference_posterior_ = reference
            low, high = fitted.effect_interval(people[name].X)
            reference = getattr(fitted, "reference_posterior_", reference)
            covered = ((low <= effects[name]) & (effects[name] <= high)).mean()
            rows.append((name, learner, covered, (high - low).mean() / spread))
    found = pd.DataFrame(rows, columns=["cell", "learner", "coverage", "width"])
    groups = found.groupby(["cell", "learner"], sort=False)
    table = groups.mean()
    table.insert(1, "error", groups.coverage.std() / np.sqrt(n_draws))
    print(table.round(3).to_string())


def ratios(n_draws: int, seed: int, learners: list[str], cells: list[str]) -> None:
    """Error of persons' log ratios of restricted means over their SD, and coverage of intervals.

    Where there is no effect the error itself; widths are of log ratios.
    """
    rows = []
    for name in cells:
        settings, n = CELLS[name]
        source = SurvivalTrial(**settings)
        people = source.population(800, derive_seed(seed, name, "people"))
        without, treated = true_means(source, people, "rmst").T
        truth = np.log(treated / without)
        spread = truth.std() if settings["effect"] != "null" else 1.0
        for k in range(n_draws):
            data = trial_data(source.draw(n, derive_seed(seed, name, k)), "arm")
            for learner in learners:
                fitted = th.estimator(learner, random_state=1).fit_data(data)
                error = np.log(fitted.effect(people.X, "ratio")) - truth
                low, high = map(np.log, fitted.effect_interval(people.X, scale="ratio"))
                covered = ((low <= truth) & (truth <= high)).mean()
                rmse = np.sqrt((error**2).mean()) / spread
                rows.append((name, learner, rmse, covered, (high - low).mean()))
    columns = ["cell", "learner", "error", "coverage", "width"]
    groups = pd.DataFrame(rows, columns=columns).groupby(["cell", "learner"], sort=False)
    table = groups.mean()
    table.insert(1, "its error", groups.error.sem())
    print(table.round(3).to_string())


def size(n_draws: int, seed: int, compared: list[str]) -> None:
    """Rejections of a true hypothesis at .05 and .10; slopes by arm are there for comparison."""
    rows = []
    made_anew = TrialData.with_outcome_made_anew
    for name, k, trial in draws(NULLS, n_draws, seed):
        for censoring in ("arm", "covariates"):
            data = trial_data(trial, censoring)
            for slopes in compared:
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
    data = trial_data(trial, "arm")
    start = time.process_time()
    data.with_outcome_made_anew()
    seconds = time.process_time() - start
    tracemalloc.start()
    data.with_outcome_made_anew()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    print(f"100,000 persons: {seconds:.2f} CPU s, {peak:.0f} MiB at most beside the trial")


def main() -> None:
    """Run one of the parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ["accuracy", "averages", "coverage", "ratios", "size", "speed"]
    parser.add_argument("part", choices=parts)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--learners", nargs="+", default=["LMM", "GAMM", "PEM"])
    parser.add_argument(
        "--slopes", nargs="+", choices=["shared", "by arm"], default=["shared", "by arm"]
    )
    parser.add_argument("--cells", nargs="+", choices=list(CELLS), help="all; coverage: four")
    parser.add_argument("--outcomes", nargs="+", help="those to see the accuracy of")
    parser.add_argument("--store", type=Path, help="file of errors that are not computed again")
    parser.add_argument("--designs", default="", help="how the names of designs of averages begin")
    parser.add_argument("--endpoint", choices=["rmst", "survival", "time-lost"], default="rmst")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    if chosen.part == "accuracy":
        accuracy(
            chosen.draws,
            chosen.seed,
            chosen.learners,
            chosen.endpoint,
            chosen.cells or list(CELLS),
            chosen.outcomes,
            chosen.store,
        )
    elif chosen.part == "coverage":
        cells = chosen.cells or ["I2", "I5", "C1", "C2"]
        coverage(chosen.draws, chosen.seed, chosen.learners, cells)
    elif chosen.part == "ratios":
        ratios(chosen.draws, chosen.seed, chosen.learners, chosen.cells or list(CELLS))
    elif chosen.part == "speed":
        speed()
    elif chosen.part == "averages":
        averages(chosen.draws, chosen.seed, chosen.designs)
    else:
        size(chosen.draws, chosen.seed, chosen.slopes)


if __name__ == "__main__":
    main()
