"""Which rows of a table are meant: ``PARAMCD == "SBP" and AVISIT == "Week 24"``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray
from tauhat.errors import TrialError
from tauhat.tables.account import as_codes
from tauhat.tables.columns import level_labels, missing_values
from tauhat.tables.labels import label_text, plain_text
from tauhat.tables.table_limits import close_names

_LONGEST = 10_000
_DEEPEST = 50
_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|`(?P<quoted>[^`]+)`"
    r"|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])"
    r"|(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)"
    r"|(?P<word>[^\W\d][\w.]*))"
)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TRUTH = {"true": True, "false": False}
_HELP = (
    'write comparisons such as age >= 18 or PARAMCD == "SBP", with and, or, not, '
    'in ("a", "b"), is missing; a column name with other signs stands in `backticks`'
)


@dataclass(frozen=True)
class Rows:
    """Which rows fulfil a condition: where it is true, and where values are there to tell."""

    true: BoolArray
    known: BoolArray

    def negated(self) -> Rows:
        """Rows that are known not to fulfil it."""
        return Rows(self.known & ~self.true, self.known)

    def both(self, other: Rows) -> Rows:
        """Rows that fulfil both conditions."""
        false = (self.known & ~self.true) | (other.known & ~other.true)
        return Rows(self.true & other.true, (self.known & other.known) | false)

    def either(self, other: Rows) -> Rows:
        """Rows that fulfil one of the conditions, or both."""
        true = self.true | other.true
        return Rows(true, (self.known & other.known) | true)


def rows_where(
    table: pd.DataFrame,
    condition: str,
    account: Mapping[str, Any] | None = None,
    *,
    what: str = "where",
    others: Mapping[str, str] | None = None,
) -> Rows:
    """Rows of a table that fulfil a condition.

    Comparisons (``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``) of a column with a number, a text in
    quotation marks or another column; ``in ("a", "b")``, ``not in``; ``is missing``,
    ``is not missing``; ``and``, ``or``, ``not`` and parentheses. Where a value is missing a
    comparison is neither true nor false. Values that were labelled in the file are
    compared with their labels as text and with their codes as numbers.

    Parameters
    ----------
    table
        The table.
    condition
        The condition; nothing of it is run as code.
    account
        Account of the file, if the table was read from one.
    what
        What the condition is for, with which messages begin.
    others
        Columns that there are but that must not be asked for, each with the reason.

    Returns
    -------
    Rows
        Two arrays of shape (n,).

    Raises
    ------
    TrialError
        For what cannot be read, names no column, or compares text with a number.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [12, 40, None], "site": ["a", "b", "c"]})
    >>> rows_where(table, 'age >= 18 and site in ("a", "b")').true.tolist()
    [False, True, False]
    >>> rows_where(table, "not age >= 18").known.tolist()
    [True, True, False]
    """
    if not isinstance(condition, str):
        raise TrialError(
            f"{what} must be a condition as text, such as 'age >= 18', got a "
            f"{type(condition).__name__}"
        )
    return _Parser(table, condition, account, what, others or {}).parsed()


class _Parser:
    """Reads a condition from left to right: or, and, not, then a comparison."""

    def __init__(
        self,
        table: pd.DataFrame,
        condition: str,
        account: Mapping[str, Any] | None,
        what: str,
        others: Mapping[str, str],
    ) -> None:
        self._table, self._condition, self._account = table, condition, account
        self._what, self._others = what, others
        self._tokens = self._split(condition)
        self._at = 0
        self._depth = 0

    def _refuse(self, what: str) -> NoReturn:
        shown = self._condition if len(self._condition) <= 200 else self._condition[:200] + " ..."
        raise TrialError(f"{self._what}: {what}, in {shown!r}; {_HELP}")

    def _split(self, condition: str) -> list[tuple[str, str]]:
        if len(condition) > _LONGEST:
            raise TrialError(f"{self._what}: the condition is longer than {_LONGEST:,} characters")
        tokens, at = [], 0
        while condition[at:].strip():
            found = _TOKEN.match(condition, at)
            if found is None:
                rest = condition[at:].strip()
                if rest.startswith("="):
                    self._refuse("equal is written ==, not =")
                self._refuse(f"{rest[:20]!r} cannot be read")
            assert found.lastgroup is not None
            tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        if not tokens:
            self._refuse("there is no condition")
        return tokens

    def _next(self, *texts: str) -> bool:
        """Whether the next token is this word or sign; then it is taken."""
        if self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if kind in ("word", "sign") and text.lower() in texts:
                self._at += 1
                return True
        return False

    def _need(self, *texts: str) -> None:
        if not self._next(*texts):
            found = self._tokens[self._at][1] if self._at < len(self._tokens) else "the end"
            self._refuse(f"{' or '.join(texts)} is expected before {found!r}")

    def parsed(self) -> Rows:
        rows = self._or()
        if self._at < len(self._tokens):
            self._refuse(f"{self._tokens[self._at][1]!r} stands where and or or is expected")
        return rows

    def _or(self) -> Rows:
        rows = self._and()
        while self._next("or"):
            rows = rows.either(self._and())
        return rows

    def _and(self) -> Rows:
        rows = self._not()
        while self._next("and"):
            rows = rows.both(self._not())
        return rows

    def _not(self) -> Rows:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._refuse(f"it is nested deeper than {_DEEPEST}")
        if self._next("not"):
            rows = self._not().negated()
        elif self._next("("):
            rows = self._or()
            self._need(")")
        else:
            rows = self._comparison()
        self._depth -= 1
        return rows

    def _operand(self) -> Any:
        """A column, a number, a text or a truth value."""
        if self._at >= len(self._tokens):
            self._refuse("it ends where a column or a value is expected")
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return float(text)
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "sign" or (kind == "word" and text in ("and", "or", "not", "in", "is")):
            self._refuse(f"a column or a value is expected before {text!r}")
        if text in self._table.columns:
            return self._table[text]
        if kind == "word" and text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        if text in self._others:
            raise TrialError(f"{self._what} {self._condition!r}: {self._others[text]}")
        self._refuse(f"there is no column {text!r}{close_names(text, self._table.columns)}")

    def _comparison(self) -> Rows:
        left = self._operand()
        if self._next("is"):
            if not isinstance(left, pd.Series):
                self._refuse("only a column can be missing")
            negated = self._next("not")
            self._need("missing")
            rows = Rows(missing_values(left), np.ones(len(left), dtype=bool))
            return rows.negated() if negated else rows
        negated = self._next("not")
        if negated or self._tokens[self._at : self._at + 1] == [("word", "in")]:
            self._need("in")
            rows = self._one_of(left)
            return rows.negated() if negated else rows
        for sign, compare in _COMPARE.items():
            if self._next(sign):
                right = self._operand()
                if not isinstance(left, pd.Series) and not isinstance(right, pd.Series):
                    self._refuse("a comparison needs a column")
                if isinstance(left, pd.Series):
                    return self._compared(left, right, compare)
                return self._compared(right, left, _turned(compare))
        self._refuse(f"a comparison is expected after {self._tokens[self._at - 1][1]!r}")

    def _one_of(self, left: Any) -> Rows:
        if not isinstance(left, pd.Series):
            self._refuse("a column is expected before in")
        self._need("(", "[")
        rows = Rows(np.zeros(len(left), dtype=bool), ~missing_values(left))
        while True:
            rows = rows.either(self._compared(left, self._operand(), operator.eq))
            if not self._next(","):
                break
            if self._next(")", "]"):
                return rows
        self._need(")", "]")
        return rows

    def _compared(self, column: pd.Series[Any], other: Any, compare: Callable[..., Any]) -> Rows:
        known = ~missing_values(column)
        if isinstance(other, pd.Series):
            known &= ~missing_values(other)
        left, right = self._alike(column, other, ordered=compare not in (operator.eq, operator.ne))
        true = np.zeros(len(column), dtype=bool)
        # Only what is known is compared: a gap has no order.
        there = right[known] if isinstance(right, np.ndarray) else right
        true[known] = np.asarray(compare(left[known], there), dtype=bool)
        return Rows(true, known)

    def _alike(self, column: pd.Series[Any], other: Any, *, ordered: bool) -> tuple[Any, Any]:
        """Both sides as numbers, as times or as text."""
        if isinstance(other, bool):
            truth = column.map(lambda value: label_text(value).lower(), na_action="ignore")
            return truth.astype(object).to_numpy(), str(other).lower()
        times = pd.api.types.is_datetime64_any_dtype(column.dtype)
        if times and isinstance(other, str):
            try:
                return column.dt.tz_localize(None).to_numpy(), pd.Timestamp(other).to_datetime64()
            except (ValueError, OverflowError):
                self._refuse(f"{column.name!r} holds dates, and {other!r} is none (2024-01-31)")
        if times and isinstance(other, pd.Series):
            if not pd.api.types.is_datetime64_any_dtype(other.dtype):
                self._refuse(f"{column.name!r} holds dates and {other.name!r} does not")
            return column.dt.tz_localize(None).to_numpy(), other.dt.tz_localize(None).to_numpy()
        if isinstance(other, float):
            return self._numbers(column), other
        if isinstance(other, pd.Series) and (ordered or _is_numeric(column)):
            return self._numbers(column), self._numbers(other)
        if isinstance(other, str) and (ordered or _is_numeric(column)):
            try:
                return self._numbers(column), float(other)
            except ValueError:
                self._refuse(
                    f"{column.name!r} holds numbers, and {other!r} is none"
                    if _is_numeric(column)
                    else "text is compared with == or !="
                )
        texts = level_labels(other) if isinstance(other, pd.Series) else plain_text(other)
        return level_labels(column), texts

    def _numbers(self, column: pd.Series[Any]) -> Any:
        """Numbers of a column: of labelled values the codes, of text what it reads as."""
        codes = as_codes(column, self._account)
        if _is_numeric(codes):
            return codes.to_numpy(dtype=np.float64, na_value=np.nan)
        numbers = pd.to_numeric(codes.astype(object), errors="coerce").to_numpy(dtype=np.float64)
        bad = np.isnan(numbers) & ~missing_values(codes)
        if bad.any():
            self._refuse(
                f"{column.name!r} holds text such as {str(codes[bad].iloc[0])!r}, "
                "which is no number"
            )
        return numbers


def _turned(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda left, right: compare(right, left)


def _is_numeric(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(
        column.dtype
    )
