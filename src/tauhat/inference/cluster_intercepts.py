"""How far each cluster lies above or below the others, shrunk by how little it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tauhat.arguments import check_level
from tauhat.fitting.bootstrap import t_quantile
from tauhat.inference.inputs import TrialLike, ordered_trial, refuse_over_periods
from tauhat.outcome.linear_mixed import LinearMixedModel
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread


@dataclass(frozen=True, eq=False)
class ClusterIntercepts(Shown):
    """Predicted intercepts of the clusters; the result of `cluster_intercepts`.

    Attributes
    ----------
    table
        One row per cluster, lowest first: ``cluster``, ``treatment`` (0 or 1),
        ``persons``, ``estimate``, ``lower`` and ``upper`` in units of the outcome.
    between_cluster, residual
        Variances between and within clusters, in squared units of the outcome.
    level
        Coverage of the intervals, each alone.
    """

    table: pd.DataFrame
    between_cluster: float
    residual: float
    level: float

    @property
    def text(self) -> str:
        """The result in sentences."""
        if self.between_cluster == 0:
            return (
                f"The {len(self.table)} clusters do not differ beyond chance once arm and "
                "covariates are accounted for."
            )
        away = int(((self.table["lower"] > 0) | (self.table["upper"] < 0)).sum())
        return (
            f"Given arm and covariates, {len(self.table)} clusters lie between "
            f"{self.table['estimate'].min():.3g} and {self.table['estimate'].max():.3g} from their "
            f"mean; the {100 * self.level:g}% intervals of {away} of them leave out zero. These "
            "are predictions pulled towards the mean, and no ranking of clusters."
        )


@on_one_thread
def cluster_intercepts(trial: TrialLike, *, level: float = 0.95) -> ClusterIntercepts:
    r"""Predicted random intercepts of the clusters of a cluster-randomized trial.

    In the linear mixed model
    :math:`y_{ij} = \alpha + \theta A_i + x_{ij}'\beta + b_i + e_{ij}`, fitted by
    REML, with variances :math:`\sigma_b^2` and :math:`\sigma_e^2` taken as known,

    .. math:: b_i \mid y \sim N\Big(\hat b_i,
              \frac{\sigma_b^2 \sigma_e^2}{\sigma_e^2 + n_i \sigma_b^2}\Big),

    so a cluster of few persons is pulled further to zero and has a wider interval.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, or an iterable of X, y,
        treatment, clusters and what may follow.
    level
        Coverage of each interval, not of all of them at once.

    Returns
    -------
    ClusterIntercepts

    Raises
    ------
    ValueError
        If there are no clusters, or ``level`` is not between 0 and 1.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(20), 30)
    >>> height = np.linspace(-2, 2, 20)
    >>> y = height[clusters] + rng.normal(size=600)
    >>> found = cluster_intercepts((np.ones((600, 1)), y, clusters % 2, clusters))
    >>> found.table["cluster"].iloc[0] in (0, 1), bool(found.between_cluster > 1)
    (True, True)
    """
    check_level(level)
    ordered = ordered_trial(trial)
    data = ordered.data
    if not data.design.holds_persons:
        raise ValueError("persons were randomized in this trial, so it has no cluster intercepts")
    refuse_over_periods(data, "intercepts of clusters are")
    columns = np.column_stack([data.treatment, data.X])
    model = LinearMixedModel().fit(
        columns, data.y, clusters=data.clusters, sample_weight=data.sample_weight
    )
    components = model.variance_components_
    between, residual = components.between_cluster, components.residual
    persons = np.bincount(data.design.unit)
    total = residual + persons * between
    spread = np.sqrt(
        np.divide(between * residual, total, out=np.zeros(len(total)), where=total > 0)
    )
    half = t_quantile(level, max(len(persons) - 2, 1)) * spread
    estimate = model.cluster_effects_
    table = pd.DataFrame(
        {
            "cluster": ordered.unit_labels,
            "treatment": data.design.arm,
            "persons": persons,
            "estimate": estimate,
            "lower": estimate - half,
            "upper": estimate + half,
        }
    )
    table = table.sort_values("estimate", kind="stable", ignore_index=True)
    return ClusterIntercepts(table, float(between), float(residual), level)
