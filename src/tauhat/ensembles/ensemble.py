"""The ensemble of effect estimators: members, their fits and refits, and how they are weighed."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, cast

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.fits import MemberFit, fit_member, lost_member, prepared
from tauhat.ensembles.library import Members, default_members, unfitted
from tauhat.ensembles.out_of_fold import OutOfFold, Refits, out_of_fold_effects
from tauhat.ensembles.weighing import Weights
from tauhat.errors import TauhatWarning, TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit, fit_nuisances, pick
from tauhat.fitting.reference_posterior import Reference
from tauhat.fitting.registered import RegisteredEstimator
from tauhat.numerics.kendall import kendall_matrix, puts_in_order
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.outcome_model import OutcomeModel
from tauhat.runtime.parallel import run_tasks
from tauhat.wording import unknown_name

# The slash keeps these apart from the regressions of a member, which are called member/name.
_MEAN, _CONTROL, _TREATED = "/mean", "/control", "/treated"
# Without one of them two are left, which members that cross-fit split again.
FEWEST_UNITS = 3


@dataclass(frozen=True, eq=False)
class MemberPlan:
    """What an ensemble fits to a trial, unfitted, by name.

    Attributes
    ----------
    members
        Estimators fitted to all rows, whose effects are combined.
    n_folds
        Number of folds without each of which ``refits`` are fitted; 0 for none.
    refits
        Estimators fitted without each fold, by the members that they judge.
    nuisances
        Outcome regressions that weighing the members needs.
    """

    members: Mapping[str, CateEstimator]
    n_folds: int = 0
    refits: Mapping[str, CateEstimator] = field(default_factory=dict)
    nuisances: Sequence[Nuisance] = ()


class Ensemble(CateEstimator):
    r"""One effect estimate out of many members, by the weights of an aggregation.

    .. math:: \hat\tau(x) = \hat c + \sum_k \hat w_k\, \hat\tau_k(x)

    An aggregation is a subclass with `weigh`. One that weighs members by what they say
    of rows they did not see has a positive ``n_folds``: every member is refitted
    without each fold of whole clusters (persons in individual trials), balanced
    by arm and block, with the propensity of the design, and the outcome is
    regressed on the same folds. The members of the sum are those fitted to all
    rows. Regressions that several members declare are fitted once. A member that
    fails, in a fold too, is left out with a warning that holds its message.

    Parameters
    ----------
    members
        Pairs of name and estimator; None takes the library for the design at
        hand: mixed-effects learners when clusters are given. Estimators of
        other libraries are wrapped, see
        `tauhat.ensembles.external.ExternalEstimator`.
    n_folds
        Number of folds, for aggregations that need them; fewer where an arm has fewer units.
    outcome_model
        Regression of the outcome for such an aggregation; None takes the additive mixed
        model, whose random intercept is used when there are clusters.
    random_state
        Seed of the ensemble and of every member.
    n_jobs
        Number of fits at once.

    Attributes
    ----------
    members_
        Fitted members by name.
    weighing_
        `tauhat.ensembles.weighing.Weights`: what the aggregation made of the members.
    weights_
        Weight of each member; 0 for one that was not kept.
    kept_
        Names of the members with weight.
    out_of_fold_
        `tauhat.ensembles.out_of_fold.OutOfFold`: folds, effects and outcomes, in the
        order of ``trial_data_``; None for aggregations that need none.
    agreement_
        Kendall's tau-b between the members' effects on the training rows; NaN for a member whose
        effects are next to the same for everyone (`tauhat.numerics.kendall.puts_in_order`).
    training_effects_
        The members' effects on the training rows, in canonical order, by name; a
        saved model does not hold them.
    failures_
        Message by name of each member that failed.
    seconds_
        Time of each member, its refits and its share of the shared regressions
        included.
    """

    #: Record of every aggregation by the name that users type; `aggregations` fills it in,
    #: which knows the subclasses.
    aggregations: ClassVar[Mapping[str, RegisteredEstimator]] = {}

    n_folds: int = 0
    outcome_model: OutcomeModel | None = None
    weighing_: Weights

    def __init__(
        self, members: Members | None = None, random_state: Any = None, n_jobs: int = 1
    ) -> None:
        self.members = members
        self.random_state = random_state
        self.n_jobs = n_jobs

    @abstractmethod
    def weigh(self, effects: Mapping[str, FloatArray], held_out: Any, data: TrialData) -> Weights:
        """Weights of the members.

        Parameters
        ----------
        effects
            Members' effects on the training rows by name, each of shape (n,).
        held_out
            `tauhat.ensembles.out_of_fold.OutOfFold`: what members and regressions say of
            rows they did not see; None for an aggregation without folds.
        data
            The trial.

        Returns
        -------
        Weights
        """

    @property
    def weights_(self) -> dict[str, float]:
        """Weight of each fitted member."""
        return dict(self.weighing_.shares)

    @property
    def kept_(self) -> list[str]:
        """Names of the members with weight."""
        return self.weighing_.kept

    def plan(self, data: TrialData, seed: int) -> MemberPlan:
        """What is fitted, by name; errors for settings and trials that make no sense.

        The order of the names makes the result independent of the order in
        which the members were given.
        """
        self._check_settings()
        members = self._unfitted(data)
        if not self._refits(data):
            return MemberPlan(members)
        check_units(self.known_as, data)
        model = AdditiveMixedModel() if self.outcome_model is None else self.outcome_model
        folds = self.n_folds
        nuisances = [
            Nuisance(_MEAN, model, n_folds=folds, seed=seed),
            Nuisance(_CONTROL, model, arm=0, n_folds=folds, seed=seed),
            Nuisance(_TREATED, model, arm=1, n_folds=folds, seed=seed),
        ]
        return MemberPlan(members, folds, self._unfitted(data), nuisances)

    def _refits(self, data: TrialData) -> bool:
        """Whether the aggregation weighs members by effects out of fold."""
        return self.n_folds > 0

    def _check_settings(self) -> None:
        """Refuse settings that make no sense, before anything is fitted."""
        if "n_folds" in self.get_params(deep=False) and self.n_folds < 2:
            raise TrialError(f"n_folds must be at least 2, got {self.n_folds}")

    def _library(self, data: TrialData) -> Members:
        """Members where the user named none."""
        return default_members(data)

    def _unfitted(self, data: TrialData) -> dict[str, CateEstimator]:
        """Copies of the members, in the order of their names."""
        return unfitted(self._library(data) if self.members is None else self.members)

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Everything that the members declare, under ``member/name``, and its own."""
        plan = self.plan(data, seed)
        declared = list(plan.nuisances)
        for name, member in plan.members.items():
            for nuisance in member.declare_nuisances(data, seed):
                declared.append(replace(nuisance, name=f"{name}/{nuisance.name}"))
        return declared

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit the members to all rows and, where the aggregation asks for it, without each fold."""
        plan = self.plan(data, seed)
        tasks = []
        for name, member in plan.members.items():
            own = {
                declared.name: nuisances[f"{name}/{declared.name}"]
                for declared in member.declare_nuisances(data, seed)
            }
            tasks.append((prepared(member, seed), data, own, seed))
        fits = run_tasks(fit_member, tasks, n_jobs=self.n_jobs, on_lost=lost_member)
        named = dict(zip(plan.members, fits, strict=True))
        self._combine(data, named, self._refit(plan, data, seed), nuisances)

    def fit_from_members(
        self,
        data: TrialData,
        fits: Mapping[str, MemberFit],
        seed: int,
        refits: Refits | None,
        nuisances: Mapping[str, NuisanceFit],
    ) -> Self:
        """Fit from what `plan` asks for, made elsewhere, by the same names."""
        self.start_fit(data, seed)
        self._combine(data, fits, refits, nuisances)
        return self

    def _refit(self, plan: MemberPlan, data: TrialData, seed: int) -> Refits | None:
        if not plan.n_folds:
            return None
        return out_of_fold_effects(plan.refits, data, plan.n_folds, seed, n_jobs=self.n_jobs)

    def _combine(
        self,
        data: TrialData,
        fits: Mapping[str, MemberFit],
        refits: Refits | None,
        nuisances: Mapping[str, NuisanceFit],
    ) -> None:
        """Weigh the members that could be fitted, to all rows and without each fold."""
        self.members_: dict[str, CateEstimator] = {}
        self.failures_: dict[str, str] = {}
        self.seconds_: dict[str, float] = {}
        effects: dict[str, FloatArray] = {}
        for name, fit in fits.items():
            self.seconds_[name] = fit.seconds
            message = fit.message
            if refits is not None:
                self.seconds_[name] += refits.seconds.get(name, 0.0)
                message = message or refits.messages.get(name, "")
            if fit.estimator is None or message:
                self.failures_[name] = message
                warnings.warn(f"member {name} failed: {message}", TauhatWarning, stacklevel=3)
                continue
            fit.estimator.trial_data_ = data
            self.members_[name] = fit.estimator
            assert fit.effects is not None
            effects[name] = fit.effects
        self._weigh(effects, None if refits is None else self._held_out(data, refits, nuisances))

    def _held_out(
        self, data: TrialData, refits: Refits, nuisances: Mapping[str, NuisanceFit]
    ) -> OutOfFold:
        effects = np.zeros((data.n, len(refits.effects)))
        for column, effect in enumerate(refits.effects.values()):
            effects[:, column] = effect
        return OutOfFold(
            folds=refits.folds,
            names=tuple(refits.effects),
            effects=effects,
            mean=nuisances[_MEAN].cross_fitted,
            control=nuisances[_CONTROL].cross_fitted,
            treated=nuisances[_TREATED].cross_fitted,
            seed=self.seed_,
        )

    def _weigh(self, effects: Mapping[str, FloatArray], held_out: OutOfFold | None) -> None:
        """Weigh the fitted members, given the effects of each on the training rows."""
        if not self.members_:
            raise ValueError(f"every member failed: {self.failures_}")
        self.training_effects_: Mapping[str, FloatArray] = effects
        if held_out is not None:
            held_out = held_out.only(list(self.members_))
            if not held_out.names:
                raise ValueError(f"no member could be fitted out of fold: {self.failures_}")
        names = list(self.members_)
        columns = np.column_stack([effects[name] for name in names])
        orders = [puts_in_order(effect, self.trial_data_.y) for effect in columns.T]
        agreement = np.where(np.outer(orders, orders), kendall_matrix(columns), np.nan)
        self.agreement_ = pd.DataFrame(agreement, index=names, columns=names)
        self.out_of_fold_ = held_out
        ordered = {name: effects[name] for name in names}
        self.weighing_ = self.weigh(ordered, held_out, self.trial_data_)

    def member_effects(self, X: FloatArray) -> dict[str, FloatArray]:
        """Effects of all fitted members at checked covariates by name, each of shape (k,)."""
        return {name: member.predict_effect(X) for name, member in self.members_.items()}

    def own_reference(self, data: TrialData) -> Reference | None:
        """That of the first member that has it."""
        found = (member.own_reference(data) for member in self.members_.values())
        return next((one for one in found if one is not None), None)

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        return self.combine(lambda member: member.predict_effect(X))

    def combine(self, effect_of: Callable[[CateEstimator], FloatArray]) -> FloatArray:
        """Effect made of those of the members that count, shape (k,).

        Parameters
        ----------
        effect_of
            Gives the effects of a fitted member, shape (k,).
        """
        counted = self.weighing_.counted
        return self.weighing_.combined({name: effect_of(self.members_[name]) for name in counted})

    def reaggregate(self, aggregation: Ensemble | str, *, cross_fit: bool = False) -> Ensemble:
        """Return an ensemble of the same fitted members by another aggregation.

        Members, folds, outcome regressions and seed are those of this ensemble
        and nothing is refitted, so the result is that of fitting the aggregation to
        the same trial with the same seed.

        Parameters
        ----------
        aggregation
            An ensemble whose members do not count, such as
            ``QAggregation(nu=0.8)``, or its name, such as "R-Stacking".
        cross_fit
            Whether members may be refitted without each fold when the aggregation
            needs effects of rows that a member did not see and this ensemble
            has none.

        Returns
        -------
        Ensemble
            Fitted.

        Raises
        ------
        TrialError
            If the aggregation is unknown, or needs out-of-fold effects that are not
            there.
        """
        check_is_fitted(self, "members_")
        chosen = _aggregation_of(aggregation)
        chosen.set_params(members=self.members, random_state=self.random_state, n_jobs=self.n_jobs)
        chosen._take_over(self, cross_fit=cross_fit)
        return chosen

    def _take_over(self, source: Ensemble, *, cross_fit: bool) -> None:
        """Become a fitted ensemble of another's members."""
        made_of_trial = ("reference_posterior_", "average_risk_")
        for name in ("n_features_in_", "feature_names_in_", "seed_", *made_of_trial):
            if hasattr(source, name):
                setattr(self, name, getattr(source, name))
        data, seed = source.trial_data_, source.seed_
        self.trial_data_ = data
        self.members_ = dict(source.members_)
        self.failures_ = dict(source.failures_)
        self.seconds_ = dict(source.seconds_)
        held_out = source.out_of_fold_
        if not self._refits(data):
            held_out = None
        elif held_out is not None:
            self.set_params(n_folds=source.n_folds, outcome_model=source.outcome_model)
            self._check_settings()
            # Robust has learners that were given their weight and never refitted.
            self.members_ = {name: self.members_[name] for name in held_out.names}
        elif not cross_fit:
            raise TrialError(
                f"{self.known_as} weighs members by effects out of fold, and this "
                f"{source.known_as} has none: fit {self.known_as} or another "
                "cross-fitted ensemble, or allow the refits with cross_fit=True"
            )
        else:
            plan = self.plan(data, seed)
            nuisances = fit_nuisances(plan.nuisances, data, n_jobs=self.n_jobs)
            refits = self._refit(plan, data, seed)
            assert refits is not None
            for name in list(self.members_):
                self.seconds_[name] += refits.seconds[name]
                if name in refits.messages:
                    self.failures_[name] = refits.messages[name]
                    del self.members_[name]
            held_out = self._held_out(data, refits, pick(plan.nuisances, nuisances))
        self._weigh(self.member_effects(data.X), held_out)

    def reduced(self) -> Self:
        """Return a copy with every member at bootstrap settings."""
        copy: Self = clone(self)
        if hasattr(self, "members_"):
            chosen = self._unfitted(self.trial_data_)
            copy.set_params(members=[(name, member.reduced()) for name, member in chosen.items()])
        return copy


