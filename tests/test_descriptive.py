"""Named groups, sorted groups, calibration and best linear predictor: closed forms and recovery."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from tauhat.errors import TrialError
from tauhat.inference.average_effects import average_effects
from tauhat.inference.best_linear_predictor import best_linear_predictor
from tauhat.inference.cross_fitting import CrossFit, cross_fit
from tauhat.inference.descriptive import DESCRIPTIVE, over_splits, score_means, split_group_effects
from tauhat.inference.effect_calibration import effect_calibration
from tauhat.inference.effect_curve import effect_curve
from tauhat.inference.group_effect import group_effect, read_rule
from tauhat.inference.inputs import ordered_trial
from tauhat.inference.sorted_effects import classification_analysis, sorted_group_effects
from tauhat.numerics.cluster_robust import cluster_robust_regression
from tauhat.runtime.files import csv_text
from tauhat.simulate import scenario


def make_trial(seed=0, m=24, size=20, *, effect=1.0, clusters=True, blocks=False):
    """X, y, arm, clusters (, weights, blocks) with the effect 1 + effect * x1."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(m), size)
    X = pd.DataFrame(rng.normal(size=(m * size, 3)), columns=["age", "bmi", "urban"])
    X["urban"] = (rng.random(m) < 0.5)[label].astype(float)
    unit = label if clusters else np.arange(m * size)
    pair = np.arange(len(unit)) // (2 * size) if clusters else np.arange(m * size) // 2
    arm = np.zeros(m * size, dtype=int)
    arm[(unit + rng.integers(0, 2, size=m * size)[pair]) % 2 == 1] = 1
    y = X.bmi + arm * (1 + effect * X.age) + rng.normal(size=m * size)
    y = y + 0.3 * rng.normal(size=m)[label]
    return (X, y, arm, label if clusters else None, None, pair if blocks else None)


