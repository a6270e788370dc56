"""Covariates that became columns of the models: those without any information are left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable


def used_covariates(trial: TrialTable, names: Iterable[str] | None = None) -> list[str]:
    """Covariates, or those of ``names``, that are neither empty nor one value throughout.

    Examples
    --------
    >>> import pandas as pd
    >>> from tauhat import Trial
    >>> table = pd.DataFrame({"y": [1.0, 2, 4, 3] * 5, "arm": [0, 1] * 10, "age": range(20)})
    >>> trial = Trial(table.assign(site="a"), outcome="y", treatment="arm",
    ...     covariates=["age", "site"])
    >>> used_covariates(trial), used_covariates(trial, ["site"])
    (['age'], [])
    """
    encoded = set(trial.encoder_.sources_.values())
    return [name for name in (trial.covariate_names if names is None else names) if name in encoded]
