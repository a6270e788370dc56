"""What made a result: versions, seed, command, and the fingerprint of the data."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from tauhat.runtime.display import Shown

PACKAGES = (
    "tauhat",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "joblib",
    "lightgbm",
    "stochtree",
    "econml",
    "gpboost",
)


@dataclass(frozen=True)
class PlanFollowed:
    """The locked plan that a run follows.

    Attributes
    ----------
    date
        Day on which it was locked, ISO 8601.
    sha256
        Its hash.
    deviations
        Every deviation of the run from it, in sentences.
    average
        The average effect that it made primary: "individual" or "cluster".
    """

    date: str
    sha256: str
    deviations: tuple[str, ...] = ()
    average: str = "individual"

    @property
    def record(self) -> dict[str, Any]:
        """As ``run.json`` has it."""
        return {
            "date": self.date,
            "sha256": self.sha256,
            "deviations": list(self.deviations),
        }


@dataclass(frozen=True)
class Provenance(Shown):
    """How a result was made, enough to make it again.

    Attributes
    ----------
    versions
        Of Python and of the packages that the numbers depend on.
    seed
        Seed of the run.
    data_sha256
        SHA-256 of the input file, or of the table's contents when there was no file.
    source
        Name of the input file, or None.
    command
        The command as typed, or None when it was run from Python.
    finished
        Time of day when the analysis ended, UTC, ISO 8601.
    seconds
        Wall-clock seconds of each step.
    plan
        The locked plan that was followed, or None.
    """

    versions: Mapping[str, str]
    seed: int
    data_sha256: str
    source: str | None
    command: str | None
    finished: str
    seconds: Mapping[str, float]
    plan: PlanFollowed | None = None

    @property
    def text(self) -> str:
        """What made the result, in a sentence."""
        return (
            f"Made by tauhat {self.versions.get('tauhat', '')} from "
            f"{self.source or 'a table in memory'} with seed {self.seed}, finished "
            f"{self.finished}."
        )

    @property
    def table(self) -> pd.DataFrame:
        """One labelled row a fact."""
        facts: list[tuple[str, Any]] = [
            ("command", self.command or "run from Python"),
            ("data", self.source or "a table in memory"),
            ("SHA-256 of the data", self.data_sha256),
            ("seed", self.seed),
            ("finished (UTC)", self.finished),
            ("seconds", round(sum(self.seconds.values()), 1)),
            ("versions", ", ".join(f"{name} {number}" for name, number in self.versions.items())),
        ]
        return pd.DataFrame(facts, columns=["fact", "value"])


def package_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of the installed ones among ``packages``.

    Examples
    --------
    >>> list(package_versions(["tauhat", "no-such-package"]))
    ['tauhat', 'python', 'platform']
    """
    found: dict[str, str] = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {**found, "python": platform.python_version(), "platform": sys.platform}


def table_sha256(table: pd.DataFrame) -> str:
    """SHA-256 of a table's column names and values, in their order, whatever its index.

    Examples
    --------
    >>> first = pd.DataFrame({"a": [1, 2]})
    >>> table_sha256(first) == table_sha256(first.set_axis([7, 9]))
    True
    >>> table_sha256(first) == table_sha256(first.iloc[::-1])
    False
    """
    digest = hashlib.sha256(repr([str(name) for name in table.columns]).encode())
    for name in table.columns:
        column = table[name]
        if not (
            pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)
        ):
            column = column.astype(object).map(repr, na_action="ignore").astype(str)
        digest.update(pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def utc_now() -> str:
    """Time of day in UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
