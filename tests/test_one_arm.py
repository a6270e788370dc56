"""Clusters in one arm only: the design, its averages, its test, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import tauhat as th
from tauhat.data import validate_trial
from tauhat.design import Clusters, ClustersInOneArm, design_of
from tauhat.errors import DesignError, NothingToTestError, TrialError
from tauhat.fitting.residual_by_arm import precision_weights
from tauhat.trial.trial import Trial


def table(groups: int = 10, seed: int = 1, slope: float = 0.0, spread: float = 1.0) -> pd.DataFrame:
    """A table whose therapists are missing for controls, in an order of its own."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 16, groups)
    therapist = np.r_[np.repeat(np.arange(groups), sizes), np.full(sizes.sum(), -1)]
    arm = (therapist >= 0).astype(int)
    age, sex = rng.normal(size=len(arm)), rng.integers(0, 2, len(arm))
    y = 0.5 * age + arm * (1 + slope * age) + rng.normal(size=len(arm)) * np.where(arm, 1, spread)
    y[arm == 1] += 0.7 * rng.normal(size=groups)[therapist[arm == 1]]
    labels = pd.Series(therapist).map("t{}".format).where(arm == 1)
    df = pd.DataFrame({"y": y, "arm": arm, "therapist": labels, "age": age, "sex": sex})
    return df.sample(frac=1, random_state=seed).reset_index(drop=True)


def trial(df: pd.DataFrame, **given: object) -> Trial:
    roles = {"cluster": "therapist", "covariates": ["age", "sex"]} | given
    return Trial(df, outcome="y", treatment="arm", **roles)


def test_the_design_is_told_by_the_column_and_said() -> None:
    one = trial(table())
    design = one.data.design
    assert isinstance(design, ClustersInOneArm)
    assert (one.design, one.n_clusters) == ("clusters in one arm", 10)
    assert design.units_in_words.startswith("10 clusters and ")
    assert "therapist is empty for everybody in one arm" in one.notes[0]
    assert any("Persons were randomized, and those of arm 1" in s for s in one.check().notes)
    # The arrays tell it too, so that what is fitted elsewhere has the same design.
    assert validate_trial(*one).design.name == design.name
    folds = design.folds(5, 1)
    for unit in np.flatnonzero(design.arm == 1):
        assert len(set(folds[design.unit == unit])) == 1
    _, sample = design.resample(3)
    assert sample.arm_sizes.tolist() == design.arm_sizes.tolist()
    assert isinstance(sample, ClustersInOneArm)
    assert type(design_of(np.array([0, 0, 1, 1]), np.array([1, 1, 2, 2]))) is Clusters


def test_numbers_for_clusters_and_the_order_of_rows_do_not_matter() -> None:
    df = table()
    numbered = df.assign(therapist=df.therapist.str[1:].astype(float)).sample(
        frac=1, random_state=9
    )
    first, second = (th.average_effects(trial(one)).table for one in (df, numbered))
    pd.testing.assert_frame_equal(first, second)
    flipped = df.assign(arm=1 - df.arm)
    assert trial(flipped).data.design.clustered_arm == 0
    found = th.average_effects(trial(flipped)).individual
    assert found.estimate == pytest.approx(-th.average_effects(trial(df)).individual.estimate)


def test_averages_without_covariates_are_welch_tests_of_means() -> None:
    df = table()
    found = th.average_effects((np.zeros((len(df), 1)), df.y, df.arm, _units(df)))
    means = df[df.arm == 1].groupby("therapist").y.mean()
    control = df.y[df.arm == 0]
    assert found.cluster.estimate == pytest.approx(means.mean() - control.mean(), abs=1e-4)
    welch = stats.ttest_ind(means, control, equal_var=False)
    assert found.cluster.se == pytest.approx(
        np.sqrt(means.var() / len(means) + control.var() / len(control)), rel=0.03
    )
    # Clusters of unequal size have fewer degrees of freedom than their number.
    assert found.cluster.degrees_of_freedom <= welch.df
    assert found.individual.estimate == pytest.approx(
        df.y[df.arm == 1].mean() - control.mean(), abs=1e-4
    )
    assert found.size_p_value is None


def _units(df: pd.DataFrame) -> np.ndarray:
    own = pd.Series([f"p{k}" for k in range(len(df))], index=df.index)
    return df.therapist.fillna(own).to_numpy()


def test_errors_are_those_of_clusters_and_not_of_persons() -> None:
    df = table(seed=3)
    with_groups = th.average_effects(trial(df)).individual
    alone = th.average_effects(trial(df, cluster=None)).individual
    assert with_groups.se > 1.3 * alone.se
    assert with_groups.degrees_of_freedom < 25 < alone.degrees_of_freedom


def test_the_test_finds_effects_that_differ_and_needs_clusters() -> None:
    found = th.test_heterogeneity(trial(table(20, slope=0.8)), random_state=1, n_permutations=199)
    assert found.p_value <= 0.02
    assert found.modifiers.covariate[0] == "age"
    assert "random signs" in found.method
    assert "signs of the scores of whole clusters and single persons" in found.method
    with pytest.raises(NothingToTestError, match=r"there are 6 clusters .* needs 8"):
        th.test_heterogeneity(trial(table(6)), random_state=1)
    with pytest.raises(TrialError, match="allocations= is not supported with"):
        th.test_heterogeneity(trial(table()), allocations=np.zeros((2, 2)))
    with pytest.raises(TrialError, match="persons were randomized"):
        trial(table()).data.design.permutations(9, 1)


