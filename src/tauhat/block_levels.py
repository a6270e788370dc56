"""What outcomes have in common within a randomization block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import IntArray
from tauhat.base import VarianceComponents
from tauhat.data import TrialData
from tauhat.numerics.columns import column_scales, first_rows, independent_columns
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.nested_model import mixed_model


@dataclass(frozen=True)
class Intercepts:
    """Random intercepts of a mixed model of one trial.

    Attributes
    ----------
    groups
        Cluster 0 to m - 1 of each row, shape (n,), or block where persons were
        randomized; None without either.
    nesting
        Block 0 to k - 1 in which each cluster lies, shape (m,), or None.
    groups_are_blocks
        Whether ``groups`` are blocks.
    """

    groups: IntArray | None
    nesting: IntArray | None = None
    groups_are_blocks: bool = False

    def components(
        self,
        of_groups: float,
        of_nesting: float,
        residual: float,
        by_arm: tuple[float, float] | None = None,
    ) -> VarianceComponents:
        """Variance components of a mixed model with these intercepts.

        Parameters
        ----------
        of_groups, of_nesting
            Variance of the intercept of ``groups``, and of that of ``nesting``.
        residual
            Residual variance.
        by_arm
            Variance of the intercept in control and treated clusters.
        """
        if self.groups_are_blocks:
            return VarianceComponents(0.0, residual, between_block=of_groups)
        of_blocks = None if self.nesting is None else of_nesting
        return VarianceComponents(of_groups, residual, by_arm, of_blocks)


def random_intercepts(data: TrialData) -> Intercepts:
    """Random intercepts of clusters and of blocks that hold several units.

    Parameters
    ----------
    data
        The trial.

    Returns
    -------
    Intercepts

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> clinic, arm = np.repeat(np.arange(8), 2), np.repeat([0, 1, 1, 0] * 2, 2)
    >>> X, region = np.arange(16.0)[:, None], np.repeat([0, 1], 8)
    >>> found = random_intercepts(validate_trial(X, X[:, 0], arm, clinic, blocks=region))
    >>> int(found.groups.max()), found.nesting.tolist(), found.groups_are_blocks
    (7, [0, 0, 0, 0, 1, 1, 1, 1], False)
    >>> persons = random_intercepts(validate_trial(X, X[:, 0], arm, blocks=region))
    >>> int(persons.groups.max()), persons.nesting, persons.groups_are_blocks
    (1, None, True)
    """
    if data.blocks is None:
        return Intercepts(data.clusters)
    if data.clusters is None or data.n_units == data.n:
        blocks = identified_clusters(data.blocks)
        return Intercepts(data.clusters) if blocks is None else Intercepts(blocks, None, True)
    blocks_of_clusters = data.blocks[first_rows(data.clusters)]
    return Intercepts(data.clusters, identified_clusters(blocks_of_clusters))


def without_block_levels(data: TrialData) -> TrialData:
    r"""The trial with the levels of its blocks taken out of the working outcome.

    Sites, strata and pairs differ in their outcomes, which is noise to a learner that knows
    no blocks. Taken out are the predictions :math:`\hat g` of random intercepts of the blocks in

    .. math::
        y_{i} = \alpha + x_i'\beta + (A_i - \tfrac12)(\delta + x_i'\gamma) + g_{s(i)} + b_{c(i)}
        + e_i, \qquad g_s \sim N(0, \sigma_g^2)

    by REML. Both arms of a block have the same level taken out, so that every effect stays
    as it is. In small blocks such as pairs the prediction holds some of the residuals too,
    so that what is left looks less noisy than it is: models that can have the intercepts
    themselves take them (`random_intercepts`) and the outcome with its levels
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
    >>> data = without_block_levels(validate_trial(X, y, arm, blocks=site))
    >>> bool(data.working.std() < 0.75 < data.y.std())
    True
    """
    intercepts = random_intercepts(data)
    if not intercepts.groups_are_blocks and intercepts.nesting is None:
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
    of_groups = fit.cluster_effects if nesting is None else fit.nesting_effects[nesting]
    level = spread * of_groups[intercepts.groups]
    return data.less(level, of_blocks=True)
