"""Every mixed-effects learner: labels, odd clusters, variance components, variances by arm."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone

from tauhat.errors import TauhatWarning
from tauhat.learners import (
    AdditiveMixedEffect,
    DRLearner,
    EffectBoosting,
    LinearMixedEffect,
    RLearner,
    SLearner,
    TLearner,
    XLearner,
)
from tauhat.learners.catalog import single_estimator
from tauhat.learners.mixed_s import MixedEffectsLearner
from tauhat.numerics.mixed_lasso import fit_mixed_lasso, whiten_intercepts
from tauhat.outcome import (
    MEGB,
    MERF,
    AdditiveBoosting,
    AdditiveMixedModel,
    GPBoost,
    LinearMixedModel,
    MERTBoosting,
    RandomForest,
    REEMBoosting,
)
from tauhat.outcome_model import VarianceComponents
from tauhat.testing import check_cate_estimator

SHORT = {"max_rounds": 25, "n_folds": 3, "learning_rate": 0.2}
FOREST = MERF(n_estimators=20, n_growths=1, max_iterations=10)
LEARNERS = {
    "LMM": LinearMixedEffect(),
    "LMM by arm": LinearMixedEffect(between_cluster="by-arm"),
    "LMM lasso": LinearMixedEffect(interactions="lasso"),
    "GAMM": AdditiveMixedEffect(n_splines=5),
    "GAMM by arm": AdditiveMixedEffect(n_splines=5, between_cluster="by-arm"),
    "Effect-Boosting": EffectBoosting(max_rounds=10),
    "S-LMM": SLearner(LinearMixedModel()),
    "T-LMM": TLearner(LinearMixedModel()),
    "X-LMM": XLearner(LinearMixedModel()),
    "DR-LMM": DRLearner(LinearMixedModel()),
    "R-LMM": RLearner(LinearMixedModel()),
    "X-GAMM-RF": XLearner(AdditiveMixedModel(n_splines=5), FOREST),
    "MERF": MixedEffectsLearner(FOREST),
    "MERF x-pooled": MixedEffectsLearner(FOREST, form="x-pooled"),
    "MERF s-fixed": MixedEffectsLearner(FOREST, form="s-fixed"),
    "GPBoost": MixedEffectsLearner(GPBoost(**SHORT)),
    "MEGB": MixedEffectsLearner(MEGB(**SHORT, max_iterations=3)),
    "MERT-Boosting": MixedEffectsLearner(MERTBoosting(**SHORT)),
    "REEM-Boosting": MixedEffectsLearner(REEMBoosting(**SHORT, max_iterations=3)),
    "Additive-Boosting": MixedEffectsLearner(AdditiveBoosting(max_rounds=60, n_folds=3)),
}


def sizes_of(kind):
    """Numbers of persons in 20 clusters, or in 200 of one person."""
    if kind == "one person each":
        return np.ones(200, dtype=int)
    if kind == "one giant":
        return np.r_[150, np.full(19, 4)]
    if kind == "unequal":
        return np.maximum(np.random.default_rng(8).gamma(1.0, 11.0, 20).round(), 1).astype(int)
    return np.full(20, 10)


def easy_trial(kind="equal", icc=0.1, seed=1):
    """Linear outcome and effect .5 + .5 x1, b + e with variance .25."""
    rng = np.random.default_rng(seed)
    sizes = sizes_of(kind)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    treatment = clusters % 2
    X = rng.normal(size=(len(clusters), 3))
    X[:, 2] = rng.normal(size=len(sizes))[clusters]
    tau = 0.5 + 0.5 * X[:, 0]
    noise = np.sqrt(icc) * rng.normal(size=len(sizes))[clusters]
    noise += np.sqrt(1 - icc) * rng.normal(size=len(clusters))
    return X, X[:, 1] + treatment * tau + 0.5 * noise, treatment, clusters, tau


def standard_error(treatment, clusters, icc):
    """Of a difference of means of persons, were the covariates known: exact for these trials."""
    variance = 0.0
    for arm in (0, 1):
        share = np.bincount(clusters[treatment == arm]) / (treatment == arm).sum()
        variance += 0.25 * (icc * (share**2).sum() + (1 - icc) / (treatment == arm).sum())
    return np.sqrt(variance)


def quiet_fit(model, X, y, treatment, clusters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TauhatWarning)
        fitted = clone(model).set_params(random_state=1)
        return fitted.fit(X, y, treatment=treatment, clusters=clusters)


@pytest.fixture(params=LEARNERS, ids=lambda name: name.replace(" ", "_"))
def learner(request):
    return LEARNERS[request.param]


def test_labels_and_order_of_the_clusters_do_not_matter(learner):
    X, y, treatment, clusters, _ = easy_trial("unequal")
    plain = quiet_fit(learner, X, y, treatment, clusters)
    order = np.random.default_rng(1).permutation(len(y))
    names = np.array([f"ward {(7 * c) % 31:02d}" for c in clusters])
    moved = quiet_fit(learner, X[order], y[order], treatment[order], names[order])
    # Persons from clusters that neither fit has seen.
    new = np.random.default_rng(2).normal(size=(20, 3))
    np.testing.assert_array_equal(moved.effect(new), plain.effect(new))
    first, second = (model.variance_components_ for model in (plain, moved))
    assert first == second


@pytest.mark.parametrize(
    ("kind", "icc"),
    [("equal", 0.0), ("equal", 0.6), ("unequal", 0.1), ("one giant", 0.1), ("one person each", 0)],
)
def test_mean_effect_is_right_whatever_the_clusters(learner, kind, icc):
    X, y, treatment, clusters, tau = easy_trial(kind, icc)
    fitted = quiet_fit(learner, X, y, treatment, clusters)
    effect = fitted.effect(X)
    assert np.isfinite(effect).all()
    # Robinson's ratio adds the error of the mean outcome, times the treatment's imbalance.
    most = 4 if isinstance(learner, RLearner) else 3
    assert abs(effect.mean() - tau.mean()) < most * standard_error(treatment, clusters, icc)
    parts = fitted.variance_components_
    assert 0.1 < parts.residual < 0.75
    if kind == "one person each":
        assert parts.between_cluster == 0
    elif kind == "equal":
        assert parts.icc < 0.25 if icc == 0 else parts.icc > 0.3


@pytest.mark.parametrize("model", [LinearMixedModel(), AdditiveMixedModel(n_splines=5), FOREST])
def test_outcome_models_predict_for_named_clusters(model):
    X, y, _, clusters, _ = easy_trial(icc=0.6)
    names = np.array([f"ward {(7 * c) % 31:02d}" for c in clusters])
    fitted = clone(model).fit(X, y, clusters=names)
    average = fitted.predict(X)
    named = fitted.predict(X, clusters=names)
    effects = dict(zip(fitted.cluster_labels_, fitted.cluster_effects_, strict=True))
    np.testing.assert_allclose(named - average, [effects[name] for name in names], atol=1e-12)
    # Persons are better predicted with their cluster than without; a new one adds nothing.
    assert np.var(y - named) < 0.85 * np.var(y - average)
    np.testing.assert_array_equal(fitted.predict(X[:2], clusters=["none", "zz"]), average[:2])


@pytest.mark.parametrize("model", [LinearMixedModel(), AdditiveMixedModel(n_splines=5)])
def test_an_intercept_that_is_not_identified_is_none(model):
    X, y, _, _, _ = easy_trial()
    plain = clone(model).fit(X, y)
    for labels in (np.arange(len(y)), np.zeros(len(y), dtype=int)):
        fitted = clone(model).fit(X, y, clusters=labels)
        assert fitted.variance_components_.between_cluster == 0
        np.testing.assert_allclose(fitted.predict(X, clusters=labels), plain.predict(X))


def test_every_form_has_the_components_of_the_data():
    totals = {}
    for seed in range(4):
        X, y, treatment, clusters, _ = easy_trial(icc=0.4, seed=seed)
        for name in ("LMM", "S-LMM", "T-LMM", "X-LMM", "DR-LMM", "R-LMM"):
            parts = quiet_fit(LEARNERS[name], X, y, treatment, clusters).variance_components_
            totals.setdefault(name, []).append([parts.between_cluster, parts.residual])
    for name, values in totals.items():
        between, residual = np.mean(values, axis=0)
        # Truth .1 and .15; the residual of the R-learner holds the error of its mean outcome.
        assert 0.06 < between < (0.2 if name == "R-LMM" else 0.15), name
        assert 0.13 < residual < 0.25, name


@pytest.mark.parametrize("learner", [TLearner, XLearner, DRLearner, RLearner])
def test_plain_models_have_no_components(learner):
    X, y, treatment, clusters, _ = easy_trial()
    model = learner(RandomForest(n_estimators=30), random_state=1)
    assert not hasattr(
        model.fit(X, y, treatment=treatment, clusters=clusters), "variance_components_"
    )


def arms_apart(seed, m=60, size=20, variances=(0.05, 0.3)):
    """Random intercepts with another variance in each arm, residual variance 1."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), size)
    treatment = clusters % 2
    X = rng.normal(size=(m * size, 3))
    intercepts = np.sqrt(np.array(variances))[np.arange(m) % 2] * rng.normal(size=m)
    y = X[:, 0] + treatment * (0.5 + 0.5 * X[:, 1]) + intercepts[clusters]
    return X, y + rng.normal(size=m * size), treatment, clusters


