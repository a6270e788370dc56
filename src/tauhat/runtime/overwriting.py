"""An input that would be lost to an output is refused before the work."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tauhat.errors import TrialError
from tauhat.runtime.waiting import holds_unfinished


def refuse_overwriting(inputs: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Raise a `TrialError` when a file that is read is one that will be written.

    Links of both kinds are followed: one file under two names is one file.

    Parameters
    ----------
    inputs
        Files to be read.
    outputs
        Files to be written, whether or not they are there.

    Raises
    ------
    TrialError
        Naming both.

    Examples
    --------
    >>> refuse_overwriting([Path("out/../trial.csv")], [Path("out/effects.csv")])
    >>> refuse_overwriting([Path("out/../out/effects.csv")], [Path("out/effects.csv")])
    Traceback (most recent call last):
    tauhat.errors.TrialError: out/../out/effects.csv is read and out/effects.csv is written, and \
both are one file: it would be lost. Choose another place for the results
    """
    written = list(outputs)
    for source in inputs:
        for target in written:
            if _are_one(source, target):
                raise TrialError(
                    f"{source} is read and {target} is written, and both are one file: it would "
                    "be lost. Choose another place for the results"
                )
        for folder in Path(os.path.realpath(source)).parents:
            if holds_unfinished(folder):
                raise TrialError(
                    f"{source} is read, but it lies in {folder}, where tauhat keeps results until "
                    "they are whole: move it to another folder"
                )


def _are_one(one: Path, other: Path) -> bool:
    try:
        return os.path.realpath(one) == os.path.realpath(other) or os.path.samefile(one, other)
    except OSError:
        # One of them is not there, or its links lead nowhere.
        return False
