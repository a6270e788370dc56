"""Comparison of estimators by held-out losses: against hand computation and known effects."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import tauhat as th
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.compare import CONSTANT, LOSSES, compare
from tauhat.inference.inputs import as_trial_data
from tauhat.learners import LinearMixedEffect
from tauhat.simulate import ClusterTrial, scenario, srmse


class Known(CateEstimator):
    """Gives ``scale`` times the first covariate plus ``shift``, whatever the data."""

    def __init__(self, scale=1.0, shift=0.0, random_state=None, n_jobs=1):
        self.scale = scale
        self.shift = shift
        self.random_state = random_state
        self.n_jobs = n_jobs

    def declare_nuisances(self, data, seed):
        return []

    def fit_effect(self, data, nuisances, seed):
        pass

    def predict_effect(self, X):
        return self.shift + self.scale * X[:, 0]


class Broken(Known):
    def fit_effect(self, data, nuisances, seed):
        raise RuntimeError("no effect today")


def cluster_trial(m=30, size=15, seed=1, delta=0.8):
    """Effect .5 + delta x1, strong cluster effects."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    arm = clusters % 2
    X = rng.normal(size=(m * size, 2))
    y = X[:, 1] + arm * (0.5 + delta * X[:, 0])
    y += rng.normal(size=m)[clusters] + rng.normal(size=m * size)
    return X, y, arm, clusters


SCALES = {f"scale {s}": Known(s, 0.5) for s in (-0.8, 0.2, 0.8, 1.4, 2.4)}


def test_losses_order_known_effects_by_their_distance_to_the_truth():
    result = compare(cluster_trial(), SCALES)
    assert result.best == "scale 0.8"
    table = result.table.set_index("estimator")
    assert table.heterogeneity_loss.rank()[["scale 1.4", "scale 0.2"]].tolist() == [2, 3]
    assert table.index[-2:].tolist() == ["scale 2.4", "scale -0.8"]
    # The noise of the difference is that of one coefficient, not that of the clusters.
    difference, se = result.difference("scale 2.4", "scale 0.8")
    assert difference > 4 * se
    # In units of the residual variance: mean squared distance times mean squared contrast.
    assert difference == pytest.approx(1.6**2 * 0.25, rel=0.3)


def test_heterogeneity_loss_is_blind_to_the_level_and_the_others_are_not():
    trial = cluster_trial()
    result = compare(trial, {"right": Known(0.8, 0.5), "shifted": Known(0.8, 3.0)})
    table = result.table.set_index("estimator")
    assert table.heterogeneity_loss["right"] == pytest.approx(table.heterogeneity_loss["shifted"])
    assert table.dr_loss["shifted"] > table.dr_loss["right"] + 3
    assert table.r_loss["shifted"] > table.r_loss["right"] + 0.5


