"""Effects and outcome regressions of a trial, each person's from models that never saw them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.arguments import check_splits
from tauhat.data import TrialData
from tauhat.design import Design
from tauhat.fitting.cate_estimator import CateEstimator, refuse_no_estimator
from tauhat.fitting.nuisance import Nuisance, fit_without_fold
from tauhat.inference.inputs import (
    OrderedTrial,
    TrialLike,
    ordered_trial,
    refuse_no_trial,
    refuse_over_periods,
)
from tauhat.inference.transport import TargetPopulation, target_population
from tauhat.numerics.left_out import ChangesWithout
from tauhat.numerics.mid_ranks import mid_ranks
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.outcome_model import OutcomeModel
from tauhat.registry import estimator as registered_estimator
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread, run_tasks
from tauhat.tables.covariate_arrays import check_covariates

# Additive mixed model: the quickest estimator of either design that bends, 0.05 s a fit.
DEFAULT_ESTIMATOR = "GAMM"

RandomState = int | np.random.Generator | np.random.RandomState | None


@dataclass(frozen=True, eq=False)
class CrossFit(Shown):
    r"""Held-out effects and outcome regressions; the result of `cross_fit`.

    Every function of the descriptive layer takes it in place of a trial, so
    that nothing is fitted twice. Rows are in canonical order; ``rows`` leads
    back to the user's table.

    Attributes
    ----------
    trial
        The trial in canonical order.
    rows
        Position in the user's table of each row, shape (n,).
    frame
        Covariates as the user knows them, in the user's row order: n rows, and those
        of blocks with one arm only. Where outcomes are missing, those of everyone enrolled.
    estimator
        What estimated the effects.
    folds
        Fold of each row in each split, shape (splits, n).
    surfaces
        Effect of everyone by the estimators fitted without each fold, in units
        of the outcome, shape (splits, folds, n).
    outcome
        Expected outcome given the covariates, whatever the arm, by an outcome
        model fitted without the person's fold, shape (splits, n).
    seed
        Seed of the folds, from which ties are broken too.
    population
        Another population that persons count for (`carried_to`); None for the trial's own.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, arm = rng.normal(size=(200, 2)), np.arange(200) % 2
    >>> fit = cross_fit((X, X[:, 0] + arm + rng.normal(size=200), arm), n_splits=2, n_folds=2)
    >>> fit
    CrossFit(GAMM, persons=200, folds=2, splits=2)
    >>> fit.effects.shape, bool(abs(fit.scores.mean() - 1) < 0.3)
    ((2, 200), True)
    """

    trial: OrderedTrial
    rows: IntArray
    frame: pd.DataFrame
    estimator: str
    folds: IntArray
    surfaces: FloatArray
    outcome: FloatArray
    seed: int
    population: TargetPopulation | None = None

    def __repr__(self) -> str:
        return (
            f"CrossFit({self.estimator}, persons={self.data.n}, folds={self.n_folds}, "
            f"splits={self.n_splits})"
        )

    @property
    def data(self) -> TrialData:
        """The validated arrays."""
        return self.trial.data

    def carried_to(self, population: TargetPopulation) -> CrossFit:
        """The same held-out effects, with persons who count as much as another population has them.

        Nothing is fitted again: means of scores are those of the population by its weights, which
        the jackknife holds.

        Parameters
        ----------
        population
            Weights of this trial's persons, from `tauhat.inference.average_effects`.

        Raises
        ------
        TrialError
            If the weights are of another trial.
        """
        population = target_population(None, self.data, population)
        data = replace(self.data, sample_weight=population.weight)
        return replace(self, trial=replace(self.trial, data=data), population=population)

    @property
    def table(self) -> pd.DataFrame:
        """One row per split: mean and standard deviation of its held-out effects."""
        effects = self.effects
        return pd.DataFrame(
            {
                "split": np.arange(1, self.n_splits + 1),
                "mean effect": effects.mean(axis=1),
                "sd": effects.std(axis=1),
            }
        )

    @property
    def text(self) -> str:
        """What was fitted, in sentences."""
        return (
            f"Effects of {self.data.n} held-out persons. {self.method}. Their mean is "
            f"{self.effects.mean():.4g} and their standard deviation within a split "
            f"{self.effects.std(axis=1).mean():.4g}."
        )

    @property
    def n_splits(self) -> int:
        """Number of splits."""
        return len(self.folds)

    @property
    def n_folds(self) -> int:
        """Number of folds of a split."""
        return int(self.folds.max()) + 1

    @cached_property
    def effects(self) -> FloatArray:
        """Effect of each person by the estimator that never saw the fold, shape (splits, n)."""
        result: FloatArray = np.take_along_axis(self.surfaces, self.folds[:, None, :], axis=1)
        return result[:, 0]

    @cached_property
    def weight(self) -> FloatArray:
        """Weight of each person, mean 1, shape (n,)."""
        weight = self.data.sample_weight
        return np.ones(self.data.n) if weight is None else weight / weight.mean()

    @property
    def units(self) -> IntArray:
        """Randomized unit 0 to u - 1 of each row: cluster, or the person, shape (n,)."""
        return self.design.unit

    @property
    def design(self) -> Design:
        """Who was randomized, and how."""
        return self.data.design

    @property
    def control(self) -> FloatArray:
        """Expected outcome under control, ``m - pi tau``, shape (splits, n)."""
        result: FloatArray = self.outcome - self.data.propensity * self.effects
        return result

    @property
    def treated(self) -> FloatArray:
        """Expected outcome under treatment, ``m + (1 - pi) tau``, shape (splits, n)."""
        return self.control + self.effects

    @cached_property
    def residuals(self) -> FloatArray:
        """Outcome less its held-out expectation in the person's own arm, shape (splits, n)."""
        own: FloatArray = np.where(self.data.treatment == 1, self.treated, self.control)
        return self.data.y - own

    @property
    def observed(self) -> BoolArray:
        """Who has an outcome, shape (n,)."""
        missing = self.data.missing
        return np.full(self.data.n, True) if missing is None else missing.observed

    @cached_property
    def outcome_changes(self) -> ChangesWithout | None:
        """How outcomes made for those who lack one change without each cluster; None if none do."""
        made = self.data.outcome_changes()
        return None if made is None else made.without

    @property
    def centred_effects(self) -> FloatArray:
        """Held-out effects less their mean in the fold, shape (splits, n).

        The mean of a fold's held-out effects comes from the other folds, so it
        moves against the fold's own mean effect; only differences within a fold
        can be compared with the fold's outcomes.
        """
        centred = self.effects.copy()
        for split, folds in zip(centred, self.folds, strict=True):
            total = np.bincount(folds, weights=self.weight)
            mean = np.bincount(folds, weights=self.weight * split) / total
            split -= mean[folds]
        return centred

    @property
    def ranks(self) -> FloatArray:
        """Rank of the held-out effect within its fold, shape (splits, n).

        The share of the fold's persons with a smaller effect plus half of the
        person's own and of those tied with them: in (0, 1), 1/2 on average.
        """
        ranks = np.empty_like(self.effects)
        for s in range(self.n_splits):
            for fold in range(self.n_folds):
                rows = np.flatnonzero(self.folds[s] == fold)
                ranks[s, rows] = mid_ranks(self.effects[s, rows], self.weight[rows])
        return ranks

    @property
    def scores(self) -> FloatArray:
        r"""Model-robust scores, whose mean in any group is its effect, shape (splits, n).

        .. math:: \psi_i = \hat\mu_1(X_i) - \hat\mu_0(X_i)
                  + \frac{A_i - \pi_i}{\pi_i (1 - \pi_i)} \{Y_i - \hat\mu_{A_i}(X_i)\}
        """
        pi = self.data.propensity
        inverse = (self.data.treatment - pi) / (pi * (1 - pi))
        result: FloatArray = self.effects + inverse * self.residuals
        return result

    def quantile_groups(self, n_groups: int) -> IntArray:
        """Group 0 (smallest held-out effects) to n_groups - 1 within the fold, shape (splits, n).

        Each fold is cut at its own quantiles into groups of equal weight; equal
        effects are put in random order.
        """
        groups = np.empty(self.effects.shape, dtype=np.int64)
        weight = self.weight
        for s in range(self.n_splits):
            luck = np.random.default_rng(derive_seed(self.seed, "ties", s)).random(self.data.n)
            for fold in range(self.n_folds):
                rows = np.flatnonzero(self.folds[s] == fold)
                tied = mid_ranks(self.effects[s, rows], weight[rows])
                order = rows[np.lexsort((luck[rows], tied))]
                share = np.cumsum(weight[order]) - weight[order] / 2
                cut = np.floor(n_groups * share / weight[order].sum()).astype(np.int64)
                groups[s, order] = np.minimum(cut, n_groups - 1)
        return groups

    @property
    def method(self) -> str:
        """How the effects were held out, in words."""
        splits = "1 split" if self.n_splits == 1 else f"{self.n_splits} splits"
        units = self.design.whole_units
        method = f"{self.estimator} cross-fitted over {self.n_folds} folds of {units}, {splits}"
        if self.population is None:
            return method
        return (
            f"{method}, persons weighted for another population (effective sample size "
            f"{self.population.effective_n:.0f})"
        )


