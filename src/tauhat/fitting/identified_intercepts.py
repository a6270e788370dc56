"""Random intercepts that a trial lets tell apart, and whose variances may differ by arm."""

from __future__ import annotations

from dataclasses import replace

from tauhat._typing import IntArray
from tauhat.data import TrialData
from tauhat.design import Intercepts
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.standardised_columns import first_rows


def identified_intercepts(data: TrialData, *, by_arm: bool) -> tuple[Intercepts, IntArray | None]:
    """Identified intercepts, and the arms of clusters if each arm has its own variance.

    Parameters
    ----------
    data
        The trial.
    by_arm
        Whether the clusters' intercept has a variance in each arm.
    """
    # The variance of an arm is that of its clusters, and of no level within them.
    found = data.design.intercepts() if by_arm else data.design.intercepts_of_levels()
    found = replace(found, groups=identified_clusters(found.groups))
    if not by_arm or found.groups_are_blocks or found.groups is None:
        return found, None
    return found, data.treatment[first_rows(found.groups)]
