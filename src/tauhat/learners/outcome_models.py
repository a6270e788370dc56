"""Records of outcome models by the names that users type."""

from __future__ import annotations

from tauhat.errors import TrialError
from tauhat.fitting.registered import Registered
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
from tauhat.wording import unknown_name

#: Outcome models by the word that follows the letter of a meta-learner.
OUTCOME_MODELS: dict[str, Registered[OutcomeModel]] = {
    "Linear": Registered(
        ElasticNetModel, "elastic net, penalty by cross-validation", "Zou and Hastie 2005"
    ),
    "AGLM": Registered(
        AGLMModel,
        "lasso on steps of every covariate (O-dummies)",
        "Fujita, Tanaka, Kondo and Iwasawa 2020",
    ),
    "Boosting": Registered(
        BoostedTrees,
        "gradient-boosted trees, rounds by cross-validation",
        "Friedman 2001; LightGBM",
    ),
    "RF": Registered(RandomForest, "random forest", "Breiman 2001; scikit-learn"),
    "BART": Registered(
        BART,
        "Bayesian additive regression trees",
        "Chipman, George and McCulloch 2010; stochtree",
    ),
    "Stacked": Registered(
        StackedModel, "stack of elastic net, forest, boosting and AGLM", "Wolpert 1992"
    ),
    "LMM": Registered(
        LinearMixedModel,
        "linear mixed model with a random cluster intercept, REML",
        "the criterion of lme4",
    ),
    "BART-RE": Registered(
        lambda: MixedBART().quick(), "BART with a random cluster intercept", "stochtree"
    ),
    "GAMM": Registered(
        AdditiveMixedModel,
        "additive mixed model: lines, and cubic splines with one shared variance, REML",
        "Wood 2017",
    ),
    "MERF": Registered(
        MERF,
        "random forest with a random cluster intercept, EM on out-of-bag residuals",
        "Hajjem, Bellavance and Larocque 2014",
    ),
    "GPBoost": Registered(
        GPBoost, "GPBoost's trees with a random cluster intercept", "Sigrist 2022"
    ),
    "MEGB": Registered(
        MEGB, "boosted trees with a random cluster intercept, EM", "Olaniran, R package MEGB"
    ),
    "MERT-Boosting": Registered(
        MERTBoosting,
        "boosted trees with an EM step at every tree",
        "Salditt, Humberg and Nestler 2023",
    ),
    "REEM-Boosting": Registered(
        REEMBoosting,
        "boosted trees with a random cluster intercept, REML",
        "Salditt, Humberg and Nestler 2023",
    ),
    "Additive-Boosting": Registered(
        AdditiveBoosting,
        "boosted curves, random intercept projected off cluster-level covariates",
        "the idea of mermboost",
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
    return OUTCOME_MODELS[name].make()
