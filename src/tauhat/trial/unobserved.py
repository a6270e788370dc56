"""What tells who lacks an outcome, and where nobody may lack one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, IntArray
from tauhat.errors import TrialError
from tauhat.trial.roles import require_columns
from tauhat.wording import counted, first_of, join_words


def auxiliary_columns(
    table: pd.DataFrame,
    roles: Mapping[str, str],
    auxiliary: Sequence[str] | None,
    covariates: Sequence[str] | None,
) -> tuple[str, ...]:
    """Columns that tell who lacks an outcome and are no covariates.

    Raises
    ------
    TrialError
        If one does not exist, is a covariate or has another role.

    Examples
    --------
    >>> table = pd.DataFrame(columns=["y", "arm", "age", "visits"])
    >>> auxiliary_columns(table, {"outcome": "y"}, ["visits"], ["age"])
    ('visits',)
    """
    names = require_columns(table, auxiliary or [], "auxiliary")
    for role, column in [*roles.items(), *(("covariate", name) for name in covariates or ())]:
        if column in names:
            raise TrialError(f"column {column!r} cannot be both {role} and auxiliary")
    return tuple(names)


def refuse_lost_blocks(
    blocks: AnyArray | None, observed: BoolArray, roles: Mapping[str, str]
) -> None:
    """Raise a `TrialError` if nobody in some block has an outcome.

    Examples
    --------
    >>> refuse_lost_blocks(np.array(["a", "a", "b"]), np.array([True, True, False]),
    ...                    {"outcome": "y", "block": "site"})
    Traceback (most recent call last):
    tauhat.errors.TrialError: outcome column 'y' is missing for everybody in 1 of 2 blocks (b): ...
    """
    if blocks is None:
        return
    codes, labels = pd.factorize(blocks)
    lost = labels[np.bincount(codes, weights=observed) == 0]
    if len(lost):
        raise TrialError(
            f"outcome column {roles['outcome']!r} is missing for everybody in {len(lost)} of "
            f"{counted(len(labels), 'block')} ({first_of([str(one) for one in lost], 5)}): nothing "
            f"is known of the effect there. Drop these rows (where=) and say so, or leave "
            f"{roles['block']!r} out as block"
        )


def refuse_lost_arms(
    arm: IntArray, observed: BoolArray, outcome: str, arm_labels: Sequence[Any]
) -> None:
    """Raise a `TrialError` if nobody in some arm has an outcome.

    Examples
    --------
    >>> refuse_lost_arms(np.array([0, 1]), np.array([True, False]), "y", ("usual", "new"))
    Traceback (most recent call last):
    tauhat.errors.TrialError: outcome column 'y' is missing for everybody in arm new: there is ...
    """
    lost = np.bincount(arm, weights=observed, minlength=len(arm_labels)) == 0
    if lost.any() and not lost.all():
        named = join_words([str(arm_labels[int(k)]) for k in np.flatnonzero(lost)])
        raise TrialError(
            f"outcome column {outcome!r} is missing for everybody in arm {named}: there is nothing "
            "to compare. See whether each arm has a column of its own"
        )
