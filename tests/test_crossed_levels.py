"""Levels that cross the randomized clusters, also against lme4."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from reference_values import FOLDER, columns
from tauhat.design import design_of
from tauhat.errors import DesignError, TrialError
from tauhat.fitting.reference_posterior import ridge_posterior
from tauhat.numerics.nested_model import mixed_model
from tauhat.trial.checks.level_checks import crossed_shares

LME4 = json.loads((FOLDER / "crossed.json").read_text(encoding="utf-8"))["models"]
#: Levels of each of lme4's models beside what crosses them, the outermost first.
MODELS = {"crossed": ["school"], "crossed_and_nested": ["school", "class"]}
ROLES: dict[str, Any] = {"outcome": "y", "treatment": "arm", "covariates": ["age"]}


def table() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "crossed.csv")


def trial(**others: Any) -> th.Trial:
    return th.Trial(table(), **{**ROLES, "cluster": "school", "crossed": "area", **others})


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_crossed_intercepts_equal_lme4_to_six_digits(name: str, weighted: bool) -> None:
    value = LME4[name]["weighted" if weighted else "plain"]
    data = table()
    first, *within = (data[level].to_numpy() for level in MODELS[name])
    found = design_of(
        data.arm.to_numpy(), first, within=within, crossed=[data.area.to_numpy()]
    ).intercepts_of_levels()
    fit = mixed_model(
        data.y.to_numpy(),
        columns(data, ["(Intercept)", "arm", "age", "arm:age"]),
        found.crossed_blocks,
        found.groups,
        data.weight.to_numpy() if weighted else None,
        None,
        found.above,
    ).fit()
    np.testing.assert_allclose(fit.coefficients[:4], value["coefficient"], rtol=1e-6, atol=1e-6)
    contrasts = np.eye(4, len(fit.coefficients))
    np.testing.assert_allclose(fit.standard_errors(contrasts), value["se"], rtol=1e-6)
    np.testing.assert_allclose(fit.block_variances, [value["area"]], rtol=1e-6)
    variances = [fit.between_cluster_variance, *fit.nesting_variances]
    expected = [value[level] for level in reversed(MODELS[name])]
    np.testing.assert_allclose(variances, expected, rtol=1e-6)
    np.testing.assert_allclose(fit.residual_variance, value["residual"], rtol=1e-6)
    likelihood = value["restricted_log_likelihood"]
    np.testing.assert_allclose(fit.restricted_log_likelihood, likelihood, atol=1e-6)


def test_a_trial_and_its_learners_have_the_variances_of_lme4() -> None:
    value = LME4["crossed_and_nested"]["plain"]
    whole = trial(cluster=["school", "class"])
    fitted = th.estimator("LMM").set_params(interactions="fixed")
    fitted.fit_data(whole.data)
    parts = fitted.variance_components_
    assert parts.between_cluster == pytest.approx(value["school"], rel=1e-3)
    assert parts.within_cluster == pytest.approx((value["class"],), rel=1e-3)
    assert parts.crossed == pytest.approx((value["area"],), rel=1e-3)
    total = sum(value[part] for part in ("school", "class", "area", "residual"))
    assert parts.crossed_iccs == pytest.approx((value["area"] / total,), rel=1e-3)
    assert "between crossed units 0.497" in parts.text
    assert "between crossed units of level 1" in parts.table.component.tolist()
    effect = dict(zip(value["term"], value["coefficient"], strict=True))
    np.testing.assert_allclose(
        fitted.effect(whole.X), effect["arm"] + effect["arm:age"] * table().age, rtol=1e-4
    )
    # What crosses is none of the levels within.
    assert whole.level_names == {"level 2": "class"}
    (share,) = crossed_shares(whole)
    assert share.units == 9
    assert share.icc is not None
    assert share.icc == pytest.approx(parts.crossed_iccs[0], abs=0.1)


@pytest.mark.parametrize("name", ["GAMM", "BRM"])
def test_other_mixed_models_have_a_crossed_intercept(name: str) -> None:
    # The same model but for shrunken interactions, and a posterior mean in place of a mode.
    fitted = trial().fit(name, random_state=1)
    found = fitted.variance_components_
    assert found.crossed[0] == pytest.approx(LME4["crossed"]["plain"]["area"], rel=0.9)
    assert found.residual == pytest.approx(LME4["crossed"]["plain"]["residual"], rel=0.1)


def test_by_arm_and_the_lasso_leave_it_out() -> None:
    for parameters in ({"between_cluster": "by-arm"}, {"interactions": "lasso"}):
        fitted = trial().fit("LMM", **parameters)
        assert fitted.variance_components_.crossed == ()


@pytest.mark.parametrize("name", ["LMM", "BRM"])
def test_neither_order_nor_labels_matter(name: str) -> None:
    data = table()
    order = np.random.default_rng(1).permutation(len(data))
    other = data.iloc[order].reset_index(drop=True)
    other["area"] = "z" + other.area.str[::-1]
    quick: dict[str, Any] = {"n_points": 16} if name == "BRM" else {}
    new = trial().X.head(5)
    effects = [
        th.Trial(one, cluster="school", crossed="area", **ROLES)
        .fit(name, random_state=1, **quick)
        .effect(new)
        for one in (data, other)
    ]
    np.testing.assert_allclose(*effects, rtol=1e-7)


def test_resamples_keep_the_units_that_cross() -> None:
    design = trial().randomization
    rows, drawn = design.resample(3)
    (before,), (after,) = design.crossed, drawn.crossed
    # A copy of a school draws its pupils from the same neighbourhoods.
    assert len(np.unique(np.column_stack([before[rows], after]), axis=0)) == after.max() + 1
    part = design.take(design.crossed[0] < 2)
    assert sorted(set(part.crossed[0])) == [0, 1]


def test_the_posterior_behind_intervals_has_it() -> None:
    with_areas, without = trial(), trial(crossed=None)
    widths = []
    for one in (with_areas, without):
        posterior = ridge_posterior(one.data, 1, of_number={"n_points": 16})
        widths.append(posterior.residual.mean())
    assert widths[0] < widths[1] - 0.1


def test_averages_and_the_test_take_no_note_of_it() -> None:
    first, second = (th.average_effects(one).individual for one in (trial(), trial(crossed=None)))
    assert first == second
    p_values = [
        th.test_heterogeneity(one, random_state=1, n_permutations=99).p_value
        for one in (trial(), trial(crossed=None))
    ]
    assert p_values[0] == p_values[1]


def test_a_run_reports_it() -> None:
    analysis = th.analyze(trial(), models=["LMM"], random_state=1, n_permutations=99)
    run = analysis.to_json()
    assert run["roles"]["crossed"] == "area"
    assert run["design"]["crossed"][0] | {"icc": 0} == {"column": "area", "units": 9, "icc": 0}
    (row,) = run["variance_components"]
    assert row["crossed"] == list(analysis.model.variance_components_.crossed)
    page = analysis.to_html()
    assert "Levels that cross clusters" in page
    assert "area crosses school: LMM, GAMM, BRM" in page


def test_mistakes_are_named() -> None:
    data = table()
    with pytest.raises(TrialError, match="needs cluster="):
        trial(cluster=None)
    town = data.school.str[1:].astype(int) // 4
    risky, lost = (data.y > 0).astype(int), data.area.where(data.index > 0)
    for change, crossed, message in (
        ({"room": data.school + data["class"].astype(str)}, "room", r"level within: .*, 'room'\]"),
        ({"town": town}, "town", "each 'school' lies in one 'town'.+they are the block"),
        ({"area": lost}, "area", "crossed column 'area' is missing in 1 of 260"),
        (
            {"height": data.index.where(data.index % 20 > 0, 0)},
            "height",
            "has 248 units for 260 persons: only 13 of them share one",
        ),
        ({"y": risky}, "area", "not supported for events and counts, because"),
    ):
        with pytest.raises(TrialError, match=message):
            th.Trial(data.assign(**change), cluster="school", crossed=crossed, **ROLES)
    with pytest.raises(DesignError, match="say cluster='school', crossed='area'"):
        trial(cluster=["school", "area"], crossed=None)
    with pytest.raises(TrialError, match=r"no place for crossed=: use trial\.fit"):
        list(trial())
    many = pd.concat([data] * 5, ignore_index=True)
    many["pupil"] = np.arange(len(many)) % 600
    with pytest.raises(TrialError, match="has 600 units; at most 500"):
        th.Trial(many, cluster="school", crossed="pupil", **ROLES)


def test_labels_that_start_again_are_told_from_crossed_ones() -> None:
    told = {f.item: f.sentence for f in trial(cluster=["school", "class"]).check().findings}
    assert "crossed='class', and not as a level in cluster=" in told["labels that start again"]
    assert "of one area, but of different school, correlate by 0.1" in told["crossed level"]
    assert "keep each school whole, since it was randomized" in told["crossed level"]
