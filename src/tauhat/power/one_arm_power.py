"""Power where persons are randomized and those of one arm treated in groups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tauhat._typing import FloatArray
from tauhat.arguments import check_numbers, is_whole
from tauhat.errors import TrialError
from tauhat.numerics.arm_variances import (
    EXPECTED_CORRELATION,
    degrees_of_freedom,
    moderated_variance,
)
from tauhat.power.interaction_power import (
    PROBABILITIES,
    SHARES,
    cluster_information,
    cluster_sizes,
)
from tauhat.power.planned_design import MOST_UNITS
from tauhat.runtime.display import Shown

_LEAST_CLUSTERS = 3
_LEAST_ALONE = 3


@dataclass(frozen=True)
class OneArmPower(Shown):
    """A planned trial with clusters in one arm only; the result of `power_one_arm`.

    Attributes
    ----------
    n_clusters, cluster_size, size_cv
        Clusters, all in one arm, the persons of one on average, and the CV of their sizes.
    n_alone
        Persons of the other arm.
    share_clustered
        Share of persons in the clustered arm.
    best_share
        Share that gives the smallest standard error for the same number of persons.
    effect
        Average effect, or None where it is an interaction that is to be shown.
    delta
        Change of the effect with one unit of the modifier, or None.
    sd_y, sd_alone
        SD of the outcome in the clustered arm, and in the other.
    icc
        Correlation of the outcomes of two persons of a cluster.
    se, degrees_of_freedom
        Standard error of the effect, or of the interaction, and those of its t test.
    power
        Of the two-sided test of `tauhat.average_effects`, or `tauhat.interaction_effects`.
    published_power
        By the t distribution with these degrees of freedom; None of an interaction, whose power
        is that.
    significance_level
        Its level.
    """

    n_clusters: int
    cluster_size: float
    size_cv: float
    n_alone: int
    share_clustered: float
    best_share: float
    effect: float | None
    delta: float | None
    sd_y: float
    sd_alone: float
    icc: float
    se: float
    degrees_of_freedom: float
    power: float
    published_power: float | None
    significance_level: float

    @property
    def n_persons(self) -> int:
        """Persons of both arms."""
        return round(self.n_clusters * self.cluster_size) + self.n_alone

    @property
    def table(self) -> pd.DataFrame:
        """One row per quantity: ``quantity`` and ``value``."""
        rows = [
            ("clusters, in one arm only", self.n_clusters),
            ("persons of a cluster", self.cluster_size),
            ("CV of the cluster sizes", self.size_cv),
            ("persons of the other arm", self.n_alone),
            ("persons", self.n_persons),
            ("share of persons in clusters", self.share_clustered),
            ("share with the smallest error", self.best_share),
            ("outcome ICC", self.icc),
            ("SD of the outcome in clusters", self.sd_y),
            ("SD of the outcome in the other arm", self.sd_alone),
            ("average effect", self.effect),
            ("interaction", self.delta),
            ("standard error", self.se),
            ("degrees of freedom", self.degrees_of_freedom),
            ("significance level, two-sided", self.significance_level),
            ("power", self.power),
            ("power by the published formula", self.published_power),
        ]
        known = [row for row in rows if row[1] is not None]
        return pd.DataFrame(known, columns=["quantity", "value"]).astype({"value": "float64"})

    @property
    def text(self) -> str:
        """The plan in sentences, for a protocol or a grant."""
        shown = (
            f"an average effect of {self.effect:.3g}"
            if self.delta is None
            else f"a change of {self.delta:.3g} in the effect with one unit of a modifier"
        )
        source = "Roberts and Roberts (2005)" if self.delta is None else "Yang et al. (2020)"
        other = (
            "" if self.sd_alone == self.sd_y else f" in clusters and {self.sd_alone:.3g} outside"
        )
        return (
            f"With persons randomized to an arm that is treated in {self.n_clusters} clusters of "
            f"{self.cluster_size:g} on average, or to one of {self.n_alone} single persons, a "
            f"two-sided t test at the {100 * self.significance_level:.3g}% level "
            f"({self.degrees_of_freedom:.1f} degrees of freedom by Satterthwaite) has "
            f"{100 * self.power:.1f}% power to detect {shown}, assuming an outcome standard "
            f"deviation of {self.sd_y:.3g}{other} and an ICC of {self.icc:.3g} within clusters. "
            f"Variance of {source}, each arm with its own. With "
            f"{100 * self.best_share:.0f}% of the persons in clusters of this size the error would "
            "be smallest."
        )


def power_one_arm(
    n_clusters: int | None = None,
    *,
    cluster_size: float,
    icc: float,
    effect: float | None = None,
    delta: float | None = None,
    n_alone: int | None = None,
    share_clustered: float | None = None,
    size_cv: float = 0.0,
    sd_y: float = 1.0,
    sd_alone: float | None = None,
    sd_x: float = 1.0,
    power: float | None = None,
    significance_level: float = 0.05,
) -> OneArmPower:
    r"""Power with clusters in one arm only, or the clusters that it takes.

    Persons are randomized; those of one arm are treated in k groups, or by k therapists, and are
    alike within them, those of the other stay alone. With n persons alone the variance of the
    average effect is

    .. math::
        v_1 + v_0 = \frac{\sigma_1^2 \{1 + ((1 + c^2)\bar m - 1)\rho\}}{k \bar m}
        + \frac{\sigma_0^2}{n}

    for groups of :math:`\bar m` persons with coefficient of variation c, and the test is that of
    `tauhat.average_effects`: t with Satterthwaite's degrees of freedom,

    .. math:: \nu = \frac{(v_1 + v_0)^2}{v_1^2/f_1 + v_0^2/f_0}, \qquad
        f_a = \frac{(\sum_j q_j)^2}{\sum_j q_j^2} - 1,

    where a unit j of the arm adds :math:`q_j` to its variance: about k - 1 and n - 1. The published
    formula takes t with so many; here the power is averaged over the estimates :math:`\hat v_a \sim
    v_a \chi^2_{f_a} / f_a`, moderated as in the test, with the degrees of freedom that each
    pair of them gives. Of a total of
    persons the variance is smallest where the share in groups is
    :math:`\{1 + \sqrt{v_0 n / (v_1 k \bar m)}\}^{-1}`.

    Of an interaction with a modifier of persons that does not differ between groups, :math:`k v_1`
    is the inverse of the information :math:`I_w + I_b` of a group
    (`tauhat.power.interaction_power.ClusterInformation`) and :math:`v_0 = \sigma_0^2 / (n
    \sigma_x^2)`; the test is that of `tauhat.interaction_effects`.

    Parameters
    ----------
    n_clusters
        Number of clusters, at least 3; None to solve for it.
    cluster_size
        Persons in a cluster, on average.
    icc
        Correlation of the outcomes of two persons of a cluster, in [0, 1).
    effect, delta
        Average effect in units of the outcome, or change of the effect with one unit of the
        modifier: one of them.
    n_alone
        Persons of the other arm; None for ``share_clustered``.
    share_clustered
        Share of persons in the clustered arm, .5 if neither is given.
    size_cv
        Coefficient of variation of the cluster sizes.
    sd_y, sd_alone
        SD of the outcome in the clustered arm, and in the other (None: the same).
    sd_x
        SD of the modifier.
    power
        Wanted power, to solve for the number of clusters.
    significance_level
        Two-sided level of the test.

    Returns
    -------
    OneArmPower

    Raises
    ------
    TrialError
        If an argument is missing or out of range.

    References
    ----------
    Roberts and Roberts (2005), Clinical Trials 2:152-162. Moerbeek and Wong (2008), Statistics in
    Medicine 27:2850-2864, for the allocation. Candlish and others (2018), BMC Medical Research
    Methodology 18:105, for the analysis.

    Examples
    --------
    >>> from tauhat.power import power_one_arm
    >>> given = {"cluster_size": 10, "icc": 0.1, "effect": 0.5}
    >>> plan = power_one_arm(12, **given)
    >>> round(plan.power, 2), round(plan.degrees_of_freedom, 1), round(plan.best_share, 2)
    (0.87, 25.0, 0.58)
    >>> power_one_arm(power=0.9, **given).n_clusters
    14
    """
    check_numbers(
        cluster_size=cluster_size,
        icc=icc,
        size_cv=size_cv,
        sd_y=sd_y,
        sd_x=sd_x,
        significance_level=significance_level,
    )
    check_numbers(
        or_none=True,
        effect=effect,
        delta=delta,
        share_clustered=share_clustered,
        sd_alone=sd_alone,
        power=power,
    )
    alone = sd_y if sd_alone is None else sd_alone
    _check(
        cluster_size=(cluster_size, 2 <= cluster_size < math.inf, "at least 2"),
        icc=(icc, 0 <= icc < 1, "in [0, 1)"),
        size_cv=(size_cv, 0 <= size_cv <= 2, "in [0, 2]"),
        sd_y=(sd_y, 0 < sd_y < math.inf, "above 0"),
        sd_alone=(alone, 0 < alone < math.inf, "above 0"),
        sd_x=(sd_x, 0 < sd_x < math.inf, "above 0"),
        significance_level=(significance_level, 0 < significance_level < 1, "in (0, 1)"),
    )
    if (effect is None) == (delta is None):
        raise TrialError("give one of effect and delta, on average or with a modifier")
    sought = effect if delta is None else delta
    if sought is None or not math.isfinite(sought) or sought == 0:
        name = "effect" if delta is None else "delta"
        raise TrialError(f"{name} must be a number other than 0, got {sought}")
    if n_alone is not None and share_clustered is not None:
        raise TrialError("give one of n_alone and share_clustered, which tell each other")
    share = 0.5 if share_clustered is None else share_clustered
    if not 0 < share < 1:
        raise TrialError(f"share_clustered must be in (0, 1), got {share:g}")
    if n_alone is not None and (not is_whole(n_alone) or n_alone < _LEAST_ALONE):
        raise TrialError(
            f"n_alone must be a whole number of at least {_LEAST_ALONE}, got {n_alone!r}"
        )
    if (n_clusters is None) == (power is None):
        raise TrialError("give one of n_clusters and power: the other is solved for")
    parts = _Parts.of(cluster_size, size_cv, icc, sd_y, alone, None if delta is None else sd_x)

    def plan(clusters: int) -> OneArmPower:
        persons = clusters * cluster_size
        others = max(round(persons * (1 - share) / share), _LEAST_ALONE)
        others = others if n_alone is None else n_alone
        variances = parts.clustered / clusters, parts.alone / others
        se = math.sqrt(sum(variances))
        df = parts.degrees_of_freedom(clusters, others)
        best = math.sqrt(parts.clustered * cluster_size)
        return OneArmPower(
            n_clusters=clusters,
            cluster_size=float(cluster_size),
            size_cv=float(size_cv),
            n_alone=others,
            share_clustered=persons / (persons + others),
            best_share=best / (best + math.sqrt(parts.alone)),
            effect=effect,
            delta=delta,
            sd_y=float(sd_y),
            sd_alone=float(alone),
            icc=float(icc),
            se=se,
            degrees_of_freedom=df,
            power=parts.power(sought, clusters, others, significance_level),
            published_power=None if effect is None else _power(effect / se, df, significance_level),
            significance_level=float(significance_level),
        )

    if n_clusters is not None:
        if not is_whole(n_clusters) or n_clusters < _LEAST_CLUSTERS:
            raise TrialError(
                f"n_clusters must be a whole number of at least {_LEAST_CLUSTERS}, "
                f"got {n_clusters!r}"
            )
        return plan(int(n_clusters))
    if power is None or not significance_level < power < 1:
        raise TrialError(f"power must be in ({significance_level:g}, 1), got {power!r}")
    return _fewest(plan, power, f"{'effect' if delta is None else 'delta'} = {sought:g}")


@dataclass(frozen=True)
class _Parts:
    """What one unit of each arm tells.

    Attributes
    ----------
    clustered, alone
        Variance of an arm's part of the estimate, times its number of units.
    spread_clustered, spread_alone
        Squared coefficient of variation of what units add to it.
    expected
        What the averages expect a cluster to add for each that a person alone adds; None of an
        interaction, whose test knows of no such thing.
    """

    clustered: float
    alone: float
    spread_clustered: float
    spread_alone: float
    expected: float | None = None

    @classmethod
    def of(
        cls, size: float, cv: float, icc: float, sd_y: float, sd_alone: float, sd_x: float | None
    ) -> _Parts:
        """Those of the average effect, or of an interaction with a modifier of this SD."""
        sizes, probabilities = cluster_sizes(size, cv)
        mean = float(probabilities @ sizes)
        if sd_x is None:
            added = sizes**2 * icc + sizes * (1 - icc)
            first, second = float(probabilities @ added), float(probabilities @ added**2)
            of_clusters = sd_y**2 * first / mean**2
            rho = EXPECTED_CORRELATION
            expected = float(probabilities @ (sizes**2 * rho + sizes * (1 - rho))) / mean**2
            return cls(of_clusters, sd_alone**2, second / first**2 - 1, 0.0, expected)
        one = cluster_information(sizes, probabilities, icc=icc, icc_x=0.0, sd_y=sd_y, sd_x=sd_x)
        information = one.within + one.between
        # A sum of squares of normal values varies, of one person by twice the square of its mean.
        return cls(1 / information, (sd_alone / sd_x) ** 2, one.variance / information**2, 2.0)

    def degrees_of_freedom(self, clusters: int, alone: int) -> float:
        """Satterthwaite's."""
        variances = np.array([[self.clustered / clusters], [self.alone / alone]])
        return float(_satterthwaite(variances, self._free(clusters, alone))[0])

    def _free(self, clusters: int, alone: int) -> FloatArray:
        """Degrees of freedom of each arm's variance, shape (2, 1)."""
        free = [clusters / (1 + self.spread_clustered) - 1, alone / (1 + self.spread_alone) - 1]
        found: FloatArray = np.maximum(np.array(free)[:, None], 1.0)
        return found

    def power(self, sought: float, clusters: int, alone: int, significance_level: float) -> float:
        """Power of the two-sided test that the analysis makes."""
        units = np.array([[clusters], [alone]], dtype=np.float64)
        variances = np.array([[self.clustered], [self.alone]]) / units
        se = math.sqrt(float(variances.sum()))
        free = self._free(clusters, alone)
        if self.expected is None:
            df = float(_satterthwaite(variances, free)[0])
            return _power(sought / se, df, significance_level)
        drawn = [stats.chi2.ppf(PROBABILITIES, f) / f for f in free[:, 0]]
        found = variances * np.array(np.meshgrid(*drawn, indexing="ij")).reshape(2, -1)
        expected = np.broadcast_to(np.array([[self.expected], [1.0]]) / units, found.shape)
        moderated = moderated_variance(found, expected, units - 1)
        by_design = degrees_of_freedom(expected, units - 1, units.sum(axis=0) - 2)
        df_found = np.minimum(_satterthwaite(found, free), by_design)
        critical = stats.t.isf(significance_level / 2, df_found) * np.sqrt(moderated) / se
        shift = abs(sought) / se
        reached = stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift)
        return float(np.outer(SHARES, SHARES).ravel() @ reached)


