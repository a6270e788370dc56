"""Dates and times of day that stand in a table as text."""

from __future__ import annotations

import re
from typing import Any, Literal

import pandas as pd

from tauhat.tables.labels import plain_text

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
# Names of months of other languages that are no usual words.
_ABROAD = (
    r"|januar|februar|märz|maerz|mai|juni|juli|oktober|dezember|dez|okt"  # German
    r"|janvier|janv|février|fevrier|févr|fevr|fév|mars|avril|avr|juin|juillet|juil|août|aout"
    r"|septembre|octobre|novembre|décembre|decembre|déc"  # French
    r"|enero|ene|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre"
    r"|diciembre|dic"  # Spanish
    r"|janeiro|fevereiro|março|marco|maio|junho|julho|setembro|outubro|dezembro|novembro"
    r"|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre"
    r"|januari|februari|maart|mrt|mei|augustus"  # Dutch
)
_MONTH = _MONTH.removesuffix(")") + _ABROAD + r")\.?"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?[.,]? )?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"'?(?:\d{4}|\d{2})"
_BETWEEN = r"[-/., ]{0,2}"
_DAY_OR_MONTH = r"(?:0?[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?"
_ZONE = r"(?: ?(?:z|utc|gmt|[+-]\d{2}:?\d{2}))?"
_TIME = rf"(?:{_CLOCK}(?: ?[ap]\.?m\.?)?{_ZONE}|(?:0?\d|1[0-2]) ?[ap]\.?m\.?)"
# What may follow a date: the time of day, in whatever form.
_TAIL = r"(?:[ t:,].*)?"
_DATE = re.compile(
    rf"{_WEEKDAY}(?:"
    rf"{_DAY_OR_MONTH}[-/.] ?{_DAY_OR_MONTH}[-/.] ?(?:\d{{4}}|\d{{2}})\.?{_TAIL}"
    rf"|(?:\d{{4}}[-/.] ?|\d{{2}}[-/] ?){_DAY_OR_MONTH}[-/.] ?{_DAY_OR_MONTH}\.?{_TAIL}"
    rf"|\d{{8}}t\d{{4,6}}.*"
    rf"|(?:19|20)\d{{2}}[-/](?:0[1-9]|1[0-2])"
    rf"|{_DAY}{_BETWEEN}(?:of |de )?{_MONTH}(?:{_BETWEEN}{_YEAR}{_TAIL})?"
    rf"|{_MONTH}{_BETWEEN}{_DAY}{_BETWEEN}{_YEAR}{_TAIL}"
    rf"|{_MONTH} {_DAY} {_CLOCK}.*"
    rf"|{_YEAR}{_BETWEEN}{_MONTH}(?:{_BETWEEN}{_DAY}{_TAIL})?"
    rf"|{_MONTH}{_BETWEEN}{_YEAR}"
    # 2023年3月5日, week 12 as 2023-W12-3, and 20230305.
    rf"|\d{{4}} ?年 ?\d{{1,2}} ?月(?: ?\d{{1,2}} ?日)?{_TAIL}"
    rf"|(?:19|20)\d{{2}}-?W[0-5]\d(?:-?[1-7])?"
    rf"|(?:19|20)\d{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    r")",
    re.IGNORECASE,
)
_CLOCKS = re.compile(_TIME, re.IGNORECASE)
_MOSTLY = 0.5
# So many different texts tell whether a column is worth looking through.
_SAMPLE = 200


def kind_of_time(texts: pd.Series[Any]) -> Literal["dates", "times"] | None:
    """Whether more than half of the texts are dates, or times of day.

    Dates in any usual order and spelling, with names of months in English, German, French,
    Spanish, Portuguese, Italian or Dutch, with or without a time of day; "Mar 2023", "2023-03",
    "2023-W12" and 20230322 as well.

    Parameters
    ----------
    texts
        Text, none missing, shape (n,).

    Examples
    --------
    >>> kind_of_time(pd.Series(["22MAR2023", "Mar 22, 2023", "22.03.2023"]))
    'dates'
    >>> kind_of_time(pd.Series(["08:30", "9:15 pm"])), kind_of_time(pd.Series(["May", "mild"]))
    ('times', None)
    """
    counts = texts.astype(str).value_counts()
    for pattern, kind in ((_DATE, "dates"), (_CLOCKS, "times")):
        sample = counts.index[:_SAMPLE]
        if sum(map(_matches(pattern), sample)) < _MOSTLY / 2 * len(sample):
            continue
        alike = counts.index.map(_matches(pattern)).to_numpy(dtype=bool)
        if counts.to_numpy()[alike].sum() > _MOSTLY * counts.sum():
            return "dates" if kind == "dates" else "times"
    return None


def _matches(pattern: re.Pattern[str]) -> Any:
    return lambda text: len(text) < 80 and pattern.fullmatch(plain_text(text)) is not None
