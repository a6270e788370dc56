"""Cross-fitted effects: nobody is predicted by a model that saw the person or the cluster."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tauhat.errors import TrialError
from tauhat.fitting.few_clusters import without_average_effect
from tauhat.inference.cross_fitting import cross_fit
from tauhat.numerics.mid_ranks import mid_ranks
from tauhat.outcome.linear_mixed import LinearMixedModel
from tauhat.registry import estimator
from tauhat.trial.trial import Trial


def make_trial(seed=0, m=12, size=8, *, clusters=True):
    """X, y, arm and clusters with the effect 1 + x1."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(m), size)
    X = rng.normal(size=(m * size, 3))
    arm = label % 2 if clusters else rng.permutation(m * size) % 2
    y = X[:, 1] + arm * (1 + X[:, 0]) + rng.normal(size=m * size)
    if not clusters:
        return X, y, arm
    return X, y + 0.3 * rng.normal(size=m)[label], arm, label


def fast(trial, **settings):
    return cross_fit(trial, "LMM", outcome_model=LinearMixedModel(), **{"n_splits": 2, **settings})


def test_folds_hold_whole_clusters_of_both_arms():
    fit = fast(make_trial(), n_folds=3)
    clusters = fit.data.clusters
    for folds in fit.folds:
        assert all(len(set(folds[clusters == c])) == 1 for c in range(12))
        assert all(set(fit.data.treatment[folds == k]) == {0, 1} for k in range(3))
    assert (fit.folds[0] != fit.folds[1]).any()


def test_predictions_of_a_fold_are_those_of_a_fit_without_it():
    fit = fast(make_trial(), n_folds=3)
    data = fit.data
    out = fit.folds[1] == 2
    model = estimator("LMM").fit_data(data.take(~out))
    np.testing.assert_allclose(fit.effects[1, out], model.predict_effect(data.X[out]), rtol=1e-10)
    np.testing.assert_allclose(fit.surfaces[1, 2], model.predict_effect(data.X), rtol=1e-10)
    part = data.take(~out)
    outcome = LinearMixedModel().fit(part.X, without_average_effect(part), clusters=part.clusters)
    np.testing.assert_allclose(fit.outcome[1, out], outcome.predict(data.X[out]), rtol=1e-10)


def test_outcomes_of_a_cluster_do_not_move_its_own_predictions():
    X, y, arm, clusters = make_trial()
    before = fast((X, y, arm, clusters))
    own = clusters == 5
    after = fast((X, np.where(own, y + 3.0, y), arm, clusters))
    # Canonical order depends on outcomes only through ties, so rows stay where they were.
    np.testing.assert_array_equal(before.rows, after.rows)
    rows = own[before.rows]
    np.testing.assert_allclose(before.effects[:, rows], after.effects[:, rows], rtol=1e-12)
    np.testing.assert_allclose(before.outcome[:, rows], after.outcome[:, rows], rtol=1e-12)
    assert not np.allclose(before.effects[:, ~rows], after.effects[:, ~rows], rtol=1e-6)


def test_regressions_fit_together():
    fit = fast(make_trial())
    pi = fit.data.propensity
    np.testing.assert_allclose(fit.treated - fit.control, fit.effects)
    np.testing.assert_allclose(pi * fit.treated + (1 - pi) * fit.control, fit.outcome)
    sign = (fit.data.treatment - pi) / (pi * (1 - pi))
    np.testing.assert_allclose(fit.scores, fit.effects + sign * fit.residuals)


def test_effects_and_scores_recover_the_truth():
    fit = fast(make_trial(1, m=40, size=25), n_splits=1)
    tau = 1 + fit.data.X[:, 0]
    assert np.sqrt(np.mean((fit.effects[0] - tau) ** 2)) < 0.25
    slope = np.polyfit(fit.data.X[:, 0], fit.scores[0], 1)[0]
    assert slope == pytest.approx(1, abs=0.2)


