"""Averages of the effect in a trial over periods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from tauhat.inference.estimate import Estimate
from tauhat.runtime.display import Shown

ESTIMANDS: Mapping[str, str] = {
    "person": "every person counts the same",
    "cluster": "every cluster counts the same",
    "person of a period": "every period counts the same, and every person within it",
    "cluster-period": "every period counts the same, and every cluster within it",
}
"""What counts the same in each average over periods: h-iATE, h-cATE, v-iATE and v-cATE."""


@dataclass(frozen=True)
class PeriodAverages(Shown):
    """The four averages of a trial over periods.

    Attributes
    ----------
    estimates
        By the names of `ESTIMANDS`.
    n_periods
        Number of periods in which treated and control clusters are compared.
    """

    estimates: Mapping[str, Estimate]
    n_periods: int

    @property
    def table(self) -> pd.DataFrame:
        """One labelled row an estimand."""
        columns = ["estimate", "se", "lower", "upper", "p_value", "degrees_of_freedom"]
        return pd.DataFrame(
            [
                {"counts_the_same": name, **{column: getattr(row, column) for column in columns}}
                for name, row in self.estimates.items()
            ]
        )

    @property
    def text(self) -> str:
        """The averages that count periods the same, in a sentence."""
        person, cluster = (self.estimates[name] for name in list(ESTIMANDS)[2:])
        return (
            f"With each of the {self.n_periods} periods counted the same, the average effect is "
            f"{person.text} over persons and {cluster.text} over clusters."
        )
