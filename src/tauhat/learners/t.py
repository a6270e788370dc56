"""T-learner: one outcome regression in each arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from sklearn.base import clone

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.fitting.scikit_learn import as_outcome_model
from tauhat.learners.meta import arm_sizes, pooled_components
from tauhat.outcome_model import OutcomeModel, VarianceComponents


class TLearner(CateEstimator):
    r"""Difference of two regressions, one fitted in each arm.

    .. math:: \hat\tau(x) = \hat\mu_1(x) - \hat\mu_0(x)

    In a cluster trial each arm has only its own clusters: the noise of both
    fits adds, and at 20 to 50 clusters a constant effect is usually closer.

    Parameters
    ----------
    outcome_model
        The regression: a `tauhat.OutcomeModel`, or a regressor or classifier of
        scikit-learn.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    References
    ----------
    Künzel, Sekhon, Bickel and Yu (2019), PNAS 116:4156-4165.

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.outcome.linear_mixed import LinearMixedModel
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(400, 2)), rng.integers(0, 2, 400)
    >>> y = X[:, 0] + A * (1 + X[:, 1]) + 0.1 * rng.normal(size=400)
    >>> model = TLearner(LinearMixedModel(), random_state=1).fit(X, y, treatment=A)
    >>> bool(abs(model.effect([[0.0, 1.0]])[0] - 2) < 0.1)
    True
    """

    def __init__(
        self, outcome_model: OutcomeModel, random_state: Any = None, n_jobs: int = 1
    ) -> None:
        self.outcome_model = outcome_model
        self.random_state = random_state
        self.n_jobs = n_jobs

    @property
    def is_straight(self) -> bool:
        """Whether its regression of the outcome is."""
        return as_outcome_model(self.outcome_model).is_straight

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """One regression an arm."""
        straight = self.sees_straight(data)
        return [
            Nuisance("control", self.outcome_model, arm=0, seed=seed, straight=straight),
            Nuisance("treated", self.outcome_model, arm=1, seed=seed, straight=straight),
        ]

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Keep both regressions."""
        self.models_ = [nuisances["control"].fitted, nuisances["treated"].fitted]
        self.arm_sizes_ = arm_sizes(data)

    @property
    def variance_components_(self) -> VarianceComponents:
        """Variance components of mixed outcome models, averaged over the arms."""
        models: list[Any] = self.models_
        return pooled_components([m.variance_components_ for m in models], self.arm_sizes_)

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        return self.models_[1].predict(X) - self.models_[0].predict(X)

    def reduced(self) -> Self:
        """Return a copy with the outcome model at bootstrap settings."""
        copy: Self = clone(self)
        copy.set_params(outcome_model=as_outcome_model(self.outcome_model).reduced())
        return copy
