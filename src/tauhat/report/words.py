"""Labels of columns in place of their names: the words of the report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tauhat.report.text import Run
from tauhat.report.view import ReportInput, Section, TableView

# What repeats the run must stay as it was typed; what was read says the names.
_VERBATIM = frozenset({"rerun", "command", "data", "versions"})
# Keys of run.json that hold rules such as "age > 60 and sex = male", and lists of names.
_RULES = frozenset({"rule", "group", "subgroup", "modifier", "comparison"})
_LISTS = frozenset({"basis", "notes", "method"})


def words_of_columns(run: Run) -> dict[str, str]:
    """Words for each column that has a label or a unit.

    Columns with the same label keep their name beside it.

    Examples
    --------
    >>> read = {"labels": {"sbp": "Systolic pressure", "a": "Age", "b": "Age"},
    ...         "units": {"sbp": "mmHg"}}
    >>> words_of_columns({"data": {"read": read}})
    {'sbp': 'Systolic pressure (mmHg)', 'a': 'Age (a)', 'b': 'Age (b)'}
    """
    read = run["data"].get("read")
    if read is None:
        return {}
    labels, units = read["labels"], read["units"]
    times = Counter(labels.values())
    words = {}
    for name in dict.fromkeys([*labels, *units]):
        label = labels.get(name, name)
        if name in labels and times[label] > 1:
            label = f"{label} ({name})"
        words[name] = f"{label} ({units[name]})" if name in units else label
    return words


def labelled_run(run: Run) -> Run:
    """Content of ``run.json`` with the columns' labels in place of their names."""
    words = words_of_columns(run)
    changed: Run = _Change(words)(dict(run)) if words else run
    return changed


def labelled(data: ReportInput) -> ReportInput:
    """Results of a report with the columns' labels in place of their names."""
    words = words_of_columns(data.run)
    if not words:
        return data
    change = _Change(words)
    return replace(
        data,
        run=change(dict(data.run)),
        frame=data.frame.rename(columns=words),
        check_table=data.check_table.map(change),
        balance=data.balance.assign(covariate=data.balance["covariate"].map(change)),
    )


class _Change:
    """Puts words in place of names: alone, quoted, before a level, in rules and in lists."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = words
        longest_first = sorted(map(re.escape, words), key=len, reverse=True)
        names = "|".join(longest_first)
        level = r"(?==| \(missing\))"
        self._quoted = re.compile(rf"(?<=')(?:{names})(?:(?=')|{level})")
        self._first = re.compile(rf"^(?:{names})(?:$|(?=: )|{level})")
        self._in_rules = re.compile(
            rf"(?<![\w.])(?:{names})(?= (?:<|>|=))|(?<=[<>=] )(?:{names})\b"
        )
        self._in_lists = re.compile(rf"(?<=[:,] )(?:{names})(?=[;,.]|$)")

    def __call__(self, value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            patterns = [self._first, self._quoted]
            patterns += [self._in_rules] if key in _RULES else []
            patterns += [self._in_lists] if key in _LISTS else []
            for pattern in patterns:
                value = pattern.sub(lambda found: self._words[found[0]], value)
            return value
        if isinstance(value, Mapping):
            return {k: item if k in _VERBATIM else self(item, k) for k, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self(item, key) for item in value]
        return value


def file_section(data: ReportInput) -> Section | None:
    """What was read of the file, with the name of each column that is shown by its label."""
    read = data.run["data"].get("read")
    if read is None or not (read["labels"] or read["value_labels"] or read["where"]):
        return None
    tables = []
    words = words_of_columns(data.run)
    if words:
        rows = [[word, name, read["formats"].get(name, "")] for name, word in words.items()]
        tables.append(TableView("Columns", ["In this report", "In the file", "Format"], rows, 3))
    if read["value_labels"]:
        rows = [
            [words.get(name, name), ", ".join(f"{code} {label}" for code, label in pairs)]
            for name, pairs in read["value_labels"].items()
        ]
        tables.append(TableView("Codes and labels", ["Column", "Codes"], rows, 2))
    named = f" (table {read['table']})" if read["table"] else ""
    kept = ""
    if read["where"]:
        kept = (
            f" The analysis keeps the rows with {read['where']}: "
            f"{read['rows'] - read['rows_dropped']:,} of them."
        )
    return Section(
        "file",
        "The data file",
        paragraphs=[f"{read['format']}{named}, {read['rows']:,} rows.{kept}"],
        tables=tables,
        collapsed=True,
    )
