"""Scenarios of cluster-randomized trials, and the reference designs."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.simulate import (
    CLUSTER_DESIGNS,
    NULL_DESIGNS,
    ClusterTrial,
    TasshLike,
    scenario,
)
from tauhat.simulate.cluster_scenario import shaped_noise
from tauhat.simulate.cluster_sizes import apportion
from variance_parts import components


def test_cluster_covariates_and_sizes() -> None:
    trial = ClusterTrial(n_clusters=2000, covariate_icc=0.2).draw(random_state=1)
    X, group = trial.X, trial.X.groupby(trial.clusters)
    size = np.bincount(trial.clusters)
    assert size.mean() == pytest.approx(25, abs=0.7)
    assert size.std() / size.mean() == pytest.approx(0.4, abs=0.02)
    assert size.min() == 5
    within = X - group.transform("mean")
    assert within[["x1", "x2"]].corr().iloc[0, 1] == pytest.approx(0.3, abs=0.01)
    assert (
        within[["x1", "x3", "x4", "x5"]].corr().abs().to_numpy()[np.triu_indices(4, 1)].max()
        < 0.015
    )
    for name in ("x1", "x2", "x5"):
        within_variance = (within[name] ** 2).sum() / (len(X) - 2000)
        assert within_variance == pytest.approx(0.8, abs=0.02)
        assert X[name].var() == pytest.approx(1.0, abs=0.03)
    assert X["x6"].mean() == pytest.approx(0.5, abs=0.01)
    assert X["x7"].mean() == pytest.approx(0.3, abs=0.01)
    assert (group[["w1", "w2"]].nunique() == 1).all().all()
    assert group["w2"].first().mean() == 0.5
    assert group["w1"].first().std() == pytest.approx(1.0, abs=0.04)


def test_icc_and_arm_specific_variances() -> None:
    design = ClusterTrial(
        n_clusters=3000,
        size_cv=0.0,
        icc=0.2,
        outcome_variance=4.0,
        treated_cluster_variance=3.0,
        treated_residual_variance=2.0,
    )
    trial = design.draw(random_state=2)
    assert set(np.bincount(trial.clusters)) == {25}
    rest0 = trial.nodes["y0"] - trial.mu0
    rest1 = trial.nodes["y1"] - trial.mu0 - trial.tau
    between, within = components(rest0, trial.clusters)
    assert between == pytest.approx(0.8, rel=0.07)
    assert within == pytest.approx(3.2, rel=0.02)
    between, within = components(rest1, trial.clusters)
    assert between == pytest.approx(2.4, rel=0.07)
    assert within == pytest.approx(6.4, rel=0.02)


def test_random_effects_do_not_touch_the_true_effect() -> None:
    design = ClusterTrial(n_clusters=3000, effect_sd=0.3, slope_sd=0.25, icc=0.0, effect="cluster")
    trial = design.draw(random_state=3)
    assert np.allclose(trial.tau, 0.4 + 0.4 * trial.X["w1"])
    deviation = trial.nodes["y1"] - trial.nodes["y0"] - trial.tau
    assert np.allclose(deviation, trial.nodes["effect_deviation"])
    by_cluster = deviation.groupby(trial.clusters).first()
    assert by_cluster.std() == pytest.approx(0.3, abs=0.015)
    # The random slopes make outcomes vary more where the first two covariates are far out.
    rest = trial.nodes["y0"] - trial.mu0
    far = (trial.X["x1"] ** 2 + trial.X["x2"] ** 2).to_numpy()
    slope = np.polyfit(far, rest**2, 1)[0]
    assert slope == pytest.approx(0.25**2, abs=0.01)


def test_shapes_of_random_effects() -> None:
    rng = np.random.default_rng(4)
    for shape, skewness, kurtosis in (
        ("normal", 0.0, 3.0),
        ("skewed", sqrt(8 / 3), 7.0),
        ("bimodal", 0.0, 3 - 2 * 0.9**4),
    ):
        z = shaped_noise(shape, 300_000, rng)
        assert z.mean() == pytest.approx(0, abs=0.01)
        assert z.var() == pytest.approx(1, abs=0.02)
        assert (z**3).mean() == pytest.approx(skewness, abs=0.06)
        assert (z**4).mean() == pytest.approx(kurtosis, abs=0.3)
    trial = ClusterTrial(n_clusters=2000, cluster_effects="bimodal", icc=0.5).draw(random_state=1)
    effects = trial.nodes["cluster_effect"].groupby(trial.clusters).first() / sqrt(0.5)
    assert (effects.abs() < 0.2).mean() < 0.08  # a valley in the middle (normal: .16)


def test_informative_size_parts_the_two_averages() -> None:
    design = ClusterTrial(effect="constant", size_cv=0.8, effect_log_size=0.5)
    values = design.population_values(200_000, 1)
    assert values.individual_average > values.cluster_average + 0.1
    trial = design.draw(random_state=2)
    size = trial.nodes["cluster_size"]
    assert np.allclose(trial.tau, 0.4 + 0.5 * np.log(size / 25))
    assert trial.individual_average == pytest.approx(trial.tau.mean())
    assert trial.cluster_average == pytest.approx(
        pd.Series(trial.tau).groupby(trial.clusters).mean().mean()
    )
    assert "cluster_size" not in trial.X
    shown = ClusterTrial(size_covariate=True).draw(random_state=2)
    assert np.array_equal(shown.X["cluster_size"], np.bincount(shown.clusters)[shown.clusters])


def test_dropout() -> None:
    full = ClusterTrial(n_clusters=400).draw(random_state=5)
    design = ClusterTrial(n_clusters=400, dropout=(0.1, 0.3), dropout_on="x1")
    trial = design.draw(random_state=5)
    enrolled = np.bincount(full.treatment)
    rates = 1 - np.bincount(trial.treatment) / enrolled
    assert rates == pytest.approx([0.1, 0.3], abs=0.02)
    assert trial.X["x1"].mean() < full.X["x1"].mean() - 0.1
    assert trial.X["x3"].mean() == pytest.approx(full.X["x3"].mean(), abs=0.03)
    # Who stays is unchanged, row by row.
    both = full.nodes.merge(trial.nodes, on=["y0", "y1"])
    assert len(both) == trial.n
    extreme = ClusterTrial(n_clusters=10, dropout=0.99).draw(random_state=1)
    assert np.unique(extreme.clusters).tolist() == list(range(10))
    with pytest.raises(ValueError, match="dropout_on names 'x9'"):
        ClusterTrial(dropout=0.1, dropout_on="x9").draw(random_state=1)


def test_arms_of_unequal_size_and_extra_covariates() -> None:
    design = ClusterTrial(n_clusters=16, share_treated=10 / 16, extra_individual=3, extra_cluster=2)
    trial = design.draw(random_state=1)
    assert pd.Series(trial.treatment).groupby(trial.clusters).first().sum() == 10
    assert trial.propensity == 0.625
    assert list(trial.X.columns) == [
        *(f"x{k}" for k in range(1, 11)), "w1", "w2", "w3", "w4",
    ]  # fmt: skip
    assert (trial.X.groupby(trial.clusters)[["w3", "w4"]].nunique() == 1).all().all()


def test_effect_settings() -> None:
    base = scenario("c4").draw(random_state=1)
    flat = scenario("c4", effect_scale=0.0).draw(random_state=1)
    assert (flat.tau == 0.3).all()
    half = scenario("c4", effect_scale=0.5, effect_constant=1.0).draw(random_state=1)
    assert np.allclose(half.tau, 1.0 + 0.5 * (base.tau - 0.3))
    own = ClusterTrial(effect=lambda X: X["x4"] ** 2, prognosis=lambda X: -X["w1"])
    trial = own.draw(random_state=1)
    assert np.allclose(trial.tau, trial.X["x4"] ** 2)
    assert np.allclose(trial.mu0, -trial.X["w1"])
    X = base.X
    for name, expected in {
        "binary": 0.4 + 0.5 * X.x6,
        "even": 0.4 + 0.45 * X.x1.abs(),
        "linear-individual": 0.4 + 0.3 * X.x1 - 0.25 * X.x2,
        "interaction": 0.4 + 0.45 * X.x1 * X.x2,
        "cross-level": 0.4 + 0.35 * X.x1 * X.w1 + 0.35 * X.w2 * X.x4,
    }.items():
        assert np.allclose(ClusterTrial(effect=name).draw(random_state=1).tau, expected), name
    for name, expected in {
        "null": 0 * X.x1,
        "linear": 0.5 * X.x1 + 0.4 * X.x3 + 0.4 * X.x5 + 0.3 * X.x7 + 0.25 * X.w1,
        "cross-level": 0.5 * X.x1 + 0.25 * X.w1 + 0.4 * X.w1 * X.x1 + 0.4 * X.w2 * X.x3,
    }.items():
        assert np.allclose(ClusterTrial(prognosis=name).draw(random_state=1).mu0, expected), name


@pytest.mark.parametrize("name", list(NULL_DESIGNS))
def test_null_designs_have_a_constant_effect(name: str) -> None:
    trial = ClusterTrial(**NULL_DESIGNS[name]).draw(random_state=1)
    assert (trial.tau == 0.4).all()
    own = trial.nodes["y1"] - trial.nodes["y0"]
    assert bool(np.ptp(own) > 1e-9) == (name == "weak")  # constant only on average


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_clusters": 2}, "n_clusters must be a whole number of at least 4"),
        ({"icc": 1.0}, r"icc must lie in \[0, 1\)"),
        ({"mean_size": 3.0}, r"mean_size \(3.0\) must not be below min_size \(5\)"),
        ({"size_cv": -0.1}, "size_cv must not be negative"),
        ({"cluster_effects": "heavy"}, "cluster_effects must be one of"),
        ({"dropout": 1.0}, "dropout must lie"),
        ({"dropout": (0.1, 0.2, 0.3)}, "one rate or one an arm"),
        ({"effect": "cubic"}, "effect must be one of constant"),
        ({"prognosis": "cubic"}, "prognosis must be one of null"),
        ({"covariate_icc": 2.0}, "covariate_icc must lie"),
        ({"outcome_variance": 0.0}, "outcome_variance must be positive"),
        ({"extra_cluster": -1}, "extra_cluster must be a whole number"),
    ],
)
def test_cluster_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scenario("crt", **settings)


def test_a_function_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="the function effect must return one finite number"):
        ClusterTrial(effect=lambda X: np.zeros(3)).draw(random_state=1)
    with pytest.raises(ValueError, match="79 persons are too few for 20 clusters of at least 5"):
        ClusterTrial().draw(79, random_state=1)


def test_apportion_sums_exactly() -> None:
    rng = np.random.default_rng(5)
    for n in (100, 101, 237):
        weights = rng.gamma(2.0, 5.0, 20)
        sizes = apportion(n, weights, 5)
        assert sizes.sum() == n
        assert sizes.min() >= 5
        assert np.abs(sizes - 5 - (n - 100) * weights / weights.sum()).max() < 1
    assert apportion(20, np.zeros(4), 5).tolist() == [5, 5, 5, 5]
    assert apportion(22, np.zeros(4), 5).sum() == 22


def test_tassh_like_matches_the_published_facts() -> None:
    trial = TasshLike().draw(757, 1)
    assert (np.bincount(trial.clusters) > 0).sum() == 32
    assert 0.78 < trial.n / 757 < 0.92
    people = TasshLike().population(60_000, 1)
    X = people.X
    assert X["sbp_0"].between(140, 179).all()
    assert X["sbp_0"].mean() == pytest.approx(155.9, abs=0.15)
    assert X["dbp_0"].mean() == pytest.approx(89.6, abs=0.2)
    assert X["female"].mean() == pytest.approx(0.6, abs=0.01)
    assert people.mu0.mean() == pytest.approx(-16.8, abs=0.15)
    assert people.tau.mean() == pytest.approx(-3.6, abs=0.1)
    assert (TasshLike(heterogeneity=0).population(10, 1).tau == -3.6).all()


# --- the reference data -------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference_designs(shared_data: Path) -> Path:
    folder = shared_data.parent / "reference" / "r_peers" / "data"
    if not folder.is_dir():
        pytest.skip(f"the reference designs are not here: no folder {folder}")
    return folder


@pytest.mark.parametrize(("number", "name"), list(enumerate(CLUSTER_DESIGNS, start=1)))
def test_effects_of_the_reference_designs(reference_designs: Path, number: int, name: str) -> None:
    test = pd.read_csv(next(reference_designs.glob(f"c{number}_*_test.csv")))
    design = ClusterTrial(**CLUSTER_DESIGNS[name])
    effect = design._effect(test)
    assert len(test) == 1000
    # Covariates and effects are rounded to 4 digits; steps do not fall on a rounded value.
    assert np.abs(effect - test["tau"].to_numpy()).max() < 1.1e-4
    train = pd.read_csv(next(reference_designs.glob(f"c{number}_*_train.csv")))
    assert train["cluster"].nunique() == design.n_clusters
    assert list(train.columns[1:-2]) == list(design.draw(random_state=1).X.columns)


def test_prognosis_of_the_reference_designs(reference_designs: Path) -> None:
    whitened, residual = [], []
    for number, name in enumerate(CLUSTER_DESIGNS, start=1):
        train = pd.read_csv(next(reference_designs.glob(f"c{number}_*_train.csv")))
        design = ClusterTrial(**CLUSTER_DESIGNS[name])
        rest = train["y"] - train["z"] * design._effect(train) - design._prognosis(train)
        terms = pd.DataFrame(
            {
                "constant": 1.0,
                "x1": train.x1,
                "abs x3": train.x3.abs(),
                "sin 2 x5": np.sin(2 * train.x5),
                "x7": train.x7,
                "w1": train.w1,
                "w2 x6": train.w2 * train.x6,
                "x2": train.x2,
                "x4": train.x4,
                "x5": train.x5,
                "x6": train.x6,
                "w2": train.w2,
            }
        )
        size = train.groupby("cluster")["y"].transform("size")
        pull = 1 - np.sqrt((1 - design.icc) / (1 - design.icc + size * design.icc))
        table = terms.assign(rest=rest)
        means = table.groupby(train["cluster"]).transform("mean")
        table = (table - means.mul(pull, axis=0)) / np.sqrt(1 - design.icc)
        whitened.append(table[terms.columns].to_numpy())
        residual.append(table["rest"].to_numpy())
    design_matrix, outcome = np.concatenate(whitened), np.concatenate(residual)
    assert len(outcome) == 5325
    cross = np.linalg.inv(design_matrix.T @ design_matrix)
    left = cross @ design_matrix.T @ outcome
    z = left / np.sqrt(np.diag(cross))
    assert np.abs(z).max() < 2.9  # 12 terms; nothing is left to explain
    assert outcome.var() == pytest.approx(1.0, abs=0.06)
