"""A cluster-randomized trial with chosen surfaces, and the designs made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.simulate.cluster_scenario import ClusterScenario
from tauhat.simulate.randomize import randomize
from tauhat.simulate.scenario import register_scenario, whole_number
from tauhat.simulate.surfaces import (
    EFFECT_SURFACES,
    PROGNOSIS_SURFACES,
    Surface,
    surface_values,
)


@dataclass(frozen=True, kw_only=True)
class ClusterTrial(ClusterScenario):
    """Cluster-randomized trial on seven person-level and two cluster-level covariates.

    x1 to x5 are N(0, 1) with an intracluster correlation; x1 and x2 correlate
    0.3 within clusters; x6 and x7 are 1 with probability 0.5 and 0.3; w1 is
    N(0, 1) by cluster; w2 is 1 in exactly half of the clusters. Settings as in
    `ClusterScenario` and:

    Attributes
    ----------
    prognosis
        mu0: "null"; "linear" .5 x1 + .4 x3 + .4 x5 + .3 x7 + .25 w1;
        "nonlinear" .5 x1 + .4 abs(x3) + .4 sin(2 x5) + .3 x7 + .25 w1 + .2 w2 x6;
        "cross-level" .5 x1 + .25 w1 + .4 w1 x1 + .4 w2 x3; or a function of the
        covariates' DataFrame.
    effect
        tau: "constant" .4; "linear" .4 + .30 x1 - .25 x2 + .30 x6 + .20 w1;
        "nonlinear" .3 + .45 sin(1.5 x1) + .5 [x2 > .3] + .45 x6 [x3 > 0]
        + .25 w2 x4 - .25 max(w1, 0); "cross-level" .4 + .35 x1 w1 + .35 w2 x4;
        "cluster" .4 + .40 w1; "binary" .4 + .5 x6; "even" .4 + .45 abs(x1);
        "linear-individual" .4 + .30 x1 - .25 x2; "interaction" .4 + .45 x1 x2;
        or a function of the covariates' DataFrame.
    effect_constant
        Replaces the constant of a named effect surface, or is added to a function.
    effect_scale
        Multiplies everything in tau but the constant.
    covariate_icc
        Intracluster correlation of x1 to x5, in [0, 1].
    extra_individual, extra_cluster
        Number of further N(0, 1) covariates without any effect, named x8, ...
        and w3, ...

    Notes
    -----
    With the settings of `CLUSTER_DESIGNS` this is the generator of a set of
    reference data on which R packages were scored. On those data the named
    effects "constant", "linear" and "nonlinear" agree with the true effects of
    all 6,000 test persons up to the rounding of the data to 4 digits. The
    "nonlinear" prognosis is a reconstruction from the 5,325 training
    outcomes by generalized least squares: estimates (SE) .508 (.014) x1,
    .385 (.022) abs(x3), .417 (.019) sin(2 x5), .306 (.029) x7, .272 (.022) w1,
    .206 (.034) w2 x6, constant -.002 (.030); no further term of 200 tried
    stands out, and .3 w1 fits nearly as well as .25 w1. The correlation of x1
    and x2 (.32, SE .014, within clusters) and the probabilities of x6 and x7
    are estimates too.

    Examples
    --------
    >>> trial = ClusterTrial(effect="cluster", n_clusters=12).draw(random_state=1)
    >>> bool(np.allclose(trial.tau, 0.4 + 0.4 * trial.X["w1"]))
    True
    """

    n_clusters: int = 20
    prognosis: str | Surface = "nonlinear"
    effect: str | Surface = "nonlinear"
    effect_constant: float | None = None
    effect_scale: float = 1.0
    covariate_icc: float = 0.1
    extra_individual: int = 0
    extra_cluster: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that make no trial."""
        super().__post_init__()
        if not 0.0 <= self.covariate_icc <= 1.0:
            raise ValueError(f"covariate_icc must lie in [0, 1], got {self.covariate_icc}")
        whole_number(self.extra_individual, "extra_individual", 0)
        whole_number(self.extra_cluster, "extra_cluster", 0)
        for name, value, known in (
            ("prognosis", self.prognosis, list(PROGNOSIS_SURFACES)),
            ("effect", self.effect, list(EFFECT_SURFACES)),
        ):
            if isinstance(value, str) and value not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)} or a function, got {value!r}"
                )

    def _covariates(
        self, clusters: IntArray, n_clusters: int, rng: np.random.Generator
    ) -> pd.DataFrame:
        n = len(clusters)
        within = rng.standard_normal((n, 5))
        within[:, 1] = 0.3 * within[:, 0] + np.sqrt(1 - 0.3**2) * within[:, 1]
        between = rng.standard_normal((n_clusters, 5))
        rho = self.covariate_icc
        continuous = np.sqrt(rho) * between[clusters] + np.sqrt(1 - rho) * within
        columns = {f"x{k + 1}": continuous[:, k] for k in range(5)}
        columns["x6"] = (rng.random(n) < 0.5).astype(np.float64)
        columns["x7"] = (rng.random(n) < 0.3).astype(np.float64)
        w1 = rng.standard_normal(n_clusters)
        w2 = randomize(n_clusters, 0.5, rng).astype(np.float64) if n_clusters > 1 else np.ones(1)
        for k in range(self.extra_individual):
            columns[f"x{k + 8}"] = rng.standard_normal(n)
        columns["w1"] = w1[clusters]
        columns["w2"] = w2[clusters]
        for k in range(self.extra_cluster):
            columns[f"w{k + 3}"] = rng.standard_normal(n_clusters)[clusters]
        return pd.DataFrame(columns)

    def _prognosis(self, X: pd.DataFrame) -> FloatArray:
        if callable(self.prognosis):
            return surface_values(self.prognosis, X, "prognosis")
        return PROGNOSIS_SURFACES[self.prognosis](X)

    def _effect(self, X: pd.DataFrame) -> FloatArray:
        if callable(self.effect):
            constant, varying = 0.0, surface_values(self.effect, X, "effect")
        else:
            constant, surface = EFFECT_SURFACES[self.effect]
            varying = surface(X)
        if self.effect_constant is not None:
            constant = self.effect_constant
        return constant + self.effect_scale * varying


