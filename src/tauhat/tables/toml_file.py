"""TOML files of the command and of the words of a table."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from tauhat.errors import TrialError


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
