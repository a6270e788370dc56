"""Outcome model of both arms on the link's scale, read as the two arms' marginal risks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.integrated_intercepts import integrate_intercepts
from tauhat.numerics.marginal_risks import marginal_mean
from tauhat.numerics.mixed_logit import GeneralisedFit, GeneralisedMixedModel
from tauhat.numerics.responses import Response

# Prior standard deviations of the level, about the overall one, and of the treatment's
# coefficient: a log odds ratio of 2.5 is an odds ratio of 12.
_LEVEL_SD, _TREATMENT_SD = 10.0, 2.5
# Rate of the exponential prior on the intercepts' standard deviation: next to nothing beside a
# dozen clusters, but a few events in clusters of two do not make one of five.
_INTERCEPT_RATE = 1.0


@dataclass(frozen=True, eq=False)
class TwoArmFit:
    """Fit of `TwoArmModel`.

    Attributes
    ----------
    model
        Fit of the mixed model: level, treatment, blocks of the prognosis, of the effect.
    n_prognosis, n_effect
        Number of columns of the prognosis and of the effect.
    intercept_variances
        Variance of a new cluster's intercept in control and treatment, that of
        what the clusters lie in added.
    """

    model: GeneralisedFit
    n_prognosis: int
    n_effect: int
    intercept_variances: tuple[float, float]

    def predictors(
        self, prognosis: FloatArray, effect: FloatArray, coefficients: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Linear predictors under control and treatment at an intercept of zero.

        Parameters
        ----------
        prognosis
            All columns of the prognosis, shape (k, n_prognosis).
        effect
            All columns of the effect, shape (k, n_effect).
        coefficients
            One set of coefficients, shape (q,), or draws, shape (draws, q);
            default the estimates.

        Returns
        -------
        control, treated
            Each of shape (k,) or (draws, k).
        """
        c = self.model.coefficients if coefficients is None else coefficients
        split = 2 + self.n_prognosis
        level = c[..., :1] + c[..., 2:split] @ prognosis.T
        half = (c[..., 1:2] + c[..., split:] @ effect.T) / 2
        return level - half, level + half

    def risks(
        self, prognosis: FloatArray, effect: FloatArray, coefficients: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Marginal risks (or rates per unit of person-time) under control and treatment.

        Parameters and shapes as in `predictors`.
        """
        control, treated = self.predictors(prognosis, effect, coefficients)
        link, (of_control, of_treated) = self.model.response.link, self.intercept_variances
        return marginal_mean(control, of_control, link), marginal_mean(treated, of_treated, link)

    def risk_draws(
        self, prognosis: FloatArray, effect: FloatArray, count: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Posterior draws of the marginal risks, each of shape (count, k).

        From the normal approximation of the coefficients at the estimated
        variances: intervals from these draws alone are as narrow as the model is
        right.
        """
        return self.risks(prognosis, effect, self.model.draws(count, rng))


class TwoArmModel:
    r"""Mixed model of both arms with penalised prognosis and interactions.

    .. math::
        g(\mathrm{E}\,y) = o + \alpha + \sum_k P_k u_k
        + (A - \tfrac12)\Bigl\{\delta + \sum_k E_k t_k\Bigr\} + b_c

    with one variance a block and an exponential prior on the standard deviations
    of the effect's blocks, which switches off what has no evidence:
    :math:`\alpha \sim N(\hat\alpha_0, 10^2)` about the overall level,
    :math:`\delta \sim N(0, 2.5^2)`. The intercepts' standard deviation has a weak
    exponential prior too, of rate 1.

    Parameters
    ----------
    response
        Outcomes.
    treatment
        Arm, 0 or 1, shape (n,).
    prognosis, effect
        Column blocks in standard units; ``effect`` empty for one coefficient of
        treatment, as with a constant odds ratio.
    clusters, weight, offset, cluster_groups, nesting
        As in `tauhat.numerics.mixed_logit.GeneralisedMixedModel`; ``cluster_groups``
        are the clusters' arms, for a variance by arm.
    prior_rate
        Rate of the exponential prior on the effect blocks' standard deviations.

    Examples
    --------
    >>> from tauhat.numerics.responses import Binomial
    >>> rng = np.random.default_rng(1)
    >>> A, x = np.arange(2000) % 2, rng.normal(size=(2000, 1))
    >>> y = (rng.random(2000) < 1 / (1 + np.exp(1.5 - A * (0.5 + x[:, 0])))).astype(float)
    >>> fit = TwoArmModel(Binomial(y), A, [x], [x]).fit()
    >>> control, treated = fit.risks(np.array([[1.0]]), np.array([[1.0]]))
    >>> bool(abs(control[0] - 0.18) < 0.04), bool(abs(treated[0] - 0.5) < 0.07)
    (True, True)
    """

    def __init__(
        self,
        response: Response,
        treatment: FloatArray,
        prognosis: Sequence[FloatArray],
        effect: Sequence[FloatArray],
        *,
        clusters: IntArray | None = None,
        weight: FloatArray | None = None,
        offset: FloatArray | None = None,
        cluster_groups: IntArray | None = None,
        nesting: IntArray | None = None,
        prior_rate: float = 5.0,
    ) -> None:
        contrast = (np.asarray(treatment, dtype=np.float64) - 0.5)[:, None]
        known = np.zeros(len(contrast)) if offset is None else offset
        self.n_prognosis = sum(block.shape[1] for block in prognosis)
        self.n_effect = sum(block.shape[1] for block in effect)
        #: First of the blocks that belong to the effect, and the one after the last.
        self.effect_blocks = len(prognosis), len(prognosis) + len(effect)
        self.by_arm = cluster_groups is not None
        groups = 0 if clusters is None else 1 + self.by_arm
        nested = clusters is not None and nesting is not None
        intercepts = np.full(groups + nested, _INTERCEPT_RATE)
        self.model = GeneralisedMixedModel(
            response,
            np.hstack([np.ones((len(contrast), 1)), contrast]),
            [*prognosis, *(contrast * block for block in effect)],
            clusters,
            weight,
            known,
            prior_mean=np.array([response.crude_level(weight, known), 0.0]),
            prior_precision=np.array([_LEVEL_SD, _TREATMENT_SD]) ** -2.0,
            rates=np.r_[np.zeros(len(prognosis)), np.full(len(effect), prior_rate), intercepts],
            cluster_groups=cluster_groups,
            nesting=nesting,
        )

    def fit(self, variances: FloatArray | None = None) -> TwoArmFit:
        """Fit the model, by quasi-likelihood and then with the intercepts integrated out.

        Parameters
        ----------
        variances
            Variances to hold, nan for those to estimate; see
            `tauhat.numerics.mixed_logit.GeneralisedMixedModel.fit`.
        """
        fit = self.model.fit(variances=variances)
        blocks = len(fit.block_variances)
        held = variances is not None and not np.isnan(variances[blocks:]).any()
        fit = integrate_intercepts(self.model, fit, held=held)
        of_clusters = fit.cluster_variances if len(fit.cluster_variances) else np.zeros(1)
        control, treated = (
            float(of_clusters[arm if self.by_arm else 0]) + fit.nesting_variance for arm in (0, 1)
        )
        return TwoArmFit(fit, self.n_prognosis, self.n_effect, (control, treated))
