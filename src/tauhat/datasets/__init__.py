"""Trials to try things on: a synthetic look-alike of TASSH, and real ones from other packages."""

from tauhat.datasets.look_alike import (
    TASSH_ARMS,
    load_tassh,
    make_tassh_like,
    tassh_like_effect,
    tassh_trial,
)
from tauhat.datasets.real_trials import (
    load_colon,
    load_indo_rct,
    load_jobs2,
    load_nsw,
    load_rat_pups,
    load_star,
)

__all__ = [
    "TASSH_ARMS",
    "load_colon",
    "load_indo_rct",
    "load_jobs2",
    "load_nsw",
    "load_rat_pups",
    "load_star",
    "load_tassh",
    "make_tassh_like",
    "tassh_like_effect",
    "tassh_trial",
]
