"""A design without its size: what power, sample size and detectable interaction follow from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scipy.optimize import brentq
from scipy.stats import norm

from tauhat._typing import FloatArray
from tauhat.arguments import check_numbers, is_whole
from tauhat.errors import TrialError
from tauhat.power.interaction_power import (
    ClusterInformation,
    arm_sizes,
    cluster_information,
    cluster_sizes,
    degrees_of_freedom,
    interaction_power,
    large_sample_variance,
    persons_left,
    sizes_left,
)
from tauhat.power.planned_trial import HtePower, Unknown
from tauhat.power.primary_power import power_between, power_within, sums_within

LEAST_IN_ARM = 3
MOST_UNITS = 10_000_000


@dataclass(frozen=True)
class PlannedDesign:
    """Everything but the number of units, the interaction and the power.

    Attributes are the arguments of `tauhat.power_hte`.
    """

    cluster_size: float | None
    icc: float | None
    icc_x: float | None
    sd_y: float
    sd_x: float | None
    prevalence: float | None
    size_cv: float
    share_treated: float
    significance_level: float
    drop_out: float = 0.0
    n_others: int = 0

    @property
    def unit(self) -> Unknown:
        """What is randomized."""
        return "n_persons" if self.cluster_size is None else "n_clusters"

    @property
    def spread_of_modifier(self) -> float:
        """Standard deviation of the modifier."""
        if self.prevalence is not None:
            return math.sqrt(self.prevalence * (1 - self.prevalence))
        return 1.0 if self.sd_x is None else float(self.sd_x)

    @cached_property
    def information(self) -> ClusterInformation:
        """Information of one cluster; a person alone is one of size 1."""
        return cluster_information(
            *self.sizes,
            icc=self.icc or 0.0,
            icc_x=1.0 if self.icc_x is None else self.icc_x,
            sd_y=self.sd_y,
            sd_x=self.spread_of_modifier,
            prevalence=self.prevalence,
        )

    @cached_property
    def sizes(self) -> tuple[FloatArray, FloatArray]:
        """Persons of a cluster who have an outcome, and how probable each number is."""
        if self.cluster_size is None:
            return cluster_sizes(1.0, 0.0)
        return cluster_sizes(*sizes_left(self.cluster_size, self.size_cv, self.drop_out))

    def analysed(self, number: int) -> int:
        """Units that an analysis has of so many that were randomized."""
        return number if self.cluster_size is not None else persons_left(number, self.drop_out)

    @property
    def mean_size(self) -> float:
        """Persons that are randomized with a cluster, on average."""
        sizes, probabilities = cluster_sizes(self.cluster_size or 1.0, self.size_cv)
        return float(probabilities @ sizes)

    def check(self) -> None:
        """Refuse what makes no design."""
        check_numbers(
            sd_y=self.sd_y,
            size_cv=self.size_cv,
            share_treated=self.share_treated,
            significance_level=self.significance_level,
            drop_out=self.drop_out,
        )
        check_numbers(
            or_none=True,
            cluster_size=self.cluster_size,
            icc=self.icc,
            icc_x=self.icc_x,
            sd_x=self.sd_x,
            prevalence=self.prevalence,
        )
        if self.cluster_size is None:
            for name in ("icc", "icc_x", "size_cv"):
                if getattr(self, name):
                    raise TrialError(
                        f"{name} needs cluster_size: without it persons are randomized"
                    )
        else:
            for name, what in (
                ("icc", "the outcome given the modifier"),
                ("icc_x", "the modifier"),
            ):
                if getattr(self, name) is None:
                    raise TrialError(f"{name}, the intracluster correlation of {what}, is missing")
        if self.sd_x is not None and self.prevalence is not None:
            raise TrialError(
                "sd_x and prevalence exclude each other: a binary modifier has the SD "
                "that its prevalence gives"
            )
        _within("cluster_size", self.cluster_size, 1, math.inf, "[)")
        _within("icc", self.icc, 0, 1, "[)")
        _within("icc_x", self.icc_x, 0, 1, "[]")
        _within("sd_y", self.sd_y, 0, math.inf, "()")
        _within("sd_x", self.sd_x, 0, math.inf, "()")
        _within("prevalence", self.prevalence, 0, 1, "()")
        _within("size_cv", self.size_cv, 0, 3, "[]")
        _within("share_treated", self.share_treated, 0, 1, "()")
        _within("drop_out", self.drop_out, 0, 1, "[)")
        if not is_whole(self.n_others):
            raise TrialError(f"n_others must be a whole number, got {self.n_others!r}")
        _within("n_others", self.n_others, 0, math.inf, "[)")
        _within("significance_level", self.significance_level, 0, 1, "()")

    def checked_number(self, number: Any) -> int:
        """A number of units that can be randomized."""
        if not is_whole(number):
            raise TrialError(f"{self.unit} must be a whole number, got {number!r}")
        arms = arm_sizes(self.analysed(int(number)), self.share_treated)
        if min(arms) < LEAST_IN_ARM:
            counted, model = "", "a random intercept model"
            if self.cluster_size is None:
                counted = " persons with an outcome" if self.drop_out else " persons"
                model = "a regression on the modifier in each arm"
            raise TrialError(
                f"{self.unit} must give at least {LEAST_IN_ARM}{counted} to each arm, got {number} "
                f"with {max(arms[0], 0)} treated; {model} needs them"
            )
        return int(number)

    def power(self, number: int, delta: float) -> float:
        """Power with so many units and this interaction."""
        return interaction_power(
            self.information,
            self.analysed(number),
            delta,
            share_treated=self.share_treated,
            significance_level=self.significance_level,
        )

    def primary_power(self, number: int, delta: float) -> float:
        """Power of the primary test, which looks through all covariates."""
        given: dict[str, Any] = {
            "n_others": int(self.n_others),
            "share_treated": self.share_treated,
            "significance_level": self.significance_level,
        }
        units = self.analysed(number)
        if self.cluster_size is not None and self.icc_x == 1:
            return power_between(self.information, units, delta, **given)
        sums = sums_within(
            *self.sizes,
            clustered=self.cluster_size is not None,
            icc=self.icc or 0.0,
            icc_x=self.icc_x or 0.0,
            sd_y=self.sd_y,
            sd_x=self.spread_of_modifier,
            prevalence=self.prevalence,
        )
        return power_within(sums, units, delta, binary=self.prevalence is not None, **given)

    def detectable(self, number: int, power: float) -> float:
        """Interaction found with the power wanted."""
        analysed = self.analysed(number)
        start = math.sqrt(large_sample_variance(self.information, analysed, self.share_treated))
        high = start
        while self.power(number, high) < power:
            high *= 2
            if high > 1e6 * start:
                raise TrialError(
                    f"{self.unit}: with {number} no interaction has a power of {power:g}, since an "
                    "arm may hold one kind of the binary modifier only; take more"
                )
        found: Any = brentq(lambda delta: self.power(number, delta) - power, 0.0, high, rtol=1e-10)
        return float(found)

    def smallest(self, delta: float, power: float) -> int:
        """Smallest number of units with the power wanted; even when the arms are equal."""
        step = 2 if self.share_treated == 0.5 else 1
        share = min(self.share_treated, 1 - self.share_treated)
        least = math.ceil(LEAST_IN_ARM / share)
        while min(arm_sizes(self.analysed(least), self.share_treated)) < LEAST_IN_ARM:
            least += 1

        def enough(steps: int) -> bool:
            return self.power(least + steps * step, delta) >= power

        if enough(0):
            return least
        high = 1
        while not enough(high):
            high *= 2
            if least + high * step > MOST_UNITS:
                raise TrialError(
                    f"delta = {delta:g} would need more than {MOST_UNITS:,} "
                    f"{self.unit.removeprefix('n_')}; plan for a larger one"
                )
        return least + step * _first_true(enough, high // 2, high)

    def plan(self, number: int, delta: float, solved: Unknown) -> HtePower:
        """Everything about the trial with so many units and this interaction."""
        one = self.information
        analysed = self.analysed(number)
        se = math.sqrt(large_sample_variance(one, analysed, self.share_treated))
        critical, shift = float(norm.isf(self.significance_level / 2)), abs(delta) / se
        treated, control = arm_sizes(number, self.share_treated)
        clustered = self.cluster_size is not None
        return HtePower(
            solved=solved,
            power=self.power(number, delta),
            delta=float(delta),
            n_clusters=number if clustered else None,
            cluster_size=self.cluster_size,
            n_persons=round(number * self.mean_size),
            treated=treated,
            control=control,
            icc=self.icc if clustered else None,
            icc_x=self.icc_x if clustered else None,
            sd_y=float(self.sd_y),
            sd_x=self.spread_of_modifier,
            prevalence=self.prevalence,
            size_cv=self.size_cv,
            significance_level=self.significance_level,
            se=se,
            degrees_of_freedom=degrees_of_freedom(one, analysed),
            large_sample_power=float(norm.sf(critical - shift) + norm.cdf(-critical - shift)),
            primary_power=self.primary_power(number, delta),
            n_others=int(self.n_others),
            drop_out=self.drop_out,
        )


def _first_true(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Smallest number above ``low``, where it is false, at which an increasing condition holds."""
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def _within(name: str, value: float | None, low: float, high: float, ends: str) -> None:
    """Refuse a value outside an interval with ends such as "[)"."""
    if value is None:
        return
    above = value >= low if ends[0] == "[" else value > low
    below = value <= high if ends[1] == "]" else value < high
    if not (math.isfinite(value) and above and below):
        if math.isinf(high):
            wanted = f"at least {low:g}" if ends[0] == "[" else f"above {low:g}"
        else:
            wanted = f"in {ends[0]}{low:g}, {high:g}{ends[1]}"
        raise TrialError(f"{name} must be {wanted}, got {value:g}")
