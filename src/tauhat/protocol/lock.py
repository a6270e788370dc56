"""The lock of an analysis plan: its content with a date, and a hash that tells of changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tauhat.errors import TrialError
from tauhat.runtime.json_file import read_json

LAYOUT = 1
_KEYS = ("layout", "date", "versions", "columns", "plan")


@dataclass(frozen=True)
class Lock:
    """A locked plan.

    Attributes
    ----------
    plan
        Content of the plan, as of `AnalysisPlan.record`.
    date
        Day on which it was locked, UTC, ISO 8601.
    versions
        Of Python and of the packages that the numbers depend on, on that day.
    columns
        Columns and their kinds of the blinded data that the plan was made with; None without.
    """

    plan: Mapping[str, Any]
    date: str
    versions: Mapping[str, str]
    columns: Mapping[str, str] | None = None

    @property
    def content(self) -> dict[str, Any]:
        """Everything that the hash is of."""
        return {
            "layout": LAYOUT,
            "date": self.date,
            "versions": dict(self.versions),
            "columns": None if self.columns is None else dict(self.columns),
            "plan": dict(self.plan),
        }

    @property
    def hash(self) -> str:
        """SHA-256 of the content, whatever the order of keys and the spaces between them.

        Examples
        --------
        >>> Lock({"title": "A"}, "2026-11-28", {}).hash[:12]
        '42b47b88927c'
        """
        canonical = json.dumps(self.content, sort_keys=True, ensure_ascii=True, allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def text(self) -> str:
        """The file."""
        whole = {"hash": self.hash, **self.content}
        return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_lock(path: str | Path) -> Lock:
    """A locked plan from its file.

    Parameters
    ----------
    path
        What `tauhat plan` wrote.

    Returns
    -------
    Lock

    Raises
    ------
    TrialError
        If there is no such file, it is no lock, or it was changed since it was written.
    """
    path = Path(path)
    no_lock = "is no lock of a plan: make one with `tauhat plan`"
    if path.is_dir():
        raise TrialError(f"{path} is a folder: name the lock in it, such as {path / 'plan.lock'}")
    found = read_json(path, no_lock)
    if not isinstance(found, dict) or not {"hash", "layout"} <= {*found} <= {"hash", *_KEYS}:
        raise TrialError(f"{path} {no_lock}")
    if found["layout"] != LAYOUT:
        raise TrialError(
            f"{path} was written by another version of tauhat (layout {found['layout']!r}, "
            f"this one reads {LAYOUT}): run it with that version"
        )
    try:
        lock = Lock(found["plan"], found["date"], found["versions"], found["columns"])
        hashed = lock.hash
    except (LookupError, TypeError, ValueError) as error:
        raise TrialError(f"{path} {no_lock}") from error
    if hashed != found["hash"]:
        raise TrialError(
            f"{path} was changed after it was locked: it says hash {str(found['hash'])[:12]}, its "
            f"content has {hashed[:12]}. Restore the file, or make a new plan with a new date"
        )
    return lock
