"""A planned trial with its power for an interaction."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import pandas as pd

from tauhat.power.interaction_power import persons_left, sizes_left
from tauhat.power.interaction_trials import ClusterInteraction, IndividualInteraction
from tauhat.runtime.display import Shown
from tauhat.wording import counted, degrees_text, with_degrees

Unknown = Literal["power", "delta", "n_clusters", "n_persons"]


@dataclass(frozen=True)
class HtePower(Shown):
    """A planned trial and its power for an interaction; the result of `tauhat.power_hte`.

    Attributes
    ----------
    solved
        What was solved for: "power", "delta", "n_clusters" or "n_persons".
    power
        Probability that the two-sided test rejects.
    delta
        The interaction: change of the treatment effect with one unit of the
        modifier, in units of the outcome.
    n_clusters, cluster_size
        Number of clusters and mean number of persons in one; None when persons
        are randomized.
    n_persons
        Number of persons, expected when cluster sizes vary.
    treated, control
        Clusters (or persons) of each arm.
    icc, icc_x
        Intracluster correlation of the outcome given the modifier, and of the
        modifier; None when persons are randomized.
    sd_y, sd_x
        Standard deviation of the outcome within arm given the modifier, and of
        the modifier.
    prevalence
        Share of persons with a binary modifier, None for a continuous one.
    size_cv
        Coefficient of variation of the cluster sizes.
    significance_level
        Two-sided level of the test.
    se
        Large-sample standard error of the interaction.
    degrees_of_freedom
        Satterthwaite's, of the t test.
    large_sample_power
        Power by the normal distribution and ``se``, without the corrections for
        few clusters: what the published formula gives.
    primary_power
        Power of `tauhat.test_heterogeneity`, which looks through all covariates for any
        difference, to see the same interaction.
    n_others
        Covariates without effect that it looks through as well.
    drop_out
        Share of persons without an outcome.
    """

    solved: Unknown
    power: float
    delta: float
    n_clusters: int | None
    cluster_size: float | None
    n_persons: int
    treated: int
    control: int
    icc: float | None
    icc_x: float | None
    sd_y: float
    sd_x: float
    prevalence: float | None
    size_cv: float
    significance_level: float
    se: float
    degrees_of_freedom: float
    large_sample_power: float
    primary_power: float
    n_others: int
    drop_out: float

    @property
    def row(self) -> dict[str, Any]:
        """Every number by the name of its attribute; None where it is of the other design."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "solved"}

    @property
    def table(self) -> pd.DataFrame:
        """One row per quantity: ``quantity`` and ``value``."""
        clustered = self.n_clusters is not None
        rows: list[tuple[str, Any]] = [
            ("clusters", self.n_clusters),
            ("mean cluster size", self.cluster_size),
            ("CV of cluster sizes", self.size_cv if clustered else None),
            ("persons", self.n_persons),
            ("share of persons without outcome", self.drop_out or None),
            ("treated", self.treated),
            ("control", self.control),
            ("outcome ICC given the modifier", self.icc),
            ("ICC of the modifier", self.icc_x),
            ("SD of the outcome given the modifier", self.sd_y),
            ("SD of the modifier", self.sd_x),
            ("prevalence of the modifier", self.prevalence),
            ("interaction", self.delta),
            ("standard error, many clusters" if clustered else "standard error", self.se),
            ("degrees of freedom", self.degrees_of_freedom),
            ("significance level, two-sided", self.significance_level),
            ("power", self.power),
            ("power by the large-sample formula", self.large_sample_power),
            ("further covariates of the primary test", self.n_others),
            ("power of the primary test", self.primary_power),
        ]
        shown = [row for row in rows if row[1] is not None]
        return pd.DataFrame(shown, columns=["quantity", "value"]).astype({"value": "float64"})

    @property
    def text(self) -> str:
        """The plan in sentences, for a protocol or a grant."""
        percent = _percent(self.power)
        if self.prevalence is None:
            change = f"a change of {self.delta:.3g} in the treatment effect with one unit"
            change += f" (standard deviation {self.sd_x:.3g}) of the modifier"
        else:
            change = f"a difference of {self.delta:.3g} in the treatment effect between persons"
            change += f" with and without the modifier (prevalence {self.prevalence:.3g})"
        level = f"{100 * self.significance_level:.3g}%"
        arms = f"{self.treated} treated, {self.control} control"
        if self.n_clusters is None:
            size = f"With {self.n_persons} persons ({arms})"
            assumed = f"a standard deviation of the outcome of {self.sd_y:.3g} given the modifier"
            method = "a linear model"
            source = "Averaged over the random spread of the modifier in each arm."
        else:
            varying = f" (CV {self.size_cv:.3g})" if self.size_cv else ""
            size = f"With {self.n_clusters} clusters ({arms}) of {self.cluster_size:.4g} persons"
            size += f"{' on average' if self.size_cv else ''}{varying}"
            assumed = (
                f"an outcome standard deviation of {self.sd_y:.3g} and ICC of {self.icc:.3g} "
                f"(both given the modifier) and a modifier ICC of {self.icc_x:.3g}"
            )
            method = "a linear mixed model with a random cluster intercept"
            source = (
                "Variance of Yang et al. (2020), t distribution and random spread of the "
                "modifier between few clusters allowed for."
            )
        if self.drop_out:
            assumed += f", with {100 * self.drop_out:.3g}% of the persons lost by chance"
        others = f" and {counted(self.n_others, 'further covariate')}" if self.n_others else ""
        primary = (
            "The primary test of tauhat, which looks through this modifier"
            f"{others} for any difference, has about {_percent(self.primary_power)}."
        )
        degrees = with_degrees(degrees_text(self.degrees_of_freedom))
        return (
            f"{size}, a two-sided test at the {level} level of the treatment-by-modifier "
            f"interaction in {method} ({degrees}) has "
            f"{percent} power to detect {change}, assuming {assumed}. {source} "
            f"{primary}"
        )

    def scenario(self, n_others: int = 0) -> ClusterInteraction | IndividualInteraction:
        """The planned trial, less those who drop out, as a scenario to be simulated.

        Parameters
        ----------
        n_others
            Number of further covariates, N(0, 1) and without any effect, that a
            test of all covariates has to look through.

        Returns
        -------
        ClusterInteraction or IndividualInteraction
        """
        total = self.treated + self.control
        common: dict[str, Any] = {
            "delta": self.delta,
            "sd_x": self.sd_x,
            "prevalence": self.prevalence,
            "n_others": n_others,
            "share_treated": self.treated / total,
        }
        if self.n_clusters is None:
            analysed = persons_left(self.n_persons, self.drop_out)
            return IndividualInteraction(n_persons=analysed, sd_y=self.sd_y, **common)
        assert self.icc is not None
        assert self.icc_x is not None
        assert self.cluster_size is not None
        mean_size, size_cv = sizes_left(self.cluster_size, self.size_cv, self.drop_out)
        return ClusterInteraction(
            n_clusters=self.n_clusters,
            mean_size=mean_size,
            size_cv=size_cv,
            min_size=1,
            icc=self.icc,
            icc_x=self.icc_x,
            outcome_variance=self.sd_y**2,
            **common,
        )


def _percent(power: float) -> str:
    return f"{100 * power:.1f}%" if power < 0.9995 else "more than 99.9%"
