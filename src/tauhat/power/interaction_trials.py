"""The trials that a plan supposes, as scenarios: one modifier, a linear interaction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.simulate.cluster_scenario import ClusterScenario
from tauhat.simulate.individual_scenario import IndividualScenario
from tauhat.simulate.scenario import (
    RandomState,
    SimulatedPersons,
    SimulatedTrial,
    part_generator,
    whole_number,
)


def modifier_values(
    clusters: IntArray,
    n_clusters: int,
    *,
    icc_x: float,
    sd_x: float,
    prevalence: float | None,
    rng: np.random.Generator,
) -> FloatArray:
    """Values of a modifier with a given intracluster correlation.

    A normal one is the sum of a cluster's and a person's part. A binary one is
    1 with a probability that each cluster draws from a beta distribution.

    Parameters
    ----------
    clusters
        Cluster 0 to m - 1 of each person, shape (n,).
    n_clusters
        Number of clusters m.
    icc_x
        Intracluster correlation in [0, 1].
    sd_x
        Standard deviation of a normal modifier, with mean 0.
    prevalence
        Share of persons with a binary modifier, or None.
    rng
        Generator.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(4), 2)
    >>> modifier_values(clusters, 4, icc_x=1.0, sd_x=1.0, prevalence=0.5, rng=rng).tolist()
    [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    """
    n = len(clusters)
    if prevalence is None:
        between = rng.standard_normal(n_clusters)[clusters]
        mixed: FloatArray = np.sqrt(icc_x) * between + np.sqrt(1 - icc_x) * rng.standard_normal(n)
        return sd_x * mixed
    if icc_x == 0:
        chance = np.full(n_clusters, prevalence)
    elif icc_x == 1:
        chance = (rng.random(n_clusters) < prevalence).astype(np.float64)
    else:
        total = 1 / icc_x - 1
        chance = rng.beta(total * prevalence, total * (1 - prevalence), n_clusters)
    binary: FloatArray = (rng.random(n) < chance[clusters]).astype(np.float64)
    return binary


def _with_others(modifier: FloatArray, n_others: int, rng: np.random.Generator) -> pd.DataFrame:
    others = {f"x{k + 1}": rng.standard_normal(len(modifier)) for k in range(n_others)}
    return pd.DataFrame({"modifier": modifier, **others})


@dataclass(frozen=True, kw_only=True)
class ClusterInteraction(ClusterScenario):
    """Cluster-randomized trial whose effect is ``delta`` times one modifier.

    Settings as in `tauhat.simulate.ClusterScenario` and:

    Attributes
    ----------
    delta
        Change of the treatment effect with one unit of the modifier.
    icc_x
        Intracluster correlation of the modifier, in [0, 1].
    sd_x
        Standard deviation of a normal modifier.
    prevalence
        Share of persons with a binary modifier, or None for a normal one.
    n_others
        Number of further N(0, 1) covariates without any effect.

    Examples
    --------
    >>> trial = ClusterInteraction(n_clusters=10, delta=0.3, icc_x=1.0).draw(random_state=1)
    >>> bool(np.allclose(trial.tau, 0.3 * trial.X["modifier"]))
    True
    """

    delta: float
    icc_x: float = 0.0
    sd_x: float = 1.0
    prevalence: float | None = None
    n_others: int = 0

    def _covariates(
        self, clusters: IntArray, n_clusters: int, rng: np.random.Generator
    ) -> pd.DataFrame:
        modifier = modifier_values(
            clusters,
            n_clusters,
            icc_x=self.icc_x,
            sd_x=self.sd_x,
            prevalence=self.prevalence,
            rng=rng,
        )
        return _with_others(modifier, self.n_others, rng)

    def _prognosis(self, X: pd.DataFrame) -> FloatArray:
        return np.zeros(len(X))

    def _effect(self, X: pd.DataFrame) -> FloatArray:
        effect: FloatArray = self.delta * X["modifier"].to_numpy()
        return effect


@dataclass(frozen=True, kw_only=True)
class IndividualInteraction(IndividualScenario):
    """Individually randomized trial whose effect is ``delta`` times one modifier.

    Attributes
    ----------
    n_persons
        Size of a trial drawn without saying another.
    delta, sd_x, prevalence, n_others
        As in `ClusterInteraction`.
    sd_y
        Standard deviation of the outcome given the modifier.

    Examples
    --------
    >>> trial = IndividualInteraction(n_persons=100, delta=0.3).draw(random_state=1)
    >>> len(trial.y), trial.X.columns.tolist()
    (100, ['modifier'])
    """

    n_persons: int
    delta: float
    sd_x: float = 1.0
    prevalence: float | None = None
    sd_y: float = 1.0
    n_others: int = 0

    @property
    def noise_sd(self) -> float:
        """SD of the normal noise of the outcome."""
        return self.sd_y

    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedTrial:
        """Draw one trial of ``n`` (default ``n_persons``) persons."""
        return super().draw(self.n_persons if n is None else n, random_state)

    def _persons(self, n: int, seed: int, part: str) -> SimulatedPersons:
        rng = part_generator(seed, part, "covariates")
        alone = np.arange(whole_number(n, "n"))
        modifier = modifier_values(
            alone, n, icc_x=1.0, sd_x=self.sd_x, prevalence=self.prevalence, rng=rng
        )
        return SimulatedPersons(
            X=_with_others(modifier, self.n_others, rng),
            clusters=None,
            tau=self.delta * modifier,
            mu0=np.zeros(n),
            nodes=pd.DataFrame(index=range(n)),
        )
