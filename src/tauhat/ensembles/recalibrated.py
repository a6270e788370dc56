"""Effects brought to their right size by what held-out clusters say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from scipy.optimize import nnls
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.ensembles.out_of_fold import out_of_fold_effects
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.slope_prior import SLOPE_SD, probability_real
from tauhat.numerics.whitening import Whitening, estimated_whitening
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.outcome_model import OutcomeModel

Method = Literal["linear", "isotonic"]

# The slash keeps it apart from the regressions of the estimator, which are called estimator/name.
_MEAN = "/mean"


# Pieces of the monotone curve.
N_PIECES = 10

# Held-out effects with less than this share of the outcome's spread are one effect for everybody.
_CONSTANT = 1e-3


class Recalibrated(CateEstimator):
    r"""Any estimator, with its effects rescaled by a regression on held-out clusters.

    .. math:: \hat\tau^*(x) = \hat c + g\{\hat\tau(x) - \bar\tau\}

    The estimator is refitted without each fold of whole clusters (persons in
    individual trials). With the held-out effects t, centred within fold, the
    residuals :math:`r = y - \hat m(x)` of a cross-fitted outcome model, the
    contrast :math:`a = A - \pi`, the whitening W of a random cluster intercept
    and the projection Q off ``W [1, a]``, g minimises

    .. math:: \lVert Q W \{ r - a \circ g(t) \} \rVert^2

    plus the penalty of a prior. For persons randomized 1:1 that is the regression
    of the pseudo-outcome :math:`r / a` on t; with clusters no cluster effect can
    enter it. The slope is 0 with probability .2, or normal with mean 1 and
    standard deviation .5; its posterior mean is used, cut at 0. A learner whose
    effects are noise is flattened, one whose effects are twice too large is
    halved as far as the trial can tell. The level :math:`\hat c` is that of
    generalised least squares.

    Parameters
    ----------
    estimator
        Unfitted estimator of the effects.
    method
        "linear": g is a line through 0. "isotonic": g is a non-decreasing curve,
        linear between deciles of the held-out effects, whose slopes have a
        normal prior around that of the line with standard deviation .5.
    n_folds
        Number of folds; fewer where an arm has fewer units.
    shrink
        Whether to use the prior. Without it the line is least squares and the
        curve is a non-negative least squares fit, both noisier.
    outcome_model
        Regression of the outcome for r; None takes the additive mixed model.
    random_state, n_jobs
        As in `tauhat.CateEstimator`.

    Attributes
    ----------
    estimator_
        The estimator fitted to all rows.
    slope_, slope_se_
        Least-squares slope of the held-out effects and its standard error; 1
        is perfect calibration. NaN and infinity when they do not vary.
    used_slope_
        Slope of the line, after the prior.
    held_out_
        Held-out effects, in the order of ``trial_data_``, shape (n,).

    Notes
    -----
    On 32 draws of four designs with heterogeneous effects (20 and 50 clusters,
    500 persons) the mean sRMSE of the linear mixed model was 0.77 as it is, 0.76
    recalibrated by either method, 1.69 with its effects doubled and 0.77 after
    recalibrating those. Without the prior the isotonic curve came to 0.83. With
    a constant effect in 20 clusters the standard deviation of the estimated
    effects fell from 0.14 to 0.07.

    References
    ----------
    van der Laan, Ulloa-Perez, Carone and Luedtke (2023), Causal isotonic
    calibration for heterogeneous treatment effects, ICML, for the isotonic
    regression of a pseudo-outcome on held-out effects.

    Examples
    --------
    >>> from tauhat.learners import LinearMixedEffect
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(40), 20)
    >>> A, X = clusters % 2, rng.normal(size=(800, 2))
    >>> y = A * (1 + X[:, 0]) + 0.3 * rng.normal(size=40)[clusters] + rng.normal(size=800)
    >>> model = Recalibrated(LinearMixedEffect(), random_state=1).fit(X, y, A, clusters)
    >>> bool(0.8 < model.used_slope_ < 1.2)
    True
    """

    flips_exactly: ClassVar[bool] = False

    def __init__(
        self,
        estimator: CateEstimator,
        method: Method = "linear",
        n_folds: int = 5,
        shrink: bool = True,
        outcome_model: OutcomeModel | None = None,
        random_state: Any = None,
        n_jobs: int = 1,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.n_folds = n_folds
        self.shrink = shrink
        self.outcome_model = outcome_model
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _prepared(self, seed: int) -> CateEstimator:
        copy: CateEstimator = clone(self.estimator)
        copy.set_params(random_state=seed, n_jobs=self.n_jobs)
        return copy

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        """Mean outcome on the folds of the refits, and what the estimator declares."""
        if self.method not in ("linear", "isotonic"):
            raise ValueError(f"method must be 'linear' or 'isotonic', got {self.method!r}")
        if self.n_folds < 2:
            raise ValueError(f"n_folds must be at least 2, got {self.n_folds}")
        model = AdditiveMixedModel() if self.outcome_model is None else self.outcome_model
        own = Nuisance(_MEAN, model, n_folds=self.n_folds, seed=seed)
        inner = self._prepared(seed).declare_nuisances(data, seed)
        return [own, *(replace(n, name=f"estimator/{n.name}") for n in inner)]

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        """Fit to all rows, refit without each fold, and calibrate."""
        chosen = self._prepared(seed)
        inner = {
            name.removeprefix("estimator/"): fit
            for name, fit in nuisances.items()
            if name.startswith("estimator/")
        }
        self.estimator_ = chosen.fit_with(data, inner, seed)
        held_out = out_of_fold_effects(
            {"estimator": self.estimator}, data, self.n_folds, seed, n_jobs=self.n_jobs
        )
        if held_out.messages:
            raise ValueError(f"recalibration: {held_out.messages['estimator']}")
        self.held_out_ = held_out.effects["estimator"]
        problem = CalibrationProblem.of(
            data, nuisances[_MEAN].cross_fitted, self.held_out_, held_out.folds
        )
        self.slope_, self.slope_se_ = problem.slope()
        self.used_slope_ = problem.line(shrink=self.shrink)
        if self.method == "linear" or self.used_slope_ == 0:
            self.knots_, self.rises_ = np.zeros(0), np.zeros(0)
        else:
            self.knots_, self.rises_ = problem.curve(self.used_slope_, shrink=self.shrink)
        effect = self.estimator_.predict_effect(data.X)
        self.mean_ = float(np.average(effect, weights=data.sample_weight))
        self.level_ = problem.level(self._varying(effect))

    def _varying(self, effect: FloatArray) -> FloatArray:
        """Calibrated effect less its level."""
        centred = effect - self.mean_
        if len(self.knots_):
            return monotone_columns(centred, self.knots_) @ self.rises_
        return self.used_slope_ * centred

    def predict_effect(self, X: FloatArray) -> FloatArray:
        """Effect at checked covariates, shape (k,)."""
        return self.level_ + self._varying(self.estimator_.predict_effect(X))

    def reduced(self) -> Self:
        """Return a copy with the estimator at bootstrap settings."""
        copy: Self = clone(self)
        copy.set_params(estimator=self.estimator.reduced())
        return copy


@dataclass(frozen=True, eq=False)
class CalibrationProblem:
    """Regression of residual outcomes on held-out effects, whitened.

    Attributes
    ----------
    white
        Whitening and projection.
    residual, contrast
        Shape (n,).
    effects
        Held-out effects, centred within fold, shape (n,).
    """

    white: Whitening
    residual: FloatArray
    contrast: FloatArray
    effects: FloatArray

    @classmethod
    def of(
        cls, data: TrialData, mean: FloatArray, effects: FloatArray, folds: IntArray
    ) -> CalibrationProblem:
        """Problem of a trial with cross-fitted outcomes and effects, all of shape (n,)."""
        weight = data.sample_weight
        weight = np.ones(data.n) if weight is None else weight / weight.mean()
        contrast, residual = data.treatment - data.propensity, data.working - mean
        clusters = identified_clusters(data.clusters)
        white, _, _ = estimated_whitening(residual, contrast, data.X, clusters, weight)
        # The mean of a fold's held-out effects moves against the fold's own mean effect.
        total = np.bincount(folds, weights=weight)
        centred = effects - (np.bincount(folds, weights=weight * effects) / total)[folds]
        if centred.std() <= _CONSTANT * float(data.working.std()):
            centred = np.zeros(data.n)
        return cls(white, residual, contrast, centred)

    def column(self, values: FloatArray) -> FloatArray:
        """Whitened and projected contrast times ``values``."""
        return self.white.project(self.white.whiten(self.contrast * values))

    @property
    def target(self) -> FloatArray:
        """Whitened and projected residual."""
        return self.white.project(self.white.whiten(self.residual))

    def slope(self) -> tuple[float, float]:
        """Least-squares slope and its standard error; NaN and infinity without variation."""
        column, target = self.column(self.effects), self.target
        size = float(column @ column)
        if size == 0:
            return float("nan"), float("inf")
        slope = float(column @ target) / size
        return slope, float(np.sqrt(self._variance(target - slope * column) / size))

    def _variance(self, left: FloatArray) -> float:
        return float(left @ left) / max(len(left) - 3, 1)

    def line(self, *, shrink: bool) -> float:
        """Slope to use, not negative."""
        slope, se = self.slope()
        if np.isnan(slope):
            return 0.0
        return posterior_slope(slope, se) if shrink else max(slope, 0.0)

    def curve(self, slope: float, *, shrink: bool) -> tuple[FloatArray, FloatArray]:
        """Knots and non-negative rises between them, the slope of the line given."""
        knots = np.unique(np.quantile(self.effects, np.linspace(0, 1, N_PIECES + 1)))
        pieces = monotone_columns(self.effects, knots)
        columns = np.column_stack([self.column(piece) for piece in pieces.T])
        target = self.target
        if shrink:
            error = np.sqrt(self._variance(target - columns @ (slope * np.diff(knots))))
            prior = error / (SLOPE_SD * np.diff(knots))
            columns = np.vstack([columns, np.diag(prior)])
            target = np.r_[target, prior * slope * np.diff(knots)]
        rises, _ = nnls(columns, target, maxiter=100 * columns.shape[1])
        return knots, rises

    def level(self, varying: FloatArray) -> float:
        """Level of the effect by generalised least squares."""
        return self.white.level(self.residual, self.contrast, varying)


def posterior_slope(slope: float, se: float) -> float:
    """Posterior mean of a calibration slope, cut at 0.

    Parameters
    ----------
    slope, se
        Estimate and its standard error.

    Returns
    -------
    float

    Examples
    --------
    >>> round(posterior_slope(0.5, 0.05), 2), round(posterior_slope(-0.5, 0.4), 2)
    (0.5, 0.02)
    """
    precision = se**-2 + SLOPE_SD**-2
    given_effect = (slope * se**-2 + SLOPE_SD**-2) / precision
    return probability_real(slope, se) * max(given_effect, 0.0)


def monotone_columns(values: FloatArray, knots: FloatArray) -> FloatArray:
    """Ramps from 0 to 1 between neighbouring knots, constant outside, shape (n, knots - 1).

    Examples
    --------
    >>> monotone_columns(np.array([-1.0, 0.5, 3.0]), np.array([0.0, 1.0, 2.0])).tolist()
    [[0.0, 0.0], [0.5, 0.0], [1.0, 1.0]]
    """
    ramps: FloatArray = np.clip((values[:, None] - knots[:-1]) / np.diff(knots), 0.0, 1.0)
    return ramps
