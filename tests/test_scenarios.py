from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat.simulate
from tauhat.data import validate_trial
from tauhat.numerics.kendall import kendall_tau
from tauhat.simulate import (
    CLUSTER_DESIGNS,
    NULL_DESIGNS,
    PDL1,
    TRANSFORMATIONS,
    ClusterTrial,
    SecondOrder,
    SemiSynthetic,
    TasshLike,
    Term,
    register_scenario,
    scenario,
    scenario_names,
    unregister_scenario,
)
from tauhat.simulate.cluster_scenario import apportion, shaped_noise
from tauhat.simulate.pd_l1 import NODES
from tauhat.simulate.scenario import randomize

NAMES = [*scenario_names("individual"), *scenario_names("cluster")]


def documented_values() -> Iterator[tuple[str, dict[str, Any], list[float]]]:
    lines = (tauhat.simulate.__doc__ or "").splitlines()
    rules = [k for k, line in enumerate(lines) if line.startswith("====")]
    for line in lines[rules[1] + 1 : rules[2]]:
        *words, a, b, c, d, e = line.split()
        settings = {"p": int(words[1].removeprefix("p="))} if len(words) > 1 else {}
        yield words[0], settings, [float(v) for v in (a, b, c, d, e)]


# --- what every scenario promises ---------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_trial_is_complete_and_reproducible(name: str) -> None:
    # 751: odd, and no multiple of any number of clusters.
    trial = scenario(name, **({"dropout": 0.0} if name == "tassh-like" else {})).draw(1501, 7)
    again = scenario(name, **({"dropout": 0.0} if name == "tassh-like" else {})).draw(1501, 7)
    other = scenario(name).draw(1501, 8)
    assert trial.n == len(trial.X) == len(trial.y) == len(trial.nodes) == 1501
    for one, two in zip(trial, again, strict=True):
        if isinstance(one, np.ndarray):
            assert one.tobytes() == two.tobytes()
    pd.testing.assert_frame_equal(trial.X, again.X, check_exact=True)
    assert trial.tau.tobytes() == again.tau.tobytes()
    assert not np.array_equal(trial.y[:100], other.y[:100])
    observed = np.where(trial.treatment == 1, trial.nodes["y1"], trial.nodes["y0"])
    assert np.array_equal(trial.y, observed)
    X, y, treatment, clusters, weight, blocks, propensity = trial
    assert X is trial.X
    assert y is trial.y
    assert weight is None
    assert blocks is None
    data = validate_trial(*trial)  # the checks that every estimator makes
    assert data.n == 1501
    assert np.allclose(data.propensity, propensity)
    if clusters is None:
        assert abs(int(treatment.sum()) - 1501 / 2) == 0.5
    else:
        arm = pd.Series(treatment).groupby(clusters)
        assert (arm.nunique() == 1).all()
        assert arm.first().mean() == 0.5
        assert clusters.max() + 1 == scenario(name).settings["n_clusters"]


@pytest.mark.parametrize("name", NAMES)
def test_population_is_new_and_of_the_same_law(name: str) -> None:
    design = scenario(name)
    people = design.population(1234, 7)
    trial = design.draw(1234, 7)
    assert people.n == len(people.X) == len(people.mu0) == len(people.nodes) == 1234
    assert list(people.X.columns) == list(trial.X.columns)
    assert people.tau.tobytes() == design.population(1234, 7).tau.tobytes()
    first = people.X.columns[0]
    assert not np.isin(people.X[first].head(50), trial.X[first].head(50)).all()
    if people.clusters is not None:
        assert np.array_equal(np.unique(people.clusters), np.arange(people.clusters.max() + 1))


@pytest.mark.parametrize(("name", "settings", "values"), list(documented_values()))
def test_documented_population_values(
    name: str, settings: dict[str, Any], values: list[float]
) -> None:
    found = scenario(name, **settings).population_values(150_000, 3)
    # Cluster-level parts rest on about 6,000 clusters.
    mean_tolerance = 0.06 if name == "tassh-like" else 0.02
    assert found.individual_average == pytest.approx(values[0], abs=mean_tolerance)
    assert found.cluster_average == pytest.approx(values[1], abs=mean_tolerance)
    assert found.sd_effect == pytest.approx(values[2], abs=0.02)
    assert found.sd_prognosis == pytest.approx(values[3], abs=0.03)
    assert found.r_squared == pytest.approx(values[4], abs=0.015)


