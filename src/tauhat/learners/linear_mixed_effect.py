"""Linear mixed model with treatment-by-covariate interactions, read as an effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.fitting.linked import LinkChoice
from tauhat.fitting.log_odds import AdditiveLogOdds
from tauhat.fitting.log_rates import AdditiveLogRates
from tauhat.fitting.nuisance import NuisanceFit
from tauhat.fitting.residual_by_arm import precision_weights
from tauhat.fitting.risk_form import RiskForm
from tauhat.fitting.two_arm_form import AdditiveForm
from tauhat.learners.gaussian_effect import BetweenCluster, GaussianEffect
from tauhat.learners.meta import N_FOLDS
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.mixed_lasso import fit_mixed_lasso, whiten_intercepts
from tauhat.numerics.mixed_model import MixedFit
from tauhat.numerics.nested_model import mixed_model
from tauhat.numerics.reml_search import exponential_prior
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.standardised_columns import column_scales, independent_columns, ridge_rotation

Interactions = Literal["shared", "fixed", "lasso"]


class LinearMixedEffect(GaussianEffect):
    r"""Linear effect of covariates on the benefit, with a random cluster intercept.

    .. math::
        y_{ij} = \alpha + x_{ij}'\beta + (A_i - \tfrac12)(\delta + x_{ij}'\gamma)
        + b_i + e_{ij}, \qquad \tau(x) = \delta + x'\gamma

    by REML. The interactions of the standardised covariates are one random
    block, :math:`\gamma \sim N(0, \sigma_\gamma^2 I)`, whose variance REML
    estimates: unpenalised interactions are too noisy at 20 clusters. Of a `tauhat.Trial` with
    missing outcomes it does not see how the prognosis bends (`tauhat.fitting.prognosis_curvature`).

    Parameters
    ----------
    interactions
        "shared": one random block (default). "fixed": unpenalised, exactly the
        model ``y ~ z * x + (1 | cluster)`` of lme4. "lasso": main effects and
        interactions of the standardised covariates with one absolute-value
        penalty, on rows whitened by the random intercept that REML finds beside
        shrunken main effects and interactions; the penalty minimises the error
        on held-out whole clusters. For many covariates of which few matter.
    between_cluster
        "common" (default): one variance of the random intercept. "by-arm": one
        in control and one in treated clusters, as when the treatment is
        delivered better in some clusters than in others.
    prior_rate
        Rate of an exponential prior on the standard deviation of the shared
        block over the residual's, for covariates in standard units. 0 is REML;
        the registry's "LMM" has 10, which switches the block off more often
        where no effect differs. Of models of means only.
    link
        "endpoint" (default): as below for means; for an event, shared interactions are those
        of its log odds (`tauhat.fitting.log_odds.AdditiveLogOdds`) and the effect is the
        difference of both arms' risks; for counts those of the log rate
        (`tauhat.fitting.log_rates.AdditiveLogRates`). "identity": means, of an event too, as
        always with fixed ones and the lasso.
    random_state, n_jobs
        As in `tauhat.CateEstimator`; only the lasso's folds are random.

    Attributes
    ----------
    variance_components_
        Between-cluster and residual variance.
    coefficients_
        Table with the effect at the mean covariates and each interaction, per
        unit of the covariate, with standard errors (missing for the lasso). Of
        models of means only.
    penalty_
        The lasso's penalty, for covariates and outcome in standard units.

    References
    ----------
    Schelldorfer, Buehlmann and van de Geer (2011), Scandinavian Journal of
    Statistics 38:197-214, for the lasso beside random effects.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(40), 20)
    >>> A = (clusters % 2).astype(int)
    >>> X = rng.normal(size=(800, 2))
    >>> y = A * (1 + X[:, 0]) + 0.3 * rng.normal(size=40)[clusters] + rng.normal(size=800)
    >>> model = LinearMixedEffect().fit(X, y, treatment=A, clusters=clusters)
    >>> effect = model.effect([[0.0, 0.0], [1.0, 0.0]])
    >>> bool(abs(effect[1] - effect[0] - 1) < 0.3)
    True
    """

    risk_forms: ClassVar[Mapping[str, Callable[[Any], RiskForm | None]]] = {
        "logit": lambda own: own.shared_form(AdditiveLogOdds),
        "log": lambda own: own.shared_form(AdditiveLogRates),
    }

    def __init__(
        self,
        interactions: Interactions = "shared",
        between_cluster: BetweenCluster = "common",
        prior_rate: float = 0.0,
        random_state: Any = None,
        n_jobs: int = 1,
        link: LinkChoice = "endpoint",
    ) -> None:
        self.interactions = interactions
        self.link = link
        self.between_cluster = between_cluster
        self.prior_rate = prior_rate
        self.random_state = random_state
        self.n_jobs = n_jobs

    def shared_form(self, form: type[AdditiveForm]) -> AdditiveForm | None:
        """Model of a link with one block of interactions; None for those of another kind."""
        if self.interactions != "shared":
            return None
        return form(n_splines=0, by_arm=self.arms_differ)

    @property
    def is_straight(self) -> bool:
        """Yes: it has lines only."""
        return True

    @property
    def knows_periods(self) -> bool:
        """Whether they have fixed levels: not beside the lasso."""
        return self.interactions != "lasso"

    def fit_difference(
        self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int
    ) -> None:
        """Fit the mixed model of means."""
        if self.interactions not in get_args(Interactions):
            raise ValueError(
                f"interactions must be one of {', '.join(get_args(Interactions))}, "
                f"got {self.interactions!r}"
            )
        n, p = data.X.shape
        weight = data.sample_weight
        self.mean_, self.scale_ = column_scales(data.X, weight)
        X = (data.X - self.mean_) / self.scale_
        contrast = (data.treatment - 0.5)[:, None]
        outcome = data.working_with_blocks
        scale_y = float(outcome.std())
        mean_y = float(np.average(outcome, weights=weight))
        y = (outcome - mean_y) / scale_y
        head = np.hstack([np.ones((n, 1)), contrast, data.design.fixed_effects])
        # Main effects are shrunk too when the rows could not carry them unpenalised.
        many = p > n / 10
        intercepts, arms = self.intercepts(data)
        weight = precision_weights(data)
        if self.interactions == "lasso":
            # It is chosen among columns that have the clusters' intercepts whitened away.
            intercepts = intercepts.of_clusters()
        groups, nesting = intercepts.groups, intercepts.above
        crossed = intercepts.crossed_blocks
        if self.interactions == "fixed":
            fixed = np.hstack([head[:, :2], contrast * X, X, head[:, 2:]])
            kept = independent_columns(fixed)
            model = mixed_model(y, fixed[:, kept], crossed, groups, weight, arms, nesting)
            fit = model.fit()
            columns = np.zeros((len(fit.coefficients), fixed.shape[1]))
            columns[np.arange(len(kept)), kept] = 1
            to_effect = columns[:, 1 : 2 + p]
        else:
            rotation = ridge_rotation(X)
            rotated = X @ rotation
            blocks = [contrast * rotated]
            fixed = head[:, independent_columns(head)]
            if many or self.interactions == "lasso":
                blocks.append(rotated)
            else:
                fixed = np.hstack([head, X])
                fixed = fixed[:, independent_columns(fixed)]
            model = mixed_model(y, fixed, [*blocks, *crossed], groups, weight, arms, nesting)
            shrunk = self.prior_rate > 0 and self.interactions == "shared"
            fit = model.fit(penalty=exponential_prior([0], self.prior_rate) if shrunk else None)
            to_effect = np.zeros((len(fit.coefficients), 1 + p))
            to_effect[1, 0] = 1
            to_effect[model.block_slices[0], 1:] = rotation.T
        self.keep(intercepts, fit, to_effect, scale_y)
        if self.interactions == "lasso":
            y = (data.working - mean_y) / scale_y
            self._select(data, y, np.hstack([head, contrast * X, X]), fit, arms, seed)
            self.effect_coefficients_ *= scale_y
        unit = np.r_[1.0, self.scale_]
        self.coefficients_ = pd.DataFrame(
            {
                "term": ["effect at the mean", *(f"effect x {c}" for c in data.feature_names)],
                "estimate": self.effect_coefficients_ / unit,
                "se": np.sqrt(np.diag(self.effect_covariance_)) / unit,
            }
        )

    def _select(
        self,
        data: TrialData,
        y: FloatArray,
        columns: FloatArray,
        fit: MixedFit,
        arms: IntArray | None,
        seed: int,
    ) -> None:
        """Replace the shrunken effect by the lasso's, given the variances of the fit."""
        clusters = identified_clusters(data.clusters)
        ratios = np.zeros(1)
        if clusters is not None:
            by_group = fit.between_cluster_variances / fit.residual_variance
            ratios = by_group[np.zeros(int(clusters.max()) + 1, np.int64) if arms is None else arms]
        white = whiten_intercepts(
            np.column_stack([y, columns]), clusters, ratios, data.sample_weight
        )
        folds = data.design.folds(N_FOLDS, derive_seed(seed, "lasso"))
        chosen = fit_mixed_lasso(white[:, 0], white[:, 1:3], white[:, 3:], folds)
        self.penalty_ = chosen.penalty
        p = len(self.mean_)
        self.effect_coefficients_ = np.r_[chosen.free[1], chosen.sparse[:p]]
        self.effect_covariance_ = np.full((1 + p, 1 + p), np.nan)

    def model_interval(self, X: Any, *, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Pointwise interval of the effect, see `GaussianEffect.model_interval`; not for the lasso.

        Raises
        ------
        ValueError
            For ``interactions="lasso"``, which has no covariance of its own.
        """
        if self.interactions == "lasso":
            raise ValueError("the lasso has no model interval; use effect_interval")
        return super().model_interval(X, level=level)

    def effect_design(self, X: FloatArray) -> FloatArray:
        """Intercept and standardised covariates, shape (k, 1 + p)."""
        return np.hstack([np.ones((len(X), 1)), (X - self.mean_) / self.scale_])
