"""Trials with a time to an event whose restricted means are known, of persons and of clusters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData, validate_trial
from tauhat.endpoint import OF_TIMES, FollowUp
from tauhat.numerics.quadrature import hermite_nodes
from tauhat.numerics.seeds import resolve_seed
from tauhat.simulate.cluster_sizes import ScenarioOfUnits
from tauhat.simulate.randomize import randomize
from tauhat.simulate.scenario import (
    RandomState,
    SimulatedPersons,
    SimulatedTrial,
    part_generator,
    register_scenario,
)

# Control hazard: cumulative LEVEL * t ** SHAPE for a person of log hazard 0; effects that change
# over time do so at CHANGE.
_LEVEL, _SHAPE, _CHANGE = 0.03, 1.2, 8.0
_FRAILTY_NODES = 9
_REFERENCE_PERSONS = 12_000
_PART = 20_000
# End of the study, in horizons.
_END = 1.3


def _w1(X: pd.DataFrame) -> FloatArray | float:
    """The covariate of the clusters that matters; nothing where persons are randomized."""
    return X["w1"].to_numpy(dtype=np.float64) if "w1" in X else 0.0


def _nothing(X: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    return np.zeros(len(X)), np.zeros(len(X))


def _proportional(X: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    g = (-0.45 + 0.45 * X["x3"] - 0.35 * (X["x6"] - 0.5) + 0.25 * _w1(X)).to_numpy(np.float64)
    return g, g


def _threshold(X: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    log_ratio = np.where(X["x2"] > 0.3, -1.1, 0.0).astype(np.float64)
    return log_ratio, log_ratio


def _crossing(X: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    early, late = 0.35 + 0.35 * X["x3"], -0.9 + 0.5 * X["x3"] + 0.25 * _w1(X)
    return early.to_numpy(dtype=np.float64), late.to_numpy(dtype=np.float64)


def _delayed(X: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    late = -1.0 - np.tanh(1.5 * X["x3"]) + 0.25 * _w1(X)
    return _nothing(X)[0], late.to_numpy(dtype=np.float64)


EFFECTS: Final[Mapping[str, Callable[[pd.DataFrame], tuple[FloatArray, FloatArray]]]] = {
    "null": _nothing,
    "proportional": _proportional,
    "threshold": _threshold,
    "crossing": _crossing,
    "delayed": _delayed,
}


def _prognosis(X: pd.DataFrame) -> FloatArray:
    """Log hazard without treatment."""
    value = 0.45 * X["x1"] - 0.35 * X["x3"] + 0.4 * (X["x2"].abs() - 0.8)
    value = value + 0.4 * (X["x6"] - 0.5) + 0.3 * X["x4"] * (X["x7"] - 0.3) + 0.3 * _w1(X)
    prognosis: FloatArray = value.to_numpy(dtype=np.float64)
    return prognosis


def _censoring(X: pd.DataFrame, arm: IntArray) -> FloatArray:
    """Log hazard of censoring where it goes with arm and covariates, up to the level."""
    value = 0.5 * X["x1"] + 0.5 * X["x6"] + arm * (0.5 + 0.6 * X["x3"])
    log_hazard: FloatArray = value.to_numpy(dtype=np.float64)
    return log_hazard


def _covariates(sizes: IntArray, rng: np.random.Generator, *, alone: bool) -> pd.DataFrame:
    """Covariates of persons in clusters of these sizes, or of persons alone."""
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    n, count = len(clusters), len(sizes)
    z = rng.standard_normal((n, 5))
    z[:, 1] = 0.4 * z[:, 0] + np.sqrt(1 - 0.4**2) * z[:, 1]
    columns = {f"x{k + 1}": z[:, k] for k in range(5)}
    columns["x6"] = (rng.random(n) < 0.5).astype(np.float64)
    columns["x7"] = (rng.random(n) < 0.3).astype(np.float64)
    if alone:
        return pd.DataFrame(columns)
    columns["w1"] = rng.standard_normal(count)[clusters]
    columns["w2"] = (rng.random(count) < 0.5).astype(np.float64)[clusters]
    return pd.DataFrame(columns)


def cumulative_hazard(time: FloatArray, early: FloatArray, late: FloatArray) -> FloatArray:
    """Cumulative hazard at times, shape (k,), for factors before and after the change, (n, k)."""
    base, change = _LEVEL * time**_SHAPE, _LEVEL * _CHANGE**_SHAPE
    hazard: FloatArray = early[:, None] * np.minimum(base, change)
    hazard += late[:, None] * np.maximum(base - change, 0)
    return hazard


def _restricted_means(
    log_hazard: FloatArray, early: FloatArray, late: FloatArray, horizon: float, frailty_sd: float
) -> FloatArray:
    """Restricted mean survival time in a new cluster, shape (n,)."""
    panels = [(0.0, min(_CHANGE, horizon), 14), (_CHANGE, horizon, 18)]
    parts = [
        (a + (b - a) * (node + 1) / 2, (b - a) / 2 * weight)
        for a, b, k in panels
        if b > a
        for node, weight in [np.polynomial.legendre.leggauss(k)]
    ]
    time = np.concatenate([part[0] for part in parts])
    weight = np.concatenate([part[1] for part in parts])
    nodes, shares = hermite_nodes(_FRAILTY_NODES)
    if frailty_sd == 0:
        nodes, shares = np.zeros(1), np.ones(1)
    mean = np.zeros(len(log_hazard))
    for start in range(0, len(mean), _PART):
        rows = slice(start, start + _PART)
        own = np.exp(log_hazard[rows])
        hazard = cumulative_hazard(time, own * np.exp(early[rows]), own * np.exp(late[rows]))
        for node, share in zip(nodes, shares, strict=True):
            mean[rows] += share * (np.exp(-hazard * np.exp(frailty_sd * node)) @ weight)
    return mean


def _draw_times(
    log_hazard: FloatArray, early: FloatArray, late: FloatArray, luck: FloatArray
) -> FloatArray:
    """Times to the event from standard exponential luck, shape (n,)."""
    spent = luck * np.exp(-log_hazard)
    change = _LEVEL * _CHANGE**_SHAPE
    before = spent <= np.exp(early) * change
    base = np.where(
        before, spent * np.exp(-early), change + (spent - np.exp(early) * change) * np.exp(-late)
    )
    times: FloatArray = (base / _LEVEL) ** (1 / _SHAPE)
    return times


@lru_cache(maxsize=64)
def censoring_level(source: SurvivalTrial) -> float:
    """Log hazard of censoring at which the wanted share is censored before the horizon."""
    rng = part_generator(0, "survival", "reference")
    alone = source.n_clusters is None
    size = 1 if alone else 25
    X = _covariates(np.full(_REFERENCE_PERSONS // size, size), rng, alone=alone)
    units = np.arange(_REFERENCE_PERSONS) // size
    arm = units % 2
    frailty = source.frailty_sd * rng.standard_normal(_REFERENCE_PERSONS)[units]
    early, late = (arm * source.effect_scale * g for g in EFFECTS[source.effect](X))
    luck = rng.exponential(size=len(X))
    time = np.minimum(_draw_times(_prognosis(X) + frailty, early, late, luck), source.horizon)
    relative = rng.exponential(size=len(X)) / np.exp(source.log_hazard_of_censoring(X, arm))

    def excess(level: float) -> float:
        return float(np.mean(relative * np.exp(-level) < time)) - source.censored

    found: Any = brentq(excess, -20.0, 10.0)
    return float(found)


@dataclass(frozen=True, eq=False)
class SimulatedTimes(SimulatedTrial):
    """A simulated trial with a time to an event.

    Attributes
    ----------
    X, clusters, tau, mu0, nodes, treatment, propensity
        As in `SimulatedTrial`.
    y
        Outcome made of the times (`tauhat.endpoint.FollowUp`), with curves of censoring by arm.
    time
        Time to the event or to censoring, shape (n,).
    event
        Whether it was the event, 0 or 1, shape (n,).
    horizon
        Time to which the means are restricted.
    """

    time: FloatArray
    event: IntArray
    horizon: float

    @property
    def data(self) -> TrialData:
        """The trial as validated arrays with its times, curves of censoring by arm."""
        _, _, *units = self
        return validate_trial(
            self.X,
            self.time,
            *units,
            endpoint=OF_TIMES,
            cause=self.event,
            follow_up=FollowUp(float(self.horizon)),
        )


@dataclass(frozen=True, kw_only=True)
class SurvivalTrial(ScenarioOfUnits):
    r"""Trial with a time to an event that can be censored, in clusters or of persons.

    .. math:: \Lambda_a(t \mid x, b_i) = .03\, t^{1.2}\, e^{\eta(x, w) + b_i}, \quad
              b_i \sim N(0, \sigma_b^2)

    without treatment, with :math:`\eta = .45 x_1 - .35 x_3 + .4 (|x_2| - .8) + .4 (x_6 - .5)
    + .3 x_4 (x_7 - .3) + .3 w_1`; treatment multiplies the hazard. ``mu0`` and ``tau`` are
    restricted mean survival times, and their differences, of persons in new clusters. x1 to x5
    are N(0, 1), x1 and x2 with correlation .4; x6, x7 and w2 are 1 with probability .5, .3 and .5,
    and w1 is N(0, 1). Trials that randomize persons are without w1 and w2, which are the clusters'.

    Attributes
    ----------
    n_clusters
        Number of clusters, at least 4; None for a trial that randomizes persons.
    mean_size, size_cv, min_size
        As in `BinaryTrial`.
    horizon
        Time to which means are restricted; censoring at the end of the study comes 1.3 times later.
    frailty
        SD of the clusters' log hazards.
    effect
        Log hazard ratio: "null"; "proportional" -.45 + .45 x3 - .35 (x6 - .5) + .25 w1;
        "threshold" -1.1 [x2 > .3]; "crossing" .35 + .35 x3 before time 8 and -.9 + .5 x3 + .25 w1
        after it; "delayed" 0 before time 8 and -1 - tanh(1.5 x3) + .25 w1 after it.
    effect_scale
        Multiplies it.
    censored
        Share of persons censored before the event and the horizon.
    censoring
        "independent", or "covariates": its log hazard grows by .5 x1 + .5 x6, and under
        treatment by .5 + .6 x3.
    share_treated
        Share of clusters, or persons, treated; arm sizes are fixed.

    Raises
    ------
    ValueError
        If a setting makes no trial.

    Examples
    --------
    >>> trial = SurvivalTrial(n_clusters=None).draw(400, random_state=1)
    >>> bool(0 < trial.event.mean() < 1), bool(trial.tau.mean() > 1)
    (True, True)
    """

    horizon: float = 24.0
    frailty: float = 0.3
    effect: str = "proportional"
    effect_scale: float = 1.0
    censored: float = 0.3
    censoring: str = "independent"
    share_treated: float = 0.5

    def __post_init__(self) -> None:
        """Refuse settings that make no trial."""
        self._check_sizes()
        if not self.frailty >= 0:
            raise ValueError(f"frailty must not be negative, got {self.frailty}")
        if not 0 < self.horizon < np.inf:
            raise ValueError(f"horizon must be positive, got {self.horizon}")
        if not 0.01 <= self.censored <= 0.9:
            raise ValueError(f"censored must lie between 0.01 and 0.9, got {self.censored}")
        for name, known in (
            ("effect", list(EFFECTS)),
            ("censoring", ["independent", "covariates"]),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}"
                )

    @property
    def frailty_sd(self) -> float:
        """SD of the clusters' log hazards; zero without clusters."""
        return 0.0 if self.n_clusters is None else self.frailty

    def log_hazard_of_censoring(self, X: pd.DataFrame, arm: IntArray) -> FloatArray:
        """Log hazard of censoring up to its level, shape (n,)."""
        return np.zeros(len(X)) if self.censoring == "independent" else _censoring(X, arm)

    def _persons(self, sizes: IntArray, seed: int, part: str) -> SimulatedPersons:
        clusters = np.repeat(np.arange(len(sizes)), sizes)
        alone = self.n_clusters is None
        X = _covariates(sizes, part_generator(seed, part, "covariates"), alone=alone)
        level = _prognosis(X)
        early, late = (self.effect_scale * g for g in EFFECTS[self.effect](X))
        nothing = np.zeros(len(X))
        mu0 = _restricted_means(level, nothing, nothing, self.horizon, self.frailty_sd)
        mu1 = _restricted_means(level, early, late, self.horizon, self.frailty_sd)
        nodes = pd.DataFrame(
            {"log_hazard": level, "log_ratio_early": early, "log_ratio_late": late}
        )
        known = None if self.n_clusters is None else clusters
        return SimulatedPersons(X=X, clusters=known, tau=mu1 - mu0, mu0=mu0, nodes=nodes)

    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedTimes:
        """Draw one trial.

        Parameters
        ----------
        n
            Number of persons; in a cluster trial shared among the clusters, None for a random
            number. It must be given where persons are randomized.
        random_state
            Seed.

        Returns
        -------
        SimulatedTimes
            ``nodes`` has the log hazard without treatment, the log hazard ratios before and after
            the change, the cluster's part, and both potential times, cut at the horizon, y0, y1.

        Raises
        ------
        ValueError
            If ``n`` is missing or too small.
        """
        seed = resolve_seed(random_state)
        sizes = self._trial_sizes(n, seed)
        persons = self._persons(sizes, seed, "trial")
        units, m = np.repeat(np.arange(len(sizes)), sizes), len(sizes)
        arm = randomize(m, self.share_treated, part_generator(seed, "trial", "treatment"))[units]
        between = part_generator(seed, "trial", "cluster effects").standard_normal(m)
        frailty = self.frailty_sd * between[units]
        luck = part_generator(seed, "trial", "outcomes").exponential(size=persons.n)
        hazard = persons.nodes["log_hazard"].to_numpy() + frailty
        ratios = [persons.nodes[f"log_ratio_{when}"].to_numpy() for when in ("early", "late")]
        times = [_draw_times(hazard, a * ratios[0], a * ratios[1], luck) for a in (0.0, 1.0)]
        own = np.where(arm == 1, times[1], times[0])
        lost = part_generator(seed, "trial", "censoring").exponential(size=persons.n)
        rate = censoring_level(self) + self.log_hazard_of_censoring(persons.X, arm)
        left = np.minimum(lost * np.exp(-rate), _END * self.horizon)
        time, event = np.minimum(own, left), (own <= left).astype(np.int64)
        cut = {f"y{a}": np.minimum(times[a], self.horizon) for a in (0, 1)}
        return SimulatedTimes(
            X=persons.X,
            clusters=persons.clusters,
            tau=persons.tau,
            mu0=persons.mu0,
            nodes=persons.nodes.assign(cluster_effect=frailty, **cut),
            y=self._outcome(persons, time, event, arm),
            treatment=arm,
            propensity=self.share_treated,
            time=time,
            event=event,
            horizon=self.horizon,
        )

    def _outcome(
        self, persons: SimulatedPersons, time: FloatArray, event: IntArray, arm: IntArray
    ) -> FloatArray:
        data = validate_trial(
            persons.X,
            time,
            arm,
            persons.clusters,
            endpoint="rmst",
            cause=event,
            follow_up=FollowUp(float(self.horizon)),
            to_fit=False,
        )
        y = np.empty(data.n)
        y[data.rows] = data.y
        return y


register_scenario("survival", SurvivalTrial, kind="individual", preset={"n_clusters": None})
register_scenario("crt-survival", SurvivalTrial, kind="cluster")
