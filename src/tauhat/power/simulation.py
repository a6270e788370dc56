"""Power of any test by simulating the trial that is planned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tauhat._typing import FloatArray
from tauhat.arguments import check_count, check_level
from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.inference.heterogeneity import test_heterogeneity
from tauhat.inference.inputs import TrialLike, as_trial_data
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.runtime.display import html
from tauhat.runtime.parallel import run_tasks
from tauhat.simulate.scenario import RandomState, Scenario, SimulatedTrial, scenario

#: A test: the p-value of a trial, given a seed.
Test = Callable[[SimulatedTrial, int], float]


@dataclass(frozen=True)
class SimulatedPower:
    """Power by simulation; the result of `power_by_simulation`.

    Attributes
    ----------
    power
        Share of the simulated trials in which the test rejected.
    lower, upper
        Monte Carlo interval (Wilson) of the power.
    level
        Coverage of that interval.
    n_trials
        Number of trials simulated.
    significance_level
        Level at which the test rejects.
    test
        What was tested, in words.
    p_values
        P-value of each trial in the order of their seeds, NaN where the test
        could not be made, which counts as not rejected; shape (n_trials,).
    failures
        Message of each kind of failure and how often it occurred.
    """

    power: float
    lower: float
    upper: float
    level: float
    n_trials: int
    significance_level: float
    test: str
    p_values: FloatArray
    failures: Mapping[str, int]

    @property
    def table(self) -> pd.DataFrame:
        """One row: ``test``, ``power``, ``lower``, ``upper``, ``n_trials``, ``n_failures``."""
        return pd.DataFrame(
            {
                "test": [self.test],
                "power": [self.power],
                "lower": [self.lower],
                "upper": [self.upper],
                "n_trials": [self.n_trials],
                "n_failures": [sum(self.failures.values())],
            }
        )

    @property
    def text(self) -> str:
        """The result in sentences."""
        failed = "".join(
            f" In {count} of them the test could not be made and counts as not rejected: {message}."
            for message, count in self.failures.items()
        )
        return (
            f"In {self.n_trials} simulated trials the {self.test} rejected at the "
            f"{100 * self.significance_level:.3g}% level in {100 * self.power:.1f}% "
            f"({100 * self.level:.3g}% Monte Carlo interval {100 * self.lower:.1f} to "
            f"{100 * self.upper:.1f}%).{failed}"
        )

    def _repr_html_(self) -> str:
        return html(self.text, self.table, number=".3f")


def power_by_simulation(
    planned: Scenario | str,
    *,
    settings: Mapping[str, Any] | None = None,
    n: int | None = None,
    n_trials: int = 500,
    test: Test | None = None,
    n_permutations: int = 999,
    significance_level: float = 0.05,
    level: float = 0.95,
    random_state: RandomState = None,
    n_jobs: int = 1,
) -> SimulatedPower:
    """Power of the test of effect heterogeneity by simulating the planned trial.

    Parameters
    ----------
    planned
        A scenario of `tauhat.simulate`, its name, or the scenario of a plan
        (``power_hte(...).scenario()``).
    settings
        Settings of the scenario when it is given by name.
    n
        Number of persons of each trial; None for the scenario's own. Scenarios
        that randomize persons need it, but for those of a plan.
    n_trials
        Number of trials to simulate.
    test
        Function of a trial and a seed that returns a p-value; None takes the
        primary test, `tauhat.test_heterogeneity`. With ``n_jobs`` above 1 it
        must be picklable.
    n_permutations
        Random assignments of the primary test.
    significance_level
        Level at which the test rejects.
    level
        Coverage of the Monte Carlo interval.
    random_state
        Seed; trial k depends on it and on k only, so that ``n_jobs`` changes nothing
        and a larger ``n_trials`` begins with the same trials.
    n_jobs
        Trials at once. `tauhat.runtime.parallel.report_progress` tells how far they are.

    Returns
    -------
    SimulatedPower

    Raises
    ------
    TrialError
        If the test could be made in no trial.
    ValueError
        If the scenario, its settings or a number cannot be used.

    Examples
    --------
    >>> from tauhat.power import power_hte
    >>> plan = power_hte(20, 20, icc=0.05, icc_x=0.1, delta=0.6)
    >>> power_by_simulation(plan.scenario(), n_trials=5, n_permutations=199, random_state=1).power
    1.0
    """
    if isinstance(planned, str):
        planned = scenario(planned, **(settings or {}))
    elif settings:
        raise TrialError("settings go with the name of a scenario; change the scenario itself")
    check_count(n_trials, "n_trials", 1)
    check_count(n_permutations, "n_permutations", 1)
    check_level(significance_level, "significance_level")
    check_level(level)
    primary = test is None
    chosen: Test = _Heterogeneity(n_permutations, significance_level) if test is None else test
    seed = resolve_seed(random_state)
    tasks = [(planned, n, chosen, derive_seed(seed, "power", k)) for k in range(n_trials)]
    results = run_tasks(_one_trial, tasks, n_jobs=n_jobs)
    p_values = np.array([p for p, _ in results], dtype=np.float64)
    failures: dict[str, int] = {}
    for _, message in results:
        if message:
            failures[message] = failures.get(message, 0) + 1
    if sum(failures.values()) == n_trials:
        raise TrialError(f"the test could be made in none of the trials: {next(iter(failures))}")
    rejected = int((p_values <= significance_level).sum())
    interval = stats.binomtest(rejected, n_trials).proportion_ci(level, method="wilson")
    return SimulatedPower(
        power=rejected / n_trials,
        lower=float(interval.low),
        upper=float(interval.high),
        level=level,
        n_trials=n_trials,
        significance_level=significance_level,
        test=(
            "permutation test of effect heterogeneity"
            if primary
            else getattr(chosen, "__name__", type(chosen).__name__).replace("_", " ")
        ),
        p_values=p_values,
        failures=failures,
    )


@dataclass(frozen=True)
class _Heterogeneity:
    """The primary test, with what it needs to be picklable."""

    n_permutations: int
    significance_level: float

    def __call__(self, trial: SimulatedTrial, seed: int) -> float:
        return test_heterogeneity(
            trial,
            random_state=seed,
            n_permutations=self.n_permutations,
            significance_level=self.significance_level,
        ).p_value


def _one_trial(planned: Scenario, n: int | None, test: Test, seed: int) -> tuple[float, str]:
    """P-value of one simulated trial, or NaN and why there is none."""
    trial = planned.draw(n, derive_seed(seed, "draw"))
    try:
        return float(test(trial, derive_seed(seed, "test"))), ""
    except ValueError as error:
        return float("nan"), str(error)


def interaction_test(trial: TrialLike, seed: int = 0) -> float:
    r"""P-value of the interaction of treatment and the first covariate in a mixed model.

    .. math:: y_{ij} = \alpha + \beta x_{ij} + A_i(\gamma + \delta x_{ij}) + b_i + e_{ij}

    by REML, tested against :math:`\delta = 0` with Satterthwaite's degrees of
    freedom; a linear model when persons are randomized. This is the test whose
    power `power_hte` gives.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, `tauhat.data.TrialData` or an iterable of X, y,
        treatment, clusters and so on; covariates after the first are not used.
    seed
        Not used: the test is not random.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the covariate is constant within an arm, so that there is no slope.

    Examples
    --------
    >>> from tauhat.power import power_hte
    >>> trial = power_hte(20, 20, icc=0.05, icc_x=0.1, delta=0.6).scenario().draw(random_state=1)
    >>> interaction_test(trial) < 0.05
    True
    """
    data: TrialData = as_trial_data(trial)
    modifier = data.X[:, 0] - data.X[:, 0].mean()
    for arm in (0, 1):
        if np.ptp(modifier[data.treatment == arm]) == 0:
            raise ValueError("the modifier is constant within an arm")
    contrast = data.treatment - 0.5
    design = np.column_stack([np.ones(data.n), contrast, modifier, contrast * modifier])
    model = MixedModel(data.y, design, (), data.clusters, data.sample_weight)
    fit = model.fit()
    interaction = np.array([0.0, 0.0, 0.0, 1.0])
    statistic = fit.coefficients[3] / fit.standard_errors(interaction[None, :])[0]
    return float(2 * stats.t.sf(abs(statistic), model.satterthwaite(fit, interaction)))
