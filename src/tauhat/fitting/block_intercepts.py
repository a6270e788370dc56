"""What outcomes have in common within a randomization block."""

from __future__ import annotations

import numpy as np

from tauhat.data import TrialData
from tauhat.numerics.nested_model import mixed_model
from tauhat.numerics.standardised_columns import column_scales, independent_columns


def without_block_intercepts(data: TrialData) -> TrialData:
    r"""The trial with the levels of its blocks taken out of the working outcome.

    Sites, strata and pairs differ in their outcomes, which is noise to a learner that knows
    no blocks. Taken out are the predictions :math:`\hat g` of random intercepts of the blocks in

    .. math::
        y_{i} = \alpha + x_i'\beta + (A_i - \tfrac12)(\delta + x_i'\gamma) + g_{s(i)} + b_{c(i)}
        + e_i, \qquad g_s \sim N(0, \sigma_g^2)

    by REML. Both arms of a block have the same level taken out, so that every effect stays
    as it is. In small blocks such as pairs the prediction holds some of the residuals too,
    so that what is left looks less noisy than it is: models that can have the intercepts
    themselves take them (`tauhat.design.Design.intercepts`) and the outcome with its levels
    (`TrialData.working_with_blocks`), among them the reference posterior of the intervals.

    Parameters
    ----------
    data
        The trial.

    Returns
    -------
    TrialData
        The same one where no block holds several units.

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> rng = np.random.default_rng(1)
    >>> site, arm = np.repeat(np.arange(20), 10), np.tile([0, 1], 100)
    >>> level, X = rng.normal(size=20)[site], rng.normal(size=(200, 1))
    >>> y = level + arm + 0.5 * rng.normal(size=200)
    >>> data = without_block_intercepts(validate_trial(X, y, arm, blocks=site))
    >>> bool(data.working.std() < 0.75 < data.y.std())
    True
    """
    intercepts = data.design.intercepts()
    if not intercepts.of_blocks:
        return data
    if np.ptp(data.working) == 0:
        return data
    mean, scale = column_scales(data.X, data.sample_weight)
    lines = (data.X - mean) / scale
    contrast = (data.treatment - 0.5)[:, None]
    fixed, columns = np.hstack([np.ones((data.n, 1)), contrast]), [contrast * lines]
    if data.X.shape[1] > data.n / 10:
        columns.append(lines)
    else:
        fixed = np.hstack([fixed, lines])
    fixed = fixed[:, independent_columns(fixed)]
    spread = float(data.working.std())
    outcome = (data.working - data.working.mean()) / spread
    weight, nesting = data.sample_weight, intercepts.nesting
    fit = mixed_model(outcome, fixed, columns, intercepts.groups, weight, None, nesting).fit()
    of_groups = fit.cluster_effects if nesting is None else fit.level_effects[1][nesting]
    level = spread * of_groups[intercepts.groups]
    return data.less(level, of_blocks=True)
