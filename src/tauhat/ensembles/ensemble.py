"""What every ensemble of effect estimators shares: members, shared fits, failures."""

from __future__ import annotations

import time
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, cast

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.external import ExternalEstimator
from tauhat.ensembles.out_of_fold import HeldOut
from tauhat.errors import TauhatWarning, TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.fitting.registered import RegisteredEstimator
from tauhat.learners.catalog import ensemble_member, unknown_name
from tauhat.numerics.kendall import kendall_matrix
from tauhat.runtime.parallel import WorkerLostError, run_tasks

#: Pairs of name and estimator, ours or another library's.
Members = Sequence[tuple[str, Any]]

#: The second paper's nine single estimators.
INDIVIDUAL_LIBRARY = (
    "T-Linear",
    "S-BART",
    "X-AGLM",
    "X-BART",
    "X-Boosting",
    "X-RF",
    "DR-RF",
    "CF-DML-linear",
    "CF-DML-forest",
)
#: Members for a cluster trial: one of each family that keeps the effect of a cluster-level
#: treatment.
CLUSTER_LIBRARY = (
    "LMM",
    "GAMM",
    "BART-RE",
    "BCF-RE",
    "BRM",
    "Effect-Boosting",
    "CF-DML-linear",
)


def default_members(data: TrialData) -> list[tuple[str, CateEstimator]]:
    """Members for the design at hand: mixed-effects learners when there are clusters."""
    names = {"individual": INDIVIDUAL_LIBRARY, "cluster": CLUSTER_LIBRARY}[data.design.name]
    return [(name, ensemble_member(name)) for name in names]


@dataclass(frozen=True)
class MemberFit:
    """What fitting one estimator gave.

    Attributes
    ----------
    estimator
        The fitted estimator, None if it failed.
    message
        What went wrong, else empty.
    seconds
        Time that it would have taken alone.
    effects
        Its effects on the rows of the trial, shape (n,); None if it failed, and
        where nobody asked for them.
    """

    estimator: CateEstimator | None
    message: str
    seconds: float
    effects: FloatArray | None = None


def fit_member(
    member: CateEstimator,
    data: TrialData,
    nuisances: Mapping[str, NuisanceFit],
    seed: int,
    shared_seconds: float = 0.0,
) -> MemberFit:
    """Fit an estimator from shared regressions; a failure becomes a message."""
    start = time.perf_counter()
    message = ""
    fitted: CateEstimator | None = None
    effects: FloatArray | None = None
    try:
        fitted = member.fit_with(data, nuisances, seed)
        effects = fitted.predict_effect(data.X)
        if not np.isfinite(effects).all():
            fitted, message = None, "it gave effects that are not finite"
    except Exception as error:
        fitted, message = None, f"{type(error).__name__}: {error}"
    return MemberFit(fitted, message, time.perf_counter() - start + shared_seconds, effects)


def lost_member(error: WorkerLostError) -> MemberFit:
    """What is left of a fit whose worker process was lost."""
    return MemberFit(None, f"{type(error).__name__}: {error}", 0.0)


