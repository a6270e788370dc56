"""Labels, units and labels of values that a file lacks, from a TOML file of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tauhat.errors import TrialError
from tauhat.tables.account import Account
from tauhat.tables.table_limits import close_names
from tauhat.tables.toml_file import read_toml

_TABLES = ("labels", "units", "values")


@dataclass(frozen=True)
class Descriptions:
    """Words for a table and its columns.

    Attributes
    ----------
    labels, units
        Label and unit by column.
    values
        For each column, the label of each code.
    title
        Title of the report.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    title: str | None = None

    def add_to(self, account: Account, columns: Iterable[str]) -> None:
        """Put the words into an account, before those of the file.

        Raises
        ------
        TrialError
            For a column that is not there.
        """
        names = list(columns)
        for what in _TABLES:
            for name in getattr(self, what):
                if name not in names:
                    raise TrialError(
                        f"{what} are given for {name!r}, which is no column"
                        f"{close_names(name, names)}"
                    )
        account.labels |= self.labels
        account.units |= self.units
        for name, labels in self.values.items():
            account.value_labels[name] = [[code, label] for code, label in labels.items()]
        account.heading = self.title or account.heading


def read_descriptions(path: str | Path) -> Descriptions:
    """Words of a TOML file.

    ``title = "..."``; in ``[labels]`` and ``[units]`` one line per column, such as
    ``sbp = "Systolic blood pressure"``; in ``[values.arm]`` one line per code, such as
    ``0 = "Usual care"``, in the order in which the report shows them.

    Raises
    ------
    TrialError
        If the file cannot be read, is not TOML or holds something else.
    """
    path = Path(path)
    return descriptions_of(read_toml(path), path)


def descriptions_of(content: Mapping[str, Any], path: Path) -> Descriptions:
    """Words from the content of a TOML file.

    Examples
    --------
    >>> found = descriptions_of({"labels": {"sbp": "Pressure"}, "values": {"arm": {"0": "Care"}}},
    ...                         Path("labels.toml"))
    >>> found.labels["sbp"], found.values["arm"]
    ('Pressure', {0: 'Care'})
    """
    unknown = [key for key in content if key not in ("title", *_TABLES)]
    if unknown:
        raise TrialError(
            f"{path} has the unknown key {unknown[0]!r}; known: title and the tables [labels], "
            "[units] and [values.COLUMN]"
        )
    title = content.get("title")
    if title is not None and not isinstance(title, str):
        raise TrialError(f"{path}: title must be a text in quotes, got {title!r}")
    values = content.get("values", {})
    if not isinstance(values, Mapping):
        raise TrialError(f"{path}: values are given by column, such as [values.arm]")
    return Descriptions(
        labels=_texts(content.get("labels", {}), "labels", path),
        units=_texts(content.get("units", {}), "units", path),
        values={
            str(name): {_code(code): text for code, text in _texts(given, name, path).items()}
            for name, given in values.items()
        },
        title=title,
    )


def _texts(given: Any, what: str, path: Path) -> dict[str, str]:
    if not isinstance(given, Mapping) or not all(isinstance(text, str) for text in given.values()):
        raise TrialError(f'{path}: {what} must be lines such as sbp = "Systolic blood pressure"')
    return {str(name): text for name, text in given.items()}


def _code(text: str) -> Any:
    """A key of TOML, which is always text, as the code that it is."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
