"""Contenders of `peers.py`: tauhat and other packages, in groups of equal settings.

tauhat is imported inside functions, as the packages are: a peer's process is its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from peer_packages import (
    CAUSAL_FOREST,
    EFFECT_TREES,
    MERF_TREES,
    OUTCOME_TREES,
    Fit,
    Trial,
    causalml_meta,
    econml_dr,
    econml_forest,
    econml_t,
    econml_x,
    forest,
    gpboost_s,
    in_r,
    merf_s,
    metalearners_meta,
    net,
    packages_of_r,
    stochtree_bart,
    stochtree_bcf,
)


@dataclass(frozen=True)
class Contender:
    """One package's version of a method."""

    group: str
    library: str
    fit: Callable[[Trial, int], Fit]
    designs: tuple[str, ...] = ("individual", "cluster")
    variant: str = ""

    @property
    def name(self) -> str:
        """Library and variant."""
        return f"{self.library} {self.variant}".strip()

    @property
    def key(self) -> str:
        """Different for all contenders."""
        return f"{self.group}: {self.name}"

    def missing(self) -> bool:
        """Whether the package is not installed here."""
        if self.library.startswith("R "):
            return self.library.removeprefix("R ") not in packages_of_r()
        return self.library != "tauhat" and find_spec(self.library) is None


def ours(make: Callable[[], Any], *, limits: bool = False) -> Callable[[Trial, int], Fit]:
    """Adapter of a tauhat estimator."""

    def fit(trial: Trial, seed: int) -> Fit:
        model = make().set_params(random_state=seed)
        model.fit(trial.X, trial.y, treatment=trial.arm, clusters=trial.clusters)
        return Fit(model.effect, model.effect_interval if limits else None)

    return fit


def named(name: str, *, limits: bool = False) -> Callable[[Trial, int], Fit]:
    """Adapter of a tauhat estimator at its defaults."""

    def make() -> Any:
        from tauhat.registry import estimator

        return estimator(name)

    return ours(make, limits=limits)


def s_lmm() -> Any:
    """Plain linear mixed model with every interaction, by REML."""
    from tauhat.learners import SLearner
    from tauhat.outcome import LinearMixedModel

    return SLearner(LinearMixedModel(shrinkage=False))


def causal_forest() -> Any:
    """Causal forest on residuals of a random forest."""
    from tauhat.learners import CausalForest
    from tauhat.outcome import RandomForest

    return CausalForest(RandomForest(), **CAUSAL_FOREST)


def bayesian_forest(**settings: Any) -> Any:
    """Bayesian causal forest with stochtree's numbers of trees."""
    from tauhat.learners import BayesianCausalForest

    return BayesianCausalForest(
        n_outcome_trees=OUTCOME_TREES, n_effect_trees=EFFECT_TREES, **settings
    )


def mixed_bart() -> Any:
    """S-learner on BART with a random intercept, with stochtree's numbers of trees."""
    from tauhat.learners import SLearner
    from tauhat.outcome import MixedBART

    return SLearner(MixedBART())


def s_merf() -> Any:
    """S-learner on a mixed-effects forest, as the package merf has it."""
    from tauhat.learners.mixed_s import MixedEffectsLearner
    from tauhat.outcome import MERF

    return MixedEffectsLearner(MERF(n_estimators=MERF_TREES, n_growths=2), form="textbook")


def contenders() -> list[Contender]:
    """All contenders, tauhat first in each group."""
    individual, cluster = ("individual",), ("cluster",)
    t_net = "T-learner, elastic net"
    groups = {kind: f"{kind}-learner, random forest" for kind in ("T", "X", "DR")}
    found = [
        Contender(t_net, "tauhat", named("T-Linear"), individual),
        Contender(t_net, "econml", econml_t(lambda p, seed: net()), individual),
    ]
    makers = {"T": econml_t(forest), "X": econml_x, "DR": econml_dr}
    for kind, group in groups.items():
        found += [
            Contender(group, "tauhat", named(f"{kind}-RF"), individual),
            Contender(group, "econml", makers[kind], individual),
            Contender(group, "causalml", causalml_meta(kind), individual),
            Contender(group, "metalearners", metalearners_meta(kind), individual),
        ]
    causal = "causal forest on residuals of a forest"
    linear, additive = "linear mixed model, all interactions", "additive mixed model"
    bart, bcf = "BART, S-learner", "Bayesian causal forest"
    merf, gpboost = "mixed-effects forest, S-learner", "boosted trees and intercept, S-learner"
    with_intercept = ours(lambda: bayesian_forest(random_intercept=True), limits=True)
    found += [
        Contender(causal, "tauhat", ours(causal_forest, limits=True)),
        Contender(causal, "econml", econml_forest),
        Contender(causal, "R grf", in_r("grf")),
        Contender(bart, "tauhat", named("S-BART", limits=True), individual),
        Contender(bart, "stochtree", stochtree_bart(50, 50), individual),
        Contender(bart, "R dbarts", in_r("dbarts"), individual),
        Contender(bart, "tauhat", ours(mixed_bart, limits=True), cluster),
        Contender(bart, "stochtree", stochtree_bart(200, 250), cluster),
        Contender(bart, "tauhat", named("BART-RE", limits=True), cluster, "BART-RE (its own form)"),
        Contender(bcf, "tauhat", ours(bayesian_forest, limits=True), individual),
        Contender(bcf, "stochtree", stochtree_bcf, individual),
        Contender(bcf, "tauhat", with_intercept, cluster),
        Contender(bcf, "stochtree", stochtree_bcf, cluster),
        Contender(merf, "tauhat", ours(s_merf), cluster),
        Contender(merf, "merf", merf_s, cluster),
        Contender(merf, "tauhat", named("MERF"), cluster, "MERF (its own form)"),
        Contender(gpboost, "tauhat", named("GPBoost-textbook"), cluster),
        Contender(gpboost, "gpboost", gpboost_s, cluster),
        Contender(gpboost, "tauhat", named("GPBoost"), cluster, "GPBoost (its own form)"),
        Contender(linear, "tauhat", ours(s_lmm), cluster),
        Contender(linear, "R lme4", in_r("lme4"), cluster),
        Contender(linear, "tauhat", named("LMM", limits=True), cluster, "LMM (its own form)"),
        Contender(additive, "tauhat", named("GAMM", limits=True), cluster),
        Contender(additive, "R mgcv", in_r("mgcv"), cluster),
        Contender("default of tauhat", "tauhat", named("Robust", limits=True)),
    ]
    return found
