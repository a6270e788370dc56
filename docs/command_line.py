"""Write the table of options into docs/command-line.md: `python docs/command_line.py`."""

from __future__ import annotations

from pathlib import Path

from marked import with_table

from tauhat.cli.option import Option
from tauhat.cli.options import OPTIONS

PAGE = Path(__file__).resolve().parent / "command-line.md"
RECEIVERS = {"read": "read_table", "trial": "Trial", "analyze": "analyze"}


def table() -> str:
    """One line per option: its forms, its meaning and what holds without it."""
    lines = [
        "| Option | In a TOML file | In Python | Commands | Meaning | Default |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, OPTIONS.values())])


def _line(option: Option) -> str:
    value = f" {option.metavar}" if option.metavar else ""
    python = f"`{RECEIVERS[option.goes_to]}({option.keyword}=)`" if option.goes_to else ""
    cells = (
        f"`{option.shown}{value}`",
        f"`{option.key}`",
        python,
        ", ".join(option.commands),
        option.help,
        option.otherwise,
    )
    return f"| {' | '.join(cells)} |"


def renewed(text: str) -> str:
    """The page with its table as the records have it."""
    return with_table(text, "options", "command_line.py", table())


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
