"""Numbers with decimal commas, thousands separators, percent or currency signs, as text."""

from __future__ import annotations

import re
from collections.abc import Iterable

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
    >>> way_of_writing(["low", "1,5"]), way_of_writing(["3", "4"])
    ('', '')
    """
    plain = sorted(plain_text(str(text)) for text in texts)
    odd = [text for text in plain if not _PLAIN.fullmatch(text)]
    if len(odd) < max(1, _MOSTLY * len(plain)):
        return ""
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
