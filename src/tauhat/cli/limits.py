"""What the system allows this process, asked before the work."""

from __future__ import annotations

import sys

from tauhat.errors import TrialError

# The engines' libraries map 1.7 GiB and try again for ever when they cannot.
LEAST_ADDRESS_SPACE = 2 * 1024**3


def check_address_space() -> None:
    """Raise a `TrialError` when the address space is limited to less than a run maps.

    Examples
    --------
    >>> check_address_space()
    """
    limit = address_space()
    if limit is not None and limit < LEAST_ADDRESS_SPACE:
        raise TrialError(
            f"the address space of a process is limited to {limit / 1024**3:.2f} GiB (ulimit -v), "
            f"and tauhat needs {LEAST_ADDRESS_SPACE / 1024**3:.0f} GiB: raise the limit "
            "(ulimit -v unlimited)"
        )


def address_space() -> int | None:
    """Largest address space of this process in bytes; None without a limit."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def out_of_memory() -> str:
    """What to say when memory has run out."""
    limit = address_space()
    known = "" if limit is None else f" (limited to {limit / 1024**3:.2f} GiB, ulimit -v)"
    return f"memory ran out{known}: give it fewer jobs, fewer models or a larger machine"
