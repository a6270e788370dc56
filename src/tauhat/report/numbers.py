"""Numbers as they are printed for readers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tauhat.disclosure import LESS_THAN_SMALLEST, is_small

MINUS = "−"
MOST_DECIMALS = 6
# From here on numbers are written in powers of ten.
_LONG = 1e7


def decimals_for(scale: float) -> int:
    """Decimals that show a number of this size to two significant digits.

    Examples
    --------
    >>> decimals_for(0.034), decimals_for(1.5), decimals_for(240.0)
    (3, 1, 0)
    """
    if not math.isfinite(scale) or scale <= 0:
        return 2
    return max(0, 1 - math.floor(math.log10(scale)))


def format_fixed(value: float | None, decimals: int) -> str:
    """A number with a true minus sign, or a dash when there is none.

    Examples
    --------
    >>> format_fixed(-3.14, 1), format_fixed(-0.001, 1), format_fixed(None, 1)
    ('−3.1', '0.0', '–')
    >>> format_fixed(0.00000000123, 11), format_fixed(2.5e9, 0)
    ('1.23e−09', '2.5e+09')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return f"{MINUS if value < 0 else ''}∞"
    if abs(value) >= _LONG or (decimals > MOST_DECIMALS and value != 0):
        return _in_powers(value)
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def _in_powers(value: float) -> str:
    """Three digits, and a power of ten where there are more."""
    return f"{value:.3g}".replace("-", MINUS)


def format_p(p_value: float | None) -> str:
    """A p-value as it stands in a sentence.

    Examples
    --------
    >>> format_p(0.0214), format_p(0.00004), format_p(0.8)
    ('p = 0.021', 'p < 0.001', 'p = 0.80')
    """
    if p_value is None or math.isnan(p_value):
        return "p not available"
    if p_value < 0.001:
        return "p < 0.001"
    return f"p = {p_value:.3f}" if p_value < 0.1 else f"p = {p_value:.2f}"


def format_test(p_value: float | None) -> str:
    """Result of the primary test, which a trial may leave no room for.

    Examples
    --------
    >>> format_test(0.8), format_test(None)
    ('p = 0.80', 'not tested')
    """
    return "not tested" if p_value is None else format_p(p_value)


def bare_p(p_value: float | None) -> str:
    """A p-value as it stands in a column of p-values.

    Examples
    --------
    >>> bare_p(0.0214), bare_p(0.00004), bare_p(None)
    ('0.021', '< 0.001', '–')
    """
    if p_value is None or math.isnan(p_value):
        return "–"
    return format_p(p_value).removeprefix("p ").removeprefix("= ")


def format_percent(share: float) -> str:
    """A share in percent; shares of a few percent keep one decimal.

    Examples
    --------
    >>> format_percent(0.4567), format_percent(0.012), format_percent(0.0), format_percent(0.0003)
    ('46%', '1.2%', '0%', '<0.1%')
    """
    percent = 100 * share
    if 0 < percent < 0.05:
        return "<0.1%"
    return f"{percent:.1f}%" if 0 < percent < 9.95 else f"{percent:.0f}%"


def format_count(count: int | None, *, of_persons: bool = True) -> str:
    """A number of persons or of clusters; few persons are not shown, nor what would tell them.

    Examples
    --------
    >>> format_count(3), format_count(1200), format_count(None)
    ('<5', '1,200', 'not shown')
    """
    if count is None:
        return "not shown"
    return LESS_THAN_SMALLEST if of_persons and is_small(count) else f"{count:,}"


def typeset(text: str) -> str:
    """A sentence made elsewhere with the minus and percent signs of the report.

    Examples
    --------
    >>> typeset("from -1.5 to 2 (95 % interval), X-RF and 2-3 alike")
    'from −1.5 to 2 (95% interval), X-RF and 2-3 alike'
    >>> typeset("(p = 3.6e-23)")
    '(p < 0.001)'
    """
    text = re.sub(r"\bp = \d(\.\d+)?e-\d+", "p < 0.001", text)
    return re.sub(r"(?<=\d) %", "%", re.sub(r"(?<![\w.])-(?=\d)", MINUS, text))


@dataclass(frozen=True)
class Scale:
    """How numbers in units of the outcome are printed in one report.

    Attributes
    ----------
    decimals
        Decimals of every such number.

    Examples
    --------
    >>> Scale(1).interval(-6.13, 0.5), Scale(0).interval(-9844525.0, 1.11e9)
    ('−6.1 to 0.5', '−9.84e+06 to 1.11e+09')
    """

    decimals: int

    def __call__(self, value: float | None) -> str:
        """Return the number as text."""
        return format_fixed(value, self.decimals)

    def interval(self, lower: float, upper: float) -> str:
        """Return the interval as text, both ends written alike."""
        if any(_LONG <= abs(end) < math.inf for end in (lower, upper)):
            return f"{_in_powers(lower)} to {_in_powers(upper)}"
        return f"{self(lower)} to {self(upper)}"

    def with_interval(self, found: Mapping[str, Any]) -> str:
        """Return an estimate with its interval behind it."""
        return f"{self(found['estimate'])} ({self.interval(found['lower'], found['upper'])})"

    def cells(self, found: Mapping[str, Any]) -> list[str]:
        """Return estimate, standard error, interval and p-value as they stand in a table."""
        interval = self.interval(found["lower"], found["upper"])
        return [self(found["estimate"]), self(found["se"]), interval, bare_p(found["p_value"])]
