"""A batch of tasks that this process and its workers do together."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import joblib
from joblib.parallel import BatchedCalls

from tauhat.runtime.workers import FewerWorkers

# So often a process that waits looks up: on Windows Ctrl-C is not heard meanwhile.
_SECONDS_BETWEEN_LOOKS = 0.5
# For so long Python lets a task here go on before the threads that hand a worker its next
# task have their turns. With its own 5 milliseconds a worker is idle for 10 between tasks.
_SECONDS_OF_A_TURN = 0.0005


def share(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    n_jobs: int,
    backend: FewerWorkers,
) -> Generator[tuple[int, Any], None, None]:
    """Position and result of each task as it is ready, for one worker fewer than jobs.

    Whoever is free takes the next task, this process too, and none waits behind another
    that still runs. When a task fails, or nobody wants the rest, no task runs on.

    Parameters
    ----------
    function
        A picklable function.
    tasks
        Argument tuples.
    n_jobs
        Number of tasks at once, at least two.
    backend
        The workers.

    Raises
    ------
    BrokenProcessPool
        If a worker was ended from outside.

    Examples
    --------
    >>> from tauhat.runtime.workers import fewer_workers
    >>> sorted(share(pow, [(2, 3), (3, 2), (4, 2)], 2, fewer_workers()))
    [(0, 8), (1, 9), (2, 16)]
    """
    # It holds the workers' settings, and the files on which they share large arrays.
    with joblib.Parallel(n_jobs=n_jobs, backend=backend) as parallel:
        batch = _Batch(function, tasks, backend, parallel._id)
        try:
            with _short_turns():
                for _ in range(n_jobs - 1):
                    batch.hand_over()
                yield from batch.results()
        except BaseException:
            batch.close()
            backend.abort_everything(ensure_ready=False)
            raise


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let other threads have their turns soon; not for a thread that is itself one of several."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SECONDS_OF_A_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class _Batch:
    """Tasks in their order, of which everybody takes the next one."""

    def __init__(
        self,
        function: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        backend: FewerWorkers,
        name: str,
    ) -> None:
        self._function = function
        self._tasks = tasks
        self._backend = backend
        # Several batches at once, of threads, have the same workers and a folder each.
        files = backend._workers._temp_folder_manager
        self._choose_folder = partial(files.set_current_context, name)
        # Both may be used by threads without a lock.
        self._left = deque(range(len(tasks)))
        self._ready: SimpleQueue[tuple[int, Future[Any]]] = SimpleQueue()

    def results(self) -> Iterator[tuple[int, Any]]:
        """Do tasks here until all are done, and tell of those done by workers in between."""
        for _ in self._tasks:
            told = self._told()
            position = self._take() if told is None else None
            if position is not None:
                yield position, self._call(position)()[0]
                continue
            while told is None:
                told = self._told(_SECONDS_BETWEEN_LOOKS)
            position, future = told
            yield position, self._backend.retrieve_result_callback(future)[0]

    def hand_over(self) -> None:
        """Give a worker the next task if one is left, and so on when that is done."""
        position = self._take()
        if position is None:
            return
        try:
            future = self._backend.submit(self._call(position))
        except Exception as error:
            # In a thread of the workers nobody would hear of it.
            future = Future()
            future.set_exception(error)
        future.add_done_callback(partial(self._finish, position))

    def close(self) -> None:
        """Let nobody take another task."""
        self._left.clear()

    def _finish(self, position: int, future: Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None:
            self.hand_over()
        self._ready.put((position, future))

    def _take(self) -> int | None:
        try:
            return self._left.popleft()
        except IndexError:
            return None

    def _told(self, seconds: float = 0) -> tuple[int, Future[Any]] | None:
        """What a worker has done, if one has within so many seconds."""
        try:
            return self._ready.get(timeout=seconds)
        except Empty:
            return None

    def _call(self, position: int) -> BatchedCalls:
        """A task as joblib runs it, here or in a worker: what it starts itself runs in threads."""
        one: tuple[Any, ...] = (self._function, self._tasks[position], {})
        return BatchedCalls([one], self._backend.get_nested_backend(), self._choose_folder)
