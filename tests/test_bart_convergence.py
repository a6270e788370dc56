"""Bayesian trees with a random intercept: the intercept's posterior, the chains, convergence."""

import warnings

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.errors import TauhatWarning
from tauhat.learners.bayesian_causal_forest import BayesianCausalForest
from tauhat.learners.chains import convergence_table, warn_unless_converged
from tauhat.learners.s import SLearner
from tauhat.numerics.intercept_draws import InterceptSampler
from tauhat.numerics.latent import MeasuredOutcome
from tauhat.outcome import BART, MixedBART
from tauhat.outcome.tree_sampler import Chains, TreeTerm, sample_trees

ROWS = [
    "average effect",
    "residual standard deviation",
    "between-cluster standard deviation",
]
COLUMNS = ["mean", "sd", "r_hat", "effective_draws", "draws"]
SHORT = {"n_chains": 2, "n_grow": 4, "n_burn_in": 20, "n_draws": 30}


def clustered(seed=0, between=0.25, m=30, size=25):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    X = rng.normal(size=(m * size, 3))
    A = (rng.permutation(m) % 2)[clusters]
    intercepts = np.sqrt(between) * rng.normal(size=m)
    y = X[:, 0] + A * (0.5 + 0.5 * X[:, 1]) + intercepts[clusters] + rng.normal(size=m * size)
    return X, y, A, clusters


def one_way(m, icc, seed, size=25):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    y = np.sqrt(icc) * rng.normal(size=m)[clusters]
    return y + np.sqrt(1 - icc) * rng.normal(size=m * size), clusters


def posterior_on_a_grid(y, clusters, variance, scale):
    """Density of the intercept's SD under a flat level, half-Cauchy prior, known variance."""
    deviation = np.linspace(1e-3, 3, 4000)
    n = np.bincount(clusters)
    means = np.bincount(clusters, y) / n
    spread = deviation[:, None] ** 2 + variance / n
    level = (means / spread).sum(axis=1) / (1 / spread).sum(axis=1)
    log = -0.5 * (
        np.log(spread).sum(axis=1)
        + ((means - level[:, None]) ** 2 / spread).sum(axis=1)
        + np.log((1 / spread).sum(axis=1))
    ) - np.log1p((deviation / scale) ** 2)
    weight = np.exp(log - log.max())
    return deviation, np.cumsum(weight) / weight.sum()


@pytest.mark.parametrize("icc", [0.02, 0.2])
def test_intercepts_deviation_has_its_exact_posterior(icc):
    y, clusters = one_way(20, icc, seed=1)
    ones = np.ones(len(y))
    sampler = InterceptSampler(ones[:, None], np.full(1, 1e8), clusters, ones, scale=0.7)
    rng = np.random.default_rng(2)
    draws = np.sqrt([sampler.draw(y, 1 - icc, rng).between for _ in range(1200)])
    deviation, cumulative = posterior_on_a_grid(y, clusters, 1 - icc, 0.7)
    for level in (0.1, 0.5, 0.9):
        exact = deviation[np.searchsorted(cumulative, level)]
        assert np.mean(draws < exact) == pytest.approx(level, abs=0.05)


def test_coefficient_of_a_cluster_level_column_has_the_spread_of_generalised_least_squares():
    y, clusters = one_way(40, 0.3, seed=3)
    A = (np.arange(40) % 2)[clusters] - 0.5
    columns = np.column_stack([np.ones(len(y)), A])
    sampler = InterceptSampler(columns, np.full(2, 1e8), clusters, np.ones(len(y)))
    rng = np.random.default_rng(4)
    draws = [sampler.draw(y + 2 * A, 0.7, rng) for _ in range(1000)]
    effect = np.array([draw.coefficients[1] for draw in draws])
    between = np.mean([draw.between for draw in draws])
    n = np.bincount(clusters)
    means, arm = np.bincount(clusters, y + 2 * A) / n, np.arange(40) % 2
    assert effect.mean() == pytest.approx(means[arm == 1].mean() - means[arm == 0].mean(), abs=0.03)
    assert effect.std() == pytest.approx(np.sqrt((between + 0.7 / 25) * 4 / 40), rel=0.1)
    # Drawn in one block, the coefficient does not wait for the intercepts.
    assert abs(np.corrcoef(effect[1:], effect[:-1])[0, 1]) < 0.1
    for draw in draws[:3]:
        np.testing.assert_allclose(
            draw.fitted, columns @ draw.coefficients + draw.effects[clusters], atol=1e-12
        )