def test_variances_by_arm_are_recovered_and_fit_better():
    found, gains = [], []
    for seed in range(16):
        X, y, treatment, clusters = arms_apart(seed)
        own, common = (
            LinearMixedEffect(between_cluster=kind).fit(
                X, y, treatment=treatment, clusters=clusters
            )
            for kind in ("by-arm", "common")
        )
        parts = own.variance_components_
        found.append([*parts.between_by_arm, parts.residual])
        gains.append(own.restricted_log_likelihood_ - common.restricted_log_likelihood_)
        assert parts.between_cluster == pytest.approx(np.mean(parts.between_by_arm))
    error = np.std(found, axis=0, ddof=1) / 4
    assert (np.abs(np.mean(found, axis=0) - [0.05, 0.3, 1.0]) < 3 * error).all()
    assert error.max() < 0.04
    assert min(gains) >= -1e-8
    # Twice the gain is compared with 3.84; six times the variance is seen nearly always.
    assert np.mean(2 * np.array(gains) > 3.84) > 0.75
    table = parts.table.set_index("component").value
    assert table["between treated clusters"] == parts.between_by_arm[1]
    assert list(table.index)[2:] == ["residual", "icc"]
    assert "in treated clusters" in parts.text


def test_the_likelihood_ratio_is_small_when_the_arms_share_a_variance():
    ratios = []
    for seed in range(30):
        X, y, treatment, clusters = arms_apart(seed, 20, 10, (0.1, 0.1))
        values = [
            LinearMixedEffect(between_cluster=kind)
            .fit(X, y, treatment=treatment, clusters=clusters)
            .restricted_log_likelihood_
            for kind in ("by-arm", "common")
        ]
        ratios.append(2 * (values[0] - values[1]))
    assert min(ratios) >= -1e-8
    assert np.mean(ratios) < 1.5
    assert np.mean(np.array(ratios) > 3.84) < 0.15


