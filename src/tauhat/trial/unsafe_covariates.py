"""Refusing to take every column for a covariate where some cannot have been known in time."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from tauhat.errors import TrialError, UnsafeCovariatesError
from tauhat.tables.encoding import TableEncoder
from tauhat.trial.checks.finding import Finding

_WHY = {
    "outcome-copy": "copies the outcome",
    "outcome-determined": "nearly tells the outcome",
    "treatment-copy": "tells the arm",
    "unnamed-clusters": "has one arm for each value, as clusters have: name it in cluster=",
    "differs-by-arm": "differs between the arms beyond chance",
    "missing-by-arm": "is missing in one arm more than in the other",
    "missing-with-outcome": "is missing where the outcome is",
    "follow-up-name": "by its name",
}
# Reasons that hold for the columns of a series that come after the one they were found in.
_OF_ALL_THAT_FOLLOW = frozenset(
    _WHY[code]
    for code in ("outcome-copy", "outcome-determined", "missing-with-outcome", "follow-up-name")
)
_MOST_SHOWN = 12


def unusable_covariates(frame: pd.DataFrame) -> dict[str, str]:
    """Columns that no covariate can be made of, such as dates, and why.

    Parameters
    ----------
    frame
        Columns without another role, shape (n, p).

    Examples
    --------
    >>> unusable_covariates(pd.DataFrame({"age": [50, 61], "seen": ["2024-01-31", "2024-02-01"]}))
    {'seen': 'holds dates'}
    """
    found = {}
    for name in frame.columns:
        try:
            TableEncoder().fit(frame[[name]])
        except TrialError as error:
            # One value only is no fault: there is nothing of it to encode.
            reason = re.match(rf"column {re.escape(repr(name))} ([^;]*)", str(error))
            if reason:
                found[name] = reason[1]
    return found


def set_aside(frame: pd.DataFrame, error: TrialError, named: bool) -> dict[str, str]:
    """Columns that no covariate can be made of, where nobody named them and others are left.

    Parameters
    ----------
    frame
        The covariates, shape (n, p).
    error
        What was wrong with them, which is raised otherwise.
    named
        Whether they were named.
    """
    unusable = {} if named else unusable_covariates(frame)
    if not 0 < len(unusable) < frame.shape[1]:
        raise error
    return unusable


def refuse_unsafe(
    findings: Iterable[Finding], covariates: Sequence[str], unusable: Mapping[str, str]
) -> None:
    """Raise an `UnsafeCovariatesError` if covariates nobody named look measured too late.

    Parameters
    ----------
    findings
        Of the design check.
    covariates
        All columns without another role that can be covariates.
    unusable
        The others, and why they cannot.

    Examples
    --------
    >>> found = Finding("names", "visit", "warning", "...", "follow-up-name", columns=("visit",))
    >>> refuse_unsafe([found], ["age", "visit", "sex"], {})
    Traceback (most recent call last):
    tauhat.errors.UnsafeCovariatesError: covariates were not named, and ...
    """
    findings = list(findings)
    if not unusable and any(f.status == "error" and not f.columns for f in findings):
        # The check fails for what is wrong with the rows, which comes first.
        return
    reasons: dict[str, str] = {}
    identifiers: list[str] = []
    for finding in findings:
        for name in finding.columns:
            if finding.code in _WHY:
                reasons.setdefault(name, _WHY[finding.code])
            else:
                identifiers.append(name)
    if not reasons and not unusable:
        return
    reasons |= _of_a_series(covariates, reasons)
    identifiers = [name for name in identifiers if name not in reasons]
    safe = [name for name in covariates if name not in reasons and name not in identifiers]
    listed = (
        f", and without identifiers ({', '.join(map(repr, identifiers))})," if identifiers else ""
    )
    faults = [
        f"{len(those)} {fault}: {_listed(those)}"
        for those, fault in (
            (unusable, "cannot be covariates as they are"),
            (reasons, "may not have been known at randomization"),
        )
        if those
    ]
    raise UnsafeCovariatesError(
        "covariates were not named, and of the columns without another role "
        f"{'; '.join(faults)}. "
        + (
            f"Name those that were known then; without these{listed} it is covariates={safe!r} "
            f"(--covariates {comma_list(safe)})"
            if safe
            else "No other column is left: name covariates measured before randomization"
        ),
        usable=tuple(covariates),
    )


def _of_a_series(covariates: Sequence[str], reasons: Mapping[str, str]) -> dict[str, str]:
    """Columns numbered after one that came too late: ``visit3`` beside ``visit2``, and why.

    Those with smaller numbers may be from before, as ``cd40`` beside ``cd820``.
    """
    first: dict[str, tuple[int, str]] = {}
    for name, why in reasons.items():
        kin = _numbered(name)
        if kin is not None and why in _OF_ALL_THAT_FOLLOW:
            first[kin[0]] = min(first.get(kin[0], (kin[1], name)), (kin[1], name))
    found = {}
    for name in covariates:
        kin = _numbered(name)
        if name not in reasons and kin is not None and kin[0] in first:
            number, flagged = first[kin[0]]
            if kin[1] >= number:
                found[name] = f"follows {flagged!r}"
    return found


def _numbered(name: str) -> tuple[str, int] | None:
    """The words of a name that ends with a number, and the number."""
    parts = re.fullmatch(r"(.*[a-z_.])(\d{1,3})", name.lower())
    return None if parts is None else (parts[1], int(parts[2]))


def _listed(reasons: Mapping[str, str]) -> str:
    shown = [f"{name!r} ({why})" for name, why in list(reasons.items())[:_MOST_SHOWN]]
    more = f" and {len(reasons) - _MOST_SHOWN} more" if len(reasons) > _MOST_SHOWN else ""
    return ", ".join(shown) + more


def comma_list(names: Sequence[str]) -> str:
    r"""Names as one word of a command line, as `tauhat.cli.option_kinds.split_names` reads them.

    Examples
    --------
    >>> comma_list(["age", "bmi, kg/m2"]), comma_list(["age", "sex"]), comma_list([" age"])
    ('\'age,"bmi, kg/m2"\'', 'age,sex', '\'" age"\'')
    """
    return shlex.quote(",".join(map(_in_a_list, names)))


def _in_a_list(name: str) -> str:
    plain = name == name.strip() and not any(mark in name for mark in ',"')
    return name if plain else '"' + name.replace('"', '""') + '"'
