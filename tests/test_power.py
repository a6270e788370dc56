"""Power of an interaction: the formula against algebra, simulation and its own inverses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import tauhat as th
from tauhat.errors import TrialError
from tauhat.power import interaction_test, power_by_simulation, power_hte, power_table
from tauhat.power.interaction_power import cluster_information, cluster_sizes
from tauhat.power.interaction_trials import modifier_values


def published_variance(m, n, rho, rho_x, sd_y=1.0, sd_x=1.0, share=0.5):
    """Yang and others (2020), as it is printed."""
    first = sd_y**2 / (m * n * share * (1 - share) * sd_x**2)
    return first * (1 - rho) * (1 + (n - 1) * rho) / (1 + (n - 2) * rho - (n - 1) * rho_x * rho)


@pytest.mark.parametrize(
    ("m", "n", "rho", "rho_x"), [(32, 25, 0.05, 0.1), (20, 10, 0.2, 0.0), (40, 50, 0.01, 1.0)]
)
def test_large_sample_error_is_the_published_one(m, n, rho, rho_x):
    plan = power_hte(m, n, icc=rho, icc_x=rho_x, sd_y=2.0, delta=0.3, sd_x=1.5, share_treated=0.25)
    expected = published_variance(m, n, rho, rho_x, 2.0, 1.5, 0.25)
    assert plan.se**2 == pytest.approx(expected, rel=1e-12)
    shift = 0.3 / math.sqrt(expected)
    normal = stats.norm.sf(1.959964 - shift) + stats.norm.cdf(-1.959964 - shift)
    assert plan.large_sample_power == pytest.approx(normal, abs=1e-6)


def test_published_design_effect_at_its_two_ends():
    """A cluster-level modifier pays the usual design effect; one without ICC gains from rho."""
    size, rho = 25, 0.1
    alone = 1 / (40 * size * 0.25)
    cluster_level = power_hte(40, size, icc=rho, icc_x=1, delta=0.3).se ** 2
    assert cluster_level / alone == pytest.approx(1 + (size - 1) * rho)
    person_level = power_hte(40, size, icc=rho, icc_x=0, delta=0.3).se ** 2
    exact = (1 - rho) * (1 + (size - 1) * rho) / (1 + (size - 2) * rho)
    assert person_level / alone == pytest.approx(exact)
    assert exact < 1


def test_information_is_that_of_generalised_least_squares():
    """Mean of x'V^{-1}x over many modifiers, unequal sizes included."""
    rho, rho_x = 0.1, 0.3
    rng = np.random.default_rng(1)
    for size in (1, 4, 30):
        draws = 20_000
        clusters = np.repeat(np.arange(draws), size)
        x = modifier_values(clusters, draws, icc_x=rho_x, sd_x=1.0, prevalence=None, rng=rng)
        V = (1 - rho) * np.eye(size) + rho
        x = x.reshape(draws, size)
        each = np.einsum("ij,jk,ik->i", x, np.linalg.inv(V), x)
        one = cluster_information(
            np.array([float(size)]), np.ones(1), icc=rho, icc_x=rho_x, sd_y=1.0, sd_x=1.0
        )
        error = 4 * each.std() / math.sqrt(draws)
        assert abs(each.mean() - one.within - one.between) < error
    sizes, chance = cluster_sizes(20, 0.6)
    mixed = cluster_information(sizes, chance, icc=rho, icc_x=rho_x, sd_y=1.0, sd_x=1.0)
    averaged = sum(
        p / published_variance(4, n, rho, rho_x) for n, p in zip(sizes, chance, strict=True)
    )
    assert mixed.within + mixed.between == pytest.approx(averaged, rel=1e-12)


def test_sizes_have_the_mean_and_spread_asked_for():
    sizes, chance = cluster_sizes(25, 0.5)
    mean = float(chance @ sizes)
    assert mean == pytest.approx(25, abs=0.02)
    assert math.sqrt(float(chance @ (sizes - mean) ** 2)) / mean == pytest.approx(0.5, abs=0.01)
    assert cluster_sizes(12.5, 0)[0].tolist() == [12.5]


