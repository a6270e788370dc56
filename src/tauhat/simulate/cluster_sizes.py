"""Sizes of simulated clusters, and trials that randomize clusters of such sizes or persons."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.seeds import resolve_seed
from tauhat.simulate.scenario import (
    RandomState,
    Scenario,
    SimulatedPersons,
    SimulatedTrial,
    part_generator,
    whole_number,
)


def apportion(n: int, weights: FloatArray, least: int) -> IntArray:
    """Whole numbers that sum to ``n``, at least ``least`` each, in proportion to weights.

    Parameters
    ----------
    n
        The sum.
    weights
        Non-negative weights, shape (m,), shared out above the least size.
    least
        Smallest size.

    Returns
    -------
    ndarray, shape (m,)

    Raises
    ------
    ValueError
        If ``n`` is too small.

    Examples
    --------
    >>> apportion(20, np.array([1.0, 2.0, 3.0]), 2).tolist()
    [4, 7, 9]
    """
    m = len(weights)
    if n < m * least:
        raise ValueError(f"{n} persons are too few for {m} clusters of at least {least}")
    share = weights if weights.sum() > 0 else np.ones(m)
    exact = (n - m * least) * share / share.sum()
    sizes = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(sizes - exact, kind="stable")
    sizes[by_remainder[: n - m * least - int(sizes.sum())]] += 1
    apportioned: IntArray = sizes + least
    return apportioned


@dataclass(frozen=True, kw_only=True)
class SizedScenario(Scenario):
    """A scenario with clusters of gamma-distributed sizes, or of persons without clusters.

    Attributes
    ----------
    n_clusters
        Number of clusters, at least 4; None for a trial that randomizes persons.
    mean_size, size_cv, min_size
        Mean and coefficient of variation of the clusters' gamma-distributed sizes
        (persons), rounded and not less than ``min_size``.
    """

    n_clusters: int | None = 20
    mean_size: float = 25.0
    size_cv: float = 0.4
    min_size: int = 5

    @property
    def randomizes_clusters(self) -> bool:
        """Whether clusters are randomized."""
        return self.n_clusters is not None

    def _check_sizes(self) -> None:
        """Raise a `ValueError` for settings that make no clusters."""
        if self.n_clusters is not None:
            whole_number(self.n_clusters, "n_clusters", 4)
        whole_number(self.min_size, "min_size")
        if self.mean_size < self.min_size:
            raise ValueError(
                f"mean_size ({self.mean_size}) must not be below min_size ({self.min_size})"
            )
        if not self.size_cv >= 0:
            raise ValueError(f"size_cv must not be negative, got {self.size_cv}")

    def _sizes(self, count: int, rng: np.random.Generator) -> IntArray:
        """Sizes of ``count`` clusters."""
        drawn = np.full(count, self.mean_size)
        if self.size_cv > 0:
            shape = self.size_cv**-2.0
            drawn = rng.gamma(shape, self.mean_size / shape, count)
        return np.maximum(np.round(drawn), self.min_size).astype(np.int64)

    def _trial_sizes(self, n: int | None, seed: int) -> IntArray:
        """Sizes of the randomized units of a trial, which are 1 where persons are randomized."""
        if self.n_clusters is None:
            return np.ones(whole_number(n, "n", 2), dtype=np.int64)
        sizes = self._sizes(self.n_clusters, part_generator(seed, "trial", "sizes"))
        if n is None:
            return sizes
        above = (sizes - self.min_size).astype(np.float64)
        return apportion(whole_number(n, "n"), above, self.min_size)

    def _population_sizes(self, n: int, seed: int) -> tuple[IntArray, IntArray]:
        """Sizes of as many new units as ``n`` persons take, and how many of each there are."""
        n = whole_number(n, "n")
        if self.n_clusters is None:
            return np.ones(n, dtype=np.int64), np.ones(n, dtype=np.int64)
        # Sizes have no upper bound but a lower one, so these are always enough clusters.
        sizes = self._sizes(-(-n // self.min_size), part_generator(seed, "population", "sizes"))
        ends = np.cumsum(sizes)
        count = int(np.searchsorted(ends, n)) + 1
        present = sizes[:count].copy()
        present[-1] -= ends[count - 1] - n
        return sizes[:count], present

    def _many_clusters(self, n: int) -> int:
        """Clusters that hold about ``n`` persons, an even number."""
        return max(4, 2 * round(n / self.mean_size / 2))


@dataclass(frozen=True, kw_only=True)
class ScenarioOfUnits(SizedScenario):
    """A scenario whose persons are made alike in clusters and without."""

    @abstractmethod
    def _persons(self, sizes: IntArray, seed: int, part: str) -> SimulatedPersons:
        """Persons of clusters of these sizes, which are 1 where persons are randomized."""

    def population(self, n: int, random_state: RandomState = None) -> SimulatedPersons:
        """Draw ``n`` test persons, from new clusters where there are clusters.

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
        >>> from tauhat.simulate import BinaryTrial
        >>> people = BinaryTrial(base_risk=0.1).population(5000, random_state=1)
        >>> bool(0.08 < people.mu0.mean() < 0.12)
        True
        """
        seed = resolve_seed(random_state)
        return self._persons(self._population_sizes(n, seed)[1], seed, "population")

    def _large_trial(self, n: int, seed: int) -> SimulatedTrial:
        if self.n_clusters is None:
            return self.draw(n, seed)
        return replace(self, n_clusters=self._many_clusters(n)).draw(None, seed)
