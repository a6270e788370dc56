from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat.simulate
from tauhat.data import validate_trial
from tauhat.numerics.kendall import kendall_tau
from tauhat.simulate import (
    CLUSTER_DESIGNS,
    PDL1,
    TRANSFORMATIONS,
    ClusterTrial,
    SecondOrder,
    SimulatedArms,
    SimulatedTimes,
    Term,
    register_scenario,
    scenario,
    scenario_names,
    unregister_scenario,
)
from tauhat.simulate.pd_l1 import NODES
from tauhat.simulate.randomize import randomize

# Each seed of these is another trial, also in size, blocks and allocation.
WORLDS = {"broad", "crt-broad"}
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
    outcomes = [trial.nodes[f"y{arm}"] for arm in range(int(trial.treatment.max()) + 1)]
    observed = np.choose(trial.treatment, outcomes)
    if isinstance(trial, SimulatedTimes):
        # Cut at the horizon; some were censored before, and the outcome is made of the times.
        seen = (trial.event == 1) | (trial.time >= trial.horizon)
        assert np.array_equal(np.minimum(trial.time, trial.horizon)[seen], observed[seen])
        assert (trial.time < observed)[~seen].all()
        assert 0.25 < (~seen).mean() < 0.35
        assert abs(trial.y.mean() - observed.mean()) < 0.5
    else:
        assert np.array_equal(trial.y, observed)
    if trial.period is not None:
        # Arms change within clusters, which the arguments of fit cannot say.
        assert trial.data.design.name in ("stepped wedge", "cluster crossover")
        return
    if isinstance(trial, SimulatedArms):
        assert trial.data.n == trial.compared.n == (trial.treatment < 2).sum()
        units = trial.treatment
        if trial.clusters is not None:
            units = pd.Series(trial.treatment).groupby(trial.clusters).first().to_numpy()
        assert np.ptp(np.bincount(units)) <= 1
        return
    X, y, treatment, clusters, weight, blocks, propensity = trial
    assert X is trial.X
    assert y is trial.y
    assert weight is None
    data = validate_trial(*trial)  # the checks that every estimator makes
    assert data.n == 1501
    assert np.allclose(data.propensity, propensity)
    if name in WORLDS:
        return
    assert blocks is None
    if np.ndim(clusters) == 2:
        clusters = clusters[:, 0]
    if clusters is None or not data.design.can_permute:
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
    many = people.X.nunique() > 10
    first = many.idxmax() if many.any() else people.X.columns[0]
    assert not np.isin(people.X[first].head(50), trial.X[first].head(50)).all()
    if people.clusters is not None:
        assert np.array_equal(np.unique(people.clusters), np.arange(people.clusters.max() + 1))


@pytest.mark.parametrize(("name", "settings", "values"), list(documented_values()))
def test_documented_population_values(
    name: str, settings: dict[str, Any], values: list[float]
) -> None:
    found = scenario(name, **settings).population_values(150_000, 3)
    # Cluster-level parts rest on about 6,000 clusters.
    mean_tolerance = 0.06 if name in ("tassh-like", "crt-survival") else 0.02
    assert found.individual_average == pytest.approx(values[0], abs=mean_tolerance)
    assert found.cluster_average == pytest.approx(values[1], abs=mean_tolerance)
    assert found.sd_effect == pytest.approx(values[2], abs=0.02)
    assert found.sd_prognosis == pytest.approx(values[3], abs=0.03)
    assert found.r_squared == pytest.approx(values[4], abs=0.015)


def test_the_table_documents_every_scenario() -> None:
    documented = {name for name, _, _ in documented_values()}
    assert documented == set(NAMES) - WORLDS
    assert set(scenario_names()) == documented | WORLDS | {"semi-synthetic"}


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
