"""What the report is made of, in the units that it tells effects in."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from tauhat.report.per_hundred import HUNDRED, told_per_hundred
from tauhat.report.view import ReportInput


def effects_told(data: ReportInput) -> ReportInput:
    """What a report is made of, with effects on a risk per 100 persons."""
    run = told_per_hundred(data.run)
    if run is data.run:
        return data
    return replace(
        data,
        run=run,
        effect=HUNDRED * data.effect,
        lower=HUNDRED * data.lower,
        upper=HUNDRED * data.upper,
        members=None if data.members is None else HUNDRED * data.members,
        clusters=_columns(data.clusters, "estimate"),
        persons=_columns(data.persons, "effect"),
    )


def _columns(table: pd.DataFrame | None, name: str) -> pd.DataFrame | None:
    if table is None:
        return None
    return table.assign(**{one: HUNDRED * table[one] for one in (name, "lower", "upper")})