def test_degrees_of_freedom_count_clusters_or_persons():
    cluster_level = power_hte(20, 25, icc=0.05, icc_x=1, delta=0.3)
    assert cluster_level.degrees_of_freedom == pytest.approx(16)
    person_level = power_hte(20, 25, icc=0.05, icc_x=0, delta=0.3)
    assert 400 < person_level.degrees_of_freedom < 500
    assert power_hte(n_persons=100, delta=0.3).degrees_of_freedom == pytest.approx(96)


def test_corrections_vanish_with_many_clusters():
    few = power_hte(10, 25, icc=0.05, icc_x=1, delta=0.526)
    assert few.large_sample_power - few.power > 0.3
    many = power_hte(2000, 25, icc=0.05, icc_x=1, delta=0.0372)
    assert many.power == pytest.approx(many.large_sample_power, abs=0.002)


def test_size_of_the_test_is_the_limit_of_its_power():
    assert power_hte(20, 25, icc=0.05, icc_x=0.2, delta=1e-9).power == pytest.approx(0.05, abs=1e-6)


SIMULATED = [
    (20, {"icc": 0.05, "icc_x": 0.0}),
    (20, {"icc": 0.1, "icc_x": 0.5}),
    (20, {"icc": 0.05, "icc_x": 1.0}),
    (20, {"icc": 0.05, "icc_x": 0.1, "size_cv": 0.6}),
    (20, {"icc": 0.05, "icc_x": 1.0, "prevalence": 0.3}),
    (20, {"icc": 0.05, "icc_x": 0.2, "share_treated": 0.3}),
    (40, {"icc": 0.05, "icc_x": 0.1}),
    (40, {"icc": 0.05, "icc_x": 1.0, "size_cv": 0.6}),
    (40, {"icc": 0.05, "icc_x": 0.1, "prevalence": 0.3}),
]


def distance(m, settings, n_trials):
    """Simulated less stated power of the plan with a large-sample power of .8."""
    plan = power_hte(m, 25, delta=1.0, **settings)
    plan = power_hte(m, 25, delta=plan.se * (1.959964 + 0.841621), **settings)
    found = power_by_simulation(
        plan.scenario(), n_trials=n_trials, test=interaction_test, random_state=1
    )
    return found.power - plan.power


def test_stated_power_is_that_of_the_mixed_model():
    # 150 trials: two and a half standard errors; the large-sample formula is off by .17 here.
    assert abs(distance(*SIMULATED[2], 150)) < 0.09


@pytest.mark.slow
@pytest.mark.parametrize(("m", "settings"), SIMULATED)
def test_stated_power_is_that_of_the_mixed_model_in_many_trials(m, settings):
    assert abs(distance(m, settings, 2000)) < 0.03


@pytest.mark.slow
def test_stated_power_is_that_of_a_linear_model_when_persons_are_randomized():
    plan = power_hte(n_persons=60, delta=0.74)
    found = power_by_simulation(
        plan.scenario(), n_trials=2000, test=interaction_test, random_state=1
    )
    assert abs(found.power - plan.power) < 0.03


@pytest.mark.parametrize(
    "settings",
    [
        {"icc": 0.05, "icc_x": 0.1},
        {"icc": 0.02, "icc_x": 1.0, "size_cv": 0.5},
        {"icc": 0.1, "icc_x": 0.3, "prevalence": 0.4, "share_treated": 1 / 3},
    ],
)
def test_solving_for_one_gives_back_the_others(settings):
    plan = power_hte(30, 20, delta=0.35, **settings)
    delta = power_hte(30, 20, power=plan.power, **settings)
    assert delta.solved == "delta"
    assert delta.delta == pytest.approx(0.35, rel=1e-6)
    number = power_hte(None, 20, delta=0.35, power=0.8, **settings)
    assert number.solved == "n_clusters"
    assert number.power >= 0.8
    step = 2 if settings.get("share_treated", 0.5) == 0.5 else 1
    assert power_hte(number.n_clusters - step, 20, delta=0.35, **settings).power < 0.8


