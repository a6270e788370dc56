"""Power and sample size for restricted mean survival times and their modification."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from tauhat._typing import FloatArray
from tauhat.arguments import check_numbers, is_whole
from tauhat.errors import TrialError
from tauhat.numerics.quadrature import hermite_nodes
from tauhat.power.interaction_power import arm_sizes
from tauhat.power.planned_design import LEAST_IN_ARM, MOST_UNITS
from tauhat.power.planned_times import RmstPower

_STEPS = 4000
_FRAILTY_NODES = 25
# Of the probability to be still followed at the horizon, as in the analysis.
_LEAST_FOLLOWED = 0.05


@dataclass(frozen=True)
class _Cell:
    """Restricted mean of one kind of persons and what is behind its error."""

    mean: float
    variance: float
    by_frailty: FloatArray


@dataclass(frozen=True)
class _Contrast:
    """A difference between the arms: its size, and each arm's variance of a person's share in it.

    Pairs are of the control and the treated arm.
    """

    size: float
    variance: tuple[float, float]
    between: tuple[float, float]

    def error(self, units: tuple[int, int], persons: float, cv: float) -> float:
        """Standard error with so many units of so many persons in the control and treated arm."""
        more = (1 + cv**2) * persons - 1
        parts = zip(self.variance, self.between, units, strict=True)
        return math.sqrt(sum((own + more * shared) / (m * persons) for own, shared, m in parts))


def power_rmst(
    n_clusters: int | None = None,
    cluster_size: float | None = None,
    *,
    n_persons: int | None = None,
    horizon: float,
    survival_control: float | Sequence[float],
    survival_treated: float | Sequence[float],
    prevalence: float | None = None,
    shape: float = 1.0,
    accrual: float = 0.0,
    follow_up: float | None = None,
    frailty_sd: float = 0.0,
    size_cv: float = 0.0,
    share_treated: float = 0.5,
    significance_level: float = 0.05,
    power: float | None = None,
) -> RmstPower:
    r"""Power or sample size for a difference in RMST and for its modification.

    Times are Weibull (exponential with ``shape`` 1) in each arm, with the probability to be without
    an event at the horizon that is given. Persons come evenly over ``accrual`` and are followed for
    ``follow_up`` after the last came. The restricted mean of Kaplan and Meier's curve has, with n
    persons, the variance

    .. math::
        \frac{\sigma^2}{n}, \qquad \sigma^2 = \int_0^h
        \Big\{\int_t^h S(u)\,du\Big\}^2 \frac{-dS(t)}{S(t)^2\,G(t)}

    with the probability G to be still followed. In clusters of N persons on average (coefficient of
    variation c) it is larger by :math:`1 + \{(1 + c^2) N - 1\}\rho`, where :math:`\rho` is the
    share of :math:`\sigma^2` that a lognormal frailty of the cluster makes: the variance of its
    restricted mean. With a modifier of prevalence p the difference between persons with and without
    it has in each arm the variance :math:`\sigma_1^2/p + \sigma_0^2/(1-p)` a person, and between
    clusters that of the two means' difference.

    Parameters
    ----------
    n_clusters, cluster_size
        Number of clusters of both arms, and mean number of persons in one.
    n_persons
        Number of persons of both arms when persons are randomized.
    horizon
        Time up to which means are restricted.
    survival_control, survival_treated
        Probability to be without an event at the horizon, in a new cluster; with a modifier two
        numbers: of persons without it, and with it.
    prevalence
        Share of persons with a binary modifier that varies within clusters.
    shape
        Shape of the Weibull distributions.
    accrual, follow_up
        Time over which persons come, and from then to the end; None for the horizon, so that
        nobody is censored before it.
    frailty_sd
        Standard deviation of the log hazard between clusters.
    size_cv
        Coefficient of variation of the cluster sizes.
    share_treated
        Share of units treated.
    significance_level
        Two-sided level of each test.
    power
        Wanted power: for the interaction where there is a modifier, else for the difference. The
        number of units is then solved for.

    Returns
    -------
    RmstPower

    Raises
    ------
    TrialError
        Naming the argument that is missing, out of range or without an answer.

    Notes
    -----
    By simulation the power is right to .03 (``benchmarks/times_power.py``). An analysis that
    adjusts for prognostic covariates has more.

    References
    ----------
    Irwin (1949), Journal of Hygiene 47:188-189, for the variance; Royston and Parmar (2013), BMC
    Medical Research Methodology 13:152; Donner and Klar (2000), Design and Analysis of Cluster
    Randomization Trials, for the design effect.

    Examples
    --------
    >>> given = dict(horizon=24, survival_control=0.4, survival_treated=0.55)
    >>> round(power_rmst(n_persons=400, **given).difference_power, 2)
    0.81
    >>> power_rmst(None, 25, frailty_sd=0.3, power=0.8, **given).n_clusters
    32
    >>> plan = power_rmst(n_persons=800, horizon=24, survival_control=(0.4, 0.4),
    ...                   survival_treated=(0.45, 0.65), prevalence=0.5, accrual=12, follow_up=18)
    >>> round(plan.interaction, 2), round(plan.interaction_power, 2)
    (2.97, 0.72)
    """
    check_numbers(or_none=True, cluster_size=cluster_size, follow_up=follow_up, power=power)
    clustered = cluster_size is not None
    _check(horizon, prevalence, shape, accrual, frailty_sd, size_cv, share_treated,
           significance_level)  # fmt: skip
    if clustered and cluster_size is not None and not 1 <= cluster_size < math.inf:
        raise TrialError(f"cluster_size must be at least 1, got {cluster_size:g}")
    if not clustered and (frailty_sd or size_cv or n_clusters is not None):
        name = "frailty_sd" if frailty_sd else "size_cv" if size_cv else "n_clusters"
        raise TrialError(f"{name} needs cluster_size: without it persons are randomized")
    number, unit = (n_clusters, "n_clusters") if clustered else (n_persons, "n_persons")
    if (number is None) == (power is None):
        raise TrialError(f"give one of {unit} and power: the other is solved for")
    end = horizon if follow_up is None else follow_up
    followed = _followed(np.array([horizon]), accrual, end)[0]
    if followed < _LEAST_FOLLOWED:
        raise TrialError(
            f"follow_up must reach the horizon: at {horizon:g} a share of {followed:.2f} is still "
            f"followed with an accrual of {accrual:g} and a follow_up of {end:g}"
        )
    kinds = {
        "survival_control": survival_control,
        "survival_treated": survival_treated,
    }
    grid = np.linspace(0, horizon, _STEPS + 1)
    follow = _followed(grid, accrual, end)
    cells = {
        name: [
            _curves(value, grid, shape, frailty_sd) for value in _values(name, given, prevalence)
        ]
        for name, given in kinds.items()
    }
    shares = [1.0] if prevalence is None else [1 - prevalence, prevalence]
    whole = [_cell(np.tensordot(shares, np.array(arm), 1), grid, follow) for arm in cells.values()]
    difference = _contrast(whole)
    interaction = None
    if prevalence is not None:
        parts = [[_cell(curve, grid, follow) for curve in arm] for arm in cells.values()]
        interaction = _contrast(
            [
                _Cell(
                    without.mean * -1 + among.mean,
                    without.variance / shares[0] + among.variance / shares[1],
                    among.by_frailty - without.by_frailty,
                )
                for without, among in parts
            ]
        )
    size = float(cluster_size) if cluster_size is not None else 1.0

    def power_of(contrast: _Contrast, units: int) -> float:
        treated, control = arm_sizes(units, share_treated)
        error = contrast.error((control, treated), size, size_cv)
        df = units - 2
        critical = float(stats.t.isf(significance_level / 2, df))
        shift = max((contrast.size / error) ** 2, 1e-12)
        return float(stats.ncf.sf(critical**2, 1, df, shift))

    wanted = difference if interaction is None else interaction
    units = (
        _checked_number(number, unit, share_treated)
        if power is None
        else _smallest(lambda k: power_of(wanted, k), power, unit, share_treated)
    )
    treated, control = arm_sizes(units, share_treated)
    icc = [b / v for b, v in zip(difference.between, difference.variance, strict=True)]
    return RmstPower(
        horizon=float(horizon),
        n_clusters=units if clustered else None,
        cluster_size=size if clustered else None,
        n_persons=round(units * size),
        treated=treated,
        control=control,
        difference=difference.size,
        difference_se=difference.error((control, treated), size, size_cv),
        difference_power=power_of(difference, units),
        interaction=None if interaction is None else interaction.size,
        interaction_se=(
            None if interaction is None else interaction.error((control, treated), size, size_cv)
        ),
        interaction_power=None if interaction is None else power_of(interaction, units),
        icc=float(np.mean(icc)) if clustered else None,
        followed=float(followed),
        degrees_of_freedom=float(units - 2),
        significance_level=significance_level,
    )


def weibull_rate(survival: float, horizon: float, shape: float, frailty_sd: float) -> float:
    """Rate of a Weibull time that leaves so many without an event at the horizon.

    The hazard is that of a cluster with a frailty of one; the probability is that of a new cluster.

    Examples
    --------
    >>> round(weibull_rate(0.5, 24.0, 1.0, 0.0) * 24, 3)
    0.693
    """
    nodes, shares = _nodes(frailty_sd)

    def excess(log_rate: float) -> float:
        alive = np.exp(-np.exp(log_rate + frailty_sd * nodes))
        return float(shares @ alive) - survival

    return float(math.exp(float(brentq(excess, -40.0, 40.0))) / horizon**shape)


def _nodes(frailty_sd: float) -> tuple[FloatArray, FloatArray]:
    return hermite_nodes(_FRAILTY_NODES) if frailty_sd else (np.zeros(1), np.ones(1))


def _curves(survival: float, grid: FloatArray, shape: float, frailty_sd: float) -> FloatArray:
    """Survival in clusters of each frailty, shape (nodes, times)."""
    rate = weibull_rate(survival, float(grid[-1]), shape, frailty_sd)
    nodes, _ = _nodes(frailty_sd)
    curves: FloatArray = np.exp(-rate * np.exp(frailty_sd * nodes)[:, None] * grid**shape)
    return curves


def _cell(curves: FloatArray, grid: FloatArray, follow: FloatArray) -> _Cell:
    """Restricted mean and variance of persons whose curves hang on the frailty."""
    shares = hermite_nodes(len(curves))[1] if len(curves) > 1 else np.ones(1)
    alive = shares @ curves
    step = grid[1] - grid[0]
    pieces = (alive[1:] + alive[:-1]) / 2 * step
    left = np.cumsum(pieces[::-1])[::-1] - pieces / 2
    middle, followed = (alive[1:] + alive[:-1]) / 2, (follow[1:] + follow[:-1]) / 2
    variance = float((left**2 / (middle**2 * followed)) @ -np.diff(alive))
    by_frailty = ((curves[:, 1:] + curves[:, :-1]) / 2).sum(axis=1) * step
    return _Cell(float(pieces.sum()), variance, by_frailty)


def _contrast(arms: Sequence[_Cell]) -> _Contrast:
    control, treated = arms
    shares = hermite_nodes(len(control.by_frailty))[1] if len(control.by_frailty) > 1 else [1.0]
    between = [
        float(np.average((one.by_frailty - np.average(one.by_frailty, weights=shares)) ** 2,
                         weights=shares))
        for one in arms
    ]  # fmt: skip
    return _Contrast(
        treated.mean - control.mean,
        (control.variance, treated.variance),
        (between[0], between[1]),
    )


def _followed(time: FloatArray, accrual: float, follow_up: float) -> FloatArray:
    """Probability not to be censored by the end of the trial before a time."""
    if accrual == 0:
        return (time <= follow_up).astype(np.float64)
    share: FloatArray = np.clip((accrual + follow_up - time) / accrual, 0.0, 1.0)
    return share


def _values(name: str, given: float | Sequence[float], prevalence: float | None) -> list[float]:
    several = isinstance(given, Iterable) and not isinstance(given, str)
    values: list[Any] = list(given) if several else [given]  # type: ignore[arg-type]
    if len(values) != (1 if prevalence is None else 2):
        wanted = (
            "one probability; two need the prevalence of the modifier"
            if prevalence is None
            else "two probabilities, of persons without the modifier and with it"
        )
        raise TrialError(f"{name} must be {wanted}, got {len(values)}")
    for value in values:
        check_numbers(**{name: value})
        if not 0 < value < 1:
            raise TrialError(f"{name} must be in (0, 1), got {value:g}")
    return [float(value) for value in values]


def _check(
    horizon: float,
    prevalence: float | None,
    shape: float,
    accrual: float,
    frailty_sd: float,
    size_cv: float,
    share_treated: float,
    significance_level: float,
) -> None:
    check_numbers(
        horizon=horizon,
        shape=shape,
        accrual=accrual,
        frailty_sd=frailty_sd,
        size_cv=size_cv,
        share_treated=share_treated,
        significance_level=significance_level,
    )
    check_numbers(or_none=True, prevalence=prevalence)
    for name, value in (("horizon", horizon), ("shape", shape)):
        if not 0 < value < math.inf:
            raise TrialError(f"{name} must be above 0, got {value:g}")
    for name, value in (("accrual", accrual), ("frailty_sd", frailty_sd), ("size_cv", size_cv)):
        if not 0 <= value < math.inf:
            raise TrialError(f"{name} must be at least 0, got {value:g}")
    for name, share in (
        ("prevalence", prevalence),
        ("share_treated", share_treated),
        ("significance_level", significance_level),
    ):
        if share is not None and not 0 < share < 1:
            raise TrialError(f"{name} must be in (0, 1), got {share:g}")


def _checked_number(number: int | None, unit: str, share_treated: float) -> int:
    if number is None or not is_whole(number):
        raise TrialError(f"{unit} must be a whole number, got {number!r}")
    if min(arm_sizes(int(number), share_treated)) < LEAST_IN_ARM:
        raise TrialError(f"{unit} must give at least {LEAST_IN_ARM} to each arm, got {number}")
    return int(number)


def _smallest(
    power_of: Callable[[int], float], power: float, unit: str, share_treated: float
) -> int:
    """Smallest number of units with the power wanted; even when the arms are equal."""
    if not 0 < power < 1:
        raise TrialError(f"power must be in (0, 1), got {power:g}")
    step = 2 if share_treated == 0.5 else 1
    least = math.ceil(LEAST_IN_ARM / min(share_treated, 1 - share_treated)) + 1
    least += least % step
    while min(arm_sizes(least - step, share_treated)) >= LEAST_IN_ARM:
        least -= step
    low, high = 0, 1
    if power_of(least) >= power:
        return least
    while power_of(least + high * step) < power:
        low, high = high, 2 * high
        if high * step > MOST_UNITS:
            raise TrialError(
                f"power = {power:g} would need more than {MOST_UNITS:,} "
                f"{unit.removeprefix('n_')}; plan for a larger difference"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(least + middle * step) >= power else (middle, high)
    return least + high * step
