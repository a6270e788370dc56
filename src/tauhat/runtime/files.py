"""Files that appear whole or not at all; text that no spreadsheet runs and no terminal obeys."""

from __future__ import annotations

import contextlib
import errno
import io
import math
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tauhat.errors import TrialError
from tauhat.runtime.waiting import DECIDED, GONE, PART, belongs, check_free, is_waiting

if TYPE_CHECKING:
    import pandas as pd

# Characters that start a formula in a spreadsheet, their full-width forms included.
FORMULA_START = tuple("=+-@\t\r\n|%＝＋－＠")


class PatientLevel(str):
    """Text about single persons; only its owner may read the file that it is written to."""

    __slots__ = ()


class PatientLevelBytes(bytes):
    """The same for contents that are no text."""

    __slots__ = ()


def check_writable(folder: Path, names: Collection[str] = ()) -> None:
    """Raise a `TrialError` unless files can be made in ``folder``; nothing is left behind.

    Parameters
    ----------
    folder
        A folder, or one that is still to be made.
    names
        Files to be written there, as in `write_files`.

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
        for name in names:
            check_free(folder, name)
    except OSError as error:
        raise TrialError(f"cannot write to {folder}: {error.strerror or error}") from error


def open_regular(path: Path) -> io.FileIO:
    """Open a regular file for reading; a pipe or a device could keep its reader for ever.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    OSError
        If it cannot be opened or is something else than a file.

    Examples
    --------
    >>> open_regular(Path(os.devnull))
    Traceback (most recent call last):
    OSError: [Errno 22] it is a folder, a pipe or a device, not a file: '/dev/null'
    """
    flags = os.O_RDONLY
    for name in ("O_BINARY", "O_CLOEXEC", "O_NOCTTY", "O_NONBLOCK"):
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        reason = "it is a folder, a pipe or a device, not a file"
        raise OSError(errno.EINVAL, reason, str(path))
    return io.FileIO(descriptor)


def write_files(
    folder: Path, contents: Mapping[str, str | bytes], *, gone: Collection[str] = ()
) -> list[Path]:
    """Write files into a folder as one set: all of them, or none, whatever happens meanwhile.

    Everything is first written and flushed to a hidden folder. A folder that was
    not there yet appears by one rename. In a folder that was there, one rename
    decides for the new set; then the old file of the last name is removed, the
    files that are to go are removed, and the new files take their places, that of
    the last name last. So the last file is a seal: where it stands, the set is
    whole. A process that is killed before
    the decision leaves the folder as it was; one killed after it leaves a rest
    that `settle` (or the next call) puts in place. Writers of the same folder
    wait for each other.

    Parameters
    ----------
    folder
        Made when missing.
    contents
        Text or bytes by file name; ``"figures/age.svg"`` is in a folder of its own
        within the set. `PatientLevel` text is readable by its owner only, from
        the moment its file exists.
    gone
        Files of an earlier set, named likewise, that the new one does not have:
        they are removed with it. A folder that is empty then is removed too.

    Returns
    -------
    list of Path

    Raises
    ------
    TrialError
        If the folder cannot be written to; it is then as it was.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_files(Path(folder), {"a.txt": "one"})[0].read_text()
    'one'
    """
    for name in (*contents, *gone):
        if not belongs(name) or (name in gone and "\n" in name):
            raise ValueError(f"{name!r} is no name of a file in a set")
    made: list[Path] = []
    done = False
    try:
        if not folder.exists():
            target = Path(os.path.realpath(folder))
            _make_folders(target.parent, made)
            done = _write_new_folder(target, contents)
        if not done:
            _write_among_others(folder, contents, gone)
            done = True
        return [folder / name for name in contents]
    except OSError as error:
        raise TrialError(f"cannot write to {folder}: {error.strerror or error}") from error
    finally:
        if not done:
            for path in reversed(made):
                with contextlib.suppress(OSError):
                    path.rmdir()


def settle(folder: Path) -> None:
    """Put in place what a killed writer had decided on, and clear away what it had not.

    Parameters
    ----------
    folder
        Where `write_files` wrote or was to write.

    Raises
    ------
    TrialError
        If the folder cannot be written to.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / ".tauhat-decided").mkdir()
    ...     written = (Path(folder) / ".tauhat-decided" / "000 a.txt").write_text("one")
    ...     settle(Path(folder))
    ...     [(path.name, path.read_text()) for path in Path(folder).iterdir()]
    [('a.txt', 'one')]
    """
    target = Path(os.path.realpath(folder))
    try:
        if target.is_dir():
            with _only_writer(target) as alone:
                _put_in_place(target)
                _clear(target, PART, alone)
        elif target.parent.is_dir():
            with _only_writer(target.parent) as alone:
                _clear(target.parent, _part_of(target), alone)
    except OSError as error:
        raise TrialError(f"cannot write to {folder}: {error.strerror or error}") from error


def _part_of(folder: Path) -> str:
    return f".{folder.name[:40]}{PART}"


def _write_new_folder(folder: Path, contents: Mapping[str, str | bytes]) -> bool:
    """Make a folder with its files by one rename; False if another process made it meanwhile."""
    with _only_writer(folder.parent) as alone:
        _clear(folder.parent, _part_of(folder), alone)
        part = folder.parent / f"{_part_of(folder)}{secrets.token_hex(6)}"
        try:
            _fill(part, contents)
            try:
                part.rename(folder)
            except OSError:
                if folder.exists():
                    return False
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        sync_folder(folder.parent)
        return True


def _write_among_others(
    folder: Path, contents: Mapping[str, str | bytes], gone: Collection[str]
) -> None:
    """Replace some files of a folder, all or none of them."""
    with _only_writer(folder) as alone:
        _put_in_place(folder)
        _clear(folder, PART, alone)
        for name in (*contents, *gone):
            check_free(folder, name)
        part = folder / f"{PART}{secrets.token_hex(6)}"
        order = {top: k for k, top in enumerate(dict.fromkeys(n.split("/")[0] for n in contents))}
        numbered = {f"{order[n.split('/')[0]]:03d} {n}": text for n, text in contents.items()}
        try:
            _fill(part, {**numbered, **({GONE: "\n".join(gone)} if gone else {})})
            part.rename(folder / DECIDED)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        sync_folder(folder)
        try:
            _put_in_place(folder)
        finally:
            # An interrupt between two renames must not leave half a set.
            _put_in_place(folder)


def _put_in_place(folder: Path) -> None:
    """Give the files that were decided on their places, the last one last."""
    decided = folder / DECIDED
    if not is_waiting(decided):
        return
    numbered = sorted(path.name for path in decided.iterdir() if path.name != GONE)
    going = decided / GONE
    if len(numbered) > 1:
        (folder / numbered[-1][4:]).unlink(missing_ok=True)
        sync_folder(folder)
    if going.exists():
        names = going.read_text("utf-8").split("\n")
        for name in names:
            (folder / name).unlink(missing_ok=True)
        for within in {(folder / name).parent for name in names} - {folder}:
            with contextlib.suppress(OSError):
                within.rmdir()
        going.unlink()
    for name in numbered:
        _move(decided / name, folder / name[4:])
    sync_folder(folder)
    decided.rmdir()


def _move(source: Path, target: Path) -> None:
    """Move a file to its place, or the files of a folder to that folder's place."""
    if not source.is_dir():
        os.replace(source, target)
        return
    target.mkdir(exist_ok=True)
    for path in sorted(source.iterdir()):
        os.replace(path, target / path.name)
    sync_folder(target)
    source.rmdir()


