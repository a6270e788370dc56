"""Folders in which results wait until they are whole, told from what others put there."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from tauhat.errors import TrialError

# Begins the name of a folder that is still being written to, and useless once its writer is gone.
PART = ".tauhat-part-"
# Holds whole files that are yet to take their places, in the order of their names.
DECIDED = ".tauhat-decided"
# In it: the names of files that go, one a line.
GONE = "gone"


def holds_unfinished(folder: Path) -> bool:
    """Whether a folder is, by its name, one of those that results wait in.

    Examples
    --------
    >>> holds_unfinished(Path("out/.tauhat-decided")), holds_unfinished(Path("out"))
    (True, False)
    """
    return folder.name == DECIDED or (folder.name.startswith(".") and PART in folder.name)


def belongs(name: str) -> bool:
    """Whether a name is that of a file of a set, in its folder or in one folder within."""
    parts = name.split("/")
    return len(parts) <= 2 and not {"", ".", ".."} & set(parts)


def check_free(folder: Path, name: str) -> None:
    """Raise an OSError where a file cannot take its place: nothing has been changed yet."""
    if (folder / name).is_dir():
        raise OSError(errno.EISDIR, f"{folder / name} is a folder")
    within = (folder / name).parent
    if within != folder and os.path.lexists(within):
        found = within.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_dev != folder.stat().st_dev:
            raise OSError(
                errno.ENOTDIR,
                f"{within} is no plain folder (a link, a file or another disk); "
                "remove or rename it",
            )


def is_waiting(decided: Path) -> bool:
    """Whether a folder of decided files is there; an error where something else has its name."""
    if not os.path.lexists(decided):
        return False
    wrong = "a link" if decided.is_symlink() else "not a folder" if not decided.is_dir() else ""
    if not wrong and not all(map(_was_decided, decided.iterdir())):
        wrong = "a folder with other files in it"
    if wrong:
        raise TrialError(
            f"{decided} stands in the way: it is {wrong}, but the name is kept for results that "
            "wait to be put in place. Remove or rename it; nothing was changed"
        )
    return True


def _was_decided(path: Path) -> bool:
    """Whether `_write_among_others` can have made a file or folder."""
    if path.is_symlink():
        return False
    if path.name == GONE:
        return path.is_file() and all(map(belongs, path.read_text("utf-8").split("\n")))
    if not re.match(r"\d{3} .", path.name):
        return False
    return path.is_file() or (
        path.is_dir() and all(p.is_file() and not p.is_symlink() for p in path.iterdir())
    )