class Ensemble(CateEstimator):
    """One effect estimate out of many members.

    Regressions that several members declare are fitted once. A member that
    fails is left out with a warning that holds its message.

    Parameters
    ----------
    members
        Pairs of name and estimator; None takes the library for the design at
        hand: mixed-effects learners when clusters are given. Estimators of
        other libraries are wrapped, see
        `tauhat.ensembles.external.ExternalEstimator`.
    random_state
        Seed of the ensemble and of every member.
    n_jobs
        Number of fits at once.

    Attributes
    ----------
    members_
        Fitted members by name.
    weights_
        Weight of each member; 0 for one that was not kept.
    kept_
        Names of the members with weight.
    agreement_
        Kendall's tau-b between the members' effects on the training rows.
    training_effects_
        The members' effects on the training rows, in canonical order, by name; a
        saved model does not hold them.
    failures_
        Message by name of each member that failed.
    seconds_
        Time of each member, its share of the shared regressions included.
    """

    #: Record of every rule by the name that users type; `rules` fills it in,
    #: which knows the subclasses.
    rules: ClassVar[Mapping[str, RegisteredEstimator]] = {}

    def __init__(
        self, members: Members | None = None, random_state: Any = None, n_jobs: int = 1
    ) -> None:
        self.members = members
        self.random_state = random_state
        self.n_jobs = n_jobs

    @abstractmethod
    def aggregate(self, effects: FloatArray, names: Sequence[str], data: TrialData) -> FloatArray:
        """Weight of each member.

        Parameters
        ----------
        effects
            Members' effects on the training rows, shape (n, k).
        names
            Their names.
        data
            The trial.

        Returns
        -------
        ndarray, shape (k,)
        """

    def resolve_members(self, data: TrialData) -> list[tuple[str, CateEstimator]]:
        """Members to fit, as unfitted copies in the order of their names.

        The order of the names makes the result independent of the order in
        which the members were given.
        """
        members = default_members(data) if self.members is None else list(self.members)
        if any(isinstance(member, str) for member in members):
            raise TrialError(
                "members are pairs of name and estimator, such as "
                "[(name, tauhat.estimator(name)) for name in ('LMM', 'GAMM')]; got a name alone"
            )
        names = [name for name, _ in members]
        if len(set(names)) < len(names):
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"members must have different names; repeated: {repeated}")
        if len(members) < 2:
            raise ValueError(f"an ensemble needs at least two members, got {names}")
        wrapped = [
            (name, member if isinstance(member, CateEstimator) else ExternalEstimator(member))
            for name, member in sorted(members, key=lambda m: m[0])
        ]
        return [(name, clone(member)) for name, member in wrapped]

    def refit_folds(self) -> int:
        """Number of folds without which the members are fitted too; 0 for none."""
        return 0

    def refit_members(self, data: TrialData) -> list[tuple[str, CateEstimator]]:
        """Members to fit without each fold, as unfitted copies, by the members' names."""
        return self.resolve_members(data)

    def own_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Outcome regressions that weighing the members needs."""
        return ()

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Everything that the members declare, under ``member/name``, and its own."""
        declared: list[Nuisance] = list(self.own_nuisances(data, seed))
        for name, member in self.resolve_members(data):
            for nuisance in member.declare_nuisances(data, seed):
                declared.append(replace(nuisance, name=f"{name}/{nuisance.name}"))
        return declared

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit the members and weigh them."""
        self.combine(self.fit_members(data, nuisances, seed), data)

    def fit_members(
        self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int
    ) -> dict[str, MemberFit]:
        """Fit every member to all rows, by name."""
        members = self.resolve_members(data)
        tasks = []
        for name, member in members:
            own = {
                declared.name: nuisances[f"{name}/{declared.name}"]
                for declared in member.declare_nuisances(data, seed)
            }
            member.set_params(random_state=seed, n_jobs=1)
            tasks.append((member, data, own, seed, sum(fit.seconds for fit in own.values())))
        results = run_tasks(fit_member, tasks, n_jobs=self.n_jobs, on_lost=lost_member)
        return {name: fit for (name, _), fit in zip(members, results, strict=True)}

    def fit_from_members(
        self,
        data: TrialData,
        fits: Mapping[str, MemberFit],
        seed: int,
        held_out: HeldOut | None = None,
        nuisances: Mapping[str, NuisanceFit] | None = None,
    ) -> Self:
        """Fit from members fitted elsewhere, by the names of `resolve_members`.

        Parameters
        ----------
        data
            The trial.
        fits
            Members fitted to all rows.
        seed
            Seed of the ensemble.
        held_out, nuisances
            What `refit_folds` and `own_nuisances` ask for.
        """
        self.start_fit(data, seed)
        self.combine(fits, data)
        return self

    def combine(self, fits: Mapping[str, MemberFit], data: TrialData) -> None:
        """Weigh the members that could be fitted."""
        self.members_: dict[str, CateEstimator] = {}
        self.failures_: dict[str, str] = {}
        self.seconds_: dict[str, float] = {}
        effects: dict[str, FloatArray] = {}
        for name, fit in fits.items():
            self.seconds_[name] = fit.seconds
            if fit.estimator is None:
                self.failures_[name] = fit.message
                warnings.warn(f"member {name} failed: {fit.message}", TauhatWarning, stacklevel=3)
                continue
            # Workers return copies of the data; keep one.
            fit.estimator.trial_data_ = data
            self.members_[name] = fit.estimator
            effects[name] = (
                fit.estimator.predict_effect(data.X) if fit.effects is None else fit.effects
            )
        if not self.members_:
            raise ValueError(f"every member failed: {self.failures_}")
        self.training_effects_: Mapping[str, FloatArray] = effects
        self.weigh(data, effects)

    def weigh(self, data: TrialData, effects: Mapping[str, FloatArray]) -> None:
        """Weigh the fitted members, given the effects of each on the training rows."""
        names = list(self.members_)
        columns = np.column_stack([effects[name] for name in names])
        self.agreement_ = pd.DataFrame(kendall_matrix(columns), index=names, columns=names)
        weights = self.aggregate(columns, names, data)
        self.weights_ = dict(zip(names, weights.tolist(), strict=True))
        self.kept_ = [name for name in names if self.weights_[name] != 0]

    def member_effects(self, X: FloatArray) -> dict[str, FloatArray]:
        """Effects of all fitted members at checked covariates by name, each of shape (k,)."""
        return {name: member.predict_effect(X) for name, member in self.members_.items()}

    def counted_members(self) -> Sequence[str]:
        """Names of the members whose effects `combined` needs: one of them at least.

        Where no member has any weight, as least squares may have it, the estimate is the
        constant of the rule for everybody, and the effects only say for how many persons.
        """
        return self.kept_ or list(self.members_)[:1]

    def combined(self, effects: Mapping[str, FloatArray]) -> FloatArray:
        """Effect of some persons, given the members' effects on them by name."""
        total = np.zeros(len(next(iter(effects.values()))))
        for name in self.kept_:
            total += self.weights_[name] * effects[name]
        return total

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        counted = self.counted_members()
        return self.combined({name: self.members_[name].predict_effect(X) for name in counted})

    def reaggregate(self, rule: Ensemble | str, *, cross_fit: bool = False) -> Ensemble:
        """Return an ensemble of the same fitted members under another rule.

        Members, folds, outcome regressions and seed are those of this ensemble
        and nothing is refitted, so the result is that of fitting the rule to
        the same trial with the same seed.

        Parameters
        ----------
        rule
            An ensemble whose members do not count, such as
            ``QAggregation(nu=0.8)``, or its name, such as "R-Stacking".
        cross_fit
            Whether members may be refitted without each fold when the rule
            needs effects of rows that a member did not see and this ensemble
            has none.

        Returns
        -------
        Ensemble
            Fitted.

        Raises
        ------
        TrialError
            If the rule is unknown, or needs out-of-fold effects that are not
            there.
        """
        check_is_fitted(self, "members_")
        chosen = _rule_of(rule)
        chosen.set_params(members=self.members, random_state=self.random_state, n_jobs=self.n_jobs)
        chosen.take_over(self, cross_fit=cross_fit)
        return chosen

    def take_over(self, source: Ensemble, *, cross_fit: bool = False) -> None:
        """Become a fitted ensemble of another's members."""
        self.copy_members(source)
        self.weigh(self.trial_data_, self.member_effects(self.trial_data_.X))

    def copy_members(self, source: Ensemble) -> None:
        """Take the trial, the seed and the fitted members of another ensemble."""
        for name in ("n_features_in_", "feature_names_in_", "reference_posterior_", "seed_"):
            if hasattr(source, name):
                setattr(self, name, getattr(source, name))
        self.trial_data_ = source.trial_data_
        self.members_ = dict(source.members_)
        self.failures_ = dict(source.failures_)
        self.seconds_ = dict(source.seconds_)

    def reduced(self) -> Self:
        """Return a copy with every member at bootstrap settings."""
        copy: Self = clone(self)
        if hasattr(self, "members_"):
            chosen = self.resolve_members(self.trial_data_)
            copy.set_params(members=[(name, member.reduced()) for name, member in chosen])
        return copy


def _rule_of(chosen: Ensemble | str) -> Ensemble:
    """Return an unfitted ensemble of a rule's name, or a copy of the one given."""
    if isinstance(chosen, Ensemble):
        copy: Ensemble = clone(chosen)
        return copy
    if not isinstance(chosen, str):
        raise TrialError(
            f"{type(chosen).__name__} does not weigh the effects of members; name one of "
            f"{', '.join(Ensemble.rules)}, or give such an ensemble"
        )
    if chosen not in Ensemble.rules:
        raise TrialError(unknown_name("rule", chosen, list(Ensemble.rules)))
    return cast(Ensemble, Ensemble.rules[chosen].make())
