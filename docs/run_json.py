"""Write the table of keys into docs/run-json.md: `python docs/run_json.py`."""

from __future__ import annotations

from pathlib import Path

from marked import with_table

from tauhat.analysis.contrast_schema import RunOfArms
from tauhat.analysis.run_fields import field_table

PAGE = Path(__file__).resolve().parent / "run-json.md"


def renewed(text: str) -> str:
    """The page with its table as the records have it."""
    text = with_table(text, "keys", "run_json.py", field_table())
    return with_table(text, "keys of several arms", "run_json.py", field_table(RunOfArms))


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
