"""Tables of a study: medians, regrets, relative excess, average effects."""

from __future__ import annotations

import itertools
from typing import Final, Literal

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate.performance import performance
from tauhat.study.measures import AVERAGES
from tauhat.study.plan import Plan, StudyError

#: What counts as best: the smallest, the largest, or the nearest to a number.
BEST: Final[dict[str, Literal["smallest", "largest"] | float]] = {
    "srmse": "smallest", "rod": "smallest", "subgroup_srmse": "smallest",
    "subgroup_rod": "smallest", "rmse": "smallest", "centred_srmse": "smallest",
    "width": "smallest", "seconds": "smallest", "policy_value": "largest",
    "bias": 0.0, "calibration_slope": 1.0, "coverage": 0.95,
}  # fmt: skip

#: Measures whose ratios mean something.
RATIOS: Final = ("srmse", "rod", "subgroup_srmse", "subgroup_rod", "rmse", "centred_srmse")


def _medians(values: FloatArray) -> FloatArray:
    """Median of each column without its NaN; NaN where there is nothing else."""
    present = ~np.isnan(values)
    if present.all() and len(values):
        return np.asarray(np.median(values, axis=0))
    columns = [column[keep] for column, keep in zip(values.T, present.T, strict=True)]
    return np.array([np.median(column) if len(column) else np.nan for column in columns])


def _by_row(plan: Plan, row: IntArray, values: FloatArray) -> list[FloatArray]:
    """Values of the tasks of each row, in the order of the plan; tasks are sorted by row."""
    starts = np.searchsorted(row, np.arange(len(plan.rows) + 1))
    return [values[start:end] for start, end in itertools.pairwise(starts)]


def _frame(plan: Plan, counts: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "scenario": [row.label for row in plan.rows],
            "n": pd.array([row.n for row in plan.rows], dtype="Int64"),
            "replicates": counts,
        }
    )


def median_table(plan: Plan, row: IntArray, values: FloatArray) -> pd.DataFrame:
    """Median over the replicates, one row per row of the plan, one column per estimator.

    Parameters
    ----------
    plan
        The plan.
    row
        Row number of each task in ascending order, shape (tasks,).
    values
        Measure of each task and estimator, shape (tasks, estimators).

    Returns
    -------
    DataFrame
        Columns ``scenario n replicates``, then the estimators. Replicates in
        which an estimator failed do not count for it.

    Examples
    --------
    >>> from tauhat.study.plan_file import plan_from
    >>> rows = [{"scenario": "linear", "n": 50}]
    >>> plan = plan_from({"replicates": 3, "estimators": ["LMM"], "rows": rows}, "example")
    >>> float(median_table(plan, np.zeros(3, int), np.array([[1.0], [9.0], [2.0]])).at[0, "LMM"])
    2.0
    """
    parts = _by_row(plan, row, values)
    table = _frame(plan, [len(part) for part in parts])
    medians = np.array([_medians(part) for part in parts])
    for number, name in enumerate(plan.names):
        table[name] = medians[:, number]
    return table


def best_cells(table: pd.DataFrame, metric: str) -> BoolArray:
    """Which estimator is best in each row of a median table, shape (rows, estimators).

    Parameters
    ----------
    table
        As `median_table` returns it.
    metric
        The measure; of one without a best value nothing is marked.

    Returns
    -------
    ndarray of bool

    Examples
    --------
    >>> row = {"scenario": "linear", "n": 50, "replicates": 3, "A": 2.0, "B": 1.0}
    >>> table = pd.DataFrame([row])
    >>> best_cells(table, "srmse").tolist()
    [[False, True]]
    """
    values = table.iloc[:, 3:].to_numpy(dtype=np.float64)
    best = BEST.get(metric)
    if best is None:
        return np.zeros(values.shape, dtype=bool)
    loss = values if best == "smallest" else -values
    if isinstance(best, float):
        loss = np.abs(values - best)
    loss = np.where(np.isnan(loss), np.inf, loss)
    least = loss.min(axis=1, keepdims=True)
    marked: BoolArray = (loss == least) & np.isfinite(loss)
    return marked