def test_single_persons_have_a_residual_variance_of_their_own() -> None:
    ratios = []
    for spread in (0.5, 2.0):
        data = trial(table(30, spread=spread)).data
        weight = precision_weights(data)
        assert weight is not None
        assert (weight[data.treatment == 1] == 1).all()
        ratios.append(1 / weight[data.treatment == 0][0])
    # Less the variance of the clusters' intercept, which single persons have as well.
    assert ratios[0] < 0.3
    assert 2.2 < ratios[1] < 4.5


def test_named_modifiers_take_whole_clusters() -> None:
    found = th.interaction_effects(trial(table(12)), ["sex"])
    assert "CR2 errors over whole clusters and single persons" in found.method
    assert found.groups["treated units"].max() <= 12


def test_a_stated_propensity_is_that_of_persons() -> None:
    (found,) = [
        f for f in trial(table(), propensity=0.5).check().findings if f.item == "propensity"
    ]
    assert (found.value, found.status) == ("0.500 by design, 0.500 of persons treated", "ok")
    (found,) = [
        f for f in trial(table(), propensity=0.2).check().findings if f.item == "propensity"
    ]
    assert found.status == "warning"
    assert found.sentence.startswith("50% of the randomized persons are treated")


def test_what_is_not_supported_says_so() -> None:
    df = table()
    some = df.assign(therapist=df.therapist.mask(df.index < 40))
    with pytest.raises(TrialError, match=r"'therapist' is missing in \d+ of \d+ rows; fill it in"):
        trial(some)
    rows = np.flatnonzero(df.arm == 0)[[4, 7]]
    label = df.therapist.dropna().iloc[0]
    few = df.assign(therapist=df.therapist.where(~np.isin(np.arange(len(df)), rows), label))
    said = rf"2 persons have a cluster in arm 0 \(row {rows[0] + 1}, {rows[1] + 1}\)"
    with pytest.raises(TrialError, match=said):
        trial(few)
    row = int(np.flatnonzero(df.arm == 1)[6])
    lost = df.assign(therapist=df.therapist.mask(np.arange(len(df)) == row))
    with pytest.raises(TrialError, match=rf"1 person has none in arm 1 \(row {row + 1}\): empty"):
        trial(lost)
    with pytest.raises(DesignError, match="If 'none given' says that persons of that arm had no"):
        trial(df.fillna({"therapist": "none given"}))
    with pytest.raises(TrialError, match="cluster_size=True cannot be had"):
        trial(df, cluster_size=True)
    years = df.therapist.str.len() + df.therapist.str[1:].astype(float)
    with pytest.raises(TrialError, match="'years' is missing for everybody in arm 0, who has no"):
        trial(df.assign(years=years), covariates=["age", "years"])
    three = df.assign(arm=np.where((df.arm == 0) & (df.sex == 1), 2, df.arm))
    with pytest.raises(DesignError, match="for two arms: name them by arms="):
        trial(three)
    with pytest.raises(DesignError, match="without levels within them"):
        trial(df.assign(session=np.arange(len(df)) % 3), cluster=["therapist", "session"])


def test_the_scenario_draws_such_trials() -> None:
    source = th.simulate.scenario("one-arm-clusters", n_clusters=500, icc=0.3, control_variance=2.0)
    drawn = source.draw(random_state=1)
    rest = drawn.y - drawn.mu0 - drawn.treatment * drawn.tau
    assert rest[drawn.treatment == 0].var() == pytest.approx(2 * 0.7, abs=0.08)
    assert rest[drawn.treatment == 1].var() == pytest.approx(1.0, abs=0.08)
    means = pd.Series(rest).groupby(drawn.clusters).mean()[:500]
    assert means.var() == pytest.approx(0.3 + 0.7 / 10, abs=0.06)
    with pytest.raises(ValueError, match="dropout has no place"):
        th.simulate.scenario("one-arm-clusters", dropout=0.1)


def test_single_persons_without_an_outcome_count_and_are_no_lost_clusters() -> None:
    df = table(12)
    lost = np.random.default_rng(2).random(len(df)) < 0.2
    one = trial(df.assign(y=df.y.mask(lost)))
    assert one.enrolled_data.n == len(df)
    assert "no outcome at all" not in one.check().text
    found = th.average_effects(one)
    assert found.complete_cases is not None
    assert found.individual.se < 1.2 * found.complete_cases.individual.se


def test_what_crosses_clusters_has_an_intercept_of_both_arms() -> None:
    df = table(16, seed=2)
    rng = np.random.default_rng(6)
    df["area"] = rng.integers(0, 12, len(df))
    df["y"] += rng.normal(size=12)[df.area]
    crossing, plain = trial(df, crossed="area"), trial(df)
    assert isinstance(crossing.data.design, ClustersInOneArm)
    fits = [one.fit("LMM", random_state=1) for one in (crossing, plain)]
    (of_area,) = fits[0].variance_components_.crossed
    assert 0.4 < of_area < 2
    # What areas vary by is no part of what persons vary by.
    assert fits[0].variance_components_.residual < fits[1].variance_components_.residual - 0.4
    # Persons were randomized within areas: averages do not ask for them.
    found = [th.average_effects(one).table for one in (crossing, plain)]
    pd.testing.assert_frame_equal(*found)


def test_one_cluster_with_outcomes_is_too_few() -> None:
    df = table()
    lost = df.therapist.notna() & (df.therapist != "t3")
    with pytest.raises(DesignError, match="the treated arm has 1 cluster with outcomes, and the"):
        trial(df.assign(y=df.y.mask(lost)))
