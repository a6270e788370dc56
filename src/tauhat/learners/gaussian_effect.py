"""Effects that are linear in a design, with a Gaussian posterior: the mixed models."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, get_args

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.arguments import check_level
from tauhat.data import TrialData
from tauhat.design import Intercepts
from tauhat.fitting.bootstrap import t_quantile
from tauhat.fitting.identified_intercepts import identified_intercepts
from tauhat.fitting.linked import LinkedEffect
from tauhat.numerics.mixed_model import MixedFit

BetweenCluster = Literal["common", "by-arm"]


class GaussianEffect(LinkedEffect):
    """An effect read off the coefficients of one fitted mixed model.

    What follows is of differences of means. Where the endpoint is an event the model is one of
    its log odds (`tauhat.fitting.log_odds.AdditiveLogOdds`), and the variance components are
    in squared log odds, with the variance of the logistic distribution as the residual one.

    Attributes
    ----------
    effect_coefficients_
        Coefficients of `effect_design`, in units of the outcome.
    effect_covariance_
        Their covariance at the estimated variances.
    variance_components_
        Between-cluster and residual variance, and that between blocks.
    cluster_effects_
        Predicted random intercepts by cluster number; empty without clusters.
    restricted_log_likelihood_
        REML log-likelihood of the outcome. Of two fits that differ only in
        ``between_cluster``, twice the difference is a likelihood-ratio statistic.
    """

    between_cluster: BetweenCluster

    @abstractmethod
    def effect_design(self, X: FloatArray) -> FloatArray:
        """Columns whose combination is the effect, shape (k, q)."""

    @property
    def arms_differ(self) -> bool:
        """Whether the intercept of treated clusters has a variance of its own.

        Raises
        ------
        ValueError
            If ``between_cluster`` is neither "common" nor "by-arm".
        """
        if self.between_cluster not in get_args(BetweenCluster):
            raise ValueError(
                f"between_cluster must be 'common' or 'by-arm', got {self.between_cluster!r}"
            )
        return self.between_cluster == "by-arm"

    def intercepts(self, data: TrialData) -> tuple[Intercepts, IntArray | None]:
        """Identified intercepts, and the arms of clusters if each has its own variance."""
        return identified_intercepts(data, by_arm=self.arms_differ)

    def keep(
        self, intercepts: Intercepts, fit: MixedFit, to_effect: FloatArray, scale_y: float
    ) -> None:
        """Store the effect part of a fit on the outcome's scale.

        Parameters
        ----------
        intercepts
            The random intercepts of the fit.
        fit
            Fit to the outcome over ``scale_y``.
        to_effect
            Columns that take the fit's coefficients to those of `effect_design`.
        scale_y
            Standard deviation by which the outcome was divided.
        """
        self.effect_coefficients_ = to_effect.T @ fit.coefficients * scale_y
        solved = np.linalg.solve(fit.covariance_root.T, to_effect)
        self.effect_covariance_ = fit.residual_variance * (solved.T @ solved) * scale_y**2
        by_arm = fit.between_cluster_variances * scale_y**2
        self.variance_components_ = intercepts.components(
            np.r_[fit.between_cluster_variance, fit.nesting_variances] * scale_y**2,
            fit.residual_variance * scale_y**2,
            (float(by_arm[0]), float(by_arm[1])) if len(by_arm) == 2 else None,
            # Their blocks are the last ones.
            fit.block_variances[len(fit.block_variances) - len(intercepts.crossed) :] * scale_y**2,
        )
        of_blocks = intercepts.groups_are_blocks
        effects = np.zeros(0) if of_blocks else fit.level_effects[intercepts.n_within]
        self.cluster_effects_ = effects * scale_y
        shift = fit.degrees_of_freedom * float(np.log(scale_y))
        self.restricted_log_likelihood_ = fit.restricted_log_likelihood - shift

    def predict_difference(self, X: FloatArray) -> FloatArray:
        """Difference of means at checked covariates, shape (k,)."""
        effect: FloatArray = self.effect_design(X) @ self.effect_coefficients_
        return effect

    def model_interval(self, X: Any, *, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        r"""Pointwise interval of the effect from the mixed model alone.

        .. math:: \hat\tau(x) \pm t_{1-(1-level)/2,\,u-2}\sqrt{l' V l}

        with ``u`` randomized units, the effect's design row l and the posterior
        covariance V of its coefficients at the estimated variances. It is as
        honest as the model: for a linear one, when the effect is linear;
        `effect_interval` allows for the model being wrong.

        Parameters
        ----------
        X
            Covariates with the columns of the fit, shape (k, p).
        level
            Nominal coverage for one person, averaged over persons.

        Returns
        -------
        lower, upper
            Each of shape (k,).
        """
        check_level(level)
        checked = self.check_new(X)
        centre = self.predict_effect(checked)
        if self.models_risks:
            error = self.draw_effect(checked).std(axis=0)
        else:
            design = self.effect_design(checked)
            error = np.sqrt(((design @ self.effect_covariance_) * design).sum(axis=1))
        half = t_quantile(level, self.trial_data_.n_units - 2) * error
        return self.bounded(centre - half), self.bounded(centre + half)
