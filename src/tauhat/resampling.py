"""Bootstrap of whole randomized units within arm and block."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.folds import randomization_units, small_blocks
from tauhat.numerics.seeds import derive_seed
from tauhat.parallel import run_tasks


def t_quantile(level: float, degrees_of_freedom: float) -> float:
    """Two-sided t quantile; with less than one degree of freedom, that of one.

    Examples
    --------
    >>> round(t_quantile(0.95, 30), 3)
    2.042
    """
    return float(stats.t.ppf(0.5 + level / 2, max(degrees_of_freedom, 1.0)))


def resample_units(data: TrialData, seed: int) -> TrialData:
    """Draw units with replacement within arm and block; copies become units of their own.

    Of pairs and other blocks with fewer than two units in an arm whole blocks are drawn:
    within such a block there is nothing to draw.

    Parameters
    ----------
    data
        The trial.
    seed
        Seed of this draw.

    Returns
    -------
    TrialData
        With the same number of units in each arm of each large block, and the same
        number of small blocks.
    """
    unit, arm, block = randomization_units(data.treatment, data.clusters, data.blocks)
    small = small_blocks(arm, block)
    if len(small) < 2:
        small = small[:0]
    chosen = np.empty(len(arm), dtype=np.int64)
    # Streams belong to the first unit's arm and the other, not to control and treated, so
    # that exchanging the arms gives the same sample.
    for stream in (0, 1):
        this_arm = abs(int(arm[0]) - stream)
        for this_block in np.setdiff1d(block, small):
            members = np.flatnonzero((arm == this_arm) & (block == this_block))
            rng = np.random.default_rng(derive_seed(seed, "resample", stream, int(this_block)))
            chosen[members] = members[rng.integers(len(members), size=len(members))]
    large = np.flatnonzero(~np.isin(block, small))
    rng = np.random.default_rng(derive_seed(seed, "resample", "small blocks"))
    drawn = [np.flatnonzero(block == k) for k in rng.choice(small, size=len(small))]
    chosen = np.concatenate([chosen[large], *drawn])
    in_block = np.r_[block[large], np.repeat(small, [len(units) for units in drawn])]
    order = np.argsort(unit, kind="stable")
    sizes = np.bincount(unit)
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    taken = sizes[chosen]
    offsets = np.arange(taken.sum()) - np.repeat(np.r_[0, np.cumsum(taken)[:-1]], taken)
    rows = order[np.repeat(starts[chosen], taken) + offsets]
    sample = data.take(rows)
    if data.blocks is not None:
        sample = replace(sample, blocks=np.repeat(in_block, taken))
    if data.clusters is None:
        return sample
    labels = None if data.cluster_labels is None else data.cluster_labels[chosen]
    clusters = np.repeat(np.arange(len(chosen)), taken)
    return replace(sample, clusters=clusters, cluster_labels=labels)


def _refit(estimator: Any, data: TrialData, X: FloatArray, seed: int) -> FloatArray:
    sample = resample_units(data, seed)
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
        The trial. What learners see of it (`tauhat.learning_view.learning_view`) is made of
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
    if n_bootstrap < 2:
        raise ValueError(f"n_bootstrap must be at least 2, got {n_bootstrap}")
    data = data.as_it_is()
    tasks = [(estimator, data, X, derive_seed(seed, r)) for r in range(n_bootstrap)]
    effects = np.array(run_tasks(_refit, tasks, n_jobs=n_jobs))
    error: FloatArray = effects.std(axis=0, ddof=1)
    return error
