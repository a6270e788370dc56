"""Section on what was compared, in whom: the flow of participants and the arms before treatment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, IntArray
from tauhat.disclosure import is_small
from tauhat.report.numbers import decimals_for, format_count, format_fixed
from tauhat.report.pieces import cell, cells_apart
from tauhat.report.randomized_units import in_clusters
from tauhat.report.text import Run, arm_name, effects_in_words
from tauhat.report.view import ReportInput, Section, TableView

MOST_LEVELS = 8
OTHERS = "other values"
MISSING = "missing"
HIDDEN = "not shown"
# Decimals of numbers that spread so far or farther, the same for most covariates of a trial.
_DECIMALS = ((1000, 0), (3, 1), (0.05, 2))


def compared_section(data: ReportInput) -> Section:
    """Outcome and arms in words, the flow from the file to the analysis, and Table 1."""
    run = data.run
    better = "" if run["better"] is None else f" A {run['better']} outcome is better."
    return Section(
        "compared",
        "What was compared, in whom",
        paragraphs=[
            f"Arms: {arm_name(run, 'treated')} against {arm_name(run, 'control')}; outcome: "
            f"{run['roles']['outcome']}. Effects are {effects_in_words(run)}, treated minus "
            f"control.{better}"
        ],
        tables=[_flow(run), *([] if data.treatment is None else baseline_tables(data))],
        notes=[
            "Numbers of one to four persons are not shown, nor what would give them away. In Table "
            "1: number (%) or mean (standard deviation) of the persons analysed; rare values are "
            "put together. Arms that differ here do so by chance if randomization was sound, so no "
            "p-values are given."
        ],
        beside=False,
    )


def _flow(run: Run) -> TableView:
    """From the rows of the file to the persons analysed, with clusters and arms where known."""
    design = run["design"]
    control, treated = design["arms"]["control"], design["arms"]["treated"]
    alone = design.get("incomplete_blocks") or {"persons": 0}
    missing = design["n_missing_outcome"]
    told = None not in (control["n_missing_outcome"], treated["n_missing_outcome"])
    whole = told and not alone["persons"]

    def arms(key: str) -> list[str]:
        return [format_count(arm[key]) for arm in (control, treated)]

    def enrolled() -> list[str]:
        return [format_count(arm["n"] + arm["n_missing_outcome"]) for arm in (control, treated)]

    rows = [["Rows of the table", format_count(design["n_rows"]), "", ""]]
    # A number that is not told is None.
    if design["n_excluded"] != 0:
        rows.append(
            ["Left out: another arm, or no arm or cluster", format_count(design["n_excluded"]), "",
             ""]
        )  # fmt: skip
    total = None if missing is None else design["n"] + missing + alone["persons"]
    rows.append(["Enrolled", format_count(total), *(enrolled() if whole else ["", ""])])
    if missing != 0:
        rows.append(
            [
                "Without an outcome",
                format_count(missing),
                *(arms("n_missing_outcome") if told else [HIDDEN] * 2),
            ]
        )
    if alone["persons"]:
        rows.append(["In blocks with one arm only", format_count(alone["persons"]), "", ""])
    rows.append(["Persons analysed", format_count(design["n"]), *arms("n")])
    if in_clusters(run):
        clusters = [f"{arm['clusters']:,}" for arm in (control, treated)]
        rows.append(["Clusters analysed", f"{design['clusters']:,}", *clusters])
    return TableView(
        "Flow of participants, from the table to the analysis",
        ["Persons", "All", *_arms(run)],
        rows,
    )


def _arms(run: Run) -> list[str]:
    return cells_apart([arm_name(run, name) for name in ("control", "treated")], 40)


def baseline_tables(data: ReportInput) -> list[TableView]:
    """Table 1: each covariate of the persons analysed, by arm."""
    assert data.treatment is not None
    return table_one(data.frame, data.treatment, _arms(data.run))


def table_one(frame: pd.DataFrame, arm: IntArray, names: Sequence[str]) -> list[TableView]:
    """Table 1 of two arms or more; none where no covariate can be shown.

    Parameters
    ----------
    frame
        Covariates of the persons analysed.
    arm
        Number of the arm of each.
    names
        Names of the arms.
    """
    rows: list[list[str]] = []
    for name in frame.columns:
        rows += _rows(cell(name, 60), frame[name], arm)
    if not rows:
        return []
    headers = [f"{name} (n = {n:,})" for name, n in zip(names, np.bincount(arm), strict=True)]
    return [TableView("Table 1: the persons analysed, by arm", ["Covariate", *headers], rows)]


def _rows(name: str, column: pd.Series[Any], arm: IntArray) -> Iterator[list[str]]:
    """A number by mean and standard deviation, everything else by its values."""
    known = column.notna().to_numpy()
    number = column.dtype.kind in "iuf"
    if not known.any():
        return
    if number and column[known].nunique() > 2:
        yield [f"{name}, mean (SD)", *_means(column.to_numpy(dtype=np.float64), known, arm)]
        yield from _of_levels(name, {MISSING: ~known}, arm) if not known.all() else ()
        return
    # The most frequent first; what else is rare is one level.
    values = column.astype("object").map(_level).where(known, MISSING)
    order = list(values.value_counts().index)
    told = order if len(order) == MOST_LEVELS + 1 else order[:MOST_LEVELS]
    levels = {value: (values == value).to_numpy() for value in told}
    if len(order) > len(told):
        levels[OTHERS] = ~np.any(list(levels.values()), axis=0)
    levels = _merged(levels, arm)
    if len(levels) < 2 and known.any() and len(order) > 1:
        yield [name, *_hidden(arm)]
        return
    # Of two values one tells the other.
    if len(levels) == 2 and MISSING not in levels and OTHERS not in levels:
        levels = {key: levels[key] for key in sorted(levels)[-1:]}
    yield from _of_levels(name, levels, arm)


def _level(value: Any) -> str:
    """A value in full: shortened ones might be alike."""
    if isinstance(value, float):
        return f"{value:.15g}".replace("-", "−")
    text = value if isinstance(value, str) else cell(value)
    return f"'{text}'" if text in (MISSING, OTHERS) else text


def _means(values: Any, known: BoolArray, arm: IntArray) -> list[str]:
    of_arms: list[tuple[float, float] | None] = []
    for a in range(_n_arms(arm)):
        own = values[known & (arm == a)]
        if is_small(len(own)) or not len(own):
            of_arms.append(None)
            continue
        of_arms.append((float(own.mean()), float(own.std(ddof=1))))
    # One number of decimals for all arms, and for all covariates of an ordinary size.
    widest = max((spread for one in of_arms if one is not None for spread in one[1:]), default=0.0)
    decimals = next((n for least, n in _DECIMALS if widest >= least), None)
    decimals = decimals_for(widest) if decimals is None else decimals
    return [
        HIDDEN
        if one is None
        else f"{format_fixed(one[0], decimals)} ({format_fixed(one[1], decimals)})"
        for one in of_arms
    ]


def _counts(chosen: BoolArray, arm: IntArray) -> IntArray:
    return np.bincount(arm[chosen], minlength=_n_arms(arm))


def _n_arms(arm: IntArray) -> int:
    return int(arm.max()) + 1


def _hidden(arm: IntArray) -> list[str]:
    return [HIDDEN] * _n_arms(arm)


def _merged(levels: Mapping[str, BoolArray], arm: IntArray) -> dict[str, BoolArray]:
    """Levels with those that hold one to four persons of an arm put together with the next rare.

    Arms' sizes are known, so that of all levels but one each count is: a level can hide in
    company only.
    """
    kept = dict(levels)
    rare = [key for key, chosen in kept.items() if is_small(_counts(chosen, arm)).any()]
    if not rare:
        return kept
    joined = np.any([kept.pop(key) for key in rare], axis=0)
    while kept and is_small(_counts(joined, arm)).any():
        smallest = min(kept, key=lambda key: int(kept[key].sum()))
        joined = joined | kept.pop(smallest)
    if OTHERS in kept:
        joined = joined | kept.pop(OTHERS)
    return {**kept, OTHERS: joined}


def _of_levels(name: str, levels: Mapping[str, BoolArray], arm: IntArray) -> Iterator[list[str]]:
    sizes = np.bincount(arm)
    for level, chosen in zip(cells_apart(levels, 40), levels.values(), strict=True):
        counts = _counts(chosen, arm)
        if is_small(counts).any():
            yield [f"{name}: {level}", *_hidden(arm)]
            continue
        yield [
            f"{name}: {level}",
            *(f"{n:,} ({100 * n / size:.1f}%)" for n, size in zip(counts, sizes, strict=True)),
        ]
