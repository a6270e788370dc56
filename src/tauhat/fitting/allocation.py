"""Trials whose units are not all treated with the same probability."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.standardised_columns import column_scales, independent_columns

_MOST_POWERS = 3
_UNITS_A_COLUMN = 10


def without_level_of_allocation(data: TrialData) -> TrialData:
    r"""The trial with that part of the working outcome taken out that goes with the allocation.

    Where blocks differ in the probability :math:`\pi` of treatment, more of the
    treated are in some blocks than of the controls, and a model of the outcome
    that knows no blocks takes a difference between blocks for an effect. Given
    :math:`\pi` the arms are alike in everything, so it is enough to take out

    .. math:: E(Y \mid A, X, \pi) = \alpha + \sum_{d=1}^{D} \gamma_d \pi^d + \beta A + \delta'X,
              \qquad \tilde Y = Y - \sum_d \hat\gamma_d (\pi^d - \overline{\pi^d}),

    fitted by least squares, or by REML with a random intercept of the clusters.
    A function of :math:`\pi` alone leaves every effect as it is.

    Parameters
    ----------
    data
        The trial.

    Returns
    -------
    TrialData
        The same one where all have one probability.

    References
    ----------
    Rosenbaum and Rubin (1983), Biometrika 70:41-55.

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> block = np.repeat([0, 1], 40)
    >>> arm = np.r_[np.repeat([0, 1], [30, 10]), np.repeat([0, 1], [10, 30])]
    >>> noise = np.tile([-1.0, 1.0], 40)
    >>> data = validate_trial(noise[:, None] ** 3, 5.0 * block + noise, arm, blocks=block)
    >>> same = without_level_of_allocation(data)
    >>> means = [one.working[one.treatment == 1].mean() - one.working[one.treatment == 0].mean()
    ...          for one in (data, same)]
    >>> np.round(means, 9).tolist()
    [2.5, 0.0]
    """
    if np.ptp(data.y) == 0:
        return data
    basis = allocation_basis(data)
    powers = basis.shape[1]
    if powers == 0:
        return data
    fixed = np.column_stack([np.ones(data.n), basis, data.treatment])
    if data.X.shape[1] <= data.n_units / _UNITS_A_COLUMN:
        mean, scale = column_scales(data.X)
        fixed = np.column_stack([fixed, (data.X - mean) / scale])
    level = basis @ _coefficients(data, fixed)[1 : 1 + powers]
    return data.less(level)


def allocation_basis(data: TrialData) -> FloatArray:
    """Powers of the probability of treatment, less their means, shape (n, d).

    As many as its levels and the number of units allow; none where all have one probability.
    """
    spread = float(np.ptp(data.propensity))
    # Where it differs between periods, models have levels of these (`Design.fixed_effects`).
    if spread < 1e-9 or data.design.fixed_effects.shape[1]:
        return np.zeros((data.n, 0))
    levels = len(np.unique(np.round(data.propensity, 9)))
    powers = min(levels - 1, _MOST_POWERS, max(1, data.n_units // _UNITS_A_COLUMN))
    centred = (data.propensity - data.propensity.mean()) / spread
    basis = np.column_stack([centred**d for d in range(1, powers + 1)])
    less_mean: FloatArray = basis - basis.mean(axis=0)
    return less_mean


def _coefficients(data: TrialData, fixed: FloatArray) -> FloatArray:
    """Coefficients of the columns, shape (f,); 0 for those that earlier ones make up."""
    kept = independent_columns(fixed)
    own = fixed[:, kept]
    weight = data.sample_weight
    scale = float(data.working.std())
    outcome = (data.working - data.working.mean()) / scale
    found = np.zeros(fixed.shape[1])
    if data.design.holds_persons and len(outcome) > len(kept):
        model = MixedModel(outcome, own, clusters=data.clusters, weight=weight)
        found[kept] = model.fit().coefficients
    else:
        root = np.ones(data.n) if weight is None else np.sqrt(weight)
        found[kept] = np.linalg.lstsq(own * root[:, None], outcome * root, rcond=None)[0]
    return found * scale
