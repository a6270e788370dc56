"""Hazards that are constant between a few times, with frailties: a mixed model of times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.censored_outcomes import Functional
from tauhat.numerics.quadrature import hermite_nodes
from tauhat.numerics.responses import Counts
from tauhat.numerics.risk_mixture import RiskMixture
from tauhat.numerics.sparse_slopes import mean_coefficients
from tauhat.numerics.two_arm_logit import TwoArmModel

# Intervals have so many events each, and there are not more of them than this.
_EVENTS_AN_INTERVAL, _MOST_INTERVALS = 10, 8
# Of the horizon: an event at time zero comes after no less time at risk than this.
_LEAST_EXPOSURE = 1e-6
# Logs of hazards, in events a horizon, beyond which nothing changes any more.
_LEAST_LOG, _LARGEST_LOG = -30.0, 10.0
_NODES = 9


@dataclass(frozen=True)
class PersonPeriods:
    """One row for each person and each interval in which the person was at risk.

    Attributes
    ----------
    person, interval
        Numbers of these, shape (rows,).
    exposure
        Time at risk in the interval, positive, shape (rows,).
    event
        Whether it ended with the event, 0 or 1, shape (rows,).
    """

    person: IntArray
    interval: IntArray
    exposure: FloatArray
    event: FloatArray

    @classmethod
    def of(cls, time: FloatArray, event: BoolArray, cuts: FloatArray) -> PersonPeriods:
        """Split times at cuts.

        Parameters
        ----------
        time
            Time to the event or to censoring, shape (n,).
        event
            Whether it was the event, shape (n,).
        cuts
            Ends of the intervals, the first 0, the last where follow-up ends, shape (k + 1,). An
            event at a cut belongs to the interval that ends there.

        Examples
        --------
        >>> rows = PersonPeriods.of(np.array([1.0, 3.0]), np.array([True, False]), np.r_[0, 2, 4])
        >>> rows.person.tolist(), rows.exposure.tolist(), rows.event.tolist()
        ([0, 1, 1], [1.0, 2.0, 1.0], [1.0, 0.0, 0.0])
        """
        end = np.minimum(time, cuts[-1])
        happened = event & (time <= cuts[-1])
        last = np.maximum(np.searchsorted(cuts, end, side="left") - 1, 0)
        person = np.repeat(np.arange(len(time)), last + 1)
        first = np.cumsum(last + 1) - (last + 1)
        interval = np.arange(len(person)) - first[person]
        exposure = np.minimum(end[person], cuts[interval + 1]) - cuts[interval]
        ends_here = happened[person] & (interval == last[person])
        kept = (exposure > 0) | ends_here
        floor = _LEAST_EXPOSURE * cuts[-1]
        return cls(
            person[kept],
            interval[kept],
            np.maximum(exposure[kept], floor),
            ends_here[kept].astype(np.float64),
        )


def interval_cuts(time: FloatArray, event: BoolArray, horizon: float) -> FloatArray:
    """Ends of intervals with about as many events each, shape (k + 1,), k up to 8.

    Examples
    --------
    >>> interval_cuts(np.arange(1.0, 42.0), np.ones(41, dtype=bool), 41.0).tolist()
    [0.0, 10.75, 20.5, 30.25, 41.0]
    """
    times = time[event & (time < horizon)]
    wanted = min(_MOST_INTERVALS, max(1, len(times) // _EVENTS_AN_INTERVAL))
    shares = np.arange(1, wanted) / wanted
    inner = np.unique(np.quantile(times, shares)) if wanted > 1 else np.zeros(0)
    cuts: FloatArray = np.r_[0.0, inner[(inner > 0) & (inner < horizon)], horizon]
    return cuts


@dataclass(frozen=True, eq=False)
class PiecewiseHazards:
    r"""Fitted hazards of one kind of event in both arms.

    .. math::
        \log\lambda_a(t \mid x, b) = \alpha + u_{k(t)} + x^\top\beta
        + (a - \tfrac12)\{\delta + z^\top\gamma + q_{k(t)}^\top s\} + b

    with the interval k(t) in which t lies and its first two orthogonal polynomials q.

    Attributes
    ----------
    cuts
        Ends of the intervals, the first 0, the last the horizon, shape (k + 1,).
    coefficients
        Level, treatment, intervals, prognosis, effect, and effect along time, in this order.
    n_prognosis, n_effect
        Number of columns x and z.
    intercept_variances
        Variance of the log frailty b of a new cluster in control and treatment.
    cluster_effects
        Predicted log frailties; empty without clusters.
    between, nesting
        Variance of the clusters' log frailties, and of those of what clusters lie in.
    posterior
        What the coefficients are the mean of, where there are no columns z; else None.
    """

    cuts: FloatArray
    coefficients: FloatArray
    n_prognosis: int
    n_effect: int
    intercept_variances: tuple[float, float]
    cluster_effects: FloatArray
    between: float
    nesting: float
    posterior: RiskMixture | None = None

    def drawn(self, count: int, rng: np.random.Generator) -> Iterator[PiecewiseHazards]:
        """Posterior draws of the hazards; frailties vary as much in each."""
        assert self.posterior is not None
        for coefficients in self.posterior.coefficient_draws(count, rng):
            yield replace(self, coefficients=coefficients)

    def hazards(self, prognosis: FloatArray, effect: FloatArray, arm: int) -> FloatArray:
        """Hazards at a frailty of one in an arm, shape (persons, k).

        Parameters
        ----------
        prognosis, effect
            Columns x and z, shapes (persons, n_prognosis) and (persons, n_effect).
        arm
            0 or 1.
        """
        half, k = arm - 0.5, len(self.cuts) - 1
        ends = np.cumsum([2, k, self.n_prognosis, self.n_effect])
        (level, treatment), levels, beta, gamma, along = np.split(self.coefficients, ends)
        person = prognosis @ beta + half * (effect @ gamma)
        when = level + levels + half * (treatment + polynomials(k) @ along)
        logs = np.clip(person[:, None] + when, _LEAST_LOG, _LARGEST_LOG)
        hazards: FloatArray = np.exp(logs) / self.cuts[-1]
        return hazards

    def frailties(self, arm: int) -> list[tuple[float, float]]:
        """Frailties of new clusters in an arm, and their shares."""
        sd = float(np.sqrt(self.intercept_variances[arm]))
        if sd == 0:
            return [(1.0, 1.0)]
        nodes, shares = hermite_nodes(_NODES)
        return list(zip(np.exp(sd * nodes).tolist(), shares.tolist(), strict=True))


def mean_in_new_cluster(
    functional: Functional,
    hazards: Sequence[PiecewiseHazards],
    prognosis: FloatArray,
    effect: FloatArray,
    arm: int,
) -> FloatArray:
    """Mean of what is made of a time, in an arm, over the frailties of new clusters.

    Parameters
    ----------
    functional
        What is made of it.
    hazards
        Of the event, and of those that rule it out, if any, with the same intervals; their
        frailties are independent.
    prognosis, effect, arm
        As in `PiecewiseHazards.hazards`.

    Returns
    -------
    ndarray, shape (persons,)
    """
    length = np.diff(hazards[0].cuts)
    at_one = [one.hazards(prognosis, effect, arm) for one in hazards]
    mean = np.zeros(len(prognosis))
    for frailties in product(*(one.frailties(arm) for one in hazards)):
        event, *others = (
            frailty * hazard for (frailty, _), hazard in zip(frailties, at_one, strict=True)
        )
        other = others[0] if others else np.zeros_like(event)
        share = prod(share for _, share in frailties)
        mean += share * functional.of_hazards(length, event, other)
    return mean


def polynomials(k: int) -> FloatArray:
    """First two orthogonal polynomials of the number of an interval, variance one, shape (k, 2).

    Fewer columns where there are fewer than three intervals.

    Examples
    --------
    >>> polynomials(4).round(3).tolist()
    [[-1.342, 1.0], [-0.447, -1.0], [0.447, -1.0], [1.342, 1.0]]
    """
    number = np.arange(k) - (k - 1) / 2
    powers = np.column_stack([number**0, number, number**2])[:, : min(3, k)]
    basis, _ = np.linalg.qr(powers)
    signs = np.sign(basis[-1])
    columns: FloatArray = (basis * signs)[:, 1:] * np.sqrt(k)
    return columns


def fit_piecewise_hazards(
    time: FloatArray,
    event: BoolArray,
    cuts: FloatArray,
    treatment: IntArray,
    prognosis: list[FloatArray],
    effect: list[FloatArray],
    *,
    clusters: IntArray | None = None,
    nesting: IntArray | None = None,
    weight: FloatArray | None = None,
    covariate: IntArray | None = None,
) -> PiecewiseHazards:
    r"""Fit the hazards of one kind of event.

    The likelihood of times with piecewise constant hazards is that of Poisson counts, one for
    each person and interval, with the log time at risk as offset. Intervals and prognosis are
    ridge blocks with a variance each (`tauhat.numerics.two_arm_logit`), slopes of the effect are
    averaged over which of them are there (`tauhat.numerics.sparse_slopes`), log frailties are
    normal and integrated out.

    Parameters
    ----------
    time
        Time to the event or to censoring, shape (n,).
    event
        Whether it was the event, shape (n,).
    cuts
        Ends of the intervals (`interval_cuts`), shape (k + 1,); nothing after the last counts.
    treatment
        0 or 1, shape (n,).
    prognosis, effect
        Blocks of columns in standard units, n rows each.
    clusters
        Number of each person's cluster, shape (n,), or None.
    nesting
        Block in which each cluster lies, shape (m,), or None.
    weight
        Positive, shape (n,), or None.
    covariate
        Which columns of the effect's first block belong together
        (`tauhat.numerics.sparse_slopes.average_over_sets`); None if each stands alone.

    References
    ----------
    Holford (1980), Biometrics 36, 299-305, and Laird and Olivier (1981), JASA 76, 231-240, for
    the likelihood.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> arm, x = np.arange(2000) % 2, rng.normal(size=(2000, 1))
    >>> time = rng.exponential(size=2000) / np.exp(x[:, 0] - arm)
    >>> cuts = interval_cuts(time, time <= 2, 2.0)
    >>> fit = fit_piecewise_hazards(np.minimum(time, 2.0), time <= 2, cuts, arm, [x], [x])
    >>> at = np.zeros((1, 1))
    >>> ratio = fit.hazards(at, at, 1) / fit.hazards(at, at, 0)
    >>> bool(abs(np.log(ratio) + 1).max() < 0.2)
    True
    """
    # In units of the horizon, so that levels are about what priors expect.
    rows = PersonPeriods.of(time / cuts[-1], event, cuts / cuts[-1])
    k = len(cuts) - 1
    intervals = (rows.interval[:, None] == np.arange(k)).astype(np.float64)
    along = polynomials(k)[rows.interval]
    two_arms = TwoArmModel(
        Counts(rows.event),
        treatment[rows.person].astype(np.float64),
        [intervals, *(block[rows.person] for block in prognosis)],
        [*(block[rows.person] for block in effect), *([along] if along.shape[1] else [])],
        clusters=None if clusters is None else clusters[rows.person],
        weight=None if weight is None else weight[rows.person],
        offset=np.log(rows.exposure),
        nesting=None if clusters is None else nesting,
    )
    fit = two_arms.fit()
    posterior = None if effect else RiskMixture.of(two_arms, fit)
    model = fit.model
    return PiecewiseHazards(
        cuts=cuts,
        coefficients=(
            mean_coefficients(two_arms, fit, covariate)
            if posterior is None
            else posterior.shares @ posterior.coefficients
        ),
        n_prognosis=sum(block.shape[1] for block in prognosis),
        n_effect=sum(block.shape[1] for block in effect),
        intercept_variances=fit.intercept_variances,
        cluster_effects=model.cluster_effects,
        between=float(model.cluster_variances.sum()),
        nesting=model.nesting_variance,
        posterior=posterior,
    )
