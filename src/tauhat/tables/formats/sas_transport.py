"""SAS transport files (.xpt, versions 5 and 8), by pyreadstat.

What pyreadstat does not tell is taken from the file's own bytes: how many members there are, how
wide numbers are stored, and which of the missing values .A to .Z, ._ and . stand there.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tauhat.errors import TrialError
from tauhat.tables.account import Account
from tauhat.tables.formats import Request
from tauhat.tables.formats.readstat import (
    plain_columns,
    read_plain,
    times_by_kind,
    with_times,
    words_of,
)
from tauhat.tables.formats.sas import EPOCH, SECONDS, kind_of

_CARD = 80
_MEMBER = re.compile(rb"HEADER RECORD\*{7}MEMB(?:ER|V8) +HEADER RECORD!{7}(\d+)")
_NAMES = re.compile(rb"HEADER RECORD\*{7}NAM(?:ESTR|STV8) +HEADER RECORD!{7}\d{5}(\d{5})")
_VALUES = re.compile(rb"HEADER RECORD\*{7}OBS(?:V8)? +HEADER RECORD!{7}")
# A number of three to eight bytes: the first is its sign and exponent, so two hold one digit.
_NARROWEST = 3


@dataclass(frozen=True)
class _Variable:
    """Where a variable stands in a row."""

    numeric: bool
    width: int
    start: int


def read(content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
    """Read the bytes of a file with one member."""
    import pyreadstat

    members = [found for found in _MEMBER.finditer(content) if found.start() % _CARD == 0]
    if len(members) > 1:
        raise TrialError(
            f"{request.path} holds {len(members)} members, which are tables of their own; give "
            "each a file of its own"
        )
    variables, rows_at = _layout(content, request)
    table, metadata, encoding = read_plain(
        pyreadstat.read_xport, content, request, disable_datetime_conversion=True
    )
    account = Account("SAS transport", table=metadata.table_name or None)
    names = [str(name) for name in table.columns]
    if len(variables) != len(names):
        raise TrialError(f"{request.path} cannot be read: its header names other columns")
    narrow = [
        name
        for name, variable in zip(names, variables, strict=True)
        if variable.numeric and variable.width < _NARROWEST
    ]
    if narrow:
        raise TrialError(
            f"{request.path}: the numbers of {', '.join(map(repr, narrow[:5]))} are stored in "
            "2 bytes, which libraries here read as missing; save them with a length of 3 or more"
        )
    words_of(metadata, account, names)
    if encoding:
        account.notes.append(f"Text was read as {encoding}, since it is not UTF-8.")
    _count_special(content, rows_at, variables, table, account)
    return with_times(
        plain_columns(table), account, times_by_kind(kind_of, EPOCH, SECONDS)
    ), account


def _layout(content: bytes, request: Request) -> tuple[list[_Variable], int]:
    """Type, width and place of each variable, and where the rows begin."""
    member, names = _MEMBER.search(content), _NAMES.search(content)
    values = None if names is None else _VALUES.search(content, names.end())
    if member is None or names is None or values is None:
        raise TrialError(f"{request.path} is not a SAS transport file")
    count = int(names[1])
    # The card of the member ends in the length of a record that describes a variable.
    length = 136 if member[1][-3:] == b"136" else 140
    at = names.start() + _CARD
    found = []
    for number in range(count):
        record = content[at + number * length : at + (number + 1) * length]
        if len(record) < length:
            raise TrialError(f"{request.path} is not whole: its description of columns is cut")
        kind, _, width = struct.unpack(">hhh", record[:6])
        (start,) = struct.unpack(">i", record[84:88])
        found.append(_Variable(kind == 1, width, start))
    return found, values.start() + _CARD


def _count_special(
    content: bytes,
    rows_at: int,
    variables: list[_Variable],
    table: pd.DataFrame,
    account: Account,
) -> None:
    """Count the missing values of each kind where the library found any."""
    width = sum(variable.width for variable in variables)
    n_rows = len(table)
    if width <= 0 or rows_at + n_rows * width > len(content):
        return
    rows = np.frombuffer(content, np.uint8, n_rows * width, rows_at).reshape(n_rows, width)
    for name, variable in zip(table.columns, variables, strict=True):
        inside = variable.start >= 0 and variable.start + variable.width <= width
        if not variable.numeric or not inside:
            continue
        missing = table[name].isna().to_numpy()
        for letter, count in zip(
            *np.unique(rows[missing, variable.start], return_counts=True), strict=True
        ):
            kind = chr(letter)
            account.count_missing(str(name), "SAS ." + kind.replace(".", ""), int(count))