def with_effects(trial, effects, outcome=0.0, n_folds=4, n_splits=1):
    """A cross-fit with the effects and expected outcomes given, in the trial's row order."""
    ordered = ordered_trial(trial)
    data, rows = ordered.data, ordered.rows
    units = np.arange(data.n) if data.clusters is None else data.clusters
    surfaces = np.tile(np.asarray(effects, dtype=float)[rows], (n_splits, n_folds, 1))
    expected = np.broadcast_to(np.asarray(outcome, dtype=float), data.n)[rows]
    return CrossFit(
        ordered, rows, trial[0].reset_index(drop=True), "given", np.tile(units % n_folds,
        (n_splits, 1)), surfaces, np.tile(expected, (n_splits, 1)), 0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def fit():
    return cross_fit(make_trial(), "LMM", n_splits=3)


@pytest.fixture(scope="module")
def persons():
    return cross_fit(make_trial(3, clusters=False), "LMM", n_splits=2)


def test_without_predictions_a_groups_effect_is_the_difference_of_means():
    trial = make_trial()
    X, y, arm = trial[:3]
    result = group_effect(with_effects(trial, np.zeros(len(y))), X.age > 0)
    inside = X.age > 0
    expected = y[inside & (arm == 1)].mean() - y[inside & (arm == 0)].mean()
    assert result.inside.estimate == pytest.approx(expected, rel=1e-12)
    assert result.difference.estimate == pytest.approx(
        result.inside.estimate - result.outside.estimate, rel=1e-12
    )


def test_jackknife_is_that_of_estimates_without_each_cluster():
    trial = make_trial()
    X, y, arm, clusters = trial[:4]
    result = group_effect(with_effects(trial, np.zeros(len(y))), "age > 0")
    left_out = []
    for c in range(24):
        kept = (clusters != c) & (X.age > 0)
        left_out.append(y[kept & (arm == 1)].mean() - y[kept & (arm == 0)].mean())
    expected = np.sqrt(23 / 24 * ((left_out - np.mean(left_out)) ** 2).sum())
    assert result.inside.se == pytest.approx(expected, rel=1e-10)
    assert result.inside.degrees_of_freedom == 22


def test_scores_over_everyone_are_the_group_of_everyone(fit):
    everyone = np.ones((fit.data.n, 1))
    whole, means = split_group_effects(fit, 0, everyone), score_means(fit, 0, everyone)
    np.testing.assert_allclose(means.estimate, whole.estimate, rtol=1e-10)
    np.testing.assert_allclose(means.deleted, whole.deleted, rtol=1e-10)


def test_the_group_of_everyone_agrees_with_the_average_effect(fit, persons):
    for one in (fit, persons):
        reference = average_effects(one.data).individual
        result = split_group_effects(one, 0, np.ones((one.data.n, 1)))
        assert abs(result.estimate[0] - reference.estimate) < 0.7 * reference.se
        assert result.errors[0] == pytest.approx(reference.se, rel=0.3)


def test_a_named_group_recovers_its_effect(fit, persons):
    for one in (fit, persons):
        tau = 1 + one.frame.age
        result = group_effect(one, "age > 0.5")
        inside = one.frame.age > 0.5
        assert result.inside.lower < tau[inside].mean() < result.inside.upper
        assert result.outside.lower < tau[~inside].mean() < result.outside.upper
        assert result.difference.lower > 0
        assert result.n_inside + result.n_outside == one.data.n


def test_rules_may_be_masks_functions_and_strings(fit):
    frame = fit.frame
    mask = ((frame.age > 0) & (frame.urban == 1)).to_numpy()

    def young_and_urban(table):
        return (table.age > 0) & (table.urban == 1)

    expected = group_effect(fit, mask).table
    pd.testing.assert_frame_equal(expected, group_effect(fit, "age > 0 and urban == 1").table)
    pd.testing.assert_frame_equal(expected, group_effect(fit, young_and_urban).table)
    pd.testing.assert_frame_equal(expected, group_effect(fit, mask.astype(int).tolist()).table)
    assert read_rule(fit.frame, young_and_urban)[1] == "'young_and_urban'"
    assert "'age > 0 and urban == 1'" in group_effect(fit, "age > 0 and urban == 1").text


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("height > 3", "cannot be read.*covariates are age, bmi, urban"),
        ("age +", "cannot be read"),
        ("age.mean()", "shape \\(\\)"),
        ("age * 2", "not yes or no"),
        (np.ones(7, dtype=bool), "each of the 480 persons who count"),
        ([None] * 480, "missing for 480 persons"),
        ("age > 100", "there are 0 control and 0 treated clusters"),
        ("age > -100", "outside the subgroup .* there are 0 control"),
    ],
)
def test_unusable_rules_are_refused(fit, rule, message):
    with pytest.raises(TrialError, match=message):
        group_effect(fit, rule)


def test_a_cross_fit_cannot_take_another_estimator(fit):
    with pytest.raises(TrialError, match=r"already has an estimator \(LMM\)"):
        group_effect(fit, "age > 0", "GAMM")


@pytest.mark.parametrize(
    "function", [sorted_group_effects, best_linear_predictor, classification_analysis]
)
def test_the_level_must_be_one(fit, function):
    with pytest.raises(TrialError, match="level"):
        function(fit, level=95)


def test_order_labels_and_the_arms_names(fit):
    X, y, arm, clusters = make_trial()[:4]
    order = np.random.default_rng(0).permutation(len(y))
    shuffled = (X.iloc[order], y[order], arm[order], 100 - clusters[order])
    base = group_effect(fit, "age > 0").inside
    assert group_effect(shuffled, "age > 0", "LMM", n_splits=3).inside == base
    swapped = group_effect((X, y, 1 - arm, clusters), "age > 0", "LMM", n_splits=3).inside
    assert swapped.estimate == pytest.approx(-base.estimate, rel=1e-6)
    assert swapped.se == pytest.approx(base.se, rel=1e-6)


def test_clusters_widen_the_interval():
    rng = np.random.default_rng(1)
    trial = make_trial(m=20, effect=0.0)
    y = trial[1] + 1.5 * rng.normal(size=20)[trial[3]]
    by_cluster = with_effects((trial[0], y, *trial[2:4]), np.zeros(len(y)))
    by_person = with_effects((trial[0], y, trial[2]), np.zeros(len(y)))
    ratio = (
        group_effect(by_cluster, "age > 0").inside.se / group_effect(by_person, "age > 0").inside.se
    )
    assert ratio > 1.7


