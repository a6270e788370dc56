"""Numbers with decimal commas, thousands separators, percent or currency signs, as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.tables.labels import plain_text

_SIGN = r"[-+\u2212]?[$\u20ac\u00a3]? ?"
_AFTER = r" ?[$\u20ac\u00a3]?"
_EITHER = "commas that may be decimal or part thousands"
# The first that fits counts.
_STYLES = (
    ("percent signs", rf"{_SIGN}\d+(?:[.,]\d+)? ?%", "without the sign"),
    (_EITHER, rf"{_SIGN}[1-9]\d{{0,2}},\d{{3}}{_AFTER}", "with decimal points and without commas"),
    (
        "thousands separators",
        rf"{_SIGN}[1-9]\d{{0,2}}(?:(?:[ ,'\u2019]\d{{3}})+(?:\.\d+)?"
        rf"|(?:\.\d{{3}}){{2,}}(?:,\d+)?|(?:\.\d{{3}})+,\d+){_AFTER}",
        "without separators and with a decimal point",
    ),
    ("decimal commas", rf"{_SIGN}\d*,\d+{_AFTER}", "with decimal points"),
    ("currency signs", r"[-+\u2212]?(?:[$\u20ac\u00a3] ?\d.*|\d[\d.,]* ?[$\u20ac\u00a3])", "alone"),
)
_PLAIN = re.compile(r"[-+\u2212]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_MOSTLY = 0.3
_WITH_UNIT = re.compile(rf"{_SIGN}(?:\d+(?:[.,]\d+)?) ?([^\W\d_]{{1,8}}(?:/[^\W\d_]{{1,4}}\d?)?)")
# Fewer may be categories that are called so: doses, weeks.
_LEAST_WITH_UNITS = 10
# Any word may be the one unit of a column; several are units where all of them are known.
_KNOWN_UNITS = (
    "kg|g|mg|\u00b5g|lb|lbs|oz|km|m|cm|mm|in|ft|y|yr|yrs|year|years|mo|month|months|w|wk|week|weeks"
    "|d|day|days|h|hr|hrs|hour|hours|min|s|sec|l|dl|ml|mmHg|kPa|mg/dl|mmol/l|\u00b5mol/l|kg/m2"
)
_UNITS = frozenset(_KNOWN_UNITS.split("|"))


def way_of_writing(texts: Iterable[str]) -> str:
    """How numbers among texts are written and how they should be; empty if texts are none.

    Parameters
    ----------
    texts
        Different values of a column, none missing.

    Returns
    -------
    str
        To be put behind "numbers".

    Examples
    --------
    >>> way_of_writing(["1,5", "2,25", "3"])
    "with decimal commas, such as '1,5'; write them with decimal points"
    >>> way_of_writing(["45%", "7 %"])
    "with percent signs, such as '45%'; write them without the sign"
    >>> way_of_writing(["1,200", "12,500"])
    "with commas that may be decimal or part thousands, such as '1,200'; write them with ..."
    >>> way_of_writing([f"{kg} kg" for kg in range(50, 60)])
    "with the unit 'kg', such as '50 kg'; write them without it"
    >>> way_of_writing(["low", "1,5"]), way_of_writing(["3", "4"])
    ('', '')
    """
    plain = sorted(plain_text(str(text)) for text in texts)
    odd = [text for text in plain if not _PLAIN.fullmatch(text)]
    if len(odd) < max(1, _MOSTLY * len(plain)):
        return ""
    with_unit = _with_unit(odd, len(plain))
    if with_unit:
        return with_unit
    found: dict[str, str] = {}
    for text in odd:
        what = next((what for what, form, _ in _STYLES if re.fullmatch(form, text)), None)
        if what is None:
            return ""
        found.setdefault(what, text)
    if len(found) > 1:
        # "1,234" among "1,5" is no thousand.
        found.pop(_EITHER, None)
    what, how = next((what, how) for what, _, how in _STYLES if what in found)
    return f"with {what}, such as {found[what]!r}; write them {how}"


def _with_unit(odd: list[str], n_texts: int) -> str:
    """How numbers that all have a unit behind them are written; empty if not all have one."""
    matched = [_WITH_UNIT.fullmatch(text) for text in odd]
    units = sorted({match[1] for match in matched if match is not None})
    if n_texts < _LEAST_WITH_UNITS or None in matched:
        return ""
    if len(units) == 1:
        return f"with the unit {units[0]!r}, such as {odd[0]!r}; write them without it"
    if not _UNITS.issuperset(units):
        return ""
    return (
        f"with several units, {' and '.join(map(repr, units))}, such as {odd[0]!r}; write them in "
        "one unit, without it"
    )


# Separators of thousands and decimal signs that numbers are written with.
_BLANKS = " '\u2019"
_WAYS = [(thousands, decimal) for decimal in ".," for thousands in ("", *",.", *_BLANKS)]
_READABLE = [
    (
        re.compile(
            rf"[-+\u2212]?(?:[1-9]\d{{0,2}}(?:{re.escape(thousands)}\d{{3}})+|\d+)"
            rf"(?:{re.escape(decimal)}\d+)?"
            if thousands
            else rf"[-+\u2212]?\d*(?:{re.escape(decimal)}\d+)?(?<=\d)",
            re.ASCII,
        ),
        thousands,
        decimal,
    )
    for thousands, decimal in _WAYS
    if thousands != decimal
]


def numbers_as_written(texts: list[str]) -> tuple[list[float], str] | None:
    """Numbers of texts that are all written in one way, if only one reading fits them.

    Parameters
    ----------
    texts
        Different values of a column, none missing.

    Returns
    -------
    list of float, str
        The numbers, and how they are written, to be put behind "numbers"; None if texts are no
        numbers, plain ones, or such that two readings give different numbers.

    Examples
    --------
    >>> numbers_as_written(["1,234.5", "12"])
    ([1234.5, 12.0], "with thousands separators, such as '1,234.5',")
    >>> numbers_as_written(["1,5", "12,25"])
    ([1.5, 12.25], "with decimal commas, such as '1,5',")
    >>> numbers_as_written(["1,200", "12,500"]), numbers_as_written(["a"])
    (None, None)
    """
    plain = [plain_text(text) for text in texts]
    odd = next((text for text in plain if not _PLAIN.fullmatch(text)), None)
    if odd is None:
        return None
    found: dict[tuple[float, ...], str] = {}
    for form, thousands, decimal in _READABLE:
        if form.fullmatch(odd) and all(map(form.fullmatch, plain)):
            numbers = tuple(
                float(_without(text, thousands).replace(decimal, ".").replace("\u2212", "-"))
                for text in plain
            )
            what = "decimal commas" if not thousands else "thousands separators"
            found.setdefault(numbers, f"with {what}, such as {odd!r},")
    if len(found) != 1:
        return None
    [(values, how)] = found.items()
    return list(values), how


def _without(text: str, thousands: str) -> str:
    return text.replace(thousands, "") if thousands else text


def column_as_written(column: pd.Series[Any]) -> tuple[FloatArray, str] | None:
    """Numbers of a column of texts, NaN where missing, as `numbers_as_written` reads them.

    Examples
    --------
    >>> numbers, how = column_as_written(pd.Series(["1,5", None, "2,25"]))
    >>> numbers.tolist()
    [1.5, nan, 2.25]
    """
    codes, levels = pd.factorize(column, use_na_sentinel=True)
    read = numbers_as_written([str(level) for level in levels])
    return None if read is None else (np.array([*read[0], np.nan])[codes], read[1])
