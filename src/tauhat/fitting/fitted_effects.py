"""What a fitted estimator says of new persons: effects, risks and their uncertainty."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tauhat._typing import FloatArray
from tauhat.arguments import check_level
from tauhat.data import TrialData
from tauhat.fitting.bootstrap import bootstrap_standard_error, t_quantile
from tauhat.fitting.reference_posterior import Reference, sample_reference
from tauhat.fitting.risks_of_arms import RisksOfArms
from tauhat.numerics.seeds import derive_seed
from tauhat.runtime.parallel import on_one_thread, run_in_parts
from tauhat.tables.covariate_arrays import check_covariates
from tauhat.tables.extremes import warn_of_far_values, within_limits

# Share of an estimator's own posterior in the mixture of its intervals. With equal shares they
# were wider than need be: its trees are too sure, the reference is not sure enough.
_OWN_SHARE = 0.6
# The same where persons are randomized, for posteriors of risks: with more, intervals were too
# narrow where effects have steps.
_OWN_SHARE_OF_RISKS = 0.3

_Pair = tuple[FloatArray, FloatArray]


class FittedEffects(RisksOfArms):
    """Effects and risks of a fitted estimator, which `tauhat.CateEstimator` is.

    Attributes
    ----------
    has_draws
        Whether `effect_draws` gives posterior draws.
    """

    has_draws: ClassVar[bool] = False

    n_jobs: int

    @abstractmethod
    def reduced(self) -> Self:
        """Return an unfitted copy at the settings that a bootstrap can afford."""

    def bounded(self, effect: FloatArray) -> FloatArray:
        """Effects no larger than can be: within -1 and 1 for a 0/1 outcome.

        By `tauhat.endpoint.Endpoint.bounded`; a model that does not know bounds can give more.
        """
        return self.trial_data_.endpoint.bounded(effect)

    @on_one_thread
    def risks(self, X: Any) -> FloatArray:
        r"""Risk of the event, or rate of events, for each person, without and with treatment.

        Parameters
        ----------
        X
            Covariates with the columns of the fit, shape (k, p).

        Returns
        -------
        ndarray, shape (k, 2)
            Without treatment, with treatment. Risks lie between 0 and 1, of an event that is the
            higher of the outcome's two values; of counts it is both rates. In a cluster trial
            they are those in a new cluster, averaged over what clusters have apart from their
            covariates. The difference is `effect`. An estimator that models effects only has
            its effect :math:`\tau` put about the arms' average risk m of a mixed logistic
            regression (`tauhat.fitting.average_risk.AverageRisk`; of counts a log-linear one),
            as :math:`m - \pi\tau` and :math:`m + (1 - \pi)\tau` with the share treated
            :math:`\pi`, both moved together where one would not be possible.

        Raises
        ------
        TrialError
            If the outcome is neither an event nor a count.

        Examples
        --------
        >>> import tauhat as th
        >>> rng = np.random.default_rng(1)
        >>> X, A = rng.normal(size=(400, 2)), np.arange(400) % 2
        >>> model = th.estimator("LMM").fit(X, rng.random(400) < 0.4 - 0.2 * A, treatment=A)
        >>> risks = model.risks(X)
        >>> bool(np.allclose(risks[:, 1] - risks[:, 0], model.effect(X)))
        True
        """
        checked = self.check_new(X)
        if not self.trial_data_.endpoint.mean_exposure:
            self.trial_data_.endpoint.refuse_without_events("a risk")
        return self.predict_risks(checked)

    @on_one_thread
    def effect(self, X: Any, scale: str = "difference") -> FloatArray:
        """Effect of treatment for each person.

        Parameters
        ----------
        X
            Covariates with the columns of the fit, shape (k, p).
        scale
            "difference"; of counts and of times to an event also "ratio", and of an outcome that
            is an event "ratio" and "odds ratio", those of the two `risks`. Of times it is that of
            both arms' restricted means, probabilities at the horizon, or times lost. An odds ratio
            of risks is nearer to one than that of a model with a random intercept, which compares
            persons of the same cluster.

        Returns
        -------
        ndarray, shape (k,)
            A difference in units of the outcome; positive means that treatment raises it. For
            an outcome with two values within what is possible (`bounded`).

        Raises
        ------
        TrialError
            If effects on such an outcome cannot be told on the scale.

        Examples
        --------
        >>> import tauhat as th
        >>> rng = np.random.default_rng(1)
        >>> X, A = rng.normal(size=(400, 2)), np.arange(400) % 2
        >>> model = th.estimator("LMM").fit(X, rng.random(400) < 0.4 - 0.2 * A, treatment=A)
        >>> bool(np.median(model.effect(X)) < 0), bool(np.median(model.effect(X, "ratio")) < 1)
        (True, True)
        """
        checked = self.check_new(X)
        told = self.trial_data_.endpoint.scale(scale)
        if told.is_log:
            return told.of(self.predict_risks(checked))
        return self.bounded(self.predict_effect(checked))

    def predict(self, X: Any) -> FloatArray:
        """Return `effect`, under the name that scikit-learn's tools call."""
        return self.effect(X)

    @on_one_thread
    def effect_draws(self, X: Any, scale: str = "difference") -> FloatArray:
        """Posterior draws of the effect, for estimators that have them.

        Parameters
        ----------
        X
            Covariates with the columns of the fit, shape (k, p).
        scale
            As in `effect`; ratios are of draws of both risks.

        Returns
        -------
        ndarray, shape (draws, k)
            Chain after chain, differences within what is possible (`bounded`).

        Raises
        ------
        NotImplementedError
            If the estimator has no posterior.
        TrialError
            If effects on such an outcome cannot be told on the scale.
        """
        checked = self.check_new(X)
        told = self.trial_data_.endpoint.scale(scale)
        if told.is_log:
            return told.of(self.draw_risks(checked))
        return self.bounded(self.draw_effect(checked))

    @on_one_thread
    def effect_interval(
        self,
        X: Any,
        *,
        level: float = 0.95,
        n_bootstrap: int | None = None,
        scale: str = "difference",
    ) -> _Pair:
        r"""Pointwise interval of the effect, honest about shrinkage as well as variance.

        .. math:: \hat\tau(x) \pm t_{1-(1-level)/2,\,u-2}
                  \sqrt{ sd_R(x)^2 + \{\hat\tau(x) - m_R(x)\}^2 }

        with ``u`` randomized units and the mean and standard deviation of a
        reference posterior R, the Bayesian ridge mixed model
        (`tauhat.learners.BayesianRidgeEffect`) fitted to the same trial, of an event a
        mixture with an additive model of its log odds: the root expected squared error
        of this estimate under R, of an event no less than what a trial of this size may
        overlook (`tauhat.fitting.reference_posterior.EventReference`). In a cluster
        trial an estimator P with posterior draws has

        .. math:: 0.6\,m_P(x) + 0.4\,m_R(x) \pm t_{1-(1-level)/2,\,u-2}
                  \sqrt{ 0.6\,sd_P(x)^2 + 0.4\,sd_R(x)^2
                  + 0.24\,\{m_P(x) - m_R(x)\}^2 }

        instead (where persons are randomized .3, .7 and .21), mean and standard
        deviation of a mixture of both posteriors, stretched to the estimate where that
        lies outside (at levels above .6 it cannot). Where persons are randomized only
        posteriors of risks have a part in it: those of trees for differences of means
        were measured to be too narrow.

        An interval covers one person's effect on average over persons like
        those of the trial, not at every x: steps and tails of the effect are
        covered less. Nothing is refitted.

        Parameters
        ----------
        X
            Covariates with the columns of the fit, shape (k, p).
        level
            Nominal coverage for one person, averaged over persons.
        n_bootstrap
            None for the above. A number asks for
            :math:`\hat\tau(x) \pm t\, se(x)` instead, from that many refits at
            reduced settings on whole units drawn with replacement within arm and
            block: it measures variance only and falls short where the effect is
            nonlinear.
        scale
            As in `effect`. The interval of a ratio is made on the log scale from that of the
            difference, and widened by the error of the average risk
            (`tauhat.fitting.average_risk.AverageRisk.interval`).

        Returns
        -------
        lower, upper
            Each of shape (k,).

        Raises
        ------
        ValueError
            If ``level`` is not between 0 and 1.
        TrialError
            If effects on such an outcome cannot be told on the scale.
        """
        check_level(level)
        checked = self.check_new(X)
        told = self.trial_data_.endpoint.scale(scale)
        lower, upper = self._interval_of_difference(checked, level, n_bootstrap)
        if not told.is_log:
            return lower, upper
        return self.average_risk().interval(
            checked,
            self.predict_risks(checked),
            (self._risk_difference(lower), self._risk_difference(upper)),
            told,
            t_quantile(level, self.trial_data_.n_units - 2),
        )

    def _interval_of_difference(
        self, checked: FloatArray, level: float, n_bootstrap: int | None
    ) -> _Pair:
        """`effect_interval` on the scale of differences, at checked covariates."""
        centre = self.predict_effect(checked)
        if n_bootstrap is None:
            return self._interval_around(checked, centre, level)
        quantile = t_quantile(level, self.trial_data_.n_units - 2)
        error = bootstrap_standard_error(
            self.reduced(),
            self.trial_data_,
            checked,
            n_bootstrap=n_bootstrap,
            seed=derive_seed(self.seed_, "bootstrap"),
            n_jobs=self.n_jobs,
        )
        return self.bounded(centre - quantile * error), self.bounded(centre + quantile * error)

    def interval_around(self, X: Any, centre: FloatArray, level: float) -> _Pair:
        """`effect_interval` of persons whose effects are known, as `predict_effect` gives them."""
        return self._interval_around(self.check_new(X), centre, level)

    def _interval_around(self, checked: FloatArray, centre: FloatArray, level: float) -> _Pair:
        middle, error = self._middle_and_error(checked, centre)
        half = self.interval_scale * t_quantile(level, self.trial_data_.n_units - 2) * error
        lower, upper = np.minimum(middle - half, centre), np.maximum(middle + half, centre)
        return self.bounded(lower), self.bounded(upper)

    @property
    def interval_scale(self) -> float:
        """Factor of the half width of the intervals; other than 1 where it was learned."""
        return 1.0

    @property
    def interval_is_of_mixture(self) -> bool:
        """Whether the fitted estimator's own posterior has a part in its intervals."""
        return self.has_draws and (self.models_risks or self.trial_data_.design.holds_persons)

    def _middle_and_error(self, checked: FloatArray, centre: FloatArray) -> _Pair:
        """Middle of the interval and root expected squared error, each of shape (k,)."""
        posterior = self.reference_posterior()
        if not self.interval_is_of_mixture:
            return centre, posterior.expected_error(checked, centre)
        share = _OWN_SHARE if self.trial_data_.design.holds_persons else _OWN_SHARE_OF_RISKS
        reference, own = posterior.effect_draws(checked), self.draw_effect(checked)
        apart = own.mean(axis=0) - reference.mean(axis=0)
        middle = reference.mean(axis=0) + share * apart
        variance = share * own.var(axis=0) + (1 - share) * reference.var(axis=0)
        return middle, np.sqrt(variance + share * (1 - share) * apart**2)

    def reference_posterior(self) -> Reference:
        """Posterior of a reference model on the training trial, sampled once.

        The Bayesian ridge mixed model, mixed with another for an event
        (`tauhat.fitting.reference_posterior`); that of the estimator or of a member where it is
        that model.
        """
        check_is_fitted(self, "n_features_in_")
        if not hasattr(self, "reference_posterior_"):
            data, seed = self.trial_data_, derive_seed(self.seed_, "reference")
            own = self.own_reference(data)
            self.reference_posterior_ = own or run_in_parts(
                lambda on_done: sample_reference(data, seed, on_done=on_done)
            )
        return self.reference_posterior_

    def own_reference(self, data: TrialData) -> Reference | None:
        """What the fit has of the reference posterior of its trial; None if it has not."""
        return None

    def check_new(self, X: Any) -> FloatArray:
        """Covariates of new persons as the models take them: checked, and none far outside.

        Parameters
        ----------
        X
            Covariates with the columns of the fit, shape (k, p).

        Returns
        -------
        ndarray, shape (k, p)
        """
        check_is_fitted(self, "n_features_in_")
        expected = self.trial_data_.feature_names
        if hasattr(X, "columns") and not hasattr(self, "feature_names_in_"):
            # The fit knew no names: columns go by position, faults by their names here.
            X = check_covariates(X)
        checked = check_covariates(X, expected)
        warn_of_far_values(checked, self.trial_data_, new=True)
        return within_limits(checked, self.trial_data_)
