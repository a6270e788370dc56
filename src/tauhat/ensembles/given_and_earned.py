"""How `Robust` weighs: a share of the weight is given, the rest is earned on rows not seen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.losses import EffectLoss, effect_loss, imputed_loss
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.ensembles.strategy import ShrunkWeights, Strategy
from tauhat.ensembles.weighing import Weights, by_name
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.learners.outcome_models import outcome_model
from tauhat.learners.x import XLearner
from tauhat.numerics.effect_evidence import EffectEvidence
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.simplex import simplex_minimum
from tauhat.numerics.slope_prior import posterior_probability
from tauhat.outcome.bart import BART
from tauhat.outcome.stacked import StackedModel
from tauhat.outcome_model import OutcomeModel

#: Outcome models of the stack that imputes effects when persons are randomized.
STACK = ("Linear", "RF", "Boosting", "AGLM", "BART", "GAMM")
#: Regressions of the stack of imputed effects. BART, half of its time, stands beside it.
EFFECT_STACK = tuple(name for name in STACK if name != "BART")
#: Member to which given weight goes as far as the outcomes speak for a straight line.
STRAIGHT = "T-Linear"

# A name that no member can have, since theirs come before a slash.
_IMPUTED = "/imputed"
_N_RESAMPLES = 50
# Members of a cluster trial whose losses differ by less than this many residual variances
# cannot be told apart.
_TEMPERATURE = 16.0


def imputing_stack() -> StackedModel:
    """Convex stack of six outcome models, for the arms of an individual trial."""
    members = [(name, _part(name)) for name in STACK]
    return StackedModel(members, weights="convex", quick_folds=True)


def second_stage(name: str) -> OutcomeModel:
    """Regression of the imputed effects: an outcome model, or "Stack" for a stack of five."""
    if name != "Stack":
        return _part(name)
    members = [(part, _part(part)) for part in EFFECT_STACK]
    return StackedModel(members, weights="nnls", quick_folds=True)


def _part(name: str) -> OutcomeModel:
    """Outcome model of a name, one of many: chains are brief."""
    model = outcome_model(name)
    return model.brief() if isinstance(model, BART) else model


@dataclass(frozen=True, eq=False)
class EarnedWeights(ShrunkWeights):
    """Weights of which a share was given and the rest earned.

    Attributes
    ----------
    given_share
        Share of the weight that was given.
    earned
        Earned weights by name, before the shares.
    earned_sd
        Their standard deviations over reweightings of the units.
    straight
        Share of the given weight that went to T-Linear: where others are given
        weight beside the members, the posterior probability that an effect that
        varies does so in straight lines only.
    """

    given_share: float = 0.0
    earned: Mapping[str, float] = field(default_factory=dict)
    earned_sd: Mapping[str, float] = field(default_factory=dict)
    straight: float = 0.0


class GivenAndEarned(Strategy):
    """Gives a share of the weight in equal parts, and lets the members earn the rest."""

    out_of_fold = True
    by_evidence = True

    @abstractmethod
    def loss(self, held_out: OutOfFold, data: TrialData) -> EffectLoss:
        """Loss that decides on the earned weights."""

    @abstractmethod
    def earned(
        self, target: FloatArray, columns: FloatArray, variance: float, weight: FloatArray
    ) -> FloatArray:
        """Earned weights when the rows of the loss are weighed.

        Parameters
        ----------
        target, columns
            Shapes (n,) and (n, k), as `EffectLoss.system` gives them.
        variance
            Residual variance of the target.
        weight
            Weights of the rows, shape (n,).

        Returns
        -------
        ndarray, shape (k,)
        """

    def weights(
        self,
        effects: Mapping[str, FloatArray],
        data: TrialData,
        held_out: OutOfFold | None,
        evidence: EffectEvidence | None,
    ) -> EarnedWeights:
        """Given and earned weight of every member, and how far their heterogeneity is believed."""
        assert held_out is not None
        assert evidence is not None
        loss = self.loss(held_out, data)
        target, columns = loss.system()
        rng = np.random.default_rng(derive_seed(held_out.seed, "weights"))
        draws: FloatArray = np.array(
            [
                self.earned(target, columns, loss.variance, reweighted[data.design.unit])
                for reweighted in (rng.exponential(size=data.n_units) for _ in range(_N_RESAMPLES))
            ]
        )
        earned: FloatArray = draws.mean(axis=0)
        spread: FloatArray = draws.std(axis=0)
        if not self.averages_draws:
            earned = self.earned(target, columns, loss.variance, np.ones(data.n))
        earning = list(held_out.names)
        given = [name for name in effects if name in self.given]
        beside = not set(given) <= set(earning)
        straight = evidence.linear if beside and STRAIGHT in earning else 0.0
        given = given or earning
        shares = pd.Series(0.0, index=list(effects))
        shares[given] += (1 - straight) * self.given_share / len(given)
        shares[earning] += (1 - self.given_share) * earned
        if straight:
            shares[STRAIGHT] += straight * self.given_share
        named = by_name(list(effects), np.asarray(shares, dtype=np.float64))
        raw = Weights(named).combined(effects)
        return EarnedWeights(
            named,
            given_share=self.given_share,
            earned=by_name(earning, earned),
            earned_sd=by_name(earning, spread),
            straight=straight,
            shrinkage=posterior_probability(evidence.log_bayes_factor),
            level=float(np.average(raw, weights=data.sample_weight)),
        )


class ImputedWeights(GivenAndEarned):
    r"""Persons randomized: least distance to effects imputed by the other arm.

    .. math:: \min_{e \ge 0,\; 1'e = 1}\; \sum_i
        \Big\{D_i - \sum_k e_k \hat\tau_k^{-f(i)}(X_i)\Big\}^2

    averaged over exponential reweightings of the persons (a Bayesian bootstrap).
    """

    averages_draws = True

    def nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Stacks of the two arms, which impute the effects."""
        declared = XLearner(imputing_stack()).declare_nuisances(data, seed)
        return [replace(one, name=f"{_IMPUTED}/{one.name}") for one in declared]

    def completed(
        self, held_out: OutOfFold, data: TrialData, nuisances: Mapping[str, NuisanceFit]
    ) -> OutOfFold:
        """What members say of rows they did not see, and the imputed effects."""
        control = nuisances[f"{_IMPUTED}/control"].fitted.predict(data.X)
        treated = nuisances[f"{_IMPUTED}/treated"].fitted.predict(data.X)
        imputed = np.where(data.treatment == 1, data.working - control, treated - data.working)
        return replace(held_out, imputed=imputed)

    def loss(self, held_out: OutOfFold, data: TrialData) -> EffectLoss:
        """Squared distance to the imputed effects."""
        assert held_out.imputed is not None
        return imputed_loss(held_out.imputed, data, held_out)

    def earned(
        self, target: FloatArray, columns: FloatArray, variance: float, weight: FloatArray
    ) -> FloatArray:
        """Convex weights with the least loss."""
        weighed = columns * weight[:, None]
        return simplex_minimum(weighed.T @ columns, weighed.T @ target)


class TemperedWeights(GivenAndEarned):
    r"""Clusters randomized: members discounted by their loss on heterogeneity only.

    .. math:: e_k \propto \exp\{-L(\hat\tau_k) / (16 \hat\sigma^2)\}
    """

    def loss(self, held_out: OutOfFold, data: TrialData) -> EffectLoss:
        """Whitened R-loss."""
        return effect_loss("residual", data, held_out)

    def earned(
        self, target: FloatArray, columns: FloatArray, variance: float, weight: FloatArray
    ) -> FloatArray:
        """Tempered weights."""
        losses: FloatArray = weight @ (target[:, None] - columns) ** 2 / variance
        earned: FloatArray = np.exp((losses.min() - losses) / _TEMPERATURE)
        earned /= earned.sum()
        return earned
