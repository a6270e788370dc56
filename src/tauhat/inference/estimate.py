"""A number with its uncertainty."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from tauhat.arguments import check_level
from tauhat.fitting.bootstrap import t_quantile
from tauhat.runtime.display import Shown
from tauhat.wording import p_words, with_digits_alike


@dataclass(frozen=True)
class Estimate(Shown):
    """A number with its uncertainty.

    Attributes
    ----------
    estimate
        The estimate, in units of the outcome (a risk difference for a 0/1 outcome), or a ratio.
    se
        Standard error, same units; of a ratio that of its logarithm.
    lower, upper
        Ends of the confidence interval.
    p_value
        Two-sided, against no effect: a difference of zero, a ratio of one.
    degrees_of_freedom
        Of the t distribution behind the interval and the p-value.
    level
        Coverage of the interval.

    Examples
    --------
    >>> round(Estimate.from_t(1.0, 0.5, degrees_of_freedom=14, level=0.95).p_value, 3)
    0.065
    """

    estimate: float
    se: float
    lower: float
    upper: float
    p_value: float
    degrees_of_freedom: float
    level: float

    @classmethod
    def from_t(
        cls, estimate: float, se: float, *, degrees_of_freedom: float, level: float
    ) -> Estimate:
        """Interval and p-value of an estimate whose ratio to its error follows t."""
        check_level(level)
        half = t_quantile(level, degrees_of_freedom) * se
        if se > 0:
            p_value = float(2 * stats.t.sf(abs(estimate) / se, max(degrees_of_freedom, 1.0)))
        else:
            p_value = 1.0 if estimate == 0 else 0.0
        return cls(
            float(estimate),
            float(se),
            float(estimate - half),
            float(estimate + half),
            p_value,
            float(degrees_of_freedom),
            level,
        )

    @classmethod
    def of_ratio(
        cls, log_ratio: float, se: float, *, degrees_of_freedom: float, level: float
    ) -> Estimate:
        """A ratio whose logarithm divided by its error follows t.

        Examples
        --------
        >>> found = Estimate.of_ratio(np.log(2), 0.2, degrees_of_freedom=18, level=0.95)
        >>> round(found.estimate, 2), round(found.lower, 2), round(found.upper, 2)
        (2.0, 1.31, 3.04)
        """
        found = cls.from_t(log_ratio, se, degrees_of_freedom=degrees_of_freedom, level=level)
        ends = np.exp([found.estimate, found.lower, found.upper]).tolist()
        return replace(found, estimate=ends[0], lower=ends[1], upper=ends[2])

    def within(self, largest: float) -> Estimate:
        """The estimate and its interval, cut to what is possible.

        Parameters
        ----------
        largest
            The largest size that it can have, such as 1 for a risk difference.

        Examples
        --------
        >>> wide = Estimate.from_t(0.5, 0.5, degrees_of_freedom=14, level=0.95)
        >>> wide.within(1.0).upper
        1.0
        """
        if not largest < np.inf:
            return self
        estimate, lower, upper = np.clip(
            [self.estimate, self.lower, self.upper], -largest, largest
        ).tolist()
        return replace(self, estimate=estimate, lower=lower, upper=upper)

    def over(self, unit: float) -> Estimate:
        """The same in another unit, given its size in units of the outcome."""
        changed = {
            name: getattr(self, name) / unit for name in ("estimate", "se", "lower", "upper")
        }
        return replace(self, **changed)

    @property
    def table(self) -> pd.DataFrame:
        """The numbers in one row."""
        return pd.DataFrame([asdict(self)])

    @property
    def text(self) -> str:
        """The estimate with its interval and p-value."""
        estimate, lower, upper = with_digits_alike(self.estimate, self.lower, self.upper)
        return (
            f"{estimate} ({100 * self.level:g}% confidence interval {lower} to {upper}; "
            f"{p_words(self.p_value)})"
        )