def test_the_table_documents_every_scenario() -> None:
    documented = {name for name, _, _ in documented_values()}
    assert documented == set(NAMES)
    assert set(scenario_names()) == documented | {"semi-synthetic"}


# --- the registry -------------------------------------------------------------------------


def test_registry_errors_say_what_is_there() -> None:
    with pytest.raises(ValueError, match=r"'linaer' \(did you mean 'linear'\?\); the names are"):
        scenario("linaer")
    with pytest.raises(ValueError, match=r"has no setting 'iccc'; its settings are .*icc"):
        scenario("crt", iccc=0.1)
    with pytest.raises(ValueError, match="'semi-synthetic' needs the setting 'trial'"):
        scenario("semi-synthetic")
    with pytest.raises(ValueError, match="kind must be one of"):
        scenario_names("crossover")
    with pytest.raises(ValueError, match="is taken"):
        register_scenario("c1", ClusterTrial, kind="cluster")
    with pytest.raises(ValueError, match="n must be a whole number"):
        scenario("linear").draw(random_state=1)
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
        scenario("crt").population(0)


def test_own_scenarios_can_be_registered() -> None:
    register_scenario(
        "my-trial", ClusterTrial, kind="cluster", preset={"icc": 0.2, "n_clusters": 8}, alias="mine"
    )
    try:
        assert scenario("mine", n_clusters=6).settings["icc"] == 0.2
        assert scenario("my-trial").settings["n_clusters"] == 8
    finally:
        unregister_scenario("my-trial")
    with pytest.raises(ValueError, match="there is no scenario 'mine'"):
        scenario("mine")


def test_short_names_are_the_six_reference_designs() -> None:
    for number, (name, settings) in enumerate(CLUSTER_DESIGNS.items(), start=1):
        assert scenario(f"c{number}") == scenario(name) == ClusterTrial(**settings)


def test_randomize_keeps_the_probability() -> None:
    rng = np.random.default_rng(1)
    assert all(randomize(16, 10 / 16, rng).sum() == 10 for _ in range(20))
    odd = [int(randomize(5, 0.5, rng).sum()) for _ in range(400)]
    assert set(odd) == {2, 3}
    assert np.mean(odd) == pytest.approx(2.5, abs=0.1)
    assert randomize(3, 0.01, rng).sum() == 1
    with pytest.raises(ValueError, match="strictly between"):
        randomize(10, 1.0, rng)
    with pytest.raises(ValueError, match="at least 2 units"):
        randomize(1, 0.5, rng)


# --- individual scenarios: the calibrated constants ---------------------------------------


def test_transformations_are_standardised() -> None:
    expected = {
        "absolute": (0.797885, 0.602810),
        "square": (1.0, 1.414214),
        "cosine": (0.135335, 0.694156),
        "step": (0.5, 0.5),
        "late-step": (0.308538, 0.461890),
        "hinge": (0.398942, 0.583819),
        "exponential": (1.197217, 0.788101),
        "tanh": (0.0, 0.797033),
    }
    for name, (mean, sd) in expected.items():
        assert TRANSFORMATIONS[name].mean == pytest.approx(mean, abs=1e-6)
        assert TRANSFORMATIONS[name].sd == pytest.approx(sd, abs=1e-6)
    z = np.random.default_rng(2).normal(size=400_000)
    for name, (function, mean, sd) in TRANSFORMATIONS.items():
        assert function(z).mean() == pytest.approx(mean, abs=0.01), name
        assert function(z).std() == pytest.approx(sd, abs=0.01), name


def standardised(values: pd.Series, mean: float, sd: float) -> pd.Series:
    return (values - mean) / sd


