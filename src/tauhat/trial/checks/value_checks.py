"""Values a column cannot have by its name, values in heaps, and outcomes at a limit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tauhat._typing import BoolArray, FloatArray
from tauhat.numerics.codes import robust_scale
from tauhat.numerics.heaps import Heap, heaps
from tauhat.tables.extremes import number, shown
from tauhat.trial.checks.finding import Finding
from tauhat.trial.later_names import names_duration, spaced
from tauhat.wording import counted


@dataclass(frozen=True)
class _Rule:
    """What columns of certain names cannot hold."""

    names: re.Pattern[str]
    low: float
    high: float
    what: str
    # Whether the low end itself is impossible.
    open: bool = False


_RULES = (
    _Rule(re.compile(r"\bage\b"), 0, np.inf, "ages are not negative"),
    _Rule(
        re.compile(r"\b(?:percent|percentage|pct|perc)\b|%"),
        0, 100, "percentages lie between 0 and 100",
    ),
    _Rule(
        re.compile(
            r"\b(?:sbp|dbp|systolic|diastolic|blood pressure|heart rate|pulse|bmi|wt|wtkg|weight"
            r"|height|body mass index)\b"
        ),
        0, np.inf, "blood pressures, heart rates, weights, heights and the like are above 0",
        open=True,
    ),
)  # fmt: skip
# Differences, scores and shares of something else may have any sign and go beyond 100.
_OTHER_SCALE = re.compile(
    r"\b(?:change|chg|delta|diff|difference|loss|gain|z|zscore|score|sds|std|standardi[sz]ed"
    r"|cent(?:red|ered)|log|ln|resid\w*|pred|predicted|ideal|expected|normal|target|growth"
    r"|increase|decrease|reduction|improvement|of|for|gap|stage|index)\b(?! mass)"
)
# More than this share of values beyond a rule are on another scale.
_MOST = 0.05
# Amounts lie so many standard deviations above 0.
_ABOVE_ZERO = 2.0
_FEWEST = 20
# Where scales end, and amounts begin.
_ENDS = (0.0, 1.0, 10.0, 100.0)


def impossible_values(column: FloatArray, name: str, label: str = "") -> tuple[BoolArray, str]:
    """Which values a column of this name cannot have, and why.

    Parameters
    ----------
    column
        Values, shape (n,).
    name, label
        Of the column, and what it holds in words.

    Examples
    --------
    >>> age = np.r_[np.linspace(20, 80, 50), -4.0]
    >>> [int(impossible_values(age, name)[0].sum()) for name in ("age", "wage")]
    [1, 0]
    """
    none = np.zeros(len(column), dtype=bool)
    words = " ".join([_words(name), _words(label)])
    if len(column) < _FEWEST or (_OTHER_SCALE.search(words.replace("body mass index", ""))):
        return none, ""
    for rule in _RULES:
        if not rule.names.search(words):
            continue
        beyond = (column <= rule.low if rule.open else column < rule.low) | (column > rule.high)
        if not 0 < beyond.sum() <= _MOST * len(column):
            continue
        others = column[~beyond]
        middle = float(np.median(others))
        spread = robust_scale(np.abs(others - middle))
        if middle > (_ABOVE_ZERO * spread if rule.open else 0):
            return beyond, rule.what
    return none, ""


def _words(text: str) -> str:
    return spaced(text) + (" %" if "%" in text else "")


def impossible_finding(values: FloatArray, name: str, what: str) -> Finding:
    """Say which values a column cannot have."""
    return Finding(
        "impossible values",
        f"{name} ({len(values)}: {shown(values)})",
        "warning",
        f"{name!r} has {counted(len(values), 'value')} that cannot be ({shown(values)}): {what}. "
        "Put slips right, and leave the cells of missing values empty. The analysis takes them as "
        "they are.",
        "impossible-value",
    )


def heap_findings(
    column: FloatArray, name: str, *, of_outcome: bool, censored: BoolArray | None = None
) -> Iterator[Finding]:
    """Give codes among the other values, values that were filled in, and limits of outcomes.

    Parameters
    ----------
    column
        Values, shape (n,).
    name
        Of the column.
    of_outcome
        Whether it is the outcome.
    censored
        Whether each value is a time at which somebody was censored, shape (n,); None where the
        outcome is no time to an event.
    """
    for heap in heaps(column):
        share = f"{heap.count} of {len(column)} values of {name!r} ({heap.count / len(column):.0%})"
        what = number(heap.value)
        if heap.kind == "code":
            yield Finding(
                "codes among the values",
                f"{name} ({heap.count}: {what})",
                "warning",
                f"{share} are {what}, far more than of any value near it, and {what} is a usual "
                "code for a missing value: if it stands for one, leave these cells empty. The "
                "analysis takes it as measured.",
                "missing-code",
            )
        elif heap.kind == "inside":
            yield Finding(
                "one value very often",
                f"{name} ({heap.count}: {what})",
                "warning" if of_outcome and heap.varied else "note",
                f"{share} are {what}, far more than of any value near it: if missing values were "
                "filled in with it, leave these cells empty.",
                "heap",
            )
        elif of_outcome and not _ends_follow_up(column, heap, censored):
            yield _limit_finding(heap, name, share, what)


def _ends_follow_up(column: FloatArray, heap: Heap, censored: BoolArray | None) -> bool:
    """Whether most of the longest times are censored: those of whom the trial ended first."""
    if censored is None or heap.kind != "high":
        return False
    return bool(censored[column == heap.value].mean() > 0.5)


def _limit_finding(heap: Heap, name: str, share: str, what: str) -> Finding:
    end = "smallest" if heap.kind == "low" else "largest"
    # Times end when a trial does, of which the check of times speaks.
    lasting = heap.kind == "high" and names_duration(name)
    censored = heap.varied and not (lasting or heap.value in _ENDS)
    what_it_is = "the end of follow-up" if lasting else "a scale's end, or no amount at all"
    return Finding(
        "outcomes at a limit",
        f"{name} ({heap.count}: {what})",
        "warning" if censored else "note",
        f"{share} are the {end}, {what}"
        + (
            ", far more than of any value near it: this looks like a limit of detection. "
            "Average effects are those on the values as they are cut off there."
            if censored
            else f": {what_it_is}. Average effects are those on the mean, these values among the "
            "others."
        ),
        "detection-limit",
    )
