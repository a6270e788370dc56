"""Cluster-robust errors against clubSandwich; the values' script is ``reference/lme4.R``."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import pytest

from reference_values import R_VALUES, SETS, columns, trial
from tauhat.numerics.cluster_robust import cluster_robust_regression


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("kind", ["CR0", "CR2"])
def test_errors_and_degrees_of_freedom_equal_clubsandwich(
    name: str, kind: Literal["CR0", "CR2"]
) -> None:
    data, value = trial(name), R_VALUES[name]["clubSandwich"][kind]
    clusters = pd.factorize(data.cluster)[0]
    fixed = columns(data, value["term"])
    fit = cluster_robust_regression(fixed, data.y.to_numpy(), clusters, kind=kind)
    tests = [fit.coefficient(j) for j in range(len(value["term"]))]
    np.testing.assert_allclose([t.estimate for t in tests], value["coefficient"], rtol=1e-8)
    np.testing.assert_allclose([t.se for t in tests], value["se"], rtol=1e-8)
    if kind == "CR2":
        freedom = [t.degrees_of_freedom for t in tests]
        np.testing.assert_allclose(freedom, value["satterthwaite_df"], rtol=1e-6)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("terms", ["persons", "all"])
def test_joint_tests_equal_clubsandwich_htz(name: str, terms: str) -> None:
    data, value = trial(name), R_VALUES[name]["together"][terms]
    names = ["(Intercept)", "arm", "age", "sex", "urban"]
    clusters = pd.factorize(data.cluster)[0]
    fit = cluster_robust_regression(columns(data, names), data.y.to_numpy(), clusters)
    found = fit.joint(np.eye(5)[[names.index(term) for term in value["term"]]])
    assert found.numerator == len(value["term"])
    np.testing.assert_allclose(found.statistic, value["F"], rtol=1e-6)
    np.testing.assert_allclose(found.denominator, value["denominator"], rtol=1e-6)
    np.testing.assert_allclose(found.p_value, value["p"], rtol=1e-6)
