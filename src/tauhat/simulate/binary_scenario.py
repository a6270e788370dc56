"""Trials with a 0/1 outcome whose risks are known, individual and cluster-randomized."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.marginal_risks import marginal_mean
from tauhat.numerics.seeds import resolve_seed
from tauhat.simulate.cluster_sizes import ScenarioOfUnits
from tauhat.simulate.randomize import randomize
from tauhat.simulate.scenario import (
    RandomState,
    SimulatedPersons,
    SimulatedTrial,
    part_generator,
    register_scenario,
)

# Variance of the logistic distribution, the residual of the latent outcome behind log odds.
_LOGISTIC = np.pi**2 / 3
_NODES = 31
_REFERENCE_PERSONS = 20_000
# Log odds between which marginal risks are inverted, and risks that an effect cannot pass.
_WIDEST, _GRID = 14.0, 4001
_LEAST_RISK, _LARGEST_RISK = 0.001, 0.999


def _linear(X: pd.DataFrame) -> FloatArray:
    value = 0.5 + 0.5 * X["x1"] - 0.4 * X["x4"] + 0.5 * (X["x6"] - 0.5) + 0.3 * X["w1"]
    return value.to_numpy(dtype=np.float64)


def _threshold(X: pd.DataFrame) -> FloatArray:
    above = (X["x4"] > 0) & (X["x6"] == 1)
    value = 0.4 + (above - 0.25) + 0.5 * (X["x5"].abs() - 0.8)
    return value.to_numpy(dtype=np.float64)


def _additive(X: pd.DataFrame) -> FloatArray:
    value = 0.08 + 0.06 * X["x4"] + 0.08 * (X["x6"] - 0.5) - 0.04 * X["x1"]
    return value.to_numpy(dtype=np.float64)


LOG_ODDS_EFFECTS: Final[Mapping[str, Callable[[pd.DataFrame], FloatArray]]] = {
    "odds-ratio": lambda X: np.full(len(X), 0.8),
    "linear-log-odds": _linear,
    "threshold-log-odds": _threshold,
}
RISK_EFFECTS: Final[Mapping[str, Callable[[pd.DataFrame], FloatArray]]] = {
    "null": lambda X: np.zeros(len(X)),
    "risk-difference": lambda X: np.full(len(X), 0.08),
    "additive-risk": _additive,
}


def _prognosis(X: pd.DataFrame) -> FloatArray:
    """Log odds without treatment, up to the level."""
    curved = 0.6 * X["x1"] + 0.5 * (X["x2"].abs() - 0.8)
    value = curved + 0.35 * X["x3"] - 0.5 * (X["x6"] - 0.5) + 0.3 * X["w1"]
    return value.to_numpy(dtype=np.float64)


def _covariates(
    clusters: IntArray, count: int, icc: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Covariates of persons in ``count`` clusters; with each a cluster, w1 and w2 are theirs."""
    n = len(clusters)
    between, within = rng.standard_normal((count, 5)), rng.standard_normal((n, 5))
    continuous = np.sqrt(icc) * between[clusters] + np.sqrt(1 - icc) * within
    columns = {f"x{k + 1}": continuous[:, k] for k in range(5)}
    columns["x6"] = (rng.random(n) < 0.5).astype(np.float64)
    columns["x7"] = (rng.random(n) < 0.3).astype(np.float64)
    columns["w1"] = rng.standard_normal(count)[clusters]
    columns["w2"] = (rng.random(count) < 0.5).astype(np.float64)[clusters]
    return pd.DataFrame(columns)


@lru_cache(maxsize=64)
def _level(base_risk: float, variance: float) -> float:
    """Log odds that give the base risk on average over persons and new clusters."""
    persons = np.arange(_REFERENCE_PERSONS)
    rng = part_generator(0, "binary", "reference")
    part = _prognosis(_covariates(persons, len(persons), 0.0, rng))

    def excess(level: float) -> float:
        return float(marginal_mean(level + part, variance, "logit").mean()) - base_risk

    found: Any = brentq(excess, -_WIDEST, _WIDEST)
    return float(found)


