"""What simulated cluster trials with one more level have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tauhat._typing import IntArray
from tauhat.simulate.cluster import ClusterTrial
from tauhat.simulate.scenario import RandomState, SimulatedPersons, SimulatedTrial, part_generator


@dataclass(frozen=True, kw_only=True)
class ThirdLevelTrial(ClusterTrial):
    """A cluster trial whose persons belong to units of a third level, with a covariate v1.

    The covariates, surfaces and settings are those of `ClusterTrial`. Unit u of the third level,
    with v1 ~ N(0, 1) and g ~ N(0, ``third_level_variance * outcome_variance``), adds to the
    outcome of its persons

        third_level_prognosis v1_u + A third_level_effect v1_u + g_u.

    Attributes
    ----------
    third_level_variance
        Variance of g over ``outcome_variance``, to which it comes in addition.
    third_level_prognosis, third_level_effect
        Slopes of v1 in the outcome without treatment and in the effect.
    """

    effect: str = "linear"
    third_level_variance: float = 0.2
    third_level_prognosis: float = 0.3
    third_level_effect: float = 0.3

    #: What `SimulatedTrial` calls the level.
    _field: ClassVar[str]

    def __post_init__(self) -> None:
        """Refuse settings that make no trial."""
        super().__post_init__()
        if not self.third_level_variance >= 0:
            raise ValueError(
                f"third_level_variance must not be negative, got {self.third_level_variance}"
            )

    @abstractmethod
    def _units(self, sizes: IntArray, present: IntArray, rng: np.random.Generator) -> IntArray:
        """Unit of the third level of each person."""

    def _persons(
        self, sizes: IntArray, present: IntArray, seed: int, part: str
    ) -> SimulatedPersons:
        """Persons of the clusters, with the unit of the third level among the nodes."""
        persons = super()._persons(sizes, present, seed, part)
        rng = part_generator(seed, part, "third level")
        unit = self._units(sizes, present, rng)
        v1 = rng.standard_normal(int(unit.max()) + 1)[unit]
        return replace(
            persons,
            X=persons.X.assign(v1=v1),
            tau=persons.tau + self.third_level_effect * v1,
            mu0=persons.mu0 + self.third_level_prognosis * v1,
            nodes=persons.nodes.assign(third_level=unit),
        )

    def _outcomes(self, persons: SimulatedPersons, clusters: IntArray, seed: int) -> pd.DataFrame:
        """Latent effects and both potential outcomes of every person."""
        nodes = super()._outcomes(persons, clusters, seed)
        unit = nodes["third_level"].to_numpy()
        rng = part_generator(seed, "trial", "third level effects")
        level = rng.standard_normal(int(unit.max()) + 1)[unit]
        level *= np.sqrt(self.third_level_variance * self.outcome_variance)
        return nodes.assign(
            third_level_effect=level, y0=nodes["y0"] + level, y1=nodes["y1"] + level
        )

    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedTrial:
        """Draw one trial; see `ClusterScenario.draw`.

        Parameters
        ----------
        n
            Number of persons enrolled, None for ``n_clusters * mean_size`` on average.
        random_state
            Seed.

        Returns
        -------
        SimulatedTrial
            ``nodes`` as in `ClusterScenario.draw`, and third_level (the unit) and
            third_level_effect (g).
        """
        trial = super().draw(n, random_state)
        unit: Any = {self._field: trial.nodes["third_level"].to_numpy()}
        return replace(trial, **unit)