def test_weights_enter_the_intercepts_as_precisions():
    # Three copies of a row say what one row of weight three says.
    y, clusters = one_way(30, 0.2, seed=5, size=9)
    means = y.reshape(-1, 3).mean(axis=1)
    one, root = np.ones(len(y)), np.full(len(y) // 3, np.sqrt(3.0))
    copies = np.repeat(means, 3)
    rngs = np.random.default_rng(6), np.random.default_rng(6)
    many = InterceptSampler(one[:, None], np.ones(1), clusters, one)
    few = InterceptSampler(root[:, None], np.ones(1), clusters[::3], root)
    for _ in range(5):
        first, second = many.draw(copies, 0.8, rngs[0]), few.draw(root * means, 0.8, rngs[1])
        np.testing.assert_allclose(second.effects, first.effects, atol=1e-9)
        assert second.between == pytest.approx(first.between)


@pytest.mark.slow
@pytest.mark.parametrize(("m", "icc"), [(20, 0.1), (20, 0.3), (50, 0.1)])
def test_intervals_of_the_between_cluster_variance_cover(m, icc):
    covered = []
    for seed in range(200):
        y, clusters = one_way(m, icc, seed)
        ones = np.ones(len(y))
        sampler = InterceptSampler(ones[:, None], np.full(1, 1e6), clusters, ones)
        rng = np.random.default_rng(seed)
        draws = [sampler.draw(y, 1 - icc, rng).between for _ in range(420)][20:]
        low, high = np.quantile(draws, [0.05, 0.95])
        covered.append(low <= icc <= high)
    # SE .02.
    assert 0.84 < np.mean(covered) < 0.96


def test_every_draw_of_every_chain_adds_up():
    X, y, A, clusters = clustered()
    z = (y - y.mean()) / y.std()
    ones, treated = np.ones(len(z)), A.astype(float)
    linear = InterceptSampler(np.column_stack([ones, treated]), np.ones(2), clusters, ones)
    terms = [TreeTerm(10), TreeTerm(8, treated, learn_leaf_variance=False, leaf_variance=0.5)]
    found = sample_trees(X, MeasuredOutcome(z), terms, linear, Chains(3, 4, 10, 15), seed=7)
    fitted = (
        found.trees[0].predict(X)
        + treated * found.trees[1].predict(X)
        + found.coefficients @ np.column_stack([ones, treated]).T
        + found.effects[:, clusters]
    )
    left = ((z - fitted) ** 2).mean(axis=1)
    # Given all else a draw of the variance has a coefficient of variation of sqrt(2 / 750) = .05.
    ratio = found.residual / left
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    assert ratio.std() < 0.09


@pytest.fixture(scope="module", params=["BART-RE", "BCF-RE"])
def fitted(request):
    X, y, A, clusters = clustered(1)
    model = th.estimator(request.param, random_state=1)
    if request.param == "BART-RE":
        model.set_params(outcome_model=MixedBART(n_trees=20, **SHORT))
    else:
        model.set_params(n_outcome_trees=30, n_effect_trees=15, **SHORT)
    return model.fit(X, y, treatment=A, clusters=clusters), X, y


def test_convergence_table_of_the_named_learners(fitted):
    model, X, _ = fitted
    table = model.convergence_
    assert list(table.index) == ROWS
    assert list(table.columns) == COLUMNS
    assert table.loc["average effect", "mean"] == pytest.approx(model.effect(X).mean(), abs=0.05)
    parts = model.variance_components_
    for row, variance in zip(ROWS[1:], (parts.residual, parts.between_cluster), strict=True):
        second_moment = table.loc[row, "mean"] ** 2 + table.loc[row, "sd"] ** 2
        assert second_moment == pytest.approx(variance, rel=0.01)
    assert table["r_hat"].between(0.97, 2).all()
    assert table["effective_draws"].between(2, 120).all()


def test_without_an_intercept_there_is_no_between_row():
    X, y, *_ = clustered(m=8)
    persons = np.random.default_rng(0).permutation(len(y)) % 2
    for model in (
        SLearner(BART(n_trees=10, **SHORT), random_state=1),
        BayesianCausalForest(20, 10, **SHORT, random_state=1),
    ):
        assert list(model.fit(X, y, treatment=persons).convergence_.index) == ROWS[:2]


def test_one_warning_when_chains_disagree_unless_they_were_for_points():
    rng = np.random.default_rng(1)
    apart = rng.normal(size=(4, 200)) + 2 * np.arange(4)[:, None]
    with pytest.warns(TauhatWarning, match=r"R-hat .* is \d\.\d\d.*Double n_burn_in") as caught:
        warn_unless_converged(convergence_table({"average effect": apart}))
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        short = convergence_table({"average effect": apart[:, :50]})
        warn_unless_converged(short)
        together = convergence_table({"average effect": rng.normal(size=(4, 200))})
        warn_unless_converged(together)
    assert isinstance(together, pd.DataFrame)


def test_quick_is_unfitted_and_shorter():
    for model in (MixedBART(), BayesianCausalForest(random_intercept=True)):
        quick = model.quick()
        assert type(quick) is type(model)
        assert (quick.n_burn_in, quick.n_draws) == (50, 50)
        assert quick.n_chains == model.n_chains
        assert quick.n_burn_in < model.n_burn_in


def test_brief_chains_start_from_few_coarse_forests_and_lengthen_nothing():
    for model in (BART(), MixedBART(), BayesianCausalForest()):
        brief = model.brief()
        assert type(brief) is type(model)
        assert (brief.n_grow, brief.n_burn_in, brief.n_cutpoints) == (6, 25, 30)
        assert (brief.n_chains, brief.n_draws) == (model.n_chains, model.n_draws)
    short = BART(n_grow=5, n_burn_in=10, n_cutpoints=20)
    assert short.brief().get_params() == short.get_params()
    assert BART(n_chains=8).brief().n_grow == 8  # a forest for each chain
    models = BART(), BART().brief(), BART(n_grow=4)
    assert [model.reduced().n_grow for model in models] == [5, 3, 2]
    assert BART(n_chains=1, n_grow=1).reduced().n_grow == 1


def test_causal_forests_with_two_chains_lengthen_nothing():
    forest = BayesianCausalForest(random_intercept=True)
    brief = forest.with_two_chains()
    assert (brief.n_chains, brief.n_grow, brief.n_burn_in, brief.n_draws) == (2, 6, 50, 50)
    assert (brief.random_intercept, brief.n_outcome_trees) == (True, forest.n_outcome_trees)
    short = BayesianCausalForest(n_chains=1, n_grow=3, n_burn_in=10, n_draws=20)
    assert short.with_two_chains().get_params() == short.get_params()


def test_greedy_forests_look_at_no_more_cutpoints_than_they_are_given():
    X, y, _, _ = clustered(0)
    alone = {"n_trees": 1, "n_chains": 1, "n_grow": 1, "n_burn_in": 0, "n_draws": 1}
    seen = {n: BART(n_cutpoints=n, **alone, random_state=1).fit(X, y).predict(X) for n in (1, 100)}
    assert not np.array_equal(seen[1], seen[100])
    with pytest.raises(ValueError, match="n_cutpoints must be at least 1, got 0"):
        BART(n_cutpoints=0).fit(X, y)


def test_mixed_bart_predicts_for_named_clusters():
    X, y, _, clusters = clustered(2, between=1.0)
    model = MixedBART(n_trees=20, **SHORT, random_state=1).fit(X, y, clusters=clusters)
    named = model.predict(X, clusters=clusters) - model.predict(X)
    np.testing.assert_allclose(named, model.cluster_effects_[clusters], atol=1e-12)
    unseen = model.predict(X[:3], clusters=np.array([99, 100, 101]))
    np.testing.assert_array_equal(unseen, model.predict(X[:3]))


def test_a_share_of_the_treatment_brings_its_splits_into_more_trees():
    X, y, A, clusters = clustered(between=0.05)
    noise = np.random.default_rng(0).normal(size=(len(X), 17))
    covariates, truth = np.hstack([X, noise]), 0.5 + 0.5 * X[:, 1]

    def effect(share):
        model = SLearner(MixedBART(treatment_share=share, **SHORT), random_state=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TauhatWarning)
            return model.fit(covariates, y, treatment=A, clusters=clusters).effect(covariates)

    equal, own = effect(None), effect(0.3)
    assert np.sqrt(np.mean((own - truth) ** 2)) < 0.85 * np.sqrt(np.mean((equal - truth) ** 2))
    # Less than an equal part is an equal part.
    assert (effect(0.01) == equal).all()
    with pytest.raises(ValueError, match=r"must lie between 0 and 1, got 1\.5"):
        effect(1.5)
