"""A planned trial of times to an event with its power."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tauhat.runtime.display import Shown


@dataclass(frozen=True)
class RmstPower(Shown):
    """A planned trial with its power for restricted means; the result of `power_rmst`.

    Attributes
    ----------
    horizon
        Time up to which means are restricted.
    n_clusters, cluster_size
        Number of clusters and mean number of persons in one; None when persons are randomized.
    n_persons
        Number of persons.
    treated, control
        Clusters (or persons) of each arm.
    difference, difference_se, difference_power
        Difference in RMST between the arms, its standard error, and the power to see it.
    interaction, interaction_se, interaction_power
        Difference in RMST among persons with the modifier less that among the others, likewise;
        None without a modifier.
    icc
        Intracluster correlation of what is known of a time (pseudo-observations), mean of the
        arms; None when persons are randomized.
    followed
        Probability to be followed up to the horizon if no event comes before.
    degrees_of_freedom
        Of the t tests: units less two.
    significance_level
        Two-sided level of each test.
    """

    horizon: float
    n_clusters: int | None
    cluster_size: float | None
    n_persons: int
    treated: int
    control: int
    difference: float
    difference_se: float
    difference_power: float
    interaction: float | None
    interaction_se: float | None
    interaction_power: float | None
    icc: float | None
    followed: float
    degrees_of_freedom: float
    significance_level: float

    @property
    def table(self) -> pd.DataFrame:
        """One row per quantity: ``quantity`` and ``value``."""
        rows = [
            ("horizon", self.horizon),
            ("clusters", self.n_clusters),
            ("mean cluster size", self.cluster_size),
            ("persons", self.n_persons),
            ("treated", self.treated),
            ("control", self.control),
            ("followed to the horizon", self.followed),
            ("ICC of what is known of a time", self.icc),
            ("difference in RMST", self.difference),
            ("its standard error", self.difference_se),
            ("power for the difference", self.difference_power),
            ("difference by the modifier", self.interaction),
            ("its standard error", self.interaction_se),
            ("power for it", self.interaction_power),
            ("degrees of freedom", self.degrees_of_freedom),
            ("significance level, two-sided", self.significance_level),
        ]
        shown = [row for row in rows if row[1] is not None]
        return pd.DataFrame(shown, columns=["quantity", "value"]).astype({"value": "float64"})

    @property
    def text(self) -> str:
        """The plan in sentences, for a protocol or a grant."""
        arms = f"{self.treated} treated, {self.control} control"
        size = (
            f"With {self.n_persons} persons ({arms})"
            if self.n_clusters is None
            else f"With {self.n_clusters} clusters ({arms}) of {self.cluster_size:g} persons"
        )
        level = f"{100 * self.significance_level:.3g}%"
        said = (
            f"{size}, a two-sided test at the {level} level has {100 * self.difference_power:.1f}% "
            f"power to detect a difference of {self.difference:.3g} in restricted mean survival "
            f"time up to {self.horizon:g}"
        )
        if self.interaction is not None and self.interaction_power is not None:
            said += (
                f", and {100 * self.interaction_power:.1f}% to detect that this difference is "
                f"larger by {self.interaction:.3g} among persons with the modifier than among "
                "others"
            )
        return said + (
            f". Each person is followed to the horizon with a probability of {self.followed:.2f}. "
            "Variance of Kaplan-Meier's restricted mean"
            + ("." if self.icc is None else f", ICC {self.icc:.3f} by a frailty of the cluster.")
        )
