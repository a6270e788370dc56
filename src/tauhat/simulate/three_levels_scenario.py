"""A simulated cluster trial of patients of providers in clinics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tauhat._typing import IntArray
from tauhat.simulate.scenario import register_scenario
from tauhat.simulate.third_level import ThirdLevelTrial


@dataclass(frozen=True, kw_only=True)
class ThreeLevelsTrial(ThirdLevelTrial):
    """Clinics are randomized, whose patients are shared out among providers.

    Settings as in `ClusterTrial`, whose clusters are the clinics, in `ThirdLevelTrial`, whose third
    level is that of the providers, and:

    Attributes
    ----------
    provider_size
        Patients of a provider, on average; every clinic has at least one provider.

    Examples
    --------
    >>> trial = ThreeLevelsTrial(n_clusters=8).draw(random_state=1)
    >>> clinics_of_providers = np.unique(np.column_stack([trial.within, trial.clusters]), axis=0)
    >>> len(clinics_of_providers) == int(trial.within.max()) + 1
    True
    >>> len(trial.data.design.within)
    1
    """

    mean_size: float = 30.0
    provider_size: float = 7.0

    _field: ClassVar[str] = "within"

    def __post_init__(self) -> None:
        """Refuse settings that make no trial."""
        super().__post_init__()
        if not self.provider_size >= 1:
            raise ValueError(f"provider_size must be at least 1, got {self.provider_size}")

    def _units(self, sizes: IntArray, present: IntArray, rng: np.random.Generator) -> IntArray:
        """Provider of each person: those of a clinic have the same number, as near as possible."""
        providers = np.maximum(np.round(sizes / self.provider_size), 1).astype(np.int64)
        clinic = np.repeat(np.arange(len(sizes)), present)
        place = np.arange(len(clinic)) - np.r_[0, np.cumsum(present)[:-1]][clinic]
        first = np.r_[0, np.cumsum(providers)[:-1]]
        unit: IntArray = first[clinic] + place * providers[clinic] // sizes[clinic]
        return unit


register_scenario("crt-three-levels", ThreeLevelsTrial, kind="cluster")
