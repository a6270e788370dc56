"""Settings of a run: from the command line, from a TOML file, the command line winning."""

from __future__ import annotations

import csv
import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tauhat.errors import TrialError

DEFAULT_OUT = Path("tauhat-out")
BACKENDS = ("loky", "dask")


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Settings:
    """What a run needs to know; None means not said.

    Attributes
    ----------
    file
        The trial's table.
    outcome, treatment, control, arms, cluster, covariates, cluster_covariates, cluster_size
        Roles of the columns, as in `tauhat.Trial`.
    block, propensity, id, weight, endpoint, accept, normalise_labels
        Likewise.
    models
        ``("default",)``, ``("quick",)`` or names of estimators.
    jobs, seed, level, out
        Fits at once, seed, coverage of the intervals, output folder.
    seeds
        Number of other seeds with which all models are fitted again.
    patient_level, figures
        Whether the report shows single persons; whether figures are written too.
    higher_is_better
        Whether a larger outcome is good.
    backend, address
        Where fits run ("loky", "dask"), and a running Dask scheduler.
    """

    file: Path | None = None
    outcome: str | None = None
    treatment: str | None = None
    control: str | None = None
    arms: tuple[str, ...] | None = None
    cluster: str | None = None
    covariates: tuple[str, ...] | None = None
    cluster_covariates: tuple[str, ...] | None = None
    cluster_size: bool | None = None
    block: str | None = None
    propensity: float | None = None
    id: str | None = None
    weight: str | None = None
    endpoint: str | None = None
    accept: tuple[str, ...] | None = None
    normalise_labels: bool | None = None
    models: tuple[str, ...] | None = None
    jobs: int | None = None
    seed: int | None = None
    level: float | None = None
    higher_is_better: bool | None = None
    backend: str | None = None
    address: str | None = None
    out: Path | None = None
    seeds: int | None = None
    patient_level: bool | None = None
    figures: bool | None = None

    def over(self, other: Settings) -> Settings:
        """These settings, with what they leave out taken from ``other``."""
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(other, **{name: value for name, value in mine.items() if value is not None})

    def checked(self) -> Settings:
        """Return these settings with the defaults filled in.

        Raises
        ------
        TrialError
            If something required is missing or out of range.
        """
        for name, what in (
            ("file", "a file to read: tauhat run trial.csv ..."),
            ("outcome", "--outcome, the column of the outcome"),
            ("treatment", "--treatment, the column of the arm"),
        ):
            if getattr(self, name) is None:
                raise TrialError(f"missing {what}")
        defaults = Settings(
            models=("default",),
            jobs=available_cores(),
            seed=1,
            level=0.95,
            backend="loky",
            out=DEFAULT_OUT,
        )
        full = self.over(defaults)
        assert full.jobs is not None
        assert full.level is not None
        assert full.seed is not None
        if full.jobs < 1:
            raise TrialError(f"--jobs must be at least 1, got {full.jobs}")
        if not 0 < full.level < 1:
            raise TrialError(
                f"--level must lie between 0 and 1, got {full.level:g} (0.95 for 95 % intervals)"
            )
        if full.seeds is not None and full.seeds < 0:
            raise TrialError(f"--seeds must not be negative, got {full.seeds}")
        if full.backend not in BACKENDS:
            raise TrialError(
                f"--backend must be one of {', '.join(BACKENDS)}, got {full.backend!r}"
            )
        if full.address is not None and full.backend == "loky":
            raise TrialError("--address needs --backend dask")
        if full.seed < 0:
            raise TrialError(f"--seed must not be negative, got {full.seed}")
        if full.arms is not None and len(full.arms) != 2:
            raise TrialError(
                f"--arms needs the labels of two arms, control first, got {len(full.arms)}"
            )
        return full


def split_names(values: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names from comma lists; a name that holds a comma is written in double quotes.

    Examples
    --------
    >>> split_names(["age, female", '"bmi, kg/m2"'])
    ('age', 'female', 'bmi, kg/m2')
    """
    if not values:
        return None
    names = [name.strip() for row in csv.reader(values, skipinitialspace=True) for name in row]
    return tuple(name for name in names if name)


_TEXT = {"outcome", "treatment", "control", "cluster", "block", "id", "weight", "endpoint"}
_TEXT |= {"backend", "address"}
_LISTS = {"arms", "covariates", "cluster_covariates", "models", "accept"}
_PATHS = {"file", "out"}
_SWITCHES = {"cluster_size", "patient_level", "figures", "higher_is_better", "normalise_labels"}


def read_config(path: Path) -> Settings:
    """Settings of a TOML file; its keys are those of `Settings`, paths relative to the file.

    Raises
    ------
    TrialError
        If the file cannot be read, is not TOML, or has a key or a value that
        cannot be used.
    """
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError as error:
        raise TrialError(f"there is no file {path}") from error
    except OSError as error:
        raise TrialError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrialError(f"{path} is not TOML: {error}") from error
    return settings_from(content, path)


def settings_from(content: Mapping[str, Any], path: Path) -> Settings:
    """Settings from the content of a TOML file.

    Examples
    --------
    >>> settings_from({"outcome": "y", "cluster-size": True}, Path("t.toml")).cluster_size
    True
    """
    known = [f.name for f in fields(Settings)]
    values: dict[str, Any] = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
            raise TrialError(f"{path} has the unknown key {key!r}{hint}")
        values[name] = _convert(name, value, path)
    return Settings(**values)


def _convert(name: str, value: Any, path: Path) -> Any:
    def refuse(wanted: str) -> TrialError:
        return TrialError(f"{path}: {name} must be {wanted}, got {value!r}")

    plain_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name in _PATHS:
        if not isinstance(value, str):
            raise refuse("a path in quotes")
        return path.parent / value
    if name in _TEXT:
        # Arms coded 0 and 1 are numbers in TOML as well.
        if isinstance(value, str) or (name == "control" and plain_number):
            return str(value)
        raise refuse("a text in quotes")
    if name in _LISTS:
        if isinstance(value, str):
            return split_names([value])
        if isinstance(value, list) and all(isinstance(v, (str, int)) for v in value):
            return tuple(str(v) for v in value)
        raise refuse('a list such as ["age", "female"]')
    if name in _SWITCHES:
        if not isinstance(value, bool):
            raise refuse("true or false")
        return value
    if name in {"jobs", "seed", "seeds"}:
        if not isinstance(value, int) or isinstance(value, bool):
            raise refuse("a whole number")
        return value
    if not plain_number:
        raise refuse("a number")
    return float(value)
