"""How far a run is: a bar on a terminal, a line that is renewed in a notebook, lines in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from html import escape
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tauhat.errors import TrialError

SECONDS_BETWEEN_LINES = 10.0


class ProgressDisplay(Protocol):
    """What `tauhat.analyze` reports to; used as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` parts of a step are done."""


class LiveBar:
    """A bar that is redrawn in place."""

    def __init__(self, stream: TextIO) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._step = ""
        self._task = self._progress.add_task("", total=1, visible=False)

    def __enter__(self) -> Self:
        # A terminal that is gone must not end the work, nor hide what did.
        with contextlib.suppress(OSError):
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._progress.stop()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Move the bar."""
        if step != self._step:
            self._step = step
            self._progress.reset(self._task)
        with contextlib.suppress(OSError):
            self._progress.update(
                self._task, description=step, completed=done, total=total, visible=True
            )


def say(stream: TextIO, text: str, end: str = "\n") -> None:
    """Print at once; a stream that is full or gone must not end the work.

    Examples
    --------
    >>> say(sys.stdout, "5 of 9")
    5 of 9
    """
    with contextlib.suppress(OSError):
        print(text, end=end, file=stream, flush=True)


class Log:
    """Lines of a log, which needs one now and then and not one a fit."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = float("-inf")

    @property
    def due(self) -> bool:
        """Whether the last line was long ago."""
        return time.monotonic() - self._last >= SECONDS_BETWEEN_LINES

    def line(self, seconds: float, text: str) -> None:
        """Write a line with the seconds since the start."""
        self._last = time.monotonic()
        say(self._stream, f"tauhat: {seconds:6.1f} s  {text}")


class PlainLines:
    """One line at the start of each step, and now and then within long ones."""

    def __init__(self, stream: TextIO) -> None:
        self._log = Log(stream)
        self._step = ""
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def __call__(self, step: str, done: int, total: int) -> None:
        """Print a line if it is time for one."""
        if step == self._step and not self._log.due:
            return
        new_step, self._step = step != self._step, step
        count = "" if new_step and done == 0 else f": {done} of {total}"
        self._log.line(time.monotonic() - self._start, f"{step}{count}")


class NotebookCell:
    """A bar below the cell of a notebook, renewed in place."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None
        self._start = time.monotonic()
        self._last = ("", 0, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._handle is None:
            return
        how = "done" if error is None else f"stopped while {escape(self._last[0])}"
        self._show(f"tauhat: {how}, {time.monotonic() - self._start:.0f} s")

    def __call__(self, step: str, done: int, total: int) -> None:
        """Renew the bar."""
        self._last = (step, done, total)
        # Without a value the browser shows that something runs.
        value = f' value="{done}"' if done else ""
        self._show(
            f'<progress{value} max="{max(total, 1)}" aria-label="progress"></progress> '
            f"{escape(step)}: {done} of {total}, {time.monotonic() - self._start:.0f} s"
        )

    def _show(self, inner: str) -> None:
        content = self._display.HTML(f"<div>{inner}</div>")
        if self._handle is None:
            self._handle = self._display.display(content, display_id=True)
        else:
            self._handle.update(content)


def _notebook() -> Any:
    """``IPython.display`` when this process is the kernel of a notebook, else None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if not hasattr(shell, "kernel"):
        return None
    from importlib import import_module

    return import_module("IPython.display")


def check_progress(progress: Any) -> None:
    """Raise a `TrialError` unless progress is shown, is not, or is told to a function.

    Examples
    --------
    >>> check_progress("no")
    Traceback (most recent call last):
    tauhat.errors.TrialError: progress must be True, False or a function, got 'no'
    """
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise TrialError(f"progress must be True, False or a function, got {progress!r}")


def progress_display(stream: TextIO | None = None) -> ProgressDisplay:
    """A live bar on a terminal, a renewed line in a notebook, plain lines elsewhere.

    Parameters
    ----------
    stream
        Where to write; None for standard error, or the notebook's cell.

    Examples
    --------
    >>> import io
    >>> type(progress_display(io.StringIO())).__name__
    'PlainLines'
    """
    if stream is None:
        display = _notebook()
        if display is not None:
            return NotebookCell(display)
        stream = sys.stderr
    return LiveBar(stream) if stream.isatty() else PlainLines(stream)
