"""Errors of effects by refits on whole units drawn within arm and block."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from tauhat._typing import FloatArray
from tauhat.arguments import check_count
from tauhat.data import TrialData
from tauhat.numerics.seeds import derive_seed
from tauhat.runtime.parallel import run_tasks


def t_quantile(level: float, degrees_of_freedom: float) -> float:
    """Two-sided t quantile; with less than one degree of freedom, that of one.

    Examples
    --------
    >>> round(t_quantile(0.95, 30), 3)
    2.042
    """
    return float(stats.t.ppf(0.5 + level / 2, max(degrees_of_freedom, 1.0)))


def _refit(estimator: Any, data: TrialData, X: FloatArray, seed: int) -> FloatArray:
    sample = data.resample(seed)
    fitted = estimator.set_params(random_state=derive_seed(seed, "refit"), n_jobs=1)
    effects: FloatArray = fitted.fit_data(sample).predict_effect(X)
    return effects


def bootstrap_standard_error(
    estimator: Any,
    data: TrialData,
    X: FloatArray,
    *,
    n_bootstrap: int,
    seed: int,
    n_jobs: int = 1,
) -> FloatArray:
    """Standard deviation of the effect over refits on resampled units.

    Parameters
    ----------
    estimator
        Unfitted estimator.
    data
        The trial. What learners see of it (`tauhat.fitting.learning_view.learning_view`) is made of
        each resample anew, so that its error counts.
    X
        Covariates at which the effect is wanted, shape (k, p).
    n_bootstrap
        Number of refits, at least two.
    seed
        Seed; every refit has its own stream.
    n_jobs
        Number of refits at once.

    Returns
    -------
    ndarray, shape (k,)
    """
    check_count(n_bootstrap, "n_bootstrap", 2)
    data = data.as_it_is()
    tasks = [(estimator, data, X, derive_seed(seed, r)) for r in range(n_bootstrap)]
    effects = np.array(run_tasks(_refit, tasks, n_jobs=n_jobs))
    error: FloatArray = effects.std(axis=0, ddof=1)
    return error