def test_equal_arms_are_equal():
    plan = power_hte(None, 25, icc=0.05, icc_x=0.1, delta=0.2, power=0.9)
    assert plan.treated == plan.control


def test_individual_trial_is_the_textbook_regression():
    plan = power_hte(n_persons=400, delta=0.3, sd_y=1.2, sd_x=0.8)
    assert plan.se == pytest.approx(1.2 / (0.8 * math.sqrt(400 * 0.25)))
    assert plan.power == pytest.approx(plan.large_sample_power, abs=0.01)
    number = power_hte(delta=0.3, power=0.8, prevalence=0.5)
    # Four times the trial that finds a main effect of this size: 16 x 2 x 7.849 / .3^2 / 2.
    assert number.n_persons == pytest.approx(16 * 7.849 / 0.3**2, rel=0.01)
    assert number.n_clusters is None


def test_a_rare_cluster_modifier_may_be_missing_in_an_arm():
    """With 5 clusters an arm and prevalence .3, a third of the trials have no slope to test."""
    plan = power_hte(10, 25, icc=0.05, icc_x=1, prevalence=0.3, delta=50.0)
    lost = 0.7**5 + 0.3**5
    assert plan.power == pytest.approx((1 - lost) ** 2, abs=0.001)
    with pytest.raises(TrialError, match=r"with 10 no interaction has a power of 0\.8"):
        power_hte(10, 25, icc=0.05, icc_x=1, prevalence=0.3, power=0.8)


def test_power_is_monotone():
    def power(**changes):
        settings = {"icc": 0.05, "icc_x": 0.2, "delta": 0.25, **changes}
        return power_hte(settings.pop("m", 24), settings.pop("n", 20), **settings).power

    assert power(m=30) > power()
    assert power(n=30) > power()
    assert power(icc_x=0.6) < power()
    assert power(size_cv=0.8) < power()
    assert power(share_treated=0.25) < power()
    assert power(sd_y=1.5) < power()
    assert power(delta=-0.25) == pytest.approx(power())
    assert power(sd_y=10, delta=2.5) == pytest.approx(power())


def test_text_and_table_say_what_was_planned():
    plan = power_hte(32, 25, icc=0.05, icc_x=0.1, sd_y=1, delta=0.2)
    assert plan.text.startswith("With 32 clusters (16 treated, 16 control) of 25 persons, a two-")
    assert f"{100 * plan.power:.1f}% power to detect a change of 0.2" in plan.text
    values = plan.table.set_index("quantity").value
    assert values["power"] == plan.power
    assert values["persons"] == 800
    assert "prevalence of the modifier" not in values
    assert "<table" in plan._repr_html_()
    alone = power_hte(n_persons=300, delta=0.4, prevalence=0.5)
    assert "clusters" not in alone.table.quantity.tolist()
    assert "With 300 persons (150 treated, 150 control)" in alone.text
    assert "with and without the modifier (prevalence 0.5)" in alone.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_clusters": 20}, "cluster_size, the mean number of persons in a cluster, is missing"),
        ({"cluster_size": 20, "n_clusters": 20, "icc_x": 0.1}, "icc, the intracluster"),
        ({"cluster_size": 20, "n_clusters": 20, "icc": 0.1}, "icc_x, the intracluster"),
        ({"n_persons": 100, "icc": 0.1, "delta": 1}, "icc needs cluster_size"),
        ({"n_persons": 100}, "of n_persons, delta and power leave exactly one out"),
        ({"n_persons": 100, "delta": 1, "power": 0.8}, "all three were given"),
        ({"n_persons": 100, "delta": 0}, "delta must be a number other than 0"),
        ({"n_persons": 100, "power": 0.04}, "power must lie between the significance level"),
        ({"n_persons": 100, "delta": 1, "sd_y": 0}, "sd_y must be above 0, got 0"),
        ({"n_persons": 100, "delta": 1, "prevalence": 1}, r"prevalence must be in \(0, 1\), got 1"),
        ({"n_persons": 100, "delta": 1, "prevalence": 0.5, "sd_x": 1}, "exclude each other"),
        (
            {"n_persons": 4, "delta": 1},
            "n_persons must give at least 3 persons to each arm, got 4 with 2 treated; "
            "a regression on the modifier",
        ),
        (
            {"n_persons": 7, "delta": 1, "drop_out": 0.3},
            "n_persons must give at least 3 persons with an outcome to each arm, got 7",
        ),
        ({"n_persons": 10.5, "delta": 1}, "n_persons must be a whole number"),
        ({"delta": 1e-6, "power": 0.8}, "delta = 1e-06 would need more than 10,000,000 persons"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    with pytest.raises(TrialError, match=message):
        power_hte(**arguments)


def test_table_over_a_grid():
    table = power_table(
        n_clusters=[20, 40], cluster_size=25, icc=[0.01, 0.05], icc_x=0.1, power=0.8
    )
    assert len(table) == 4
    row = table.iloc[3]
    single = power_hte(40, 25, icc=0.05, icc_x=0.1, power=0.8)
    assert row.delta == single.delta
    assert row[["n_clusters", "icc"]].tolist() == [40, 0.05]


def test_modifiers_have_the_icc_asked_for():
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(4000), 2)
    for prevalence in (None, 0.3):
        for icc_x in (0.0, 0.25, 1.0):
            x = modifier_values(
                clusters, 4000, icc_x=icc_x, sd_x=1.0, prevalence=prevalence, rng=rng
            )
            pairs = x.reshape(-1, 2)
            assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(icc_x, abs=0.06)
            assert x.std() == pytest.approx(1 if prevalence is None else math.sqrt(0.21), abs=0.03)


