"""The cross-fit that a description looks at: the one given, or one of the trial given."""

from __future__ import annotations

from typing import Any

from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.cross_fitting import CrossFit, RandomState, cross_fit
from tauhat.inference.inputs import TrialLike, counted_data, refuse_no_trial, refuse_over_periods
from tauhat.inference.transport import TargetPopulation, target_population


def as_cross_fit(
    trial: TrialLike | CrossFit,
    estimator: str | CateEstimator | None,
    *,
    n_splits: int,
    n_folds: int,
    random_state: RandomState,
    n_jobs: int,
    target: Any = None,
) -> CrossFit:
    """The cross-fit given, or one of the trial given, for its own or another population.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> trial = (rng.normal(size=(60, 1)), rng.normal(size=60), np.arange(60) % 2)
    >>> options = dict(n_splits=1, n_folds=2, random_state=0, n_jobs=1)
    >>> fit = as_cross_fit(trial, "LMM", **options)
    >>> as_cross_fit(fit, None, **options) is fit
    True
    """
    if isinstance(trial, CrossFit):
        if estimator is not None:
            raise TrialError(
                f"the cross-fit already has an estimator ({trial.estimator}); leave estimator out, "
                "or give the trial instead of its cross-fit"
            )
        if target is not None and not isinstance(target, TargetPopulation):
            raise TrialError(
                "a cross-fit does not know how the trial read its covariates: give the trial with "
                "this target, or the cross-fit with target=average_effects(trial, target=...)"
                ".target"
            )
        return trial if target is None else trial.carried_to(target)
    refuse_no_trial(trial)
    if not isinstance(trial, TrialData) and not hasattr(trial, "frame"):
        trial = tuple(trial)
    # Before anything is fitted: it may be refused.
    if target is not None:
        data = counted_data(trial)
        refuse_over_periods(data, "held-out effects are")
        target = target_population(trial, data, target)
    fit = cross_fit(
        trial,
        estimator,
        n_splits=n_splits,
        n_folds=n_folds,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    return fit if target is None else fit.carried_to(target)