def test_surfaces_are_the_calibrated_ones() -> None:
    def drawn(name: str, **settings: Any) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        trial = scenario(name, **settings).draw(400, 5)
        noise = trial.nodes["y0"] - trial.mu0
        sigma = {"linear": 1.45, "highly-nonlinear": 1.25}.get(
            name, 0.9 if trial.X.shape[1] == 10 else 0.95
        )
        assert noise.std() == pytest.approx(sigma, rel=0.1)
        return trial.X, trial.tau, trial.mu0

    X, tau, mu0 = drawn("linear")
    assert np.allclose(tau, 1 + (X.x1 - X.x2 + X.x3 - X.x4 + X.x5 - X.x6 + X.x7 - X.x8) / sqrt(8))
    assert np.allclose(mu0, X.iloc[:, :8].sum(axis=1) / sqrt(8))

    X, tau, mu0 = drawn("slightly-nonlinear")
    assert X.shape[1] == 10
    effect = (
        2 * np.tanh(2 * X.x1) / 0.797033
        + standardised(X.x2 > 0, 0.5, 0.5)
        + 0.6 * standardised(np.exp(0.6 * X.x3), 1.197217, 0.788101)
    )
    assert np.allclose(tau, 0.5 + effect / sqrt(5.36), atol=1e-5)
    assert np.allclose(mu0, 0.5 * X.loc[:, "x3":"x7"].sum(axis=1) / sqrt(5))

    X, tau, mu0 = drawn("slightly-nonlinear", p=20)
    assert X.shape[1] == 20
    effect = (
        1.4 * standardised(X.x1 > 0, 0.5, 0.5)
        + standardised(X.x2.clip(lower=0), 0.398942, 0.583819)
        + standardised(X.x3 > 0.5, 0.308538, 0.461890)
        + 0.8 * standardised(np.exp(0.6 * X.x4), 1.197217, 0.788101)
    )
    assert np.allclose(tau, 0.5 + effect / sqrt(4.6), atol=1e-5)
    assert np.allclose(mu0, sqrt(0.4) * X.loc[:, "x3":"x7"].sum(axis=1) / sqrt(5))

    X, tau, mu0 = drawn("highly-nonlinear")
    effect = (
        standardised(X.x1.abs(), 0.797885, 0.602810)
        + standardised(np.cos(2 * X.x2), 0.135335, 0.694156)
        + standardised(X.x3**2, 1, sqrt(2))
        + 0.7 * X.x4 * X.x5
    )
    assert np.allclose(tau, 0.5 + effect / sqrt(3.49), atol=1e-5)
    prognosis = X.x6 + standardised(X.x7 > 0, 0.5, 0.5) + standardised(X.x1**2, 1, sqrt(2)) + X.x2
    assert np.allclose(mu0, (prognosis + 0.7 * X.x8 * X.x9) / sqrt(4.49), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "floor"),
    [
        ("linear", {}, 0.0),
        ("slightly-nonlinear", {}, 0.448),
        ("slightly-nonlinear", {"p": 20}, 0.572),
        ("highly-nonlinear", {}, 1.0),
        ("pd-l1", {}, 0.69),
    ],
)
def test_best_linear_effect(name: str, settings: dict[str, Any], floor: float) -> None:
    people = scenario(name, **settings).population(100_000, 4)
    design = np.column_stack([np.ones(people.n), people.X])
    fitted = design @ np.linalg.lstsq(design, people.tau, rcond=None)[0]
    error = np.sqrt(np.mean((fitted - people.tau) ** 2)) / people.tau.std()
    assert error == pytest.approx(floor, abs=0.01)


