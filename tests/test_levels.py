"""Levels within clusters and several rows of a participant, also against lme4."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime

import tauhat as th
from reference_values import FOLDER, columns
from tauhat._typing import FloatArray
from tauhat.data import TrialData, validate_trial
from tauhat.design import design_of
from tauhat.errors import DesignError
from tauhat.learners import AdditiveMixedEffect, LinearMixedEffect
from tauhat.numerics.kernel_model import KernelMixedModel
from tauhat.numerics.nested_model import NestedMixedModel, mixed_model
from tauhat.trial.checks.level_checks import level_shares

LME4 = json.loads((FOLDER / "levels.json").read_text(encoding="utf-8"))["models"]
#: Levels of each of lme4's models, the outermost first.
MODELS = {
    "two_levels": ["clinic", "provider"],
    "participants": ["clinic", "patient"],
    "three_levels": ["clinic", "provider", "patient"],
}


def table() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "levels.csv")


def trial_data(levels: list[str], weight: FloatArray | None = None) -> TrialData:
    data = table()
    return validate_trial(data[["age"]], data.y, data.arm, data[levels], weight)


def model(levels: list[str], weight: FloatArray | None = None) -> NestedMixedModel:
    data = table()
    within = [data[name].to_numpy() for name in levels[1:]]
    intercepts = design_of(
        data.arm.to_numpy(), data[levels[0]].to_numpy(), within=within
    ).intercepts_of_levels()
    fixed = columns(data, ["(Intercept)", "arm", "age", "arm:age"])
    found = mixed_model(
        data.y.to_numpy(), fixed, (), intercepts.groups, weight, None, intercepts.above
    )
    assert isinstance(found, NestedMixedModel)
    return found


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_nested_intercepts_equal_lme4_to_six_digits(name: str, weighted: bool) -> None:
    value = LME4[name]["weighted" if weighted else "plain"]
    weight = table().weight.to_numpy() if weighted else None
    fit = model(MODELS[name], weight).fit()
    np.testing.assert_allclose(fit.coefficients, value["coefficient"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(fit.standard_errors(np.eye(4)), value["se"], rtol=1e-6)
    variances = [fit.between_cluster_variance, *fit.nesting_variances]
    expected = [value[level] for level in reversed(MODELS[name])]
    np.testing.assert_allclose(variances, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(fit.residual_variance, value["residual"], rtol=1e-6)
    likelihood = value["restricted_log_likelihood"]
    np.testing.assert_allclose(fit.restricted_log_likelihood, likelihood, atol=1e-6)


def test_learners_have_the_variances_of_lme4() -> None:
    value = LME4["three_levels"]["plain"]
    fitted = LinearMixedEffect(interactions="fixed")
    data = table()
    fitted.fit(data[["age"]], data.y, data.arm, data[["clinic", "provider", "patient"]])
    parts = fitted.variance_components_
    assert parts.between_cluster == pytest.approx(value["clinic"], rel=1e-3)
    expected = [value["provider"], value["patient"]]
    np.testing.assert_allclose(parts.within_cluster, expected, rtol=1e-3)
    total = value["clinic"] + value["provider"] + value["patient"] + value["residual"]
    shared = np.cumsum([value["clinic"], value["provider"], value["patient"]]) / total
    np.testing.assert_allclose(parts.iccs, shared, rtol=1e-3)
    assert len(fitted.cluster_effects_) == data.clinic.nunique()
    effect = dict(zip(value["term"], value["coefficient"], strict=True))
    np.testing.assert_allclose(
        fitted.effect(data[["age"]]), effect["arm"] + effect["arm:age"] * data.age, rtol=1e-4
    )


def test_gradient_and_rows_agree_with_the_likelihood_over_four_levels() -> None:
    data = table()
    weight = data.weight.to_numpy()
    blocks = pd.factorize(data.clinic)[0] // 4
    within = [data[name].to_numpy() for name in ("provider", "patient")]
    design = design_of(data.arm.to_numpy(), data.clinic.to_numpy(), blocks, within=within)
    intercepts = design.intercepts_of_levels()
    assert (intercepts.depth, intercepts.n_within) == (4, 2)
    y, fixed = data.y.to_numpy(), columns(data, ["(Intercept)", "arm"])
    block = data[["age"]].to_numpy()
    parts = (fixed, [block], intercepts.groups, weight)
    found = mixed_model(y, *parts, None, intercepts.above)
    ratios = np.log([0.3, 0.5, 0.2, 0.8, 0.4])
    slopes = approx_fprime(ratios, found.deviance, 1e-6)
    np.testing.assert_allclose(found.objective(ratios)[1], slopes, atol=2e-4)
    by_rows = KernelMixedModel(y, *parts, intercepts.above)
    differences = [m.deviance(ratios) - m.deviance(ratios / 2) for m in (found, by_rows)]
    assert differences[0] == pytest.approx(differences[1], abs=1e-7)


def test_designs_number_levels_anew_and_leave_out_what_cannot_be_told() -> None:
    clinic, arm = np.repeat(np.arange(4), 4), np.repeat([0, 1, 0, 1], 4)
    provider = np.tile([1, 1, 2, 2], 4)
    design = design_of(arm, clinic, within=[provider])
    assert design.within[0].max() == 7
    part = design.take(np.array([0, 1, 14, 15]))
    assert part.within[0].tolist() == [0, 0, 1, 1]
    # Copies of a cluster have providers of their own.
    rows, drawn = design.resample(3)
    assert int(drawn.within[0].max()) == 7
    assert len(rows) == 16
    intercepts = design.intercepts_of_levels()
    assert intercepts.above[0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert design.intercepts().above == ()
    # One provider in each clinic, and one row of each provider.
    for level in (clinic, np.arange(16)):
        assert design_of(arm, clinic, within=[level]).intercepts_of_levels().n_within == 0


@pytest.mark.parametrize("name", ["LMM", "GAMM", "BRM"])
def test_neither_order_nor_labels_matter(name: str) -> None:
    data = table()
    levels = ["clinic", "provider", "patient"]
    quick: dict[str, Any] = {"n_chains": 1, "draws": 20, "burn_in": 10} if name == "BRM" else {}
    rng = np.random.default_rng(1)
    order = rng.permutation(len(data))
    other = data.iloc[order].reset_index(drop=True)
    other["provider"] = 9 - other.provider
    other["patient"] = other.patient.map(
        dict(zip(data.patient.unique(), rng.permutation(data.patient.nunique()), strict=True))
    )
    effects = []
    for part in (data, other):
        estimator = th.estimator(name, random_state=1).set_params(**quick)
        estimator.fit(part[["age"]], part.y, part.arm, part[levels])
        effects.append(estimator.effect(data[["age"]].head(5)))
    np.testing.assert_allclose(*effects, rtol=1e-7)


def test_by_arm_and_the_lasso_leave_the_levels_within_out() -> None:
    data = table()
    for estimator in (
        AdditiveMixedEffect(between_cluster="by-arm"),
        LinearMixedEffect(interactions="lasso"),
    ):
        estimator.fit(data[["age"]], data.y, data.arm, data[["clinic", "provider"]])
        assert estimator.variance_components_.within_cluster == ()


ROLES = {"outcome": "y", "treatment": "arm", "covariates": ["age"]}


def test_a_trial_takes_levels_and_tells_of_each() -> None:
    trial = th.Trial(table(), cluster=["clinic", "provider"], participant="patient", **ROLES)
    assert trial.level_names == {"level 2": "provider", "participant": "patient"}
    # Providers are numbered anew in each clinic.
    assert [int(level.max()) + 1 for level in trial.randomization.within] == [38, 129]
    assert trial.n_clusters == 12
    data = table()
    direct = validate_trial(
        data[["age"]], data.y, data.arm, data[["clinic", "provider", "patient"]]
    )
    for first, second in zip(trial.data.design.within, direct.design.within, strict=True):
        np.testing.assert_array_equal(first, second)
    found = {finding.item: finding.value for finding in trial.check().findings}
    assert found["levels"] == "12 clinic, 38 provider, 129 patient"
    iccs = [share.icc for share in level_shares(trial)]
    assert all(icc is not None for icc in iccs)
    assert iccs == sorted(iccs)
    # Estimators take it apart as it is.
    fitted = th.estimator("LMM").fit(*trial)
    assert len(fitted.variance_components_.within_cluster) == 2


def test_averages_and_the_test_are_those_of_clusters() -> None:
    with_levels = th.Trial(table(), cluster=["clinic", "provider"], **ROLES)
    plain = th.Trial(table(), cluster="clinic", **ROLES)
    first, second = (th.average_effects(trial).individual for trial in (with_levels, plain))
    assert first.estimate == pytest.approx(second.estimate, rel=1e-9)
    assert first.degrees_of_freedom == second.degrees_of_freedom


def test_inner_units_in_two_clusters_are_named() -> None:
    data = table().assign(provider=lambda d: d.clinic + "-" + d.provider.astype(str))
    data.loc[data.index[-1], "provider"] = data.provider.iloc[0]
    with pytest.raises(DesignError, match=r"1 unit of 'provider' lies in more.*'c1-1'"):
        th.Trial(data, cluster=["clinic", "provider"], **ROLES)
    data = table().assign(provider=lambda d: d.clinic + "-" + d.provider.astype(str))
    with pytest.raises(DesignError, match=r"comes first: cluster=\['clinic', 'provider'\]"):
        th.Trial(data, cluster=["provider", "clinic"], **ROLES)


def test_participants_with_several_rows_are_told_how_to_say_so() -> None:
    with pytest.raises(DesignError, match="say participant='patient'"):
        th.Trial(table(), cluster="clinic", id="patient", **ROLES)
    alone = th.Trial(table(), participant="patient", id="patient", **ROLES)
    assert alone.randomization.n_units == 129
    once = table().drop_duplicates("patient")
    trial = th.Trial(once, cluster="clinic", participant="patient", **ROLES)
    assert trial.data.design.intercepts_of_levels().n_within == 0
    assert "No patient has more than one row" in trial.check().text


def test_mistakes_of_the_design_are_named() -> None:
    data = table()
    crossed = pd.concat([data, data.head(9).assign(arm=1 - data.arm.head(9))])
    with pytest.raises(DesignError, match=r"(is|are) in more than one arm: 'p1'.*cross"):
        th.Trial(crossed, participant="patient", **ROLES)
    # Within clinics too, although the patient of two arms is one of two clinics as well.
    patients = data.assign(patient=np.arange(len(data)))
    patients.loc[0, "patient"] = patients.patient[data.arm != data.arm[0]].iloc[0]
    with pytest.raises(DesignError, match="1 participant of 'patient' is in more than one arm"):
        th.Trial(patients, cluster="clinic", participant="patient", **ROLES)
    pairs = data.assign(pair=pd.factorize(data.clinic)[0] // 2)
    pairs.loc[0, "pair"] = 5
    with pytest.raises(DesignError, match=r"varies within 1 of 12 clusters \('c1'\)"):
        th.Trial(pairs, cluster="clinic", block="pair", **ROLES)
    one = data.assign(arm=(data.clinic == "c1").astype(int))
    with pytest.raises(DesignError, match=r"11 control and 1 treated clusters.*these are blocks"):
        th.Trial(one, cluster="clinic", **ROLES)
