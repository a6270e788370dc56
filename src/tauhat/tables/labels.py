"""Labels of clusters, blocks, arms and persons: how they are read, and which are nearly alike."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray

# The words that readers of tables, ours among them, take for a missing value.
MISSING_WORDS = frozenset(
    {"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)
# Doubles tell whole numbers apart up to here.
_LARGEST_EXACT = 2.0**53
_WITHOUT_WIDTH = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))
# Letters with a stroke or a ligature, which Unicode does not take apart.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)


def plain_text(text: str) -> str:
    r"""Text without blanks at its ends and with single ones inside, whatever kind they are.

    Examples
    --------
    >>> plain_text("\u00a0clinic \t 3 ")
    'clinic 3'
    """
    return " ".join(text.translate(_WITHOUT_WIDTH).split())


def is_blank(value: Any) -> bool:
    r"""Whether a value is text without anything to see in it.

    Examples
    --------
    >>> is_blank("\u200b "), is_blank("a"), is_blank(0)
    (True, False, False)
    """
    if not isinstance(value, str):
        return False
    seen = value.strip()
    return not seen or (ord(seen[0]) in _WITHOUT_WIDTH and not plain_text(seen))


def label_text(value: Any) -> str:
    """A label as text: without needless blanks, whole numbers without a decimal point.

    Examples
    --------
    >>> label_text(" c1 "), label_text(3.0), label_text(2.5), label_text(True)
    ('c1', '3', '2.5', 'True')
    """
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return plain_text(str(plain_label(value)))


def plain_label(label: Any) -> Any:
    """A label as Python's own type, so that a message shows it as the user wrote it.

    Examples
    --------
    >>> plain_label(np.int64(2)), plain_label("a")
    (2, 'a')
    """
    return label.item() if isinstance(label, np.generic) else label


@dataclass(frozen=True)
class Labels:
    """The labels of a column.

    Attributes
    ----------
    values : ndarray, shape (n,)
        Label of each row, None where missing: booleans or whole numbers when
        all are, otherwise text.
    missing : ndarray of bool, shape (n,)
        Where there is none.
    words : dict of str to int
        Words that were read as missing, and in how many rows.
    n_changed : int
        Rows whose text had blanks that were left out.
    merged : tuple of str
        Labels that were written in several ways.
    n_inexact : int
        Rows with numbers too large for the column's type to tell apart.
    """

    values: AnyArray
    missing: BoolArray
    words: dict[str, int]
    n_changed: int
    merged: tuple[str, ...]
    n_inexact: int


def read_labels(column: pd.Series[Any], *, keep: Collection[str] = ()) -> Labels:
    """Read a column of labels; blanks in them and the type of numbers never matter.

    Text stays as it is written but for blanks: "1.10" and "1.1", "007" and "7"
    are different labels. In a column that holds text and numbers, "3", 3 and 3.0
    are one label.

    Parameters
    ----------
    column
        Any type, shape (n,).
    keep
        Words that are labels although they usually mean a missing value.

    Examples
    --------
    >>> read_labels(pd.Series(["a ", "a", "3", 3.0, None, "NA"], dtype=object)).values.tolist()
    ['a', 'a', '3', '3', None, None]
    """
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biu":
        return Labels(column.to_numpy(), np.zeros(len(column), dtype=bool), {}, 0, (), 0)
    codes, levels = pd.factorize(column.astype(object), use_na_sentinel=True)
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    texts = [label_text(level) for level in levels]
    written = [isinstance(level, str) for level in levels]
    words: Counter[str] = Counter()
    n_changed, n_inexact = 0, 0
    spellings: defaultdict[str, list[int]] = defaultdict(list)
    for k, (level, text) in enumerate(zip(levels, texts, strict=True)):
        if not text or (written[k] and text in MISSING_WORDS and text not in keep):
            if text:
                words[text] += int(counts[k])
            continue
        spellings[text].append(k)
        n_changed += int(counts[k]) if written[k] and level != text else 0
        large = isinstance(level, (float, np.floating)) and abs(float(level)) >= _LARGEST_EXACT
        n_inexact += int(counts[k]) if large else 0
    kept = sorted(k for which in spellings.values() for k in which)
    labels = _of_one_type([levels[k] for k in kept], [texts[k] for k in kept])
    by_level = np.full(len(levels) + 1, None, dtype=object)
    by_level[kept] = labels
    values = by_level[codes]
    missing: BoolArray = np.array([value is None for value in values], dtype=bool)
    return Labels(
        values=values if missing.any() or not len(values) else _compact(values, labels),
        missing=missing,
        words=dict(sorted(words.items())),
        n_changed=n_changed,
        merged=tuple(sorted(text for text, which in spellings.items() if len(which) > 1)),
        n_inexact=n_inexact,
    )


def _of_one_type(levels: list[Any], texts: list[str]) -> list[Any]:
    """Whole numbers or booleans when all levels are, text otherwise."""
    if all(isinstance(level, (bool, np.bool_)) for level in levels):
        return [bool(level) for level in levels]
    whole = (int, np.integer, float, np.floating)
    if all(
        isinstance(level, whole)
        and not isinstance(level, bool)
        and math.isfinite(level)
        and float(level).is_integer()
        for level in levels
    ):
        return [int(level) for level in levels]
    return list(texts)


def _compact(values: AnyArray, labels: list[Any]) -> AnyArray:
    """Numbers and booleans as arrays of their own type; text stays as objects."""
    if isinstance(labels[0], str):
        return values
    dtype = bool if isinstance(labels[0], bool) else np.int64
    if dtype is np.int64 and not all(-(2**63) <= label < 2**63 for label in labels):
        return values
    compact: AnyArray = values.astype(dtype)
    return compact


def as_written(column: pd.Series[Any]) -> AnyArray:
    """Values of a column as they stand in it, whole numbers without a decimal point.

    Examples
    --------
    >>> as_written(pd.Series([3.0, None, "00001", "NA"], dtype=object)).tolist()
    [3, None, '00001', 'NA']
    """
    values: AnyArray = column.to_numpy()
    if values.dtype.kind not in "Of":
        return values
    written: AnyArray = np.empty(len(values), dtype=object)
    for k, value in enumerate(values):
        number = isinstance(value, (float, np.floating))
        if number and float(value).is_integer():
            written[k] = int(value)
        elif isinstance(value, str):
            written[k] = value
        else:
            written[k] = None if pd.isna(value) else (str(value) if number else value)
    return written


def match_label(given: Any, labels: Iterable[Any]) -> Any | None:
    """The label that is meant by one as typed, perhaps on a command line; None if there is none.

    The same text is meant first; then the same number, if only one label has it.

    Examples
    --------
    >>> match_label("1.1", ["1.10", "1.1"]), match_label(" 1", [0, 1]), match_label(1, ["1.0", "2"])
    ('1.1', 1, '1.0')
    """
    labels = list(labels)
    text = label_text(given)
    for label in labels:
        if label_text(label) == text:
            return label
    number = _number(text)
    equal = [label for label in labels if number is not None and _number(label) == number]
    return equal[0] if len(equal) == 1 else None


def zero_and_one(labels: Iterable[Any]) -> tuple[Any, Any] | None:
    """The labels that stand for 0 and 1, no and yes in numbers or as booleans; or None.

    Examples
    --------
    >>> zero_and_one(["TRUE", "FALSE"]), zero_and_one([1, 0]), zero_and_one(["a", "b"])
    (('FALSE', 'TRUE'), (0, 1), None)
    """
    truth = {"false": Decimal(0), "true": Decimal(1)}
    meant: defaultdict[Any, list[Any]] = defaultdict(list)
    for label in labels:
        meant[truth.get(label_text(label).lower(), _number(label))].append(label)
    if len(meant[0]) == 1 and len(meant[1]) == 1:
        return meant[0][0], meant[1][0]
    return None


def _number(label: Any) -> Decimal | None:
    text = label_text(label)
    if len(text) > 40 or not text.isascii() or "_" in text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def near_pairs(labels: Iterable[Any]) -> list[tuple[str, str]]:
    """Pairs of different labels that may be meant to be the same.

    They differ only by letter case, accents, punctuation or inner blanks, or
    are the same number written in two ways.

    Parameters
    ----------
    labels
        Labels, each at least once.

    Returns
    -------
    list of pairs of str
        Sorted; in a group of several, each with the first of them.

    Examples
    --------
    >>> near_pairs(["Lyon", "LYON", "Saint-Étienne", "saint etienne", "A+", "A-", "3", "3.0", "30"])
    [('3', '3.0'), ('LYON', 'Lyon'), ('Saint-Étienne', 'saint etienne')]
    """
    alike: defaultdict[Any, list[str]] = defaultdict(list)
    for text in sorted({label_text(label) for label in labels}):
        alike[_key(text)].append(text)
    return sorted((group[0], other) for group in alike.values() for other in group[1:])


def plain_letters(text: str) -> str:
    """Text in lower case with accents, strokes and ligatures as letters and marks of their own.

    Examples
    --------
    >>> plain_letters("Łódź STRASSE") == "lo\u0301dz\u0301 strasse"
    True
    """
    return unicodedata.normalize("NFKD", text.casefold()).casefold().translate(_LETTERS)


def _key(text: str) -> Any:
    """What is left of a label when case, accents and punctuation do not matter."""
    number = _number(text)
    if number is not None:
        return number
    apart = plain_letters(text)
    # "A+" and "A-", "<5" and ">5" are different, and so are "1-10" and "11-0".
    sign = re.search(r"[-\u2212]$", apart)
    apart = re.sub(r"(?<=\d)[\W_]+(?=\d)", "\u00b7", apart)
    # "Site 01" is "Site 1", but "1.05" is not "1.5".
    apart = re.sub(r"(?<![\d\u00b7])0+(?=\d)", "", apart)
    kept = "".join(
        c for c in apart if c.isalnum() or c == "\u00b7" or unicodedata.category(c) == "Sm"
    )
    return (kept + ("-" if sign else "")) if any(c.isalnum() for c in kept) else text


def alike_text(first: str, second: str) -> str:
    """Two labels side by side, with what cannot be seen said.

    Examples
    --------
    >>> alike_text("North", "north")
    "'North' and 'north'"
    """
    pair = f"{first!r} and {second!r}"
    if unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", second):
        return f"{pair} (accents as letters of their own and as marks)"
    return pair


def words_read_as_missing(read: Labels) -> str:
    """Which words were taken for missing values, and what to do if they are labels."""
    if not read.words:
        return ""
    counted = " and ".join(f"the word {word!r} in {n}" for word, n in read.words.items())
    return f" ({counted}, read as missing: if it is a label, write it otherwise)"
