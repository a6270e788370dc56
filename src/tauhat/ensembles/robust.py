"""The flagship: part of the weight is given, the rest is earned on rows not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.cross_fitted import CrossFittedEnsemble
from tauhat.ensembles.ensemble import Ensemble, MemberFit, Members, fit_member, lost_member
from tauhat.ensembles.explanation import Explanation, explain_weights
from tauhat.ensembles.losses import EffectLoss, effect_loss, imputed_loss
from tauhat.ensembles.out_of_fold import CrossFit, HeldOut
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.learners.catalog import ensemble_member, outcome_model
from tauhat.learners.meta import N_FOLDS
from tauhat.learners.x import XLearner
from tauhat.numerics.effect_evidence import effect_evidence
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.simplex import simplex_minimum
from tauhat.numerics.slope_prior import posterior_probability
from tauhat.outcome.stacked import StackedModel
from tauhat.outcome_model import OutcomeModel
from tauhat.runtime.parallel import run_tasks

#: Members that earn their weights when persons are randomized.
INDIVIDUAL_MEMBERS = ("LMM", "GAMM", "T-Linear", "X-BART", "X-RF", "BCF", "BRM")
#: Members when clusters are randomized.
CLUSTER_MEMBERS = (
    "LMM", "GAMM", "BART-RE", "BCF-RE", "BRM", "Effect-Boosting", "X-GAMM-RF", "Additive-Boosting",
)  # fmt: skip
#: Outcome models of the stack that imputes effects when persons are randomized.
STACK = ("Linear", "RF", "Boosting", "AGLM", "BART", "GAMM")
#: Second stages of the X-learners on that stack, whose weights are given.
GIVEN = ("BART", "RF", "Boosting", "Stack")
#: Members that are given weight when clusters are randomized.
CLUSTER_GIVEN = ("BCF-RE", "BRM", "Additive-Boosting")

#: Member to which given weight goes as far as the outcomes speak for a straight line.
STRAIGHT = "T-Linear"

# Names that no member can have, since theirs come before a slash.
_IMPUTED = "/imputed"
_N_RESAMPLES = 50
# Members of a cluster trial whose losses differ by less than this many residual variances
# cannot be told apart.
_TEMPERATURE = 16.0


def imputing_stack() -> StackedModel:
    """Convex stack of six outcome models, for the arms of an individual trial."""
    return StackedModel([(name, outcome_model(name)) for name in STACK], weights="convex")


def second_stage(name: str) -> OutcomeModel:
    """Regression of the imputed effects: an outcome model, or "Stack" for all six together."""
    if name != "Stack":
        return outcome_model(name)
    return StackedModel([(part, outcome_model(part)) for part in STACK], weights="nnls")


class RobustEnsemble(CrossFittedEnsemble):
    r"""Ensemble that is near the best member where one is right, and safe elsewhere.

    .. math::
        \hat\tau(x) = \bar\tau + s\,\{\tilde\tau(x) - \bar\tau\}, \qquad
        \tilde\tau(x) = \sum_k \{\gamma g_k + (1 - \gamma) e_k\} \hat\tau_k(x)

    A share :math:`\gamma` of the weight is *given*, whatever the data say, so
    that no fluke of the data can put everything on one wrong member. When
    persons are randomized it goes in equal parts to four X-learners whose first
    stage is a convex stack of six outcome models (second stages: BART, forest,
    boosting, stack), except for the part of it that T-Linear gets: the
    posterior probability that an effect that varies does so in straight lines
    only, which such X-learners find hard. When clusters are randomized, equal
    parts go to BCF-RE, BRM and Additive-Boosting. The rest is *earned*. When
    persons are randomized, by the weights :math:`e \ge 0`, :math:`1'e = 1`,
    with the least out-of-fold loss,

    .. math::
        \sum_i \Big\{D_i - \sum_k e_k \hat\tau_k^{-f(i)}(X_i)\Big\}^2, \qquad
        D_i = \begin{cases} Y_i - \hat\mu_0(X_i) & A_i = 1\\
        \hat\mu_1(X_i) - Y_i & A_i = 0\end{cases}

    averaged over exponential reweightings of the persons (a Bayesian
    bootstrap): the imputed effect :math:`D` has a quarter of the noise of a
    doubly robust score. When clusters are randomized, by tempered weights

    .. math:: e_k \propto \exp\{-L(\hat\tau_k) / (16 \hat\sigma^2)\}

    with L the whitened loss on heterogeneity only
    (`tauhat.ensembles.losses.effect_loss`): twenty clusters cannot tell the
    best combination from a lucky one.

    The factor :math:`s` is the posterior probability that the effect differs
    between persons at all, from the Bayes factor of
    `tauhat.numerics.effect_evidence.effect_evidence` and a prior mass of 0.2
    on a constant effect. The level :math:`\bar\tau`, the mean over the trial,
    is not touched.

    Parameters
    ----------
    members
        Pairs of name and estimator that earn their weights; None takes the
        library for the design. With members of your own, equal shares are given
        to them too.
    given_share
        Share :math:`\gamma` of the weight that is given.
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
    log_bayes_factor_
        Of heterogeneity against a constant effect.
    linear_
        Posterior probability that an effect that varies does so in straight
        lines only.
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

    registered_name = "Robust"

    flips_exactly: ClassVar[bool] = False
    _variances: tuple[float, float] | None = None

    def __init__(
        self,
        members: Members | None = None,
        given_share: float = 0.4,
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
        names = {"individual": INDIVIDUAL_MEMBERS, "cluster": CLUSTER_MEMBERS}[data.design.name]
        return [(name, ensemble_member(name)) for name in sorted(names)]

    def refit_members(self, data: TrialData) -> list[tuple[str, CateEstimator]]:
        """Members at the shorter settings of the bootstrap: these fits only weigh."""
        return [(name, member.reduced()) for name, member in self.resolve_members(data)]

    def resolve_given(self, data: TrialData) -> list[tuple[str, CateEstimator]]:
        """Learners whose shares are given beside the members, in the order of their names."""
        if self.members is not None or data.design.holds_persons or self.given_share == 0:
            return []
        return [
            (f"X-Stack-{name}", XLearner(imputing_stack(), second_stage(name)))
            for name in sorted(GIVEN)
        ]

    def own_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Regressions for the loss, and those of the learners that are given a share."""
        declared = list(super().own_nuisances(data, seed))
        if not data.design.holds_persons:
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
        self._variances = None
        intercepts = data.design.intercepts()
        evidence = effect_evidence(
            data.X,
            data.working_with_blocks,
            data.treatment - data.propensity,
            identified_clusters(intercepts.groups),
            data.sample_weight,
            derive_seed(self.seed_, "evidence"),
            intercepts.nesting,
        )
        self.log_bayes_factor_ = evidence.log_bayes_factor
        self.linear_ = evidence.linear
        self.imputed_ = None if data.design.holds_persons else _impute(data, nuisances)
        self._given_fits = {name: fit for (name, _), fit in zip(given, results, strict=True)}
        super()._combine(fits, data, held_out, nuisances)
        del self._given_fits

    def combine(self, fits: Mapping[str, MemberFit], data: TrialData) -> None:
        """Weigh the members and the given learners that could be fitted."""
        super().combine({**fits, **self._given_fits}, data)

    def weigh(self, data: TrialData, effects: Mapping[str, FloatArray]) -> None:
        """Weigh the fitted members, and judge whether their heterogeneity is real."""
        earning = [name for name in self.members_ if name in self.cross_fit_.names]
        if not earning:
            raise ValueError(f"no member could be fitted out of fold: {self.failures_}")
        self.cross_fit_ = self.cross_fit_.only(earning)
        Ensemble.weigh(self, data, effects)
        raw = super().combined(effects)
        self.level_ = float(np.average(raw, weights=data.sample_weight))

    def learn(self, data: TrialData, cross_fit: CrossFit) -> tuple[float, FloatArray]:
        """No constant, and the earned weights; the rest of what was learned is kept."""
        loss = self._loss(data, cross_fit)
        system = loss.system()
        rng = np.random.default_rng(derive_seed(self.seed_, "weights"))
        draws = np.array(
            [
                _earn(loss, *system, rng.exponential(size=data.n_units)[data.design.unit])
                for _ in range(_N_RESAMPLES)
            ]
        )
        earned = draws.mean(axis=0)
        if data.design.holds_persons:
            earned = _earn(loss, *system, np.ones(data.n))
        self.earned_ = dict(zip(cross_fit.names, earned.tolist(), strict=True))
        self.earned_sd_ = dict(zip(cross_fit.names, draws.std(axis=0).tolist(), strict=True))
        self.shrinkage_ = posterior_probability(self.log_bayes_factor_)
        return 0.0, earned

    def _loss(self, data: TrialData, cross_fit: CrossFit) -> EffectLoss:
        if self.imputed_ is None:
            # Weighed again without a member, the outcomes and so their noise are the same.
            loss = effect_loss("residual", data, cross_fit, self._variances)
            self._variances = (loss.between, loss.variance)
            return loss
        return imputed_loss(self.imputed_, data, cross_fit)

    def aggregate(self, effects: FloatArray, names: Sequence[str], data: TrialData) -> FloatArray:
        """Given and earned weight of every member."""
        self.intercept_, earned = self.learn(data, self.cross_fit_)
        earning = list(self.cross_fit_.names)
        given = [name for name in names if name not in earning]
        lines = self._given_to_lines()
        if not given and self.members is None:
            given = [name for name in names if name in CLUSTER_GIVEN]
        given = given or earning
        weights = pd.Series(0.0, index=list(names))
        weights[given] += (1 - lines) * self.given_share / len(given)
        weights[earning] += (1 - self.given_share) * earned
        if lines:
            weights[STRAIGHT] += lines * self.given_share
        return np.asarray(weights, dtype=np.float64)

    def _given_to_lines(self) -> float:
        """Share of the given weight that goes to the straight line, beside learners that bend."""
        earning = set(self.cross_fit_.names)
        return self.linear_ if STRAIGHT in earning and set(self.members_) - earning else 0.0

    def combined(self, effects: Mapping[str, FloatArray]) -> FloatArray:
        """Effect of some persons, given the members' effects on them by name."""
        return self.level_ + self.shrinkage_ * (super().combined(effects) - self.level_)

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
        # A loaded model has to predict them again.
        known = getattr(self, "training_effects_", None)
        effects = self.member_effects(self.trial_data_.X) if known is None else known
        return explain_weights(
            effects=effects,
            weights=self.weights_,
            earned=self.earned_,
            earned_sd=self.earned_sd_,
            given_share=self.given_share,
            lines=(STRAIGHT, self._given_to_lines()),
            shrinkage=self.shrinkage_,
            effect=self.combined(effects),
            agreement=self.agreement_,
        )


def _impute(data: TrialData, nuisances: Mapping[str, NuisanceFit]) -> FloatArray:
    """Effect of each person imputed by the stack of the other arm, shape (n,)."""
    control = nuisances[f"{_IMPUTED}/control"].fitted.predict(data.X)
    treated = nuisances[f"{_IMPUTED}/treated"].fitted.predict(data.X)
    return np.where(data.treatment == 1, data.working - control, treated - data.working)


def _earn(
    loss: EffectLoss, target: FloatArray, columns: FloatArray, weight: FloatArray
) -> FloatArray:
    """Earned weights when the rows of the loss are weighed."""
    if not loss.heterogeneity_only:
        weighed = columns * weight[:, None]
        return simplex_minimum(weighed.T @ columns, weighed.T @ target)
    losses: FloatArray = weight @ (target[:, None] - columns) ** 2 / loss.variance
    earned: FloatArray = np.exp((losses.min() - losses) / _TEMPERATURE)
    earned /= earned.sum()
    return earned
