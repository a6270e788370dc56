"""A synthetic trial in the likeness of TASSH, with settings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import truncnorm

from tauhat._typing import FloatArray, IntArray
from tauhat.simulate.cluster_scenario import ClusterScenario
from tauhat.simulate.scenario import register_scenario

# Location of a normal with SD 11 whose part in [140, 179] has mean 155.9 and SD 8.8.
_SBP_LOCATION, _SBP_SCALE, _SBP_RANGE = 154.1133, 11.0, (140.0, 179.0)
_SBP_MEAN = 155.9


@dataclass(frozen=True, kw_only=True)
class TasshLike(ClusterScenario):
    """Task-shifted hypertension care in 32 community health centres: SYNTHETIC data.

    Published facts of the trial (Ogedegbe et al. 2018) that are matched: 32
    centres, 16 in each arm; 757 patients, about 24 a centre; 60% women; mean
    blood pressure at entry 155.9/89.6 mmHg, systolic 140 to 179; 85% with an
    outcome at 12 months; mean change of systolic pressure -16.8 mmHg with
    insurance alone and 3.6 mmHg lower with task shifting. Assumed: an ICC of
    .02, a residual SD of 15.5 mmHg, all other distributions, and every
    dependence of outcome and effect on covariates:

        mu0 = -16.8 - .45 (sbp_0 - 155.9) + .05 (age - 58) + .15 (bmi - 27) - 1.5 (urban - .5)
        tau = -3.6 + h {-.15 (sbp_0 - 155.9) - 1.5 (female - .6) + .06 (age - 58)
                        - .8 (n_nurses - 2.5)}

    The outcome is the change of systolic pressure in mmHg: negative is better.
    The intervals published suggest a larger variance between centres in the
    task-shifting arm; set ``treated_cluster_variance`` to 2 or more to stress a
    method, and ``icc`` to .01, .05 or .10. Settings as in `ClusterScenario` and:

    Attributes
    ----------
    heterogeneity
        The factor h: 0 makes the effect constant.

    References
    ----------
    Ogedegbe G, Plange-Rhule J, Gyamfi J, et al. (2018). Health insurance
    coverage with or without a nurse-led task shifting strategy for
    hypertension control: a pragmatic cluster randomized trial in Ghana. PLoS
    Medicine 15(5):e1002561.

    Examples
    --------
    >>> trial = TasshLike().draw(757, random_state=1)
    >>> int(trial.clusters.max()) + 1, bool(600 < len(trial.y) < 680)
    (32, True)
    """

    mean_size: float = 757 / 32
    size_cv: float = 0.3
    icc: float = 0.02
    outcome_variance: float = 15.5**2
    dropout: float | tuple[float, float] = 0.15
    heterogeneity: float = 1.0

    def _covariates(
        self, clusters: IntArray, n_clusters: int, rng: np.random.Generator
    ) -> pd.DataFrame:
        n = len(clusters)
        ends = (np.array(_SBP_RANGE) - _SBP_LOCATION) / _SBP_SCALE
        sbp = truncnorm.rvs(*ends, loc=_SBP_LOCATION, scale=_SBP_SCALE, size=n, random_state=rng)
        dbp = 89.6 + 0.4 * (sbp - _SBP_MEAN) + 9.0 * rng.standard_normal(n)
        urban = (rng.random(n_clusters) < 0.5).astype(np.float64)
        nurses = rng.integers(1, 5, n_clusters).astype(np.float64)
        return pd.DataFrame(
            {
                "age": np.clip(58 + 12 * rng.standard_normal(n), 21, 90).round(),
                "female": (rng.random(n) < 0.6).astype(np.float64),
                "bmi": (27 + 5 * rng.standard_normal(n)).clip(16).round(1),
                "sbp_0": sbp.round(1),
                "dbp_0": dbp.round(1),
                "urban": urban[clusters],
                "n_nurses": nurses[clusters],
            }
        )

    def _prognosis(self, X: pd.DataFrame) -> FloatArray:
        mean = (
            -16.8
            - 0.45 * (X.sbp_0 - _SBP_MEAN)
            + 0.05 * (X.age - 58)
            + 0.15 * (X.bmi - 27)
            - 1.5 * (X.urban - 0.5)
        )
        return mean.to_numpy(dtype=np.float64)

    def _effect(self, X: pd.DataFrame) -> FloatArray:
        varying = (
            -0.15 * (X.sbp_0 - _SBP_MEAN)
            - 1.5 * (X.female - 0.6)
            + 0.06 * (X.age - 58)
            - 0.8 * (X.n_nurses - 2.5)
        )
        return -3.6 + self.heterogeneity * varying.to_numpy(dtype=np.float64)


register_scenario("tassh-like", TasshLike, kind="cluster")
