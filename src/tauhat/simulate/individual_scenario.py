"""What all simulated individually randomized trials share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from tauhat.numerics.seeds import resolve_seed
from tauhat.simulate.randomize import randomize
from tauhat.simulate.scenario import (
    RandomState,
    Scenario,
    SimulatedPersons,
    SimulatedTrial,
    part_generator,
    whole_number,
)


@dataclass(frozen=True, kw_only=True)
class IndividualScenario(Scenario):
    """Individually randomized trial: Y = mu0(X) + A tau(X) + noise, complete randomization.

    Attributes
    ----------
    share_treated
        Share of persons treated; arm sizes are fixed, so that 0.5 is exactly
        1:1 when ``n`` is even.
    """

    share_treated: float = 0.5

    @property
    @abstractmethod
    def noise_sd(self) -> float:
        """SD of the normal noise of the outcome."""

    @abstractmethod
    def _persons(self, n: int, seed: int, part: str) -> SimulatedPersons:
        """Persons with their covariates, effects and prognosis."""

    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedTrial:
        """Draw one trial.

        Parameters
        ----------
        n
            Number of persons, at least 2. It must be given.
        random_state
            Seed.

        Returns
        -------
        SimulatedTrial
            ``nodes`` has both potential outcomes y0, y1, and more where the
            scenario is a mechanism.

        Raises
        ------
        ValueError
            If ``n`` is missing or too small.

        Examples
        --------
        >>> from tauhat.simulate import scenario
        >>> trial = scenario("highly-nonlinear").draw(250, random_state=1)
        >>> len(trial.y), int(trial.treatment.sum())
        (250, 125)
        """
        n = whole_number(n, "n", 2)
        seed = resolve_seed(random_state)
        persons = self._persons(n, seed, "trial")
        treatment = randomize(n, self.share_treated, part_generator(seed, "trial", "treatment"))
        noise = self.noise_sd * part_generator(seed, "trial", "noise").standard_normal(n)
        y0 = persons.mu0 + noise
        y1 = y0 + persons.tau
        return SimulatedTrial(
            X=persons.X,
            clusters=None,
            tau=persons.tau,
            mu0=persons.mu0,
            nodes=persons.nodes.assign(y0=y0, y1=y1),
            y=np.where(treatment == 1, y1, y0),
            treatment=treatment,
            propensity=self.share_treated,
        )

    def population(self, n: int, random_state: RandomState = None) -> SimulatedPersons:
        """Draw ``n`` test persons.

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
        >>> from tauhat.simulate import scenario
        >>> scenario("linear").population(5000, random_state=1).tau.shape
        (5000,)
        """
        return self._persons(whole_number(n, "n"), resolve_seed(random_state), "population")

    def _large_trial(self, n: int, seed: int) -> SimulatedTrial:
        return self.draw(n, seed)
