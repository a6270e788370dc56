"""What outcomes have in common within a randomization block."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.allocation import without_level_of_allocation
from tauhat.base import VarianceComponents
from tauhat.data import TrialData
from tauhat.numerics.columns import column_scales, first_rows
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.mixed_model import MixedModel, independent_columns


@dataclass(frozen=True)
class Intercepts:
    """Random intercepts of a mixed model of one trial.

    Attributes
    ----------
    groups
        Group 0 to m - 1 of each row whose intercept enters through sums: the
        cluster, or the block where persons were randomized. None without either.
    blocks
        Indicators of the blocks of clusters, shape (n, k), a block of columns
        with one variance; None without them.
    """

    groups: IntArray | None
    blocks: FloatArray | None = None

    @property
    def columns(self) -> list[FloatArray]:
        """The indicators as a list of column blocks, empty without them."""
        return [] if self.blocks is None else [self.blocks]

    def components(
        self,
        data: TrialData,
        of_groups: float,
        of_blocks: float,
        residual: float,
        by_arm: tuple[float, float] | None = None,
    ) -> VarianceComponents:
        """Variance components of a mixed model with these intercepts.

        Parameters
        ----------
        data
            The trial.
        of_groups, of_blocks
            Variance of the intercept of `groups`, and of `blocks`.
        residual
            Residual variance.
        by_arm
            Variance of the intercept in control and treated clusters.
        """
        if data.clusters is None:
            own = None if self.groups is None else of_groups
            return VarianceComponents(0.0, residual, between_block=own)
        own = None if self.blocks is None else of_blocks
        return VarianceComponents(of_groups, residual, by_arm, own)


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
    >>> int(found.groups.max()), found.blocks.shape
    (7, (16, 2))
    >>> persons = validate_trial(X, X[:, 0], arm, blocks=region)
    >>> random_intercepts(persons).groups.tolist() == persons.blocks.tolist()
    True
    """
    if data.clusters is None:
        return Intercepts(identified_clusters(data.blocks))
    if data.blocks is None:
        return Intercepts(data.clusters)
    of_cluster = identified_clusters(data.blocks[first_rows(data.clusters)])
    if of_cluster is None:
        return Intercepts(data.clusters)
    return Intercepts(data.clusters, np.eye(of_cluster.max() + 1)[of_cluster][data.clusters])


def without_block_levels(data: TrialData) -> TrialData:
    r"""The trial with the levels of its blocks taken out of the outcome.

    Sites, strata and pairs differ in their outcomes, which is noise to a learner that knows
    no blocks. What goes with unequal shares of treated is taken out first
    (`tauhat.allocation.without_level_of_allocation`), then the predictions
    :math:`\hat g` of random intercepts of the blocks in

    .. math::
        y_{i} = \alpha + x_i'\beta + (A_i - \tfrac12)(\delta + x_i'\gamma) + g_{s(i)} + b_{c(i)}
        + e_i, \qquad g_s \sim N(0, \sigma_g^2)

    by REML. Both arms of a block have the same level taken out, so that every effect stays
    as it is. In small blocks such as pairs the prediction holds some of the residuals too,
    so that what is left looks less noisy than it is: models that can have the intercepts
    themselves take them (`random_intercepts`) and the outcome with its levels
    (`TrialData.y_with_blocks`), among them the reference posterior of the intervals.

    Parameters
    ----------
    data
        The trial.

    Returns
    -------
    TrialData
        With ``block_level``; the same one where no block holds several units, or where
        this has been done.

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> rng = np.random.default_rng(1)
    >>> site, arm = np.repeat(np.arange(20), 10), np.tile([0, 1], 100)
    >>> level, X = rng.normal(size=20)[site], rng.normal(size=(200, 1))
    >>> y = level + arm + 0.5 * rng.normal(size=200)
    >>> data = without_block_levels(validate_trial(X, y, arm, blocks=site))
    >>> bool(data.y.std() < 0.75 < y.std())
    True
    """
    data = without_level_of_allocation(data)
    intercepts = random_intercepts(data)
    by_sums = data.clusters is None
    of_blocks = intercepts.groups if by_sums else intercepts.blocks
    if of_blocks is None or data.block_level is not None or np.ptp(data.y) == 0:
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
    spread = float(data.y.std())
    model = MixedModel(
        (data.y - data.y.mean()) / spread,
        fixed,
        [*columns, *intercepts.columns],
        intercepts.groups,
        data.sample_weight,
    )
    fit = model.fit()
    if by_sums:
        level = fit.cluster_effects[of_blocks]
    else:
        level = of_blocks @ fit.coefficients[model.block_slices[-1]]
    return replace(data, y=data.y - spread * level, block_level=spread * level)
