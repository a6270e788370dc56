"""The flagship: half of the weight is given, half is earned on rows not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from tauhat._typing import FloatArray
from tauhat.base import OutcomeModel
from tauhat.cate_estimator import CateEstimator
from tauhat.data import TrialData
from tauhat.ensembles.cross_fitted import CrossFittedEnsemble
from tauhat.ensembles.ensemble import Ensemble, MemberFit, Members, fit_member, lost_member
from tauhat.ensembles.explanation import Explanation, explain_weights
from tauhat.ensembles.losses import EffectLoss, effect_loss, imputed_loss
from tauhat.ensembles.out_of_fold import CrossFit, HeldOut
from tauhat.errors import TrialError
from tauhat.learners.catalog import ensemble_member, outcome_model
from tauhat.learners.meta import N_FOLDS
from tauhat.learners.x import XLearner
from tauhat.nuisance import Nuisance, NuisanceFit
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.simplex import simplex_minimum
from tauhat.numerics.slope_prior import probability_real
from tauhat.outcome.stacked import StackedModel
from tauhat.parallel import run_tasks

#: Members that earn their weights when persons are randomized.
INDIVIDUAL_MEMBERS = ("LMM", "GAMM", "X-BART", "X-RF", "BCF", "BRM")
#: Members when clusters are randomized.
CLUSTER_MEMBERS = ("LMM", "GAMM", "BART-RE", "BCF-RE", "BRM", "Effect-Boosting", "X-GAMM-RF")
#: Outcome models of the stack that imputes effects when persons are randomized.
STACK = ("Linear", "RF", "Boosting", "AGLM", "BART", "GAMM")
#: Second stages of the X-learners on that stack, whose weights are given.
GIVEN = ("BART", "RF", "Boosting")

# Names that no member can have, since theirs come before a slash.
_IMPUTED = "/imputed"
_N_RESAMPLES = 50


def imputing_stack() -> StackedModel:
    """Convex stack of six outcome models, for the arms of an individual trial."""
    return StackedModel([(name, outcome_model(name)) for name in STACK], weights="convex")


class RobustEnsemble(CrossFittedEnsemble):
    r"""Ensemble that is near the best member where one is right, and safe elsewhere.

    .. math::
        \hat\tau(x) = \bar\tau + s\,\{\tilde\tau(x) - \bar\tau\}, \qquad
        \tilde\tau(x) = \sum_k \Big(\frac{g_k}{2} + \frac{e_k}{2}\Big) \hat\tau_k(x)

    Half of the weight is *given*: equal shares, whatever the data say, so that
    no fluke of the data can put everything on one wrong member. When persons
    are randomized the shares go to three X-learners (BART, forest, boosting)
    whose first stage is a convex stack of six outcome models; when clusters are
    randomized, to all members. The other half is *earned*: weights
    :math:`e \ge 0`, :math:`1'e = 1`, with the least out-of-fold loss,

    .. math::
        \sum_i \Big\{D_i - \sum_k e_k \hat\tau_k^{-f(i)}(X_i)\Big\}^2, \qquad
        D_i = \begin{cases} Y_i - \hat\mu_0(X_i) & A_i = 1\\
        \hat\mu_1(X_i) - Y_i & A_i = 0\end{cases}

    for persons, where the imputed effect :math:`D` has a quarter of the noise
    of a doubly robust score, and the whitened residual loss on heterogeneity
    only for clusters (`tauhat.ensembles.losses.effect_loss`). They are averaged
    over exponential reweightings of the units (a Bayesian bootstrap).

    The factor :math:`s` is the posterior probability that the out-of-fold
    heterogeneity is real: with its slope b and standard error from the same
    loss, a prior mass of 0.2 on slope 0 against N(1, 0.5²). The level
    :math:`\bar\tau`, the mean over the trial, is not touched.

    Parameters
    ----------
    members
        Pairs of name and estimator that earn their weights; None takes the
        library for the design. With members of your own, equal shares are given
        to them too.
    given_share
        Share of the weight that is given.
    n_folds
        Folds of whole clusters (persons in individual trials).
    outcome_model
        Regression of the outcome for the loss of cluster trials; None takes the
        additive mixed model.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    earned_
        Earned weights by name, before the shares.
    earned_sd_
        Their standard deviations over the reweightings.
    shrinkage_
        s, between 0 and 1.
    level_
        Mean effect over the persons of the trial.
    members_, weights_, cross_fit_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.cross_fitted.CrossFittedEnsemble`; ``cross_fit_``
        holds the members that earn.

    References
    ----------
    The problem: Machluf, Frostig, Shoham, Milo, Berkman and Pryluk,
    arXiv:2407.03690. The estimator is tauhat's.

    Examples
    --------
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(300, 3)), np.tile([0, 1], 150)
    >>> y = X[:, 0] + A * (1 + X[:, 1]) + rng.normal(size=300)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "X-Linear", "T-LMM")]
    >>> model = RobustEnsemble(members, random_state=1).fit(X, y, treatment=A)
    >>> round(sum(model.weights_.values()), 6), bool(model.shrinkage_ > 0.9)
    (1.0, True)
    """

    flips_exactly: ClassVar[bool] = False

    def __init__(
        self,
        members: Members | None = None,
        given_share: float = 0.5,
        n_folds: int = N_FOLDS,
        outcome_model: OutcomeModel | None = None,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(members, n_folds, outcome_model, random_state, n_jobs)
        self.given_share = given_share

    def resolve_members(self, data: TrialData) -> list[tuple[str, CateEstimator]]:
        """Members that earn, as unfitted copies in the order of their names."""
        if not 0 <= self.given_share <= 1:
            raise TrialError(f"given_share must lie between 0 and 1, got {self.given_share}")
        if self.members is not None:
            return super().resolve_members(data)
        names = INDIVIDUAL_MEMBERS if data.clusters is None else CLUSTER_MEMBERS
        return [(name, ensemble_member(name)) for name in sorted(names)]

    def refit_members(self, data: TrialData) -> list[tuple[str, CateEstimator]]:
        """Members at the shorter settings of the bootstrap: these fits only weigh."""
        return [(name, member.reduced()) for name, member in self.resolve_members(data)]

    def resolve_given(self, data: TrialData) -> list[tuple[str, CateEstimator]]:
        """Learners whose shares are given beside the members, in the order of their names."""
        if self.members is not None or data.clusters is not None or self.given_share == 0:
            return []
        return [
            (f"X-Stack-{name}", XLearner(imputing_stack(), outcome_model(name)))
            for name in sorted(GIVEN)
        ]

    def own_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Regressions for the loss, and those of the learners that are given a share."""
        declared = list(super().own_nuisances(data, seed))
        if data.clusters is None:
            imputing = XLearner(imputing_stack()).declare_nuisances(data, seed)
            declared += [replace(one, name=f"{_IMPUTED}/{one.name}") for one in imputing]
        for name, learner in self.resolve_given(data):
            for one in learner.declare_nuisances(data, seed):
                declared.append(replace(one, name=f"/{name}/{one.name}"))
        return declared

    def _combine(
        self,
        fits: Mapping[str, MemberFit],
        data: TrialData,
        held_out: HeldOut,
        nuisances: Mapping[str, NuisanceFit],
    ) -> None:
        """Fit the given learners, impute the effects, and weigh all."""
        tasks = []
        given = self.resolve_given(data)
        for name, learner in given:
            learner.set_params(random_state=self.seed_, n_jobs=1)
            declared = learner.declare_nuisances(data, self.seed_)
            own = {one.name: nuisances[f"/{name}/{one.name}"] for one in declared}
            shared = sum(fit.seconds for fit in own.values())
            tasks.append((learner, data, own, self.seed_, shared))
        results = run_tasks(fit_member, tasks, n_jobs=self.n_jobs, on_lost=lost_member)
        self.imputed_ = None if data.clusters is not None else _impute(data, nuisances)
        self._given_fits = {name: fit for (name, _), fit in zip(given, results, strict=True)}
        super()._combine(fits, data, held_out, nuisances)
        del self._given_fits

    def combine(self, fits: Mapping[str, MemberFit], data: TrialData) -> None:
        """Weigh the members and the given learners that could be fitted."""
        super().combine({**fits, **self._given_fits}, data)

    def weigh(self, data: TrialData) -> None:
        """Weigh the fitted members, and judge whether their heterogeneity is real."""
        earning = [name for name in self.members_ if name in self.cross_fit_.names]
        if not earning:
            raise ValueError(f"no member could be fitted out of fold: {self.failures_}")
        self.cross_fit_ = self.cross_fit_.only(earning)
        Ensemble.weigh(self, data)
        raw = self._weighed(data.X)
        self.level_ = float(np.average(raw, weights=data.sample_weight))

    def learn(self, data: TrialData, cross_fit: CrossFit) -> tuple[float, FloatArray]:
        """No constant, and the earned weights; the rest of what was learned is kept."""
        loss = self._loss(data, cross_fit)
        target, columns = loss.system()
        units = np.arange(data.n) if data.clusters is None else data.clusters
        rng = np.random.default_rng(derive_seed(self.seed_, "weights"))
        draws = np.empty((_N_RESAMPLES, columns.shape[1]))
        for draw in draws:
            weight = rng.exponential(size=int(units.max()) + 1)[units]
            weighed = columns * weight[:, None]
            draw[:] = simplex_minimum(weighed.T @ columns, weighed.T @ target)
        earned: FloatArray = draws.mean(axis=0)
        self.earned_ = dict(zip(cross_fit.names, earned.tolist(), strict=True))
        self.earned_sd_ = dict(zip(cross_fit.names, draws.std(axis=0).tolist(), strict=True))
        self.shrinkage_ = _reality(loss, earned)
        return 0.0, earned

    def _loss(self, data: TrialData, cross_fit: CrossFit) -> EffectLoss:
        if self.imputed_ is None:
            return effect_loss("residual", data, cross_fit)
        return imputed_loss(self.imputed_, data, cross_fit)

    def aggregate(self, effects: FloatArray, names: Sequence[str], data: TrialData) -> FloatArray:
        """Given and earned weight of every member."""
        self.intercept_, earned = self.learn(data, self.cross_fit_)
        earning = list(self.cross_fit_.names)
        given = [name for name in names if name not in earning] or earning
        weights = pd.Series(0.0, index=list(names))
        weights[given] += self.given_share / len(given)
        weights[earning] += (1 - self.given_share) * earned
        return np.asarray(weights, dtype=np.float64)

    def _weighed(self, X: FloatArray) -> FloatArray:
        return super().predict_effect(X)

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        return self.level_ + self.shrinkage_ * (self._weighed(X) - self.level_)

    def take_over(self, source: Ensemble, *, cross_fit: bool = False) -> None:
        """Refused: the given learners and the stack would have to be fitted."""
        raise TrialError("Robust brings regressions of its own: fit it instead")

    def explain(self) -> Explanation:
        """Who has how much weight and why, as a table and sentences.

        Returns
        -------
        Explanation
            With ``table`` and ``text``.
        """
        check_is_fitted(self, "shrinkage_")
        data = self.trial_data_
        return explain_weights(
            effects=dict(zip(self.members_, self.member_effects(data.X).T, strict=True)),
            weights=self.weights_,
            earned=self.earned_,
            earned_sd=self.earned_sd_,
            given_share=self.given_share,
            shrinkage=self.shrinkage_,
            effect=self.predict_effect(data.X),
            agreement=self.agreement_,
        )


def _impute(data: TrialData, nuisances: Mapping[str, NuisanceFit]) -> FloatArray:
    """Effect of each person imputed by the stack of the other arm, shape (n,)."""
    control = nuisances[f"{_IMPUTED}/control"].fitted.predict(data.X)
    treated = nuisances[f"{_IMPUTED}/treated"].fitted.predict(data.X)
    return np.where(data.treatment == 1, data.y - control, treated - data.y)


def _reality(loss: EffectLoss, weights: FloatArray) -> float:
    """Posterior probability that the weighed out-of-fold heterogeneity is real."""
    target, columns = loss.system(free_level=True)
    spread = columns @ weights
    size = float(spread @ spread)
    if size <= 0:
        return 0.0
    slope = float(spread @ target) / size
    left = target - slope * spread
    return probability_real(slope, float(np.sqrt(left @ left / (len(left) * size))))
