"""Trials of random sizes, covariates and surfaces: what `Robust` learns its weights from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.stats import norm

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.seeds import resolve_seed
from tauhat.simulate.cluster_scenario import shaped_noise
from tauhat.simulate.cluster_sizes import apportion
from tauhat.simulate.random_surfaces import Surface, random_surface
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

_KINDS = ("normal", "skewed", "uniform", "two values", "few values", "heavy tails")
# Persons over whom surfaces are standardised.
_N_REFERENCE = 2000


@dataclass(frozen=True, eq=False)
class _World:
    """Everything about one random trial but its persons.

    Attributes
    ----------
    sizes
        Sizes of its units, which are 1 where persons are randomized.
    share_treated
        Probability of treatment.
    block_size
        Units of like prognosis that a block holds, half of them treated; 0 without blocks.
    kinds
        Kind of each covariate, shape (p,).
    shares
        Prevalence of a covariate with two values, shape (p,).
    loadings
        How the covariates hang together, shape (p, factors).
    between
        Share of each covariate's variance that lies between units, shape (p,).
    icc
        Share of the outcome's noise that lies between units.
    prognosis, effect
        Surfaces, None for an effect that is the same for everyone.
    sizes_of
        SD of the prognosis, SD of the effect and average effect over the SD of the noise.
    noise
        Shape of the noise.
    unit
        Unit of the outcome, as a multiple of the noise's SD.
    """

    sizes: IntArray
    share_treated: float
    block_size: int
    kinds: tuple[str, ...]
    shares: FloatArray
    loadings: FloatArray
    between: FloatArray
    icc: float
    prognosis: Surface | None
    effect: Surface | None
    sizes_of: tuple[float, float, float]
    noise: str
    unit: float

    def covariates(
        self, clusters: IntArray, n_clusters: int, rng: np.random.Generator
    ) -> FloatArray:
        """Covariates of persons in the units numbered, shape (n, p)."""
        p, factors = self.loadings.shape

        def normal(count: int) -> FloatArray:
            common: FloatArray = rng.normal(size=(count, factors)) @ self.loadings.T
            common += np.sqrt(1 - (self.loadings**2).sum(axis=1)) * rng.normal(size=(count, p))
            return common

        latent = np.sqrt(self.between) * normal(n_clusters)[clusters]
        latent += np.sqrt(1 - self.between) * normal(len(clusters))
        columns = [
            _of_kind(kind, latent[:, j], float(self.shares[j])) for j, kind in enumerate(self.kinds)
        ]
        return np.column_stack(columns)


def _of_kind(kind: str, normal: FloatArray, share: float) -> FloatArray:
    """A covariate of one kind, of standard normal values."""
    if kind == "skewed":
        return np.exp(0.7 * normal)
    if kind == "uniform":
        return np.asarray(norm.cdf(normal))
    if kind == "two values":
        return (normal > norm.ppf(1 - share)).astype(np.float64)
    if kind == "few values":
        return np.clip(np.round(1.2 * normal + 2.0), 0.0, 4.0)
    if kind == "heavy tails":
        return np.sinh(0.8 * normal)
    return normal


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _unit_sizes(clusters: bool, rng: np.random.Generator) -> IntArray:
    if not clusters:
        return np.ones(round(_log_uniform(60, 3000, rng)), dtype=np.int64)
    count = round(_log_uniform(8, 100, rng))
    mean = _log_uniform(6, min(80.0, 3000 / count), rng)
    spread = rng.uniform(0.05, 0.9)
    drawn = rng.gamma(spread**-2, mean * spread**2, count)
    return np.maximum(np.round(drawn), 3).astype(np.int64)


@lru_cache(maxsize=8)
def _world(clusters: bool, seed: int) -> _World:
    """The random trial of a seed."""
    rng = part_generator(seed, "world")
    sizes = _unit_sizes(clusters, rng)
    p = round(_log_uniform(3, 30, rng))
    factors = int(rng.integers(1, 4))
    loadings = rng.normal(size=(p, factors)) * rng.uniform(0.0, 0.8)
    loadings /= np.sqrt(1 + (loadings**2).sum(axis=1))[:, None]
    of_clusters = rng.choice([0.0, 0.1, 0.3, 1.0], size=p, p=[0.3, 0.3, 0.15, 0.25])
    allocation = float(rng.random())
    bare = _World(
        sizes=sizes,
        share_treated=0.5 if allocation < 0.7 else float(rng.uniform(0.3, 0.7)),
        block_size=int(rng.choice([2, 4, 6])) if allocation < 0.2 else 0,
        kinds=tuple(rng.choice(_KINDS, size=p, p=[0.35, 0.1, 0.1, 0.25, 0.1, 0.1])),
        shares=rng.uniform(0.15, 0.85, p),
        loadings=loadings,
        between=of_clusters if clusters else np.zeros(p),
        icc=float(rng.uniform(0.0, 0.3) * (rng.random() < 0.9)) if clusters else 0.0,
        prognosis=None,
        effect=None,
        sizes_of=(
            _log_uniform(0.2, 1.5, rng),
            0.0 if rng.random() < 0.2 else _log_uniform(0.15, 1.5, rng),
            float(rng.normal(0.0, 0.5)),
        ),
        noise=str(rng.choice(["normal", "skewed", "bimodal"], p=[0.7, 0.2, 0.1])),
        unit=_log_uniform(0.1, 100.0, rng),
    )
    owner = np.repeat(np.arange(_N_REFERENCE // 4), 4)
    X = bare.covariates(owner, _N_REFERENCE // 4, part_generator(seed, "world", "reference"))
    centre, scale = X.mean(axis=0), np.maximum(X.std(axis=0), 1e-9)
    scaled = (X - centre) / scale

    def of_scaled(surface: Surface) -> Surface:
        return lambda rows: surface((rows - centre) / scale)

    prognosis = random_surface(scaled, int(rng.integers(1, 4)), rng)
    effect = random_surface(scaled, int(rng.integers(1, 3)), rng)
    return replace(
        bare,
        prognosis=of_scaled(prognosis),
        effect=of_scaled(effect) if bare.sizes_of[1] else None,
    )


def _allocated(
    world: _World, prognosis: FloatArray, owner: IntArray, n_units: int, seed: int
) -> tuple[IntArray, IntArray | None]:
    """Arm of each unit, and its block of units with a like mean prognosis."""
    rng = part_generator(seed, "trial", "treatment")
    if not world.block_size:
        return randomize(n_units, world.share_treated, rng), None
    means = np.bincount(owner, weights=prognosis) / np.bincount(owner)
    order = np.argsort(means + means.std() * rng.normal(size=n_units))
    block = np.empty(n_units, dtype=np.int64)
    # The last block takes what is left over.
    n_blocks = n_units // world.block_size
    block[order] = np.minimum(np.arange(n_units) // world.block_size, n_blocks - 1)
    arm = np.zeros(n_units, dtype=np.int64)
    for number in range(n_blocks):
        units = np.flatnonzero(block == number)
        arm[units] = randomize(len(units), world.share_treated, rng)
    return arm, block


@dataclass(frozen=True, kw_only=True)
class BroadTrial(Scenario):
    r"""A trial whose size, covariates, surfaces and noise are all drawn.

    .. math:: Y_{ij} = u\,\{s_0 f(x_{ij}) + A_i (d + s_1 g(x_{ij})) + b_i + e_{ij}\}

    with random surfaces f and g of `tauhat.simulate.random_surfaces.SHAPES`, standardised, and
    ``Var(b + e) = 1``. 3 to 30 covariates are normal, skewed, uniform, heavy-tailed or take two
    or few values, and hang together through up to three factors. Persons: 60 to 3,000.
    Clusters: 8 to 100 of unequal sizes, ICC 0 to .3, covariates of persons and of clusters. In a
    fifth of the trials the effect is the same for everyone; otherwise its SD :math:`s_1` is .15 to
    1.5, that of the prognosis .2 to 1.5.

    Each seed is another world; `population` draws from that of the trial with the same seed.

    Attributes
    ----------
    clusters
        Whether clusters are randomized.
    """

    clusters: bool = False

    @property
    def randomizes_clusters(self) -> bool:
        """Whether clusters are randomized."""
        return self.clusters

    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedTrial:
        """Draw one trial.

        Parameters
        ----------
        n
            Number of persons, in clusters of as unequal sizes; None draws it.
        random_state
            Seed.

        Returns
        -------
        SimulatedTrial

        Raises
        ------
        ValueError
            If ``n`` is too small.

        Examples
        --------
        >>> trial = BroadTrial(clusters=True).draw(random_state=1)
        >>> trial.X.shape[1] >= 3, bool(8 <= len(set(trial.clusters)) <= 100)
        (True, True)
        """
        seed = resolve_seed(random_state)
        world = _world(self.clusters, seed)
        sizes = world.sizes
        if n is not None and self.clusters:
            sizes = apportion(whole_number(n, "n"), sizes.astype(np.float64), 1)
        elif n is not None:
            sizes = np.ones(whole_number(n, "n", 2), dtype=np.int64)
        return self._trial(world, sizes, seed)

    def _trial(self, world: _World, sizes: IntArray, seed: int) -> SimulatedTrial:
        persons = self._persons(world, sizes, seed, "trial")
        owner = np.repeat(np.arange(len(sizes)), sizes)
        arm, block = _allocated(world, persons.mu0, owner, len(sizes), seed)
        rng = part_generator(seed, "trial", "noise")
        between = np.sqrt(world.icc) * shaped_noise(world.noise, len(sizes), rng)[owner]
        within = np.sqrt(1 - world.icc) * shaped_noise(world.noise, len(owner), rng)
        y0 = persons.mu0 + world.unit * (between + within)
        y1 = y0 + persons.tau
        treatment = arm[owner]
        return SimulatedTrial(
            X=persons.X,
            clusters=persons.clusters,
            tau=persons.tau,
            mu0=persons.mu0,
            nodes=persons.nodes.assign(y0=y0, y1=y1),
            y=np.where(treatment == 1, y1, y0),
            treatment=treatment,
            propensity=world.share_treated,
            blocks=None if block is None else block[owner],
        )

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
        >>> BroadTrial().population(500, random_state=1).tau.shape
        (500,)
        """
        n = whole_number(n, "n")
        seed = resolve_seed(random_state)
        world = _world(self.clusters, seed)
        rng = part_generator(seed, "population", "sizes")
        # Sizes are positive, so n of them are always enough.
        sizes = rng.permutation(np.resize(world.sizes, max(n, len(world.sizes))))
        count = int(np.searchsorted(np.cumsum(sizes), n)) + 1
        present = sizes[:count].copy()
        present[-1] -= int(present.sum()) - n
        return self._persons(world, present, seed, "population")

    def _persons(self, world: _World, sizes: IntArray, seed: int, part: str) -> SimulatedPersons:
        owner = np.repeat(np.arange(len(sizes)), sizes)
        X = world.covariates(owner, len(sizes), part_generator(seed, part, "covariates"))
        prognosis, effect, average = world.sizes_of
        assert world.prognosis is not None
        tau = np.full(len(X), average)
        if world.effect is not None:
            tau = tau + effect * world.effect(X)
        return SimulatedPersons(
            X=pd.DataFrame(X, columns=[f"x{j + 1}" for j in range(X.shape[1])]),
            clusters=owner if self.clusters else None,
            tau=world.unit * tau,
            mu0=world.unit * prognosis * world.prognosis(X),
            nodes=pd.DataFrame(index=range(len(X))),
        )

    def _large_trial(self, n: int, seed: int) -> SimulatedTrial:
        world = _world(self.clusters, seed)
        repeated = np.resize(world.sizes, max(4, round(n / world.sizes.mean())))
        return self._trial(world, repeated, seed)


register_scenario("broad", BroadTrial, kind="individual")
register_scenario("crt-broad", BroadTrial, kind="cluster", preset={"clusters": True})
