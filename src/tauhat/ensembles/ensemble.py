"""What every ensemble of effect estimators shares: members, shared fits, failures."""

from __future__ import annotations

import time
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from tauhat._typing import FloatArray
from tauhat.cate_estimator import CateEstimator
from tauhat.data import TrialData
from tauhat.errors import TauhatWarning
from tauhat.learners.catalog import single_estimator
from tauhat.nuisance import Nuisance, NuisanceFit
from tauhat.numerics.kendall import kendall_matrix
from tauhat.parallel import run_tasks

Members = Sequence[tuple[str, CateEstimator]]

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
    names = INDIVIDUAL_LIBRARY if data.clusters is None else CLUSTER_LIBRARY
    return [(name, single_estimator(name)) for name in names]


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
    """

    estimator: CateEstimator | None
    message: str
    seconds: float


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
    try:
        fitted = member.fit_with(data, nuisances, seed)
        if not np.isfinite(fitted.predict_effect(data.X)).all():
            fitted, message = None, "it gave effects that are not finite"
    except Exception as error:
        fitted, message = None, f"{type(error).__name__}: {error}"
    return MemberFit(fitted, message, time.perf_counter() - start + shared_seconds)


class Ensemble(CateEstimator):
    """One effect estimate out of many members.

    Regressions that several members declare are fitted once. A member that
    fails is left out with a warning that holds its message.

    Parameters
    ----------
    members
        Pairs of name and estimator; None takes the library for the design at
        hand: mixed-effects learners when clusters are given.
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
    failures_
        Message by name of each member that failed.
    seconds_
        Time of each member, its share of the shared regressions included.
    """

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
        names = [name for name, _ in members]
        if len(set(names)) < len(names):
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"members must have different names; repeated: {repeated}")
        if len(members) < 2:
            raise ValueError(f"an ensemble needs at least two members, got {names}")
        return [(name, clone(member)) for name, member in sorted(members, key=lambda m: m[0])]

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Everything that the members declare, under ``member/name``."""
        declared: list[Nuisance] = []
        for name, member in self.resolve_members(data):
            for nuisance in member.declare_nuisances(data, seed):
                declared.append(replace(nuisance, name=f"{name}/{nuisance.name}"))
        return declared

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit the members and weigh them."""
        members = self.resolve_members(data)
        tasks = []
        for name, member in members:
            own = {
                declared.name: nuisances[f"{name}/{declared.name}"]
                for declared in member.declare_nuisances(data, seed)
            }
            member.set_params(random_state=seed, n_jobs=1)
            tasks.append((member, data, own, seed, sum(fit.seconds for fit in own.values())))
        results = run_tasks(fit_member, tasks, n_jobs=self.n_jobs)
        self.combine({name: fit for (name, _), fit in zip(members, results, strict=True)}, data)

    def fit_from_members(self, data: TrialData, fits: Mapping[str, MemberFit], seed: int) -> Self:
        """Fit from members fitted elsewhere, by the names of `resolve_members`."""
        self.n_features_in_ = data.X.shape[1]
        self.seed_ = seed
        self.trial_data_ = data
        self.combine(fits, data)
        return self

    def combine(self, fits: Mapping[str, MemberFit], data: TrialData) -> None:
        """Weigh the members that could be fitted."""
        self.members_: dict[str, CateEstimator] = {}
        self.failures_: dict[str, str] = {}
        self.seconds_: dict[str, float] = {}
        for name, fit in fits.items():
            self.seconds_[name] = fit.seconds
            if fit.estimator is None:
                self.failures_[name] = fit.message
                warnings.warn(f"member {name} failed: {fit.message}", TauhatWarning, stacklevel=3)
                continue
            # Workers return copies of the data; keep one.
            fit.estimator.trial_data_ = data
            self.members_[name] = fit.estimator
        if not self.members_:
            raise ValueError(f"every member failed: {self.failures_}")
        names = list(self.members_)
        effects = self.member_effects(data.X)
        self.agreement_ = pd.DataFrame(kendall_matrix(effects), index=names, columns=names)
        weights = self.aggregate(effects, names, data)
        self.weights_ = dict(zip(names, weights.tolist(), strict=True))
        self.kept_ = [name for name in names if self.weights_[name] != 0]

    def member_effects(self, X: FloatArray) -> FloatArray:
        """Effects of all fitted members at checked covariates, shape (k, members)."""
        return np.column_stack([member.predict_effect(X) for member in self.members_.values()])

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        total = np.zeros(len(X))
        for name in self.kept_:
            total += self.weights_[name] * self.members_[name].predict_effect(X)
        return total

    def reduced(self) -> Self:
        """Return a copy with every member at bootstrap settings."""
        copy: Self = clone(self)
        if hasattr(self, "members_"):
            chosen = self.resolve_members(self.trial_data_)
            copy.set_params(members=[(name, member.reduced()) for name, member in chosen])
        return copy