CLUSTER_DESIGNS: Final[Mapping[str, Mapping[str, Any]]] = {
    "crt-null-m20-icc10": {"n_clusters": 20, "icc": 0.10, "effect": "constant"},
    "crt-linear-m20-icc01": {"n_clusters": 20, "icc": 0.01, "effect": "linear"},
    "crt-linear-m50-icc10": {"n_clusters": 50, "icc": 0.10, "effect": "linear"},
    "crt-nonlinear-m20-icc10": {"n_clusters": 20, "icc": 0.10, "effect": "nonlinear"},
    "crt-nonlinear-m50-icc01": {"n_clusters": 50, "icc": 0.01, "effect": "nonlinear"},
    "crt-nonlinear-m50-icc10": {"n_clusters": 50, "icc": 0.10, "effect": "nonlinear"},
}
"""Designs with reference results of R packages, by name: settings of `ClusterTrial`."""

NULL_DESIGNS: Final[Mapping[str, Mapping[str, Any]]] = {
    "base": {"effect": "constant"},
    "slopes": {"effect": "constant", "slope_sd": 0.3},
    "icsize": {
        "effect": "constant",
        "size_cv": 0.8,
        "prognosis_log_size": 0.5,
        "cluster_effects": "skewed",
    },
    "weak": {"effect": "constant", "effect_sd": 0.3, "treated_residual_variance": 2.0},
    "skew": {"effect": "constant", "cluster_effects": "skewed", "residuals": "skewed"},
}
"""Ways to have no effect heterogeneity that a test must not be fooled by, by name.

Settings of `ClusterTrial`. Under "weak" the effect is constant only on average. The sizes of the
informative slope and the shape of the skewed errors are choices.
"""

register_scenario("crt", ClusterTrial, kind="cluster")
for _number, (_name, _settings) in enumerate(CLUSTER_DESIGNS.items(), start=1):
    register_scenario(_name, ClusterTrial, kind="cluster", preset=_settings, alias=f"c{_number}")
for _name, _settings in NULL_DESIGNS.items():
    register_scenario(f"crt-null-{_name}", ClusterTrial, kind="cluster", preset=_settings)
