"""Print the oldest versions that pyproject.toml admits as constraints, for `make oldest`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
#: Not needed by the tests that `make oldest` runs.
LEFT_OUT = ("docs", "ray")


def lower_bounds(pyproject: Path = PYPROJECT) -> dict[str, str]:
    """Lowest version of each dependency by name; all but those for types have one."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"]]
    for extra, requirements in extras.items():
        wanted += requirements if extra not in LEFT_OUT else []
    found = {}
    for requirement in wanted:
        match = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?>=([\d.]+)(?:,\s*<[\d.]+)?", requirement)
        if match:
            found[match[1]] = match[2]
    return found


if __name__ == "__main__":
    print("\n".join(f"{name}=={version}" for name, version in lower_bounds().items()))
