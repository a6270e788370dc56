"""The trial as its learners see it."""

from __future__ import annotations

from tauhat.block_levels import without_block_levels
from tauhat.data import TrialData
from tauhat.few_clusters import without_unlearnable_covariates


def learning_view(data: TrialData) -> TrialData:
    """The trial without what its learners must not take for an effect.

    That is the level of blocks and of unequal allocation
    (`tauhat.block_levels.without_block_levels`), and cluster-level covariates that
    the trial has too few clusters for
    (`tauhat.few_clusters.without_unlearnable_covariates`). The same trial where
    there is nothing of the kind, and where this has been done.
    """
    return without_unlearnable_covariates(without_block_levels(data))
