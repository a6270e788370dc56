"""The design check: what it measures, what it questions, and what it leaves alone."""

from __future__ import annotations

import re
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tauhat.analysis.record import design_record
from tauhat.errors import TrialError
from tauhat.numerics.balance import arm_differences, chance_of_separation, outcome_correlation
from tauhat.trial.checks.design_check import DesignCheck
from tauhat.trial.trial import Trial

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def persons(n: int = 400, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 10, n)
    return pd.DataFrame(
        {
            "arm": rng.permutation(np.arange(n) % 2),
            "age": age,
            "sex": rng.choice(["f", "m"], n),
            "y": 0.1 * age + rng.normal(size=n),
        }
    )


def clinics(m: int = 60, size: int = 20, rho: float = 0.1, seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(size // 2, size * 3 // 2 + 1, m)
    clinic = np.repeat(np.arange(m), sizes)
    arm = rng.permutation(np.arange(m) % 2)[clinic]

    def mixed() -> np.ndarray:
        return np.sqrt(rho) * rng.normal(size=m)[clinic] + np.sqrt(1 - rho) * rng.normal(
            size=len(clinic)
        )

    beds = rng.normal(100, 20, m)[clinic]
    return pd.DataFrame(
        {"clinic": clinic, "arm": arm, "age": mixed(), "beds": beds, "y": mixed() + arm}
    )


def check(df: pd.DataFrame, **roles: object) -> DesignCheck:
    chosen: dict[str, object] = {"outcome": "y", "treatment": "arm", **roles}
    if "clinic" in df:
        chosen["cluster"] = "clinic"
    return Trial(df, **chosen).check()  # type: ignore[arg-type]


def statuses(result: DesignCheck) -> dict[str, str]:
    return {f"{f.item}: {f.value}": f.status for f in result.findings if f.status != "ok"}


def test_a_clean_trial_passes_without_warnings() -> None:
    result = check(persons(), covariates=["age", "sex"])
    assert not result.failures
    assert result.warnings == []
    assert result.failures == []
    assert set(result.table["status"]) == {"ok"}
    assert result.icc is None
    assert result.cluster_sizes is None
    clustered = check(clinics(), covariates=["age", "beds"])
    assert clustered.warnings == []
    assert clustered.failures == []


def test_arm_differences_of_persons_are_welchs_t_test() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(50, 2)) * [1, 5] + [0, 3]
    arm = (np.arange(50) % 3 == 0).astype(int)
    x[[4, 9, 30], 1] = np.nan
    result = arm_differences(x, arm, np.arange(50))
    for j in range(2):
        seen = ~np.isnan(x[:, j])
        welch = stats.ttest_ind(x[seen & (arm == 1), j], x[seen & (arm == 0), j], equal_var=False)
        assert result.t[j] == pytest.approx(welch.statistic)
        assert result.p_value[j] == pytest.approx(welch.pvalue)


def test_arm_differences_of_equal_clusters_are_the_t_test_of_their_means() -> None:
    rng = np.random.default_rng(9)
    units = np.repeat(np.arange(10), 6)
    arm = units % 2
    x = rng.normal(size=60) + rng.normal(size=10)[units]
    means = x.reshape(10, 6).mean(axis=1)
    welch = stats.ttest_ind(means[1::2], means[::2], equal_var=False)
    result = arm_differences(x[:, None], arm, units)
    assert result.t[0] == pytest.approx(welch.statistic)
    assert result.p_value[0] == pytest.approx(welch.pvalue)
    shuffled = rng.permutation(60)
    again = arm_differences(x[shuffled, None], arm[shuffled], 7 - 3 * units[shuffled])
    assert again.p_value[0] == pytest.approx(result.p_value[0])


def test_balance_is_judged_at_its_level_in_a_cluster_trial() -> None:
    # An individual-level test would reject in half of these.
    rejected, blind = 0, 0
    for seed in range(300):
        df = clinics(m=20, rho=0.3, seed=seed)
        x, arm = df[["age"]].to_numpy(), df["arm"].to_numpy()
        rejected += arm_differences(x, arm, df["clinic"].to_numpy()).p_value[0] < 0.05
        blind += arm_differences(x, arm, np.arange(len(df))).p_value[0] < 0.05
    assert rejected / 300 == pytest.approx(0.05, abs=0.045)
    assert blind / 300 > 0.3


def test_standardised_difference_is_in_standard_deviations() -> None:
    df = persons(2000)
    df["age"] = df["age"] + 5 * df["arm"]
    result = check(df, covariates=["age", "sex"]).balance.set_index("column")
    by_arm = df.groupby("arm")["age"]
    expected = by_arm.mean().diff().iloc[1] / np.sqrt(by_arm.var().mean())
    assert result.loc["age", "standardized_difference"] == pytest.approx(expected)
    assert result.loc["age", "mean_treated"] == pytest.approx(by_arm.mean().loc[1])
    assert result["source"].tolist() == ["age", "sex"]


def test_balance_uses_everyone_enrolled_and_observed_values_only() -> None:
    df = persons()
    df.loc[:9, "age"] = np.nan
    df.loc[5:40, "y"] = np.nan
    balance = check(df, covariates=["age"]).balance
    assert balance["column"].tolist() == ["age"]
    assert balance["mean_control"].item() == pytest.approx(df.loc[df["arm"] == 0, "age"].mean())


def test_cluster_sizes_and_icc_are_measured() -> None:
    df = clinics(m=80, rho=0.2)
    result = check(df, covariates=["age", "beds"])
    size = df.groupby("clinic").size()
    assert result.cluster_sizes is not None
    everyone = result.cluster_sizes.set_index("arm").loc["all"]
    assert everyone[["clusters", "minimum", "maximum"]].tolist() == [80, size.min(), size.max()]
    assert everyone["cv"] == pytest.approx(size.std() / size.mean())
    trial = Trial(df, outcome="y", treatment="arm", cluster="clinic", covariates=["age"])
    assert design_record(trial, None)["cluster_size"]["cv"] == pytest.approx(everyone["cv"])
    assert result.icc is not None
    assert result.icc.low < 0.2 < result.icc.high
    # One form for the share and for its interval.
    low, high = f"{result.icc.low:.1%}", f"{result.icc.high:.1%}"
    assert f"{result.icc.value:.1%} of the outcome's variance" in result.text
    assert f"(95% interval {low} to {high});" in re.sub(r"\s+", " ", result.text)
    levels = result.balance.set_index("column")["measured_on"]
    assert levels.to_dict() == {"age": "person", "beds": "cluster"}


def test_a_correlation_that_rounds_to_zero_has_no_sign() -> None:
    clinic = np.repeat(np.arange(8), 10)
    within = np.tile([1.0, -1.0], 40)
    # Mean squares between and within clusters that are nearly the same.
    between = np.array([1, 1, -1, -1, 1, 1, -1, -1]) * np.sqrt(0.998 * 10 / 9 * 6 / 80)
    df = pd.DataFrame({"clinic": clinic, "arm": clinic % 2, "y": within + between[clinic]})
    result = check(df.assign(x=np.arange(80) % 7))
    assert result.icc is not None
    assert -0.0005 < result.icc.value < 0
    told = next(f.value for f in result.findings if f.item.startswith("ICC"))
    assert told.startswith("0.000 (")


@pytest.mark.parametrize(("m", "warned"), [(12, True), (30, True), (60, False)])
def test_few_clusters_are_a_warning_that_says_what_it_means(m: int, warned: bool) -> None:
    result = check(clinics(m=m), covariates=["age"])
    found = [sentence for sentence in result.warnings if f"With {m} clusters" in sentence]
    assert bool(found) is warned
    if warned:
        assert f"t with {m - 2} degrees of freedom" in found[0]


def test_a_copy_of_the_outcome_fails_in_any_units() -> None:
    df = persons()
    result = check(df.assign(copy=7 - 3 * df["y"]), covariates=["age", "copy"])
    assert len(result.failures) == 1
    assert "'copy' is the outcome in other units" in result.failures[0]
    assert not result.passed


def test_an_outcome_shifted_by_arm_is_found_within_arms() -> None:
    df = persons()
    shifted = (df["y"] + 10 * df["arm"]).to_numpy()
    x = np.column_stack([shifted, df["age"]])
    found = outcome_correlation(x, df["y"].to_numpy(), df["arm"].to_numpy())
    assert found[0] == pytest.approx(1)
    assert found[1] < 0.9


def test_nearly_the_outcome_is_a_warning() -> None:
    df = persons()
    noise = np.random.default_rng(3).normal(size=len(df)) * 0.2
    result = check(df.assign(late=df["y"] + noise), covariates=["age", "late"])
    assert not result.failures
    assert any("'late' is nearly the outcome" in sentence for sentence in result.warnings)


@pytest.mark.parametrize(
    "copy",
    [
        lambda arm, rng: arm + 3,
        lambda arm, rng: np.where(arm == 1, "new", "usual"),
        lambda arm, rng: np.where(arm == 1, rng.choice(["a", "c"], len(arm)), "b"),
        lambda arm, rng: np.where(arm == 1, rng.choice([1, 3], len(arm)), 2),
        lambda arm, rng: rng.random(len(arm)) + 2 * arm,
        lambda arm, rng: np.where(rng.random(len(arm)) < 0.3, np.nan, -arm),
    ],
)
def test_a_copy_of_the_treatment_fails_in_any_coding(copy: object) -> None:
    df = persons()
    rng = np.random.default_rng(4)
    leaked = df.assign(group=copy(df["arm"].to_numpy(), rng))  # type: ignore[operator]
    result = check(leaked, covariates=["age", "group"])
    assert len(result.failures) == 1
    assert "'group' tells the arm of everyone" in result.failures[0]


def test_compliance_is_questioned_and_chance_imbalance_is_not() -> None:
    df = persons()
    taken = df["arm"] * (np.random.default_rng(5).random(len(df)) < 0.6)
    result = check(df.assign(pills=taken), covariates=["age", "sex", "pills"])
    assert [s for s in result.warnings if "'pills' differs between the arms" in s]
    assert len(result.warnings) == 1
    assert not result.failures
    questioned = sum(
        bool(check(persons(seed=s), covariates=["age", "sex"]).warnings) for s in range(40)
    )
    assert questioned == 0


def test_few_clusters_separate_by_chance_and_many_do_not() -> None:
    few = clinics(m=6).assign(urban=lambda d: d["arm"])
    result = check(few, covariates=["age", "urban"])
    assert not result.failures
    assert any("'urban' separates the arms completely" in s for s in result.warnings)
    many = clinics(m=40).assign(urban=lambda d: d["arm"])
    assert "'urban' tells the arm of everyone" in check(many, covariates=["urban"]).failures[0]


def test_a_label_of_the_cluster_is_no_copy_of_the_treatment() -> None:
    df = clinics(m=12)
    named = df.assign(town="t" + df["clinic"].astype(str))
    result = check(named, covariates=["age", "town", "beds"])
    assert not [f for f in result.findings if f.item == "like the treatment"]


@pytest.mark.parametrize("first", [1, 3, 5])
def test_chance_of_separation_bounds_the_share_of_pure_assignments(first: int) -> None:
    units, treated = 8, 3
    assignments = [set(chosen) for chosen in combinations(range(units), treated)]
    level = set(range(first))
    pure = sum(chosen in (level, set(range(units)) - level) for chosen in assignments)
    assert pure / len(assignments) == pytest.approx(0 if first == 1 else 1 / 56)
    assert chance_of_separation(units, treated, 2) == pytest.approx(2 / 56)


def test_missing_values_that_depend_on_the_arm_are_questioned() -> None:
    df = persons()
    rng = np.random.default_rng(6)
    df["score"] = np.where(rng.random(400) < 0.05 + 0.3 * df["arm"], np.nan, rng.normal(size=400))
    df["other"] = np.where(rng.random(400) < 0.2, np.nan, rng.normal(size=400))
    result = check(df, covariates=["score", "other"])
    assert [s for s in result.warnings if "'score' is missing in" in s]
    assert not [s for s in result.warnings if "'other'" in s]
    table = result.missingness.set_index("column")
    shares = df["score"].isna().groupby(df["arm"]).mean()
    assert table.loc["score", "share_treated"] == pytest.approx(shares[1])


def test_a_column_missing_with_the_outcome_looks_measured_at_follow_up() -> None:
    df = persons()
    lost = np.random.default_rng(7).random(400) < 0.15
    df["late"] = np.where(lost, np.nan, np.random.default_rng(8).normal(size=400))
    df.loc[lost, "y"] = np.nan
    result = check(df, covariates=["age", "late"])
    assert any(
        "'late' is missing for the same persons as the outcome" in s for s in result.warnings
    )


def test_attrition_is_counted_by_arm_and_uneven_loss_is_a_warning() -> None:
    df = persons()
    df.loc[(df["arm"] == 1) & (df.index % 4 == 0), "y"] = np.nan
    result = check(df, covariates=["age"])
    table = result.attrition.set_index("arm")
    lost = int(df["y"].isna().sum())
    assert table["missing_outcome"].tolist()[:2] == [0, lost]
    assert table.loc["difference", "share_missing"] == pytest.approx(lost / 200)
    assert any("lost persons unevenly" in s for s in result.warnings)
    even = persons()
    even.loc[np.random.default_rng(2).random(400) < 0.1, "y"] = np.nan
    assert check(even, covariates=["age"]).warnings == []


def test_attrition_is_judged_by_clusters() -> None:
    df = clinics(m=20)
    # Three treated clinics lose most persons: telling by persons, a thing of chance by clusters.
    losers = df.loc[df["arm"] == 1, "clinic"].unique()[:2]
    df.loc[df["clinic"].isin(losers) & (df.index % 3 > 0), "y"] = np.nan
    result = check(df, covariates=["age"])
    assert result.attrition["p_value"].iloc[2] > 0.05
    blind = arm_differences(
        df[["y"]].isna().to_numpy(float), df["arm"].to_numpy(), np.arange(len(df))
    )
    assert blind.p_value[0] < 1e-6


def test_clusters_without_outcomes_are_said() -> None:
    df = clinics()
    df.loc[df["clinic"] == 3, "y"] = np.nan
    assert any("1 cluster has no outcome at all" in s for s in check(df).warnings)


def test_cluster_sizes_that_depend_on_the_arm_are_questioned() -> None:
    df = clinics(m=60)
    kept = df[(df["arm"] == 0) | (df.groupby("clinic").cumcount() < 8)]
    assert any("Clusters differ in size" in s for s in check(kept, covariates=["age"]).warnings)


def test_duplicates_constants_identifiers_and_names_are_noted() -> None:
    df = persons()
    df = df.assign(
        months=df["age"] * 12,
        country="here",
        number=np.random.default_rng(9).permutation(400),
        post_score=np.random.default_rng(10).normal(size=400),
    )
    found = statuses(check(df, covariates=[c for c in df if c not in ("arm", "y")]))
    assert found["duplicate columns: age and months"] == "note"
    assert found["encoding: column 'country' has one value only and was left out"] == "note"
    assert found["numbering: number"] == "warning"
    assert found["names: months, post_score"] == "warning"


def test_a_wrong_propensity_is_questioned() -> None:
    df = persons()
    assert any("check it" in s for s in check(df, covariates=["age"], propensity=0.3).warnings)
    assert check(df, covariates=["age"], propensity=0.5).warnings == []


def test_blocks_with_one_arm_are_noted() -> None:
    df = persons().assign(site=lambda d: np.where(d["arm"] * (d.index % 5 == 0), "x", "z"))
    result = check(df, covariates=["age"], block="site")
    assert any("1 of 2 blocks holds persons of one arm only" in s for s in result.notes)


def test_display_escapes_and_orders_by_weight() -> None:
    df = persons()
    df = df.assign(**{"<b>": df["y"] * 2, "gap": df["age"].where(df["arm"] == 0)})
    result = check(df, covariates=["age", "sex", "<b>", "gap"])
    html = result._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    assert result.text.startswith("Failed: ")
    assert result.text.index("Warning: ") > result.text.index("Failed: ")


def test_row_order_does_not_matter() -> None:
    df = clinics(m=14)
    a = check(df, covariates=["age", "beds"])
    b = check(df.sample(frac=1, random_state=3), covariates=["age", "beds"])
    assert a.text == b.text
    numbers = ["standardized_difference", "p_value"]
    np.testing.assert_allclose(a.balance[numbers], b.balance[numbers])


def needs(name: str) -> pd.DataFrame:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not on this machine")
    return pd.read_csv(path)


def refusal(df: pd.DataFrame, **roles: object) -> tuple[str, str]:
    """What is said of the columns that are not safe, and of those that are."""
    with pytest.raises(TrialError) as refused:
        Trial(df, **roles)  # type: ignore[arg-type]
    unsafe, safe = str(refused.value).split("Name those that were")
    return unsafe, safe


def test_jobs2_compliance_and_the_second_treatment_column() -> None:
    df = needs("jobs2.csv")
    unsafe, safe = refusal(df, outcome="depress2", treatment="treat")
    assert "'control' (tells the arm), 'comply' (differs between the arms beyond chance)" in unsafe
    assert "'depress1'" in safe
    named = [name for name in df if name not in ("depress2", "treat")]
    result = Trial(df, outcome="depress2", treatment="treat", covariates=named).check()
    assert len(result.failures) == 1
    assert "'control' tells the arm" in result.failures[0]
    assert any("'comply'" in s for s in result.warnings)
    assert not any("'depress1'" in s or "'age'" in s for s in result.warnings)


def test_actg175_later_values_are_questioned() -> None:
    df = needs("actg175.csv")
    unsafe, safe = refusal(df, outcome="cd420", treatment="arms", arms=(0, 1), id="pidnum")
    for name in ("treat", "days", "cens", "offtrt", "cd496", "cd820"):
        assert f"'{name}' (" in unsafe
    assert "'cd40'" in safe
    assert "'days'" not in safe


def test_star_check_names_reading_and_class_size() -> None:
    star = needs("star_kindergarten.csv")
    star = star[star["class_n"] >= 5]
    roles = {"outcome": "math", "treatment": "cltype", "arms": ("reg", "small")}
    roles |= {"cluster": "class_id", "block": "school_id", "id": "id"}
    unsafe, safe = refusal(star, **roles)
    assert "'read' (is missing where the outcome is)" in unsafe
    assert "'class_n' (differs between the arms beyond chance)" in unsafe
    assert "'female'" in safe
    covariates = [name for name in star if name not in [*roles.values(), "read", "class_n"]]
    result = Trial(star, **roles, covariates=covariates).check()  # type: ignore[arg-type]
    assert result.icc is not None
    assert result.icc.value == pytest.approx(0.2889, abs=0.01)
    # Small classes are smaller, and a few kinds of teachers are rare among classes.
    assert result.open_codes == ("cluster-size-by-arm", "too-few-clusters")


def test_a_large_cluster_trial_is_checked_within_two_seconds() -> None:
    df = needs("schoolrct_brazil.csv")
    trial = Trial(df, outcome="outcome_test_score", treatment="treatment", cluster="school")
    start = time.process_time()
    result = trial.check()
    assert time.process_time() - start < 2
    assert result.warnings == []
    assert result.icc is not None
    assert result.icc.value == pytest.approx(0.2454, abs=0.005)
