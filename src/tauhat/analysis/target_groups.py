"""Groups and policies by held-out effects in another population, and its part of ``run.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.analysis.average_record import estimate_record
from tauhat.analysis.held_out import HeldOutEffects, policy_record, rows_record
from tauhat.disclosure import is_small
from tauhat.inference.averages import AverageEffects
from tauhat.inference.descriptive import estimate_columns
from tauhat.inference.policy_value import PolicyValue, policy_value
from tauhat.inference.sorted_effects import SortedGroupEffects, sorted_group_effects
from tauhat.inference.transport import TargetPopulation
from tauhat.runtime.display import Shown

# Weights relative to their mean at which persons are counted apart.
_EDGES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, np.inf)


@dataclass(frozen=True, eq=False)
class TargetGroups(Shown):
    """What held-out effects say of groups of another population.

    Attributes
    ----------
    groups
        Effects of quarters of the population, sorted by held-out effect.
    policy
        Gains of treating by the model, by which outcome is better ("higher", "lower").
    """

    groups: SortedGroupEffects
    policy: Mapping[str, PolicyValue]

    @property
    def table(self) -> pd.DataFrame:
        """Effects of the quarters, one row each, and their difference."""
        return self.groups.table

    @property
    def text(self) -> str:
        """The results in sentences."""
        return " ".join([self.groups.text, *(value.text for value in self.policy.values())])


def target_groups(
    held_out: HeldOutEffects | str, population: TargetPopulation, level: float
) -> TargetGroups | None:
    """Quarters and policy values of another population; None where nothing was held out.

    Parameters
    ----------
    held_out
        Held-out effects of the trial, or why there are none.
    population
        Weights of the trial's persons.
    level
        Coverage of the intervals.
    """
    if isinstance(held_out, str):
        return None
    fit = held_out.fit.carried_to(population)
    policy = {
        better: policy_value(fit, higher_is_better=better == "higher", level=level)
        for better in held_out.policy
    }
    return TargetGroups(sorted_group_effects(fit, level=level), policy)


def target_record(
    found: AverageEffects | None, groups: TargetGroups | None, named: pd.DataFrame | None
) -> dict[str, Any] | None:
    """Effects for another population; None where none was given."""
    if found is None or found.target is None:
        return None
    target = found.target
    columns = (target.overlap[name] for name in ("covariate", "shift", "left"))
    return {
        "individual": estimate_record(found.individual),
        "n": target.n,
        "effective_n": target.effective_n,
        "effective_clusters": target.effective_clusters,
        "text": target.text,
        "shifts": [
            {"covariate": name, "shift": round(shift, 2) + 0.0, "left": round(left, 2) + 0.0}
            for name, shift, left in zip(*columns, strict=True)
        ],
        "weights": weight_bins(target.weight),
        "held_out": None if groups is None else _groups_record(groups),
        "named": [] if named is None else _named_record(named),
    }


def _named_record(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Named groups; where one of a modifier has few persons, no other tells its number."""
    few = set(found.loc[is_small(found["persons"]), "modifier"])
    rows = []
    for row in found.drop(columns="degrees_of_freedom").to_dict(orient="records"):
        told = {str(name): None if value != value else value for name, value in row.items()}
        if row["modifier"] in few:
            told |= dict.fromkeys(("persons", "share", "effective_n"))
        rows.append(told)
    return rows


def _groups_record(found: TargetGroups) -> dict[str, Any]:
    rows = rows_record(found.groups.table.iloc[:-1])
    for row in rows:
        row["persons"] = None if is_small(row["persons"]) else row["persons"]
    return {
        "groups": rows,
        "difference": estimate_columns(found.groups.difference),
        "policy": policy_record(found.policy),
    }


def weight_bins(weight: FloatArray) -> list[dict[str, Any]]:
    """Persons and their share of the whole weight by weight relative to the mean.

    Bins with one to four persons are joined with a neighbour.

    Parameters
    ----------
    weight
        Positive, shape (n,).

    Examples
    --------
    >>> weight = np.r_[np.full(30, 0.4), np.full(10, 1.6), 6.0]
    >>> [(b["above"], b["below"], b["persons"]) for b in weight_bins(weight)]
    [(0.25, 0.5, 30), (0.5, 1.0, 0), (1.0, 8.0, 11)]
    """
    relative = weight / weight.mean()
    place = np.searchsorted(_EDGES, relative, side="right") - 1
    n = np.bincount(place, minlength=len(_EDGES) - 1)
    total = np.bincount(place, weights=relative, minlength=len(n))
    first, last = np.flatnonzero(n)[[0, -1]]
    bins = [[_EDGES[k], _EDGES[k + 1], int(n[k]), float(total[k])] for k in range(first, last + 1)]
    while len(bins) > 1 and any(is_small(one[2]) for one in bins):
        k = next(j for j, one in enumerate(bins) if is_small(one[2]))
        low = max(k - 1, 0)
        one, other = bins[low], bins[low + 1]
        bins[low : low + 2] = [[one[0], other[1], one[2] + other[2], one[3] + other[3]]]
    return [
        {
            "above": above,
            "below": None if below == np.inf else below,
            "persons": persons,
            "share": share / len(weight),
        }
        for above, below, persons, share in bins
    ]
