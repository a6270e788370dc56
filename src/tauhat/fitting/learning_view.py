"""The trial as its learners see it."""

from __future__ import annotations

from dataclasses import replace

from tauhat.data import TrialData
from tauhat.fitting.allocation import without_level_of_allocation
from tauhat.fitting.block_intercepts import without_block_intercepts
from tauhat.fitting.few_clusters import without_unlearnable_covariates
from tauhat.fitting.prognosis_curvature import with_curvature_of_prognosis
from tauhat.learning import LearningView


def learning_view(data: TrialData) -> TrialData:
    """The trial with a working outcome, and covariates that its learners may learn from.

    The outcome as measured, ``data.y``, stays; ``data.working`` is the outcome without
    what goes with unequal probabilities of treatment
    (`tauhat.fitting.allocation.without_level_of_allocation`), without the block intercepts
    (`tauhat.fitting.block_intercepts.without_block_intercepts`), and without the part of
    cluster-level covariates that the trial has too few clusters for, which are set to their
    means in ``data.X`` (`tauhat.fitting.few_clusters.without_unlearnable_covariates`). Where
    outcomes are missing, straight learners see it without the curvature of the prognosis
    (`tauhat.fitting.prognosis_curvature.with_curvature_of_prognosis`).

    Parameters
    ----------
    data
        The trial as it is; or rows of a view, of which all but the third step are done.

    Returns
    -------
    TrialData
        With ``learning``, from which `TrialData.as_it_is` goes back.

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.data import validate_trial
    >>> site, arm = np.repeat(np.arange(20), 10), np.tile([0, 1], 100)
    >>> y = 3.0 * (site % 2) + arm + np.tile([-1.0, -1.0, 1.0, 1.0], 50)
    >>> data = validate_trial(np.arange(200.0)[:, None] % 7, y, arm, blocks=site)
    >>> view = learning_view(data)
    >>> view.y is data.y, bool(view.working.std() < 0.8 * data.y.std())
    (False, True)
    >>> view.as_it_is().working.tolist() == data.y.tolist()
    True
    """
    if data.learning is not None:
        return without_unlearnable_covariates(data)
    data = replace(data, learning=LearningView(data.y, None, data.X))
    data = without_block_intercepts(without_level_of_allocation(data))
    return with_curvature_of_prognosis(without_unlearnable_covariates(data))
