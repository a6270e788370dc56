"""Records of outcome models and single estimators by name, and how they combine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from tauhat.endpoint import KINDS
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.registered import BlockIntercepts, InnerLevels, Registered, RegisteredEstimator
from tauhat.learners.additive_mixed_effect import AdditiveMixedEffect
from tauhat.learners.bayesian_causal_forest import BayesianCausalForest
from tauhat.learners.bayesian_ridge import BayesianRidgeEffect
from tauhat.learners.causal_forest import CausalForest
from tauhat.learners.dr import DRLearner
from tauhat.learners.effect_boosting import EffectBoosting
from tauhat.learners.linear_mixed_effect import LinearMixedEffect
from tauhat.learners.mixed_s import MixedEffectsLearner
from tauhat.learners.odds_ratio import ConstantOddsRatio
from tauhat.learners.outcome_models import OUTCOME_MODELS
from tauhat.learners.piecewise_exponential import PiecewiseExponentialEffect
from tauhat.learners.r import RLearner
from tauhat.learners.risk import RiskEffect
from tauhat.learners.s import SLearner
from tauhat.learners.t import TLearner
from tauhat.learners.x import XLearner
from tauhat.outcome.bart import BART, MixedBART
from tauhat.outcome.elastic_net import ElasticNetModel
from tauhat.outcome.forest import RandomForest
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.outcome.gpboost import GPBoost
from tauhat.outcome.megb import MEGB
from tauhat.outcome.merf import MERF
from tauhat.outcome.mermboost import AdditiveBoosting
from tauhat.outcome.mert_boosting import MERTBoosting
from tauhat.outcome.reem_boosting import REEMBoosting
from tauhat.wording import unknown_name

#: Meta-learners by letter.
META_LEARNERS: dict[str, Registered[CateEstimator]] = {
    "S": Registered(
        SLearner, "one regression with the treatment as a covariate", "Künzel and others 2019"
    ),
    "T": Registered(TLearner, "one regression in each arm", "Künzel and others 2019"),
    "X": Registered(
        XLearner,
        "regressions of effects imputed from the other arm",
        "Künzel and others 2019",
    ),
    "DR": Registered(DRLearner, "regression of the doubly robust score", "Kennedy 2023"),
    "R": Registered(RLearner, "regression that minimises Robinson's loss", "Nie and Wager 2021"),
}

#: Shorter chains of a member of an ensemble, see `ensemble_member`.
ShorterChains = Literal["brief", "two"]

_EITHER = ("individual", "cluster")
# Kinds of outcome without an event that has a risk, and those that are not made of times.
_NO_EVENTS = [name for name, kind in KINDS.items() if kind.link != "logit"]
_NO_TIMES = [name for name, kind in KINDS.items() if kind.time is None]

# Number of trees of BART-RE, and share of the splits that it proposes of the arm
# (benchmarks/bart_treatment.py).
_BART_TREES = 100
_TREATMENT_SHARE = 0.3

# Why not, to follow the names of one or several of them and a colon.
_NO_INTERCEPT = (
    "no random intercept, so what the persons of a cluster share can pass for an effect of their "
    "covariates"
)
_FEW_HONEST_CLUSTERS = (
    "cluster intercepts are taken out of the outcome, but with few clusters the honest halves are "
    "small and the effects noisy: better as a member of an ensemble"
)
_NO_CLUSTERS = "without clusters there is no cluster intercept left to model"
_NO_CLUSTERS_BUT_A_MEMBER = f"{_NO_CLUSTERS}; a member of `Robust` there all the same"
_FOR_COMPARISON = (
    "kept for comparison: part of the effect of a cluster-level treatment goes to the intercepts"
)


def _plain(
    make: Callable[[], CateEstimator],
    description: str,
    source: str,
    because: str,
    risks_for: tuple[str, ...] = (),
) -> RegisteredEstimator:
    """Record of a learner without clusters in its model."""
    return RegisteredEstimator(make, description, source, ("individual",), because, risks_for)


def _mixed(
    make: Callable[[], CateEstimator],
    description: str,
    source: str,
    because: str = _NO_CLUSTERS,
    block_intercepts: BlockIntercepts = "taken out",
    risks_for: tuple[str, ...] = (),
    rates_for: tuple[str, ...] = (),
    inner_levels: InnerLevels = "ignored",
) -> RegisteredEstimator:
    """Record of a learner with a random intercept of the clusters."""
    return RegisteredEstimator(
        make,
        description,
        source,
        ("cluster",),
        because,
        risks_for,
        rates_for,
        block_intercepts,
        inner_levels=inner_levels,
    )


def _of_risks(
    make: Callable[[], CateEstimator], description: str, source: str
) -> RegisteredEstimator:
    """Record of a model of the risks of an event that has no form for other outcomes."""
    return RegisteredEstimator(
        make,
        description,
        source,
        _EITHER,
        risks_for=_EITHER,
        block_intercepts="intercept",
        refuses=dict.fromkeys(_NO_EVENTS, "it models the risk of an event"),
    )


#: Estimators that are more than a letter and an outcome model.
DIRECT: dict[str, RegisteredEstimator] = {
    "LMM": _mixed(
        lambda: LinearMixedEffect(prior_rate=10.0),
        "linear mixed model of the mean, the log odds or the log rate, shrunken "
        "treatment-by-covariate interactions",
        "the criterion of lme4; the shrinkage is tauhat's",
        _NO_CLUSTERS_BUT_A_MEMBER,
        "intercept",
        _EITHER,
        _EITHER,
        inner_levels="intercept",
    ),
    "LMM-lasso": _mixed(
        lambda: LinearMixedEffect(interactions="lasso"),
        "linear mixed model, main effects and interactions chosen by a lasso",
        "Schelldorfer, Bühlmann and van de Geer 2011",
        block_intercepts="intercept",
    ),
    "GAMM": _mixed(
        AdditiveMixedEffect,
        "additive mixed model whose effect on the mean, the log odds or the log rate is a sum of "
        "smooth curves",
        "Wood 2017; priors of Simpson and others 2017",
        _NO_CLUSTERS_BUT_A_MEMBER,
        "intercept",
        _EITHER,
        _EITHER,
        inner_levels="intercept",
    ),
    "Constant-Odds-Ratio": _of_risks(
        ConstantOddsRatio,
        "one odds ratio for all, so that effects differ as the risk does",
        "Kent and others 2020",
    ),
    "Risk": _of_risks(
        RiskEffect,
        "risk modelling: an odds ratio that changes with the predicted risk alone",
        "Kent and others 2020 (PATH); the shrinkage is tauhat's",
    ),
    "PEM": RegisteredEstimator(
        PiecewiseExponentialEffect,
        "piecewise-exponential mixed model: hazards with a frailty of the cluster, "
        "lines and thresholds of the effect averaged over which are there",
        "Holford 1980; Laird and Olivier 1981; the shrinkage is tauhat's",
        _EITHER,
        block_intercepts="intercept",
        refuses=dict.fromkeys(_NO_TIMES, "it models the hazard of an event"),
    ),
    "BART-RE": _mixed(
        lambda: SLearner(MixedBART(n_trees=_BART_TREES, treatment_share=_TREATMENT_SHARE)),
        "S-learner on BART with a random cluster intercept",
        "Chipman, George and McCulloch 2010; stochtree",
        risks_for=("cluster",),
    ),
    "BCF-RE": _mixed(
        lambda: BayesianCausalForest(random_intercept=True),
        "Bayesian causal forest with a random cluster intercept",
        "Hahn, Murray and Carvalho 2020; stochtree",
        risks_for=("cluster",),
    ),
    "MERF": _mixed(
        lambda: MixedEffectsLearner(MERF(linear_part=True), MERF(min_samples_leaf=15)),
        "X-learner on mixed-effects random forests",
        "Hajjem, Bellavance and Larocque 2014",
    ),
    "GPBoost": _mixed(
        lambda: MixedEffectsLearner(GPBoost(linear_part=True), GPBoost()),
        "X-learner on GPBoost",
        "Sigrist 2022",
    ),
    "MEGB": _mixed(
        lambda: MixedEffectsLearner(MEGB(linear_part=True), MEGB()),
        "X-learner on mixed-effects boosting by EM",
        "Olaniran, R package MEGB",
    ),
    "MERT-Boosting": _mixed(
        lambda: MixedEffectsLearner(MERTBoosting(linear_part=True), MERTBoosting()),
        "X-learner on boosting with an EM step at every tree",
        "Salditt, Humberg and Nestler 2023",
    ),
    "REEM-Boosting": _mixed(
        lambda: MixedEffectsLearner(REEMBoosting(linear_part=True), REEMBoosting()),
        "X-learner on mixed-effects boosting by REML",
        "Salditt, Humberg and Nestler 2023",
    ),
    "Additive-Boosting": _mixed(
        lambda: MixedEffectsLearner(AdditiveBoosting()),
        "X-learner on boosted curves with a projected random intercept",
        "the idea of mermboost",
    ),
    "Effect-Boosting": _mixed(
        EffectBoosting,
        "boosting of the effect itself, the cluster intercept whitened away",
        "tauhat",
    ),
    "X-GAMM-RF": _mixed(
        lambda: XLearner(
            AdditiveMixedModel(), MERF(min_samples_leaf=10, n_growths=1, max_iterations=2)
        ),
        "X-learner: additive mixed models, then forests with a projected random intercept",
        "tauhat",
    ),
    "BRM": _mixed(
        BayesianRidgeEffect,
        "Bayesian ridge mixed model on steps, products and random trees",
        "tauhat",
        _NO_CLUSTERS_BUT_A_MEMBER,
        "intercept",
        _EITHER,
        inner_levels="intercept",
    ),
    "BCF": _plain(
        lambda: BayesianCausalForest(random_intercept=False),
        "Bayesian causal forest",
        "Hahn, Murray and Carvalho 2020; stochtree",
        f"{_NO_INTERCEPT}; `BCF-RE` has one",
        ("individual",),
    ),
    "CF-DML-linear": _plain(
        lambda: CausalForest(outcome_model=ElasticNetModel()),
        "causal forest on residuals of an elastic net",
        "Athey, Tibshirani and Wager 2019; EconML",
        _FEW_HONEST_CLUSTERS,
    ),
    "CF-DML-forest": _plain(
        lambda: CausalForest(outcome_model=RandomForest()),
        "causal forest on residuals of a random forest",
        "Athey, Tibshirani and Wager 2019; EconML",
        _FEW_HONEST_CLUSTERS,
    ),
    "MERF-textbook": RegisteredEstimator(
        lambda: MixedEffectsLearner(MERF(), form="textbook"),
        "plain S-learner on a mixed-effects forest, which loses part of the effect",
        "Hajjem, Bellavance and Larocque 2014",
        elsewhere=_FOR_COMPARISON,
    ),
    "GPBoost-textbook": RegisteredEstimator(
        lambda: MixedEffectsLearner(GPBoost(), form="textbook"),
        "plain S-learner on GPBoost, which loses part of the effect",
        "Sigrist 2022",
        elsewhere=_FOR_COMPARISON,
    ),
}


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
    estimator = single_record(name).make()
    estimator.set_params(**settings)
    return estimator


def ensemble_member(name: str, *, chains: ShorterChains | None = None) -> CateEstimator:
    """Single estimator of a name, at settings that are enough for points.

    Long chains serve the posterior of one estimator; the average of many takes
    its intervals from elsewhere.

    Parameters
    ----------
    name
        As in `single_estimator`.
    chains
        Shorter ones than others have: "brief" for an X-learner on BART or a Bayesian causal
        forest (their ``brief``), "two" for half of a causal forest's (``with_two_chains``).

    Examples
    --------
    >>> ensemble_member("BCF-RE").n_draws < single_estimator("BCF-RE").n_draws
    True
    """
    if name == "LMM":
        # An ensemble judges for itself whether there is heterogeneity.
        return LinearMixedEffect()
    if name == "GAMM-identity":
        # Effects that add up on the scale of the risk, beside those on the log odds.
        return AdditiveMixedEffect(link="identity")
    if name == "BART-RE":
        # Half the trees: it is one voice of several.
        return SLearner(MixedBART(treatment_share=_TREATMENT_SHARE).quick())
    estimator = single_estimator(name)
    if isinstance(estimator, BayesianCausalForest):
        if chains == "two":
            return estimator.with_two_chains()
        return estimator.quick().brief() if chains == "brief" else estimator.quick()
    if chains == "brief" and isinstance(estimator, XLearner):
        regression = estimator.outcome_model
        if isinstance(regression, BART):
            estimator.set_params(outcome_model=regression.brief())
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


def single_record(name: str) -> RegisteredEstimator:
    """Record of a single estimator; that of a combination is put together from its parts.

    Parameters
    ----------
    name
        As in `single_estimator`.

    Returns
    -------
    RegisteredEstimator

    Raises
    ------
    TrialError
        If the name is unknown, with the nearest known ones.

    Examples
    --------
    >>> single_record("T-Linear").description
    'one regression in each arm: elastic net, penalty by cross-validation'
    """
    if name in DIRECT:
        return DIRECT[name]
    letter, _, word = name.partition("-")
    if letter not in META_LEARNERS or word not in OUTCOME_MODELS:
        raise TrialError(unknown_name("estimator", name, single_names()))
    learner, model = META_LEARNERS[letter], OUTCOME_MODELS[word]
    with_intercept = model.make().models_clusters
    # The S-learner is the one that can use an outcome model's risks as they are.
    of_risks = letter == "S" and hasattr(model.make(), "fit_latent")
    return (_mixed if with_intercept else _plain)(
        lambda: learner.make(model.make()),
        f"{learner.description}: {model.description}",
        f"{learner.source}; {model.source}",
        _NO_CLUSTERS if with_intercept else _NO_INTERCEPT,
        risks_for=("cluster" if with_intercept else "individual",) if of_risks else (),
    )
