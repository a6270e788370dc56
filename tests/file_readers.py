"""Reading files in tests: in this process, which is quicker than in one of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from tauhat.tables import reading
from tauhat.tables.account import Account
from tauhat.tables.formats import FORMATS, Request

FILES = Path(__file__).resolve().parent / "files"


def read_here(content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
    """Stands for `read_apart`, without a process."""
    return FORMATS[request.suffix].read(content, request)


def read(path: Path, **options: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table and account of a file."""
    table = reading.read_table(path, **options)
    return table, table.attrs["file"]