def test_rows_lead_back_to_the_table():
    X, y, arm, clusters = make_trial()
    fit = fast((X, y, arm, clusters))
    np.testing.assert_array_equal(fit.frame.to_numpy()[fit.rows], fit.data.X)
    np.testing.assert_array_equal(y[fit.rows], fit.data.y)


def test_same_seed_same_result_whatever_the_order_labels_and_jobs():
    X, y, arm, clusters = make_trial()
    base = fast((X, y, arm, clusters), random_state=4)
    order = np.random.default_rng(0).permutation(len(y))
    labels = np.array(list("zyxwvutsrqpo"))[clusters]
    other = fast((X[order], y[order], arm[order], labels[order]), random_state=4, n_jobs=2)
    np.testing.assert_array_equal(base.folds, other.folds)
    np.testing.assert_array_equal(base.effects, other.effects)
    np.testing.assert_array_equal(base.outcome, other.outcome)
    assert (fast((X, y, arm, clusters), random_state=5).folds != base.folds).any()


def test_a_trial_keeps_its_covariates_before_encoding():
    X, y, arm, clusters = make_trial()
    table = pd.DataFrame({"age": X[:, 0], "sex": np.where(X[:, 1] > 0, "f", "m")})
    table = table.assign(y=y, arm=arm, clinic=clusters)
    trial = Trial(table, outcome="y", treatment="arm", cluster="clinic")
    fit = fast(trial)
    assert fit.frame.columns.tolist() == ["age", "sex"]
    assert fit.trial.sources == ("age", "sex")


def test_effects_are_centred_within_folds_and_ranks_are_uniform():
    fit = fast(make_trial())
    for s in range(2):
        for fold in range(fit.n_folds):
            rows = fit.folds[s] == fold
            assert fit.centred_effects[s, rows].mean() == pytest.approx(0, abs=1e-12)
            assert fit.ranks[s, rows].mean() == pytest.approx(0.5)


def test_quantile_groups_are_equal_in_size_and_sorted():
    fit = fast(make_trial(), n_folds=3)
    groups = fit.quantile_groups(4)
    for s in range(2):
        for fold in range(3):
            rows = fit.folds[s] == fold
            counts = np.bincount(groups[s, rows], minlength=4)
            assert np.ptp(counts) <= 1
            top, rest = fit.effects[s, rows & (groups[s] == 3)], fit.effects[s, rows]
            assert top.min() >= np.sort(rest)[-len(top)] - 1e-12


def test_equal_effects_are_grouped_at_random_not_by_cluster():
    fit = fast(make_trial(m=20, size=20))
    fit.__dict__["effects"] = np.ones_like(fit.effects)
    groups = fit.quantile_groups(2)[0]
    share = np.bincount(fit.data.clusters, weights=groups) / 20
    assert share.min() > 0.1
    assert share.max() < 0.9


def test_ranks_of_ties_are_shared():
    ranks = mid_ranks(np.array([1.0, 1.0 + 1e-13, 2.0]), np.array([1.0, 1.0, 2.0]))
    np.testing.assert_allclose(ranks, [0.25, 0.25, 0.75])


def test_any_outcome_model_may_be_given():
    default = cross_fit(make_trial(), "LMM", n_splits=1)
    linear = fast(make_trial(), n_splits=1)
    np.testing.assert_array_equal(default.effects, linear.effects)
    assert not np.allclose(default.outcome, linear.outcome)


@pytest.mark.parametrize(
    ("n_splits", "n_folds", "message"),
    [(0, 5, "n_splits must be a whole number of 1"), (1, 1, "n_folds must be a whole number of 2")],
)
def test_too_few_splits_or_folds(n_splits, n_folds, message):
    with pytest.raises(TrialError, match=message):
        cross_fit(make_trial(), "LMM", n_splits=n_splits, n_folds=n_folds)


def test_method_says_what_was_held_out():
    assert "whole clusters, 2 splits" in fast(make_trial()).method
    assert "folds of persons" in fast(make_trial(clusters=False)).method
    assert fast(make_trial(clusters=False)).data.clusters is None
