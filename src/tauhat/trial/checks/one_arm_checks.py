"""What clusters in one arm only mean for a trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tauhat.design import ClustersInOneArm
from tauhat.design.clusters_in_one_arm import FEWEST_FOR_TEST
from tauhat.numerics.icc import IntraclusterCorrelation, intracluster_correlation
from tauhat.trial.checks.cluster_checks import told_sizes
from tauhat.trial.checks.finding import Finding
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

_FEW_CLUSTERS = 20


def icc_in_one_arm(trial: TrialTable) -> IntraclusterCorrelation:
    """Intracluster correlation of the outcome in the arm that has clusters."""
    design = trial.randomization
    assert isinstance(design, ClustersInOneArm)
    rows = trial.has_counterfactual & (design.treatment == design.clustered_arm)
    unit = np.unique(design.unit[rows], return_inverse=True)[1]
    return intracluster_correlation(trial.y[rows], unit)


def one_arm_findings(trial: TrialTable, icc: IntraclusterCorrelation | None) -> Iterator[Finding]:
    """Give the design, and how many clusters there are.

    Parameters
    ----------
    trial
        The trial.
    icc
        From `icc_in_one_arm`.
    """
    design = trial.randomization
    if not isinstance(design, ClustersInOneArm) or icc is None:
        return
    with_clusters, alone = (
        trial.arm_labels[arm] for arm in (design.clustered_arm, 1 - design.clustered_arm)
    )
    column, m = trial.roles["cluster"], design.n_clusters
    size = np.bincount(design.unit)[design.arm == design.clustered_arm]
    yield Finding(
        "clusters in one arm",
        f"{m} in arm {with_clusters}, none in arm {alone} ({column})",
        "note",
        f"Persons were randomized, and those of arm {with_clusters} were treated in "
        f"{counted(m, 'cluster')} ({column!r}); in arm {alone} everybody stands alone. Errors, "
        f"folds and bootstraps take whole clusters there and single persons here, and each arm "
        "has a variance of its own.",
        "clusters-in-one-arm",
    )
    yield Finding("cluster size", told_sizes(size.min(), size.max(), float(np.median(size))))
    yield Finding(
        f"ICC of the outcome in arm {with_clusters}",
        f"{icc.value:z.3f} ({icc.low:z.3f} to {icc.high:z.3f})",
    )
    if m < _FEW_CLUSTERS:
        untested = (
            ", and whether the effect differs between persons is not tested"
            if m < FEWEST_FOR_TEST
            else ""
        )
        yield Finding(
            "clusters",
            str(m),
            "warning",
            f"What is known of arm {with_clusters} rests on its {m} clusters and not on its "
            f"persons: intervals have few degrees of freedom{untested}.",
            "few-clusters",
        )
