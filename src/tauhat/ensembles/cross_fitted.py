"""What the ensembles share that weigh members by their loss on rows they did not see."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.ensembles.ensemble import Ensemble, MemberFit, Members
from tauhat.ensembles.out_of_fold import CrossFit, HeldOut
from tauhat.ensembles.together import held_out_effects
from tauhat.errors import TrialError
from tauhat.fitting.nuisance import Nuisance, NuisanceFit, fit_nuisances, pick
from tauhat.learners.meta import N_FOLDS
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.outcome_model import OutcomeModel

# The slash keeps these apart from the regressions of a member, which are called member/name.
_MEAN, _CONTROL, _TREATED = "/mean", "/control", "/treated"
# Without one of them two are left, which members that cross-fit split again.
FEWEST_UNITS = 3


class CrossFittedEnsemble(Ensemble):
    r"""Ensemble whose weights come from effects of rows that the members did not see.

    .. math:: \hat\tau(x) = \hat c + \sum_k \hat w_k\, \hat\tau_k(x)

    Every member is refitted without each fold of whole clusters (persons in
    individual trials), balanced by arm and block, with the propensity of the
    design. The weights are learned on these out-of-fold effects and on outcome
    regressions cross-fitted on the same folds; the members
    :math:`\hat\tau_k` of the sum are those fitted to all rows. A member that
    fails in a fold is left out.

    Parameters
    ----------
    members
        As in `tauhat.ensembles.ensemble.Ensemble`.
    n_folds
        Number of folds; fewer where an arm has fewer units.
    outcome_model
        Regression of the outcome for the loss; None takes the additive mixed
        model, whose random intercept is used when there are clusters.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    intercept_
        c, in units of the outcome; 0 for rules without it.
    cross_fit_
        `tauhat.ensembles.out_of_fold.CrossFit`: folds, out-of-fold effects and
        outcomes, in the order of ``trial_data_``.
    members_, weights_, kept_, agreement_, failures_, seconds_
        As in `tauhat.ensembles.ensemble.Ensemble`; ``seconds_`` with the refits.
    """

    def __init__(
        self,
        members: Members | None = None,
        n_folds: int = N_FOLDS,
        outcome_model: OutcomeModel | None = None,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        super().__init__(members, random_state, n_jobs)
        self.n_folds = n_folds
        self.outcome_model = outcome_model

    @abstractmethod
    def learn(self, data: TrialData, cross_fit: CrossFit) -> tuple[float, FloatArray]:
        """Constant and weights from out-of-fold effects.

        Parameters
        ----------
        data
            The trial.
        cross_fit
            Out-of-fold effects of the fitted members, and outcomes.

        Returns
        -------
        intercept
            In units of the outcome.
        weights
            Shape (k,).
        """

    @property
    def out_of_fold_(self) -> FloatArray:
        """Out-of-fold effects of the members, in the order of ``trial_data_``, shape (n, k)."""
        return self.cross_fit_.effects

    @property
    def folds_(self) -> IntArray:
        """Fold of each row, in the order of ``trial_data_``, shape (n,)."""
        return self.cross_fit_.folds

    def check_settings(self) -> None:
        """Refuse settings that make no sense, before anything is fitted."""
        if self.n_folds < 2:
            raise TrialError(f"n_folds must be at least 2, got {self.n_folds}")

    def refit_folds(self) -> int:
        """Return the number of folds."""
        return self.n_folds

    def own_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Mean outcome, over both arms and in each, on the folds of the members' refits."""
        self.check_settings()
        _check_units(self.known_as, data)
        model = AdditiveMixedModel() if self.outcome_model is None else self.outcome_model
        folds = self.n_folds
        return [
            Nuisance(_MEAN, model, n_folds=folds, seed=seed),
            Nuisance(_CONTROL, model, arm=0, n_folds=folds, seed=seed),
            Nuisance(_TREATED, model, arm=1, n_folds=folds, seed=seed),
        ]

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit the members to all rows and without each fold, and weigh them."""
        fits = self.fit_members(data, nuisances, seed)
        held_out = self._hold_out(data, seed)
        self._combine(fits, data, held_out, nuisances)

    def fit_from_members(
        self,
        data: TrialData,
        fits: Mapping[str, MemberFit],
        seed: int,
        held_out: HeldOut | None = None,
        nuisances: Mapping[str, NuisanceFit] | None = None,
    ) -> Self:
        """Fit from members and refits made elsewhere, by the names of `resolve_members`."""
        if held_out is None or nuisances is None:
            raise ValueError(f"{self.known_as} needs the members' effects out of fold")
        self.start_fit(data, seed)
        self._combine(fits, data, held_out, nuisances)
        return self

    def _hold_out(self, data: TrialData, seed: int) -> HeldOut:
        members = dict(self.refit_members(data))
        return held_out_effects(members, data, self.refit_folds(), seed, n_jobs=self.n_jobs)

    def _combine(
        self,
        fits: Mapping[str, MemberFit],
        data: TrialData,
        held_out: HeldOut,
        nuisances: Mapping[str, NuisanceFit],
    ) -> None:
        complete = {}
        for name, fit in fits.items():
            seconds = fit.seconds + held_out.seconds[name]
            complete[name] = replace(fit, seconds=seconds)
            if fit.estimator is not None and name in held_out.messages:
                complete[name] = MemberFit(None, held_out.messages[name], seconds)
        self.cross_fit_ = _cross_fit(held_out, nuisances)
        self.combine(complete, data)

    def weigh(self, data: TrialData, effects: Mapping[str, FloatArray]) -> None:
        """Weigh the fitted members by their out-of-fold effects."""
        self.cross_fit_ = self.cross_fit_.only(list(self.members_))
        super().weigh(data, effects)

    def aggregate(self, effects: FloatArray, names: Sequence[str], data: TrialData) -> FloatArray:
        """Weights of the rule; the constant goes to ``intercept_``."""
        self.intercept_, weights = self.learn(data, self.cross_fit_)
        return weights

    def combined(self, effects: Mapping[str, FloatArray]) -> FloatArray:
        """Effect of some persons, given the members' effects on them by name."""
        return self.intercept_ + super().combined(effects)

    def take_over(self, source: Ensemble, *, cross_fit: bool = False) -> None:
        """Become a fitted ensemble of another's members and out-of-fold effects."""
        if isinstance(source, CrossFittedEnsemble):
            self.set_params(n_folds=source.n_folds, outcome_model=source.outcome_model)
            self.check_settings()
            self.copy_members(source)
            self.cross_fit_ = source.cross_fit_
            # Robust has learners that were given their weight and never refitted.
            self.members_ = {name: self.members_[name] for name in source.cross_fit_.names}
            self.weigh(self.trial_data_, self.member_effects(self.trial_data_.X))
            return
        if not cross_fit:
            raise TrialError(
                f"{self.known_as} weighs members by effects out of fold, and this "
                f"{source.known_as} has none: fit {self.known_as} or another "
                "cross-fitted ensemble, or allow the refits with cross_fit=True"
            )
        data, seed = source.trial_data_, source.seed_
        declared = self.own_nuisances(data, seed)
        nuisances = pick(declared, fit_nuisances(declared, data, n_jobs=self.n_jobs))
        held_out = self._hold_out(data, seed)
        self.copy_members(source)
        for name in list(self.members_):
            self.seconds_[name] += held_out.seconds[name]
            if name in held_out.messages:
                self.failures_[name] = held_out.messages[name]
                del self.members_[name]
        if not self.members_:
            raise ValueError(f"every member failed: {self.failures_}")
        self.cross_fit_ = _cross_fit(held_out, nuisances)
        self.weigh(data, self.member_effects(data.X))


def _check_units(name: str, data: TrialData) -> None:
    """Refuse a trial whose rest, once a fold is left out, cannot be split again."""
    smaller = int(data.design.arm_sizes.min())
    if smaller < FEWEST_UNITS:
        what = data.design.units_word
        raise TrialError(
            f"{name} weighs its members on {what} that they have not seen, which takes at least "
            f"{FEWEST_UNITS} {what} in each arm; the smaller arm has {smaller}. Name a single "
            "model instead, such as LMM"
        )


def _cross_fit(held_out: HeldOut, nuisances: Mapping[str, NuisanceFit]) -> CrossFit:
    effects = np.zeros((len(held_out.folds), len(held_out.effects)))
    for column, effect in enumerate(held_out.effects.values()):
        effects[:, column] = effect
    return CrossFit(
        folds=held_out.folds,
        names=tuple(held_out.effects),
        effects=effects,
        mean=nuisances[_MEAN].cross_fitted,
        control=nuisances[_CONTROL].cross_fitted,
        treated=nuisances[_TREATED].cross_fitted,
    )
