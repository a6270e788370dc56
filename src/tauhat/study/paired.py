"""Means of a study, and every estimator against one of them on the same draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import t as student

from tauhat._typing import FloatArray, IntArray
from tauhat.study.plan import Plan, StudyError
from tauhat.study.tables import RATIOS


def paired_table(
    plan: Plan,
    row: IntArray,
    values: FloatArray,
    *,
    metric: str,
    against: str,
    level: float = 0.95,
) -> pd.DataFrame:
    r"""Differences and log ratios of a measure to one estimator's, paired by draw.

    .. math::
        \bar d = \frac1R \sum_r \bar d_r, \qquad
        \widehat{\mathrm{se}}^2 = \frac{1}{R^2} \sum_r \frac{s_r^2}{n_r}

    over the R rows of the plan, which are fixed: only the draws within a row
    are random. Intervals take t quantiles with :math:`\sum_r (n_r - 1)`
    degrees of freedom.

    Parameters
    ----------
    plan
        The plan.
    row, values
        As in `tauhat.study.tables.median_table`.
    metric
        The measure, one of `tauhat.study.tables.RATIOS`.
    against
        The estimator to compare with.
    level
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        One row for each other estimator: mean ``difference`` with its bounds,
        mean ``log_ratio`` with its bounds, the share of draws in which it is
        ``better`` (smaller), and the numbers of ``rows`` and ``draws``. Draws
        in which one of the two has no value are left out, and rows with fewer
        than two draws.

    Raises
    ------
    StudyError
        If ratios of the measure mean nothing or there is no such estimator.

    Examples
    --------
    >>> from tauhat.study.plan_file import plan_from
    >>> rows = [{"scenario": "linear", "n": 50}]
    >>> names = ["LMM", "GAMM"]
    >>> plan = plan_from({"replicates": 3, "estimators": names, "rows": rows}, "example")
    >>> values = np.array([[1.0, 2.0], [1.1, 2.2], [0.9, 1.9]])
    >>> found = paired_table(plan, np.zeros(3, int), values, metric="srmse", against="LMM")
    >>> found.round(2)[["estimator", "difference", "log_ratio", "better"]].values.tolist()
    [['GAMM', 1.03, 0.71, 0.0]]
    """
    if metric not in RATIOS:
        raise StudyError(f"ratios of {metric!r} mean nothing; choose from {', '.join(RATIOS)}")
    if against not in plan.names:
        raise StudyError(f"the study has no {against!r}; it has {', '.join(plan.names)}")
    base = values[:, plan.names.index(against)]
    records = []
    for name, own in zip(plan.names, values.T, strict=True):
        if name == against:
            continue
        usable = ~np.isnan(own) & ~np.isnan(base) & (base > 0) & (own > 0)
        parts = [np.flatnonzero(usable & (row == number)) for number in range(len(plan.rows))]
        parts = [part for part in parts if len(part) > 1]
        drawn = np.concatenate([*parts, np.zeros(0, dtype=np.int64)]).astype(np.int64)
        record: dict[str, object] = {"estimator": name, "rows": len(parts), "draws": len(drawn)}
        if parts:
            for label, change in (
                ("difference", own - base),
                ("log_ratio", _log(own) - _log(base)),
            ):
                mean, half = _mean_over_rows([change[part] for part in parts], level)
                record |= {
                    label: mean,
                    f"{label}_lower": mean - half,
                    f"{label}_upper": mean + half,
                }
            record["better"] = float(np.mean(own[drawn] < base[drawn]))
        records.append(record)
    return pd.DataFrame(records)


def mean_table(plan: Plan, row: IntArray, values: FloatArray) -> pd.DataFrame:
    """Mean over the replicates with its Monte Carlo standard error, one row per estimator.

    Parameters
    ----------
    plan
        The plan.
    row, values
        As in `tauhat.study.tables.median_table`.

    Returns
    -------
    DataFrame
        One column per row of the plan in which the measure exists, ``mean`` over
        these, and ``se``, its standard error; the rows are fixed, only the draws
        within them are random. Draws without a value are left out.

    Examples
    --------
    >>> from tauhat.study.plan_file import plan_from
    >>> rows = [{"scenario": "linear", "n": 50, "label": "line"}]
    >>> plan = plan_from({"replicates": 3, "estimators": ["LMM"], "rows": rows}, "example")
    >>> found = mean_table(plan, np.zeros(3, int), np.array([[1.0], [3.0], [2.0]]))
    >>> found.round(2).to_dict("list")
    {'estimator': ['LMM'], 'line 50': [2.0], 'mean': [2.0], 'se': [0.58]}
    """
    table = pd.DataFrame({"estimator": plan.names})
    variances = []
    for number, planned in enumerate(plan.rows):
        part = values[row == number]
        if np.isnan(part).all():
            continue
        size = "" if planned.n is None else f" {planned.n}"
        count = (~np.isnan(part)).sum(axis=0)
        mean = np.nansum(part, axis=0) / np.where(count > 0, count, np.nan)
        spread = np.nansum((part - mean) ** 2, axis=0) / np.where(count > 1, count - 1, np.nan)
        table[f"{planned.label or planned.scenario}{size}"] = mean
        variances.append(spread / count)
    if variances:
        table["mean"] = table.iloc[:, 1:].mean(axis=1, skipna=False)
        table["se"] = np.sqrt(np.sum(variances, axis=0)) / len(variances)
    return table


def _log(values: FloatArray) -> FloatArray:
    logs: FloatArray = np.log(np.where(values > 0, values, 1.0))
    return logs


def _mean_over_rows(parts: list[FloatArray], level: float) -> tuple[float, float]:
    """Mean of the rows' means, and half the width of its interval."""
    mean = float(np.mean([part.mean() for part in parts]))
    variance = sum(part.var(ddof=1) / len(part) for part in parts) / len(parts) ** 2
    freedom = sum(len(part) - 1 for part in parts)
    return mean, float(student.ppf((1 + level) / 2, freedom) * np.sqrt(variance))
