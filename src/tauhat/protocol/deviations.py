"""Where a run departs from the plan that it follows, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from tauhat.protocol.lock import Lock
from tauhat.protocol.planned_arms import arms_of
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial import Trial

#: Numbers of persons and clusters may differ by such a share from what was expected,
FAR = 0.1
#: and the share of persons without an outcome by so much.
FAR_SHARE = 0.05


@dataclass(frozen=True)
class Beside:
    """An option that was given beside the plan.

    Attributes
    ----------
    option
        As it is typed.
    planned, given
        Its two values; None where the plan leaves it out and it has no default.
    """

    option: str
    planned: Any
    given: Any

    @property
    def text(self) -> str:
        """The deviation in a sentence."""
        ways = [way.strip("-").replace("-", " ") for way in self.option.split("/")]
        if len(ways) == 2:
            given, planned = (
                None if value is None else ways[not value] for value in (self.given, self.planned)
            )
            rest = "the plan does not say" if planned is None else f"planned: {planned}"
            return f"{given} was given; {rest}.".capitalize()
        if isinstance(self.given, bool) and self.planned is None:
            return f"{self.option} was given; the plan does not have it."
        given = f"{self.option} {_value(self.given)} was given"
        if self.planned is None:
            return f"{given}; the plan does not have it."
        return f"{given}; planned was {_value(self.planned)}."


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(str(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def deviations(
    lock: Lock,
    trial: Trial,
    *,
    beside: Iterable[Beside] = (),
    unknown: Sequence[str] = (),
    versions: Mapping[str, str],
    forced: bool = False,
) -> tuple[str, ...]:
    """List every deviation of a run from its plan.

    Parameters
    ----------
    lock
        The plan.
    trial
        The trial as it is analysed.
    beside
        Options given beside the plan that change an analysis.
    unknown
        Options of the plan that this version does not have.
    versions
        Of this run.
    forced
        Whether it goes on although the design check failed.

    Returns
    -------
    tuple of str
        Sentences; empty when all is as planned.
    """
    return (
        *(one.text for one in beside if one.planned != one.given),
        *(f"This version has no option {name}; it was left out." for name in unknown),
        *_arms(lock, trial),
        *_columns(lock, trial.frame),
        *_numbers(lock, trial),
        *_versions(lock.versions, versions),
        *(["The design check failed, and the analysis was run with --force."] if forced else []),
    )


def kinds_of(table: pd.DataFrame) -> dict[str, str]:
    """Each column of a table with what its values are, in words.

    Examples
    --------
    >>> kinds_of(pd.DataFrame({"age": [61.5], "sex": ["f"]}))
    {'age': 'numbers', 'sex': 'labels'}
    """
    return {str(name): _kind(table[name]) for name in table.columns}


def _kind(column: pd.Series[Any]) -> str:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "dates"
    # A column without a value is read as numbers or as text, as it happens.
    if column.isna().all():
        return "no values"
    if pd.api.types.is_bool_dtype(column.dtype) or not pd.api.types.is_numeric_dtype(column.dtype):
        return "labels"
    return "numbers"


def _arms(lock: Lock, trial: Trial) -> list[str]:
    """Arms beyond two of which the plan does not know: its texts and its power are those of two."""
    if trial.n_arms == 2 or arms_of(lock.plan["run"]):
        return []
    labels = ", ".join(map(str, trial.arm_labels))
    return [f"{trial.n_arms} arms are compared ({labels}); the plan names no arms and is of two."]


def _columns(lock: Lock, frame: pd.DataFrame) -> list[str]:
    """Columns that the plan uses and that are not what they were in the blinded data."""
    used = lock.plan["run"].get("covariates", [])
    here, found = kinds_of(frame), []
    for name in used:
        then = None if lock.columns is None else lock.columns.get(name)
        if name not in here:
            found.append(f"The covariate {name} of the plan is not used.")
        elif then is not None and here[name] != then:
            found.append(f"The column {name} holds {here[name]}; in the blinded data, {then}.")
    return found


def _numbers(lock: Lock, trial: Trial) -> list[str]:
    expected = lock.plan["expected"]
    enrolled = len(trial.enrolled_rows)
    pairs = [("persons", "person", enrolled)]
    if "clusters" in expected:
        pairs.append(("clusters", "cluster", trial.randomization.n_units))
    found = []
    for key, word, number in pairs:
        planned = expected[key]
        if abs(number - planned) > FAR * planned:
            change = number / planned - 1
            found.append(
                f"There are {counted(number, word)}; {planned:,} were expected ({change:+.0%})."
            )
    lost = trial.n_missing_outcome / enrolled if enrolled else 0.0
    if abs(lost - expected.get("drop-out", lost)) > FAR_SHARE:
        found.append(
            f"{lost:.0%} of the persons have no outcome; {expected['drop-out']:.0%} were expected."
        )
    return found


def _versions(planned: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    changed = [
        f"{name} {here.get(name, 'is not installed')} (planned {planned[name]})"
        for name in planned
        if planned[name] != here.get(name)
    ]
    return [f"Other versions than planned: {', '.join(changed)}."] if changed else []
