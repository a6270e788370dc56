"""Runs the commands in the ``sh`` blocks of benchmarks/README.md; stops at the first that fails.

Usage: python benchmarks/run.py
       python benchmarks/run.py "Beside other packages"

With headings only their sections.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def commands(text: str, headings: list[str]) -> list[str]:
    """Commands of the sections with these headings, or of all; continued lines are joined."""
    sections = {part.split("\n", 1)[0]: part for part in re.split(r"^## ", text, flags=re.M)[1:]}
    chosen = "".join(sections[heading] for heading in headings or sections)
    blocks = re.findall(r"^```sh\n(.*?)^```", chosen, flags=re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def main() -> int:
    """Run them with this environment's programs first on the path."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    for command in commands((HERE / "README.md").read_text(encoding="utf-8"), sys.argv[1:]):
        print(f"$ {command}", flush=True)
        done = subprocess.run(command, shell=True, cwd=HERE.parent, env=environment, check=False)
        if done.returncode:
            print(f"failed with exit code {done.returncode}: {command}", file=sys.stderr)
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
