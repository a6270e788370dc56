"""Write the table of keys into docs/run-json.md: `python docs/run_json.py`."""

from __future__ import annotations

import re
from pathlib import Path

from tauhat.analysis.run_fields import field_table

PAGE = Path(__file__).resolve().parent / "run-json.md"
MARKS = ("<!-- keys: written by docs/run_json.py -->", "<!-- end of keys -->")


def with_table(text: str) -> str:
    """The page with its table as the records have it."""
    between = re.compile(f"{MARKS[0]}.*{MARKS[1]}", flags=re.DOTALL)
    return between.sub(lambda _: f"{MARKS[0]}\n\n{field_table()}\n\n{MARKS[1]}", text)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
