"""Which columns are the covariates of a trial, named or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from tauhat.errors import TrialError
from tauhat.tables.table_limits import MAX_COLUMNS
from tauhat.trial.roles import require_columns
from tauhat.wording import first_of


@dataclass(frozen=True)
class CovariateChoice:
    """The covariates of a trial.

    Attributes
    ----------
    names
        Columns of the covariates.
    of_cluster
        Those that were named as the clusters'.
    notes
        What was decided, in sentences.
    """

    names: list[str]
    of_cluster: list[str]
    notes: tuple[str, ...] = ()


def choose_covariates(
    table: pd.DataFrame,
    roles: Mapping[str, str],
    covariates: Sequence[str] | None,
    cluster_covariates: Sequence[str] | None,
) -> CovariateChoice:
    """Covariates as named, or all columns without another role.

    Parameters
    ----------
    table
        The trial's table.
    roles
        Column of each other role.
    covariates, cluster_covariates
        As in `tauhat.Trial`.

    Raises
    ------
    TrialError
        If columns do not exist, have another role, or are too many.

    Examples
    --------
    >>> table = pd.DataFrame(columns=["y", "arm", "age", "sex"])
    >>> choose_covariates(table, {"outcome": "y", "treatment": "arm"}, None, None).names
    ['age', 'sex']
    """
    of_cluster = require_columns(table, cluster_covariates or [], "cluster_covariates")
    if of_cluster and "cluster" not in roles:
        raise TrialError("cluster_covariates are given but cluster= is not")
    if covariates is not None:
        chosen = require_columns(table, covariates, "covariates")
        return CovariateChoice(_checked([*chosen, *of_cluster], roles), of_cluster)
    taken = set(roles.values())
    chosen = [name for name in table.columns if name not in taken]
    listed = first_of(chosen, 20)
    notes = [
        f"Covariates were not named, so all {len(chosen)} columns without another "
        f"role are used: {listed}."
    ]
    names = _checked([*chosen, *of_cluster], roles)
    return CovariateChoice(names, of_cluster, tuple(notes))


def _checked(names: list[str], roles: Mapping[str, str]) -> list[str]:
    names = list(dict.fromkeys(names))
    for role, name in roles.items():
        if name in names:
            raise TrialError(f"column {name!r} cannot be both {role} and a covariate")
    if len(names) > MAX_COLUMNS:
        raise TrialError(
            f"{len(names):,} covariates are more than {MAX_COLUMNS:,}; "
            "name the ones you mean to use with covariates="
        )
    return names
