"""Scenarios: named data-generating processes whose true effects are known."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData, validate_trial
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.simulate.population import PopulationValues

RandomState = int | np.random.Generator | np.random.RandomState | None


@dataclass(frozen=True, eq=False)
class SimulatedPersons:
    """Persons with known effects.

    Attributes
    ----------
    X
        Covariates, shape (n, p).
    clusters
        Cluster number 0 to m - 1 of each person, shape (n,), or None.
    tau
        True effect of treatment on each person, E[Y(1) - Y(0) | covariates],
        shape (n,), in the outcome's unit.
    mu0
        True mean outcome without treatment, E[Y(0) | covariates], shape (n,).
    nodes
        What lies behind the data and no estimator may see: cluster effects,
        intermediate variables of a mechanism, and so on; n rows.
    """

    X: pd.DataFrame
    clusters: IntArray | None
    tau: FloatArray
    mu0: FloatArray
    nodes: pd.DataFrame

    @property
    def n(self) -> int:
        """Number of persons."""
        return len(self.tau)

    @property
    def individual_average(self) -> float:
        """True average effect over these persons, each counting 1."""
        return float(self.tau.mean())

    @property
    def cluster_average(self) -> float:
        """True average effect over these clusters, each counting 1."""
        if self.clusters is None:
            return self.individual_average
        size = np.bincount(self.clusters)
        return float((np.bincount(self.clusters, weights=self.tau) / size).mean())


@dataclass(frozen=True, eq=False)
class SimulatedTrial(SimulatedPersons):
    """A simulated two-arm trial, ready for ``estimator.fit(*trial)``.

    Attributes
    ----------
    X, clusters, tau, mu0, nodes
        As in `SimulatedPersons`.
    y
        Outcome, shape (n,).
    treatment
        Arm, 0 or 1, shape (n,).
    propensity
        Probability of treatment by design, one number or one a person.
    period
        Period of each person where clusters change their arm over them, shape (n,), or None.
    blocks
        Block of each person within which units were randomized, shape (n,), or None.
    within
        Unit of the level within clusters of each person, shape (n,), or None.
    crossed
        Unit of a level that crosses the clusters, shape (n,), or None; ``data`` knows it, the
        arguments of ``fit`` do not.
    """

    y: FloatArray
    treatment: IntArray
    propensity: float | FloatArray
    period: IntArray | None = field(default=None, kw_only=True)
    blocks: IntArray | None = field(default=None, kw_only=True)
    within: IntArray | None = field(default=None, kw_only=True)
    crossed: IntArray | None = field(default=None, kw_only=True)

    def __iter__(self) -> Iterator[Any]:
        """Yield the arguments of ``CateEstimator.fit`` in their order."""
        clusters: Any = self.clusters
        if self.clusters is not None and self.within is not None:
            clusters = np.column_stack([self.clusters, self.within])
        yield from (
            self.X,
            self.y,
            self.treatment,
            clusters,
            None,
            self.blocks,
            self.propensity,
        )

    @property
    def data(self) -> TrialData:
        """The trial as validated arrays in canonical order, which studies fit to."""
        if self.period is None:
            crossed = () if self.crossed is None else (self.crossed,)
            return validate_trial(*self, crossed=crossed)
        return validate_trial(self.X, self.y, self.treatment, self.clusters, period=self.period)

    @property
    def compared(self) -> SimulatedTrial:
        """The trial of the two arms whose effect ``tau`` is: this one, unless it has more."""
        return self


@dataclass(frozen=True, kw_only=True)
class Scenario(ABC):
    """A data-generating process; its settings are its fields.

    Everything random depends on the settings, the size and ``random_state``
    only: the same three give the same bytes. Trials and populations drawn with
    the same ``random_state`` are independent of each other.
    """

    @abstractmethod
    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedTrial:
        """Draw one trial of ``n`` persons."""

    @abstractmethod
    def population(self, n: int, random_state: RandomState = None) -> SimulatedPersons:
        """Draw ``n`` test persons, in new clusters where clusters are randomized."""

    @abstractmethod
    def _large_trial(self, n: int, seed: int) -> SimulatedTrial:
        """Trial of about ``n`` persons with as many clusters as that takes."""

    @property
    def randomizes_clusters(self) -> bool:
        """Whether clusters are randomized; n_clusters and mean_size are settings then."""
        return False

    @property
    def settings(self) -> dict[str, Any]:
        """All settings by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def population_values(
        self, n: int = 200_000, random_state: RandomState = 0
    ) -> PopulationValues:
        """Average effects, SD of the effects and R^2, by simulating a large population.

        Parameters
        ----------
        n
            Number of persons to simulate; the Monte Carlo error of a mean is
            about its SD / sqrt(n), or / sqrt(clusters) for cluster-level parts.
        random_state
            Seed.

        Returns
        -------
        PopulationValues

        Examples
        --------
        >>> values = scenario("linear").population_values(n=20_000)
        >>> round(values.individual_average, 1), round(values.sd_effect, 1)
        (1.0, 1.0)
        """
        trial = self._large_trial(whole_number(n, "n"), resolve_seed(random_state)).compared
        explained = trial.mu0 + trial.treatment * trial.tau
        return PopulationValues(
            individual_average=trial.individual_average,
            cluster_average=trial.cluster_average,
            sd_effect=0.0 if np.ptp(trial.tau) == 0 else float(trial.tau.std()),
            sd_prognosis=0.0 if np.ptp(trial.mu0) == 0 else float(trial.mu0.std()),
            r_squared=float(explained.var() / trial.y.var()),
        )


