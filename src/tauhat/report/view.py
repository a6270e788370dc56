"""What the page shows: plain sections of sentences, figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.report.findings import FindingsView
from tauhat.report.text import Run


@dataclass(frozen=True)
class ReportInput:
    """Everything a report is made of: plain numbers and tables.

    Attributes
    ----------
    run
        Content of ``run.json``.
    frame
        Covariates of the analysed persons as they stand in the table.
    effect, lower, upper
        Estimated effect and interval of each analysed person, each of shape (n,).
        They are shown in groups of at least five persons only.
    check_table
        The design check, one row per finding.
    balance
        ``covariate`` and its standardised ``difference`` between the arms, rounded; NaN
        where it would tell how many persons a small level has.
    members
        Effects of the ensemble's members on the same persons, one column each;
        None when there are none. Shown like the above.
    clusters
        Predicted intercepts of the clusters, as in
        `tauhat.inference.ClusterIntercepts.table`; None when persons were
        randomized. Those of fewer than five persons are not shown.
    persons
        ``row``, the id if there is one, ``effect``, ``lower`` and ``upper`` of
        each person, to be shown one by one; None unless that was asked for.
    treatment
        Arm of each analysed person, 0 or 1, shape (n,); without it the report has no
        table of the persons by arm.
    """

    run: Run
    frame: pd.DataFrame
    effect: FloatArray
    lower: FloatArray
    upper: FloatArray
    check_table: pd.DataFrame
    balance: pd.DataFrame
    members: pd.DataFrame | None = None
    clusters: pd.DataFrame | None = None
    persons: pd.DataFrame | None = None
    treatment: IntArray | None = None


@dataclass(frozen=True)
class FigureView:
    """An image with its caption and its description for those who cannot see it."""

    source: str
    alt: str
    caption: str


@dataclass(frozen=True)
class TableView:
    """A table as text; columns from ``numeric_from`` on are numbers.

    A folded one opens at a click, because a figure shows what is in it.
    """

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric_from: int = 1
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """One part of the page.

    A collapsed one opens at a click; ``beside`` puts the first table next to an only figure.
    A headline is the answer in a few words, where the title is a question.
    """

    anchor: str
    title: str
    paragraphs: Sequence[str] = ()
    figures: Sequence[FigureView] = ()
    tables: Sequence[TableView] = ()
    items: Sequence[str] = ()
    notes: Sequence[str] = ()
    collapsed: bool = False
    beside: bool = True
    headline: str = ""


@dataclass(frozen=True)
class KeyNumber:
    """A number of the first page."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class ReportView:
    """The whole page: the first part for those who decide, and its appendix of sections."""

    title: str
    subtitle: str
    synthetic: str | None
    first: Sequence[Section]
    numbers: Sequence[KeyNumber]
    findings: FindingsView
    sections: Sequence[Section]
    footer: str
    warnings: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class DocumentView:
    """A document of sections alone."""

    title: str
    subtitle: str
    sections: Sequence[Section]
    footer: str
    synthetic: str | None = None
    warnings: Sequence[str] = ()
