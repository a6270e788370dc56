"""Seeds that depend on a name, not on the order in which work is done."""

from __future__ import annotations

import zlib

import numpy as np


def derive_seed(seed: int, *key: str | int) -> int:
    """Seed of one unit of work, from the run's seed and the unit's own key.

    Two units with different keys get independent streams; the same key gets
    the same stream whatever ran before it, so results do not depend on the
    number of jobs or on the order of the work.

    Parameters
    ----------
    seed
        Seed of the run, a non-negative integer.
    *key
        Words and numbers that name the unit of work.

    Returns
    -------
    int
        A seed in ``[0, 2**31 - 1)``, which every engine accepts.

    Examples
    --------
    >>> derive_seed(1, "folds", 5) == derive_seed(1, "folds", 5)
    True
    >>> derive_seed(1, "folds", 5) == derive_seed(1, "folds", 3)
    False
    """
    words = [zlib.crc32(str(part).encode()) for part in key]
    state = np.random.SeedSequence([seed, *words]).generate_state(1, np.uint64)
    return int(state[0] % (2**31 - 1))


def resolve_seed(random_state: int | np.random.Generator | np.random.RandomState | None) -> int:
    """Turn any accepted ``random_state`` into an integer seed.

    Parameters
    ----------
    random_state
        ``None`` (fresh entropy), an integer, or a NumPy generator, from which
        one integer is drawn.

    Returns
    -------
    int
        A non-negative seed.

    Raises
    ------
    TypeError
        If ``random_state`` is none of these.
    ValueError
        If it is a negative integer.

    Examples
    --------
    >>> resolve_seed(7)
    7
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint32)[0] >> 1)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        if random_state < 0:
            raise ValueError(f"random_state must not be negative, got {random_state}")
        return int(random_state)
    raise TypeError(
        "random_state must be None, a non-negative integer or a NumPy generator, "
        f"got {type(random_state).__name__}"
    )