def whole_number(n: int | None, name: str, least: int = 1) -> int:
    """``n`` as an integer, or an error that names the argument.

    Parameters
    ----------
    n
        Value to check.
    name
        Name of the argument.
    least
        Smallest value allowed.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If ``n`` is not a whole number or too small.

    Examples
    --------
    >>> whole_number(3, "n")
    3
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {n!r}")
    return int(n)


def numbered_anew(clusters: IntArray | None, rows: IntArray) -> IntArray | None:
    """Clusters of some persons, numbered from 0; None where there are none.

    Examples
    --------
    >>> numbered_anew(np.array([0, 1, 2, 2]), np.array([1, 3])).tolist()
    [0, 1]
    """
    if clusters is None:
        return None
    anew: IntArray = np.unique(clusters[rows], return_inverse=True)[1]
    return anew


def part_generator(seed: int, *key: str | int) -> np.random.Generator:
    """Generator of one part of a simulation, independent of all other parts.

    Parameters
    ----------
    seed
        Seed of the draw.
    *key
        Words that name the part, such as "trial", "covariates".

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> a = part_generator(1, "trial", "noise").normal()
    >>> bool(a == part_generator(1, "trial", "noise").normal())
    True
    """
    return np.random.default_rng(derive_seed(seed, "simulate", *key))


@dataclass(frozen=True)
class _Entry:
    factory: type[Scenario]
    preset: Mapping[str, Any]
    kind: str


_KINDS = ("individual", "cluster", "semi-synthetic")
_REGISTRY: dict[str, _Entry] = {}
_ALIASES: dict[str, str] = {}


def register_scenario(
    name: str,
    factory: type[Scenario],
    *,
    kind: str,
    preset: Mapping[str, Any] | None = None,
    alias: str | None = None,
) -> None:
    """Give a scenario a name that `scenario` and simulation studies understand.

    Parameters
    ----------
    name
        Name, not yet taken.
    factory
        A `Scenario` dataclass.
    kind
        "individual", "cluster" or "semi-synthetic".
    preset
        Settings that this name stands for.
    alias
        A second, short name.

    Raises
    ------
    ValueError
        If a name is taken or the kind unknown.

    Examples
    --------
    >>> from tauhat.simulate import PDL1
    >>> register_scenario("pd-l1-noisy", PDL1, kind="individual", preset={"noise": 2.0})
    >>> scenario("pd-l1-noisy").noise
    2.0
    >>> unregister_scenario("pd-l1-noisy")
    """
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}, got {kind!r}")
    for word in (name, alias):
        if word is not None and (word in _REGISTRY or word in _ALIASES):
            raise ValueError(f"the scenario name {word!r} is taken")
    _REGISTRY[name] = _Entry(factory, dict(preset or {}), kind)
    if alias is not None:
        _ALIASES[alias] = name


def unregister_scenario(name: str) -> None:
    """Forget a name given by `register_scenario`, and its alias.

    Parameters
    ----------
    name
        Registered name.

    Raises
    ------
    ValueError
        If there is no such name.

    Examples
    --------
    >>> unregister_scenario("none such")
    Traceback (most recent call last):
    ValueError: there is no scenario 'none such'; the names are ...
    """
    _entry(name)
    _REGISTRY.pop(_ALIASES.get(name, name))
    for alias in [key for key, value in _ALIASES.items() if value not in _REGISTRY]:
        del _ALIASES[alias]


def _entry(name: str) -> _Entry:
    canonical = _ALIASES.get(name, name)
    if canonical not in _REGISTRY:
        near = difflib.get_close_matches(str(name), [*_REGISTRY, *_ALIASES], n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(
            f"there is no scenario {name!r}{hint}; the names are {', '.join(scenario_names())}"
        )
    return _REGISTRY[canonical]


def scenario(name: str, **settings: Any) -> Scenario:
    """A scenario by name, with some of its settings changed.

    Parameters
    ----------
    name
        One of `scenario_names`, or a short name such as "c4".
    **settings
        Settings to change; the fields of the scenario's class.

    Returns
    -------
    Scenario

    Raises
    ------
    ValueError
        If the name or a setting is unknown, missing or out of range.

    Examples
    --------
    >>> trial = scenario("linear").draw(100, random_state=1)
    >>> trial.X.shape, int(trial.treatment.sum())
    ((100, 10), 50)
    >>> crt = scenario("crt-nonlinear-m20-icc10", icc=0.2).draw(random_state=1)
    >>> int(crt.clusters.max()) + 1
    20
    """
    entry = _entry(name)
    known = [field.name for field in fields(entry.factory)]
    unknown = [key for key in settings if key not in known]
    if unknown:
        raise ValueError(
            f"scenario {name!r} has no setting {unknown[0]!r}; its settings are {', '.join(known)}"
        )
    chosen = {**entry.preset, **settings}
    absent = [
        field.name
        for field in fields(entry.factory)
        if field.name not in chosen
        and field.default is MISSING
        and field.default_factory is MISSING
    ]
    if absent:
        raise ValueError(f"scenario {name!r} needs the setting {absent[0]!r}")
    return entry.factory(**chosen)


def scenario_names(kind: str | None = None) -> list[str]:
    """Names of the registered scenarios: individual, cluster, semi-synthetic.

    Parameters
    ----------
    kind
        "individual", "cluster", "semi-synthetic", or None for all.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If the kind is unknown.

    Examples
    --------
    >>> scenario_names("individual")[:3]
    ['binary', 'broad', 'linear']
    """
    if kind is not None and kind not in _KINDS:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}, got {kind!r}")
    wanted = _KINDS if kind is None else (kind,)
    return [name for one in wanted for name, entry in _REGISTRY.items() if entry.kind == one]
