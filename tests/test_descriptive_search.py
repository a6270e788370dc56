"""Rank-weighted effects, policy values and found subgroups: closed forms, recovery, honesty."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tauhat.errors import TrialError
from tauhat.inference.boxes import Box, extreme_boxes
from tauhat.inference.credibility import credibility_table
from tauhat.inference.cross_fitting import CrossFit, cross_fit
from tauhat.inference.descriptive import DESCRIPTIVE, score_means
from tauhat.inference.estimate import Estimate
from tauhat.inference.heterogeneity_result import HeterogeneityTest
from tauhat.inference.inputs import ordered_trial
from tauhat.inference.policy_value import policy_value
from tauhat.inference.rate import rate
from tauhat.inference.subgroups import find_subgroups
from tauhat.simulate import scenario
from tauhat.trial.trial import Trial

NO_TEST = HeterogeneityTest(
    np.nan, 0.5, "not run", pd.DataFrame(), pd.DataFrame(), 1, False, 0.05, ()
)


def make_trial(seed=0, m=24, size=25, *, effect=1.0, clusters=True):
    """X, y, arm, clusters with the effect `effect` for the old and 0 for others."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(m), size)
    X = pd.DataFrame(rng.normal(size=(m * size, 3)), columns=["age", "bmi", "crp"])
    arm = label % 2 if clusters else rng.permutation(m * size) % 2
    y = X.bmi + arm * effect * (X.age > 0.2) + rng.normal(size=m * size)
    y = y + 0.3 * rng.normal(size=m)[label]
    return (X, y, arm, label) if clusters else (X, y, arm)


def with_effects(trial, effects, n_folds=4):
    """A cross-fit with the effects given, the same in every fold, in the trial's row order."""
    ordered = ordered_trial(trial)
    data, rows = ordered.data, ordered.rows
    units = np.arange(data.n) if data.clusters is None else data.clusters
    surfaces = np.tile(np.asarray(effects, dtype=float)[rows], (1, n_folds, 1))
    outcome = np.zeros((1, data.n))
    return CrossFit(
        ordered, rows, trial[0], "given", (units % n_folds)[None, :], surfaces, outcome, 0
    )


@pytest.fixture(scope="module")
def fit():
    return cross_fit(make_trial(effect=2.0), n_splits=2)


