"""Levels that cross the randomized clusters, such as neighbourhoods beside schools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray
from tauhat.errors import DesignError, TrialError
from tauhat.trial.roles import label_values

CROSSED = "crossed"
#: Each unit is a column of the mixed models.
MOST_UNITS = 500
#: Share of persons with another one in their unit; with less the column is a measurement.
FEWEST_SHARING = 0.2


def crossed_columns(crossed: str | Sequence[str] | None, cluster: Any) -> dict[str, Any]:
    """Column of each level that crosses clusters, by role.

    Examples
    --------
    >>> crossed_columns(["area", "teacher"], "school")
    {'crossed': 'area', 'crossed 2': 'teacher'}
    """
    names = [crossed] if isinstance(crossed, str) else list(crossed or ())
    if names and cluster is None:
        raise TrialError(
            "crossed= names what crosses the randomized clusters, and needs cluster=; where "
            "persons were randomized, leave it out, or give it as a covariate"
        )
    return {CROSSED if k == 1 else f"{CROSSED} {k}": name for k, name in enumerate(names, start=1)}


def crossed_labels(
    kept: pd.DataFrame, roles: Mapping[str, str], clusters: AnyArray | None
) -> tuple[AnyArray, ...]:
    """Labels of each level that crosses clusters, once it is clear that it does.

    Parameters
    ----------
    kept
        Columns of the trial, for everyone enrolled.
    roles
        Column of each role.
    clusters
        Label of the cluster, shape (n,).

    Raises
    ------
    DesignError
        If clusters lie in its units, or these in clusters.
    TrialError
        If labels are missing, or there are too many units.

    Examples
    --------
    >>> kept = pd.DataFrame({"area": ["u", "u", "v", "v"]})
    >>> crossed_labels(kept, {"cluster": "school", "crossed": "area"}, np.array([1, 1, 2, 2]))
    Traceback (most recent call last):
    tauhat.errors.DesignError: crossed='area': each 'school' lies in one 'area', so that they ...
    """
    found = []
    for role, name in roles.items():
        if not role.startswith(CROSSED):
            continue
        labels = label_values(kept[name], role)
        units = pd.factorize(labels)[0]
        pairs = pd.DataFrame({"cluster": pd.factorize(np.asarray(clusters))[0], "unit": units})
        pairs = pairs.drop_duplicates()
        cluster = roles["cluster"]
        if not pairs["cluster"].duplicated().any():
            raise DesignError(
                f"crossed={name!r}: each {cluster!r} lies in one {name!r}, so that they do not "
                "cross. Where clusters were randomized within these units, they are the block; "
                "otherwise leave them out"
            )
        if not pairs["unit"].duplicated().any():
            raise DesignError(
                f"crossed={name!r}: each {name!r} lies in one {cluster!r}, so that it is a level "
                f"within: cluster=[{cluster!r}, {name!r}]"
            )
        sharing = np.bincount(units)[units] > 1
        if sharing.mean() < FEWEST_SHARING:
            raise TrialError(
                f"crossed={name!r} has {units.max() + 1:,} units for {len(units):,} persons: only "
                f"{int(sharing.sum()):,} of them share one, so that its intercept cannot be told "
                "from a person's own error. Name a level that persons share, or leave it out"
            )
        if units.max() >= MOST_UNITS:
            raise TrialError(
                f"crossed={name!r} has {units.max() + 1:,} units; at most {MOST_UNITS} are "
                "supported, since each is a column of the mixed models: name larger ones, or "
                "leave it out"
            )
        found.append(labels)
    return tuple(found)


def refuse_crossed_beside(roles: Mapping[str, str], link: str) -> None:
    """Raise a `TrialError` where the models of the outcome have no crossed intercepts.

    Parameters
    ----------
    roles
        Column of each role, a crossed level among them.
    link
        Between the mean of the outcome and its models.

    Examples
    --------
    >>> refuse_crossed_beside({"crossed": "area"}, "logit")
    Traceback (most recent call last):
    tauhat.errors.TrialError: crossed='area' is not supported for events and counts, because ...
    """
    if link != "identity":
        raise TrialError(
            f"crossed={roles[CROSSED]!r} is not supported for events and counts, because "
            "their risks and rates are averaged over nested intercepts only: leave it out, or "
            "analyse the numbers themselves by endpoint='continuous'"
        )


def decision_on_crossed(roles: Mapping[str, str]) -> list[str]:
    """What becomes of crossed levels, in a sentence; none without.

    Examples
    --------
    >>> decision_on_crossed({"cluster": "school", "crossed": "area"})[0][:27]
    'area crosses school: LMM, G'
    """
    return [
        f"{name} crosses {roles['cluster']}: LMM, GAMM, BRM and the posterior behind all "
        "intervals have a random intercept of it, and nothing else takes note of it."
        for role, name in roles.items()
        if role.startswith(CROSSED)
    ]


def units_of(labels: AnyArray) -> int:
    """Number of units of a level.

    Examples
    --------
    >>> units_of(np.array(["a", "b", "a"]))
    2
    """
    return len(pd.unique(labels))
