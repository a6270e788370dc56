"""Best linear predictor of the effect: whether held-out effects tell who benefits more."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.arguments import check_level
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.cross_fitting import CrossFit, RandomState
from tauhat.inference.descriptive import DESCRIPTIVE, estimate_columns, no_estimate
from tauhat.inference.estimate import Estimate
from tauhat.inference.given_or_fitted import as_cross_fit
from tauhat.inference.inputs import TrialLike
from tauhat.numerics.cluster_robust import ContrastTest, cluster_robust_regression
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread
from tauhat.wording import p_words

# Held-out effects that vary less, in standard deviations of the outcome, are noise of rounding.
_HARDLY = 1e-5


@dataclass(frozen=True)
class BestLinearPredictor(Shown):
    """Best linear predictor of the effect; the result of `best_linear_predictor`.

    Attributes
    ----------
    slope
        Of the true effect on the held-out effect: 1 when differences between
        persons are predicted at their right size, 0 when they say nothing. Its
        ``p_value`` is one-sided, against slopes above zero. Medians over splits.
    average_effect
        The effect at the mean held-out effect, units of the outcome.
    splits
        One row per split: ``split``, ``slope``, ``se``, ``degrees_of_freedom``, ``p_value``.
    method
        How it was estimated.
    """

    slope: Estimate
    average_effect: Estimate
    splits: pd.DataFrame
    method: str

    @property
    def p_value(self) -> float:
        """Median over splits of the one-sided p-value of the slope."""
        return self.slope.p_value

    @property
    def table(self) -> pd.DataFrame:
        """One row each for the average effect and the slope."""
        return pd.DataFrame(
            [
                {
                    "coefficient": "average effect",
                    **estimate_columns(self.average_effect),
                    "p_value": self.average_effect.p_value,
                },
                {"coefficient": "slope", **estimate_columns(self.slope), "p_value": self.p_value},
            ]
        )

    @property
    def text(self) -> str:
        """The result in sentences."""
        if not np.isfinite(self.slope.estimate):
            finding = (
                "The held-out effects are the same for everyone in most splits, so they say "
                "nothing about who benefits more (one-sided p = 1)."
            )
        else:
            p = p_words(self.p_value)
            finding = (
                "When the held-out effect is larger by 1, the effect itself is larger by "
                f"{self.slope.estimate:.3g} ({100 * self.slope.level:g}% confidence interval "
                f"{self.slope.lower:.3g} to {self.slope.upper:.3g}; one-sided {p} against no "
                "relation). 1 is perfect calibration; where the effect does not differ the slope "
                "tends to be negative, so only positive slopes speak for the model."
            )
        return f"{finding} {DESCRIPTIVE} {self.method}."


@on_one_thread
def best_linear_predictor(
    trial: TrialLike | CrossFit,
    estimator: str | CateEstimator | None = None,
    *,
    level: float = 0.95,
    n_splits: int = 11,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> BestLinearPredictor:
    r"""Best linear predictor of the effect given held-out estimates of it.

    Weighted least squares, weights :math:`1 / \{\pi_i (1 - \pi_i)\}`, of

    .. math::
        Y_i = \alpha + \gamma_1 \hat m_i + \gamma_2 S_i
        + \beta_1 (A_i - \pi_i) + \beta_2 (A_i - \pi_i) S_i + \varepsilon_i

    with :math:`\hat m_i` the held-out expected outcome and :math:`S_i` the
    held-out effect less its mean in the fold: the mean of a fold's held-out
    effects moves against the fold's own mean effect, which would pull the
    slope down. CR2 covariance over whole clusters with Satterthwaite's degrees of
    freedom (HC2, n - 5, without clusters). Over splits, medians of the slope, its
    error, degrees of freedom and one-sided p-value. The two-sided test does
    not hold its size, because cross-fitting makes the slope negative when
    effects do not differ; none is offered.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity, or a `CrossFit`.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    level
        Coverage of the intervals.
    n_splits, n_folds, random_state, n_jobs
        As in `cross_fit`.

    Returns
    -------
    BestLinearPredictor

    Raises
    ------
    TrialError
        If ``level`` is not between 0 and 1 or the cross-fitting is not possible.

    References
    ----------
    Chernozhukov, Demirer, Duflo and Fernandez-Val (2018), NBER 24678;
    Pustejovsky and Tipton (2018), Journal of Business and Economic Statistics
    36:672-683, for CR2.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(20), 20)
    >>> X, arm = rng.normal(size=(400, 2)), clusters % 2
    >>> y = arm * (1 + X[:, 0]) + rng.normal(size=400)
    >>> result = best_linear_predictor((X, y, arm, clusters), "LMM", n_splits=3)
    >>> result.p_value < 0.001, bool(0.7 < result.slope.estimate < 1.3)
    (True, True)
    """
    check_level(level)
    fit = as_cross_fit(
        trial,
        estimator,
        n_splits=n_splits,
        n_folds=n_folds,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    averages, slopes = [], []
    for s in range(fit.n_splits):
        average, slope = _one_split(fit, s)
        averages.append(average)
        slopes.append(slope)
    p_values = [1.0 if slope is None else slope.p_value_greater for slope in slopes]
    estimated = [slope for slope in slopes if slope is not None]
    pooled = _median(estimated, level) if 2 * len(estimated) > len(slopes) else no_estimate(level)
    splits = pd.DataFrame(
        {
            "split": range(1, fit.n_splits + 1),
            "slope": [np.nan if t is None else t.estimate for t in slopes],
            "se": [np.nan if t is None else t.se for t in slopes],
            "degrees_of_freedom": [np.nan if t is None else t.degrees_of_freedom for t in slopes],
            "p_value": p_values,
        }
    )
    error = "CR2 over whole clusters, Satterthwaite" if fit.design.holds_persons else "HC2"
    return BestLinearPredictor(
        slope=replace(pooled, p_value=float(np.median(p_values))),
        average_effect=_median(averages, level).within(fit.data.endpoint.largest_effect),
        splits=splits,
        method=f"Best linear predictor, {fit.method}, medians over splits; {error}",
    )


def _median(tests: list[ContrastTest], level: float) -> Estimate:
    """Median estimate with median error and degrees of freedom."""
    return Estimate.from_t(
        float(np.median([t.estimate for t in tests])),
        float(np.median([t.se for t in tests])),
        degrees_of_freedom=float(np.median([t.degrees_of_freedom for t in tests])),
        level=level,
    )


def _one_split(fit: CrossFit, split: int) -> tuple[ContrastTest, ContrastTest | None]:
    """Average effect and slope of one split; no slope where the effects do not differ."""
    data = fit.data
    pi = data.propensity
    weight = fit.weight / (pi * (1 - pi))
    contrast = data.treatment - pi
    scale = float(data.y.std())
    effects = fit.centred_effects[split]
    expected = fit.outcome[split]
    columns = [np.ones(data.n), contrast]
    if float(np.ptp(expected)) > 1e-8 * scale:
        columns.append(expected - expected.mean())
    varies = float(effects.std()) > _HARDLY * scale
    if varies:
        columns += [effects, contrast * effects]
    tests = _tests(fit, np.column_stack(columns), weight)
    return tests[0], tests[1] if varies else None


def _tests(fit: CrossFit, design: FloatArray, weight: FloatArray) -> tuple[ContrastTest, ...]:
    """Coefficients 1 and last of a weighted regression of the outcome."""
    places = (1, design.shape[1] - 1)
    if fit.design.holds_persons:
        result = cluster_robust_regression(design, fit.data.y, fit.units, weight=weight)
        return tuple(result.coefficient(j) for j in places)
    root = np.sqrt(weight)
    X, y = design * root[:, None], fit.data.y * root
    bread = np.linalg.inv(X.T @ X)
    coefficients = bread @ (X.T @ y)
    leverage = np.minimum(((X @ bread) * X).sum(axis=1), 1 - 1e-9)
    scaled = X * ((y - X @ coefficients) / np.sqrt(1 - leverage))[:, None]
    errors = np.sqrt(np.diag(bread @ (scaled.T @ scaled) @ bread))
    df = max(float(len(y) - X.shape[1]), 1.0)
    return tuple(ContrastTest(float(coefficients[j]), float(errors[j]), df) for j in places)