def test_interaction_test_is_least_squares_when_persons_are_randomized():
    trial = power_hte(n_persons=80, delta=0.5).scenario().draw(random_state=3)
    x, a = trial.X["modifier"].to_numpy(), trial.treatment
    design = np.column_stack([np.ones(80), a, x, a * x])
    coefficients, rss, _, _ = np.linalg.lstsq(design, trial.y, rcond=None)
    se = math.sqrt(rss[0] / 76 * np.linalg.inv(design.T @ design)[3, 3])
    expected = 2 * stats.t.sf(abs(coefficients[3] / se), 76)
    assert interaction_test(trial) == pytest.approx(expected, rel=1e-8)


def test_simulation_does_not_depend_on_jobs_and_begins_alike():
    planned = power_hte(12, 10, icc=0.05, icc_x=0.1, delta=0.6).scenario(n_others=1)
    settings = {"n_permutations": 99, "random_state": 4}
    one = th.power_by_simulation(planned, n_trials=6, **settings)
    two = th.power_by_simulation(planned, n_trials=6, n_jobs=2, **settings)
    np.testing.assert_array_equal(one.p_values, two.p_values)
    longer = th.power_by_simulation(planned, n_trials=7, **settings)
    np.testing.assert_array_equal(longer.p_values[:6], one.p_values)
    assert one.power == np.mean(one.p_values <= 0.05)


def never(trial, seed):
    raise ValueError("no test today")


def half_the_time(trial, seed):
    if seed % 2:
        raise ValueError("odd seed")
    return 0.01


def test_trials_without_a_test_count_as_not_rejected():
    planned = power_hte(n_persons=20, delta=0.5).scenario()
    found = power_by_simulation(planned, n_trials=40, test=half_the_time, random_state=1)
    failed = found.failures["odd seed"]
    assert 5 < failed < 35
    assert found.power == pytest.approx((40 - failed) / 40)
    assert np.isnan(found.p_values).sum() == failed
    assert found.table.n_failures[0] == failed
    assert "half the time" in found.text
    with pytest.raises(TrialError, match="none of the trials: no test today"):
        power_by_simulation(planned, n_trials=3, test=never)


def test_simulation_by_the_name_of_a_scenario():
    found = th.power_by_simulation(
        "crt",
        settings={"n_clusters": 12, "effect": "constant"},
        n_trials=3,
        n_permutations=99,
        random_state=1,
    )
    assert found.n_trials == 3
    assert found.lower <= found.power <= found.upper
    with pytest.raises(ValueError, match="no scenario"):
        th.power_by_simulation("nowhere", n_trials=1)
    with pytest.raises(TrialError, match="settings go with the name"):
        th.power_by_simulation(
            power_hte(n_persons=20, delta=0.5).scenario(), settings={"n": 3}, n_trials=1
        )


