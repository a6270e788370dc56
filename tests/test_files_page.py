"""The page of the files that tauhat reads says what the code and the pins say."""

from __future__ import annotations

import re
from pathlib import Path

from tauhat.tables.formats import FORMATS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "files.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("Licences")[0].splitlines()
    if line.startswith("| ") and "`." in line
]


def test_every_extension_has_a_row_and_no_other() -> None:
    shown = {ending.lower() for row in ROWS for ending in re.findall(r"`(\.\w+)`", row[0])}
    assert shown == set(FORMATS)


def test_libraries_and_versions_are_those_of_the_pins() -> None:
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()[1:]
    )
    for row in ROWS:
        for ending in re.findall(r"`(\.\w+)`", row[0]):
            packages = [package for package, _ in FORMATS[ending.lower()].packages]
            assert row[1] == ", ".join(f"{name} {pins[name]}" for name in packages)


def test_the_extra_is_marked_where_a_package_of_it_is_needed() -> None:
    extra = set(
        re.findall(
            r'"([a-z-]+)[><=]',
            re.search(r"^files = .*$", (ROOT / "pyproject.toml").read_text("utf-8"), re.M)[0],
        )
    )
    for row in ROWS:
        needed = {
            p for e in re.findall(r"`(\.\w+)`", row[0]) for p, _ in FORMATS[e.lower()].packages
        }
        assert bool(needed & extra) == ("(extra)" in row[0])