def _clear(folder: Path, prefix: str, alone: bool) -> None:
    """Remove what killed writers left; only where no living one can be at work."""
    if alone:
        for path in folder.iterdir():
            if path.name.startswith(prefix):
                shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _only_writer(folder: Path) -> Iterator[bool]:
    """Keep other writers out of a folder; False where the system has no such locks.

    The system lets go of the lock with the process, however that ends.
    """
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        alone = True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            alone = False
        yield alone
    finally:
        with contextlib.suppress(OSError):
            # A process forked meanwhile has the handle too.
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _make_folders(folder: Path, made: list[Path]) -> None:
    """Make a folder and its parents, noting those that were not there before."""
    for path in [path for path in (folder, *folder.parents) if not path.exists()][::-1]:
        path.mkdir(exist_ok=True)
        made.append(path)


def _fill(folder: Path, contents: Mapping[str, str | bytes]) -> None:
    """Make a folder and write files that are on the disk when this returns."""
    folder.mkdir()
    for name, text in contents.items():
        (folder / name).parent.mkdir(exist_ok=True)
        _write_flushed(folder / name, text)
    for path in {(folder / name).parent for name in contents} | {folder}:
        sync_folder(path)


def _write_flushed(path: Path, content: str | bytes) -> None:
    mode = 0o600 if isinstance(content, (PatientLevel, PatientLevelBytes)) else 0o666
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    with open(handle, "wb") as file:
        # Half a character, as of a file name that is not UTF-8, is written as an escape.
        file.write(
            content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
        )
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder are on the disk, where the system can.

    Examples
    --------
    >>> sync_folder(Path())
    """
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
    >>> printable("a file name that is not UTF-8: \udcff")
    'a file name that is not UTF-8: \\udcff'
    """
    whole = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() or c == "\n" else " " for c in whole)


def csv_text(table: pd.DataFrame) -> str:
    r"""A table as CSV: numbers to 10 digits, no cell from the data starts a formula.

    Examples
    --------
    >>> import pandas as pd
    >>> csv_text(pd.DataFrame({"@id": ["=x"], "effect": [0.5]}))
    "'@id,effect\n'=x,0.5\n"
    """
    import pandas as pd

    safe = table.copy()
    for name in safe.columns:
        kind = safe[name].dtype
        if kind == "float64":
            # As `float_format` does it, but quicker; a missing number is written empty.
            cells = [None if math.isnan(v) else f"{v:.10g}" for v in safe[name].tolist()]
            safe[name] = pd.Series(cells, index=safe.index, dtype=object)
        elif not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)):
            # A missing cell stays missing and is written empty.
            safe[name] = safe[name].astype(object).map(_text_cell, na_action="ignore")
    safe.columns = pd.Index([safe_cell(str(name)) for name in safe.columns])
    text: str = safe.to_csv(index=False, float_format="%.10g", lineterminator="\n")
    return text


def _text_cell(value: Any) -> Any:
    return safe_cell(value if isinstance(value, (int, float)) else str(value))
