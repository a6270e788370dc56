"""The average effect beside that without covariates, and why the two differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tauhat.report.plots import told_apart
from tauhat.report.text import HARDLY, Run, primary_effect, scale_of
from tauhat.wording import join_words

NAMES_TOLD = 4
UNADJUSTED = "no covariates used"


def adjustment_words(run: Run) -> str:
    """What the average effect is adjusted for, what it is without, and why the two differ."""
    scale, primary = scale_of(run), primary_effect(run)
    names = told_apart(run["design"]["covariates"], 30)
    if not names:
        return "No covariates were given, so nothing is adjusted for."
    more = len(names) - NAMES_TOLD
    shown = names if more <= 1 else [*names[:NAMES_TOLD], f"{more} more"]
    told = f"Adjusted for {join_words(shown)}."
    alone = unadjusted(run)
    if alone is None:
        return told
    apart = abs(primary["estimate"] - alone["estimate"]) > HARDLY * primary["se"]
    why = (
        "the arms happen to differ in these covariates, and the adjusted effect is the answer"
        if apart
        else "the change is small against the interval"
    )
    ends = scale.interval(alone["lower"], alone["upper"])
    return f"{told} Without them {scale(alone['estimate'])} ({ends}): {why}."


def unadjusted(run: Run) -> Mapping[str, Any] | None:
    """The primary average effect without covariates; None where it was not estimated."""
    rows = run["sensitivity"]["averages"]
    return next((row for row in rows if row["change"] == UNADJUSTED), None)
