"""CPU seconds of the tests by file, of this process, its workers and what they call."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest


def cpu_seconds() -> float:
    """Of this process and of those that it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


class CpuByFile:
    """Measures each phase of a test where it runs, and adds up where the results arrive."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()
        self._mark = 0.0

    def pytest_runtest_logstart(self) -> None:
        self._mark = cpu_seconds()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        report = yield
        # Attributes of a report travel from the workers.
        self._mark, before = cpu_seconds(), self._mark
        report.cpu = self._mark - before
        return report

    def pytest_runtest_logreport(self, report: Any) -> None:
        file = report.nodeid.partition("::")[0]
        # A worker that is lost in a test leaves a report that nobody measured.
        self.seconds[file] += getattr(report, "cpu", 0.0)
        self.tests[file] += report.when == "setup"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section("CPU seconds by file")
        for file, seconds in self.seconds.most_common(40):
            terminalreporter.line(f"{seconds:7.1f}  {self.tests[file]:4d} tests  {file}")
        terminalreporter.line(f"{self.seconds.total():7.1f}  {self.tests.total():4d} tests")
