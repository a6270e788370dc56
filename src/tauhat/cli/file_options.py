"""Options of the command that say how a file is read and what its columns are called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Where = Annotated[
    str | None,
    typer.Option(
        metavar="CONDITION",
        help='Rows to keep, such as \'PARAMCD == "SBP" and AVISIT in ("Week 12", "Week 24")\'.',
    ),
]
Na = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CODE,CODE",
        help="Codes of missing values, such as '.,-9,999'; in a TOML file for single columns too.",
    ),
]
TableOf = Annotated[
    str | None,
    typer.Option("--table", help="Sheet of a workbook or data frame of an .RData file."),
]
Labels = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML file with labels and units of columns and values."),
]
Unit = Annotated[str | None, typer.Option(help="Unit of the outcome, such as mmHg.")]
Title = Annotated[str | None, typer.Option(help="Title of the report.")]
