"""What a scenario amounts to in a very large population."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas as pd

from tauhat.runtime.display import Shown


@dataclass(frozen=True)
class PopulationValues(Shown):
    """What a scenario amounts to in a very large population.

    Attributes
    ----------
    individual_average
        Average effect when every person counts 1.
    cluster_average
        Average effect when every cluster counts 1; the same as
        ``individual_average`` where persons are randomized.
    sd_effect
        SD of the effects over persons.
    sd_prognosis
        SD of the untreated means over persons.
    r_squared
        Share of the outcome's variance, both arms pooled, that arm, covariates
        and cluster size explain.
    """

    individual_average: float
    cluster_average: float
    sd_effect: float
    sd_prognosis: float
    r_squared: float

    @property
    def table(self) -> pd.DataFrame:
        """The numbers in one row."""
        return pd.DataFrame([asdict(self)])

    @property
    def text(self) -> str:
        """The population in a sentence."""
        averages = f"{self.individual_average:.4g} over persons, {self.cluster_average:.4g} over"
        return f"Average effect {averages} clusters; SD of the effects {self.sd_effect:.4g}."
