"""The number of persons in a cluster as a covariate, so that effects may go with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, FloatArray
from tauhat.errors import TrialError
from tauhat.tables.labels import label_text

CLUSTER_SIZE, LOG_CLUSTER_SIZE = "cluster size", "log cluster size"
SIZE_COVARIATES = (CLUSTER_SIZE, LOG_CLUSTER_SIZE)
_READ: dict[str, Callable[[FloatArray], FloatArray]] = {
    CLUSTER_SIZE: lambda count: count,
    LOG_CLUSTER_SIZE: np.log,
}


@dataclass(frozen=True)
class ClusterSizes:
    """Sizes of a trial's clusters, and the covariates that are made of them.

    Attributes
    ----------
    persons
        Enrolled persons by the text of the cluster's label.
    names
        Covariates: "cluster size", "log cluster size" or both.
    """

    persons: dict[str, int]
    names: tuple[str, ...]

    @classmethod
    def of(cls, clusters: AnyArray | None, names: tuple[str, ...], columns: Any) -> Self:
        """The sizes of clusters.

        Parameters
        ----------
        clusters
            Label of everyone enrolled, shape (n,), or None.
        names
            Covariates wanted.
        columns
            Names of the table's columns, which may not be among these.

        Raises
        ------
        TrialError
            Without clusters, or where a column has such a name.

        Examples
        --------
        >>> sizes = ClusterSizes.of(np.array(["a", "a", "b"]), ("log cluster size",), ["y"])
        >>> sizes.persons, sizes.added_to(pd.DataFrame(index=range(1)), ["a"]).round(2).iloc[0, 0]
        ({'a': 2, 'b': 1}, np.float64(0.69))
        """
        if clusters is None:
            argument = names[0].replace(" ", "_")
            raise TrialError(f"{argument}=True needs cluster=")
        for name in names:
            if name in columns:
                raise TrialError(f"the table has a column {name!r} already; rename it")
        return cls({str(k): int(v) for k, v in _counts(clusters).items()}, names)

    def added_to(self, table: pd.DataFrame, clusters: Any, column: Any = None) -> pd.DataFrame:
        """A table with the covariates that it lacks.

        Parameters
        ----------
        table
            Of k rows.
        clusters
            Label of the cluster of each row, shape (k,), or None if the table has none. A cluster
            of the trial has its size there, a new one the number of its rows here.
        column
            Name of the column of the cluster.

        Raises
        ------
        TrialError
            If there are neither these covariates nor clusters.
        """
        lacking = [name for name in self.names if name not in table.columns]
        if not lacking:
            return table
        if clusters is None:
            raise TrialError(
                f"the table needs the column {lacking[0]!r}, or {column!r} to count it"
            )
        here = _counts(clusters)
        texts = pd.Series(clusters).map(label_text)
        count = np.array([self.persons.get(text, here[text]) for text in texts], dtype=np.float64)
        return table.assign(**{name: _READ[name](count) for name in lacking})


def _counts(clusters: Any) -> pd.Series[int]:
    return pd.Series(clusters).map(label_text).value_counts()
