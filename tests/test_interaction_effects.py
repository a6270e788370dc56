"""Interactions with modifiers that were named: closed forms, invariances, what cannot be said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.inference.modifier_groups import over_all_clusters
from tauhat.inference.named_modifiers import column_modifier
from tauhat.numerics.cluster_robust import cluster_robust_regression

NUMBERS = ["estimate", "se", "lower", "upper", "degrees_of_freedom", "p_value"]


def table(m: int = 16, size: int = 20, seed: int = 1, effect: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(m), size)
    arm = (np.arange(m) % 2)[unit]
    df = pd.DataFrame({
        "unit": unit,
        "arm": arm,
        "sex": np.where(rng.random(len(unit)) < 0.5, "girl", "boy"),
        "age": rng.normal(40, 10, len(unit)),
        "grade": rng.choice(["a", "b", "c"], len(unit)),
        "urban": rng.permutation(np.arange(m) // 2 % 2)[unit],
    })  # fmt: skip
    girl = (df.sex == "girl").to_numpy()
    df["y"] = effect * arm * girl + 0.05 * df.age + rng.normal(size=m)[unit]
    df["y"] += rng.normal(size=len(unit))
    return df


def trial(df: pd.DataFrame, **changes: Any) -> th.Trial:
    roles: dict[str, Any] = {
        "outcome": "y",
        "treatment": "arm",
        "cluster": "unit",
        "covariates": ["sex", "age", "grade", "urban"],
    }
    return th.Trial(df, **{**roles, **changes})


def test_without_variation_of_slopes_it_is_least_squares_within_clusters() -> None:
    # Slopes that vary less than chance have weights S_i: those of the pooled regression.
    df = table(effect=0.5, seed=3)
    found = th.interaction_effects(trial(df, covariates=["sex"]), "sex").table.iloc[0]
    girl = (df.sex == "girl").to_numpy(float)
    within = girl - df.assign(g=girl).groupby("unit").g.transform("mean")
    slopes = [
        float((within * df.y)[df.arm == a].sum() / (within**2)[df.arm == a].sum()) for a in (0, 1)
    ]
    assert abs(found.estimate - (slopes[1] - slopes[0])) < 0.05
    assert found.comparison == "girl less boy"
    assert 4 < found.degrees_of_freedom < 14


def test_slopes_of_equal_precision_are_compared_by_welch() -> None:
    # Two persons of each group a cluster: every slope is a difference of means, equally precise.
    rng = np.random.default_rng(4)
    m = 10
    df = pd.DataFrame({"unit": np.repeat(np.arange(m), 4), "M": np.tile([0, 0, 1, 1], m)})
    df["arm"] = (df.unit % 2).astype(int)
    df["y"] = rng.normal(size=4 * m) + df.unit * df.M
    found = th.interaction_effects(trial(df, covariates=["M"]), "M").table.iloc[0]
    means = df.groupby(["unit", "M"]).y.mean().unstack()
    slope = (means[1] - means[0]).to_numpy()
    arms = [slope[0::2], slope[1::2]]
    parts = [arm.var(ddof=1) / 5 for arm in arms]
    welch = sum(parts) ** 2 / sum(part**2 / 4 for part in parts)
    np.testing.assert_allclose(found.estimate, arms[1].mean() - arms[0].mean(), rtol=1e-8)
    np.testing.assert_allclose(found.se, np.sqrt(sum(parts)), rtol=1e-8)
    np.testing.assert_allclose(found.degrees_of_freedom, min(8.0, welch), rtol=1e-6)


def test_a_modifier_of_clusters_the_same_in_pairs_compares_differences_within_pairs() -> None:
    rng = np.random.default_rng(5)
    m = 12
    df = pd.DataFrame({"unit": np.repeat(np.arange(m), 6)})
    df["pair"], df["arm"] = df.unit // 2, (df.unit % 2).astype(int)
    df["C"] = (df.pair % 2).astype(int)
    df["y"] = rng.normal(size=m)[df.unit] + rng.normal(size=6 * m) + 3 * df.pair
    made = trial(df, covariates=["C"], block="pair")
    found = th.interaction_effects(made, "C").table.iloc[0]
    means = df.groupby("unit").y.mean().to_numpy()
    gap = means[1::2] - means[0::2]
    first, second = gap[0::2], gap[1::2]
    pooled = (first.var(ddof=1) * 2 + second.var(ddof=1) * 2) / 4
    np.testing.assert_allclose(found.estimate, second.mean() - first.mean(), rtol=1e-8)
    np.testing.assert_allclose(found.se, np.sqrt(pooled * 2 / 3), rtol=1e-8)
    assert found.degrees_of_freedom == pytest.approx(4)


def test_order_labels_units_and_swapped_arms_change_what_they_should() -> None:
    df = table(effect=0.4)
    asked = ["sex", "age", "grade", "urban", "age > 45"]
    base = th.interaction_effects(trial(df), asked).table[NUMBERS].to_numpy(float)
    shuffled = df.sample(frac=1, random_state=1)
    shuffled["unit"] = "u" + shuffled.unit.astype(str)
    again = th.interaction_effects(trial(shuffled), asked).table[NUMBERS].to_numpy(float)
    np.testing.assert_allclose(again, base, rtol=1e-7, atol=1e-9)
    scaled = df.assign(y=10 * df.y - 7, age=df.age / 10 + 3)
    tenfold = th.interaction_effects(trial(scaled), asked[:4]).table
    np.testing.assert_allclose(tenfold.estimate, 10 * base[:5, 0], rtol=1e-6)
    np.testing.assert_allclose(tenfold.p_value, base[:5, 5], rtol=1e-6)
    swapped = th.interaction_effects(trial(df.assign(arm=1 - df.arm)), asked).table
    np.testing.assert_allclose(swapped.estimate, -base[:, 0], rtol=1e-7)
    np.testing.assert_allclose(swapped.se, base[:, 1], rtol=1e-7)


def test_names_in_a_set_have_the_same_order_in_every_process() -> None:
    # Six names come out of a set in the order of the alphabet once in 720 times.
    df = table().assign(**{f"z{k}": np.arange(len(table())) % (k + 2) for k in range(6)})
    names = [f"z{k}" for k in range(6)]
    wide = th.Trial(df, outcome="y", treatment="arm", cluster="unit", covariates=["sex", *names])
    found = th.interaction_effects(wide, set(names), adjust=frozenset(["sex"]))
    assert list(found.tests.modifier) == names
    given = th.interaction_effects(wide, names, adjust=["sex"])
    pd.testing.assert_frame_equal(found.table, given.table)


def test_p_values_are_of_modifiers_and_adjusted_for_their_number() -> None:
    found = th.interaction_effects(trial(table(effect=1.0)), ["sex", "grade", "age"])
    assert found.tests.modifier.tolist() == ["sex", "grade", "age"]
    assert found.table.modifier.tolist() == ["sex", "grade", "grade", "age"]
    p = found.tests.set_index("modifier").p_value
    assert p["sex"] < 0.01 < p["age"]
    assert found.tests.p_adjusted[0] == pytest.approx(3 * p["sex"])
    assert (found.tests.p_adjusted >= found.tests.p_value).all()
    assert "girl less boy" in found.text
    assert found.text.count("(together p ") == 1  # of the three grades
    assert "not evidence of equal effects" in found.text


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("members", [2, 3, 20])
def test_errors_of_persons_are_hc2_of_the_whole_regression(members: int, blocks: bool) -> None:
    rng = np.random.default_rng(members)
    n = 90
    block = np.repeat(np.arange(3), n // 3)
    arm = np.arange(n) % 2
    rare = np.zeros(n)
    for a in (0, 1):
        rare[np.flatnonzero(arm == a)[: 2 * members : 2]] = 1
    df = pd.DataFrame({"arm": arm, "rare": rare, "age": rng.normal(size=n), "block": block})
    df["y"] = df.age + rng.normal(size=n) + df.block
    roles = {"outcome": "y", "treatment": "arm", "covariates": ["rare", "age"]}
    made = th.Trial(df, **roles, **({"block": "block"} if blocks else {}))
    found = th.interaction_effects(made, ["rare"], adjust=["age"]).table.iloc[0]
    levels = np.eye(3)[block] if blocks else np.ones((n, 1))
    apart = arm - made.data.propensity
    whole = np.column_stack([levels, apart, apart * rare, rare, df.age])
    # Every person a cluster: CR2 is HC2.
    fit = cluster_robust_regression(whole, df.y.to_numpy(), np.arange(n))
    wanted = fit.contrast(np.eye(whole.shape[1])[levels.shape[1] + 1], parts=arm)
    np.testing.assert_allclose(found.estimate, wanted.estimate, rtol=1e-8)
    np.testing.assert_allclose(found.se, wanted.se, rtol=1e-8)
    np.testing.assert_allclose(found.degrees_of_freedom, wanted.degrees_of_freedom, rtol=1e-7)


@pytest.mark.parametrize("blocks", [False, True])
def test_persons_randomized_find_an_interaction(blocks: bool) -> None:
    df = table(m=100, size=4, effect=1.0)
    df["arm"] = np.tile([0, 0, 1, 1], 100)
    girl = (df.sex == "girl").to_numpy()
    df["y"] = df.y + df.arm * girl
    made = trial(df, cluster=None, block="unit" if blocks else None)
    row = th.interaction_effects(made, "sex").table.iloc[0]
    assert row.lower < 1.0 < row.upper
    assert row.p_value < 0.05
    assert row["control units"] + row["treated units"] <= 400


def test_weights_that_are_all_the_same_change_nothing() -> None:
    df = table()
    plain = th.interaction_effects(trial(df), ["sex", "urban"]).table[NUMBERS]
    weighed = th.interaction_effects(trial(df.assign(w=3.0), weight="w"), ["sex", "urban"])
    np.testing.assert_allclose(weighed.table[NUMBERS], plain, rtol=1e-9)


def test_groups_that_hold_too_few_clusters_have_no_estimate() -> None:
    df = table(m=8)
    df["sex"] = np.where((df.unit > 1) | (df.sex == "girl"), "girl", "boy")
    found = th.interaction_effects(trial(df), ["sex", "age"])
    assert found.table.set_index("modifier").estimate.isna()["sex"]
    assert np.isnan(found.tests.p_adjusted[0])
    # Two were named, whatever the data let one estimate.
    assert found.tests.p_adjusted[1] == min(2 * found.tests.p_value[1], 1)
    assert "needs two in each arm" in found.text
    df = table().assign(grade=lambda d: d.grade.where(d.index % 7 > 0))
    assert "no value of grade" in th.interaction_effects(trial(df), "grade").text


@pytest.mark.parametrize("design", ["persons", "clusters", "areas"])
def test_a_group_that_few_units_hold_takes_no_other_with_it(design: str) -> None:
    df = table(m=24, effect=0.6)
    if design == "areas":
        df["grade"] = np.array(["a", "b", "c"])[df.unit // 2 % 3]
    if design == "persons":
        df["arm"] = np.tile([0, 1], len(df) // 2)
    roles: dict[str, Any] = {"covariates": ["sex", "age"]}
    if design == "persons":
        roles["cluster"] = None
    added = df[df.unit == 0].assign(unit=99) if design == "areas" else df.iloc[[0]]

    def found(rows: pd.DataFrame) -> th.InteractionEffects:
        made = trial(rows, **{**roles, "covariates": ["sex", "age", "grade"]})
        return th.interaction_effects(made, ["grade"], adjust=["sex", "age"])

    alone = found(df)
    for name in ("rare", "A"):  # behind the others, and in front of them
        rare = found(pd.concat([df, added.assign(grade=name)]))
        rows = rare.table.set_index("comparison")
        assert np.isnan(rows.estimate.pop(f"{name} less a"))
        if design != "clusters":
            np.testing.assert_allclose(
                rows.loc[["b less a", "c less a"], NUMBERS].to_numpy(float),
                alone.table[NUMBERS].to_numpy(float),
            )
            assert rare.tests.p_value[0] == pytest.approx(alone.tests.p_value[0])
        assert rows.estimate.notna().sum() == 2
        assert np.isfinite(rare.tests.p_value[0])
        (note,) = rare.notes
        counts = {
            "persons": f"the group {name} has fewer than five control and no treated persons",
            "clusters": f"{name} less a rests on 1 control and 0 treated clusters",
            "areas": f"the group {name} has 1 control and 0 treated clusters",
        }[design]
        assert note.startswith(f"grade: {counts}")
        assert note.endswith("are compared, and tested together, without it.")


def test_what_leaves_nothing_to_compare_is_not_said_to_lack_persons() -> None:
    rng = np.random.default_rng(1)
    many = pd.DataFrame(rng.normal(size=(24, 20)), columns=[f"x{k}" for k in range(20)])
    df = many.assign(sex=np.tile(["boy", "girl"], 12), arm=np.arange(24) // 2 % 2, y=many.x0)
    made = trial(df, cluster=None, covariates=[*many.columns, "sex"])
    found = th.interaction_effects(made, "sex")
    assert np.isnan(found.tests.p_value[0])
    assert found.notes[0].endswith("there are too few persons for their number.")


@pytest.mark.parametrize("other", ["age > 40.0", "40 < age", "age <= 40"])
def test_the_same_groups_in_other_words_are_refused(other: str) -> None:
    with pytest.raises(th.TrialError, match=f"'age > 40' and '{other}' .* name one of them"):
        th.interaction_effects(trial(table()), ["sex", "age > 40", other])


def test_where_many_clusters_hold_one_group_a_second_line_uses_all_of_them() -> None:
    df = table(m=24, effect=0.6, seed=7)
    single = df.unit % 3 == 0
    df.loc[single, "sex"] = np.where(df.unit[single] % 2 == 0, "girl", "boy")
    found = th.interaction_effects(trial(df), ["sex", "age", "urban"])
    assert found.all_clusters.modifier.tolist() == ["sex"]
    first, second = found.table.iloc[0], found.all_clusters.iloc[0]
    assert (first.question, second.question) == ("within clusters", "all clusters")
    assert second.se < first.se
    assert "Over all clusters, which is another question" in found.text
    # Nobody is counted among the tests for it.
    assert len(found.tests) == 3
    other_names = df.sex.map({"girl": "a", "boy": "b"})
    shuffled = df.assign(sex=other_names).sample(frac=1, random_state=2)
    turned = th.interaction_effects(trial(shuffled), "sex").all_clusters.iloc[0]
    np.testing.assert_allclose(-turned.estimate, second.estimate, rtol=1e-6)
    np.testing.assert_allclose(turned.se, second.se, rtol=1e-6)


def test_in_balance_the_second_line_is_the_difference_of_group_means() -> None:
    # As many persons of each group in every cluster, no covariates: nothing lies between clusters.
    rng = np.random.default_rng(8)
    df = pd.DataFrame({"unit": np.repeat(np.arange(12), 8), "M": np.tile([0, 1] * 4, 12)})
    df["arm"] = df.unit % 2
    df["y"] = rng.normal(size=96) + rng.normal(size=12)[df.unit]
    data = trial(df, covariates=["M"]).data
    modifier = column_modifier(pd.Series(data.X[:, 0]), "M")
    found = over_all_clusters(data, modifier, np.zeros((96, 0))).comparisons[0]
    main = th.interaction_effects(trial(df, covariates=["M"]), "M").table.iloc[0]
    assert found.test is not None
    np.testing.assert_allclose(found.test.estimate, main.estimate, rtol=1e-8)
    np.testing.assert_allclose(found.test.se, main.se, rtol=1e-6)


def test_effects_within_groups_rest_on_the_group_alone() -> None:
    df = table(effect=2.0, seed=9)
    found = th.interaction_effects(trial(df), ["sex", "age", "urban"]).groups
    girls = df.assign(y=np.where(df.sex == "boy", rng_noise(len(df)), df.y))
    again = th.interaction_effects(trial(girls, covariates=["sex"]), "sex").groups
    alone = th.interaction_effects(trial(df, covariates=["sex"]), "sex").groups
    assert again.loc[1, "estimate"] == pytest.approx(alone.loc[1, "estimate"], rel=1e-9)
    assert again.loc[0, "estimate"] != pytest.approx(alone.loc[0, "estimate"], rel=1e-3)
    sizes = found.groupby("modifier").persons.agg(["sum", "size"])
    assert sizes["sum"].eq(len(df)).all()
    assert sizes["size"].to_dict() == {"age": 5, "sex": 2, "urban": 2}
    ages = found[found.modifier == "age"]
    assert ages.value.is_monotonic_increasing
    persons = table(m=200, size=1, effect=0.0).assign(arm=lambda d: d.unit % 2)
    rows = th.interaction_effects(trial(persons, cluster=None, covariates=["sex"]), "sex").groups
    by = persons.groupby(["sex", "arm"]).y.mean().unstack()
    np.testing.assert_allclose(rows.estimate, by[1] - by[0], rtol=1e-8)


def rng_noise(n: int) -> np.ndarray:
    return np.random.default_rng(99).normal(size=n)


def test_adjustment_is_for_what_was_named_and_a_gap_leaves_a_condition_open() -> None:
    df = table(effect=0.5)
    every = th.interaction_effects(trial(df), "sex")
    few = th.interaction_effects(trial(df), "sex", adjust=["grade"])
    only = th.interaction_effects(trial(df, covariates=["sex", "grade"]), "sex")
    assert few.adjusted_for == ("grade",)
    assert few.table.estimate[0] == pytest.approx(only.table.estimate[0], rel=1e-9)
    assert few.table.estimate[0] != every.table.estimate[0]
    with pytest.raises(th.TrialError, match="no covariate 'height' to adjust for"):
        th.interaction_effects(trial(df), "sex", adjust=["height"])
    df.loc[:49, "grade"] = None
    found = th.interaction_effects(trial(df), 'grade == "a" and age > 30')
    assert found.groups.persons.sum() < len(df)
    assert "no value of" in found.notes[0]


def test_power_is_that_of_t_at_the_difference_said() -> None:
    found = th.interaction_effects(trial(table()), "sex")
    row = found.table.iloc[0]
    df = table()
    spread = np.sqrt(sum(((g - g.mean()) ** 2).sum() for _, g in df.groupby("arm").y) / 318)
    assert found.moderate == pytest.approx(0.3 * spread)
    quantile = (row.upper - row.lower) / (2 * row.se)
    chi = np.sqrt(np.random.default_rng(2).chisquare(row.degrees_of_freedom, 200_000)
                  / row.degrees_of_freedom)  # fmt: skip
    z = np.random.default_rng(3).normal(size=200_000) + found.moderate / row.se
    assert row.power == pytest.approx((np.abs(z / chi) > quantile).mean(), abs=0.005)
    many = table(m=100, size=60)
    far = th.interaction_effects(trial(many, covariates=["age"]), "age").table.iloc[0]
    assert far.power == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("height", "no covariate 'height'"),
        (["sex", "sex"], "named twice"),
        ([], "at least one"),
        ("age > 1000", "holds everyone or no one"),
        ("age =", "equal is written =="),
    ],
)
def test_modifiers_that_are_none(asked: Any, words: str) -> None:
    with pytest.raises(th.TrialError, match=words):
        th.interaction_effects(trial(table()), asked)


def test_a_modifier_of_many_categories_is_refused() -> None:
    many = trial(table().assign(grade=lambda d: "g" + (d.index % 20).astype(str)))
    with pytest.raises(th.TrialError, match="20 categories"):
        th.interaction_effects(many, "grade")


@pytest.mark.slow
def test_size_with_twelve_clusters_whose_slopes_vary() -> None:
    rejected = []
    for seed in range(600):
        rng = np.random.default_rng(seed)
        df = table(m=12, size=25, seed=seed)
        girl = (df.sex == "girl").to_numpy(float)
        df["y"] = df.y + 0.25 * rng.normal(size=12)[df.unit] * girl
        rejected.append(th.interaction_effects(trial(df), "sex").tests.p_value[0] < 0.05)
    assert np.mean(rejected) < 0.07


def test_a_number_that_is_mostly_at_its_ceiling_has_two_groups() -> None:
    rng = np.random.default_rng(1)
    df = pd.DataFrame(
        {"arm": np.arange(400) % 2, "k": rng.choice([1, 2, 10], 400, p=[0.05, 0.05, 0.9])}
    )
    df["y"] = rng.normal(size=400)
    found = th.interaction_effects(
        th.Trial(df, outcome="y", treatment="arm", covariates=["k"]), "k"
    )
    assert found.groups["group"].tolist() == ["up to 2", "above 2"]
    assert found.groups["persons"].tolist() == [(df.k < 10).sum(), (df.k == 10).sum()]