@dataclass(frozen=True, kw_only=True)
class BinaryTrial(ScenarioOfUnits):
    r"""Trial with a 0/1 outcome, in clusters or of persons.

    .. math:: \mathrm{logit}\,P(Y(a) = 1) = \eta_a(x, w) + b_i, \quad b_i \sim N(0, \sigma_b^2)

    with :math:`\eta_0 = \alpha + .6 x_1 + .5(|x_2| - .8) + .35 x_3 - .5(x_6 - .5) + .3 w_1`.
    ``mu0`` and ``tau`` are risks of persons in new clusters: averages over
    :math:`b_i`. x1 to x5 are N(0, 1), x6 and x7 are 1 with probability .5 and .3,
    w1 is N(0, 1) and w2 is 1 with probability .5, by cluster where there are clusters.

    Attributes
    ----------
    n_clusters
        Number of clusters, at least 4; None for a trial that randomizes persons.
    mean_size, size_cv, min_size
        Mean and coefficient of variation of the gamma distribution of cluster sizes
        (persons), rounded and not less than ``min_size``.
    base_risk
        Mean risk without treatment.
    icc
        Intracluster correlation of the latent logistic outcome,
        :math:`\sigma_b^2 / (\sigma_b^2 + \pi^2/3)`.
    covariate_icc
        Intracluster correlation of x1 to x5.
    effect
        On the log odds: "odds-ratio" .8 for all; "linear-log-odds" .5 + .5 x1 - .4 x4
        + .5 (x6 - .5) + .3 w1; "threshold-log-odds" .4 + ([x4 > 0 and x6 = 1] - .25)
        + .5 (abs(x5) - .8). On the marginal risk: "null"; "risk-difference" .08 for
        all; "additive-risk" .08 + .06 x4 + .08 (x6 - .5) - .04 x1, where the risk is
        kept between .001 and .999.
    effect_scale
        Multiplies the effect, on the scale on which it is given.
    share_treated
        Share of clusters, or persons, treated; arm sizes are fixed.

    Raises
    ------
    ValueError
        If a setting makes no trial.

    Examples
    --------
    >>> trial = BinaryTrial(effect="risk-difference", n_clusters=12).draw(random_state=1)
    >>> bool(np.allclose(trial.tau, 0.08, atol=1e-3)), sorted(set(trial.y.tolist()))
    (True, [0.0, 1.0])
    """

    base_risk: float = 0.3
    icc: float = 0.03
    covariate_icc: float = 0.05
    effect: str = "odds-ratio"
    effect_scale: float = 1.0
    share_treated: float = 0.5

    def __post_init__(self) -> None:
        """Refuse settings that make no trial."""
        self._check_sizes()
        if not 0.0 < self.base_risk < 1.0:
            raise ValueError(f"base_risk must lie strictly between 0 and 1, got {self.base_risk}")
        for name in ("icc", "covariate_icc"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")
        known = [*LOG_ODDS_EFFECTS, *RISK_EFFECTS]
        if self.effect not in known:
            raise ValueError(f"effect must be one of {', '.join(known)}, got {self.effect!r}")

    @property
    def between_cluster_variance(self) -> float:
        """Variance of the clusters' intercepts, in squared log odds."""
        if self.n_clusters is None:
            return 0.0
        return float(self.icc / (1 - self.icc) * _LOGISTIC)

    def log_odds(self, X: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        """Log odds without and with treatment in a cluster of intercept 0, shapes (n,)."""
        variance = self.between_cluster_variance
        control = _level(self.base_risk, variance) + _prognosis(X)
        if self.effect in LOG_ODDS_EFFECTS:
            return control, control + self.effect_scale * LOG_ODDS_EFFECTS[self.effect](X)
        change = self.effect_scale * RISK_EFFECTS[self.effect](X)
        if not change.any():
            return control, control.copy()
        risk = marginal_mean(control, variance, "logit", _NODES)
        # The limits hold for what treatment does, not for risks that are beyond them without.
        low, high = np.minimum(risk, _LEAST_RISK), np.maximum(risk, _LARGEST_RISK)
        grid = np.linspace(-_WIDEST, _WIDEST, _GRID)
        risks = marginal_mean(grid, variance, "logit", _NODES)
        treated: FloatArray = np.interp(np.clip(risk + change, low, high), risks, grid)
        return control, treated

    def _persons(self, sizes: IntArray, seed: int, part: str) -> SimulatedPersons:
        """Persons of clusters of these sizes, which are 1 where persons are randomized."""
        clusters = np.repeat(np.arange(len(sizes)), sizes)
        icc = 0.0 if self.n_clusters is None else self.covariate_icc
        X = _covariates(clusters, len(sizes), icc, part_generator(seed, part, "covariates"))
        control, treated = self.log_odds(X)
        variance = self.between_cluster_variance
        mu0 = marginal_mean(control, variance, "logit", _NODES)
        tau = marginal_mean(treated, variance, "logit", _NODES) - mu0
        nodes = pd.DataFrame({"log_odds0": control, "log_odds1": treated})
        known = None if self.n_clusters is None else clusters
        return SimulatedPersons(X=X, clusters=known, tau=tau, mu0=mu0, nodes=nodes)

    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedTrial:
        """Draw one trial.

        Parameters
        ----------
        n
            Number of persons; in a cluster trial shared among the clusters with the
            sizes' variation, None for a random number. It must be given where persons
            are randomized.
        random_state
            Seed.

        Returns
        -------
        SimulatedTrial
            ``nodes`` has the log odds of both arms without the cluster's intercept,
            cluster_effect (the intercept) and both potential outcomes y0, y1.

        Raises
        ------
        ValueError
            If ``n`` is missing or too small.

        Examples
        --------
        >>> trial = BinaryTrial(n_clusters=None, base_risk=0.1).draw(300, random_state=1)
        >>> trial.clusters is None, len(trial.y)
        (True, 300)
        """
        seed = resolve_seed(random_state)
        sizes = self._trial_sizes(n, seed)
        persons = self._persons(sizes, seed, "trial")
        units, m = np.repeat(np.arange(len(sizes)), sizes), len(sizes)
        arm = randomize(m, self.share_treated, part_generator(seed, "trial", "treatment"))
        effects = part_generator(seed, "trial", "cluster effects").standard_normal(m)
        between = np.sqrt(self.between_cluster_variance) * effects[units]
        luck = part_generator(seed, "trial", "outcomes").random(persons.n)
        outcomes = {
            f"y{a}": (luck < expit(persons.nodes[f"log_odds{a}"] + between)).astype(np.float64)
            for a in (0, 1)
        }
        nodes = persons.nodes.assign(cluster_effect=between, **outcomes)
        treatment = arm[units]
        return SimulatedTrial(
            X=persons.X,
            clusters=persons.clusters,
            tau=persons.tau,
            mu0=persons.mu0,
            nodes=nodes,
            y=np.where(treatment == 1, nodes["y1"], nodes["y0"]),
            treatment=treatment,
            propensity=self.share_treated,
        )


register_scenario("binary", BinaryTrial, kind="individual", preset={"n_clusters": None})
register_scenario("crt-binary", BinaryTrial, kind="cluster")