def test_second_order_settings() -> None:
    design = SecondOrder(
        p=4,
        effect=[(2.0, "step", 1, "identity", 2)],
        prognosis=[[1.5, "sine", 4]],
        effect_constant=0.3,
        prognosis_constant=-1.0,
        noise=0.5,
        share_treated=0.25,
        correlation=0.6,
        correlation_shape="autoregressive",
    )
    trial = design.draw(4000, 6)
    X = trial.X
    assert np.allclose(trial.tau, 0.3 + 2 * (2 * (X.x1 > 0) - 1) * X.x2)
    sd_sine = sqrt((1 - np.exp(-8)) / 2)
    assert np.allclose(trial.mu0, -1 + 1.5 * np.sin(2 * X.x4) / sd_sine)
    assert (trial.nodes["y0"] - trial.mu0).std() == pytest.approx(0.5, rel=0.05)
    assert trial.treatment.sum() == 1000
    assert trial.propensity == 0.25
    correlation = X.corr()
    assert correlation.loc["x1", "x2"] == pytest.approx(0.6, abs=0.05)
    assert correlation.loc["x1", "x3"] == pytest.approx(0.36, abs=0.05)
    equal = scenario("linear", correlation=0.5).population(20_000, 1).X.corr().to_numpy()
    assert equal[np.triu_indices(10, 1)] == pytest.approx(np.full(45, 0.5), abs=0.03)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"effect": [(1.0, "log", 1)]}, "there is no transformation 'log'"),
        ({"effect": [(1.0, "step", 11)]}, "uses covariate 11, but p = 10"),
        ({"prognosis": [(1.0, "step", 1, "step", 12)]}, "uses covariate 12, but p = 10"),
        ({"effect": [(1.0,)]}, "effect needs terms like"),
        ({"noise": 0.0}, "noise must be positive"),
        ({"correlation": 1.0}, "correlation must lie"),
        ({"correlation_shape": "block"}, "correlation_shape must be"),
    ],
)
def test_second_order_refuses(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scenario("second-order", **settings)


def test_slightly_nonlinear_has_two_sizes_only() -> None:
    with pytest.raises(ValueError, match="calibrated for p = 10 and p = 20, got 15"):
        scenario("slightly-nonlinear", p=15)
    with pytest.raises(ValueError, match="uses covariate 6, but p = 5"):
        scenario("linear", p=5)
    assert Term(1.0, "step", 1).second_feature == 0


def test_pd_l1_follows_its_closed_form() -> None:
    trial = PDL1().draw(20_000, 8)
    X, nodes = trial.X, trial.nodes
    slope = 1 / sqrt(0.4 * (1 + 0.8**2) - (0.8 * 0.4) ** 2)
    assert np.allclose(trial.tau, -slope * X.mutation_burden * (X.pd_l1 > 0))
    assert (trial.tau[X.pd_l1 == 0] == 0).all()
    growth = 0.9 * (X.mutation_burden - 0.8) - 0.5 * (X.cd8_baseline + 0.5 * X.tgf_beta)
    assert np.allclose(trial.mu0, growth)
    assert np.allclose(nodes["cd8_post_control"], X.cd8_baseline + 0.5 * X.tgf_beta)
    assert (nodes["y0"] - trial.mu0).std() == pytest.approx(0.9, rel=0.03)
    shares = X.immune_phenotype.value_counts(normalize=True).sort_index().to_numpy()
    assert shares == pytest.approx([0.27, 0.47, 0.26], abs=0.015)
    assert X.pd_l1.value_counts(normalize=True).sort_index().to_numpy() == pytest.approx(
        [0.6, 0.2, 0.2], abs=0.015
    )
    for name in ("tgf_beta", "cd8_baseline"):
        slopes = X.groupby("immune_phenotype")[name].mean().to_numpy()
        assert slopes == pytest.approx([-1, 0, 1], abs=0.06)
    assert scenario("pd-l1", noise=0.65).settings["noise"] == 0.65


def test_pd_l1_ties_bound_the_discordance() -> None:
    people = scenario("pd-l1").population(3000, 9)
    best = people.tau + 1e-9 * np.random.default_rng(1).normal(size=3000)
    assert (1 - kendall_tau(best, people.tau)) / 2 == pytest.approx(0.10, abs=0.01)


def test_pd_l1_graph_can_be_read_and_intervened_on() -> None:
    seen = {"treatment"}
    for node in NODES:
        assert set(node.parents) <= seen, node.name
        assert node.meaning
        seen.add(node.name)
    control, treated = (PDL1().evaluate(500, 3, arm) for arm in (0, 1))
    before = ["immune_phenotype", "mutation_burden", "tgf_beta", "cd8_baseline", "pd_l1"]
    pd.testing.assert_frame_equal(control[before], treated[before], check_exact=True)
    fall = control["pd_l1_post"] - treated["pd_l1_post"]
    assert (fall == (control["pd_l1"] > 0)).all()
    assert np.array_equal(treated["growth"] != control["growth"], fall == 1)


# --- cluster-randomized trials ------------------------------------------------------------


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


def components(values: pd.Series, clusters: np.ndarray) -> tuple[float, float]:
    """Between and within variance by the analysis of variance, clusters of one size."""
    size = np.bincount(clusters)
    mean = values.groupby(clusters).mean()
    within = float(((values - values.groupby(clusters).transform("mean")) ** 2).sum())
    within /= len(values) - len(size)
    return float(mean.var() - within * (1 / size).mean()), within


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


# --- semi-synthetic trials ----------------------------------------------------------------


@pytest.fixture(scope="module")
def real_trial() -> tauhat.simulate.SimulatedTrial:
    """Stands in for a real trial: its X, y, treatment and clusters are all that is used."""
    return ClusterTrial(n_clusters=60, icc=0.3).draw(random_state=12)


def effect_of_x1(X: pd.DataFrame) -> np.ndarray:
    return (2.0 * X["x1"]).to_numpy()


def test_semi_synthetic_keeps_covariates_residuals_and_clusters(
    real_trial: tauhat.simulate.SimulatedTrial,
) -> None:
    design = SemiSynthetic(trial=real_trial, effect=effect_of_x1)
    one, two = design.draw(random_state=1), design.draw(random_state=2)
    assert np.array_equal(one.tau, 2 * one.X["x1"])
    pd.testing.assert_frame_equal(one.X, two.X)
    assert np.array_equal(one.nodes["y0"], two.nodes["y0"])
    assert not np.array_equal(one.treatment, two.treatment)
    # The untreated outcome is the real one less the real average effect where treated.
    real = validate_trial(real_trial.X, real_trial.y, real_trial.treatment, real_trial.clusters)
    difference = real.y - one.nodes["y0"]
    assert np.allclose(difference[real.treatment == 0], 0)
    assert np.ptp(difference[real.treatment == 1]) < 1e-9
    assert np.array_equal(one.clusters, real.clusters)
    arm = pd.Series(one.treatment).groupby(one.clusters)
    assert (arm.nunique() == 1).all()
    assert arm.first().sum() == 30
    validate_trial(*one)


@pytest.mark.parametrize("residuals", ["shuffled", "normal"])
def test_semi_synthetic_new_residuals_keep_the_variances(
    real_trial: tauhat.simulate.SimulatedTrial, residuals: str
) -> None:
    design = SemiSynthetic(
        trial=real_trial, effect=effect_of_x1, residuals=residuals, prognosis=lambda X: X["x2"]
    )
    trials = [design.draw(random_state=seed) for seed in range(20)]
    assert np.array_equal(trials[0].mu0, trials[0].X["x2"])
    found = np.array(
        [components(t.nodes["y0"] - t.mu0, t.clusters) for t in trials if t.clusters is not None]
    )
    base = design._base
    assert base.between_variance / (base.between_variance + base.within_variance) > 0.15
    assert found[:, 0].mean() == pytest.approx(base.between_variance, rel=0.15)
    assert found[:, 1].mean() == pytest.approx(base.within_variance, rel=0.03)
    correlation = np.mean([np.corrcoef(t.nodes["y0"] - t.mu0, t.X["x1"])[0, 1] for t in trials])
    assert abs(correlation) < 0.05


def test_semi_synthetic_sizes(real_trial: tauhat.simulate.SimulatedTrial) -> None:
    design = SemiSynthetic(trial=tuple(real_trial), effect=effect_of_x1)
    smaller, larger = design.draw(300, 1), design.draw(3500, 1)
    assert smaller.n == 300
    assert larger.n == 3500
    assert smaller.nodes["real_row"].is_unique
    # Used again, a cluster is a new one: nobody twice in one cluster.
    seen = larger.nodes.assign(cluster=larger.clusters)
    assert not seen.duplicated(["real_row", "cluster"]).any()
    assert larger.clusters is not None
    assert larger.clusters.max() + 1 > 120
    assert design.population(777, 1).n == 777
    same = design.draw(300, 1)
    assert smaller.y.tobytes() == same.y.tobytes()


def test_semi_synthetic_from_an_individual_trial() -> None:
    real = scenario("linear").draw(200, 3)
    for residuals in ("own", "shuffled", "normal"):
        design = scenario(
            "semi-synthetic", trial=real, effect=effect_of_x1, residuals=residuals,
            share_treated=0.3,
        )  # fmt: skip
        trial = design.draw(random_state=1)
        assert trial.clusters is None
        assert trial.treatment.sum() == 60
        assert (trial.nodes["y0"] - trial.mu0).std() == pytest.approx(
            sqrt(design._base.within_variance), rel=0.15
        )
    assert design.population_values(5000).sd_effect == pytest.approx(2.0, rel=0.15)


def test_semi_synthetic_errors(real_trial: tauhat.simulate.SimulatedTrial) -> None:
    with pytest.raises(ValueError, match="residuals must be one of"):
        SemiSynthetic(trial=real_trial, effect=effect_of_x1, residuals="fitted")
    with pytest.raises(ValueError, match="the function effect must return"):
        SemiSynthetic(trial=real_trial, effect=lambda X: np.zeros(2)).draw(random_state=1)
    with pytest.raises(ValueError, match="trial must have X, y, treatment"):
        SemiSynthetic(trial=(1, 2), effect=effect_of_x1).draw(random_state=1)
