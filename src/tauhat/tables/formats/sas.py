"""SAS data sets (.sas7bdat), by pyreadstat, and SAS formats of dates and times."""

from __future__ import annotations

import re

import pandas as pd

from tauhat.tables.account import Account
from tauhat.tables.formats import Request
from tauhat.tables.formats.readstat import (
    base_of,
    plain_columns,
    read_plain,
    times_by_kind,
    with_times,
    words_of,
)

EPOCH = "1960-01-01"
SECONDS = {"date": 86400.0, "datetime": 1.0, "duration": 1.0}
_DATES = re.compile(
    r"DATE|DAY|DDMMYY[BCDNPS]?|MMDDYY[BCDNPS]?|YYMMDD[BCDNPS]?|MMYY[CDNPS]?|YYMM[CDNPS]?|MONYY|MONTH"
    r"|MONNAME|YEAR|YYMON|YYQR?[CDNPSZ]?|QTRR?|WEEKDAT[EX]|WEEKDAY|WEEK[UVW]|WORDDAT[EX]|JULIAN"
    r"|JULDAY|DOWNAME|[BE]8601DA|IS8601DA|\$?N8601BA?|NLDATE\w*|EUR(?:DF)?DD|EURDFD[DET]|NENGO|MINGUO"
)
_DATETIMES = re.compile(
    r"DATETIME|DATEAMPM|DTDATE|DTMONYY|DTWKDATX|DTYEAR|DTYYQC|MDYAMPM|[BE]8601D[NTZX]|IS8601D[NTZX]"
    r"|NLDATM\w*|EURDFDT"
)
_DURATIONS = re.compile(
    r"TIME|TIMEAMPM|TOD|HHMM|HOUR|MMSS|[BE]8601[TL][MZX]|IS8601[TL][MZ]|NLTIM\w*"
)


def kind_of(form: str) -> str | None:
    """Whether values shown in a format are dates, datetimes or durations, by its name.

    Examples
    --------
    >>> [kind_of(form) for form in ("YYMMDD10.", "MONYY7", "DATEAMPM", "TIME5.", "BEST12.", "$8.")]
    ['date', 'date', 'datetime', 'duration', None, None]
    """
    name = base_of(form)
    for pattern, kind in ((_DATETIMES, "datetime"), (_DATES, "date"), (_DURATIONS, "duration")):
        if pattern.fullmatch(name):
            return kind
    return None


def read(content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
    """Read the bytes of a data set."""
    import pyreadstat

    table, metadata, encoding = read_plain(
        pyreadstat.read_sas7bdat,
        content,
        request,
        disable_datetime_conversion=True,
        user_missing=True,
    )
    account = Account("SAS", table=metadata.table_name)
    names = [str(name) for name in table.columns]
    words_of(metadata, account, names, encoding)
    made = {}
    for name in names:
        column = table[name]
        if metadata.readstat_variable_types[name] == "string":
            continue
        # Special missing values stand among the numbers as letters.
        letters = column.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)
        for letter in sorted(set(column[letters])):
            account.count_missing(name, f"SAS .{letter}", int((column == letter).sum()))
        account.count_missing(name, "SAS .", int(column.isna().sum()))
        if letters.any():
            made[name] = pd.to_numeric(column.mask(letters))
    table = plain_columns(table.assign(**made) if made else table)
    return with_times(table, account, times_by_kind(kind_of, EPOCH, SECONDS)), account
