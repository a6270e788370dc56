"""The results of a study, whole or in progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.study import tables
from tauhat.study.measures import AVERAGES
from tauhat.study.paired import mean_table, paired_table
from tauhat.study.plan import Plan, StudyError
from tauhat.study.records import unpack
from tauhat.study.store import read_store

#: Not part of what is equal for any jobs, backend and order.
TIME: Final = "seconds"


@dataclass(frozen=True, eq=False)
class Study:
    """Results of a study, in the order of its plan whatever the order of the work.

    Attributes
    ----------
    plan
        The plan.
    row
        Number of each task's row in the plan, shape (tasks,).
    replicate
        Number of each task's draw, shape (tasks,).
    metrics
        Names of the measures.
    values
        Measures, shape (tasks, estimators, metrics); NaN where a measure does
        not apply or the estimator failed.
    averages
        Model-robust average effects of each draw, shape (tasks, 10), columns
        `tauhat.study.measures.AVERAGES`.
    fit_seconds
        Time that each estimator would have taken alone, shape (tasks, estimators).
    seconds
        Time of each task, shape (tasks,).
    failures
        What went wrong: columns ``scenario n replicate estimator message``.
    versions
        Versions of tauhat that the results were made with.
    damaged_records
        Records of the store that do not count, by line, and why; their tasks are missing.
    """

    plan: Plan
    row: IntArray
    replicate: IntArray
    metrics: tuple[str, ...]
    values: FloatArray
    averages: FloatArray
    fit_seconds: FloatArray
    seconds: FloatArray
    failures: pd.DataFrame
    versions: tuple[str, ...]
    damaged_records: tuple[str, ...] = ()

    @property
    def damaged(self) -> int:
        """Number of damaged records."""
        return len(self.damaged_records)

    @property
    def n_tasks(self) -> int:
        """Number of tasks stored."""
        return len(self.row)

    def metric(self, name: str) -> FloatArray:
        """One measure of every task and estimator, shape (tasks, estimators).

        Parameters
        ----------
        name
            One of ``metrics``, or "seconds".

        Raises
        ------
        StudyError
            If there is no such measure.
        """
        if name == TIME:
            return self.fit_seconds
        if name not in self.metrics:
            known = ", ".join([*self.metrics, TIME])
            raise StudyError(f"there is no metric {name!r}; there are {known}")
        return self.values[:, :, self.metrics.index(name)]

    def table(self, metric: str = "srmse") -> pd.DataFrame:
        """Median of a measure over the replicates, see `tauhat.study.tables.median_table`."""
        return tables.median_table(self.plan, self.row, self.metric(metric))

    def regrets(self, metric: str = "srmse", *, n_bootstrap: int = 400) -> pd.DataFrame:
        """Ratios to the best single estimator, see `tauhat.study.tables.regret_table`."""
        return tables.regret_table(
            self.plan, self.row, self.metric(metric), metric=metric, n_bootstrap=n_bootstrap
        )

    def means(self, metric: str = "srmse") -> pd.DataFrame:
        """Means with Monte Carlo standard errors, see `tauhat.study.paired.mean_table`."""
        return mean_table(self.plan, self.row, self.metric(metric))

    def paired(self, metric: str = "srmse", *, against: str) -> pd.DataFrame:
        """Differences to one estimator by draw, see `tauhat.study.paired.paired_table`."""
        values = self.metric(metric)
        return paired_table(self.plan, self.row, values, metric=metric, against=against)

    def average_effects(self) -> pd.DataFrame:
        """Bias and coverage of both average effects; empty unless the plan asked for them."""
        return tables.average_effect_table(self.plan, self.row, self.averages)

    def excess(self, metrics: Sequence[str]) -> pd.DataFrame:
        """Relative excess of each row and estimator, see `tauhat.study.tables.excess_table`."""
        parts = [
            tables.excess_table(self.plan, self.row, self.metric(name)).assign(metric=name)
            for name in metrics
        ]
        return pd.concat(parts, ignore_index=True)

    @property
    def results(self) -> pd.DataFrame:
        """One row per task and estimator, one column per measure."""
        rows, names = self.plan.rows, self.plan.names
        estimators, tasks = len(names), self.n_tasks
        labels = np.array([row.label for row in rows], dtype=object)
        sizes = pd.array([row.n for row in rows], dtype="Int64")
        which = np.repeat(self.row, estimators)
        frame = pd.DataFrame(
            {
                "scenario": labels[which],
                "n": sizes.take(which),
                "replicate": np.repeat(self.replicate, estimators),
                "estimator": np.tile(np.array(names, dtype=object), tasks),
            }
        )
        measures = pd.DataFrame(
            self.values.reshape(tasks * estimators, -1), columns=list(self.metrics)
        )
        return pd.concat([frame, measures], axis=1).assign(seconds=self.fit_seconds.ravel())


def read_study(folder: str | Path) -> Study:
    """Results of a study that is done or still running.

    Parameters
    ----------
    folder
        The study's folder.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        If there is no study in the folder.
    """
    contents = read_store(folder)
    if contents is None:
        raise StudyError(f"there is no study in {folder}: `tauhat study run PLAN --out {folder}`")
    plan = contents.plan
    numbers = {row.key: number for number, row in enumerate(plan.rows)}
    tasks = contents.tasks
    row = np.array([numbers[task.row] for task in tasks], dtype=np.int64)
    replicate = np.array([task.replicate for task in tasks], dtype=np.int64)
    order = np.lexsort((replicate, row))
    estimators, metrics = len(plan.estimators), len(contents.metrics)
    averages = estimators * metrics
    times = averages + len(AVERAGES)
    packed = unpack([tasks[i] for i in order], times + estimators)
    messages = [
        (plan.rows[row[i]].label, plan.rows[row[i]].n, replicate[i], name, message)
        for i in order
        if tasks[i].messages
        for name, message in tasks[i].messages.items()
    ]
    return Study(
        plan=plan,
        row=row[order],
        replicate=replicate[order],
        metrics=contents.metrics,
        values=packed[:, :averages].reshape(-1, estimators, metrics),
        averages=packed[:, averages:times],
        fit_seconds=packed[:, times:],
        seconds=np.array([task.seconds for task in tasks], dtype=np.float64)[order],
        failures=pd.DataFrame(
            messages, columns=["scenario", "n", "replicate", "estimator", "message"]
        ).astype({"n": "Int64"}),
        versions=contents.versions,
        damaged_records=contents.damaged,
    )
