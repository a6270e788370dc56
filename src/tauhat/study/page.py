"""Everything that a study shows, as files: figures, tables and one HTML page."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from matplotlib.figure import Figure

from tauhat.report.plots import to_data_uri, to_svg
from tauhat.runtime.files import csv_text, write_files
from tauhat.study.figures import PANELS, excess_figure, excess_of, row_figure
from tauhat.study.plan import StudyError
from tauhat.study.reference import reference_table
from tauhat.study.results import TIME, Study
from tauhat.study.tables import RATIOS, best_cells, number

_TABLES = {
    **PANELS,
    "rmse": "RMSE, in the outcome's unit",
    "bias": "Bias of the mean effect",
    "centred_srmse": "sRMSE after removing the bias of the mean",
    "calibration_slope": "Calibration slope",
    "policy_value": "Policy value",
    "sd_effect": "SD of the estimated effects",
    "coverage": "Coverage of pointwise 95% intervals",
    "width": "Width of pointwise 95% intervals",
    "icc": "Intracluster correlation",
    TIME: "Seconds a fit",
}

# Everything that `write_page` may write.
FILES = (
    *(f"relative-excess{what}.{kind}" for what in ("", "-by-row") for kind in ("svg", "png")),
    *(f"{name}.csv" for name in ("medians", "regrets", "relative-excess", "average-effects")),
    "failures.csv",
    "study.html",
)


@dataclass(frozen=True)
class Cell:
    """One cell of a table on the page."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class PageTable:
    """A table on the page: header, rows of a few labels and numbers."""

    title: str
    header: list[str]
    rows: list[list[Cell]]
    labels: int


def write_page(study: Study, folder: str | Path) -> list[Path]:
    """Write figures (PNG, SVG), tables (CSV) and ``study.html`` into a folder.

    Parameters
    ----------
    study
        The study, done or in progress.
    folder
        Made when missing.

    Returns
    -------
    list of Path
        ``relative-excess`` and ``relative-excess-by-row`` as PNG and SVG (left
        out when no effect varies), ``medians.csv``, ``regrets.csv``,
        ``relative-excess.csv``, ``average-effects.csv`` (when asked for),
        ``failures.csv`` and ``study.html``, which holds everything and loads
        nothing.

    Raises
    ------
    StudyError
        If nothing is stored yet.
    TrialError
        If the folder cannot be written to.
    """
    if study.n_tasks == 0:
        raise StudyError("no task of the study is done yet: there is nothing to show")
    folder = Path(folder)
    excess = excess_of(study)
    figures: dict[str, Figure] = {}
    if len(excess):
        figures = {
            "relative-excess": excess_figure(study),
            "relative-excess-by-row": row_figure(study),
        }
    medians = {name: study.table(name) for name in _TABLES}
    medians = {name: table for name, table in medians.items() if _says_something(table)}
    regrets: dict[str, pd.DataFrame] = {
        name: study.regrets(name) for name in RATIOS if name in medians
    }
    averages = study.average_effects()
    files: dict[str, str | bytes] = {}
    for name, figure in figures.items():
        files[f"{name}.svg"] = to_svg(figure)
        files[f"{name}.png"] = _png(figure)
    files["medians.csv"] = csv_text(_stacked(medians))
    files["regrets.csv"] = csv_text(_stacked(regrets))
    files["relative-excess.csv"] = csv_text(excess)
    if len(averages):
        files["average-effects.csv"] = csv_text(averages)
    files["failures.csv"] = csv_text(study.failures)
    files["study.html"] = _html(study, figures, medians, regrets, averages)
    return write_files(folder, files)


def _says_something(table: pd.DataFrame) -> bool:
    return bool(table.iloc[:, 3:].notna().to_numpy().any())


def _stacked(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    parts = [
        pd.concat([pd.Series([name] * len(table), name="metric"), table], axis=1)
        for name, table in tables.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()


def _html(
    study: Study,
    figures: dict[str, Figure],
    medians: dict[str, pd.DataFrame],
    regrets: dict[str, pd.DataFrame],
    averages: pd.DataFrame,
) -> str:
    environment = Environment(
        loader=PackageLoader("tauhat.study", "templates"),
        autoescape=select_autoescape(["j2", "html"]),
        undefined=StrictUndefined,
    )
    style = resources.files("tauhat.report").joinpath("templates/report.css").read_text("utf-8")
    tables = [_median_view(study, metric, table) for metric, table in medians.items()]
    return environment.get_template("study.html.j2").render(
        plan=study.plan,
        style=style,
        done=study.n_tasks,
        total=study.plan.n_tasks,
        versions=", ".join(study.versions),
        hours=f"{study.seconds.sum() / 3600:.2f}",
        figures=[(name, to_data_uri(figure)) for name, figure in figures.items()],
        regrets=[_plain_view(_TABLES[name], table) for name, table in regrets.items()],
        medians=tables,
        averages=_plain_view("Average effects", averages) if len(averages) else None,
        failures=_failure_view(study.failures) if len(study.failures) else None,
    )


def _median_view(study: Study, metric: str, table: pd.DataFrame) -> PageTable:
    """Medians, the best of each row marked, with published values in brackets."""
    best = best_cells(table, metric)
    published = reference_table(study.plan, metric)
    names = list(table.columns[3:])
    rows = []
    for i in range(len(table)):
        size = table["n"].iloc[i]
        line = [Cell(str(table["scenario"].iloc[i])), Cell("" if pd.isna(size) else str(size))]
        line.append(Cell(str(table["replicates"].iloc[i])))
        for j, name in enumerate(names):
            text = number(float(table[name].iloc[i]))
            if published is not None:
                text += f" ({number(float(published[name].iloc[i]))})"
            line.append(Cell(text, bool(best[i, j])))
        rows.append(line)
    title = _TABLES[metric] + ("" if published is None else " (in brackets: published)")
    return PageTable(title, ["scenario", "n", "replicates", *names], rows, labels=1)


def _plain_view(title: str, table: pd.DataFrame) -> PageTable:
    labels = [name for name in table.columns if table[name].dtype == object]
    rows = [
        [Cell(number(value) if isinstance(value, float) else _text(value)) for value in line]
        for line in table.itertuples(index=False, name=None)
    ]
    return PageTable(title, list(table.columns), rows, labels=max(len(labels), 1))


def _text(value: object) -> str:
    return "" if value is None or value is pd.NA else str(value)


def _failure_view(failures: pd.DataFrame) -> PageTable:
    counted = (
        failures.groupby(["scenario", "n", "estimator", "message"], dropna=False, sort=False)
        .size()
        .reset_index(name="times")
    )
    return _plain_view("What went wrong", counted)
