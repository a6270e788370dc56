"""Simulated trials with an event whose risks differ with a binary modifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.marginal_risks import marginal_mean
from tauhat.power.interaction_trials import modifier_values
from tauhat.simulate.binary_scenario import BinaryTrial
from tauhat.simulate.scenario import SimulatedPersons, part_generator

_WIDEST = 40.0


@dataclass(frozen=True, kw_only=True)
class EventInteraction(BinaryTrial):
    """Trial with an event, given its risks in both arms without and with a binary modifier.

    Where events are few the formula of `tauhat.power.power_hte`, which takes the mean of many
    for normal, may be wrong; `tauhat.power.power_by_simulation` of this
    scenario with `tauhat.power.interaction_test` tells by how much. Sizes, ``icc`` (of the log
    odds) and ``share_treated`` as in `tauhat.simulate.BinaryTrial`; its base risk and effects
    are not used.

    Attributes
    ----------
    risks_without, risks_with
        Risk without and with treatment of persons without the modifier, and of those with it;
        in a cluster trial those of new clusters.
    prevalence
        Share of persons with the modifier.
    icc_x
        Intracluster correlation of the modifier, in [0, 1].
    n_others
        Number of further N(0, 1) covariates without any effect.

    Raises
    ------
    ValueError
        If a risk or the prevalence is not between 0 and 1.

    Examples
    --------
    >>> risks = {"risks_without": (0.04, 0.04), "risks_with": (0.12, 0.04)}
    >>> rare = EventInteraction(**risks, n_clusters=None)
    >>> trial = rare.draw(1000, random_state=1)
    >>> sorted(set(trial.tau.round(3).tolist()))
    [-0.08, 0.0]
    """

    risks_without: tuple[float, float]
    risks_with: tuple[float, float]
    prevalence: float = 0.5
    icc_x: float = 0.0
    n_others: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that make no trial."""
        super().__post_init__()
        for name in ("risks_without", "risks_with"):
            if not all(0 < risk < 1 for risk in getattr(self, name)):
                raise ValueError(f"{name} must be two risks in (0, 1), got {getattr(self, name)}")
        if not 0 < self.prevalence < 1:
            raise ValueError(f"prevalence must be in (0, 1), got {self.prevalence:g}")

    def log_odds(self, X: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        """Log odds without and with treatment in a cluster of intercept 0, shapes (n,)."""
        levels = np.array(
            [[self._level(risk) for risk in pair] for pair in (self.risks_without, self.risks_with)]
        )
        of_person = levels[X["modifier"].to_numpy().astype(np.int64)]
        return of_person[:, 0], of_person[:, 1]

    def _level(self, risk: float) -> float:
        """Log odds at an intercept of zero that have a risk in new clusters."""
        variance = self.between_cluster_variance

        def excess(level: float) -> float:
            return float(marginal_mean(np.array([level]), variance, "logit")[0]) - risk

        return float(brentq(excess, -_WIDEST, _WIDEST))

    def _persons(self, sizes: IntArray, seed: int, part: str) -> SimulatedPersons:
        """Persons of clusters of these sizes, which are 1 where persons are randomized."""
        clusters = np.repeat(np.arange(len(sizes)), sizes)
        rng = part_generator(seed, part, "covariates")
        icc = 1.0 if self.n_clusters is None else self.icc_x
        values = modifier_values(
            clusters, len(sizes), icc_x=icc, sd_x=1.0, prevalence=self.prevalence, rng=rng
        )
        # Centred values: which of the two it is decides.
        present = (values > values.mean()).astype(np.float64)
        X = pd.DataFrame({"modifier": present})
        for k in range(1, self.n_others + 1):
            X[f"x{k}"] = rng.normal(size=len(X))
        control, treated = self.log_odds(X)
        risks = np.array([self.risks_without, self.risks_with])[present.astype(np.int64)]
        return SimulatedPersons(
            X=X,
            clusters=None if self.n_clusters is None else clusters,
            tau=risks[:, 1] - risks[:, 0],
            mu0=risks[:, 0],
            nodes=pd.DataFrame({"log_odds0": control, "log_odds1": treated}),
        )
