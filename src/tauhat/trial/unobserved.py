"""What tells who lacks an outcome, and where nobody may lack one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.errors import TrialError
from tauhat.tables.encoding import TableEncoder
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


# Of fewer persons lost, or left, a column may tell all by chance.
_FEWEST_TOLD = 5


def auxiliary_values(frame: pd.DataFrame, observed: BoolArray) -> FloatArray:
    """Auxiliary columns as numbers, shape (n, q).

    Parameters
    ----------
    frame
        The columns, a row for each of n persons.
    observed
        Who has an outcome, shape (n,).

    Raises
    ------
    TrialError
        If one has no values that differ, or tells exactly who lacks an outcome: then nobody with
        an outcome is like those without.

    Examples
    --------
    >>> seen = np.repeat([True, False], 10)
    >>> auxiliary_values(pd.DataFrame({"completed": seen.astype(int)}), seen)
    Traceback (most recent call last):
    tauhat.errors.TrialError: auxiliary column 'completed' tells exactly who has an outcome: ...
    """
    found = []
    for name in frame.columns:
        try:
            encoder = TableEncoder().fit(frame[[name]])
        except TrialError:
            raise TrialError(
                f"auxiliary column {name!r} is empty or has one value only, so it cannot tell who "
                "lacks an outcome: leave it out of auxiliary="
            ) from None
        values = encoder.transform(frame[[name]]).to_numpy(dtype=np.float64)
        if _tells_all(values, observed):
            raise TrialError(
                f"auxiliary column {name!r} tells exactly who has an outcome: nobody with one is "
                "like those without, so what these would have shown cannot be learned from the "
                "others. Leave it out of auxiliary=, and name what was measured in both"
            )
        found.append(values)
    return np.hstack(found) if found else np.zeros((len(frame), 0))


def _tells_all(values: FloatArray, observed: BoolArray) -> bool:
    """Whether some column has larger, or smaller, values in all who have an outcome."""
    if min(observed.sum(), (~observed).sum()) < _FEWEST_TOLD:
        return False
    seen, lost = values[observed], values[~observed]
    apart = (seen.min(axis=0) > lost.max(axis=0)) | (lost.min(axis=0) > seen.max(axis=0))
    return bool(apart.any())


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
