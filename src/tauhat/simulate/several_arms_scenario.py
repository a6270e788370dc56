"""Simulated trials of several arms, of persons or of clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.numerics.seeds import resolve_seed
from tauhat.simulate.cluster import ClusterTrial
from tauhat.simulate.cluster_sizes import ScenarioOfUnits
from tauhat.simulate.randomize import allocate
from tauhat.simulate.scenario import (
    RandomState,
    SimulatedPersons,
    SimulatedTrial,
    numbered_anew,
    part_generator,
    register_scenario,
)
from tauhat.simulate.surfaces import EFFECT_SURFACES, PROGNOSIS_SURFACES


@dataclass(frozen=True, eq=False)
class SimulatedArms(SimulatedTrial):
    """A simulated trial of several arms.

    ``treatment`` is the arm of each person, 0 (control) to k - 1, and ``nodes`` has the potential
    outcome of each. ``tau`` is the effect of the contrast that is studied, on everybody, and
    ``compared`` the trial of its two arms, which ``estimator.fit(*trial)`` and ``data`` are of.

    Attributes
    ----------
    effects
        True effect of each arm against arm 0 on each person, the first column 0, shape (n, k).
    contrast
        Numbers of the arms that are compared, the reference first.
    """

    effects: FloatArray = field(kw_only=True)
    contrast: tuple[int, int] = field(kw_only=True)

    def __iter__(self) -> Iterator[Any]:
        """Yield the arguments of ``CateEstimator.fit`` for the two arms of the contrast."""
        return iter(self.compared)

    @property
    def data(self) -> TrialData:
        """The two arms of the contrast as validated arrays in canonical order."""
        return self.compared.data

    @property
    def compared(self) -> SimulatedTrial:
        """The trial of the two arms of the contrast, which has control and treated only."""
        reference, arm = self.contrast
        rows = np.flatnonzero(np.isin(self.treatment, self.contrast))
        nodes = self.nodes.iloc[rows].reset_index(drop=True)
        return SimulatedTrial(
            X=self.X.iloc[rows].reset_index(drop=True),
            clusters=numbered_anew(self.clusters, rows),
            tau=self.tau[rows],
            mu0=self.mu0[rows] + self.effects[rows, reference],
            nodes=nodes.assign(y0=nodes[f"y{reference}"], y1=nodes[f"y{arm}"]),
            y=self.y[rows],
            treatment=(self.treatment[rows] == arm).astype(np.int64),
            propensity=self.propensity,
        )


@dataclass(frozen=True, kw_only=True)
class SeveralArmsTrial(ScenarioOfUnits):
    """Several arms of persons or clusters, each with an effect of its own.

    Covariates and surfaces are those of `ClusterTrial`. Person j of cluster i in arm a has

        Y_ij = mu0(x, w) + tau_a(x, w) + b_i + e_ij,   tau_0 = 0

    with a cluster effect b_i of variance ``icc`` and e_ij of the rest of 1, where clusters are
    randomized; otherwise e_ij has variance 1, and w1 and w2 belong to the person.

    Attributes
    ----------
    n_clusters
        Number of clusters, at least 4; None for a trial that randomizes persons.
    mean_size, size_cv, min_size
        As in `ClusterScenario`.
    effects
        Effect surface of each arm but the control, a name of those of `ClusterTrial`; there are
        as many arms and one.
    effect_scale
        Multiplies everything in the effects but their constants.
    contrast
        Which effect studies measure, as a `tauhat.Trial` calls it: "1 against 0", "2 against 1".
        Trials are the same for all.
    shares
        Probability of each arm, the control first; empty for equal ones. Arm sizes are fixed.
    prognosis, icc, covariate_icc
        As in `ClusterTrial`.

    Examples
    --------
    >>> trial = SeveralArmsTrial(contrast="2 against 1").draw(random_state=1)
    >>> sorted(set(trial.treatment.tolist())), trial.compared.n < trial.n
    ([0, 1, 2], True)
    >>> bool(np.allclose(trial.tau, trial.effects[:, 2] - trial.effects[:, 1]))
    True
    """

    n_clusters: int | None = 30
    effects: tuple[str, ...] = ("linear", "constant")
    effect_scale: float = 1.0
    contrast: str = "1 against 0"
    shares: tuple[float, ...] = ()
    prognosis: str = "nonlinear"
    icc: float = 0.1
    covariate_icc: float = 0.1

    def __post_init__(self) -> None:
        """Refuse settings that make no trial."""
        self._check_sizes()
        for name, given, known in (
            ("effects", self.effects, EFFECT_SURFACES),
            ("prognosis", [self.prognosis], PROGNOSIS_SURFACES),
        ):
            odd = [one for one in given if one not in known]
            if odd or not given:
                raise ValueError(f"{name} must be of {', '.join(known)}, got {[*given]}")
        for name in ("icc", "covariate_icc"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")
        arms, shares = len(self.effects) + 1, self.shares
        if shares and (len(shares) != arms or min(shares) <= 0 or not np.isclose(sum(shares), 1.0)):
            raise ValueError(
                f"shares must be {arms} positive numbers that sum to 1, got {[*shares]}"
            )
        if self.contrast not in self.contrasts:
            raise ValueError(
                f"contrast must be one of {', '.join(self.contrasts)}, got {self.contrast!r}"
            )

    @property
    def contrasts(self) -> dict[str, tuple[int, int]]:
        """All pairs of arms, each way, by their names; the reference first."""
        pairs = list(combinations(range(len(self.effects) + 1), 2))
        both_ways = [*pairs, *((b, a) for a, b in pairs)]
        return {f"{b} against {a}": (a, b) for a, b in both_ways}

    @property
    def _surfaces(self) -> ClusterTrial:
        """The trial whose covariates and surfaces these are."""
        icc = 0.0 if self.n_clusters is None else self.covariate_icc
        return ClusterTrial(
            prognosis=self.prognosis, covariate_icc=icc, effect_scale=self.effect_scale
        )

    def _effects(self, persons: SimulatedPersons) -> FloatArray:
        """Effect of each arm against arm 0, shape (n, k)."""
        own = [replace(self._surfaces, effect=one)._effect(persons.X) for one in self.effects]
        return np.column_stack([np.zeros(persons.n), *own])

    def _persons(self, sizes: IntArray, seed: int, part: str) -> SimulatedPersons:
        """Persons of clusters of these sizes, which are 1 where persons are randomized."""
        persons = self._surfaces._persons(sizes, sizes, seed, part)
        effects = self._effects(persons)
        reference, arm = self.contrasts[self.contrast]
        return replace(
            persons,
            tau=effects[:, arm] - effects[:, reference],
            clusters=None if self.n_clusters is None else persons.clusters,
        )

    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedArms:
        """Draw one trial.

        Parameters
        ----------
        n
            Number of persons; in a cluster trial shared among the clusters with the
            sizes' variation, None for a random number. It must be given where persons
            are randomized.
        random_state
            Seed.

        Returns
        -------
        SimulatedArms
            ``nodes`` has cluster_size, cluster_effect (b) and the potential outcomes y0, y1, ...

        Raises
        ------
        ValueError
            If ``n`` is missing, or there are too few units for the arms.

        Examples
        --------
        >>> trial = SeveralArmsTrial(n_clusters=None).draw(300, random_state=1)
        >>> np.bincount(trial.treatment).tolist()
        [100, 100, 100]
        """
        seed = resolve_seed(random_state)
        sizes = self._trial_sizes(n, seed)
        persons = self._persons(sizes, seed, "trial")
        effects = self._effects(persons)
        arms, m = effects.shape[1], len(sizes)
        shares = np.array(self.shares or [1 / arms] * arms)
        unit = np.repeat(np.arange(m), sizes)
        arm = allocate(m, shares, part_generator(seed, "trial", "treatment"))[unit]
        icc = 0.0 if self.n_clusters is None else self.icc
        between = np.sqrt(icc) * part_generator(seed, "trial", "cluster effects").standard_normal(m)
        noise = part_generator(seed, "trial", "residuals").standard_normal(persons.n)
        without = persons.mu0 + between[unit] + np.sqrt(1 - icc) * noise
        outcomes = without[:, None] + effects
        reference, treated = self.contrasts[self.contrast]
        return SimulatedArms(
            X=persons.X,
            clusters=persons.clusters,
            tau=persons.tau,
            mu0=persons.mu0,
            nodes=persons.nodes.assign(
                cluster_effect=between[unit], **{f"y{a}": outcomes[:, a] for a in range(arms)}
            ),
            y=outcomes[np.arange(persons.n), arm],
            treatment=arm,
            propensity=float(shares[treated] / (shares[reference] + shares[treated])),
            effects=effects,
            contrast=(reference, treated),
        )


register_scenario("several-arms", SeveralArmsTrial, kind="individual", preset={"n_clusters": None})
register_scenario("crt-several-arms", SeveralArmsTrial, kind="cluster")
