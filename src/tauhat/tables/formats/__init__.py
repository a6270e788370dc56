"""Formats of files: one module a family, and the table of which reads what."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pandas as pd

from tauhat.errors import TrialError

if TYPE_CHECKING:
    from tauhat.tables.account import Account


@dataclass(frozen=True)
class Request:
    """What is asked of a reader.

    Attributes
    ----------
    path
        The file's name in messages.
    suffix
        Its extension in lower case, with the dot.
    labels
        Columns of labels, which are read as they stand in the file.
    table
        Which table of several is meant, or None.
    max_bytes
        Largest table in bytes.
    """

    path: str
    suffix: str
    labels: frozenset[str]
    table: str | None
    max_bytes: int


@dataclass(frozen=True)
class Format:
    """A family of files.

    Attributes
    ----------
    name
        What people call it.
    module
        Module in `tauhat.tables.formats` whose ``read(content, request)`` returns the table and
        an `Account`.
    packages
        Packages that read it: name to install, module to import.
    apart
        Whether it is read in a process of its own, of bounded time and memory, because a
        damaged file may end the process of the library that reads it.
    """

    name: str
    module: str
    packages: tuple[tuple[str, str], ...]
    apart: bool = True

    @property
    def library(self) -> str:
        """Packages with their versions."""
        return ", ".join(f"{package} {version(package)}" for package, _ in self.packages)

    def read(self, content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
        """Read a file in this process."""
        read = import_module(f"{__name__}.{self.module}").read
        try:
            table, account = read(content, request)
        except (TrialError, OSError, MemoryError):
            raise
        except Exception as error:
            if not self.apart:
                raise
            # What is wrong with a damaged file shows anywhere in the library or after it.
            raise TrialError(
                f"{request.path} is not a whole {self.name} file: {error or type(error).__name__}"
            ) from error
        account.library = self.library
        account.n_rows = len(table)
        return table, account


_PANDAS, _ARROW = ("pandas", "pandas"), ("pyarrow", "pyarrow")
_READSTAT = ("pyreadstat", "pyreadstat")
_TEXT = Format("delimited text", "delimited", (_PANDAS,), apart=False)
_SPSS = Format("SPSS", "spss", (_READSTAT,))
_R = Format("R", "r_data", (("rdata", "rdata"),))
_PARQUET = Format("Parquet", "parquet", (_ARROW,), apart=False)

FORMATS: dict[str, Format] = {
    ".csv": _TEXT,
    ".tsv": _TEXT,
    ".txt": _TEXT,
    ".parquet": _PARQUET,
    ".pq": _PARQUET,
    ".feather": Format("Feather", "feather", (_ARROW,)),
    ".xlsx": Format("Excel", "excel", (("python-calamine", "python_calamine"),)),
    ".dta": Format("Stata", "stata", (_PANDAS, _READSTAT)),
    ".sav": _SPSS,
    ".zsav": _SPSS,
    ".por": _SPSS,
    ".xpt": Format("SAS transport", "sas_transport", (_READSTAT,)),
    ".sas7bdat": Format("SAS", "sas", (_READSTAT,)),
    ".rds": _R,
    ".rdata": _R,
    ".rda": _R,
}


def format_of(path: str, suffix: str) -> Format:
    """The format of a file, by its extension.

    Raises
    ------
    TrialError
        For an unknown extension, or one whose library is not there.

    Examples
    --------
    >>> format_of("trial.sav", ".sav").name
    'SPSS'
    """
    if suffix not in FORMATS:
        raise TrialError(
            f"{path} has the unknown extension {suffix!r}; known: {', '.join(sorted(FORMATS))}"
        )
    found = FORMATS[suffix]
    if any(find_spec(module) is None for _, module in found.packages):
        raise TrialError(f"reading {suffix} needs the extra: pip install 'tauhat[files]'")
    return found
