"""How large a table may be, and what its columns may be called."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable

from tauhat.errors import TrialError
from tauhat.tables.labels import is_blank
from tauhat.wording import counted

MAX_COLUMNS = 20_000
MAX_NAME = 10_000
MAX_BYTES = 2 * 1024**3


def check_column_names(names: Iterable[str]) -> None:
    """Raise a `TrialError` when a column name is empty, endless or occurs twice.

    Examples
    --------
    >>> check_column_names(["age", "age"])
    Traceback (most recent call last):
    tauhat.errors.TrialError: column names must be unique; repeated: ['age']
    """
    counts = Counter(names)
    endless = max((len(name) for name in counts), default=0)
    if endless > MAX_NAME:
        raise TrialError(
            f"a column name has {endless:,} characters, more than {MAX_NAME:,}: is a quotation "
            "mark missing in the first line?"
        )
    empty = sum(count for name, count in counts.items() if is_blank(name))
    if empty:
        raise TrialError(
            f"{counted(empty, 'column has', 'columns have')} an empty name; name or remove them"
        )
    repeated = [name[:80] for name, count in counts.items() if count > 1]
    if repeated:
        raise TrialError(f"column names must be unique; repeated: {repeated[:10]}")


def refuse_size(path: str, n_columns: int, n_bytes: int, max_bytes: int) -> None:
    """Raise a `TrialError` for a table of too many columns or bytes.

    Examples
    --------
    >>> refuse_size("t.csv", 30_000, 0, MAX_BYTES)
    Traceback (most recent call last):
    tauhat.errors.TrialError: t.csv has 30,000 columns, more than 20,000; ...
    """
    if n_columns > MAX_COLUMNS:
        raise TrialError(
            f"{path} has {n_columns:,} columns, more than {MAX_COLUMNS:,}; "
            "keep the roles and the covariates you mean to use"
        )
    if n_bytes > max_bytes:
        raise TrialError(
            f"{path} holds {n_bytes / 1024**3:.2f} GiB, more than {max_bytes / 1024**3:.2f} GiB; "
            "keep the columns of the trial, or raise max_bytes"
        )


def close_names(name: object, names: Iterable[str]) -> str:
    """A hint at names that are spelt nearly like one that is not there; empty if none is.

    Examples
    --------
    >>> close_names("clinik", ["clinic", "age"])
    "; did you mean 'clinic'?"
    >>> close_names("AGE", ["clinic", "age"])
    "; did you mean 'age'?"
    """
    candidates = list(names)
    near = difflib.get_close_matches(str(name), candidates, n=3, cutoff=0.6)
    if not near:
        folded = {candidate.casefold(): candidate for candidate in candidates}
        found = difflib.get_close_matches(str(name).casefold(), folded, n=3, cutoff=0.6)
        near = [folded[one] for one in found]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
