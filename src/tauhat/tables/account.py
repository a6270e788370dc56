"""What reading made of a file: told by the check, the report and ``run.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import numpy as np
import pandas as pd

from tauhat.errors import TrialError
from tauhat.tables.labels import label_text

# Where a table that was read holds its account, and which words became missing values.
FILE = "file"
WORDS = "words read as missing"


class _Shared(dict[str, Any]):
    """A mapping that is not copied with the table: pandas would, at every step."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass
class Account:
    """What a reader found in a file and did with it.

    Attributes
    ----------
    format, library
        What kind of file it is, and the library that read it with its version.
    table, title, heading
        Member, sheet or object that was read; the file's own title, and that asked for.
    n_rows
        Rows of the file.
    labels, units, formats
        Label, unit and display format of columns that have one.
    value_labels
        Code and label of each labelled value of a column, in code order.
    missing
        For each column, how many values were made missing by which rule.
    left_as_numbers
        Columns that stayed numbers although they seem to be dates or codes, with the reason.
    n_short, first_short
        Rows of a text file with fewer cells than its first line has names, and the line of the
        first of them.
    where, n_dropped, n_unknown
        The condition that rows had to meet; how many did not, and how many of those because a
        value was missing.
    notes
        Whatever else should be known, in sentences.
    """

    format: str
    library: str = ""
    table: str | None = None
    heading: str | None = None
    title: str | None = None
    n_rows: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)
    value_labels: dict[str, list[list[Any]]] = field(default_factory=dict)
    missing: dict[str, dict[str, int]] = field(default_factory=dict)
    left_as_numbers: dict[str, str] = field(default_factory=dict)
    n_short: int = 0
    first_short: int = 0
    where: str | None = None
    n_dropped: int = 0
    n_unknown: int = 0
    notes: list[str] = field(default_factory=list)

    def count_missing(self, column: str, rule: str, count: int) -> None:
        """Add to the values that a rule made missing."""
        if count:
            rules = self.missing.setdefault(column, {})
            rules[rule] = rules.get(rule, 0) + int(count)

    @classmethod
    def of(cls, table: pd.DataFrame) -> Self:
        """The account of a table, or a new one for a table that was never in a file."""
        given = account_of(table)
        if given is None:
            return cls("table in memory", n_rows=len(table))
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in given.items() if name in known})

    def attach(self, table: pd.DataFrame) -> None:
        """Put the account where `account_of` finds it; the table can still be written to a file."""
        table.attrs[FILE] = _Shared(asdict(self))


def account_of(table: pd.DataFrame) -> Mapping[str, Any] | None:
    """Account of a table that was read from a file; None for others.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [1]})
    >>> Account("CSV", n_rows=1).attach(table)
    >>> account_of(table)["format"], account_of(pd.DataFrame({"x": [1]}))
    ('CSV', None)
    """
    found = table.attrs.get(FILE)
    return found if isinstance(found, Mapping) and "value_labels" in found else None


def variable_label(table: pd.DataFrame, name: str) -> str:
    """Label and unit of a column, as far as the file of the table had them.

    Examples
    --------
    >>> table = pd.DataFrame({"v1": [1]})
    >>> table.attrs["file"] = {"labels": {"v1": "Age at entry"}, "units": {"v1": "years"}}
    >>> variable_label(table, "v1"), variable_label(table, "v2")
    ('Age at entry (years)', '')
    """
    found = table.attrs.get(FILE)
    if not isinstance(found, Mapping):
        return ""
    label, unit = (found.get(key, {}).get(name) for key in ("labels", "units"))
    return f"{label or ''}{f' ({unit})' if unit else ''}".strip()


def _codes_by_label(pairs: Iterable[Iterable[Any]]) -> dict[str, list[Any]]:
    """Codes of each label, in the order in which they come."""
    codes: dict[str, list[Any]] = {}
    for code, label in pairs:
        codes.setdefault(label_text(label), []).append(code)
    return codes


