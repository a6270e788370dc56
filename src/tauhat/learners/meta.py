"""What the T-, X-, DR- and R-learners share: two models and an effect regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.scikit_learn import as_outcome_model, is_classifier
from tauhat.numerics.seeds import derive_seed
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.outcome_model import OutcomeModel, VarianceComponents

N_FOLDS = 5


class TwoStageLearner(CateEstimator):
    """A learner that regresses a pseudo-outcome on the covariates.

    Parameters
    ----------
    outcome_model
        Regression of the outcome: a `tauhat.OutcomeModel`, or a regressor or
        classifier of scikit-learn.
    effect_model
        Regression of the pseudo-outcome (no classifier); None means another copy of
        ``outcome_model``. Mixed models carry a random intercept in both stages.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.
    """

    def __init__(
        self,
        outcome_model: OutcomeModel,
        effect_model: OutcomeModel | None = None,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        self.outcome_model = outcome_model
        self.effect_model = effect_model
        self.random_state = random_state
        self.n_jobs = n_jobs

    @property
    def is_straight(self) -> bool:
        """Whether its regression of the outcome is."""
        return as_outcome_model(self.outcome_model).is_straight

    def fit_effect_model(
        self,
        data: TrialData,
        rows: IntArray,
        pseudo_outcome: FloatArray,
        seed: int,
        weight: FloatArray | None = None,
    ) -> OutcomeModel:
        """Regress a pseudo-outcome of some rows on their covariates.

        Parameters
        ----------
        data
            The trial.
        rows
            Rows to learn from.
        pseudo_outcome
            One value per row of ``rows``.
        seed
            Seed of the learner.
        weight
            Weights of the pseudo-outcome, multiplied by the trial's own.
        """
        part = data.take(rows)
        if part.sample_weight is not None:
            weight = part.sample_weight if weight is None else weight * part.sample_weight
        chosen = self.outcome_model if self.effect_model is None else self.effect_model
        if is_classifier(chosen):
            given = "effect_model" if self.effect_model is not None else "outcome_model"
            raise TrialError(
                f"{given} is a classifier, and the second regression of the "
                f"{type(self).__name__} is of effects: give a regressor as effect_model"
            )
        model: OutcomeModel = clone(as_outcome_model(chosen))
        if "random_state" in model.get_params(deep=False):
            model.set_params(random_state=derive_seed(seed, "effect"))
        return model.fit(part.X, pseudo_outcome, clusters=part.clusters, sample_weight=weight)

    def reduced(self) -> Self:
        """Return a copy with both models at bootstrap settings."""
        copy: Self = clone(self)
        copy.set_params(outcome_model=as_outcome_model(self.outcome_model).reduced())
        if self.effect_model is not None:
            copy.set_params(effect_model=as_outcome_model(self.effect_model).reduced())
        return copy


def arm_sizes(data: TrialData) -> tuple[IntArray, IntArray]:
    """Persons and randomized units of control and treated, each of shape (2,).

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> A = np.array([0, 0, 0, 0, 1, 1])
    >>> data = validate_trial(np.eye(6), np.arange(6), A, clusters=[0, 0, 1, 2, 3, 4])
    >>> [sizes.tolist() for sizes in arm_sizes(data)]
    [[4, 2], [3, 2]]
    """
    return np.bincount(data.treatment, minlength=2), data.design.arm_sizes


def pooled_components(
    parts: Sequence[VarianceComponents], sizes: tuple[IntArray, IntArray]
) -> VarianceComponents:
    """Components of models of separate arms, averaged as the data speak on them.

    The residual variance is averaged by numbers of persons, the between-cluster
    variance by numbers of clusters.

    Parameters
    ----------
    parts
        Components of control and treated.
    sizes
        Persons and clusters of the arms, as `arm_sizes` gives them.

    Examples
    --------
    >>> parts = [VarianceComponents(0.1, 1.0), VarianceComponents(0.4, 2.0)]
    >>> pooled = pooled_components(parts, (np.array([300, 100]), np.array([20, 10])))
    >>> round(pooled.between_cluster, 3), pooled.residual
    (0.2, 1.25)
    """
    persons, clusters = sizes
    return VarianceComponents(
        between_cluster=float(np.average([p.between_cluster for p in parts], weights=clusters)),
        residual=float(np.average([p.residual for p in parts], weights=persons)),
        scale=parts[0].scale,
    )


def components_given_effect(data: TrialData, effect: FloatArray) -> VarianceComponents:
    r"""Variance components of what an estimated effect leaves of the outcome.

    .. math:: Y - (A - \pi)\,\hat\tau(X) = f(X) + A\,\delta + b + e

    by REML, with an additive mixed model in X. A residual of a cross-fitted
    regression would count that regression's own error as a difference between
    clusters.

    Parameters
    ----------
    data
        The trial, with clusters.
    effect
        Estimated effects, shape (n,).

    Returns
    -------
    VarianceComponents

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(60), 20)
    >>> y = 2.0 * (clusters % 2) + rng.normal(size=60)[clusters] + rng.normal(size=1200)
    >>> data = validate_trial(rng.normal(size=(1200, 1)), y, clusters % 2, clusters)
    >>> bool(0.4 < components_given_effect(data, np.full(1200, 2.0)).icc < 0.6)
    True
    """
    contrast = data.treatment - data.propensity
    model = AdditiveMixedModel().fit(
        np.column_stack([data.X, data.treatment]),
        data.working - contrast * effect,
        clusters=data.clusters,
        sample_weight=data.sample_weight,
    )
    return model.variance_components_
