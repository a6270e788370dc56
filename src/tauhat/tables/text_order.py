"""The order in time of periods that are text: what the text itself says, never the alphabet."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from tauhat.tables.labels import plain_text

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
#: Two periods in words, earlier and later; "intervention", "period" and the like may follow.
PAIRS = (
    ("pre", "post"),
    ("before", "after"),
    ("baseline", "follow-up"),
    ("baseline", "post"),
    ("baseline", "endline"),
)
#: A period in words that comes before numbered ones.
FIRST_OF_NUMBERED = ("baseline", "pre", "before")
_BESIDE = re.compile(r"[\s_-]+|intervention|treatment|implementation|period|phase|test")
_NUMBER = re.compile(r"(?:(?<=\s)|^)[-\u2212]?\d+(?:\.\d+)?|\d+(?:\.\d+)?")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
# "1 pre", "2. post": a number put in front to give the order.
_IN_FRONT = re.compile(r"(\d+)[\s._:)=-]+(?=[^\W\d])")
_UNIT = re.compile(
    r"\b(?:h|hours?|d|days?|w|wks?|weeks?|m|mo|mths?|months?|q|quarters?|y|yrs?|years?)\b"
)
_DATES = (
    *("%Y %m %d", "%Y %m", "%m %Y", "%b %Y", "%B %Y", "%Y %b", "%Y %B"),
    *("%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d %m %Y", "%m %d %Y"),
)


def order_of_texts(texts: Sequence[str]) -> list[int] | None:
    """Places of texts in their order in time, or None where they do not say it.

    They say it by numbers ("month 2", "T10", "1 pre"), as dates, as names of months within one
    calendar year, or as one of `PAIRS`; ``baseline`` and the like come before numbers.

    Parameters
    ----------
    texts
        All different.

    Returns
    -------
    list of int
        The first is the index of the earliest.

    Examples
    --------
    >>> order_of_texts(["post", "pre"]), order_of_texts(["month 10", "Baseline", "month 2"])
    ([1, 0], [1, 2, 0])
    >>> order_of_texts(["Mar", "Jan", "Feb"]), order_of_texts(["Jan", "Dec"])
    ([1, 2, 0], None)
    >>> order_of_texts(["usual", "new"]), order_of_texts(["6 weeks", "1 year"])
    (None, None)
    """
    plain = [plain_text(text).casefold() for text in texts]
    for keys_of in _READINGS:
        keys = keys_of(plain)
        if keys is not None and len(set(keys)) == len(keys):
            return sorted(range(len(keys)), key=keys.__getitem__)
    return None


def _as_dates(texts: Sequence[str]) -> list[Any] | None:
    """Dates, if they have the same order however days and months are told apart."""
    spaced = pd.Series([re.sub(r"[-/., ]+", " ", text).strip() for text in texts])
    read = [pd.to_datetime(spaced, format=form, errors="coerce") for form in _DATES]
    fitting = [dates for dates in read if not dates.isna().any()]
    same = len({tuple(dates.rank()) for dates in fitting}) == 1
    return list(fitting[0]) if same else None


def _as_months(texts: Sequence[str]) -> list[int] | None:
    short = [month[:3] for month in _MONTHS]
    names = [text.removesuffix(".") for text in texts]
    known = next((known for known in (short, list(_MONTHS)) if set(names) <= set(known)), None)
    if known is None:
        return None
    months = [known.index(name) + 1 for name in names]
    # December may be the month before January: only a whole year has one order.
    return None if {1, 12} <= set(months) and len(set(months)) < 12 else months


def _as_pair(texts: Sequence[str]) -> list[int] | None:
    words = [_BESIDE.sub("", text) for text in texts]
    for pair in PAIRS:
        known = [_BESIDE.sub("", word) for word in pair]
        if set(words) == set(known):
            return [known.index(word) for word in words]
    return None


def _by_numbers(texts: Sequence[str]) -> list[tuple[float, ...]] | None:
    """Numbers of texts that are alike but for them, or that begin with one to give the order."""
    in_front = [_IN_FRONT.match(text) for text in texts]
    units = {tuple(_UNIT.findall(text)) for text in texts}
    if all(in_front) and len(units) == 1:
        return [(float(match[1]),) for match in in_front if match]
    without = [_ORDINAL.sub("", text) for text in texts]
    # "T-1" may be before "T0" or after it, so that a hyphen counts.
    alike = {re.sub(r"[\s_]+|(?<=[a-z])s\b", "", _NUMBER.sub("#", text)) for text in without}
    found = [_NUMBER.findall(text) for text in without]
    if len(alike) != 1 or not found[0] or _may_be_dates(without):
        return None
    return [tuple(float(number.replace("\u2212", "-")) for number in one) for one in found]


def _after_words(texts: Sequence[str]) -> list[tuple[float, ...]] | None:
    """Numbers of all texts but one, which is a word for what comes first."""
    numbered = [text for text in texts if text not in FIRST_OF_NUMBERED]
    numbers = _by_numbers(numbered) if len(numbered) == len(texts) - 1 else None
    if not numbers or min(numbers) < (0.0,):
        return None
    left = iter(numbers)
    return [(-1.0,) if text in FIRST_OF_NUMBERED else next(left) for text in texts]


def _may_be_dates(texts: Sequence[str]) -> bool:
    """Whether some end with their year, or numbers may be days and months in either order."""
    if all(re.match(r"(?:19|20)\d\d\D", text) for text in texts):
        return False
    form = re.compile(r"\d[-/.]\d+[-/.]\d|\d\D+(?:19|20)\d\d$")
    return any(form.search(text) for text in texts)


_READINGS: tuple[Callable[[Sequence[str]], list[Any] | None], ...] = (
    _as_dates,
    _as_months,
    _as_pair,
    _by_numbers,
    _after_words,
)