def test_blocks_are_respected():
    fit = cross_fit(make_trial(blocks=True), "LMM", n_splits=2)
    result = group_effect(fit, "age > 0").inside
    assert result.degrees_of_freedom == 24 - 12 - 1
    assert result.lower < 1 + fit.frame.age[fit.frame.age > 0].mean() < result.upper


def test_one_cluster_in_an_arm_gives_no_estimate_rather_than_a_wrong_one(fit):
    member = np.zeros((fit.data.n, 1))
    treated = fit.data.treatment == 1
    member[~treated] = 1
    member[treated & (fit.data.clusters == fit.data.clusters[treated][0])] = 1
    results = [split_group_effects(fit, s, member) for s in range(3)]
    (estimate,) = over_splits(fit, results, level=0.95)
    assert np.isnan(estimate.estimate)
    assert np.isnan(estimate.upper)


def test_sorted_groups_recover_the_effects_of_their_members(fit, persons):
    for one in (fit, persons):
        result = sorted_group_effects(one, n_groups=3)
        members = np.eye(3)[one.quantile_groups(3)]
        tau = 1 + one.data.X[:, 0]
        target = (np.einsum("snk,n->sk", members, tau) / members.sum(axis=1)).mean(axis=0)
        for group, true in zip(result.groups, target, strict=True):
            assert group.lower < true < group.upper
        assert result.difference.lower > 0
        assert result.predicted[2] > result.predicted[1] > result.predicted[0]
        np.testing.assert_allclose(result.persons, one.data.n / 3, atol=3)
        assert len(result.table) == 4


def test_sorted_groups_are_those_of_the_groups_one_by_one(fit):
    result = sorted_group_effects(fit, n_groups=4)
    members = np.eye(4)[fit.quantile_groups(4)]
    each = [split_group_effects(fit, s, members[s]) for s in range(3)]
    top = [one.estimate[3] for one in each]
    assert result.groups[3].estimate == pytest.approx(np.mean(top))
    squared = np.mean([one.errors[3] ** 2 for one in each]) + np.var(top, ddof=1)
    assert result.groups[3].se == pytest.approx(np.sqrt(squared))


@pytest.mark.parametrize(
    ("n_groups", "message"),
    [
        (1, "n_groups must be a whole number of 2 or more, got 1"),
        (5000, "n_groups must be at most 80, the persons of the smallest fold, got 5000"),
    ],
)
def test_unusable_numbers_of_groups(fit, n_groups, message):
    with pytest.raises(TrialError, match=message):
        sorted_group_effects(fit, n_groups=n_groups)


def test_classification_finds_the_modifier_and_counts_clusters(fit):
    result = classification_analysis(fit)
    assert result.table.covariate[0] == "age"
    assert result.table.lower[0] > 1.5
    assert "age" in result.text
    trial = make_trial(m=12)
    by_cluster = classification_analysis(with_effects(trial, trial[0].urban))
    by_person = classification_analysis(with_effects(trial[:3], trial[0].urban))
    errors = [one.table.set_index("covariate").se["bmi"] for one in (by_cluster, by_person)]
    assert errors[0] != errors[1]


def test_a_curve_is_the_effects_of_its_groups(fit, persons):
    for one in (fit, persons):
        curve = effect_curve(one, "age", n_groups=4)
        cuts = np.quantile(one.frame.age, [0.25, 0.5, 0.75])
        first = group_effect(one, one.frame.age <= cuts[0]).inside
        assert curve.table.estimate[0] == pytest.approx(first.estimate, rel=1e-12)
        assert curve.table.se[0] == pytest.approx(first.se, rel=1e-12)
        assert curve.table.persons.sum() == one.data.n
        tau = 1 + one.frame.age
        truth = tau.groupby(np.searchsorted(cuts, one.frame.age)).mean().to_numpy()
        assert ((curve.table.lower < truth) & (truth < curve.table.upper)).all()
        assert curve.difference.lower < truth[3] - truth[0] < curve.difference.upper
        assert curve.table.value.is_monotonic_increasing


