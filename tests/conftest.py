"""What every test shares: one thread a fit, the real trials, the browser."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

for _variable in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
):
    # Before NumPy is imported; a value that the caller chose stays.
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cpu-by-file", action="store_true", help="print the files whose tests cost most CPU"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--cpu-by-file"):
        from cpu_by_file import CpuByFile

        # A plugin, for the doctests lie outside this folder.
        config.pluginmanager.register(CpuByFile())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip browser tests, with the reason, where there is no Chromium."""
    if shutil.which("chromium"):
        return
    reason = pytest.mark.skip(reason="no chromium on the PATH (Debian: apt-get install chromium)")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(reason)


def pytest_collection_finish() -> None:
    """What was imported stays: the collector of cycles need not look at it after every test."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real trials, which lie next to the checkout and not in it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real trials are not here: no folder {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def quick_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Analyses without what takes most of a small one, for tests of other parts."""
    from cli_runs import leave_out_the_slow

    leave_out_the_slow(monkeypatch)


@pytest.fixture(scope="module")
def short_chains() -> Iterator[None]:
    """Intervals from short chains in a whole module, for tests that ask what is told of them."""
    from cli_runs import take_few_points

    with pytest.MonkeyPatch.context() as patch:
        take_few_points(patch)
        yield


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser, for tests marked ``browser``."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on the PATH (Debian: apt-get install chromium)")
    return path
