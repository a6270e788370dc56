"""Mixed models of both arms on a link's scale, read as risks or rates in new clusters."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.design import Intercepts
from tauhat.fitting.allocation import allocation_basis
from tauhat.fitting.identified_intercepts import identified_intercepts
from tauhat.fitting.risk_form import RiskForm
from tauhat.numerics.additive_columns import AdditiveColumns
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.mixed_logit import GeneralisedFit
from tauhat.numerics.responses import Response
from tauhat.numerics.risk_mixture import RiskMixture
from tauhat.numerics.standardised_columns import constant_within
from tauhat.numerics.two_arm_logit import TwoArmModel

_DRAWS = 300


class TwoArmForm(RiskForm):
    r"""A linear predictor that is a sum of column blocks, and so is what treatment adds to it.

    .. math::
        \eta_{ij} = o_{ij} + \alpha + \sum_k P_k u_k
        + (A_i - \tfrac12)\Big\{\delta + \sum_k P_k t_k\Big\} + g_{s(i)} + b_i, \qquad
        \mu_a(x) = \mathrm{E}_{b,g}\,g^{-1}(\eta_a + b + g)

    (`tauhat.numerics.two_arm_logit.TwoArmModel`), with the outcome as it was measured and
    random intercepts of clusters and blocks.

    Attributes
    ----------
    interactions
        Whether treatment adds more than a constant.
    by_arm
        Whether the clusters' intercept has a variance in each arm.
    """

    interactions: bool = True
    by_arm: bool = False

    posterior_: RiskMixture

    @abstractmethod
    def response(self, data: TrialData) -> Response:
        """The outcome as it was measured."""

    def offset(self, data: TrialData) -> FloatArray | None:
        """Known part of the linear predictor, shape (n,); None without any."""
        return None

    def likelihood_weight(self, data: TrialData) -> FloatArray | None:
        """Weights of the rows' likelihoods, shape (n,); None where all are alike."""
        return data.sample_weight

    @abstractmethod
    def residual_variance(self, fit: GeneralisedFit) -> float:
        """Variance on the scale of the link that is neither of clusters nor of blocks."""

    @abstractmethod
    def blocks(self, X: FloatArray) -> list[FloatArray]:
        """Column blocks at some covariates, each of shape (k, columns)."""

    def fit_model(
        self, data: TrialData, seed: int, *, held: tuple[float, float] | None = None
    ) -> None:
        """Fit the model.

        Parameters
        ----------
        data
            The trial as its learners see it.
        seed
            Seed of the draws.
        held
            Variances of the first block and of its interaction, or None to estimate them.
        """
        intercepts, arms = identified_intercepts(data, by_arm=self.by_arm)
        intercepts = intercepts.at_most_two()
        two_arms = self.two_arm_model(data, intercepts, arms)
        variances = None
        if held is not None:
            variances = np.full(two_arms.model.n_variances, np.nan)
            variances[[0, two_arms.effect_blocks[0]]] = held
        fit = two_arms.fit(variances)
        self.posterior_ = RiskMixture.of(two_arms, fit, average=held is None)
        model, between = fit.model, fit.model.cluster_variances
        self.components_ = intercepts.components(
            [float(between.mean()) if len(between) else 0.0, model.nesting_variance],
            self.residual_variance(model),
            None if arms is None else (float(between[0]), float(between[1])),
        )
        of_levels = (model.cluster_effects, model.nesting_effects)
        of_blocks = intercepts.groups_are_blocks
        self.cluster_effects_ = np.zeros(0) if of_blocks else of_levels[intercepts.n_within]
        self.seed_ = seed

    def two_arm_model(
        self, data: TrialData, intercepts: Intercepts, arms: IntArray | None = None
    ) -> TwoArmModel:
        """The model before it is fitted, see `fit_model`; ``arms`` of clusters that differ."""
        blocks = self.blocks(data.X)
        # Levels that go with the probability of treatment; new persons have their mean.
        levels = allocation_basis(data)
        self.n_levels_ = levels.shape[1]
        return TwoArmModel(
            self.response(data),
            data.treatment.astype(np.float64),
            [*blocks, levels] if self.n_levels_ else blocks,
            blocks if self.interactions else [],
            clusters=intercepts.groups,
            weight=self.likelihood_weight(data),
            offset=self.offset(data),
            cluster_groups=arms,
            nesting=None if intercepts.groups is None else intercepts.nesting,
        )

    def designs(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Columns of the prognosis and of the effect, each of k rows."""
        blocks = np.hstack(self.blocks(X))
        prognosis = np.hstack([blocks, np.zeros((len(X), self.n_levels_))])
        return prognosis, blocks[:, : self.posterior_.n_effect]

    def risks(self, X: FloatArray) -> FloatArray:
        """Mean risks or rates without and with treatment in a new cluster, shape (k, 2)."""
        return self.posterior_.risks(*self.designs(X))

    def risk_draws(self, X: FloatArray) -> FloatArray:
        """Posterior draws of these, shape (300, k, 2)."""
        rng = np.random.default_rng(self.seed_)
        return self.posterior_.risk_draws(*self.designs(X), _DRAWS, rng)


class AdditiveForm(TwoArmForm):
    """`TwoArmForm` of lines and smooth curves.

    Parameters
    ----------
    n_splines
        Size of each B-spline basis; 0 for lines only.
    interactions, by_arm
        As in `TwoArmForm`.
    """

    def __init__(
        self,
        *,
        n_splines: int = 10,
        interactions: bool = True,
        by_arm: bool = False,
    ) -> None:
        self.n_splines = n_splines
        self.interactions = interactions
        self.by_arm = by_arm

    def fit(self, data: TrialData, seed: int) -> Self:
        """Fit to a trial as its learners see it."""
        self.with_columns(data).fit_model(data, seed)
        return self

    def with_columns(self, data: TrialData) -> Self:
        """Choose lines and curves for the covariates of a trial as its learners see it."""
        cluster_level = constant_within(data.X, identified_clusters(data.clusters))
        self.columns_ = AdditiveColumns.of(
            data.X, cluster_level, data.n_units, self.n_splines, data.sample_weight
        )
        return self

    def blocks(self, X: FloatArray) -> list[FloatArray]:
        """Lines, and curves if any."""
        return self.columns_.blocks(X)