def test_a_curve_along_a_covariate_of_the_cluster_counts_clusters(fit):
    curve = effect_curve(fit, "urban")
    assert curve.table.group.tolist() == ["0", "1"]
    urban = fit.frame.urban.to_numpy()[fit.rows]
    for k in (0, 1):
        own = [len(np.unique(fit.units[(urban == k) & (fit.data.treatment == a)])) for a in (0, 1)]
        assert curve.table[["control units", "treated units"]].iloc[k].tolist() == own
    age = effect_curve(fit, "age", n_groups=2)
    assert curve.table.se.mean() > age.table.se.mean() * 0.9
    assert curve.difference.se > 1.3 * age.difference.se


def test_a_curve_has_categories_and_missing_values_as_groups():
    trial = make_trial(5)
    rng = np.random.default_rng(0)
    site = pd.Series(rng.choice(["north", "south", "west"], len(trial[1])), dtype=object)
    site[rng.random(len(site)) < 0.1] = None
    table = pd.DataFrame({"age": trial[0].age, "site": site})
    named = with_effects(trial, np.zeros(len(table)))
    named = CrossFit(
        named.trial, named.rows, table, "given", named.folds, named.surfaces, named.outcome, 0
    )
    curve = effect_curve(named, "site")
    assert curve.table.group.tolist() == ["north", "south", "west", "missing"]
    assert curve.difference is None
    assert (
        curve.table.estimate[1] == group_effect(named, (site == "south").to_numpy()).inside.estimate
    )
    assert "site" in curve.text


@pytest.mark.parametrize(
    ("covariate", "settings", "message"),
    [
        ("wage", {}, "no covariate 'wage'; they are age, bmi, urban"),
        ("age", {"n_groups": 1}, "n_groups must be a whole number of 2 or more"),
    ],
)
def test_unusable_curves(fit, covariate, settings, message):
    with pytest.raises(TrialError, match=message):
        effect_curve(fit, covariate, **settings)


def test_slope_is_the_cluster_robust_regression():
    trial = make_trial(2)
    X = trial[0]
    fit = with_effects(trial, 1 + 0.5 * X.age, outcome=X.bmi)
    result = best_linear_predictor(fit)
    data, S = fit.data, fit.centred_effects[0]
    a = data.treatment - 0.5
    M = fit.outcome[0] - fit.outcome[0].mean()
    design = np.column_stack([np.ones(data.n), a, M, S, a * S])
    expected = cluster_robust_regression(design, data.y, data.clusters).coefficient(4)
    assert result.slope.estimate == pytest.approx(expected.estimate)
    assert result.slope.se == pytest.approx(expected.se)
    assert result.p_value == pytest.approx(expected.p_value_greater)
    # Effects half as different as they are: the slope says two.
    assert result.slope.lower < 2 < result.slope.upper
    assert result.slope.estimate == pytest.approx(2, abs=0.5)


def test_slope_without_clusters_is_hc2():
    X, y, arm = make_trial(2, clusters=False)[:3]
    fit = with_effects((X, y, arm), 1 + X.age, outcome=X.bmi)
    each = cluster_robust_regression(
        np.column_stack(
            [
                np.ones(480),
                fit.data.treatment - fit.data.propensity,
                fit.outcome[0] - fit.outcome[0].mean(),
                fit.centred_effects[0],
                (fit.data.treatment - fit.data.propensity) * fit.centred_effects[0],
            ]
        ),
        fit.data.y,
        np.arange(480),
    ).coefficient(4)
    slope = best_linear_predictor(fit).slope
    assert slope.estimate == pytest.approx(each.estimate)
    assert slope.se == pytest.approx(each.se)


def test_effects_that_do_not_differ_have_no_slope():
    trial = make_trial()
    fit = with_effects(trial, np.ones(480), outcome=trial[0].bmi)
    result = best_linear_predictor(fit)
    assert result.p_value == 1
    assert np.isnan(result.slope.estimate)
    assert "same for everyone" in result.text
    calibration = effect_calibration(fit)
    assert np.isnan(calibration.slope.estimate)
    assert "(SD 0), so the calibration slope cannot be estimated" in calibration.text


def test_calibration_tells_scale_and_shift():
    trial = make_trial(4, m=40)
    X = trial[0]
    result = effect_calibration(with_effects(trial, 2 + 2 * X.age, outcome=X.bmi + 0.5))
    assert result.slope.estimate == pytest.approx(0.5, abs=0.15)
    shift = 1 + X.age.mean() - (2 + 2 * X.age.mean())
    assert result.bias.lower < shift < result.bias.upper
    assert len(result.curve) == 5
    assert (np.diff(result.curve.predicted) > 0).all()


