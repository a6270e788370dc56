"""Risks or rates of both arms, averaged over how much the effect on the link's scale may vary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final, Self

import numpy as np
from scipy.special import expit

from tauhat._typing import FloatArray
from tauhat.numerics import cholesky
from tauhat.numerics.marginal_risks import marginal_mean
from tauhat.numerics.mixed_logit import GeneralisedFit
from tauhat.numerics.quadrature import hermite_nodes
from tauhat.numerics.responses import Link
from tauhat.numerics.standardised_columns import row_parts
from tauhat.numerics.two_arm_logit import TwoArmFit, TwoArmModel
from tauhat.numerics.variance_updates import LOWEST

#: Standard deviations of an interaction block over which fits are averaged; the first is none.
GRID: Final = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)
# Prior probability that a block of interactions is off, first (lines) and others (curves), and
# the rate of the exponential prior on its standard deviation where it is not.
_OFF_FIRST, _OFF_LATER = 0.3, 0.5
_RATE = 5.0
# Fits with less of the posterior are left out.
_LEAST_SHARE = 0.01
_NODES = 15


def log_prior(off: float) -> FloatArray:
    """Log prior probabilities of the values of `GRID`.

    Parameters
    ----------
    off
        Probability of the first, zero. The others have an exponential prior, of what is nearest
        to them.

    Examples
    --------
    >>> np.exp(log_prior(0.5)).round(3).tolist()
    [0.5, 0.264, 0.125, 0.087, 0.024, 0.001]
    """
    on = np.array(GRID[1:])
    edges = np.r_[0.0, (on[1:] + on[:-1]) / 2, np.inf]
    mass = -np.diff(np.exp(-_RATE * edges))
    logs: FloatArray = np.log(np.r_[off, (1 - off) * mass])
    return logs


def kept_variances(two_arms: TwoArmModel, fit: GeneralisedFit) -> FloatArray:
    """Variances of a fit in the order of its working model, none below the least."""
    kept: FloatArray = np.r_[fit.block_variances, fit.cluster_variances]
    if two_arms.model.nesting is not None:
        kept = np.r_[kept, fit.nesting_variance]
    kept = np.maximum(kept, np.exp(LOWEST))
    return kept


def grid_variances(kept: FloatArray, first: int, last: int) -> Iterator[tuple[FloatArray, float]]:
    """Variances with those of blocks ``first`` to ``last`` over `GRID`, and log priors of these.

    All of these blocks are thought to be off with probability one half.
    """
    values, of_later = np.maximum(GRID, np.exp(LOWEST / 2)), log_prior(_OFF_LATER)
    for chosen in product(range(len(GRID)), repeat=last - first):
        variances = kept.copy()
        variances[first:last] = values[list(chosen)] ** 2
        yield variances, float(of_later[list(chosen)].sum())


@dataclass(frozen=True, eq=False)
class RiskMixture:
    r"""Posterior of both arms' risks or rates: a mixture of normal ones on the link's scale.

    .. math::
        p(\theta \mid y) \approx \sum_g w_g\,N(\theta; \hat\theta_g, V_g), \qquad
        w_g \propto p(z \mid s_g)\,p(s_g)

    over a grid of standard deviations :math:`s_g` of the effect's blocks. The marginal
    likelihood :math:`p(z \mid s)` and the coefficients are those of the linear mixed model of
    the working outcome z at the mode, so that all of them cost one pass over the rows. A
    single mode is too sure that an effect does not vary, or that it does.

    Attributes
    ----------
    shares
        :math:`w_g`, shape (g,).
    coefficients
        :math:`\hat\theta_g`: level, treatment, prognosis, effect, shape (g, q).
    covariance_roots
        Upper-triangular roots of the precisions, shape (g, q, q).
    n_prognosis
        Number of columns of the prognosis.
    intercept_variances
        Variance of a new cluster's intercept in control and treatment.
    effect_sds
        Standard deviations of the effect's blocks, shape (g, blocks).
    link
        "logit" for risks, "log" for rates.
    """

    shares: FloatArray
    coefficients: FloatArray
    covariance_roots: FloatArray
    n_prognosis: int
    intercept_variances: tuple[float, float]
    effect_sds: FloatArray
    link: Link = "logit"

    @classmethod
    def of(cls, two_arms: TwoArmModel, fitted: TwoArmFit, *, average: bool = True) -> Self:
        """Posterior about a fit.

        Parameters
        ----------
        two_arms
            Model of events or counts.
        fitted
            Its fit.
        average
            Whether to average over the standard deviations of the effect's blocks.
        """
        model, fit = two_arms.model, fitted.model
        kept = kept_variances(two_arms, fit)
        first, last = two_arms.effect_blocks
        working = model.working(fit.response, fit.predictor)
        at_mode, root, _ = working.given(kept)
        if not average or first == last:
            shape = np.sqrt(kept[None, first:last])
            parts = [(fit.coefficients, root, 0.0)]
        else:
            values = np.maximum(GRID, np.exp(LOWEST / 2))
            choices = np.indices((len(GRID),) * (last - first)).reshape(last - first, -1).T
            shape, parts = values[choices], []
            of_first, of_later = log_prior(_OFF_FIRST), log_prior(_OFF_LATER)
            for chosen, sds in zip(choices, shape, strict=True):
                variances = kept.copy()
                variances[first:last] = sds**2
                coefficients, root, log_marginal = working.given(variances)
                prior = of_first[chosen[0]] + of_later[chosen[1:]].sum()
                parts.append(
                    (fit.coefficients + coefficients - at_mode, root, log_marginal + prior)
                )
        logs = np.array([part[2] for part in parts])
        shares = np.exp(logs - logs.max())
        counted = np.flatnonzero(shares >= _LEAST_SHARE * shares.sum())
        return cls(
            shares=shares[counted] / shares[counted].sum(),
            coefficients=np.array([parts[g][0] for g in counted]),
            covariance_roots=np.array([parts[g][1] for g in counted]),
            n_prognosis=two_arms.n_prognosis,
            intercept_variances=fitted.intercept_variances,
            effect_sds=shape[counted],
            link=fit.response.link,
        )

    @property
    def n_effect(self) -> int:
        """Number of columns of the effect."""
        return int(self.coefficients.shape[1]) - 2 - self.n_prognosis

    def _rows(self, prognosis: FloatArray, effect: FloatArray, arm: int) -> FloatArray:
        """Columns of all coefficients in one arm, shape (k, q)."""
        contrast = arm - 0.5
        ends = np.ones((len(prognosis), 1)), np.full((len(prognosis), 1), contrast)
        return np.hstack([*ends, prognosis, contrast * effect])

    def predictors(self, prognosis: FloatArray, effect: FloatArray) -> FloatArray:
        """Mean log odds or log rates of both arms at an intercept of zero, shape (k, 2)."""
        mean = self.shares @ self.coefficients
        return np.stack([self._rows(prognosis, effect, arm) @ mean for arm in (0, 1)], axis=-1)

    def risks(self, prognosis: FloatArray, effect: FloatArray) -> FloatArray:
        r"""Posterior mean risks or rates of both arms in a new cluster, shape (k, 2).

        .. math:: \sum_g w_g\,\mathrm{E}\,g^{-1}(d'\hat\theta_g + e), \qquad
                  e \sim N(0,\; d'V_gd + \sigma_b^2)

        Parameters
        ----------
        prognosis, effect
            All columns of each, shapes (k, n_prognosis) and (k, n_effect).
        """
        risks = np.zeros((len(prognosis), 2))
        for arm in (0, 1):
            rows = self._rows(prognosis, effect, arm)
            for share, coefficients, root in zip(
                self.shares, self.coefficients, self.covariance_roots, strict=True
            ):
                half = cholesky.solve_transposed(root, np.asfortranarray(rows.T))
                variance = (half**2).sum(axis=0) + self.intercept_variances[arm]
                risks[:, arm] += share * _normal_mean(rows @ coefficients, variance, self.link)
        return risks

    def coefficient_draws(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Posterior draws of the coefficients, shape (count, q).

        Every draw has a mirror image about its fit's coefficients.
        """
        drawn = []
        for share, coefficients, root in zip(
            _counts(self.shares, count), self.coefficients, self.covariance_roots, strict=True
        ):
            noise = rng.normal(size=((share + 1) // 2, len(coefficients)))
            noise = np.vstack([noise, -noise])[:share]
            drawn.append(coefficients + cholesky.solve(root, np.asfortranarray(noise.T)).T)
        return np.vstack(drawn)

    def risk_draws(
        self, prognosis: FloatArray, effect: FloatArray, count: int, rng: np.random.Generator
    ) -> FloatArray:
        """Posterior draws of the risks, shape (count, k, 2).

        Their mean is near to `risks`, since draws of the coefficients have mirror images.

        Parameters
        ----------
        prognosis, effect
            As in `risks`.
        count
            Number of draws.
        rng
            Generator.
        """
        every = self.coefficient_draws(count, rng)
        draws = np.empty((count, len(prognosis), 2))
        for rows in row_parts(len(prognosis), 4 * count):
            for arm in (0, 1):
                predictor = every @ self._rows(prognosis[rows], effect[rows], arm).T
                variance = self.intercept_variances[arm]
                draws[:, rows, arm] = marginal_mean(predictor, variance, self.link)
        return draws


def _normal_mean(centre: FloatArray, variance: FloatArray, link: Link) -> FloatArray:
    """Mean of the inverse link of normal variables with a variance each, shape (k,)."""
    if link == "log":
        return marginal_mean(centre + variance / 2, 0.0, "log")
    spread, total = np.sqrt(variance), np.zeros_like(centre)
    for node, weight in zip(*hermite_nodes(_NODES), strict=True):
        total += weight * expit(centre + node * spread)
    return np.clip(total, 0.0, 1.0)


def _counts(shares: FloatArray, count: int) -> list[int]:
    """Numbers of draws in proportion to the shares, ``count`` together."""
    ends = [round(count * float(share)) for share in np.cumsum(shares)]
    return [end - start for start, end in pairwise([0, *ends])]
