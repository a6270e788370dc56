"""Damaged files of every format: read or refused, and never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="memory is bounded by setrlimit")

SCRIPT = Path(__file__).with_name("fuzz_formats.py")
# Files of the long search; TAUHAT_FUZZ_FILES asks for more or fewer.
MANY = int(os.environ.get("TAUHAT_FUZZ_FILES", "2000"))


@pytest.mark.slow
def test_thousands_of_damaged_files() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "2", str(MANY)],
        capture_output=True,
        text=True,
        check=False,
        timeout=7200,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    outcomes = json.loads(done.stdout.splitlines()[-1])
    print(outcomes)
    assert outcomes["read"] > 0.05 * MANY
    assert outcomes["refused"] > 0.05 * MANY
    assert outcomes.get("ended", 0) < 0.01 * MANY
    assert outcomes["largest_MiB"] < 2048
