"""What stands in a loaded model for a trial whose rows were left out of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tauhat.errors import TrialError
from tauhat.numerics.extremes import ColumnLimits


@dataclass(frozen=True)
class RowsLeftOut:
    """A trial without rows: it knows its columns, and says so when asked for more.

    Attributes
    ----------
    feature_names
        Names of the covariates.
    limits, largest_effect
        As in `tauhat.data.TrialData`.

    Examples
    --------
    >>> RowsLeftOut(("age",)).y
    Traceback (most recent call last):
    tauhat.errors.TrialError: this needs the rows of the trial, which the saved model does not ...
    """

    feature_names: tuple[str, ...]
    limits: ColumnLimits | None = None
    largest_effect: float = np.inf

    def __getattr__(self, name: str) -> Any:
        # Copies and pickles ask for special names that an object need not have.
        if name.startswith("__"):
            raise AttributeError(name)
        raise TrialError(
            "this needs the rows of the trial, which the saved model does not hold: "
            "it was saved with with_data=False; save it with its data, or fit it again"
        )