def test_predictions_that_hardly_differ_have_no_calibration_slope():
    trial = make_trial(4, m=40)
    X = trial[0]
    slope = best_linear_predictor(with_effects(trial, X.age, outcome=X.bmi)).slope
    # The slope and its error are those of X.age, divided by the factor.
    for share, given in ((1.01, True), (0.99, False)):
        factor = share * slope.se / 2
        fit = with_effects(trial, 1 + factor * X.age, outcome=X.bmi)
        result = effect_calibration(fit)
        assert result.spread == pytest.approx(factor * fit_spread(trial), rel=1e-6)
        row = result.table.set_index("measure").loc["slope"]
        if given:
            assert row["se"] == pytest.approx(2 / share)
            assert row["estimate"] == pytest.approx(slope.estimate / factor)
            assert "The calibration slope is" in result.text
        else:
            assert row.isna().all()
            assert f"hardly differ between persons (SD {result.spread:.3g})" in result.text
            assert "nan" not in result.text
        # The bias and the curve are there all the same.
        assert np.isfinite([result.bias.estimate, result.bias.se, *result.curve.estimate]).all()


def fit_spread(trial):
    """Spread of the covariate age within folds, as a cross-fit has it."""
    return float(with_effects(trial, trial[0].age).centred_effects.std())


def test_counts_in_tables_are_whole_numbers(fit):
    one = group_effect(fit, "age > 0")
    groups = sorted_group_effects(fit)
    counts = [str(one.n_inside), str(one.n_outside), *(f"{n:.0f}" for n in groups.persons)]
    shown = [*one.table.persons[:2], *groups.table.persons[:-1]]
    assert [str(n) for n in shown] == counts
    assert pd.isna(one.table.persons[2])
    assert pd.isna(groups.table.persons.iloc[-1])
    for table in (one.table, groups.table, effect_calibration(fit).curve):
        assert pd.api.types.is_integer_dtype(table.persons)
        in_csv = [line.split(",")[1] for line in csv_text(table).splitlines()[1:]]
        assert all(cell.isdigit() or not cell for cell in in_csv)
    cells = re.findall("<td>(.*?)</td>", one._repr_html_())
    assert (cells[1], cells[13]) == (counts[0], "–")


def test_every_result_says_that_it_is_descriptive(fit):
    results = [
        group_effect(fit, "age > 0"),
        sorted_group_effects(fit),
        classification_analysis(fit),
        best_linear_predictor(fit),
        effect_calibration(fit),
        effect_curve(fit, "bmi"),
    ]
    for result in results:
        assert DESCRIPTIVE in result.text
        assert len(result.table) > 0
        assert "<table" in result._repr_html_()


@pytest.mark.slow
@pytest.mark.parametrize(("m", "effect"), [(20, "constant"), (20, "nonlinear"), (32, "constant")])
def test_intervals_of_sorted_groups_cover(m, effect):
    """Benchmarks/descriptive_coverage.py measures more; here within three Monte Carlo errors."""
    draws, hits, differences, rejections = 60, [], [], []
    for replicate in range(draws):
        trial = scenario("crt", n_clusters=m, effect=effect).draw(None, 1000 + replicate)
        fit = cross_fit(tuple(trial), n_splits=3, random_state=replicate)
        result = sorted_group_effects(fit)
        members = np.eye(4)[fit.quantile_groups(4)]
        tau = np.asarray(trial.tau)[fit.rows]
        target = (np.einsum("snk,n->sk", members, tau) / members.sum(axis=1)).mean(axis=0)
        hits.append(result.groups[3].lower <= target[3] <= result.groups[3].upper)
        gap = target[3] - target[0]
        differences.append(result.difference.lower <= gap <= result.difference.upper)
        rejections.append(best_linear_predictor(fit).p_value <= 0.05)
    error = 3 * np.sqrt(0.93 * 0.07 / draws)
    assert np.mean(hits) >= 0.93 - error
    assert np.mean(differences) >= 0.93 - error
    if effect == "constant":
        assert np.mean(rejections) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)
