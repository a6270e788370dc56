"""Refusing to take every column for a covariate where some cannot have been known in time."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterable, Sequence

from tauhat.errors import UnsafeCovariatesError
from tauhat.trial.checks.finding import Finding

_WHY = {
    "outcome-copy": "copies the outcome",
    "outcome-determined": "nearly tells the outcome",
    "treatment-copy": "tells the arm",
    "differs-by-arm": "differs between the arms beyond chance",
    "missing-by-arm": "is missing in one arm more than in the other",
    "missing-with-outcome": "is missing where the outcome is",
    "follow-up-name": "by its name",
}
_MOST_SHOWN = 12


def refuse_unsafe(findings: Iterable[Finding], covariates: Sequence[str]) -> None:
    """Raise an `UnsafeCovariatesError` if covariates nobody named look measured too late.

    Parameters
    ----------
    findings
        Of the design check.
    covariates
        All columns without another role.

    Examples
    --------
    >>> found = Finding("names", "visit", "warning", "...", "follow-up-name", columns=("visit",))
    >>> refuse_unsafe([found], ["age", "visit", "sex"])
    Traceback (most recent call last):
    tauhat.errors.UnsafeCovariatesError: covariates were not named, and ...
    """
    findings = list(findings)
    if any(f.status == "error" and not f.columns for f in findings):
        # The check fails for what is wrong with the rows, which comes first.
        return
    reasons: dict[str, str] = {}
    for finding in findings:
        for name in finding.columns:
            reasons.setdefault(name, _WHY[finding.code])
    if not reasons:
        return
    shown = [f"{name!r} ({why})" for name, why in list(reasons.items())[:_MOST_SHOWN]]
    more = f" and {len(reasons) - _MOST_SHOWN} more" if len(reasons) > _MOST_SHOWN else ""
    safe = [name for name in covariates if name not in reasons]
    raise UnsafeCovariatesError(
        f"covariates were not named, and of the columns without another role {len(reasons)} "
        f"may not have been known at randomization: {', '.join(shown)}{more}. "
        + (
            f"Name those that were; without these it is covariates={safe!r} "
            f"(--covariates {comma_list(safe)})"
            if safe
            else "No other column is left: name covariates measured before randomization"
        )
    )


def comma_list(names: Sequence[str]) -> str:
    r"""Names as one word of a command line, as `tauhat.cli.option_kinds.split_names` reads them.

    Examples
    --------
    >>> comma_list(["age", "bmi, kg/m2"]), comma_list(["age", "sex"])
    ('\'age,"bmi, kg/m2"\'', 'age,sex')
    """
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return shlex.quote(line.getvalue())
