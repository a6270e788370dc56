"""Stacked X-learner: an X-learner whose every regression is a stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.learners.outcome_models import outcome_model
from tauhat.learners.x import XLearner
from tauhat.outcome.stacked import StackedModel, Weights
from tauhat.outcome_model import OutcomeModel

OutcomeMembers = Sequence[tuple[str, OutcomeModel]]

INDIVIDUAL_BASES = ("Linear", "RF", "Boosting", "AGLM")
#: In a cluster trial the linear base is the mixed model, and every fold holds whole clusters.
CLUSTER_BASES = ("LMM", "RF", "Boosting", "BART-RE")


class StackedX(CateEstimator):
    r"""X-learner with both stages fitted by stacking.

    Stage 1 (the arm regressions) and stage 2 (the regressions of imputed
    effects) are each a stack: base predictions cross-fitted over whole clusters
    are the inputs of a linear regression, which weighs base models fitted to
    all rows. The effect is the X-learner's,
    :math:`\pi\hat\tau_0(x) + (1-\pi)\hat\tau_1(x)`.

    Parameters
    ----------
    members
        Pairs of name and outcome model; None takes elastic net, random forest,
        boosting and AGLM (the paper's) or, with clusters, the linear mixed
        model, random forest, boosting and BART with a random intercept.
    weights
        Regression on the base predictions, for both stages: "ols" (the paper's),
        "convex", "nnls" or "ridge", see `tauhat.outcome.StackedModel`.
    outcome_weights, effect_weights
        The same for stage 1 and for stage 2 alone; None takes ``weights``.
        ``StackedX(outcome_weights="convex", effect_weights="nnls")`` is a
        constrained version that needs fewer persons: convex arm regressions,
        and weights of the imputed effects that are not negative, with a free
        intercept.
    n_folds
        Folds of the cross-fitting.
    quick_folds
        Whether members are cross-fitted at bootstrap settings (their ``reduced``): these fits
        only weigh. None does so in cluster trials, where chains of trees would take half of the
        time; the paper, which has none, does not.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    learner_
        The fitted `XLearner`.
    weights_
        Mean weight of each base model over the two regressions of stage 2.

    References
    ----------
    Machluf, Frostig, Shoham, Milo, Berkman and Pryluk, Robust CATE estimation
    using novel ensemble methods, arXiv:2407.03690.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(200, 2)), rng.integers(0, 2, 200)
    >>> y = X[:, 0] + A * (1 + X[:, 1]) + 0.3 * rng.normal(size=200)
    >>> bases = [("linear", outcome_model("Linear")), ("mixed", outcome_model("LMM"))]
    >>> model = StackedX(bases, random_state=1).fit(X, y, treatment=A)
    >>> bool(abs(model.effect([[0.0, 1.0]])[0] - 2) < 0.3)
    True
    """

    registered_name = "Stacked-X"

    flips_exactly: ClassVar[bool] = False

    def __init__(
        self,
        members: OutcomeMembers | None = None,
        weights: Weights = "ols",
        outcome_weights: Weights | None = None,
        effect_weights: Weights | None = None,
        n_folds: int = 3,
        quick_folds: bool | None = None,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        self.members = members
        self.weights = weights
        self.outcome_weights = outcome_weights
        self.effect_weights = effect_weights
        self.n_folds = n_folds
        self.quick_folds = quick_folds
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _learner(self, data: TrialData) -> XLearner:
        members, family = self.members, data.design.family
        if members is None:
            names = {"individual": INDIVIDUAL_BASES, "cluster": CLUSTER_BASES}[family]
            members = [(name, outcome_model(name)) for name in names]
        is_quick = family == "cluster" if self.quick_folds is None else self.quick_folds
        stages = [
            StackedModel(
                list(members),
                weights=chosen or self.weights,
                n_folds=self.n_folds,
                quick_folds=is_quick,
            )
            for chosen in (self.outcome_weights, self.effect_weights)
        ]
        return XLearner(*stages)

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Stacks of the two arms; their base fits are shared with other learners."""
        return self._learner(data).declare_nuisances(data, seed)

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit the stacked second stage."""
        self.learner_ = self._learner(data).fit_with(data, nuisances, seed)
        stacks: list[Any] = self.learner_.effect_models_
        names = [name for name, _ in stacks[0].base_models()]
        mean_weights = sum(stack.weights_ for stack in stacks) / len(stacks)
        self.weights_ = dict(zip(names, mean_weights.tolist(), strict=True))

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        return self.learner_.predict_effect(X)