def _satterthwaite(variances: FloatArray, free: FloatArray) -> FloatArray:
    """Degrees of freedom of the sum of both arms' variances, shape (q,)."""
    df: FloatArray = variances.sum(axis=0) ** 2 / (variances**2 / free).sum(axis=0)
    return df


def _check(**values: tuple[float, bool, str]) -> None:
    for name, (value, within, wanted) in values.items():
        if not within:
            raise TrialError(f"{name} must be {wanted}, got {value:g}")


def _power(shift: float, df: float, significance_level: float) -> float:
    critical = float(stats.t.isf(significance_level / 2, df))
    # The square's distribution is accurate in both tails.
    return float(stats.ncf.sf(critical**2, 1, df, shift**2))


def _fewest(plan: Any, power: float, what: str) -> OneArmPower:
    """The plan with the fewest clusters that has the power."""
    low, high = _LEAST_CLUSTERS - 1, _LEAST_CLUSTERS
    while plan(high).power < power:
        low, high = high, 2 * high
        if high > MOST_UNITS:
            raise TrialError(
                f"{what} would need more than {MOST_UNITS:,} clusters, or persons alone that no "
                "number of clusters makes up for; plan for a larger one"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if plan(middle).power >= power else (middle, high)
    found: OneArmPower = plan(high)
    return found
