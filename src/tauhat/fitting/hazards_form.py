"""Hazards of both arms, read as what the arms of a trial of times are compared on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Self

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.allocation import allocation_basis
from tauhat.fitting.identified_intercepts import identified_intercepts
from tauhat.fitting.risk_form import RiskForm
from tauhat.numerics.additive_columns import AdditiveColumns
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.piecewise_hazards import (
    PiecewiseHazards,
    fit_piecewise_hazards,
    interval_cuts,
    mean_in_new_cluster,
)
from tauhat.numerics.standardised_columns import constant_within, row_parts
from tauhat.numerics.step_columns import StepColumns

#: Variance of the log of a time whose hazard is constant: the residual one beside log frailties.
LOG_TIME_VARIANCE: Final = float(np.pi**2 / 6)

# Sizes of the curves' bases, and how many columns curves may have, and steps; fewer where they
# would be more numbers than this in rows of persons by intervals.
_SPLINES, _FEWEST_SPLINES = 10, 4
_MOST_COLUMNS, _MOST_NUMBERS = 100, 5_000_000
# Arrays of persons by intervals that are held at once.
_COPIES = 10
_DRAWS = 100


class HazardsForm(RiskForm):
    r"""Hazards that are constant between a few times, with a frailty of the cluster.

    .. math::
        \log\lambda_{ij}(t) = \alpha + u_{k(t)} + \sum_k P_k \beta_k
        + (A_i - \tfrac12)\{\delta + q_{k(t)}'s + z_{ij}'\gamma\} + b_i

    with lines and curves P of the prognosis, and lines and steps z of the effect
    (`tauhat.numerics.piecewise_hazards.PiecewiseHazards`). The endpoint says what means are made
    of it. As `risks` they are shares of the largest effect that can be: of a mean time, shares of
    the horizon.

    Parameters
    ----------
    interactions
        Whether the effect of treatment on the log hazard varies between persons; it may vary
        along time anyway.

    Attributes
    ----------
    hazards_
        Of the event, and of those that compete with it, where some do.
    """

    hazards_: list[PiecewiseHazards]

    def __init__(self, *, interactions: bool = True) -> None:
        self.interactions = interactions

    def fit(self, data: TrialData, seed: int) -> Self:
        """Fit to a trial as its learners see it; the outcome must be made of times."""
        follow_up, made = data.endpoint.follow_up, data.endpoint.kind.time
        assert follow_up is not None
        assert made is not None
        self.endpoint_ = data.endpoint
        intercepts = identified_intercepts(data, by_arm=False)[0].of_clusters()
        cluster_level = constant_within(data.X, identified_clusters(data.clusters))
        time, cause = data.times
        cuts = interval_cuts(time, cause > 0, follow_up.horizon)
        most = min(_MOST_COLUMNS, _MOST_NUMBERS // (data.n * (len(cuts) - 1)))
        # A curve has two columns fewer than its basis, and two at least.
        n_splines = min(_SPLINES, 2 + most // data.X.shape[1])
        self.columns_ = AdditiveColumns.of(
            data.X,
            cluster_level,
            data.n_units,
            n_splines if n_splines >= _FEWEST_SPLINES else 0,
            data.sample_weight,
        )
        blocks = self.columns_.blocks(data.X)
        # Levels that go with the probability of treatment; new persons have their mean.
        levels = allocation_basis(data)
        self.n_levels_ = levels.shape[1]
        # A step of what clusters have in common rests on a few of them.
        self.steps_ = StepColumns.of(data.X, ~cluster_level, most, data.sample_weight)
        n_lines = blocks[0].shape[1]
        self.hazards_ = [
            fit_piecewise_hazards(
                time,
                cause == number,
                cuts,
                data.treatment,
                [*blocks, levels] if self.n_levels_ else blocks,
                [self._effect_columns(blocks[0], data.X)] if self.interactions else [],
                clusters=intercepts.groups,
                nesting=intercepts.nesting,
                weight=data.sample_weight,
                covariate=np.r_[np.arange(n_lines), self.steps_.covariate],
            )
            for number in ((1, 2) if made.competing else (1,))
        ]
        event = self.hazards_[0]
        components = intercepts.components([event.between, event.nesting], LOG_TIME_VARIANCE)
        self.components_ = replace(components, scale="log hazard")
        of_clusters = not intercepts.groups_are_blocks
        self.cluster_effects_ = event.cluster_effects if of_clusters else np.zeros(0)
        self.seed_ = seed
        return self

    def means(self, X: FloatArray) -> FloatArray:
        """What is compared, without and with treatment in a new cluster, shape (k, 2).

        Mean times up to the horizon, probabilities at it, or mean times lost.
        """
        return self._means(self.hazards_, X)

    def risks(self, X: FloatArray) -> FloatArray:
        """The same as shares of the largest effect that can be."""
        return self.means(X) / self.endpoint_.largest_effect

    def risk_draws(self, X: FloatArray) -> FloatArray:
        """Posterior draws of these, shape (100, k, 2)."""
        rng = np.random.default_rng(self.seed_)
        drawn = zip(*(one.drawn(_DRAWS, rng) for one in self.hazards_), strict=True)
        means = np.stack([self._means(hazards, X) for hazards in drawn])
        return means / self.endpoint_.largest_effect

    def _effect_columns(self, lines: FloatArray, X: FloatArray) -> FloatArray:
        """Lines of all covariates, then steps, shape (k, columns)."""
        return np.hstack([lines, self.steps_.columns(X)])

    def _means(self, hazards: Sequence[PiecewiseHazards], X: FloatArray) -> FloatArray:
        made = self.endpoint_.kind.time
        assert made is not None
        blocks = self.columns_.blocks(X)
        prognosis = np.hstack([*blocks, np.zeros((len(X), self.n_levels_))])
        effect = self._effect_columns(blocks[0], X) if self.interactions else prognosis[:, :0]
        means = np.empty((len(X), 2))
        for rows in row_parts(len(X), _COPIES * len(hazards[0].cuts)):
            for arm in (0, 1):
                means[rows, arm] = mean_in_new_cluster(
                    made.functional, hazards, prognosis[rows], effect[rows], arm
                )
        return means
