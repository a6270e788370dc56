"""Mean outcomes of both arms, what they become without each randomized unit, and contrasts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from tauhat._typing import FloatArray, IntArray
from tauhat.design import Design
from tauhat.endpoint import EffectScale
from tauhat.inference.estimate import Estimate
from tauhat.numerics.arm_variances import by_arm, moderated_variance
from tauhat.numerics.working_models import ExchangeableWorkingModel

# A block has an intercept in the regression of an individually randomized trial if it has this
# many persons in each arm.
_MANY_IN_BLOCK = 10


@dataclass(frozen=True, eq=False)
class ArmMeans:
    """Mean outcome of everyone under control and under treatment, one column per average.

    Attributes
    ----------
    means
        Shape (k, 2).
    deleted
        The same without each randomized unit, shape (m, k, 2).
    expected
        `tauhat.numerics.arm_variances.expected_squares` of each unit, shape (m, k).
    design
        Who was randomized, and how.
    refitted
        Whether the block intercepts were estimated anew without each unit.
    of_shares
        Whether ``deleted`` are the means less what each person adds to them.
    even
        ``expected`` without weights, shape (m, k); None where there are none.
    """

    means: FloatArray
    deleted: FloatArray
    expected: FloatArray
    design: Design
    refitted: bool = False
    of_shares: bool = False
    even: FloatArray | None = None

    def risks(self, codes: tuple[float, float]) -> ArmMeans:
        """The same of an outcome whose values are no event and an event, as risks."""
        without, event = codes
        span = event - without
        means, deleted = (self.means - without) / span, (self.deleted - without) / span
        return replace(self, means=means, deleted=deleted)

    def told_as(
        self, scale: EffectScale, level: float, largest: float = 1.0
    ) -> list[Estimate | None]:
        r"""Each average's contrast of two positive means on a scale, by the jackknife.

        .. math::
            g(\hat\mu_1, \hat\mu_0), \qquad
            \text{error from } g(\hat\mu_{1(-j)}, \hat\mu_{0(-j)}) \text{ over units } j,

        with g the log ratio or log odds ratio. How much each arm's error counts, for the
        moderated variance and the degrees of freedom, goes by
        :math:`\{\partial g / \partial\mu_a\}^2 \mu_a (1 - \mu_a / L)`.

        Parameters
        ----------
        scale
            The scale.
        level
            Coverage of the intervals.
        largest
            L, the largest mean that can be: 1 for risks, the horizon for times, infinite for rates.

        Returns
        -------
        list
            None where a mean is not between 0 and L, or would not be without some unit.
        """
        found: list[Estimate | None] = []
        for k, means in enumerate(self.means):
            deleted = self.deleted[:, k]
            both = np.vstack([means[None], deleted])
            if not ((both > 0) & (both < largest)).all():
                found.append(None)
                continue
            sizes = (scale.slopes(means) ** 2 * means * (1 - means / largest))[self.design.arm]
            expected = (self.expected[:, k] * sizes)[:, None]
            value, without = float(scale.working(means)), scale.working(deleted)
            if self.of_shares:
                error = errors_of_persons(self.design, (value - without)[:, None], expected)
            else:
                error = self.design.errors(without[:, None], expected, refitted=self.refitted)
            even = None if self.even is None else self.even[:, k : k + 1]
            df = float(self.design.degrees_of_freedom(expected, even=even)[0])
            told = Estimate.of_ratio if scale.is_log else Estimate.from_t
            found.append(told(value, float(error[0]), degrees_of_freedom=df, level=level))
        return found


def errors_of_persons(design: Design, shares: FloatArray, expected: FloatArray) -> FloatArray:
    """Standard errors of estimates that are sums of shares of persons, shape (k,).

    Parameters
    ----------
    design
        Who was randomized; persons.
    shares
        What each person adds to an estimate, of mean zero, shape (n, k).
    expected
        `tauhat.numerics.arm_variances.expected_squares`, shape (n, k).
    """
    if design.n_blocks > 1:
        return design.errors(shares, expected)
    count = by_arm(np.ones((design.n, 1)), design.arm)
    squares = by_arm(shares**2, design.arm) * count / (count - 1)
    errors: FloatArray = np.sqrt(
        moderated_variance(squares, by_arm(expected, design.arm), count - 1)
    )
    return errors


def clusters_left_out(
    model: ExchangeableWorkingModel,
    coefficients: FloatArray,
    without_each: FloatArray,
    moved: FloatArray,
    counted: FloatArray,
    weights: FloatArray,
    arm: IntArray,
    along: FloatArray | None,
) -> tuple[FloatArray, FloatArray]:
    r"""Mean outcome of each arm over all clusters, with all of them and without each.

    .. math::
        \hat\mu(a) = \frac{\sum_i w_i \bar\eta_a(i)}{\sum_i w_i} +
        \frac{\sum_{A_i = a} (w_i / \pi_{ia}) (\bar Y_i - \bar\eta_a(i))}
        {\sum_{A_i = a} w_i / \pi_{ia}}

    Parameters
    ----------
    model
        Working regression.
    coefficients, without_each, moved
        Its coefficients with all clusters and without each, and what the cluster means change
        then (`ExchangeableWorkingModel.jackknife`).
    counted
        What each cluster counts in each average, shape (m, k).
    weights
        The same over the probability of its arm, shape (m, k).
    arm
        0 or 1 for each cluster, shape (m,).
    along
        Log size about its mean, shape (m,), where the last covariate of the model is its
        product with arm less a half; else None.

    Returns
    -------
    means, deleted
        Shapes (k, 2) and (m, k, 2).
    """
    stacked = np.vstack([coefficients, without_each])
    explained, adjusted = model.explained(stacked), model.adjusted_means(stacked)
    adjusted[1:] += moved
    m, k = counted.shape
    kept = np.vstack([np.ones(m), 1 - np.eye(m)])
    means = np.empty((m + 1, k, 2))
    for a in (0, 1):
        # Without the treatment's coefficient, which is the same in both terms and drops out.
        of_all = explained
        if along is not None:
            of_all = explained + np.outer(model.slope(stacked), (a - arm) * along)
        for j in range(k):
            share, own = kept * counted[:, j], kept * (weights[:, j] * (arm == a))
            level = (share * of_all).sum(axis=1) / share.sum(axis=1)
            means[:, j, a] = level + (own * adjusted).sum(axis=1) / own.sum(axis=1)
    return means[0], means[1:]


def arm_difference_p(values: FloatArray, arm: IntArray, block: IntArray) -> float:
    """P-value of the difference between arms in a cluster-level quantity, within blocks."""
    design = np.column_stack([np.eye(int(block.max()) + 1)[block], arm])
    coefficients, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    residual = values - design @ coefficients
    df = len(values) - int(rank)
    variance = float(residual @ residual) / max(df, 1)
    error = np.sqrt(variance * np.linalg.pinv(design.T @ design)[-1, -1])
    if df < 1 or np.ptp(values) < 1e-12 or error <= 1e-12 * np.abs(values).max():
        return 1.0
    return float(2 * stats.t.sf(abs(coefficients[-1]) / error, df))


def large_block_dummies(design: Design) -> FloatArray:
    """Indicators of blocks with many persons in each arm, shape (n, b); none without blocks.

    The level of a block drops out of the estimate by its own probability of treatment. A
    regression on it, predicting without the person, would lean on the few others of a small
    block and so make their errors count twice.
    """
    sizes = design.block_sizes.min(axis=1)
    large = np.flatnonzero((sizes >= _MANY_IN_BLOCK) & (len(sizes) > 1))
    dummies: FloatArray = (design.block[:, None] == large).astype(np.float64)
    return dummies
