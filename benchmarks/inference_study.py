"""Every table on size, power and coverage, with Monte Carlo errors, by one command.

Runs the cells of the four benchmarks below and writes one CSV and one Markdown table a part:

    size, power  heterogeneity_size_power.py   the primary test, on three generators
    intervals    interval_coverage.py          intervals of individual effects
    groups       descriptive_coverage.py       sorted, named and found groups, policies, rankings
    averages     average_effect_coverage.py    individual- and cluster-average effect

A cell is written as soon as it is done and not run again, so that a study that was stopped goes
on where it was. The seeds belong to the cells: the same figures whatever the parts or the jobs.

Usage: python benchmarks/inference_study.py --out out/benchmarks/inference [--short]
       [--parts size power] [--jobs 2]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed

import average_effect_coverage as averages
import descriptive_coverage as groups
import heterogeneity_size_power as heterogeneity
import interval_coverage as intervals

Row = dict[str, Any]

CLUSTER_MODELS = ["LMM", "GAMM", "BRM", "BCF-RE"]
PERSON_MODELS = ["LMM", "X-Boosting", "BRM", "BCF"]


@dataclass(frozen=True)
class Effort:
    """Trials of a cell of each part."""

    size: int
    power: int
    intervals: int
    groups: int
    averages: int
    permutations: int
    models: tuple[list[str], list[str]]


FULL = Effort(600, 400, 20, 120, 600, 499, (CLUSTER_MODELS, PERSON_MODELS))
SHORT = Effort(60, 40, 2, 6, 100, 199, (["LMM", "BRM"], ["LMM", "BRM"]))


@dataclass(frozen=True)
class StudyCell:
    """One cell: its part, its name and what computes its rows."""

    part: str
    name: str
    run: Callable[..., list[Row]]
    arguments: tuple[Any, ...]


def test_rows(cell: heterogeneity.Cell, trials: int, permutations: int) -> list[Row]:
    """Share of rejections of the primary test in one cell."""
    row: Row = heterogeneity.shares(cell, trials, permutations)
    if cell.design == "crt" and cell.truth in heterogeneity.REFERENCE_POWER:
        place = {20: 0, 32: 1}[cell.units]
        row["reference"] = heterogeneity.REFERENCE_POWER[cell.truth][place]
    return [row]


def interval_rows(name: str, models: list[str], draws: int) -> list[Row]:
    """Coverage and width of every model's intervals in one scenario."""
    table = intervals.coverage_table([name], models, draws).reset_index()
    return table.drop(columns="scenario").to_dict("records")


def group_rows(design: str, draws: int) -> list[Row]:
    """Coverage, or share of rejections, of each descriptive function in one design."""
    trials = pd.DataFrame([groups.one_trial(design, k, 3, "GAMM") for k in range(draws)])
    figures = trials.drop(columns="design")
    return [
        {"figure": name, "mean": figures[name].mean(), "error": figures[name].sem()}
        for name in figures
    ]


def average_rows(name: str, clusters: int, trials: int) -> list[Row]:
    """Coverage of both averages in one design."""
    design = averages.designs()[name]
    return averages.coverage(design, clusters, trials, averages.targets(design))


def cells(effort: Effort) -> list[StudyCell]:
    """All cells of the study."""
    found = []
    for cell in heterogeneity.CELLS:
        part = "size" if cell.truth == "constant" else "power"
        trials = effort.size if part == "size" else effort.power
        found.append(StudyCell(part, cell.label, test_rows, (cell, trials, effort.permutations)))
    for models, names in zip(
        effort.models, (intervals.CLUSTER + intervals.SECOND, intervals.INDIVIDUAL), strict=True
    ):
        found += [
            StudyCell("intervals", name, interval_rows, (name, models, effort.intervals))
            for name in names
        ]
    found += [
        StudyCell("groups", name, group_rows, (name, effort.groups)) for name in groups.DESIGNS
    ]
    found += [
        StudyCell("averages", f"{name}, m={m}", average_rows, (name, m, effort.averages))
        for name in averages.designs()
        for m in averages.CLUSTERS
    ]
    return found


def run_cell(cell: StudyCell) -> tuple[StudyCell, pd.DataFrame]:
    """A cell with its rows, named."""
    table = pd.DataFrame(cell.run(*cell.arguments))
    table.insert(0, "cell", cell.name)
    return cell, table


def as_markdown(table: pd.DataFrame) -> str:
    """A table in Markdown, figures to three digits."""
    lines = [[str(name) for name in table.columns], ["---"] * table.shape[1]]
    for row in table.itertuples(index=False):
        lines.append(
            ["" if pd.isna(v) else f"{v:.3f}" if isinstance(v, float) else str(v) for v in row]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ["size", "power", "intervals", "groups", "averages"]
    parser.add_argument("--out", type=Path, required=True, help="directory of the tables")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--short", action="store_true", help="a tenth of the trials, two learners")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    files = {part: options.out / f"{part}.csv" for part in options.parts}
    tables = {part: pd.read_csv(file) for part, file in files.items() if file.exists()}
    done = {(part, name) for part, table in tables.items() for name in table.cell}
    wanted = [
        cell
        for cell in cells(SHORT if options.short else FULL)
        if cell.part in files and (cell.part, cell.name) not in done
    ]
    print(f"{len(wanted)} cells to run, {len(done)} done before", flush=True)
    runs = Parallel(n_jobs=options.jobs, return_as="generator")(
        delayed(run_cell)(cell) for cell in wanted
    )
    for cell, rows in runs:
        before = tables.get(cell.part)
        tables[cell.part] = rows if before is None else pd.concat([before, rows], ignore_index=True)
        tables[cell.part].to_csv(files[cell.part], index=False)
        files[cell.part].with_suffix(".md").write_text(as_markdown(tables[cell.part]))
        print(f"{cell.part}: {cell.name}", flush=True)


if __name__ == "__main__":
    main()
