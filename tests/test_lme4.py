"""Mixed models against lme4 and lmerTest; the values' script is ``reference/lme4.R``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reference_values import R_VALUES, SETS, columns, trial
from tauhat.learners import LinearMixedEffect
from tauhat.numerics.icc import intracluster_correlation
from tauhat.numerics.mixed_model import MixedModel

COVARIATES = ["age", "sex", "urban"]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("model", ["adjusted", "interactions", "weighted", "arms_only"])
def test_restricted_likelihood_equals_lme4_to_six_digits(name: str, model: str) -> None:
    data, value = trial(name), R_VALUES[name][model]
    weight = data.weight.to_numpy() if model == "weighted" else None
    fixed = columns(data, value["term"])
    clusters = pd.factorize(data.cluster)[0]
    mixed = MixedModel(data.y.to_numpy(), fixed, clusters=clusters, weight=weight)
    fit = mixed.fit()
    contrasts = np.eye(len(value["term"]))
    np.testing.assert_allclose(fit.coefficients, value["coefficient"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(fit.standard_errors(contrasts), value["se"], rtol=1e-6)
    np.testing.assert_allclose(fit.between_cluster_variance, value["between"], rtol=1e-6)
    np.testing.assert_allclose(fit.residual_variance, value["residual"], rtol=1e-6)
    likelihood = value["restricted_log_likelihood"]
    np.testing.assert_allclose(fit.restricted_log_likelihood, likelihood, atol=1e-6)
    freedom = [mixed.satterthwaite(fit, contrast) for contrast in contrasts]
    np.testing.assert_allclose(freedom, value["satterthwaite_df"], rtol=1e-3)


# The others have too few clusters for `urban` in a learner's regressions.
@pytest.mark.parametrize("name", ["equal_sizes", "pairs_of_persons", "blood_pressure"])
def test_lmm_with_fixed_interactions_is_the_model_of_lme4(name: str) -> None:
    data, value = trial(name), R_VALUES[name]["interactions"]
    X = data[COVARIATES]
    model = LinearMixedEffect(interactions="fixed")
    model.fit(X, data.y, treatment=data.arm, clusters=data.cluster)
    term = dict(zip(value["term"], value["coefficient"], strict=True))
    expected = term["arm"] + X.to_numpy() @ [term[f"arm:{name}"] for name in COVARIATES]
    np.testing.assert_allclose(model.effect(X), expected, rtol=1e-5, atol=1e-5 * data.y.std())
    assert model.variance_components_.residual == pytest.approx(value["residual"], rel=1e-4)


@pytest.mark.parametrize("name", ["equal_sizes", "few_clusters", "pairs_of_persons"])
def test_correlation_within_arms_equals_lme4_where_clusters_have_one_size(name: str) -> None:
    data, value = trial(name), R_VALUES[name]["arms_only"]
    clusters = pd.factorize(data.cluster)[0]
    found = intracluster_correlation(data.y.to_numpy(), clusters, data.arm.to_numpy())
    between, residual = value["between"], value["residual"]
    assert found.value == pytest.approx(between / (between + residual), rel=1e-5)
    assert found.within == pytest.approx(residual, rel=1e-5)
