"""Times to an event in more than two arms: every arm once, and p-values over all contrasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tauhat.numerics.several_tests import holm
from tauhat.report.numbers import bare_p, format_percent
from tauhat.report.survival_section import (
    HORIZONS,
    arm_cells,
    caption_of_arms,
    caption_of_horizons,
    difference_cells,
    headers_of_arms,
    horizon_cells,
)
from tauhat.report.text import Run, scale_of
from tauhat.report.time_units import at_horizon, unit_of_time
from tauhat.report.view import TableView

_COUNTS = ("events", "censored", "at_risk")


def horizons_told(runs: Mapping[str, Run]) -> list[str]:
    """What several horizons of several contrasts mean for the error of the first kind."""
    rows = _horizons(runs)
    first = next(iter(runs.values()))
    if len(first["survival_by_arm"]["over_horizons"]) < 2:
        return []
    known = [p for _, _, p in rows if p is not None]
    return [
        f"{HORIZONS.format(at_horizon(first))} Of {len(rows)} effects, of "
        f"{len(runs)} contrasts at several horizons, one can look good by chance: p is adjusted "
        f"for their number (Holm); the smallest is {bare_p(min(known, default=None))}."
    ]


def survival_tables(runs: Mapping[str, Run]) -> list[TableView]:
    """The arms and what they differ by; the effects by horizon."""
    first = next(iter(runs.values()))
    level, scale = format_percent(first["interval"]["level"]), scale_of(first)
    arms = [arm_cells(arm, scale) for arm in _arms(runs)]
    tables = [
        TableView(
            caption_of_arms(first),
            headers_of_arms(level),
            [*arms, *(difference_cells(run, name) for name, run in runs.items())],
        )
    ]
    over = _horizons(runs)
    if over:
        headers = [
            "Contrast", f"Horizon, {unit_of_time(first)}", "Effect", f"{level} CI", "p",
            "p adjusted",
        ]  # fmt: skip
        rows = [[name, *horizon_cells(row), bare_p(p)] for name, row, p in over]
        tables.append(TableView(caption_of_horizons(first), headers, rows))
    return tables


def _arms(runs: Mapping[str, Run]) -> list[Mapping[str, Any]]:
    """Each arm once; a count that one contrast hides is hidden."""
    found: dict[str, dict[str, Any]] = {}
    for run in runs.values():
        for arm in run["survival_by_arm"]["arms"]:
            own = found.setdefault(str(arm["arm"]), dict(arm))
            own.update({name: None for name in _COUNTS if arm[name] is None})
    return list(found.values())


def _horizons(
    runs: Mapping[str, Run],
) -> Sequence[tuple[str, Mapping[str, Any], float | None]]:
    """Contrast, effect at a horizon, and its p-value adjusted for the number of all of them."""
    rows = [
        (name, row) for name, run in runs.items() for row in run["survival_by_arm"]["over_horizons"]
    ]
    missing = float("nan")
    raw = [missing if row["p_value"] is None else row["p_value"] for _, row in rows]
    return [
        (name, row, None if row["p_value"] is None else float(p))
        for (name, row), p in zip(rows, holm(raw), strict=True)
    ]