@pytest.mark.parametrize("kind", [LinearMixedEffect, AdditiveMixedEffect])
def test_arms_that_are_copies_have_the_common_variance(kind):
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(24), 10)
    treatment = clusters % 2
    X = rng.normal(size=(12, 1, 10, 2)).repeat(2, axis=1).reshape(-1, 2)
    noise = 0.8 * rng.normal(size=(12, 1, 1)) + rng.normal(size=(12, 1, 10))
    y = X[:, 0] + 0.7 * treatment + noise.repeat(2, axis=1).ravel()
    fits = [
        kind(between_cluster=name).fit(X, y, treatment=treatment, clusters=clusters)
        for name in ("by-arm", "common")
    ]
    by_arm, common = (fit.variance_components_ for fit in fits)
    assert common.between_cluster > 0.05
    np.testing.assert_allclose(by_arm.between_by_arm, common.between_cluster, rtol=1e-6)
    assert common.between_by_arm is None
    np.testing.assert_allclose(fits[0].effect(X), fits[1].effect(X), atol=1e-7)


def test_wrong_settings_are_refused():
    X, y, treatment, clusters, _ = easy_trial()
    for settings in ({"between_cluster": "arm"}, {"interactions": "ridge"}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            LinearMixedEffect(**settings).fit(X, y, treatment=treatment, clusters=clusters)
    lasso = LinearMixedEffect(interactions="lasso")
    lasso.fit(X, y, treatment=treatment, clusters=clusters)
    with pytest.raises(ValueError, match="effect_interval"):
        lasso.model_interval(X)


def test_lasso_finds_few_effect_modifiers_among_many():
    errors, noise = {"shared": [], "lasso": []}, []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        clusters = np.repeat(np.arange(40), 20)
        treatment = clusters % 2
        X = rng.normal(size=(800, 60))
        tau = 0.4 + 0.4 * X[:, 0] - 0.4 * X[:, 1]
        y = X[:, 2] + treatment * tau + 0.3 * rng.normal(size=40)[clusters]
        y += rng.normal(size=800)
        for kind, error in errors.items():
            model = LinearMixedEffect(interactions=kind, random_state=1)
            model.fit(X, y, treatment=treatment, clusters=clusters)
            error.append(np.std(model.effect(X) - tau) / tau.std())
        slopes = model.coefficients_.estimate[1:].to_numpy()
        assert (np.abs(slopes[:2]) > 0.1).all()
        noise.append(np.mean(slopes[2:] == 0))
        assert model.coefficients_.se.isna().all()
    assert np.mean(errors["lasso"]) < 0.8 * np.mean(errors["shared"])
    assert np.mean(noise) > 0.6


def test_common_suite_of_the_lasso_with_variances_by_arm():
    check_cate_estimator(single_estimator("LMM-lasso", between_cluster="by-arm"))


def test_lasso_whitens_like_the_dense_matrix_and_solves_its_optimality_conditions():
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(6), [3, 9, 1, 5, 7, 5])
    ratios, weight = np.array([0.5, 0.5, 2.0, 0.0, 2.0, 0.5]), rng.uniform(0.5, 2, 30)
    Z = rng.normal(size=(30, 4))
    indicator = np.equal.outer(clusters, np.arange(6)).astype(float)
    V = np.diag(1 / weight) + (indicator * ratios) @ indicator.T
    white = whiten_intercepts(Z, clusters, ratios, weight)
    np.testing.assert_allclose(white.T @ white, Z.T @ np.linalg.solve(V, Z), rtol=1e-10)
    y, free = 2 * Z[:, 0] + rng.normal(size=30), np.ones((30, 1))
    fit = fit_mixed_lasso(y, free, Z, clusters % 3)
    slope = Z.T @ (y - free @ fit.free - Z @ fit.sparse) / 30
    assert abs((y - Z @ fit.sparse).mean() - fit.free[0]) < 1e-10
    active = fit.sparse != 0
    assert active[0]
    np.testing.assert_allclose(slope[active], fit.penalty * np.sign(fit.sparse[active]), atol=1e-4)
    assert (np.abs(slope[~active]) <= fit.penalty + 1e-4).all()