def test_areas_are_those_of_the_targeting_curve_person_by_person():
    """One fold, no predictions: TOC(k/n) for every k from the scores, as its definition says."""
    X, y, arm = make_trial(5, m=8, clusters=False)
    fit = with_effects((X, y, arm), X.age, n_folds=1)
    fit.__dict__["residuals"] = fit.data.y[None, :] - 0.0
    residual, data = fit.residuals[0], fit.data
    score = fit.effects[0].copy()
    for a, sign in ((1, 1.0), (0, -1.0)):
        here = data.treatment == a
        share = data.propensity if a == 1 else 1 - data.propensity
        mean = residual[here].mean()
        score += sign * (here / share * (residual - mean) + mean)
    ordered = score[np.argsort(-fit.effects[0])]
    toc = np.cumsum(ordered) / np.arange(1, len(y) + 1) - ordered.mean()
    result = rate(fit)
    assert result.autoc.estimate == pytest.approx(toc.mean(), abs=0.01)
    shares = np.arange(1, len(y) + 1) / len(y)
    assert result.qini.estimate == pytest.approx((toc * shares).mean(), abs=0.005)
    fifth = result.curve[np.isclose(result.curve.share, 0.2)].iloc[0]
    assert fifth.estimate == pytest.approx(toc[len(y) // 5 - 1], abs=1e-9)
    assert result.curve.estimate.iloc[-1] == pytest.approx(0, abs=1e-12)


def test_error_agrees_with_half_samples_of_clusters():
    """The half-sample bootstrap of whole clusters within arm, ranks kept."""
    trial = make_trial(2, m=40, effect=2.0)
    fit = with_effects(trial, trial[0].age, n_folds=1)
    result = rate(fit)
    rng = np.random.default_rng(0)
    arm = np.arange(40) % 2
    half = []
    for _ in range(40):
        chosen = np.concatenate(
            [rng.choice(np.flatnonzero(arm == a), size=10, replace=False) for a in (0, 1)]
        )
        keep = np.isin(trial[3], chosen)
        part = tuple(column[keep] for column in trial)
        half.append(rate(with_effects(part, part[0].age, n_folds=1)).autoc.estimate)
    assert result.autoc.se == pytest.approx(np.std(half, ddof=1), rel=0.35)


def test_a_ranking_that_knows_is_told_from_one_that_does_not():
    trial = make_trial(1, m=40, effect=2.0)
    knows = rate(with_effects(trial, trial[0].age))
    assert knows.autoc.p_value < 0.001
    # The effect is 2 for 42 %, 0 for others: the top fifth gains 2 less the mean .84.
    fifth = knows.curve[np.isclose(knows.curve.share, 0.2)].iloc[0]
    assert fifth.lower < 1.16 < fifth.upper
    noise = rate(with_effects(trial, trial[0].crp))
    assert abs(noise.autoc.estimate) < 3 * noise.autoc.se
    assert noise.autoc.p_value > 0.01


def test_turning_outcomes_turns_the_direction_of_benefit():
    X, y, arm, clusters = make_trial(1)
    up = rate(with_effects((X, y, arm, clusters), X.age))
    down = rate(with_effects((X, -y, arm, clusters), -X.age), higher_is_better=False)
    assert down.autoc.estimate == pytest.approx(up.autoc.estimate)
    assert down.autoc.se == pytest.approx(up.autoc.se)
    assert "fall" in down.text
    base = policy_value(with_effects((X, y, arm, clusters), X.age))
    turned = policy_value(with_effects((X, -y, arm, clusters), -X.age), higher_is_better=False)
    assert turned.over_none.estimate == pytest.approx(base.over_none.estimate)


def test_equal_effects_rank_nobody():
    trial = make_trial(1, m=12)
    result = rate(with_effects(trial, np.ones(300)))
    assert result.autoc.estimate == pytest.approx(0, abs=1e-12)
    assert result.autoc.p_value >= 0.5


def test_many_persons_are_left_out_in_groups():
    trial = make_trial(1, m=20, clusters=False)
    fit = with_effects(trial, trial[0].age)
    grouped = rate(fit)
    assert "group-of-persons" in grouped.method
    # The plain error of the weighted scores, ranks taken as given.
    above = 1 - fit.ranks[0]
    weights = -np.log(above) - 1
    influence = weights * (fit.scores[0] - fit.scores[0].mean())
    assert grouped.autoc.se == pytest.approx(influence.std() / np.sqrt(fit.data.n), rel=0.25)


def test_policy_value_is_the_gain_of_those_treated():
    trial = make_trial(3, m=40, effect=2.0)
    X = trial[0]
    result = policy_value(with_effects(trial, np.where(X.age > 0.2, 1.0, -1.0)))
    share = (X.age > 0.2).mean()
    assert result.share_treated == pytest.approx(share)
    assert result.over_none.lower < 2 * share < result.over_none.upper
    # Those left untreated have no effect, so nothing is lost against treating everyone.
    assert result.over_all.lower < 0 < result.over_all.upper
    assert "not clearly better" in result.text


def test_policies_add_up(fit):
    result = policy_value(fit, threshold=0.7)
    gap = result.over_none.estimate - result.over_all.estimate
    assert gap == pytest.approx(result.all_over_none.estimate)
    everyone = policy_value(fit, threshold=-1e9)
    assert everyone.share_treated == 1
    assert everyone.over_all.estimate == pytest.approx(0, abs=1e-12)
    assert everyone.over_none.estimate == pytest.approx(everyone.all_over_none.estimate)


def test_at_most_so_many_are_treated_and_the_best_of_them():
    trial = make_trial(3, m=40, clusters=False)
    fit = with_effects(trial, trial[0].age)
    n = fit.data.n
    for limit in (n // 10, 0.1):
        result = policy_value(fit, threshold=-1e9, treat_at_most=limit)
        assert result.share_treated == pytest.approx(n // 10 / n)
    chosen = np.zeros(n)
    for fold in range(fit.n_folds):
        rows = np.flatnonzero(fit.folds[0] == fold)
        best = rows[np.argsort(-fit.effects[0][rows])]
        places = 0.1 * len(rows)
        chosen[best[: int(places)]] = 1
        chosen[best[int(places)]] = places - int(places)
    gains = score_means(fit, 0, np.column_stack([chosen, chosen - 0.1])).estimate
    assert result.over_none.estimate == pytest.approx(gains[0])
    assert result.over_random.estimate == pytest.approx(gains[1])
    assert result.table["treating"].iloc[-1] == "by the model against as many at random"
    assert "If at most 10% of persons can be treated" in result.text


def test_persons_with_equal_benefit_share_the_places():
    trial = make_trial(3, m=12, clusters=False)
    everyone_equal = policy_value(with_effects(trial, np.ones(300)), treat_at_most=60)
    assert everyone_equal.share_treated == pytest.approx(0.2)
    gain = everyone_equal.all_over_none.estimate
    assert everyone_equal.over_none.estimate == pytest.approx(0.2 * gain)
    assert everyone_equal.over_random.estimate == pytest.approx(0, abs=1e-12)
    # Half of those who benefit have a place; the others are never treated.
    two_kinds = np.where(trial[0].age > 0, 1.0, -1.0)
    limited = policy_value(with_effects(trial, two_kinds), treat_at_most=0.25)
    free = policy_value(with_effects(trial, two_kinds))
    ratio = limited.share_treated / free.share_treated
    assert ratio == pytest.approx(0.25 / (trial[0].age > 0).mean(), rel=0.02)


def test_a_limit_treats_nobody_without_benefit_and_follows_the_direction():
    X, y, arm, clusters = make_trial(1)
    fit = with_effects((X, y, arm, clusters), X.age)
    assert policy_value(fit, treat_at_most=1.0).share_treated == pytest.approx(
        policy_value(fit).share_treated
    )
    turned = with_effects((X, -y, arm, clusters), -X.age)
    down = policy_value(turned, higher_is_better=False, treat_at_most=30)
    up = policy_value(fit, treat_at_most=30)
    assert down.over_random.estimate == pytest.approx(up.over_random.estimate)
    assert down.over_random.se == pytest.approx(up.over_random.se)


@pytest.mark.parametrize("limit", [0, -3, 301, 0.0, 1.5, True, "20 %", np.nan])
def test_a_limit_that_is_no_number_of_persons_is_refused(limit):
    trial = make_trial(1, m=12)
    with pytest.raises(TrialError, match=r"treat_at_most.*300 persons"):
        policy_value(with_effects(trial, trial[0].age), treat_at_most=limit)


def test_subgroups_are_found_and_judged_on_others(fit):
    result = find_subgroups(fit, max_depth=1, prespecified=["age"])
    largest, smallest = result.subgroups
    assert largest.rule.startswith("age > ")
    assert smallest.rule.startswith("age <= ")
    assert abs(float(largest.rule.split()[-1]) - 0.2) < 0.6
    assert largest.effect.lower < 1.8 < largest.effect.upper + 0.3
    assert result.difference.lower > 0.5
    assert result.covariates.covariate[0] == "age"
    assert largest.agreement > 0.7
    assert largest.units == (12, 12)
    answers = result.credibility.set_index("item").answer
    assert answers["Were the covariates of the rule named in advance?"] == "yes"
    assert answers["Were few effect modifiers examined?"] == "yes"
    assert answers["Was an arbitrary cut point avoided?"] == "no"
    assert answers["Does a test of interaction speak against chance?"] == (
        "chance is an unlikely explanation"
    )


def test_persons_of_a_fold_are_placed_by_trees_grown_without_it():
    """A surface that is right only for the own fold must not help."""
    trial = make_trial(4)
    base = with_effects(trial, np.zeros(600))
    rng = np.random.default_rng(0)
    surfaces = rng.normal(size=base.surfaces.shape)
    surfaces[0] += base.data.X[:, 2]
    fit = CrossFit(
        base.trial, base.rows, base.frame, "given", base.folds, surfaces, base.outcome, 0
    )
    result = find_subgroups(fit, max_depth=1, heterogeneity=NO_TEST)
    assert result.subgroups[0].rule.startswith("crp > ")
    assert result.difference.lower < 0 < result.difference.upper


def test_no_subgroup_where_effects_do_not_differ():
    trial = make_trial(4)
    result = find_subgroups(with_effects(trial, np.ones(600)), heterogeneity=NO_TEST)
    assert result.subgroups == ()
    assert result.found == 0
    assert len(result.table) == 0
    assert "do not differ enough" in result.text


def test_rules_are_in_the_users_words():
    X, y, arm, clusters = make_trial(4)
    table = pd.DataFrame({"smoker": np.where(X.crp > 0, "yes", "no"), "age": X.age})
    table = table.assign(y=y, arm=arm, clinic=clusters)
    trial = Trial(table, outcome="y", treatment="arm", cluster="clinic")
    ordered = ordered_trial(trial)
    column = ordered.sources.index("smoker")
    level = ordered.data.feature_names[column][len("smoker") + 1 :]
    box = Box(((column, 0.5, np.inf),))
    assert box.words(ordered.data, ordered.sources) == f"smoker is {level}"
    other = Box(((column, -np.inf, 0.5),))
    assert other.words(ordered.data, ordered.sources) == f"smoker is not {level}"


def test_boxes_hold_the_share_and_cut_where_the_tree_does():
    X = np.random.default_rng(0).normal(size=(500, 2)) * 1e-3 + 1000
    effects = 1.0 * (X[:, 0] > 1000.0004) * (X[:, 1] > 1000) + 1e-3 * X[:, 0]
    largest, smallest = extreme_boxes(
        X, effects, np.ones(500), np.arange(2), max_depth=2, min_share=0.1
    )
    inside = largest.members(X)
    assert inside.mean() >= 0.1
    assert effects[inside].mean() > 0.9 + effects[~inside].mean()
    assert not (inside & smallest.members(X)).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_depth": 0}, "max_depth must be a whole number of 1 or more"),
        ({"min_share": 0.7}, "min_share must be a number above 0 and at most 0.5"),
        ({"prespecified": ["weight"]}, r"\['weight'\], which are no covariates; they are age"),
    ],
)
def test_unusable_settings_of_the_search(fit, settings, message):
    with pytest.raises(TrialError, match=message):
        find_subgroups(fit, **settings)


def test_every_result_says_that_it_is_descriptive(fit):
    for result in (rate(fit), policy_value(fit), find_subgroups(fit, heterogeneity=NO_TEST)):
        assert DESCRIPTIVE in result.text
        assert len(result.table) > 0
        assert "<table" in result._repr_html_()


@pytest.mark.slow
@pytest.mark.parametrize("m", [16, 32])
def test_tests_of_the_ranking_keep_their_size(m):
    draws, rejections = 80, []
    for replicate in range(draws):
        trial = scenario("crt", n_clusters=m, effect="constant").draw(None, 2000 + replicate)
        fit = cross_fit(tuple(trial), n_splits=3, random_state=replicate)
        ranked = rate(fit)
        rejections.append([ranked.autoc.p_value <= 0.05, ranked.qini.p_value <= 0.05])
    limit = 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)
    assert (np.mean(rejections, axis=0) <= limit).all()


def test_a_small_p_value_is_told_as_everywhere():
    found = HeterogeneityTest(
        0.0, 0.0005, "tested", pd.DataFrame(), pd.DataFrame(), 1999, False, 0.05, ()
    )
    table = credibility_table(
        used=["age"], prespecified=[], n_candidates=4, continuous=True, heterogeneity=found,
        difference=Estimate.from_t(1, 0.3, degrees_of_freedom=20, level=0.95),
        agreement=0.6, fewest_units=5, unit="clusters",
    )  # fmt: skip
    assert table.basis[2].endswith("all covariates at once: p < 0.001")
