"""What all simulated cluster-randomized trials share: sizes, cluster effects, drop-out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.seeds import resolve_seed
from tauhat.simulate.cluster_sizes import SizedScenario
from tauhat.simulate.randomize import randomize
from tauhat.simulate.scenario import (
    RandomState,
    SimulatedPersons,
    SimulatedTrial,
    part_generator,
    whole_number,
)

_SHAPES = ("normal", "skewed", "bimodal")


def shaped_noise(shape: str, size: int, rng: np.random.Generator) -> FloatArray:
    """Independent draws with mean 0 and variance 1.

    Parameters
    ----------
    shape
        "normal"; "skewed", a standardised chi-square with 3 degrees of
        freedom (skewness 1.63); or "bimodal", an equal mixture of
        N(-0.9, 0.19) and N(0.9, 0.19).
    size
        Number of draws.
    rng
        Generator.

    Returns
    -------
    ndarray, shape (size,)

    Raises
    ------
    ValueError
        If the shape is unknown.

    Examples
    --------
    >>> draws = shaped_noise("bimodal", 100_000, np.random.default_rng(1))
    >>> round(float(draws.var()), 1)
    1.0
    """
    if shape == "normal":
        return rng.standard_normal(size)
    if shape == "skewed":
        skewed: FloatArray = (rng.chisquare(3, size) - 3.0) / np.sqrt(6.0)
        return skewed
    if shape == "bimodal":
        side = np.where(rng.random(size) < 0.5, -0.9, 0.9)
        bimodal: FloatArray = side + np.sqrt(1 - 0.9**2) * rng.standard_normal(size)
        return bimodal
    raise ValueError(f"the shape must be one of {', '.join(_SHAPES)}, got {shape!r}")


@dataclass(frozen=True, kw_only=True)
class ClusterScenario(SizedScenario):
    """What all simulated cluster-randomized trials share; subclasses add covariates and surfaces.

    For person j of cluster i with arm A_i, size N_i and covariates x_ij, w_i

        Y_ij = mu0(x, w) + a log(N_i / mean_size) + s_i' x_ij[1:2]
               + A_i {tau(x, w) + c log(N_i / mean_size) + d_i} + b_i + e_ij

    with a cluster effect b_i of variance ``icc * outcome_variance`` and a
    residual e_ij of the rest; the effect of treatment reported in ``tau`` holds
    everything in the braces but d_i, which has mean 0 whatever the covariates.

    Attributes
    ----------
    n_clusters
        Number of clusters of a trial, at least 4.
    mean_size, size_cv, min_size
        Mean and coefficient of variation of the gamma distribution of cluster
        sizes (persons), which are rounded and not less than ``min_size``.
    icc
        Share of ``outcome_variance`` that lies between clusters, in [0, 1).
    outcome_variance
        Variance of b + e in the control arm, in squared units of the outcome.
    share_treated
        Share of clusters treated; arm sizes are fixed.
    prognosis_log_size, effect_log_size
        Slopes a and c of an informative cluster size.
    cluster_effects, residuals
        Shape of b and of e: "normal", "skewed" or "bimodal" (see `shaped_noise`).
    treated_cluster_variance, treated_residual_variance
        Variance of b and of e in treated clusters, as a multiple of the control
        arm's.
    effect_sd
        SD of d_i, a random treatment effect of the cluster.
    slope_sd
        SD of s_i, random slopes of the first two covariates.
    dropout
        Share of persons without an outcome, one number or one for each arm
        (control, treated). They are left out of the trial; every cluster
        keeps at least one person.
    dropout_on
        Covariate that drop-out depends on (log odds + 1 for each SD of it);
        None for drop-out completely at random.
    size_covariate
        Whether the covariates include ``cluster_size`` (before drop-out).
    """

    n_clusters: int = 32
    icc: float = 0.1
    outcome_variance: float = 1.0
    share_treated: float = 0.5
    prognosis_log_size: float = 0.0
    effect_log_size: float = 0.0
    cluster_effects: str = "normal"
    residuals: str = "normal"
    treated_cluster_variance: float = 1.0
    treated_residual_variance: float = 1.0
    effect_sd: float = 0.0
    slope_sd: float = 0.0
    dropout: float | tuple[float, float] = 0.0
    dropout_on: str | None = None
    size_covariate: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that make no trial."""
        # Persons alone make no such trial.
        whole_number(self.n_clusters, "n_clusters", 4)
        self._check_sizes()
        if not 0.0 <= self.icc < 1.0:
            raise ValueError(f"icc must lie in [0, 1), got {self.icc}")
        if not self.outcome_variance > 0:
            raise ValueError(f"outcome_variance must be positive, got {self.outcome_variance}")
        for name in (
            "treated_cluster_variance", "treated_residual_variance", "effect_sd", "slope_sd",
        ):  # fmt: skip
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("cluster_effects", "residuals"):
            if getattr(self, name) not in _SHAPES:
                raise ValueError(
                    f"{name} must be one of {', '.join(_SHAPES)}, got {getattr(self, name)!r}"
                )
        if not all(0.0 <= rate < 1.0 for rate in self._dropout_rates):
            raise ValueError(f"dropout must lie in [0, 1), got {self.dropout}")

    @property
    def _dropout_rates(self) -> tuple[float, float]:
        rates = self.dropout
        if isinstance(rates, (int, float)):
            return float(rates), float(rates)
        if len(rates) != 2:
            raise ValueError(f"dropout needs one rate or one an arm, got {rates!r}")
        return float(rates[0]), float(rates[1])

    @abstractmethod
    def _covariates(
        self, clusters: IntArray, n_clusters: int, rng: np.random.Generator
    ) -> pd.DataFrame:
        """Covariates of persons in the clusters numbered."""

    @abstractmethod
    def _prognosis(self, X: pd.DataFrame) -> FloatArray:
        """Prognosis without the part that depends on cluster size."""

    @abstractmethod
    def _effect(self, X: pd.DataFrame) -> FloatArray:
        """Effect without the part that depends on cluster size."""

    def _persons(
        self, sizes: IntArray, present: IntArray, seed: int, part: str
    ) -> SimulatedPersons:
        """Persons of clusters of the sizes given, of whom the first ``present`` are there."""
        clusters = np.repeat(np.arange(len(sizes)), present)
        X = self._covariates(clusters, len(sizes), part_generator(seed, part, "covariates"))
        size = sizes[clusters]
        log_size = np.log(size / self.mean_size)
        mu0 = self._prognosis(X) + self.prognosis_log_size * log_size
        tau = self._effect(X) + self.effect_log_size * log_size
        if self.size_covariate:
            X = X.assign(cluster_size=size.astype(np.float64))
        return SimulatedPersons(
            X=X, clusters=clusters, tau=tau, mu0=mu0, nodes=pd.DataFrame({"cluster_size": size})
        )

    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedTrial:
        """Draw one trial.

        Parameters
        ----------
        n
            Number of persons enrolled (before drop-out), shared among the
            ``n_clusters`` clusters with the sizes' variation; None for a random
            number, ``n_clusters * mean_size`` on average.
        random_state
            Seed.

        Returns
        -------
        SimulatedTrial
            ``nodes`` has cluster_size, cluster_effect (b), effect_deviation
            (d) and both potential outcomes y0, y1.

        Raises
        ------
        ValueError
            If ``n`` is too small for the clusters.

        Examples
        --------
        >>> from tauhat.simulate import ClusterTrial
        >>> trial = ClusterTrial(n_clusters=10).draw(200, random_state=1)
        >>> len(trial.y), int(trial.clusters.max()) + 1
        (200, 10)
        """
        seed = resolve_seed(random_state)
        m = self.n_clusters
        sizes = self._trial_sizes(n, seed)
        persons = self._persons(sizes, sizes, seed, "trial")
        clusters = np.repeat(np.arange(m), sizes)
        arm = randomize(m, self.share_treated, part_generator(seed, "trial", "treatment"))
        nodes = self._outcomes(persons, clusters, seed)
        return self._seen(persons, clusters, nodes, arm[clusters], seed)

    def _seen(
        self,
        persons: SimulatedPersons,
        clusters: IntArray,
        nodes: pd.DataFrame,
        treatment: IntArray,
        seed: int,
        period: IntArray | None = None,
    ) -> SimulatedTrial:
        """The persons who stay, with the outcome in the arm that each of them had."""
        y = np.where(treatment == 1, nodes["y1"], nodes["y0"])
        stays = self._stays(
            persons.X, treatment, clusters, part_generator(seed, "trial", "dropout")
        )
        return SimulatedTrial(
            X=persons.X[stays].reset_index(drop=True),
            clusters=clusters[stays],
            tau=persons.tau[stays],
            mu0=persons.mu0[stays],
            nodes=nodes[stays].reset_index(drop=True),
            y=y[stays],
            treatment=treatment[stays],
            propensity=self.share_treated,
            period=None if period is None else period[stays],
        )

    def _outcomes(self, persons: SimulatedPersons, clusters: IntArray, seed: int) -> pd.DataFrame:
        """Latent effects and both potential outcomes of every person."""
        m, n = self.n_clusters, persons.n

        def rng(part: str) -> np.random.Generator:
            return part_generator(seed, "trial", part)

        between = np.sqrt(self.icc * self.outcome_variance) * shaped_noise(
            self.cluster_effects, m, rng("cluster effects")
        )
        residual = np.sqrt((1 - self.icc) * self.outcome_variance) * shaped_noise(
            self.residuals, n, rng("residuals")
        )
        deviation = self.effect_sd * rng("effect deviations").standard_normal(m)
        slopes = self.slope_sd * rng("slopes").standard_normal((m, 2))
        first_two = persons.X.iloc[:, :2].to_numpy(dtype=np.float64)
        common = persons.mu0 + (slopes[clusters] * first_two).sum(axis=1)
        y0 = common + between[clusters] + residual
        y1 = (
            common
            + persons.tau
            + deviation[clusters]
            + np.sqrt(self.treated_cluster_variance) * between[clusters]
            + np.sqrt(self.treated_residual_variance) * residual
        )
        return persons.nodes.assign(
            cluster_effect=between[clusters], effect_deviation=deviation[clusters], y0=y0, y1=y1
        )

    def _stays(
        self, X: pd.DataFrame, treatment: IntArray, clusters: IntArray, rng: np.random.Generator
    ) -> BoolArray:
        """Who has an outcome."""
        luck = rng.random(len(X))
        leave = np.zeros(len(X), dtype=bool)
        for arm, rate in enumerate(self._dropout_rates):
            rows = np.flatnonzero(treatment == arm)
            if rate > 0:
                leave[rows] = luck[rows] < self._dropout_risk(X, rows, rate)
        # The luckiest of each cluster stays, so that no cluster is lost.
        by_luck = np.lexsort((-luck, clusters))
        luckiest = by_luck[np.unique(clusters[by_luck], return_index=True)[1]]
        leave[luckiest] = False
        return ~leave

    def _dropout_risk(self, X: pd.DataFrame, rows: IntArray, rate: float) -> FloatArray | float:
        if self.dropout_on is None:
            return rate
        if self.dropout_on not in X.columns:
            raise ValueError(
                f"dropout_on names {self.dropout_on!r}, which is none of the covariates "
                f"{', '.join(map(str, X.columns))}"
            )
        values = X[self.dropout_on].to_numpy(dtype=np.float64)
        score = (values[rows] - values.mean()) / (values.std() or 1.0)

        def excess(intercept: float) -> float:
            return float(expit(intercept + score).mean()) - rate

        centre = float(logit(rate))
        reach = float(np.abs(score).max()) + 1.0
        intercept: Any = brentq(excess, centre - reach, centre + reach)
        risk: FloatArray = expit(float(intercept) + score)
        return risk

    def population(self, n: int, random_state: RandomState = None) -> SimulatedPersons:
        """Draw ``n`` test persons from new clusters.

        Whole clusters are drawn until there are ``n`` persons; the last one is
        cut off there. No outcome, so no drop-out.

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
        >>> from tauhat.simulate import ClusterTrial
        >>> ClusterTrial().population(1000, random_state=1).X.shape
        (1000, 9)
        """
        seed = resolve_seed(random_state)
        sizes, present = self._population_sizes(n, seed)
        return self._persons(sizes, present, seed, "population")

    def _large_trial(self, n: int, seed: int) -> SimulatedTrial:
        return replace(self, n_clusters=self._many_clusters(n), dropout=0.0).draw(None, seed)
