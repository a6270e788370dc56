"""The estimator of individual effects: one interface for learners and ensembles."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from tauhat._typing import FloatArray
from tauhat.data import TrialData, check_covariates, validate_trial
from tauhat.fitting.bootstrap import bootstrap_standard_error, t_quantile
from tauhat.fitting.learning_view import learning_view
from tauhat.fitting.nuisance import Nuisance, NuisanceFit, fit_nuisances, pick
from tauhat.fitting.reference_posterior import Reference, sample_reference
from tauhat.fitting.risks_of_arms import RisksOfArms
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.runtime.parallel import run_in_parts
from tauhat.tables.extremes import warn_of_far_values

# Share of an estimator's own posterior in the mixture of its intervals. With equal shares they
# were wider than need be: its trees are too sure, the reference is not sure enough.
_OWN_SHARE = 0.6
# The same where persons are randomized, for posteriors of risks: with more, intervals were too
# narrow where effects have steps.
_OWN_SHARE_OF_RISKS = 0.3

_Pair = tuple[FloatArray, FloatArray]

_TRIAL_ARGUMENTS = dict.fromkeys(
    ("treatment", "clusters", "sample_weight", "blocks", "propensity"), True
)
_ROUTING = (
    " GridSearchCV, cross_validate and other tools of scikit-learn hand on what they are given, "
    "such as treatment= and clusters=, after sklearn.set_config(enable_metadata_routing=True)"
)


class CateEstimator(RisksOfArms, BaseEstimator):  # type: ignore[misc]
    r"""Estimator of the conditional average treatment effect of a two-arm trial.

    .. math:: \tau(x, v) = E[Y(1) - Y(0) \mid X = x, V = v]

    marginal over the unobserved cluster effect: the mean effect for persons
    like this one in a new cluster.

    Parameters
    ----------
    random_state
        Seed; the same seed gives the same result whatever ``n_jobs``, the
        order of the rows and the labels of the clusters.
    n_jobs
        Number of fits that run at once, each on one thread.

    Attributes
    ----------
    has_draws
        Whether `effect_draws` gives posterior draws.
    flips_exactly
        Whether exchanging the arms turns the sign of the effect to rounding
        error (Markov chains do it only on average).
    """

    has_draws: ClassVar[bool] = False
    flips_exactly: ClassVar[bool] = True
    #: Name that users type for it (`tauhat.registry`), where the class has one of its own.
    registered_name: ClassVar[str] = ""

    # What scikit-learn's tools hand on once `sklearn.set_config(enable_metadata_routing=True)`.
    __metadata_request__fit: ClassVar[dict[str, bool]] = _TRIAL_ARGUMENTS
    __metadata_request__score: ClassVar[dict[str, bool]] = _TRIAL_ARGUMENTS

    random_state: Any
    n_jobs: int

    @abstractmethod
    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Outcome regressions that `fit_effect` needs; equal ones are fitted once."""

    @abstractmethod
    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit the effect, given the declared regressions by name."""

    @abstractmethod
    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates of shape (k, p), shape (k,), before `bounded`."""

    def draw_effect(self, X: FloatArray) -> FloatArray:
        """Posterior draws at checked covariates, shape (draws, k), before `bounded`."""
        raise NotImplementedError(
            f"{self.known_as} has no posterior; use effect_interval for its uncertainty"
        )

    def bounded(self, effect: FloatArray) -> FloatArray:
        """Effects no larger than can be: within -1 and 1 for a 0/1 outcome.

        By `tauhat.endpoint.Endpoint.bounded`; a model that does not know bounds can give more.
        """
        return self.trial_data_.endpoint.bounded(effect)

    def reduced(self) -> Self:
        """Return an unfitted copy at the settings that a bootstrap can afford."""
        copy: Self = clone(self)
        return copy

    def fit(
        self,
        X: Any,
        y: Any,
        treatment: Any = None,
        clusters: Any = None,
        sample_weight: Any = None,
        blocks: Any = None,
        propensity: Any = None,
    ) -> Self:
        """Fit to a trial.

        All but ``X`` and ``y`` are best given by name; the order is that of
        ``fit(*trial)``.

        Parameters
        ----------
        X
            Numeric covariates without missing values, shape (n, p): individual-
            and cluster-level columns side by side.
        y
            Outcome, shape (n,).
        treatment
            Arm, 0 (control) or 1 (treated), shape (n,); constant within cluster.
        clusters
            Cluster label of each row, of any type, shape (n,), or None when
            persons were randomized.
        sample_weight
            Positive weights, shape (n,), or None. Only their ratios matter.
        blocks
            Label of the randomization block of each row, or None. Blocks with one
            arm only are left out of the fit.
        propensity
            Known probability of treatment, a number or one a row. None means
            the share of treated units (within block) that the design fixed.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the arrays do not make a two-arm trial; the message names the
            argument, column or count.
        """
        if treatment is None:
            raise ValueError(f"fit(X, y, treatment=...) needs the treatment.{_ROUTING}")
        data = validate_trial(X, y, treatment, clusters, sample_weight, blocks, propensity)
        warn_of_far_values(check_covariates(X), data)
        return self.fit_data(data)

    def fit_data(self, data: TrialData) -> Self:
        """Fit to arrays already checked and in canonical order."""
        data = learning_view(data)
        seed = resolve_seed(self.random_state)
        declared = self.declare_nuisances(data, seed)
        fits = fit_nuisances(declared, data, n_jobs=self.n_jobs)
        return self.fit_with(data, pick(declared, fits), seed)

    def fit_with(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> Self:
        """Fit from the declared regressions, computed elsewhere, by their names.

        Both are of the trial as its learners see it (`tauhat.fitting.learning_view.learning_view`).
        """
        self.start_fit(data, seed)
        self.fit_effect(data, nuisances, seed)
        return self

    def start_fit(self, data: TrialData, seed: int) -> None:
        """Take the trial, its columns and the seed; drop what an earlier fit left.

        Every way to fit comes through here: the names of the columns are what
        `effect` and the others hold new covariates to.
        """
        if data.learning is None:
            raise ValueError("fitting needs the learners' view of the trial; see learning_view")
        self.n_features_in_ = data.X.shape[1]
        for name in ("feature_names_in_", "reference_posterior_"):
            self.__dict__.pop(name, None)
        if data.names_given:
            self.feature_names_in_ = np.array(data.feature_names, dtype=object)
        self.seed_ = seed
        self.trial_data_ = data

    @property
    def table(self) -> pd.DataFrame:
        """What it is and, once fitted, the spread of its effects over the trial: item, value."""
        rows: list[tuple[str, Any]] = [("estimator", self.known_as)]
        if not hasattr(self, "trial_data_"):
            return pd.DataFrame([*rows, ("fitted", "no")], columns=["item", "value"])
        data: Any = self.trial_data_
        if not isinstance(data, TrialData):
            left_out = ("fitted", "yes; the trial's rows were not saved")
            return pd.DataFrame([*rows, left_out], columns=["item", "value"])
        effect = self.bounded(self.predict_effect(data.X))
        low, middle, high = np.quantile(effect, [0.1, 0.5, 0.9])
        rows += [
            ("persons", data.n),
            ("clusters", data.n_units if data.design.holds_persons else "none"),
            ("covariates", len(data.feature_names)),
            ("mean effect", float(effect.mean())),
            ("SD of effects", float(effect.std())),
            ("tenth, median, nine tenths", f"{low:.4g}, {middle:.4g}, {high:.4g}"),
        ]
        weights = getattr(self, "weights_", None) or {}
        rows += [(f"weight of {name}", float(share)) for name, share in weights.items()]
        return pd.DataFrame(rows, columns=["item", "value"])

    @property
    def known_as(self) -> str:
        """Name that users type for it, or of its class."""
        return self.registered_name or type(self).__name__

    @property
    def text(self) -> str:
        """What it is and, once fitted, what it found, in a sentence."""
        name = self.known_as
        if not hasattr(self, "trial_data_"):
            return f"{name}, not fitted."
        data: Any = self.trial_data_
        if not isinstance(data, TrialData):
            return f"{name}, fitted; the rows of its trial were not saved with it."
        raw = self.predict_effect(data.X)
        effect = self.bounded(raw)
        cut = int((effect != raw).sum())
        units = f" in {data.n_units} clusters" if data.design.holds_persons else ""
        text = (
            f"{name} fitted to {data.n} persons{units}: the estimated effects have a mean of "
            f"{effect.mean():.4g} and a standard deviation of {effect.std():.4g}."
        )
        if cut:
            beyond = data.endpoint.words.beyond
            text += f" {cut} of them were larger than {beyond} and were cut."
        return text

    def effect(self, X: Any) -> FloatArray:
        """Effect of treatment for each person.

        Parameters
        ----------
        X
            Covariates with the columns of the fit, shape (k, p).

        Returns
        -------
        ndarray, shape (k,)
            In units of the outcome; positive means that treatment raises it.
            For an outcome with two values within what is possible (`bounded`).
        """
        return self.bounded(self.predict_effect(self._check_new(X)))

    def predict(self, X: Any) -> FloatArray:
        """Return `effect`, under the name that scikit-learn's tools call."""
        return self.effect(X)

    def effect_draws(self, X: Any) -> FloatArray:
        """Posterior draws of the effect, for estimators that have them.

        Parameters
        ----------
        X
            Covariates with the columns of the fit, shape (k, p).

        Returns
        -------
        ndarray, shape (draws, k)
            In units of the outcome, chain after chain, within what is possible (`bounded`).

        Raises
        ------
        NotImplementedError
            If the estimator has no posterior.
        """
        return self.bounded(self.draw_effect(self._check_new(X)))

    def effect_interval(
        self, X: Any, *, level: float = 0.95, n_bootstrap: int | None = None
    ) -> _Pair:
        r"""Pointwise interval of the effect, honest about shrinkage as well as variance.

        .. math:: \hat\tau(x) \pm t_{1-(1-level)/2,\,u-2}
                  \sqrt{ sd_R(x)^2 + \{\hat\tau(x) - m_R(x)\}^2 }

        with ``u`` randomized units and the mean and standard deviation of a
        reference posterior R, the Bayesian ridge mixed model
        (`tauhat.learners.BayesianRidgeEffect`) fitted to the same trial, of an event a
        mixture with an additive model of its log odds: the root expected squared error
        of this estimate under R. In a cluster
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

        Returns
        -------
        lower, upper
            Each of shape (k,).

        Raises
        ------
        ValueError
            If ``level`` is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level}")
        checked = self._check_new(X)
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
        return self._interval_around(self._check_new(X), centre, level)

    def _interval_around(self, checked: FloatArray, centre: FloatArray, level: float) -> _Pair:
        middle, error = self._middle_and_error(checked, centre)
        half = t_quantile(level, self.trial_data_.n_units - 2) * error
        lower, upper = np.minimum(middle - half, centre), np.maximum(middle + half, centre)
        return self.bounded(lower), self.bounded(upper)

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
        (`tauhat.fitting.reference_posterior`).
        """
        check_is_fitted(self, "n_features_in_")
        if not hasattr(self, "reference_posterior_"):
            data, seed = self.trial_data_, derive_seed(self.seed_, "reference")
            self.reference_posterior_ = run_in_parts(
                lambda on_done: sample_reference(data, seed, on_done=on_done)
            )
        return self.reference_posterior_

    def score(
        self,
        X: Any,
        y: Any,
        treatment: Any = None,
        clusters: Any = None,
        sample_weight: Any = None,
        blocks: Any = None,
        propensity: Any = None,
    ) -> float:
        r"""Negative mean squared distance to the transformed outcome, for model selection.

        .. math:: -\frac1n \sum_i \Big(\frac{(A_i-\pi_i) Y_i}{\pi_i(1-\pi_i)} - \hat\tau(X_i)\Big)^2

        Parameters are those of `fit`, on rows that the fit did not see. Where
        these are all in one arm, :math:`\pi` is the mean propensity of the fit.

        Returns
        -------
        float
            Larger is better; only differences between estimators mean anything.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before the fit.
        ValueError
            If there is no treatment, other columns than in the fit, or no two-arm trial.
        """
        checked = self._check_new(X)
        if treatment is None:
            raise ValueError(f"score(X, y, treatment=...) needs the treatment.{_ROUTING}")
        units = (treatment, clusters, sample_weight, blocks, propensity)
        data = validate_trial(checked, y, *units, to_fit=False)
        pi = data.propensity
        if propensity is None and np.ptp(data.treatment) == 0:
            pi = np.full(data.n, self.trial_data_.propensity.mean())
        transformed = (data.treatment - pi) * (data.y - data.y.mean()) / (pi * (1 - pi))
        error = transformed - self.bounded(self.predict_effect(self._within_limits(data.X)))
        return -float(np.average(error**2, weights=data.sample_weight))

    def _check_new(self, X: Any) -> FloatArray:
        check_is_fitted(self, "n_features_in_")
        expected = self.trial_data_.feature_names
        if hasattr(X, "columns") and not hasattr(self, "feature_names_in_"):
            # The fit knew no names: columns go by position, faults by their names here.
            X = check_covariates(X)
        checked = check_covariates(X, expected)
        warn_of_far_values(checked, self.trial_data_, new=True)
        return self._within_limits(checked)

    def _within_limits(self, X: FloatArray) -> FloatArray:
        """Covariates with values far outside those of the trial read as in the trial."""
        return X if self.trial_data_.limits is None else self.trial_data_.limits.apply(X)
