"""Names of outcome models and single estimators, and how they combine."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.learners.bayesian_causal_forest import BayesianCausalForest
from tauhat.learners.bayesian_ridge import BayesianRidgeEffect
from tauhat.learners.causal_forest import CausalForest
from tauhat.learners.dr import DRLearner
from tauhat.learners.effect_boosting import EffectBoosting
from tauhat.learners.gamm import AdditiveMixedEffect
from tauhat.learners.linear_mixed import LinearMixedEffect
from tauhat.learners.mixed_s import MixedEffectsLearner
from tauhat.learners.r import RLearner
from tauhat.learners.s import SLearner
from tauhat.learners.t import TLearner
from tauhat.learners.x import XLearner
from tauhat.outcome.aglm import AGLMModel
from tauhat.outcome.bart import BART, MixedBART
from tauhat.outcome.boosting import BoostedTrees
from tauhat.outcome.elastic_net import ElasticNetModel
from tauhat.outcome.forest import RandomForest
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.outcome.gpboost import GPBoost
from tauhat.outcome.linear_mixed import LinearMixedModel
from tauhat.outcome.megb import MEGB
from tauhat.outcome.merf import MERF
from tauhat.outcome.mermboost import AdditiveBoosting
from tauhat.outcome.mert_boosting import MERTBoosting
from tauhat.outcome.reem_boosting import REEMBoosting
from tauhat.outcome.stacked import StackedModel
from tauhat.outcome_model import OutcomeModel

#: Outcome models by the word that follows the letter of a meta-learner.
OUTCOME_MODELS: dict[str, tuple[Callable[[], OutcomeModel], str]] = {
    "Linear": (ElasticNetModel, "elastic net"),
    "AGLM": (AGLMModel, "lasso on steps of every covariate"),
    "Boosting": (BoostedTrees, "gradient-boosted trees"),
    "RF": (RandomForest, "random forest"),
    "BART": (BART, "Bayesian additive regression trees"),
    "Stacked": (StackedModel, "stack of elastic net, forest, boosting and AGLM"),
    "LMM": (LinearMixedModel, "linear mixed model with a random cluster intercept"),
    "BART-RE": (lambda: MixedBART().quick(), "BART with a random cluster intercept"),
    "GAMM": (AdditiveMixedModel, "additive mixed model with a random cluster intercept"),
    "MERF": (MERF, "random forest with a random cluster intercept"),
    "GPBoost": (GPBoost, "GPBoost's trees with a random cluster intercept"),
    "MEGB": (MEGB, "boosted trees with a random cluster intercept, EM"),
    "MERT-Boosting": (MERTBoosting, "boosted trees with an EM step at every tree"),
    "REEM-Boosting": (REEMBoosting, "boosted trees with a random cluster intercept, REML"),
    "Additive-Boosting": (AdditiveBoosting, "boosted curves with a projected random intercept"),
}

#: Meta-learners by letter.
META_LEARNERS: dict[str, tuple[Callable[[OutcomeModel], CateEstimator], str]] = {
    "S": (SLearner, "one regression with the treatment as a covariate"),
    "T": (TLearner, "one regression in each arm"),
    "X": (XLearner, "regressions of effects imputed from the other arm"),
    "DR": (DRLearner, "regression of the doubly robust score"),
    "R": (RLearner, "regression that minimises Robinson's loss"),
}

#: Estimators that are more than a letter and an outcome model.
DIRECT: dict[str, tuple[Callable[[], CateEstimator], str]] = {
    "LMM": (
        lambda: LinearMixedEffect(prior_rate=10.0),
        "linear mixed model, shrunken treatment-by-covariate interactions",
    ),
    "LMM-lasso": (
        lambda: LinearMixedEffect(interactions="lasso"),
        "linear mixed model, main effects and interactions chosen by a lasso",
    ),
    "GAMM": (AdditiveMixedEffect, "additive mixed model whose effect is a sum of smooth curves"),
    "BRM": (BayesianRidgeEffect, "Bayesian ridge mixed model on steps, products and random trees"),
    "Effect-Boosting": (
        EffectBoosting,
        "boosting of the effect itself, the cluster intercept whitened away",
    ),
    "BART-RE": (lambda: SLearner(MixedBART()), "S-learner on BART with a random cluster intercept"),
    "BCF": (
        lambda: BayesianCausalForest(random_intercept=False),
        "Bayesian causal forest",
    ),
    "BCF-RE": (
        lambda: BayesianCausalForest(random_intercept=True),
        "Bayesian causal forest with a random cluster intercept",
    ),
    "CF-DML-linear": (
        lambda: CausalForest(outcome_model=ElasticNetModel()),
        "causal forest on residuals of an elastic net",
    ),
    "CF-DML-forest": (
        lambda: CausalForest(outcome_model=RandomForest()),
        "causal forest on residuals of a random forest",
    ),
    "MERF": (
        lambda: MixedEffectsLearner(MERF(linear_part=True), MERF(min_samples_leaf=15)),
        "X-learner on mixed-effects random forests",
    ),
    "GPBoost": (
        lambda: MixedEffectsLearner(GPBoost(linear_part=True), GPBoost()),
        "X-learner on GPBoost",
    ),
    "MEGB": (
        lambda: MixedEffectsLearner(MEGB(linear_part=True), MEGB()),
        "X-learner on mixed-effects boosting by EM",
    ),
    "MERT-Boosting": (
        lambda: MixedEffectsLearner(MERTBoosting(linear_part=True), MERTBoosting()),
        "X-learner on boosting with an EM step at every tree",
    ),
    "REEM-Boosting": (
        lambda: MixedEffectsLearner(REEMBoosting(linear_part=True), REEMBoosting()),
        "X-learner on mixed-effects boosting by REML",
    ),
    "Additive-Boosting": (
        lambda: MixedEffectsLearner(AdditiveBoosting()),
        "X-learner on boosted curves with a projected random intercept",
    ),
    "X-GAMM-RF": (
        lambda: XLearner(
            AdditiveMixedModel(), MERF(min_samples_leaf=10, n_growths=1, max_iterations=2)
        ),
        "X-learner: additive mixed models, then forests with a projected random intercept",
    ),
    "MERF-textbook": (
        lambda: MixedEffectsLearner(MERF(), form="textbook"),
        "plain S-learner on a mixed-effects forest, which loses part of the effect",
    ),
    "GPBoost-textbook": (
        lambda: MixedEffectsLearner(GPBoost(), form="textbook"),
        "plain S-learner on GPBoost, which loses part of the effect",
    ),
}


def outcome_model(name: str) -> OutcomeModel:
    """Outcome model of a name such as "RF" or "LMM".

    Parameters
    ----------
    name
        A key of ``OUTCOME_MODELS``.

    Returns
    -------
    OutcomeModel
        Unfitted, at its default settings.

    Raises
    ------
    TrialError
        If the name is unknown, with the nearest known ones.

    Examples
    --------
    >>> type(outcome_model("RF")).__name__
    'RandomForest'
    """
    if name not in OUTCOME_MODELS:
        raise TrialError(unknown_name("outcome model", name, list(OUTCOME_MODELS)))
    return OUTCOME_MODELS[name][0]()


def single_estimator(name: str, **settings: Any) -> CateEstimator:
    """Single estimator of a name such as "X-RF", "DR-LMM" or "BCF-RE".

    Parameters
    ----------
    name
        A key of ``DIRECT``, or a letter S, T, X, DR or R, a hyphen, and a key of
        ``OUTCOME_MODELS``.
    **settings
        Parameters to set, such as ``random_state``.

    Returns
    -------
    CateEstimator
        Unfitted.

    Raises
    ------
    TrialError
        If the name is unknown, with the nearest known ones.

    Examples
    --------
    >>> type(single_estimator("DR-LMM")).__name__
    'DRLearner'
    """
    letter, _, model = name.partition("-")
    if name in DIRECT:
        estimator = DIRECT[name][0]()
    elif letter in META_LEARNERS and model in OUTCOME_MODELS:
        estimator = META_LEARNERS[letter][0](outcome_model(model))
    else:
        raise TrialError(unknown_name("estimator", name, single_names()))
    estimator.set_params(**settings)
    return estimator


def ensemble_member(name: str) -> CateEstimator:
    """Single estimator of a name, at settings that are enough for points.

    Long chains serve the posterior of one estimator; the average of many takes
    its intervals from elsewhere.

    Examples
    --------
    >>> ensemble_member("BCF-RE").n_draws < single_estimator("BCF-RE").n_draws
    True
    """
    if name == "LMM":
        # An ensemble judges for itself whether there is heterogeneity.
        return LinearMixedEffect()
    if name == "BART-RE":
        return SLearner(MixedBART().quick())
    estimator = single_estimator(name)
    if isinstance(estimator, BayesianCausalForest):
        return estimator.quick()
    return estimator


def single_names() -> list[str]:
    """All names that `single_estimator` accepts.

    Examples
    --------
    >>> "X-RF" in single_names()
    True
    """
    combined = [f"{letter}-{model}" for letter in META_LEARNERS for model in OUTCOME_MODELS]
    return [*DIRECT, *combined]


def describe(name: str) -> str:
    """One line on a single estimator.

    Examples
    --------
    >>> describe("T-Linear")
    'one regression in each arm: elastic net'
    """
    if name in DIRECT:
        return DIRECT[name][1]
    letter, _, model = name.partition("-")
    return f"{META_LEARNERS[letter][1]}: {OUTCOME_MODELS[model][1]}"


def unknown_name(what: str, name: str, known: list[str]) -> str:
    """Message for an unknown name, with the nearest known ones."""
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "see `tauhat estimators`"
    return f"unknown {what} {name!r}; {hint}"
