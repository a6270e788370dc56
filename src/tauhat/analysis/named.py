"""What was named beforehand: modifiers with their interactions, and an effect that matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tauhat._typing import BoolArray
from tauhat.arguments import check_positive, check_switch, listed
from tauhat.disclosure import count_text, hidden_split, is_small
from tauhat.endpoint import Endpoint
from tauhat.errors import TrialError
from tauhat.inference.interaction_effects import InteractionEffects, interaction_effects
from tauhat.numerics.several_tests import holm
from tauhat.runtime.display import Shown
from tauhat.trial.trial import Trial

_HIDDEN = ("estimate", "se", "lower", "upper", "degrees_of_freedom", "value")
_UNITS = ("control_units", "treated_units")


@dataclass(frozen=True)
class Relevance(Shown):
    """How many persons are expected to gain at least what matters, and how surely.

    Attributes
    ----------
    mcid
        Smallest benefit that matters, in units of the outcome.
    better
        "higher" or "lower": which outcome is better.
    persons
        Persons compared.
    expected, shown, excluded
        Persons whose estimated benefit is at least that; of whom the interval says so, as all of
        it is; and of whom it says the contrary, as none of it is.
    """

    mcid: float
    better: str
    persons: int
    expected: int
    shown: int
    excluded: int

    @property
    def table(self) -> pd.DataFrame:
        """One row for each of the three: ``what``, ``persons``, ``share``."""
        counts = {
            "expected to gain at least that": self.expected,
            "interval shows it": self.shown,
            "interval excludes it": self.excluded,
        }
        return pd.DataFrame(
            [(what, count, count / self.persons) for what, count in counts.items()],
            columns=["what", "persons", "share"],
        )

    @property
    def text(self) -> str:
        """The counts in a sentence."""
        return (
            f"Of {self.persons} persons {count_text(self.expected)} are expected to gain at least "
            f"{self.mcid:g}; the interval shows it for {count_text(self.shown)} and excludes it "
            f"for {count_text(self.excluded)}."
        )

    def record(self) -> dict[str, Any]:
        """The counts as JSON can hold them; few persons, or all but few, are not told."""
        record: dict[str, Any] = {
            "mcid": self.mcid,
            "better": self.better,
            "persons": self.persons,
        }
        for name in ("expected", "shown", "excluded"):
            count = int(getattr(self, name))
            told = not (is_small(count) or is_small(self.persons - count))
            record[name] = count if told else None
            record[f"share_{name}"] = count / self.persons if told else None
        return record


def better_outcome(higher_is_better: bool | None) -> str | None:
    """Which outcome is better, "higher" or "lower"; None if nobody said."""
    if higher_is_better is None:
        return None
    return "higher" if higher_is_better else "lower"


def check_relevance(mcid: float | None, higher_is_better: bool | None, endpoint: Endpoint) -> None:
    """See that a benefit that matters has a possible size and a direction, before any work.

    Raises
    ------
    TrialError
        If the benefit is not positive or larger than any effect can be, or nobody said which
        outcome is better.
    """
    if higher_is_better is not None:
        check_switch(higher_is_better, "higher_is_better")
    if mcid is None:
        return
    check_positive(mcid, "mcid", "units of the outcome")
    if higher_is_better is None:
        raise TrialError(
            "mcid is a benefit, so say which outcome is better: higher_is_better=True or False "
            "(--higher-is-better or --lower-is-better)"
        )
    too_large = endpoint.too_large(mcid)
    if too_large:
        raise TrialError(f"mcid= is too large: {too_large}")


def relevance(
    effects: pd.DataFrame, compared: BoolArray, mcid: float | None, higher_is_better: bool | None
) -> Relevance | None:
    """Count the persons who gain at least what matters; None where that was not asked.

    Examples
    --------
    >>> effects = pd.DataFrame({"effect": [-6.0, -2.0], "lower": [-9.0, -4.0], "upper": [-5.0, 1]})
    >>> found = relevance(effects, effects.effect < 0, 5.0, False)
    >>> found.expected, found.shown, found.excluded
    (1, 1, 1)
    """
    if mcid is None:
        return None
    table = effects[compared]
    effect, lower, upper = (table[name].to_numpy(float) for name in ("effect", "lower", "upper"))
    if not higher_is_better:
        effect, lower, upper = -effect, -upper, -lower
    return Relevance(
        mcid=float(mcid),
        better="higher" if higher_is_better else "lower",
        persons=len(effect),
        expected=int((effect >= mcid).sum()),
        shown=int((lower >= mcid).sum()),
        excluded=int((upper < mcid).sum()),
    )


def named_effects(
    trial: Trial,
    modifiers: str | Sequence[str],
    subgroups: str | Sequence[str],
    adjust: Sequence[str] | None,
    level: float,
) -> InteractionEffects | None:
    """Interactions with what was named; None where nothing was.

    Raises
    ------
    TrialError
        As `tauhat.interaction_effects`, and if ``adjust`` was named without modifiers.
    """
    columns, conditions = listed(modifiers), listed(subgroups)
    for name in columns:
        if name not in trial.covariate_names:
            known = ", ".join(map(str, trial.covariate_names))
            raise TrialError(
                f"modifiers: there is no covariate {name!r}; they are {known}. A subgroup is "
                "named by its condition in subgroups= (--subgroup)"
            )
    if not columns and not conditions:
        if adjust is not None:
            raise TrialError(
                "adjust says what the named modifiers are adjusted for: name modifiers or "
                "subgroups too (--modifiers, --subgroup)"
            )
        return None
    return interaction_effects(trial, [*columns, *conditions], adjust=adjust, level=level)


def named_over_contrasts(
    found: Mapping[str, InteractionEffects],
) -> dict[str, InteractionEffects]:
    """Interactions of each contrast, their p-values adjusted for the tests of all contrasts."""
    p_values = [p for one in found.values() for p in one.tests["p_value"]]
    adjusted = iter(holm(p_values, planned=len(p_values)))
    return {
        name: replace(
            one,
            tests=one.tests.assign(p_adjusted=[next(adjusted) for _ in range(len(one.tests))]),
            n_tests=len(p_values),
        )
        for name, one in found.items()
    }


def named_record(found: InteractionEffects | None, *, of_persons: bool) -> dict[str, Any] | None:
    """Named modifiers as JSON can hold them, nothing of it about fewer than five persons."""
    if found is None:
        return None

    def comparisons(table: pd.DataFrame) -> list[dict[str, Any]]:
        rows = [_with_names(row) for row in table.to_dict(orient="records")]
        return [hidden_split(row) for row in rows] if of_persons else rows

    return {
        "adjusted_for": list(found.adjusted_for),
        "moderate": found.moderate,
        "comparisons": comparisons(found.table),
        "all_clusters": comparisons(found.all_clusters),
        "tests": found.tests.to_dict(orient="records"),
        "n_tests": found.n_tests,
        "groups": _told_groups(found.groups, of_persons=of_persons),
        "notes": list(found.notes),
        "method": found.method,
    }


def _with_names(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(name).replace(" ", "_"): value for name, value in row.items()}


def _told_groups(groups: pd.DataFrame, *, of_persons: bool) -> list[dict[str, Any]]:
    """Groups without what would tell of few persons.

    Where a group of a modifier has few, no other tells its number: the total would give it.
    """
    few = set(groups.loc[is_small(groups["persons"]), "modifier"])
    rows = []
    for found in groups.to_dict(orient="records"):
        row = _with_names(found)
        if is_small(row["persons"]):
            row |= dict.fromkeys(_HIDDEN)
        if row["modifier"] in few:
            row |= dict.fromkeys(("persons", *_UNITS) if of_persons else ("persons",))
        rows.append(hidden_split(row) if of_persons and row["modifier"] not in few else row)
    return rows
