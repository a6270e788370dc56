"""Estimated effects person by person, shown only when that was asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tauhat.report import plots
from tauhat.report.numbers import format_percent
from tauhat.report.pieces import average_interval, axis_label, cell, figure_of
from tauhat.report.text import scale_of
from tauhat.report.view import ReportInput, Section, TableView

MOST_ROWS = 400
ENDS = 100
WARNING = (
    "This report shows values of single persons (--patient-level): treat it as patient data and "
    "do not pass it on as an aggregate result."
)


def persons_section(data: ReportInput) -> Section | None:
    """Figure and table of the persons, smallest effect first; None unless asked for."""
    if data.persons is None:
        return None
    run = data.run
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    ordered = data.persons.sort_values("effect", kind="stable", ignore_index=True)
    shown, which = ordered, "all"
    if len(ordered) > MOST_ROWS:
        shown = pd.concat([ordered.head(ENDS), ordered.tail(ENDS)])
        which = f"the {ENDS} with the smallest and the {ENDS} with the largest estimates"
    drawn = plots.persons_plot(ordered, average=average_interval(data), axis_label=axis_label(data))
    extra = [name for name in shown.columns if name not in ("row", "effect", "lower", "upper")]
    rows = [
        [
            f"{row['row']:,}",
            *(cell(row[name]) for name in extra),
            scale(row["effect"]),
            scale.interval(row["lower"], row["upper"]),
        ]
        for row in shown.to_dict(orient="records")
    ]
    width = float(np.mean(ordered["upper"] - ordered["lower"]))
    return Section(
        "persons",
        "Person by person",
        paragraphs=[
            WARNING,
            f"One line per person, {which}. An interval is {scale(width)} wide on average; two "
            "persons whose intervals overlap are not told apart, and the first and the last stand "
            "where they do partly by chance.",
        ],
        figures=[
            figure_of(
                drawn,
                drawn.text,
                f"Each person's estimated effect with its {level} interval, smallest first. "
                "Orange: the average effect and its interval. Dotted: no effect.",
            )
        ],
        tables=[
            TableView(
                "Estimated effect of each person",
                ["Row", *(cell(name) for name in extra), "Effect", f"{level} interval"],
                rows,
                numeric_from=1 + len(extra),
            )
        ],
        collapsed=True,
        beside=False,
    )
