"""JSON files that tauhat wrote and reads again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tauhat.errors import TrialError


def read_json(path: Path, otherwise: str) -> Any:
    """Content of a JSON file.

    Parameters
    ----------
    path
        The file.
    otherwise
        What to say of a file that is not JSON, after its name.

    Raises
    ------
    TrialError
        If there is no such file, it cannot be read, or it is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise TrialError(f"there is no file {path}") from error
    except OSError as error:
        raise TrialError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise TrialError(f"{path} {otherwise}") from error