def distinct_labels(pairs: Iterable[Iterable[Any]]) -> dict[Any, str]:
    """A label of its own for each code: one that stands for several codes gets the code beside it.

    Examples
    --------
    >>> distinct_labels([[1, "Other"], [2, "Site"], [3, "Other"]])
    {1: 'Other (1)', 2: 'Site', 3: 'Other (3)'}
    """
    given = [(code, label_text(label)) for code, label in pairs]
    codes = _codes_by_label(given)
    return {
        code: f"{text} ({label_text(code)})" if len(codes[text]) > 1 or not text else text
        for code, text in given
    }


def codes_of(column: pd.Series[Any], account: Mapping[str, Any] | None) -> dict[str, Any]:
    """Code of each label of a column whose values were labelled in the file; empty for others."""
    if account is None or not isinstance(column.dtype, pd.CategoricalDtype):
        return {}
    pairs = account["value_labels"].get(column.name, [])
    codes = {label: code for code, label in distinct_labels(pairs).items()}
    return codes if set(column.cat.categories) <= set(codes) else {}


def refuse_shared_labels(column: pd.Series[Any], account: Mapping[str, Any] | None) -> None:
    """Raise a `TrialError` when one label stands for several of the codes of a column.

    Examples
    --------
    >>> account = {"value_labels": {"arm": [[1, "Other"], [2, "Site"], [3, "Other"]]}}
    >>> refuse_shared_labels(pd.Series(["Site"], name="arm", dtype="category"), account)
    Traceback (most recent call last):
    tauhat.errors.TrialError: in column 'arm' the label 'Other' stands for the codes 1 and 3; ...
    """
    pairs = [] if account is None else account["value_labels"].get(column.name, [])
    for label, codes in _codes_by_label(pairs).items():
        if len(codes) > 1:
            raise TrialError(
                f"in column {column.name!r} the label {label!r} stands for the codes "
                f"{' and '.join(map(label_text, codes))}; give each code a label of its own"
            )


def as_codes(column: pd.Series[Any], account: Mapping[str, Any] | None) -> pd.Series[Any]:
    """A column of labelled values as the codes that stand in the file; others as they are.

    Examples
    --------
    >>> table = pd.DataFrame({"died": pd.Categorical(["no", "yes", None])})
    >>> account = {"value_labels": {"died": [[0, "no"], [1, "yes"]]}}
    >>> as_codes(table["died"], account).tolist()
    [0.0, 1.0, nan]
    """
    codes = codes_of(column, account)
    if not codes or not all(isinstance(code, (int, float)) for code in codes.values()):
        return column
    by_category = np.array([*(codes[c] for c in column.cat.categories), np.nan], dtype=np.float64)
    return pd.Series(by_category[column.cat.codes], index=column.index, name=column.name)


def label_values(table: pd.DataFrame, account: Account) -> pd.DataFrame:
    """Columns in which every value has a label, as categories in the order of the codes.

    A column with values that have none stays as it is, which is noted.

    Examples
    --------
    >>> account = Account("SPSS", value_labels={"arm": [[0, "Vehicle"], [1, "Low"]]})
    >>> label_values(pd.DataFrame({"arm": [1.0, 0.0]}), account)["arm"].cat.categories.tolist()
    ['Vehicle', 'Low']
    """
    made: dict[str, Any] = {}
    for name, pairs in account.value_labels.items():
        labels = {label_text(code): label for code, label in distinct_labels(pairs).items()}
        codes, levels = pd.factorize(table[name], use_na_sentinel=True)
        present = [label_text(level) for level in levels]
        without = sorted(text for text in present if text not in labels)
        if without:
            account.left_as_numbers[name] = (
                f"{len(without)} of {len(present)} different values have no label "
                f"({', '.join(without[:5])}{', ...' if len(without) > 5 else ''})"
            )
        elif present:
            ranks = {label: rank for rank, label in enumerate(labels.values())}
            by_level = np.array([*(ranks[labels[text]] for text in present), -1], dtype=np.int64)
            made[name] = pd.Categorical.from_codes(
                by_level[codes], categories=pd.Index(list(labels.values()))
            )
        by_label = _codes_by_label(pairs)
        repeated = sorted(
            {str(label) for _, label in pairs if len(by_label[label_text(label)]) > 1}
        )
        if repeated:
            account.notes.append(
                f"In {name!r} one label stands for several codes: {', '.join(repeated)}. They were "
                "kept apart, with the code beside the label."
            )
    return table.assign(**made) if made else table
