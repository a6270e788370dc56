"""Average effects of a trial, on every scale that they can be told on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from tauhat.endpoint import SCALES
from tauhat.errors import TrialError
from tauhat.inference.average_risks import AverageRisks
from tauhat.inference.estimate import Estimate
from tauhat.inference.over_periods import PeriodAverages
from tauhat.inference.transport import TargetPopulation
from tauhat.runtime.display import Shown


@dataclass(frozen=True)
class AverageEffects(Shown):
    """Average effects of a trial; the result of `average_effects`.

    Attributes
    ----------
    individual
        Average effect in which every person counts the same.
    cluster
        Average effect in which every cluster counts the same; None when
        persons were randomized, since there are no clusters to average over.
    difference
        Individual-average minus cluster-average: far from zero when the effect
        depends on cluster size (informative cluster size). Exactly zero when all
        clusters are of equal size; None without clusters.
    method
        How it was estimated.
    without_one
        Smallest and largest individual-average effect when any one cluster is
        left out; None when persons were randomized.
    weighted
        Whether persons counted by sample weights and not the same.
    individual_risks, cluster_risks
        Both arms' average risks where the outcome is an event, with risk ratio, odds ratio and
        number needed to treat (`tauhat.inference.AverageRisks`); else None.
    individual_ratio, cluster_ratio
        Ratio of the arms' average restricted means, or probabilities, where the outcome is a time
        to an event, and of their rates where it counts events; None elsewhere, and where an arm's
        mean leaves it open.
    individual_means, cluster_means
        The adjusted means behind that ratio, control and treated; None for other outcomes.
    complete_cases
        The same from persons with an outcome only, where others were counted too; else None.
    target
        The population that effects were carried over to; None for the trial's own persons.
    size_p_value
        p-value of the hypothesis that effects do not go with the size of clusters, by permuting
        whole clusters (`tauhat.inference.informative_size.informative_size_p`); None without
        clusters, or where these are of one size.
    over_periods
        The averages over persons, clusters and periods of a stepped wedge or a crossover
        (`tauhat.inference.PeriodAverages`); None for other designs.
    """

    individual: Estimate
    cluster: Estimate | None
    difference: Estimate | None
    method: str
    without_one: tuple[float, float] | None = None
    weighted: bool = False
    individual_risks: AverageRisks | None = None
    cluster_risks: AverageRisks | None = None
    individual_ratio: Estimate | None = None
    cluster_ratio: Estimate | None = None
    individual_means: tuple[float, float] | None = None
    cluster_means: tuple[float, float] | None = None
    complete_cases: AverageEffects | None = None
    target: TargetPopulation | None = None
    size_p_value: float | None = None
    over_periods: PeriodAverages | None = None

    def on(self, scale: str) -> tuple[Estimate | None, Estimate | None]:
        """Individual-average and cluster-average effect on a scale.

        Parameters
        ----------
        scale
            "difference"; for an event also "ratio" and "odds ratio" of the average risks; for a
            time to an event or a count "ratio", such as that of restricted mean survival times.

        Returns
        -------
        individual, cluster
            None where persons were randomized, or too few events leave a ratio open.

        Raises
        ------
        TrialError
            If the scale is none of these, or the outcome has none.
        """
        if scale not in SCALES:
            raise TrialError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
        if not SCALES[scale].is_log:
            return self.individual, self.cluster
        if self.individual_ratio is not None and scale == "ratio":
            return self.individual_ratio, self.cluster_ratio
        if self.individual_risks is None:
            raise TrialError(f"scale={scale!r} needs an outcome with two values, an event or none")
        of_clusters = None if self.cluster_risks is None else self.cluster_risks.on(scale)
        return self.individual_risks.on(scale), of_clusters

    @property
    def table(self) -> pd.DataFrame:
        """One labelled row an estimand."""
        rows = {
            "individual-average": self.individual,
            "cluster-average": self.cluster,
            "difference": self.difference,
        }
        columns = ["estimate", "se", "lower", "upper", "p_value", "degrees_of_freedom"]
        return pd.DataFrame(
            [
                {"estimand": name, **{column: getattr(row, column) for column in columns}}
                for name, row in rows.items()
                if row is not None
            ]
        )

    @property
    def text(self) -> str:
        """The result in sentences."""
        if self.over_periods is not None:
            told = replace(self, over_periods=None).text
            return f"{told} {self.over_periods.text}"
        if self.target is not None:
            return f"{replace(self, target=None).text} {self.target.text}"
        if self.complete_cases is not None:
            alone = self.complete_cases.individual
            told = replace(self, complete_cases=None).text
            return f"{told} Of persons with an outcome only the average effect is {alone.text}."
        if self.individual_ratio is not None:
            ratio = self.individual_ratio
            told = f"{ratio.estimate:.3g} ({ratio.lower:.3g} to {ratio.upper:.3g})"
            means = self.individual_means
            both = "" if means is None else f", {means[1]:.3g} treated and {means[0]:.3g} control"
            return f"{self._text_of_averages} Ratio of the arms' means{both}: {told}."
        if self.individual_risks is None:
            return self._text_of_averages
        rest = self._text_of_averages
        if self.cluster is None:
            # The average effect is the risk difference, which is told already.
            rest = f"{'Persons count by weight. ' if self.weighted else ''}{self.method}."
        return f"{self.individual_risks.text} {rest}"

    @property
    def _text_of_averages(self) -> str:
        """The averages and whether they differ."""
        if self.cluster is None or self.difference is None:
            by_weight = ", with persons counted by weight," if self.weighted else ""
            return f"The average effect{by_weight} is {self.individual.text}. {self.method}."
        if self.difference.se == 0:
            size, either = "size", "every person or every cluster counted the same gives"
            if self.weighted:
                size, either = "weight", "persons by weight or every cluster the same give"
            return (
                f"The average effect is {self.individual.text}. All clusters are of equal {size}, "
                f"so {either} the same average by design. {self.method}."
            )
        persons = "every person counted " + ("by weight" if self.weighted else "the same")
        informative = self.difference.p_value < 0.05
        verdict = (
            "They differ by more than chance would explain "
            f"(difference {self.difference.text}): the effect appears to depend on cluster "
            "size, so say which of the two is meant."
            if informative
            else f"Their difference is {self.difference.text}: no clear sign that the effect "
            "depends on cluster size."
        )
        return (
            f"With {persons}, the average effect is {self.individual.text}; "
            f"with every cluster counted the same, {self.cluster.text}. {verdict} {self.method}."
        )
