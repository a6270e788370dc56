"""What persons share with their cluster: its covariates, its size, its mean before the trial."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from tauhat._typing import AnyArray
from tauhat.errors import TrialError
from tauhat.trial.baseline_period import BaselinePeriod
from tauhat.trial.cluster_size import ClusterSizes
from tauhat.trial.roles import complete_within, label_values, varies_within


@dataclass
class CovariatesOfClusters:
    """Covariates that belong to clusters, of those enrolled and of new persons.

    Attributes
    ----------
    column
        Column of the cluster; None where persons were randomized.
    named
        Covariates that the user says belong to the cluster.
    baseline
        A baseline period, whose mean by cluster is a covariate, or None.
    sizes
        Persons enrolled in each cluster, where their number is a covariate.

    Examples
    --------
    >>> import numpy as np
    >>> clusters = np.array(["a", "a", "b"])
    >>> shared = CovariatesOfClusters("clinic", ("beds",), None)
    >>> df = pd.DataFrame({"beds": [40.0, np.nan, 55.0]})
    >>> shared.completed(df, clusters, ("cluster size",), df.columns)["beds"].tolist()
    [40.0, 40.0, 55.0]
    >>> new = pd.DataFrame({"clinic": ["a", "c"], "beds": [40.0, 20.0]})
    >>> shared.added_to(new)["cluster size"].tolist()
    [2.0, 1.0]
    """

    column: str | None
    named: tuple[str, ...]
    baseline: BaselinePeriod | None
    sizes: ClusterSizes | None = field(default=None, init=False)

    def completed(
        self,
        frame: pd.DataFrame,
        clusters: AnyArray | None,
        sizes: tuple[str, ...],
        columns: Collection[Any],
    ) -> pd.DataFrame:
        """Covariates of those enrolled, with what their clusters add.

        Parameters
        ----------
        frame
            Covariates as they were given.
        clusters
            Cluster of each row, shape (n,), or None.
        sizes
            Covariates made of the number of persons in a cluster, of `SIZE_COVARIATES`.
        columns
            Names of the table's columns, which may not be among these.

        Raises
        ------
        TrialError
            If a covariate of clusters varies within one, or there are none to count.
        """
        if sizes:
            self.sizes = ClusterSizes.of(clusters, sizes, columns)
        if clusters is None:
            return frame
        codes, labels = pd.factorize(clusters)
        for name in self.named:
            varying = varies_within(frame[name], codes, ignore_missing=True)
            if varying:
                raise TrialError(
                    f"cluster covariate {name!r} varies within {varying} of {len(labels)} "
                    "clusters; give it in covariates= if it belongs to the person"
                )
        frame = complete_within(frame, self.named, clusters)
        if self.sizes is not None:
            frame = self.sizes.added_to(frame, clusters)
        if self.baseline is not None:
            frame[self.baseline.name] = self.baseline.of_clusters(clusters)
        return frame

    def shared(self, frame: pd.DataFrame, clusters: AnyArray | None) -> tuple[str, ...]:
        """Covariates that all persons of a cluster share: those named, and others by chance."""
        if clusters is None:
            return ()
        codes = pd.factorize(clusters)[0]
        return tuple(
            name
            for name in frame.columns
            if name in self.named or not varies_within(frame[name], codes, ignore_missing=False)
        )

    def added_to(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table of new persons with what their clusters add.

        Raises
        ------
        TrialError
            If the table has neither the size of the cluster nor the cluster, and needs one.
        """
        labels = None
        if self.column in table.columns:
            labels = label_values(table[self.column], "cluster")
            present = [name for name in self.named if name in table.columns]
            table = complete_within(table, present, labels)
        if self.sizes is not None:
            table = self.sizes.added_to(table, labels, self.column)
        if self.baseline is not None and self.column is not None:
            table = self.baseline.added_to(table, self.column)
        return table
