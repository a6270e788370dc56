"""Real covariates, and real residuals if wanted, with an effect of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData, validate_trial
from tauhat.numerics.mixed_model import fit_random_intercept
from tauhat.numerics.seeds import resolve_seed
from tauhat.numerics.standardised_columns import independent_columns
from tauhat.simulate.randomize import randomize
from tauhat.simulate.scenario import (
    RandomState,
    Scenario,
    SimulatedPersons,
    SimulatedTrial,
    part_generator,
    register_scenario,
    whole_number,
)
from tauhat.simulate.surfaces import Surface, surface_values

_RESIDUALS = ("own", "shuffled", "normal")


class _Base(NamedTuple):
    """The real trial, taken apart."""

    data: TrialData
    X: pd.DataFrame
    unit: IntArray  # cluster of each person, or the person
    mu0: FloatArray
    residual: FloatArray
    between_variance: float
    within_variance: float


def _as_arrays(trial: Any) -> TrialData:
    if all(hasattr(trial, name) for name in ("X", "y", "treatment")):
        parts = [trial.X, trial.y, trial.treatment, getattr(trial, "clusters", None)]
    else:
        parts = list(trial)[:4]
        if len(parts) < 3:
            raise ValueError(
                "trial must have X, y, treatment (and clusters), as attributes or in this order"
            )
    return validate_trial(*parts)


def _take_apart(data: TrialData) -> tuple[FloatArray, FloatArray, float, float]:
    """Untreated mean, residual (cluster part included), between and within variance.

    From a linear model on arm and covariates: least squares for persons, REML
    with a random intercept for clusters.
    """
    scale = data.X.std(axis=0)
    standard = (data.X - data.X.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    design = np.column_stack([np.ones(data.n), data.treatment, standard])
    coefficients = np.zeros(design.shape[1])
    if not data.design.holds_persons:
        coefficients[:] = np.linalg.lstsq(design, data.y, rcond=None)[0]
        between, within = 0.0, float((data.y - design @ coefficients).var())
    else:
        fit = fit_random_intercept(data.y, design, data.design.unit)
        coefficients[independent_columns(design)] = fit.coefficients
        between, within = fit.between_cluster_variance, fit.residual_variance
    residual = data.y - design @ coefficients
    mu0 = design @ coefficients - coefficients[1] * data.treatment
    return mu0, residual, between, within


@dataclass(frozen=True, kw_only=True, eq=False)
class SemiSynthetic(Scenario):
    """Trial on the covariates of a real one, re-randomized, with a known effect put in.

    The outcome of a person is mu0(x) + A tau(x) + residual. Clusters stay
    together and are randomized as wholes. Nothing is said about the real
    treatment's effect: its average is removed.

    Attributes
    ----------
    trial
        The real trial: anything with attributes ``X, y, treatment`` (and
        ``clusters``), or that yields these four in this order.
    effect
        tau, a function of the covariates' DataFrame (float columns; named as in the trial).
    prognosis
        mu0, a function likewise. None for the real trial's own: the linear fit
        of its outcome on arm and covariates, by REML with a random intercept
        where there are clusters, else by least squares.
    residuals
        "own": every person keeps the residual of that fit, so what the fit
        missed of the prognosis is still there (mu0 is then the fit, not the
        whole truth; tau is exact). "shuffled": real residuals dealt out anew,
        cluster and person parts apart, so nothing depends on the covariates.
        "normal": normal cluster effects and residuals of the same variances.
    share_treated
        Share of units treated; None for the real trial's.

    Examples
    --------
    >>> from tauhat.simulate import ClusterTrial
    >>> real = ClusterTrial().draw(random_state=1)
    >>> design = SemiSynthetic(trial=real, effect=lambda X: 0.5 * X["x1"])
    >>> trial = design.draw(random_state=2)
    >>> len(trial.y) == len(real.y), int(trial.clusters.max()) + 1
    (True, 20)
    """

    trial: Any
    effect: Surface
    prognosis: Surface | None = None
    residuals: str = "own"
    share_treated: float | None = None

    def __post_init__(self) -> None:
        """Refuse settings that make no trial."""
        if self.residuals not in _RESIDUALS:
            raise ValueError(
                f"residuals must be one of {', '.join(_RESIDUALS)}, got {self.residuals!r}"
            )

    @cached_property
    def _base(self) -> _Base:
        data = _as_arrays(self.trial)
        X = pd.DataFrame(data.X, columns=list(data.feature_names))
        unit = data.design.unit
        mu0, residual, between, within = _take_apart(data)
        if self.prognosis is not None:
            mu0 = surface_values(self.prognosis, X, "prognosis")
        return _Base(data, X, unit, mu0, residual, between, within)

    @property
    def _share(self) -> float:
        if self.share_treated is not None:
            return self.share_treated
        base = self._base
        arm = np.zeros(int(base.unit.max()) + 1)
        arm[base.unit] = base.data.treatment
        return float(arm.mean())

    def _rows(self, n: int | None, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Rows of the real trial and the (new) unit of each.

        Whole units in random order; a unit is used again only when all have
        been used, and is then a new one. The last is cut off at ``n`` persons.
        """
        base = self._base
        units = int(base.unit.max()) + 1
        if n is None:
            return np.arange(base.data.n), base.unit
        rounds = -(-n // base.data.n)
        order = np.concatenate([rng.permutation(units) for _ in range(rounds)])
        members = np.split(np.arange(base.data.n), np.cumsum(np.bincount(base.unit))[:-1])
        rows = np.concatenate([members[unit] for unit in order])
        new_unit = np.repeat(np.arange(len(order)), [len(members[unit]) for unit in order])
        return rows[:n], new_unit[:n]

    def _persons(self, rows: IntArray, unit: IntArray) -> SimulatedPersons:
        base = self._base
        X = base.X.iloc[rows].reset_index(drop=True)
        return SimulatedPersons(
            X=X,
            clusters=unit if base.data.design.holds_persons else None,
            tau=surface_values(self.effect, X, "effect"),
            mu0=base.mu0[rows],
            nodes=pd.DataFrame({"real_row": rows}),
        )

    def _noise(self, rows: IntArray, unit: IntArray, rng: np.random.Generator) -> FloatArray:
        base = self._base
        if self.residuals == "own":
            return base.residual[rows]
        n, m = len(rows), int(unit.max()) + 1
        if self.residuals == "normal":
            between = np.sqrt(base.between_variance) * rng.standard_normal(m)
            within = np.sqrt(base.within_variance) * rng.standard_normal(n)
            normal: FloatArray = between[unit] + within
            return normal
        size = np.bincount(base.unit)
        mean = np.bincount(base.unit, weights=base.residual) / size
        deviation = base.residual - mean[base.unit]
        if len(size) == base.data.n:
            return _deal(base.residual, n, base.within_variance, rng)
        between = _deal(mean, m, base.between_variance, rng)
        return between[unit] + _deal(deviation, n, base.within_variance, rng)

    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedTrial:
        """Draw one trial.

        Parameters
        ----------
        n
            Number of persons, in randomly chosen whole clusters (the last one
            cut off); None for all persons of the real trial.
        random_state
            Seed.

        Returns
        -------
        SimulatedTrial
            ``nodes`` has real_row (in the canonical order of the real trial)
            and both potential outcomes y0, y1.

        Raises
        ------
        ValueError
            If the trial is unusable, ``n`` too small, or a function returns
            something else than one finite number a person.

        Examples
        --------
        >>> from tauhat.simulate import Linear
        >>> design = SemiSynthetic(trial=Linear().draw(200, 1), effect=lambda X: X["x1"])
        >>> len(design.draw(50, random_state=1).y)
        50
        """
        seed = resolve_seed(random_state)
        wanted = None if n is None else whole_number(n, "n", 4)
        rows, unit = self._rows(wanted, part_generator(seed, "trial", "units"))
        persons = self._persons(rows, unit)
        units = int(unit.max()) + 1
        arm = randomize(units, self._share, part_generator(seed, "trial", "treatment"))
        treatment = arm[unit]
        y0 = persons.mu0 + self._noise(rows, unit, part_generator(seed, "trial", "residuals"))
        y1 = y0 + persons.tau
        return SimulatedTrial(
            X=persons.X,
            clusters=persons.clusters,
            tau=persons.tau,
            mu0=persons.mu0,
            nodes=persons.nodes.assign(y0=y0, y1=y1),
            y=np.where(treatment == 1, y1, y0),
            treatment=treatment,
            propensity=self._share,
        )

    def population(self, n: int, random_state: RandomState = None) -> SimulatedPersons:
        """Draw ``n`` test persons: whole units of the real trial in random order.

        They are the same real persons that trials are made of; only effects,
        not covariates, are new to an estimator.

        Parameters
        ----------
        n
            Number of persons.
        random_state
            Seed.

        Returns
        -------
        SimulatedPersons

        Examples
        --------
        >>> from tauhat.simulate import Linear
        >>> design = SemiSynthetic(trial=Linear().draw(200, 1), effect=lambda X: X["x1"])
        >>> design.population(1000, random_state=1).tau.shape
        (1000,)
        """
        seed = resolve_seed(random_state)
        rows, unit = self._rows(whole_number(n, "n"), part_generator(seed, "population", "units"))
        return self._persons(rows, unit)

    def _large_trial(self, n: int, seed: int) -> SimulatedTrial:
        return self.draw(n, seed)


def _deal(values: FloatArray, count: int, variance: float, rng: np.random.Generator) -> FloatArray:
    """Values dealt out in random order (again and again if needed), with a given variance."""
    rounds = -(-count // len(values))
    dealt = np.concatenate([rng.permutation(values) for _ in range(rounds)])[:count]
    spread = float(values.std())
    centred = dealt - values.mean()
    return centred * (np.sqrt(variance) / spread) if spread > 0 else np.zeros(count)


register_scenario("semi-synthetic", SemiSynthetic, kind="semi-synthetic")
