"""The estimator of individual effects: one interface for learners and ensembles."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from tauhat.data import TrialData, validate_trial
from tauhat.errors import TrialError
from tauhat.fitting.fitted_effects import FittedEffects
from tauhat.fitting.learning_view import learning_view
from tauhat.fitting.nuisance import Nuisance, NuisanceFit, fit_nuisances, pick
from tauhat.fitting.prognosis_curvature import as_straight_learners_see_it, has_curvature
from tauhat.numerics.seeds import resolve_seed
from tauhat.runtime.parallel import on_one_thread
from tauhat.tables.covariate_arrays import check_covariates
from tauhat.tables.extremes import warn_of_far_values, within_limits
from tauhat.wording import counted

_TRIAL_ARGUMENTS = dict.fromkeys(
    ("treatment", "clusters", "sample_weight", "blocks", "propensity"), True
)
_ROUTING = (
    " GridSearchCV, cross_validate and other tools of scikit-learn hand on what they are given, "
    "such as treatment= and clusters=, after sklearn.set_config(enable_metadata_routing=True)"
)


#: Why most learners are refused where clusters change their arm over time.
NO_PERIODS = (
    "it has no levels of the periods, so that what else changed over time would pass for an "
    "effect; LMM, GAMM and BRM have them, and R-learners compare within periods"
)


class CateEstimator(FittedEffects, BaseEstimator):  # type: ignore[misc]
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
        error. Markov chains do it on average only, and a Bayesian causal forest, to which
        the control arm is the reference, does not.
    """

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

    def recipe(self, design: str) -> str:
        """Mark of what an estimator has learned from other trials and takes into its numbers.

        Parameters
        ----------
        design
            "individual" or "cluster".

        Returns
        -------
        str
            Another one where it learned anew; empty for an estimator that learns from the trial
            alone. A study is not continued with another mark.
        """
        return ""

    @abstractmethod
    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit the effect, given the declared regressions by name."""

    def quick(self) -> Self:
        """Return an unfitted copy that is as good for points, but not for intervals."""
        copy: Self = clone(self)
        return copy

    def reduced(self) -> Self:
        """Return an unfitted copy at the settings that a bootstrap can afford."""
        copy: Self = clone(self)
        return copy

    def fit(
        self,
        X: Any,
        y: Any = None,
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
            persons were randomized. Of several columns, shape (n, levels), the first is what
            was randomized and the others lie within, outermost first.
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
        if y is None:
            raise TrialError(
                "fit takes arrays, fit(X, y, treatment, ...): of a Trial write fit(*trial)"
            )
        if treatment is None:
            raise ValueError(f"fit(X, y, treatment=...) needs the treatment.{_ROUTING}")
        data = validate_trial(X, y, treatment, clusters, sample_weight, blocks, propensity)
        warn_of_far_values(check_covariates(X), data)
        return self.fit_data(data)

    @on_one_thread
    def fit_data(self, data: TrialData) -> Self:
        """Fit to arrays already checked and in canonical order."""
        self._check_periods(data)
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
        seen = as_straight_learners_see_it(data) if self.is_straight else data
        self.fit_effect(seen, nuisances, seed)
        return self

    def start_fit(self, data: TrialData, seed: int) -> None:
        """Take the trial, its columns and the seed; drop what an earlier fit left.

        Every way to fit comes through here: the names of the columns are what
        `effect` and the others hold new covariates to.
        """
        if data.learning is None:
            raise ValueError("fitting needs the learners' view of the trial; see learning_view")
        self._check_periods(data)
        self.n_features_in_ = data.X.shape[1]
        for name in ("feature_names_in_", "reference_posterior_", "average_risk_"):
            self.__dict__.pop(name, None)
        if data.names_given:
            self.feature_names_in_ = np.array(data.feature_names, dtype=object)
        self.seed_ = seed
        self.trial_data_ = data

    @property
    def is_straight(self) -> bool:
        """Whether its prognosis is a straight line in each covariate.

        Where outcomes are missing, it then learns without the curvature of the prognosis
        (`tauhat.fitting.prognosis_curvature`).
        """
        return False

    @property
    def has_straight_part(self) -> bool:
        """Whether it is straight, or starts from a learner that is."""
        return self.is_straight

    def sees_straight(self, data: TrialData) -> bool:
        """Whether the regressions that it declares are of outcomes without that curvature."""
        return self.is_straight and has_curvature(data)

    @property
    def knows_periods(self) -> bool:
        """Whether its model has levels of periods, which a stepped wedge or a crossover needs."""
        return False

    def _check_periods(self, data: TrialData) -> None:
        if data.design.fixed_effects.shape[1] and not self.knows_periods:
            raise TrialError(f"{self.known_as} is not supported with period=, because {NO_PERIODS}")

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
            ("clusters", data.design.n_clusters if data.design.holds_persons else "none"),
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
        units = f" in {data.design.units_in_words}" if data.design.holds_persons else ""
        text = (
            f"{name} fitted to {data.n} persons{units}: the estimated effects have a mean of "
            f"{effect.mean():.4g} and a standard deviation of {effect.std():.4g}."
        )
        if self.has_straight_part and has_curvature(data):
            lost = counted(data.n_without_outcome, "person lacks", "persons lack")
            who = "It" if self.is_straight else "Its line"
            text += f" {who} did not see how the prognosis bends, since {lost} an outcome."
        if cut:
            beyond = data.endpoint.words.beyond
            text += f" {cut} of them were larger than {beyond} and were cut."
        return text

    @on_one_thread
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
        checked = self.check_new(X)
        if treatment is None:
            raise ValueError(f"score(X, y, treatment=...) needs the treatment.{_ROUTING}")
        units = (treatment, clusters, sample_weight, blocks, propensity)
        data = validate_trial(checked, y, *units, to_fit=False)
        pi = data.propensity
        if propensity is None and np.ptp(data.treatment) == 0:
            pi = np.full(data.n, self.trial_data_.propensity.mean())
        transformed = (data.treatment - pi) * (data.y - data.y.mean()) / (pi * (1 - pi))
        error = transformed - self.bounded(
            self.predict_effect(within_limits(data.X, self.trial_data_))
        )
        return -float(np.average(error**2, weights=data.sample_weight))


def refuse_no_estimator(estimator: Any) -> None:
    """Raise a `TrialError` for what is neither an estimator nor the name of one.

    Examples
    --------
    >>> refuse_no_estimator(np.array([True, False]))
    Traceback (most recent call last):
    tauhat.errors.TrialError: this needs an estimator or the name of one, such as 'LMM' ...
    """
    if isinstance(estimator, type):
        got = f"the class {estimator.__name__}: make one of it by {estimator.__name__}()"
    elif isinstance(estimator, str) or hasattr(estimator, "set_params"):
        return
    else:
        got = f"a {type(estimator).__name__}"
    raise TrialError(
        "this needs an estimator or the name of one, such as 'LMM' "
        f"(`tauhat.estimator_names`), got {got}"
    )
