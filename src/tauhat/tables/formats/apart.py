"""Reading in a process of its own: a damaged file may end or swell that process, not this one."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd

from tauhat.errors import TrialError
from tauhat.tables.formats import FORMATS, Request

if TYPE_CHECKING:
    from tauhat.tables.account import Account

# Address space and seconds of computing: what libraries need, and more for each byte of the file.
_MEMORY = 3 * 1024**3
_MEMORY_A_BYTE = 40
_SECONDS = 120
_SECONDS_A_BYTE = 10e-6
# On a busy machine the clock runs so many times faster at most.
_BUSY = 30
_CODE = f"from {__name__} import _serve; _serve()"
# A limit that ends the process with a sentence and not with a signal.
_NO_MEMORY = 77
_OUT_OF_TIME = getattr(signal, "SIGXCPU", 0)


def read_apart(content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
    """Read the bytes of a file in a process of bounded memory and time.

    Parameters
    ----------
    content
        The file.
    request
        What is asked for; its suffix says by which format.

    Raises
    ------
    TrialError
        What the reader says, or that it came to no end.
    """
    seconds = _seconds(content)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CODE],
            input=pickle.dumps(request) + content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_BUSY * seconds,
            check=False,
            env=environment,
        )
        endless = done.returncode == -_OUT_OF_TIME
    except subprocess.TimeoutExpired:
        endless = True
    if endless:
        raise TrialError(f"{request.path} could not be read in {seconds} s: it may be damaged")
    if done.returncode == _NO_MEMORY:
        raise TrialError(
            f"{request.path} asks for more than {_memory(content) / 1024**3:.1f} GiB of memory to "
            "be read: it may be damaged"
        )
    if done.returncode != 0:
        raise TrialError(
            f"{request.path} cannot be read: the library that reads {request.suffix} files broke "
            "off; the file may be damaged"
        )
    answer = pickle.loads(done.stdout)
    if isinstance(answer, Exception):
        raise answer
    table, account = answer
    return table, account


def _memory(content: bytes) -> int:
    return _MEMORY + _MEMORY_A_BYTE * len(content)


def _seconds(content: bytes) -> int:
    return int(_SECONDS + _SECONDS_A_BYTE * len(content))


def _serve() -> None:
    """Read what stands on standard input and write the result to standard output."""
    source = sys.stdin.buffer
    request: Request = pickle.load(source)
    content = source.read()
    # Only the answer goes out, whatever a library prints.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    answer: Any
    try:
        _limit(_memory(content), _seconds(content))
        answer = FORMATS[request.suffix].read(content, request)
    except (TrialError, OSError) as error:
        answer = error
    except MemoryError:
        os._exit(_NO_MEMORY)
    pickle.dump(answer, out, protocol=5)
    out.close()


def _limit(n_bytes: int, seconds: int) -> None:
    """Bound the memory and the computing time of this process."""
    if sys.platform == "win32":
        return
    import resource

    for which, amount in ((resource.RLIMIT_AS, n_bytes), (resource.RLIMIT_CPU, seconds)):
        _, hard = resource.getrlimit(which)
        allowed = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(which, (allowed, hard))