def text_table(table: pd.DataFrame, metric: str, reference: pd.DataFrame | None = None) -> str:
    """Median table for reading: three significant figures, the best of each row with a star.

    Parameters
    ----------
    table
        As `median_table` returns it.
    metric
        The measure.
    reference
        Published values of the same shape, put in brackets behind ours.

    Returns
    -------
    str
    """
    best = best_cells(table, metric)
    names = list(table.columns[3:])
    cells = [["scenario", "n", "reps", *names]]
    for i in range(len(table)):
        size = table["n"].iloc[i]
        line = [str(table["scenario"].iloc[i]), "-" if pd.isna(size) else str(size)]
        line.append(str(table["replicates"].iloc[i]))
        for j, name in enumerate(names):
            shown = number(float(table[name].iloc[i])) + ("*" if best[i, j] else " ")
            if reference is not None and name in reference.columns:
                shown += f" ({number(float(reference[name].iloc[i]))})"
            line.append(shown)
        cells.append(line)
    widths = [max(len(line[k]) for line in cells) for k in range(len(cells[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def number(value: float) -> str:
    """A number for a table; a dash for a missing one.

    Examples
    --------
    >>> number(0.12345), number(float("nan"))
    ('0.123', '-')
    """
    if np.isnan(value):
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.4g}"


def _usable(plan: Plan, parts: list[FloatArray]) -> list[int]:
    """Rows in which the best single estimator has a positive median."""
    singles = [plan.names.index(name) for name in plan.singles]
    medians = (_medians(part)[singles] for part in parts)
    return [k for k, median in enumerate(medians) if np.fmin.reduce(median) > 0]


def _ratios(plan: Plan, medians: FloatArray) -> FloatArray:
    """Medians over the best single estimator's, row by row; last axis estimators."""
    singles = [plan.names.index(name) for name in plan.singles]
    best = np.fmin.reduce(medians[..., singles], axis=-1, keepdims=True)
    ratios: FloatArray = medians / best
    return ratios


def regret_table(
    plan: Plan,
    row: IntArray,
    values: FloatArray,
    *,
    metric: str = "srmse",
    n_bootstrap: int = 400,
    level: float = 0.95,
) -> pd.DataFrame:
    """Ratio of each estimator's median to the best single estimator's, over the rows.

    Parameters
    ----------
    plan
        The plan; its ensembles are no candidates for the best single one.
    row, values
        As in `median_table`.
    metric
        The measure: one that is positive and better when smaller.
    n_bootstrap
        Bootstrap samples of the replicates, drawn within each row and the same
        for all estimators; 0 for none.
    level
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        One row per estimator: ``mean`` ratio over the rows with ``mean_lower``
        and ``mean_upper``, ``worst`` ratio with ``worst_lower`` and
        ``worst_upper``, ``worst_row``, and the number of ``rows``. Rows
        without the measure (an effect that is constant has no sRMSE) are left
        out; an estimator that always failed in some row has NaN.

    Raises
    ------
    StudyError
        If ratios of the measure mean nothing.
    """
    if metric not in RATIOS:
        raise StudyError(f"ratios of {metric!r} mean nothing; choose from {', '.join(RATIOS)}")
    parts = _by_row(plan, row, values)
    usable = _usable(plan, parts)
    if not usable:
        return pd.DataFrame({"estimator": plan.names, "rows": 0})
    ratios = _ratios(plan, np.array([_medians(parts[number]) for number in usable]))
    mean, worst = ratios.mean(axis=0), ratios.max(axis=0)
    names = [
        " ".join(str(part) for part in (plan.rows[k].label, plan.rows[k].n) if part is not None)
        for k in usable
    ]
    where = np.argmax(np.where(np.isnan(ratios), -np.inf, ratios), axis=0)
    table = pd.DataFrame({"estimator": plan.names, "rows": len(usable)})
    resampled = _resampled_ratios(plan, [parts[k] for k in usable], n_bootstrap)
    tails = [(1 - level) / 2, (1 + level) / 2]
    for name, point, draws in (
        ("mean", mean, resampled.mean(axis=1)),
        ("worst", worst, resampled.max(axis=1)),
    ):
        table[name] = point
        lower, upper = np.quantile(draws, tails, axis=0) if n_bootstrap else [np.nan, np.nan]
        table[f"{name}_lower"], table[f"{name}_upper"] = lower, upper
    table["worst_row"] = [names[k] for k in where]
    return table


def _resampled_ratios(plan: Plan, parts: list[FloatArray], n_bootstrap: int) -> FloatArray:
    """Ratios of bootstrap samples, shape (samples, rows, estimators)."""
    rng = np.random.default_rng(derive_seed(plan.seed, "regrets"))
    medians = np.empty((n_bootstrap, len(parts), len(plan.names)))
    for k, part in enumerate(parts):
        medians[:, k] = _resampled_medians(part, n_bootstrap, rng)
    return _ratios(plan, medians)


def _resampled_medians(
    values: FloatArray, n_bootstrap: int, rng: np.random.Generator
) -> FloatArray:
    """Medians of bootstrap samples of the rows, without NaN, shape (samples, columns).

    The columns are sorted once; a sample is a count for each row, and the
    median is where the cumulated counts reach the middle.
    """
    n, columns = values.shape
    order = np.argsort(values, axis=0).T
    ordered = np.take_along_axis(values.T, order, axis=1)
    present = (~np.isnan(values)).sum(axis=0)
    column = np.arange(columns)
    medians = np.empty((n_bootstrap, columns))
    for sample in range(n_bootstrap):
        counts = np.bincount(rng.integers(0, n, n), minlength=n)
        cumulated = counts[order].cumsum(axis=1)
        drawn = np.where(present > 0, cumulated[column, np.maximum(present - 1, 0)], 0)
        middle = [
            ordered[column, (cumulated > position[:, None]).argmax(axis=1)]
            for position in ((drawn - 1) // 2, drawn // 2)
        ]
        medians[sample] = np.where(drawn > 0, (middle[0] + middle[1]) / 2, np.nan)
    return medians


def excess_table(plan: Plan, row: IntArray, values: FloatArray) -> pd.DataFrame:
    """Relative excess over the best single estimator, in per cent, of each row and estimator.

    Parameters
    ----------
    plan, row, values
        As in `median_table`.

    Returns
    -------
    DataFrame
        Columns ``scenario n estimator excess``; rows without the measure are
        left out.
    """
    parts = _by_row(plan, row, values)
    usable = _usable(plan, parts)
    records = []
    for number in usable:
        excess = 100 * (_ratios(plan, _medians(parts[number])) - 1)
        records += [
            (plan.rows[number].label, plan.rows[number].n, name, value)
            for name, value in zip(plan.names, excess.tolist(), strict=True)
        ]
    table = pd.DataFrame(records, columns=["scenario", "n", "estimator", "excess"])
    return table.astype({"n": "Int64", "excess": "float64"})


def average_effect_table(plan: Plan, row: IntArray, averages: FloatArray) -> pd.DataFrame:
    """Bias, error and coverage of the model-robust average effects over the replicates.

    Parameters
    ----------
    plan, row
        As in `median_table`.
    averages
        One row per task, columns `tauhat.study.measures.AVERAGES`.

    Returns
    -------
    DataFrame
        One row per row of the plan and estimand, columns as
        `tauhat.simulate.Performance`.
    """
    records = []
    for planned, part in zip(plan.rows, _by_row(plan, row, averages), strict=True):
        for estimand in ("individual", "cluster"):
            columns = [
                AVERAGES.index(f"{estimand}_{name}")
                for name in ("estimate", "truth", "se", "lower", "upper")
            ]
            known = part[:, columns][~np.isnan(part[:, columns]).any(axis=1)]
            if not len(known):
                continue
            estimate, truth, se, lower, upper = known.T
            found = performance(estimate, truth, se=se, lower=lower, upper=upper)
            records.append(
                {
                    "scenario": planned.label,
                    "n": planned.n,
                    "estimand": f"{estimand}-average",
                    "truth": float(truth.mean()),
                    **vars(found),
                }
            )
    return pd.DataFrame(records)
