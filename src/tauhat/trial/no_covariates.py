"""Why a column of the table is no covariate, so that it cannot be a modifier or make a subgroup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_REASONS = {
    "treatment": "the arm: effects compare the arms, so that nothing is left within one",
    "outcome": "the outcome: what is measured after randomization makes no subgroup",
    "event": "the event: what is measured after randomization makes no subgroup",
    "cluster": "the cluster: it has one arm only, so that there is nothing to compare within it",
    "period": "the period: effects are averages over periods",
}
_OTHER = "{role}: if it was measured before randomization, give a copy of it as a covariate"
_LATER = "auxiliary: what is measured after randomization makes no subgroup"


def why_no_covariates(
    columns: Iterable[str],
    roles: Mapping[str, str],
    covariates: Iterable[str],
    auxiliary: Iterable[str] = (),
) -> dict[str, str]:
    """Why each column of a table that is no covariate is none, in a sentence without its stop.

    Parameters
    ----------
    columns
        Of the table.
    roles
        Column of each role but those of covariates.
    covariates
        Names of the covariates.
    auxiliary
        Columns measured after randomization.

    Examples
    --------
    >>> found = why_no_covariates(["y", "arm", "age", "bmi"], {"treatment": "arm"}, ["age"])
    >>> found["bmi"]
    "column 'bmi' is no covariate: add it to covariates="
    >>> found["arm"], "age" in found
    ("column 'arm' is the arm: effects compare the arms, so that nothing is left within one", False)
    """
    known = set(covariates)
    others = [name for name in columns if name not in known]
    why = {name: f"column {name!r} is no covariate: add it to covariates=" for name in others}
    why |= {name: f"column {name!r} is {_LATER}" for name in auxiliary}
    for role, name in roles.items():
        why[name] = f"column {name!r} is {_REASONS.get(role) or 'the ' + _OTHER.format(role=role)}"
    return {name: reason for name, reason in why.items() if name not in known}
