"""Files that appear whole or not at all; text that no spreadsheet runs and no terminal obeys."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tauhat.errors import TrialError

# Characters that start a formula in a spreadsheet, their full-width forms included.
FORMULA_START = tuple("=+-@\t\r\n|%＝＋－＠")


def check_writable(folder: Path) -> None:
    """Raise a `TrialError` unless files can be made in ``folder``; nothing is left behind.

    Parameters
    ----------
    folder
        A folder, or one that is still to be made.

    Raises
    ------
    TrialError
        Naming the path in the way.

    Examples
    --------
    >>> import os
    >>> check_writable(Path(os.devnull) / "out")
    Traceback (most recent call last):
    tauhat.errors.TrialError: cannot write to /dev/null/out: /dev/null is not a folder
    """
    existing = folder
    try:
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if not existing.is_dir():
            raise TrialError(f"cannot write to {folder}: {existing} is not a folder")
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise TrialError(f"cannot write to {folder}: {error.strerror or error}") from error


def write_files(folder: Path, contents: Mapping[str, str | bytes]) -> list[Path]:
    """Write files into a folder so that each appears whole, the last one last.

    All contents are first written and flushed beside their targets; only then
    does each take its place by an atomic rename, in the order given. An
    interruption before the renames leaves the folder as it was.

    Parameters
    ----------
    folder
        Made when missing.
    contents
        Text or bytes by file name.

    Returns
    -------
    list of Path

    Raises
    ------
    TrialError
        If the folder cannot be written to.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_files(Path(folder), {"a.txt": "one"})[0].read_text()
    'one'
    """
    made: list[Path] = []
    scratch: Path | None = None
    done = False
    try:
        _make_folders(folder, made)
        scratch = Path(tempfile.mkdtemp(prefix=".tauhat-", dir=folder))
        for name, text in contents.items():
            _write_flushed(scratch / name, text)
        targets = [folder / name for name in contents]
        for name, target in zip(contents, targets, strict=True):
            os.replace(scratch / name, target)
        done = True
        return targets
    except OSError as error:
        raise TrialError(f"cannot write to {folder}: {error.strerror or error}") from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        if not done:
            for path in reversed(made):
                with contextlib.suppress(OSError):
                    path.rmdir()


def _make_folders(folder: Path, made: list[Path]) -> None:
    """Make a folder and its parents, noting those that were not there before."""
    for path in [path for path in (folder, *folder.parents) if not path.exists()][::-1]:
        path.mkdir(exist_ok=True)
        made.append(path)


def _write_flushed(path: Path, content: str | bytes) -> None:
    with path.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


def safe_cell(value: Any) -> Any:
    """A cell that a spreadsheet shows and does not run: formulas get a leading apostrophe.

    Examples
    --------
    >>> safe_cell("=1+1"), safe_cell("-4"), safe_cell("a=b"), safe_cell(-4)
    ("'=1+1", '-4', 'a=b', -4)
    """
    if not isinstance(value, str):
        return value
    start = value.lstrip(" \u00a0\ufeff\u200e\u200f\u202a\u202b\u2066\u2067")
    if not start.startswith(FORMULA_START):
        return value
    with contextlib.suppress(ValueError):
        float(value)
        return value
    return f"'{value}"


def printable(text: str) -> str:
    r"""Text without the characters that steer a terminal or turn the direction of writing.

    Examples
    --------
    >>> printable("a\x1b[31mb\u202ec\n")
    'a [31mb c\n'
    """
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def csv_text(table: pd.DataFrame) -> str:
    r"""A table as CSV: numbers to 10 digits, no cell from the data starts a formula.

    Examples
    --------
    >>> csv_text(pd.DataFrame({"@id": ["=x"], "effect": [0.5]}))
    "'@id,effect\n'=x,0.5\n"
    """
    safe = table.copy()
    for name in safe.columns:
        kind = safe[name].dtype
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)):
            # A missing cell stays missing and is written empty.
            safe[name] = safe[name].astype(object).map(_text_cell, na_action="ignore")
    safe.columns = pd.Index([safe_cell(str(name)) for name in safe.columns])
    text: str = safe.to_csv(index=False, float_format="%.10g", lineterminator="\n")
    return text


def _text_cell(value: Any) -> Any:
    return safe_cell(value if isinstance(value, (int, float)) else str(value))
