"""Residual variances that differ by arm where one arm only has clusters."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.standardised_columns import column_scales

# Single persons vary at most so many times more, or less, than persons within clusters.
_MOST = 20.0


def precision_weights(data: TrialData) -> FloatArray | None:
    r"""Weights of a mixed model's residuals, shape (n,): those of the sample in most designs.

    With clusters in one arm only, single persons have a variance of their own (the
    heteroscedastic partially nested model): persons j of clusters i and single persons k have

    .. math:: y_{ij} = x_{ij}'\beta + b_i + e_{ij}, \quad y_k = x_k'\beta + b_k + e_k, \qquad
              e_{ij} \sim N(0, \sigma^2), \quad e_k \sim N(0, \rho\sigma^2)

    and :math:`\rho` is that of the largest restricted likelihood. The intercept of a single
    person is a part of the residual, so that :math:`\rho\sigma^2 + \sigma_b^2` is its variance.

    Parameters
    ----------
    data
        The trial as its learners see it.

    References
    ----------
    Candlish, Teare, Dimairo, Flight, Mandefield and Walters (2018), BMC Medical Research
    Methodology 18:105.
    """
    if data.design.can_permute:
        return data.sample_weight
    weight = np.ones(data.n) if data.sample_weight is None else data.sample_weight
    alone = data.design.clusters_by_arm[data.treatment] == 0
    mean, scale = column_scales(data.X, weight)
    outcome = data.working_with_blocks
    y = (outcome - outcome.mean()) / outcome.std()
    fixed = np.column_stack([np.ones(data.n), data.treatment - 0.5])
    blocks = [(data.X - mean) / scale]

    def weighted(log_ratio: float) -> FloatArray:
        return np.where(alone, weight * np.exp(-log_ratio), weight)

    def lost(log_ratio: float) -> float:
        model = MixedModel(y, fixed, blocks, data.clusters, weighted(log_ratio))
        return -model.fit().restricted_log_likelihood

    limit = float(np.log(_MOST))
    found = optimize.minimize_scalar(
        lost, bounds=(-limit, limit), method="bounded", options={"xatol": 0.02}
    )
    return weighted(float(found.x))