@on_one_thread
def cross_fit(
    trial: TrialLike,
    estimator: str | CateEstimator | None = None,
    *,
    n_splits: int = 11,
    n_folds: int = 5,
    outcome_model: OutcomeModel | None = None,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> CrossFit:
    """Estimate every person's effect by models that never saw the person or the cluster.

    Whole clusters are dealt to the folds within arm and block (persons in an
    individually randomized trial); the estimator and an outcome regression on
    the covariates are fitted without each fold and predict it. All of it is
    repeated over several splits, because one split's answer depends on the
    luck of its draw.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, or an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed
        model, "GAMM", which also does without clusters.
    n_splits
        Number of splits.
    n_folds
        Number of folds of a split; reduced to the size of the smaller arm (in
        units) when that is smaller.
    outcome_model
        Model of the outcome on the covariates; None for the additive mixed model.
    random_state
        Seed of the folds and the fits.
    n_jobs
        Number of fits at once.

    Returns
    -------
    CrossFit

    Raises
    ------
    TrialError
        If ``n_splits`` or ``n_folds`` is too small, or the name is unknown.
    ValueError
        If the trial is not valid.

    References
    ----------
    Chernozhukov, Demirer, Duflo and Fernandez-Val (2018), NBER 24678, for the
    repeated splits; Kennedy (2023), Electronic Journal of Statistics
    17:3008-3049, for the scores.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(20), 10)
    >>> X, arm = rng.normal(size=(200, 2)), clusters % 2
    >>> y = arm * (1 + X[:, 0]) + rng.normal(size=200)
    >>> fit = cross_fit((X, y, arm, clusters), "LMM", n_splits=2)
    >>> fit.method
    'LMM cross-fitted over 5 folds of whole clusters, 2 splits'
    """
    check_splits(n_splits, n_folds)
    chosen = DEFAULT_ESTIMATOR if estimator is None else estimator
    name = chosen if isinstance(chosen, str) else getattr(chosen, "known_as", type(chosen).__name__)
    refuse_no_estimator(chosen)
    effect_model: Any = registered_estimator(chosen) if isinstance(chosen, str) else clone(chosen)
    nuisance_model = AdditiveMixedModel() if outcome_model is None else outcome_model
    refuse_no_trial(trial)
    if not isinstance(trial, TrialData) and not hasattr(trial, "frame"):
        trial = tuple(trial)
    ordered = ordered_trial(trial, counted=True)
    data = ordered.data
    refuse_over_periods(data, "held-out effects are")
    seed = resolve_seed(random_state)
    nuisances = [
        Nuisance("outcome", nuisance_model, n_folds=n_folds, seed=derive_seed(seed, "split", s))
        for s in range(n_splits)
    ]
    folds = np.array([data.design.folds(n_folds, nuisance.seed) for nuisance in nuisances])
    places = [(s, fold) for s in range(n_splits) for fold in range(int(folds[s].max()) + 1)]
    tasks = [(effect_model, nuisances[s], data, folds[s], fold) for s, fold in places]
    outcome = np.empty(folds.shape)
    surfaces = np.empty((n_splits, int(folds.max()) + 1, data.n))
    results = run_tasks(_predict_fold, tasks, n_jobs=n_jobs)
    for (s, fold), (surface, expected) in zip(places, results, strict=True):
        surfaces[s, fold], outcome[s, folds[s] == fold] = surface, expected
    return CrossFit(
        trial=ordered,
        rows=ordered.rows,
        frame=covariate_frame(trial, data),
        estimator=name,
        folds=folds,
        surfaces=surfaces,
        outcome=outcome,
        seed=seed,
    )


def covariate_frame(trial: TrialLike, data: TrialData) -> pd.DataFrame:
    """Covariates as the user knows them, in the user's row order.

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> trial = (np.array([[2.0], [1.0]] * 2), [1.0, 2.0, 4.0, 5.0], [0, 0, 1, 1])
    >>> covariate_frame(trial, validate_trial(*trial)).x1.tolist()
    [2.0, 1.0, 2.0, 1.0]
    """
    frame = getattr(trial, "counted_frame", getattr(trial, "frame", None))
    if frame is None:
        X = data.X if isinstance(trial, TrialData) else next(iter(trial))
        frame = pd.DataFrame(check_covariates(X), columns=list(data.feature_names))
    return frame.reset_index(drop=True)


def _predict_fold(
    effect_model: Any, nuisance: Nuisance, data: TrialData, folds: IntArray, fold: int
) -> tuple[FloatArray, FloatArray]:
    """Everyone's effect and the fold's expected outcome by models that never saw the fold."""
    model = clone(effect_model)
    model.set_params(random_state=derive_seed(nuisance.seed, "effect", fold), n_jobs=1)
    model.fit_data(data.take(folds != fold))
    surface: FloatArray = model.bounded(model.predict_effect(data.X))
    return surface, fit_without_fold(nuisance, data, fold)[:, 0]