def check_units(name: str, data: TrialData, by: str = "on {units} that they have not seen") -> None:
    """Refuse a trial with too few units to weigh members.

    Their rest, once a fold is left out, must be split again by members that cross-fit.
    """
    smaller = int(data.design.arm_sizes.min())
    if smaller < FEWEST_UNITS:
        what = data.design.units_word
        raise TrialError(
            f"{name} weighs its members {by.format(units=what)}, which takes at least "
            f"{FEWEST_UNITS} {what} in each arm; the smaller arm has {smaller}. Name a single "
            "model instead, such as LMM"
        )


def _aggregation_of(chosen: Ensemble | str) -> Ensemble:
    """Return an unfitted ensemble of an aggregation's name, or a copy of the one given."""
    if isinstance(chosen, Ensemble):
        copy: Ensemble = clone(chosen)
        return copy
    if not isinstance(chosen, str):
        raise TrialError(
            f"{type(chosen).__name__} does not weigh the effects of members; name one of "
            f"{', '.join(Ensemble.aggregations)}, or give such an ensemble"
        )
    if chosen not in Ensemble.aggregations:
        raise TrialError(unknown_name("aggregation", chosen, list(Ensemble.aggregations)))
    return cast(Ensemble, Ensemble.aggregations[chosen].make())