def test_losses_of_an_individual_trial_by_hand():
    """Squared losses are parabolas in the scale whose curvature is known without any fit."""
    rng = np.random.default_rng(2)
    n = 200
    X, arm = rng.normal(size=(n, 2)), np.tile([0, 1], n // 2)
    trial = as_trial_data((X, X[:, 1] + arm * X[:, 0] + rng.normal(size=n), arm))
    result = compare(trial, {str(s): Known(s) for s in (0.0, 0.5, 1.0)}, random_state=3)
    x = trial.X[:, 0]
    for loss, curvature in (("r", x**2 / 4), ("dr", x**2)):
        none, half, one = (result.unit_losses[loss][s].to_numpy() for s in ("0.0", "0.5", "1.0"))
        slope = one - none - curvature
        np.testing.assert_allclose(half, none + slope / 2 + curvature / 4, atol=1e-10)
    for loss in LOSSES:
        own = result.unit_losses[loss]
        difference, se = result.difference("0.5", "1.0", loss)
        pairs = own["0.5"] - own["1.0"]
        assert difference == pytest.approx(pairs.mean())
        assert se == pytest.approx(pairs.std(ddof=1) / np.sqrt(n))
        row = result.table.set_index("estimator").loc["0.5"]
        assert row[f"{loss}_loss"] == pytest.approx(own["0.5"].mean())
        assert difference > 0


def test_standard_errors_count_clusters():
    """Twice the same persons in every cluster leave the standard error nearly as it was."""
    X, y, arm, clusters = cluster_trial(size=10)
    once = compare((X, y, arm, clusters), SCALES)
    again = tuple(np.concatenate([part, part]) for part in (X, y, arm, clusters))
    twice = compare(again, SCALES)
    for loss in ("r", "dr"):
        one, two = (r.difference("scale 2.4", "scale 0.8", loss)[1] for r in (once, twice))
        assert two == pytest.approx(one, rel=0.25)


def test_constant_effect_wins_where_the_effect_is_constant():
    trial = cluster_trial(delta=0.0, seed=5)
    result = compare(trial, {"wrong": Known(0.6, 0.5)})
    assert result.best == CONSTANT
    assert "No estimator predicts held-out outcomes better" in result.text


def test_seed_jobs_row_order_and_labels():
    X, y, arm, clusters = cluster_trial(m=12)
    names = ["LMM"]
    one = compare((X, y, arm, clusters), names, random_state=4)
    two = compare((X, y, arm, clusters), names, random_state=4, n_jobs=2)
    np.testing.assert_array_equal(one.table.to_numpy(), two.table.to_numpy())
    order = np.random.default_rng(0).permutation(len(y))
    labels = np.array([f"clinic {(5 * c) % 12:02d}" for c in clusters], dtype=object)
    moved = compare((X[order], y[order], arm[order], labels[order]), names, random_state=4)
    np.testing.assert_array_equal(one.table.to_numpy(), moved.table.to_numpy())


def test_scaling_the_outcome_scales_the_losses():
    X, y, arm, clusters = cluster_trial(m=12)
    one = compare((X, y, arm, clusters), ["LMM"]).table
    ten = compare((X, 10 * y, arm, clusters), ["LMM"]).table
    np.testing.assert_allclose(ten.heterogeneity_loss, one.heterogeneity_loss, rtol=1e-5)
    np.testing.assert_allclose(ten.r_loss, 100 * one.r_loss, rtol=1e-5)


def test_splits_are_averaged():
    trial = cluster_trial(m=12)
    result = compare(trial, {"LMM": "LMM"}, n_splits=2, random_state=1)
    assert result.method == "Cross-fitted over 5 folds of whole clusters, 2 splits"
    once = compare(trial, {"LMM": "LMM"}, random_state=1)
    assert result.table.r_loss.tolist() != once.table.r_loss.tolist()


def test_a_failing_estimator_is_named_and_left_out():
    result = th.compare(cluster_trial(m=12), {"good": "LMM", "bad": Broken()})
    assert result.table.estimator.tolist() == ["good", CONSTANT]
    assert "no effect today" in result.failures["bad"]
    assert "bad could not be fitted" in result.text
    assert "<table" in result._repr_html_()
    with pytest.raises(TrialError, match="no estimator could be fitted"):
        compare(cluster_trial(m=12), {"bad": Broken()})


@pytest.mark.parametrize(
    ("estimators", "settings", "message"),
    [
        ("LMM", {}, "estimators must be a list of names"),
        (["LMM", "LMM"], {}, "estimators must differ; repeated: LMM"),
        (["LMN"], {}, "LMM"),
        ([], {}, "at least one estimator"),
        (["LMM"], {"n_folds": 1}, "n_folds must be a whole number of 2 or more"),
    ],
)
def test_bad_input(estimators, settings, message):
    with pytest.raises(TrialError, match=message):
        compare(cluster_trial(m=8), estimators, **settings)


@pytest.mark.slow
def test_ranking_agrees_with_the_true_error():
    """Kendall's tau-b of held-out loss and true sRMSE over learners, averaged over draws."""
    learners = {
        "LMM": LinearMixedEffect(),
        "fixed": LinearMixedEffect("fixed"),
        "GAMM": th.estimator("GAMM"),
        "X-LMM": th.estimator("X-LMM"),
        "X-RF": th.estimator("X-RF"),
        "T-RF": th.estimator("T-RF"),
    }
    planned = [scenario(name) for name in ("c3", "c6")]
    planned.append(ClusterTrial(effect="binary", n_clusters=40))
    agreement: dict[str, list[float]] = {loss: [] for loss in LOSSES}
    for design, settings in enumerate(planned):
        for draw in range(2):
            seed = 10 * design + draw
            trial = settings.draw(random_state=seed)
            persons = settings.population(2000, random_state=seed)
            truth = {
                name: srmse(
                    learner.set_params(random_state=1).fit(*trial).effect(persons.X), persons.tau
                )
                for name, learner in learners.items()
            }
            table = compare(trial, learners, random_state=seed).table.set_index("estimator")
            errors = [truth[name] for name in learners]
            for loss in LOSSES:
                losses = table.loc[list(learners), f"{loss}_loss"]
                agreement[loss].append(float(stats.kendalltau(losses, errors).statistic))
    assert np.mean(agreement["heterogeneity"]) > 0.4


def persons_in_sites(level, seed=1):
    """Ten sites of 20 persons whose levels have the standard deviation given."""
    rng = np.random.default_rng(seed)
    site, arm = np.repeat(np.arange(10), 20), np.tile([0, 1], 100)
    X = rng.normal(size=(200, 2))
    y = X[:, 1] + arm * (0.5 + 0.8 * X[:, 0]) + rng.normal(size=200)
    return X, y + level * rng.normal(size=10)[site], arm, None, None, site


def clusters_in_blocks(level, seed=1):
    """Six blocks of four clusters of 10 persons."""
    rng = np.random.default_rng(seed)
    clusters, arm = np.repeat(np.arange(24), 10), np.tile([0, 0, 1, 1], 6)
    X = rng.normal(size=(240, 2))
    y = X[:, 1] + arm[clusters] * (0.5 + 0.8 * X[:, 0]) + rng.normal(size=240)
    y += 0.3 * rng.normal(size=24)[clusters]
    return (
        X,
        y + level * rng.normal(size=6)[clusters // 4],
        arm[clusters],
        clusters,
        None,
        (clusters // 4),
    )


@pytest.mark.parametrize("draw", [persons_in_sites, clusters_in_blocks])
def test_levels_of_blocks_are_no_estimators_error(draw):
    plain, level = (compare(draw(size), SCALES).table for size in (0.0, 4.0))
    assert level.estimator.tolist() == plain.estimator.tolist()
    for loss in LOSSES:
        # The levels are estimated; once their variance of 16 was a part of every loss.
        np.testing.assert_allclose(level[f"{loss}_loss"], plain[f"{loss}_loss"], rtol=0.1)
        np.testing.assert_allclose(level[f"{loss}_se"], plain[f"{loss}_se"], rtol=0.25, atol=1e-12)
