"""Many estimators on one trial, each distinct piece of work done once."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.ensemble import Ensemble
from tauhat.ensembles.fits import MemberFit, SharedFits, identity_of, prepared
from tauhat.ensembles.out_of_fold import Refits, out_of_fold_effects
from tauhat.errors import TauhatWarning
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.learning_view import learning_view
from tauhat.fitting.nuisance import Nuisance, NuisanceFit, fit_nuisances, pick


@dataclass(frozen=True)
class _Planned:
    """An ensemble, keys of its members and of their refits, and its own regressions."""

    estimator: Ensemble
    members: Mapping[str, str]
    n_folds: int
    refits: Mapping[str, str]
    nuisances: Sequence[Nuisance]


def fit_together(
    estimators: Mapping[str, CateEstimator], data: TrialData, seed: int, *, n_jobs: int = 1
) -> dict[str, MemberFit]:
    """Fit many estimators to one trial, sharing all that they have in common.

    Equal regressions are fitted once, and so are equal estimators: an ensemble
    takes the members that stand in ``estimators`` too, or in another ensemble,
    and their refits without each fold. Every estimator gets the same seed, so
    the results are those of separate fits with that seed.

    Parameters
    ----------
    estimators
        Estimators by name; they are copied, not changed.
    data
        The trial.
    seed
        Seed of every estimator.
    n_jobs
        Number of fits at once.

    Returns
    -------
    dict
        `tauhat.ensembles.fits.MemberFit` by name: the fitted estimator, the
        message of its failure (or of the members that an ensemble goes
        without), and the seconds that it would have taken alone (shared work
        counts for each).

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.data import validate_trial
    >>> from tauhat.learners.t import TLearner
    >>> from tauhat.learners.x import XLearner
    >>> from tauhat.outcome.linear_mixed import LinearMixedModel
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(80, 2)), np.tile([0, 1], 40)
    >>> data = validate_trial(X, X[:, 0] + A + rng.normal(size=80), A)
    >>> learners = {"T": TLearner(LinearMixedModel()), "X": XLearner(LinearMixedModel())}
    >>> fits = fit_together(learners, data, seed=1)
    >>> fits["T"].estimator.effect([[0.0, 0.0]]).shape
    (1,)
    """
    data = learning_view(data)
    singles = SharedFits(data, seed)
    ensembles: dict[str, _Planned] = {}
    keys: dict[str, str] = {}
    messages: dict[str, str] = {}
    wanted: dict[int, dict[str, CateEstimator]] = {}
    for name, estimator in estimators.items():
        if not isinstance(estimator, Ensemble):
            keys[name] = singles.add(estimator)
            continue
        copy = cast(Ensemble, prepared(estimator, seed))
        try:
            plan = copy.plan(data, seed)
            members = {part: singles.add(one) for part, one in plan.members.items()}
            refits = {}
            for part, one in plan.refits.items():
                refit = prepared(one, seed)
                refits[part] = identity_of(refit)
                wanted.setdefault(plan.n_folds, {}).setdefault(refits[part], refit)
            ensembles[name] = _Planned(copy, members, plan.n_folds, refits, plan.nuisances)
        except Exception as error:
            messages[name] = f"{type(error).__name__}: {error}"
    declared = singles.all_nuisances
    declared += [nuisance for one in ensembles.values() for nuisance in one.nuisances]
    regressions = fit_nuisances(declared, data, n_jobs=n_jobs)
    fitted = singles.fit(regressions, n_jobs=n_jobs)
    held_out = {
        n_folds: out_of_fold_effects(parts, data, n_folds, seed, n_jobs=n_jobs, fit=fit_together)
        for n_folds, parts in wanted.items()
    }
    results: dict[str, MemberFit] = {}
    for name in estimators:
        if name in messages:
            results[name] = MemberFit(None, messages[name], 0.0)
        elif name in keys:
            results[name] = fitted[keys[name]]
        else:
            planned = ensembles[name]
            parts = {part: fitted[key] for part, key in planned.members.items()}
            theirs = [n for key in planned.members.values() for n in singles.nuisances(key)]
            # The members' own times count a shared regression for each.
            needed = {n.key for n in (*planned.nuisances, *theirs)}
            distinct = sum(regressions[key].seconds for key in needed)
            counted = sum(regressions[n.key].seconds for n in theirs)
            alone = sum(part.seconds for part in parts.values()) + distinct - counted
            own = held_out[planned.n_folds].under(planned.refits) if planned.n_folds else None
            results[name] = _combine(planned, parts, data, seed, alone, own, regressions)
    return results


def effects_together(estimators: Mapping[str, CateEstimator], X: Any) -> dict[str, FloatArray]:
    """Effects of many estimators that were fitted together, each distinct one asked once.

    Parameters
    ----------
    estimators
        Fitted estimators by name. An ensemble's members are often among them or in
        another ensemble, and are then the same objects.
    X
        Covariates with the columns of the fit, shape (k, p).

    Returns
    -------
    dict
        What ``effect`` of each gives, shape (k,), by name.

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.data import validate_trial
    >>> from tauhat.learners.t import TLearner
    >>> from tauhat.outcome.linear_mixed import LinearMixedModel
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(80, 2)), np.tile([0, 1], 40)
    >>> data = validate_trial(X, X[:, 0] + A + rng.normal(size=80), A)
    >>> fits = fit_together({"T": TLearner(LinearMixedModel())}, data, seed=1)
    >>> model = fits["T"].estimator
    >>> bool((effects_together({"T": model}, X)["T"] == model.effect(X)).all())
    True
    """
    known: dict[int, FloatArray] = {}

    def effect_of(one: CateEstimator, checked: FloatArray) -> FloatArray:
        if id(one) in known:
            return known[id(one)]
        # One that does more with its members' effects does it itself.
        if isinstance(one, Ensemble) and type(one).predict_effect is Ensemble.predict_effect:
            effect = one.combine(lambda member: effect_of(member, checked))
        else:
            effect = one.predict_effect(checked)
        known[id(one)] = effect
        return effect

    return {name: one.bounded(effect_of(one, one.check_new(X))) for name, one in estimators.items()}


def _combine(
    one: _Planned,
    members: Mapping[str, MemberFit],
    data: TrialData,
    seed: int,
    alone: float,
    refits: Refits | None,
    regressions: Mapping[str, NuisanceFit],
) -> MemberFit:
    start = time.perf_counter()
    fitted: CateEstimator | None = None
    message = ""
    try:
        with warnings.catch_warnings():
            # The failure of a member is in the message.
            warnings.simplefilter("ignore", TauhatWarning)
            own = pick(one.nuisances, regressions)
            fitted = one.estimator.fit_from_members(data, members, seed, refits, own)
        failures = one.estimator.failures_.items()
        message = "; ".join(f"member {name}: {why}" for name, why in failures)
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
    elapsed = 0.0 if refits is None else refits.elapsed
    return MemberFit(fitted, message, alone + elapsed + time.perf_counter() - start)