@pytest.mark.slow
def test_primary_test_keeps_its_level_and_has_power():
    """The omnibus test gives up power for looking everywhere, not all of it."""
    plan = power_hte(30, 20, icc=0.05, icc_x=0.1, delta=0.3)
    assert plan.power > 0.9
    planned = plan.scenario(n_others=3)
    found = power_by_simulation(planned, n_trials=200, n_permutations=499, random_state=1)
    assert 0.5 < found.power < plan.power


@pytest.mark.parametrize(
    ("design", "others", "simulated"),
    [
        # `python benchmarks/primary_power.py` prints these.
        ({"n_clusters": 20, "cluster_size": 20, "icc": 0.05, "icc_x": 0.1, "delta": 0.35}, 3, 0.60),
        ({"n_persons": 300, "delta": 0.35}, 3, 0.54),
    ],
)
def test_power_of_the_primary_test_is_what_simulation_gives(
    design: dict[str, float], others: int, simulated: float
) -> None:
    plan = power_hte(**design, n_others=others)
    assert plan.primary_power == pytest.approx(simulated, abs=0.03)
    assert plan.power > plan.primary_power > power_hte(**design, n_others=others + 5).primary_power


@pytest.mark.parametrize(
    "design",
    [
        {"n_clusters": 20, "cluster_size": 30, "icc": 0.05, "icc_x": 0.1, "size_cv": 0.6},
        {"n_clusters": 6, "cluster_size": 2, "icc": 0.05, "icc_x": 0.1},
        {"n_persons": 100, "share_treated": 0.3},
    ],
)
def test_without_an_effect_the_primary_test_rejects_at_its_level(design: dict[str, float]) -> None:
    """Permutation keeps the level whatever the sizes, and the formula has to."""
    for others in (0, 8):
        plan = power_hte(**design, delta=1e-6, n_others=others)
        assert plan.primary_power == pytest.approx(0.05, abs=1e-4)


def test_a_primary_test_of_one_binary_modifier_is_its_interaction_test() -> None:
    plan = power_hte(n_persons=2000, prevalence=0.5, delta=0.25)
    assert plan.primary_power == pytest.approx(plan.power, abs=0.01)


def test_few_clusters_leave_their_modifiers_untested() -> None:
    few = power_hte(10, 20, icc=0.05, icc_x=1, delta=1.5)
    assert few.power > 0.9
    assert few.primary_power == 0
    with_others = power_hte(10, 20, icc=0.05, icc_x=1, delta=1.5, n_others=2)
    assert with_others.primary_power == 0.05


def test_drop_out_costs_what_fewer_persons_cost() -> None:
    given = {"icc": 0.05, "icc_x": 0.1, "delta": 0.2}
    whole, less = power_hte(32, 20, **given), power_hte(32, 25, **given, drop_out=0.2)
    assert less.n_persons == 800
    assert less.power == pytest.approx(whole.power, abs=0.01)
    assert less.scenario().mean_size == pytest.approx(20)
    needed = power_hte(n_persons=None, delta=0.3, power=0.8, drop_out=0.2).n_persons
    assert needed == pytest.approx(power_hte(delta=0.3, power=0.8).n_persons / 0.8, abs=3)


def test_risks_give_each_arm_its_own_variance() -> None:
    unequal = power_hte(
        n_persons=600, delta=0.2, prevalence=0.5, risk_control=0.5, risk_treated=0.1,
        share_treated=0.25,
    )  # fmt: skip
    assert unequal.sd_y**2 == pytest.approx(0.75 * 0.09 + 0.25 * 0.25)
    with pytest.raises(TrialError, match="sd_y and the risks exclude each other"):
        power_hte(n_persons=600, delta=0.2, sd_y=2, risk_control=0.5, risk_treated=0.1)