@pytest.mark.parametrize("form", ["textbook", "s-projected"])
def test_the_warning_names_both_averages(form):
    X, y, treatment, clusters, _ = easy_trial("equal", 0.6)
    model = MixedEffectsLearner(MERF(n_estimators=20), form=form, random_state=1)
    with pytest.warns(TauhatWarning, match="far from the average effect") as caught:
        model.fit(X, y + 2 * treatment, treatment=treatment, clusters=clusters)
    reference = LinearMixedEffect().fit(
        X, y + 2 * treatment, treatment=treatment, clusters=clusters
    )
    assert model.reference_effect_ == pytest.approx(reference.coefficients_.estimate[0])
    assert model.reference_se_ == pytest.approx(reference.coefficients_.se[0])
    mean = model.effect(X).mean()
    assert abs(mean - model.reference_effect_) > 1.5 * model.reference_se_
    message = str(caught[0].message)
    assert f"{mean:.3g}" in message
    assert f"{model.reference_effect_:.3g}" in message


def test_no_warning_where_the_mean_is_right():
    X, y, treatment, clusters, _ = easy_trial()
    with warnings.catch_warnings():
        warnings.simplefilter("error", TauhatWarning)
        model = MixedEffectsLearner(FOREST, random_state=1)
        model.fit(X, y, treatment=treatment, clusters=clusters)
    assert abs(model.effect(X).mean() - model.reference_effect_) <= 1.5 * model.reference_se_


def test_components_by_arm_are_two_rows_and_a_sentence():
    parts = VarianceComponents(0.2, 0.8, between_by_arm=(0.1, 0.3))
    assert parts.icc == pytest.approx(0.2)
    assert parts.table.value.tolist() == pytest.approx([0.1, 0.3, 0.8, 0.2])
    assert "(0.1 in control, 0.3 in treated clusters)" in parts.text
    assert VarianceComponents(0.2, 0.8).table.component.tolist() == [
        "between clusters",
        "residual",
        "icc",
    ]
