"""Paired comparisons of a study, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from tauhat.study.paired import mean_table, paired_table
from tauhat.study.plan import Plan, StudyError
from tauhat.study.plan_file import load_plan, plan_from


@pytest.fixture
def plan() -> Plan:
    rows = [{"scenario": "linear", "n": [60, 90]}]
    return plan_from({"replicates": 3, "estimators": ["LMM", "GAMM"], "rows": rows}, "an example")


def test_rows_count_the_same_and_only_draws_are_random(plan: Plan) -> None:
    row = np.array([0, 0, 0, 1, 1])
    values = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 4.0], [2.0, 2.5], [2.0, 1.5]])
    found = paired_table(plan, row, values, metric="srmse", against="LMM").iloc[0]
    assert (found.rows, found.draws) == (2, 5)
    assert found.difference == pytest.approx((2.0 + 0.0) / 2)
    se = np.sqrt(1.0 / 3 + 0.5 / 2) / 2
    half = student.ppf(0.975, 3) * se
    assert found.difference_upper - found.difference == pytest.approx(half)
    logs = [np.log([2.0, 3.0, 4.0]).mean(), np.log([1.25, 0.75]).mean()]
    assert found.log_ratio == pytest.approx(np.mean(logs))
    assert found.better == pytest.approx(1 / 5)


def test_draws_without_a_value_and_rows_with_one_draw_are_left_out(plan: Plan) -> None:
    row = np.array([0, 0, 0, 1])
    values = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, np.nan], [1.0, 9.0]])
    found = paired_table(plan, row, values, metric="rod", against="LMM").iloc[0]
    assert (found.rows, found.draws, found.difference) == (1, 2, 1.0)
    nothing = paired_table(plan, row, np.full((4, 2), np.nan), metric="rod", against="LMM")
    assert nothing.rows.tolist() == [0]


def test_means_leave_out_rows_without_the_measure(plan: Plan) -> None:
    row = np.array([0, 0, 0, 1, 1])
    values = np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 4.0], [np.nan] * 2, [np.nan] * 2])
    found = mean_table(plan, row, values).set_index("estimator")
    assert list(found.columns) == ["linear 60", "mean", "se"]
    assert found["mean"].tolist() == [2.0, 3.0]
    assert found["se"].tolist() == pytest.approx([1 / np.sqrt(3), 1.0])


def test_wrong_names(plan: Plan) -> None:
    values = np.ones((2, 2))
    with pytest.raises(StudyError, match="ratios of 'bias' mean nothing"):
        paired_table(plan, np.zeros(2, int), values, metric="bias", against="LMM")
    with pytest.raises(StudyError, match="the study has no 'CBA'; it has LMM, GAMM"):
        paired_table(plan, np.zeros(2, int), values, metric="srmse", against="CBA")


def test_the_plans_that_confirm_the_flagship() -> None:
    cluster, individual = load_plan("cluster-flagship"), load_plan("robust-flagship")
    assert [len(cluster.rows), len(individual.rows)] == [6, 16]
    assert {"CBA", "Robust"} <= set(cluster.ensembles) & set(individual.ensembles)
    assert len({cluster.seed, individual.seed, load_plan("robust-ensembles").seed, 2611}) == 4
