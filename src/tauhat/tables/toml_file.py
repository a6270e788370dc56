"""TOML files of the command and of the words of a table."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tauhat.errors import TrialError

_HIGHER, _LOWER = "higher-is-better", "lower-is-better"


def one_direction(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Keys of a table, with which outcome is better under one of its two names.

    Parameters
    ----------
    content
        Keys, with dashes or underscores, and values.
    where
        The file, for the message.

    Raises
    ------
    TrialError
        If both names are there.

    Examples
    --------
    >>> one_direction({"outcome": "y", "lower-is-better": True}, "trial.toml")
    {'outcome': 'y', 'higher-is-better': False}
    """
    found = {key: key.replace("_", "-") for key in content}
    if {_HIGHER, _LOWER} <= set(found.values()):
        raise TrialError(f"{where} has both {_HIGHER} and {_LOWER}; give one of them")
    return {
        (_HIGHER if found[key] == _LOWER else key): (
            not value if found[key] == _LOWER and isinstance(value, bool) else value
        )
        for key, value in content.items()
    }


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file.

    Raises
    ------
    TrialError
        If the file cannot be read or is not TOML.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as error:
        raise TrialError(f"there is no file {path}") from error
    except OSError as error:
        raise TrialError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TrialError(f"{path} is not TOML: {error}") from error
