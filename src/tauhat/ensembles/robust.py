"""The flagship: part of the weight is given, the rest is earned on rows not seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from sklearn.utils.validation import check_is_fitted

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.ensemble import Ensemble, MemberPlan, check_units
from tauhat.ensembles.equal_shares import EqualShares
from tauhat.ensembles.evidence_shares import EvidenceShares
from tauhat.ensembles.explanation import Explanation, explain_weights
from tauhat.ensembles.given_and_earned import (
    ImputedWeights,
    TemperedWeights,
    imputing_stack,
    second_stage,
)
from tauhat.ensembles.learned_rule import rule_mark
from tauhat.ensembles.learned_weights import LearnedWeights, RuleWeights
from tauhat.ensembles.library import Members
from tauhat.ensembles.out_of_fold import OutOfFold, Refits
from tauhat.ensembles.strategy import ShrunkWeights, Strategy
from tauhat.errors import TauhatWarning, TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import NuisanceFit
from tauhat.learners.catalog import ShorterChains, ensemble_member
from tauhat.learners.meta import N_FOLDS
from tauhat.learners.x import XLearner
from tauhat.numerics.effect_evidence import EffectEvidence
from tauhat.outcome_model import OutcomeModel

#: Members that are weighed by a learned rule when clusters are randomized. BART-RE is not among
#: them: it draws the mean effect to zero.
CLUSTER_LEARNED = (
    "LMM", "GAMM", "BCF-RE", "BRM", "Effect-Boosting", "X-GAMM-RF", "Additive-Boosting",
)  # fmt: skip

#: Members that earn their weights when persons are randomized.
INDIVIDUAL_MEMBERS = ("LMM", "GAMM", "T-Linear", "X-BART", "X-RF", "BCF", "BRM")
#: Members when clusters are randomized.
CLUSTER_MEMBERS = (
    "LMM", "GAMM", "BART-RE", "BCF-RE", "BRM", "Effect-Boosting", "X-GAMM-RF", "Additive-Boosting",
)  # fmt: skip
#: Second stages of the X-learners on the imputing stack, whose weights are given.
STACKED = ("BART", "RF", "Boosting", "Stack")
STACKED_PREFIX = "X-Stack-"
#: Members that are given weight when clusters are randomized.
CLUSTER_GIVEN = ("BCF-RE", "BRM", "Additive-Boosting")


@dataclass(frozen=True)
class Recipe:
    """Which members `Robust` has in one kind of trial, and how they are weighed.

    Attributes
    ----------
    members
        Names of the members.
    weighting
        Makes the strategy that weighs them, a
        `tauhat.ensembles.strategy.Strategy`, of the share of the weight that
        is given and of the names that it goes to.
    given
        Names of the members to which that share goes; empty for all of them.
    stacked
        Second stages of X-learners on the imputing stack that stand beside the
        members, and have the given weight to themselves.
    chains
        Names of the members with shorter chains than others, and which; see
        `tauhat.learners.catalog.ensemble_member`.
    """

    members: tuple[str, ...]
    weighting: Callable[[float, tuple[str, ...]], Strategy]
    given: tuple[str, ...] = ()
    stacked: tuple[str, ...] = ()
    chains: Mapping[str, ShorterChains] = field(default_factory=dict)


# Members for an event: of both links, with an odds ratio that may differ or follows the risk, and
# trees. BRM, which lets almost anything vary, made their mean worse.
_OF_EVENTS = ("GAMM", "LMM", "Risk", "GAMM-identity")
#: Members when persons are randomized and the outcome is an event.
INDIVIDUAL_EVENT_MEMBERS = (*_OF_EVENTS, "BCF")
#: Members when clusters are.
CLUSTER_EVENT_MEMBERS = (*_OF_EVENTS, "BCF-RE")

# Members for a count, for the same reasons: effects that multiply and effects that add up.
_OF_COUNTS = ("GAMM", "LMM", "GAMM-identity")

#: The member that has all of the weight where times are measured, unless outcomes speak against it:
#: it takes the times themselves, and had the least error alone.
OF_THE_TIMES = ("PEM",)
#: Members when persons are randomized and times are measured, and when clusters are: curves,
#: straight lines and forests learn from the outcome that is made of the times what a model of
#: hazards has missed (benchmarks/time_to_event.py accuracy).
INDIVIDUAL_TIME_MEMBERS = (*OF_THE_TIMES, "GAMM", "T-Linear", "X-RF")
CLUSTER_TIME_MEMBERS = (*OF_THE_TIMES, "GAMM", "Effect-Boosting", "X-GAMM-RF")

#: Recipe by what was randomized ("individual", "cluster") and the kind of the outcome. A kind
#: without a recipe of its own takes that of `None`, and so does `weighting="shares"` where the
#: recipe is that of a learned rule.
RECIPES: dict[tuple[str, str | None], Recipe] = {
    ("individual", None): Recipe(
        INDIVIDUAL_MEMBERS,
        ImputedWeights,
        stacked=STACKED,
        chains={"X-BART": "brief", "BCF": "brief"},
    ),
    ("cluster", None): Recipe(CLUSTER_MEMBERS, TemperedWeights, given=CLUSTER_GIVEN),
    ("cluster", "continuous"): Recipe(CLUSTER_LEARNED, LearnedWeights),
    ("individual", "binary"): Recipe(INDIVIDUAL_EVENT_MEMBERS, EqualShares, chains={"BCF": "two"}),
    ("cluster", "binary"): Recipe(CLUSTER_EVENT_MEMBERS, EqualShares, chains={"BCF-RE": "two"}),
    ("individual", "count"): Recipe((*_OF_COUNTS, "BCF"), EqualShares),
    ("cluster", "count"): Recipe((*_OF_COUNTS, "BCF-RE"), EqualShares),
    **{
        (randomized, kind): Recipe(members, EvidenceShares, given=OF_THE_TIMES)
        for kind in ("rmst", "survival", "time-lost")
        for randomized, members in (
            ("individual", INDIVIDUAL_TIME_MEMBERS),
            ("cluster", CLUSTER_TIME_MEMBERS),
        )
    },
}


def recipe_for(data: TrialData, *, learned: bool = True) -> Recipe:
    """Recipe for what was randomized and what was measured in a trial.

    Parameters
    ----------
    data
        The trial.
    learned
        Whether members may be weighed by a learned rule.
    """
    design, kind = data.design.family, data.endpoint.kind_name
    recipe = RECIPES.get((design, kind))
    if recipe is None or (recipe.weighting is LearnedWeights and not learned):
        recipe = RECIPES[design, None]
    return recipe


class RobustEnsemble(Ensemble):
    r"""Ensemble that is near the best member where one is right, and safe elsewhere.

    .. math::
        \hat\tau(x) = \bar\tau + s\,\{\tilde\tau(x) - \tilde\tau\}, \qquad
        \tilde\tau(x) = \sum_k w_k \hat\tau_k(x), \qquad
        \bar\tau = \sum_k v_k \bar\tau_k

    with the mean :math:`\bar\tau_k` of a member's effects over the trial, and
    :math:`\tilde\tau = \sum_k w_k \bar\tau_k`. When clusters are randomized, the weights
    :math:`w` and :math:`v`, the factor :math:`s` and the width of the intervals follow from what
    the outcomes say about the shape of the effect
    (`tauhat.numerics.effect_evidence.effect_evidence`), by a rule that was learned from
    simulated trials of random sizes, covariates and surfaces
    (`tauhat.ensembles.learned_rule.LearnedRule`, `tauhat.simulate.BroadTrial`). No member is
    refitted.

    When persons are randomized, with ``weighting="shares"``, or members of your own, a share
    :math:`\gamma` of the weight is *given*, whatever the data say, and the rest is *earned* on
    rows that members did not see. When persons are randomized the given weight goes in equal
    parts to four X-learners whose first stage is a convex stack of six outcome models, except for
    the part of it that T-Linear gets: the posterior probability that an effect that varies does
    so in straight lines only. When clusters are randomized, equal parts go to BCF-RE, BRM and
    Additive-Boosting. Weights are earned, when persons are randomized, by
    :math:`e \ge 0`, :math:`1'e = 1`, with the least out-of-fold loss,

    .. math::
        \sum_i \Big\{D_i - \sum_k e_k \hat\tau_k^{-f(i)}(X_i)\Big\}^2, \qquad
        D_i = \begin{cases} Y_i - \hat\mu_0(X_i) & A_i = 1\\
        \hat\mu_1(X_i) - Y_i & A_i = 0\end{cases}

    averaged over exponential reweightings of the persons (a Bayesian bootstrap). When clusters
    are randomized, by tempered weights

    .. math:: e_k \propto \exp\{-L(\hat\tau_k) / (16 \hat\sigma^2)\}

    with L the whitened loss on heterogeneity only
    (`tauhat.ensembles.losses.effect_loss`). There :math:`v = w`, and s is the posterior
    probability that the effect differs between persons at all, with a prior mass of 0.2 on a
    constant effect.

    Where times are measured a model of the hazards has all of the weight, and three
    regressions of the outcome made of the times join it as far as that outcome speaks for an effect
    that varies in other ways (`tauhat.ensembles.evidence_shares.EvidenceShares`); nothing is shrunk
    or held out.

    Of an event and of counts the estimate is the plain mean of other members
    (`tauhat.ensembles.equal_shares.EqualShares`), models of log odds or log rates among them, and
    nothing is shrunk or held out.

    Parameters
    ----------
    members
        Pairs of name and estimator that earn their weights; None takes the
        library for the design. Members of your own are weighed by shares, of which
        equal ones are given to them too.
    weighting
        "learned" (default): by the learned rule, where there is one: for numbers in cluster
        trials, with the library's members. "shares": given and earned shares.
    given_share
        Share :math:`\gamma` of the weight that is given, of shares.
    n_folds
        Folds of whole clusters (persons in individual trials), of shares.
    outcome_model
        Regression of the outcome for the loss of cluster trials, of shares; None takes the
        additive mixed model.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    weighing_
        `tauhat.ensembles.learned_weights.RuleWeights`: the clues, what they moved, the factor s
        and the level; of shares `tauhat.ensembles.given_and_earned.EarnedWeights`: earned weights
        and their spread, and what was given to straight lines.
    evidence_
        What the outcomes say about the shape of the effect; None where it does not count.
    members_, weights_, out_of_fold_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.ensemble.Ensemble`; ``out_of_fold_`` holds the
        members that earn, of shares.

    References
    ----------
    The problem: Machluf, Frostig, Shoham, Milo, Berkman and Pryluk,
    arXiv:2407.03690. The estimator is tauhat's.

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(300, 3)), np.tile([0, 1], 150)
    >>> y = X[:, 0] + A * (1 + X[:, 1]) + rng.normal(size=300)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "X-Linear", "T-LMM")]
    >>> model = RobustEnsemble(members, random_state=1).fit(X, y, treatment=A)
    >>> round(sum(model.weights_.values()), 6), bool(model.weighing_.shrinkage > 0.9)
    (1.0, True)
    """

    registered_name = "Robust"

    flips_exactly: ClassVar[bool] = False
    weighing_: ShrunkWeights
    evidence_: EffectEvidence | None

    def __init__(
        self,
        members: Members | None = None,
        weighting: Literal["learned", "shares"] = "learned",
        given_share: float = 0.4,
        n_folds: int = N_FOLDS,
        outcome_model: OutcomeModel | None = None,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(members, random_state, n_jobs)
        self.weighting = weighting
        self.given_share = given_share
        self.n_folds = n_folds
        self.outcome_model = outcome_model

    def _check_settings(self) -> None:
        """Refuse another weighting, and a share that is none."""
        super()._check_settings()
        if self.weighting not in ("learned", "shares"):
            raise TrialError(f"weighting must be 'learned' or 'shares', got {self.weighting!r}")
        if not 0 <= self.given_share <= 1:
            raise TrialError(f"given_share must lie between 0 and 1, got {self.given_share}")

    def _recipe(self, data: TrialData) -> Recipe:
        """Members and weighting for this trial, as far as the settings leave them open."""
        return recipe_for(data, learned=self.weighting == "learned" and self.members is None)

    def _strategy(self, data: TrialData) -> Strategy:
        """How the members of this trial are weighed."""
        recipe = self._recipe(data)
        given = (*recipe.given, *map(_stacked_name, recipe.stacked)) if self.members is None else ()
        return recipe.weighting(self.given_share, given)

    def recipe(self, design: str) -> str:
        """Mark of the learned rule, where the members of trials of a design are weighed by it."""
        by_rule = self.weighting == "learned" and self.members is None
        weighting = RECIPES.get((design, "continuous"), RECIPES[design, None]).weighting
        return f"rule {rule_mark()}" if by_rule and weighting is LearnedWeights else ""

    @property
    def weights_are_drawn(self) -> bool:
        """Whether the weights of the fitted ensemble depend on the seed."""
        return self._strategy(self.trial_data_).averages_draws

    def _refits(self, data: TrialData) -> bool:
        return self._strategy(data).out_of_fold

    def _library(self, data: TrialData) -> Members:
        recipe = self._recipe(data)
        return [
            (name, ensemble_member(name, chains=recipe.chains.get(name))) for name in recipe.members
        ]

    def plan(self, data: TrialData, seed: int) -> MemberPlan:
        """Members, those beside them that are given weight, and what the strategy needs."""
        plan = super().plan(data, seed)
        strategy = self._strategy(data)
        if strategy.by_evidence and not strategy.out_of_fold:
            check_units(self.known_as, data, "by what the outcomes say about the effect's shape")
        beside: dict[str, CateEstimator] = {}
        if self.members is None and self.given_share > 0:
            beside = {
                _stacked_name(name): XLearner(imputing_stack(), second_stage(name))
                for name in sorted(self._recipe(data).stacked)
            }
        return replace(
            plan,
            members={**plan.members, **beside},
            # At the shorter settings of the bootstrap: these fits only weigh.
            refits={name: member.reduced() for name, member in plan.refits.items()},
            nuisances=[*plan.nuisances, *strategy.nuisances(data, seed)],
        )

    def _held_out(
        self, data: TrialData, refits: Refits, nuisances: Mapping[str, NuisanceFit]
    ) -> OutOfFold:
        """What members say of rows they did not see, and what the strategy needs besides."""
        found = super()._held_out(data, refits, nuisances)
        return self._strategy(data).completed(found, data, nuisances)

    def _weigh(self, effects: Mapping[str, FloatArray], held_out: OutOfFold | None) -> None:
        data = self.trial_data_
        strategy = self._strategy(data)
        by_evidence = strategy.by_evidence
        self.evidence_ = strategy.evidence(effects, data, self.seed_) if by_evidence else None
        super()._weigh(effects, held_out)
        if isinstance(self.weighing_, RuleWeights) and self.weighing_.warning:
            warnings.warn(f"{self.known_as}: {self.weighing_.warning}", TauhatWarning, stacklevel=4)

    def weigh(
        self, effects: Mapping[str, FloatArray], held_out: OutOfFold | None, data: TrialData
    ) -> ShrunkWeights:
        """Weights of the strategy for this trial."""
        return self._strategy(data).weights(effects, data, held_out, self.evidence_)

    @property
    def interval_scale(self) -> float:
        """Factor of the intervals' half width, which the learned rule says."""
        return self.weighing_.interval_scale

    def _take_over(self, source: Ensemble, *, cross_fit: bool) -> None:
        """Refused: the given learners and the stack would have to be fitted."""
        raise TrialError("Robust brings regressions of its own: fit it instead")

    def explain(self) -> Explanation:
        """Who has how much weight and why, as a table and sentences.

        Returns
        -------
        Explanation
            With ``table`` and ``text``.
        """
        check_is_fitted(self, "weighing_")
        # A loaded model has to predict them again.
        known = getattr(self, "training_effects_", None)
        effects = self.member_effects(self.trial_data_.X) if known is None else known
        return explain_weights(self.weighing_, effects, self.agreement_)


def _stacked_name(second_stage: str) -> str:
    return f"{STACKED_PREFIX}{second_stage}"
