"""Standard output and error as they are: closed, full, unread, or of few letters."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from tauhat.cli.interrupts import Terminated
from tauhat.runtime.files import printable


def fill_closed_streams() -> None:
    """Give a stream that was closed (``>&-``) a place to go, before a file takes its number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))


@contextlib.contextmanager
def escapes_for_missing_letters() -> Iterator[None]:
    r"""Print ``\xe9`` where the terminal's encoding has no é, instead of failing."""
    strict = [
        stream
        for stream in (sys.stdout, sys.stderr)
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict"
    ]
    for stream in strict:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream in strict:
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors="strict")


def print_no_more() -> None:
    """Let what standard output did not take go, instead of trying once more at the end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def telling_what_was_written(where: object) -> Iterator[None]:
    """Print what there is to say on results that are safe; if that fails, they stay results.

    Parameters
    ----------
    where
        The place of the results.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (KeyboardInterrupt, Terminated) as error:
        error.add_note(f"the results are in {where}")
        raise
    except OSError as error:
        print_no_more()
        complain(
            f"note: the results are in {where}, but printing failed: {error.strerror or error}"
        )


def complain(text: str) -> None:
    """Say something on standard error in one line, if anybody can hear it."""
    with contextlib.suppress(OSError):
        print(f"tauhat: {' '.join(printable(text).split())}", file=sys.stderr)


def json_text(content: Any, *, ascii_only: bool = False) -> str:
    """A text of JSON, as in ``run.json``."""
    return json.dumps(content, indent=2, ensure_ascii=ascii_only, allow_nan=False) + "\n"


def print_json(content: Any) -> None:
    """Print JSON; letters that standard output does not have become JSON's own escapes."""
    text = json_text(content)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json_text(content, ascii_only=True)
    sys.stdout.write(text)
