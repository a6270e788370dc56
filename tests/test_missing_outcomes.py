"""Persons without an outcome count in averages, tests and held-out effects."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.analysis.missing_record import missing_record
from tauhat.data import FOLDS_OF_MISSING, TrialData
from tauhat.endpoint import MissingOutcomes
from tauhat.errors import DesignError, TrialError
from tauhat.inference import cross_fit, group_effect, policy_value, rate
from tauhat.numerics.missing_outcomes import SMALLEST_PROBABILITY, made_outcome
from tauhat.numerics.missingness import losses_along
from tauhat.numerics.seeds import derive_seed
from tauhat.report.plots import missing_outcomes_plot

ROLES = {"outcome": "y", "treatment": "arm", "cluster": "clinic", "covariates": ["x"]}


def complete(clinics: int = 24, persons: int = 27) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    clinic = np.repeat(np.arange(clinics), persons)
    arm, x = clinic % 2, rng.normal(size=len(clinic))
    visits = rng.poisson(3, len(clinic))
    y = x + 0.4 * arm * (1 + x) + 0.3 * rng.normal(size=clinics)[clinic]
    y = y + rng.normal(size=len(clinic))
    block = clinic // 4
    return pd.DataFrame(
        {"y": y, "arm": arm, "clinic": clinic, "x": x, "visits": visits, "block": block}
    )


def with_losses(df: pd.DataFrame, strength: float = 1.5) -> pd.DataFrame:
    """The treated are lost where x is large."""
    rng = np.random.default_rng(6)
    seen = rng.random(len(df)) < 1 / (1 + np.exp(-(1 - strength * df.arm * df.x)))
    return df.assign(y=df.y.where(seen))


def trial_of(df: pd.DataFrame, **changes: object) -> th.Trial:
    return th.Trial(df, **{**ROLES, **changes})


def test_the_average_is_nearer_to_that_of_everybody_than_complete_cases() -> None:
    df = complete(60, 40)
    everybody = th.average_effects(trial_of(df))
    made = th.average_effects(trial_of(with_losses(df)))
    assert made.complete_cases is not None
    for which in ("individual", "cluster"):
        true = getattr(everybody, which).estimate
        assert abs(getattr(made, which).estimate - true) < 0.04
        assert abs(getattr(made.complete_cases, which).estimate - true) > 0.05
    assert "outcomes made for" in made.method
    assert "Of persons with an outcome only" in made.text


def test_nothing_changes_where_every_outcome_is_seen() -> None:
    trial = trial_of(complete(8, 10))
    assert trial.enrolled_data is trial.data
    assert th.average_effects(trial).complete_cases is None


def test_complete_cases_are_those_that_the_average_stands_beside() -> None:
    df = with_losses(complete())
    asked = th.average_effects(trial_of(df, missing="complete-cases"))
    beside = th.average_effects(trial_of(df)).complete_cases
    assert asked.complete_cases is None
    assert asked.individual == beside.individual
    assert asked.cluster == beside.cluster


def test_learners_take_those_with_an_outcome_and_err_as_they_do() -> None:
    df = with_losses(complete())
    ours, new = trial_of(df), pd.DataFrame({"x": np.linspace(-2, 2, 9)})
    theirs = trial_of(df.dropna(subset="y"))
    effects = [one.fit("GAMM").effect(one.encode(new)) for one in (ours, theirs)]
    np.testing.assert_array_equal(*effects)


@pytest.mark.parametrize("roles", [{}, {"block": "block"}, {"cluster": None}])
def test_order_of_rows_and_labels_do_not_matter(roles: dict[str, object]) -> None:
    df = with_losses(complete(12, 12))
    shuffled = df.sample(frac=1, random_state=1).assign(clinic=lambda d: "c" + d.clinic.astype(str))
    one, other = (th.average_effects(trial_of(each, **roles)) for each in (df, shuffled))
    assert one.individual.estimate == pytest.approx(other.individual.estimate, rel=1e-9)
    assert one.individual.se == pytest.approx(other.individual.se, rel=1e-9)


def test_held_out_effects_and_the_test_count_everybody() -> None:
    trial = trial_of(with_losses(complete(12, 12)))
    fit = th.cross_fit(trial, "LMM", n_splits=1)
    assert fit.data.n == len(fit.frame) == 144 > trial.n
    np.testing.assert_array_equal(fit.frame["x"].to_numpy()[fit.rows], fit.data.X[:, 0])
    lost = th.test_heterogeneity(trial, random_state=1, n_permutations=99)
    alone = trial_of(with_losses(complete(12, 12)), missing="complete-cases")
    left = th.test_heterogeneity(alone, random_state=1, n_permutations=99)
    assert lost.statistic != left.statistic


def test_clusters_without_any_outcome_are_units_lost() -> None:
    df = complete(12, 12)
    df.loc[df.clinic == 3, "y"] = np.nan
    trial = trial_of(df)
    assert trial.enrolled_data is trial.data
    df.loc[df.index % 5 == 0, "y"] = np.nan
    data = trial_of(df).enrolled_data
    assert (data.n, data.n_units) == (132, 11)


def test_risks_are_told_of_an_outcome_with_two_values() -> None:
    df = complete(60, 40)
    df = df.assign(y=(df.y > 0).astype(float))
    everybody = th.average_effects(trial_of(df)).individual_risks
    made = th.average_effects(trial_of(with_losses(df)))
    assert made.individual_risks is not None
    assert abs(made.individual_risks.treated - everybody.treated) < 0.03
    alone = made.complete_cases.individual_risks
    assert abs(alone.treated - everybody.treated) > 0.05


def test_times_that_are_missing_are_made_too() -> None:
    rng = np.random.default_rng(2)
    df = complete(20, 20)
    time = rng.exponential(size=400) * np.exp(0.5 * df.x)
    df = df.assign(y=np.minimum(time, 2), died=time <= 2)
    trial = trial_of(with_losses(df), event="died", horizon=1.5)
    data = trial.enrolled_data
    assert data.n == 400
    assert data.endpoint.kind_name == "rmst"
    assert np.isfinite(th.average_effects(trial).individual.se)


def test_auxiliary_columns_tell_who_is_lost_and_are_no_covariates() -> None:
    df = complete(20, 20)
    seen = df.visits + 0.5 * np.random.default_rng(1).normal(size=400) > 2
    df = df.assign(y=(df.y + df.visits).where(seen))
    trial = trial_of(df, auxiliary=["visits"], covariates=["x"])
    assert trial.covariate_names == ("x",)
    with_visits = trial.enrolled_data.missing
    assert with_visits.auxiliary.shape == (400, 1)
    left_alone = th.average_effects(trial_of(df)).individual
    assert th.average_effects(trial).individual != left_alone


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"missing": "drop"}, "missing must be one of doubly-robust, complete-cases, got 'drop'"),
        ({"auxiliary": ["x"]}, "column 'x' cannot be both covariate and auxiliary"),
        ({"auxiliary": ["clinic"]}, "column 'clinic' cannot be both cluster and auxiliary"),
        ({"auxiliary": ["visit"]}, "auxiliary: there is no column 'visit'; did you mean 'visits'"),
        ({"weight": "w"}, "weight column 'w' is missing for 2 of 4 persons without an outcome"),
    ],
)
def test_bad_input_is_one_clear_error(changes: dict[str, object], message: str) -> None:
    df = complete(8, 10).assign(w=1.0)
    df.loc[[1, 2, 33, 44], "y"] = np.nan
    df.loc[[1, 2], "w"] = np.nan
    with pytest.raises(TrialError, match=message):
        trial_of(df, **changes)


def test_nobody_seen_in_an_arm_of_the_other_folds_is_no_failure() -> None:
    rng = np.random.default_rng(2)
    x, arm = rng.normal(size=100), np.arange(100) % 2
    fold = np.arange(100) // 2 % 5
    seen = (arm == 0) | (fold == 3)
    y = np.where(seen, 2 * arm + x, 0.0)
    made = made_outcome(y, seen, arm, [x[:, None]], [x[:, None]], None, fold)
    # What was seen in that fold alone tells of the arm in all of them.
    assert np.abs(made.values - 2 * arm - x).max() < 0.1


def test_all_who_were_seen_may_be_in_one_fold() -> None:
    rng = np.random.default_rng(3)
    x, arm = rng.normal(size=100), np.arange(100) % 2
    fold = np.arange(100) // 2 % 5
    y = np.where(fold == 3, 2 * arm + x, 0.0)
    made = made_outcome(y, fold == 3, arm, [x[:, None]], [x[:, None]], None, fold)
    assert np.abs(made.values - 2 * arm - x).max() < 0.2


def test_few_who_are_seen_leave_few_degrees_of_freedom() -> None:
    df = complete(400, 1).drop(columns="clinic").assign(block=0)
    everybody = th.average_effects(trial_of(df, cluster=None)).individual
    treated = np.flatnonzero(df.arm == 1)
    df.loc[treated[3:], "y"] = np.nan
    few = th.average_effects(trial_of(df, cluster=None))
    assert everybody.degrees_of_freedom > 390
    assert few.individual.degrees_of_freedom < 3.5
    assert few.individual.upper - few.individual.lower > 1


def test_a_group_in_which_nobody_of_an_arm_was_seen_has_no_effect() -> None:
    df = complete()
    df.loc[(df.x > 0.5) & (df.arm == 1), "y"] = np.nan
    fit = cross_fit(trial_of(df), "LMM", n_splits=1)
    with pytest.raises(TrialError, match="12 control and 0 treated clusters with anyone in it who"):
        group_effect(fit, "x > 0.5")
    assert np.isfinite(group_effect(fit, "x > 0").inside.se)


def test_outcomes_are_made_anew_without_each_cluster() -> None:
    data = trial_of(with_losses(complete(), 2.0)).enrolled_data
    changes = data.outcome_changes().without
    weight = np.where(data.treatment == 1, 1.0, -1.0)[:, None] / (data.n / 2)
    told = changes.sums(weight)[:, 0]
    fold = data.design.folds(FOLDS_OF_MISSING, derive_seed(0, "missing outcomes"))
    exact = np.empty(data.n_units)
    for one in range(data.n_units):
        rows = np.flatnonzero(data.clusters != one)
        others = data.take(rows)
        made = others.missing.made(
            others.measured[:, 1], others.treatment, others.X, others.clusters, fold[rows], None
        )
        exact[one] = weight[rows, 0] @ (made.values - data.y[rows])
    # Variances are not estimated anew, and changes are of the first order.
    assert np.corrcoef(told, exact)[0, 1] > 0.8
    assert 0.6 < np.linalg.norm(told) / np.linalg.norm(exact) < 1.2


def test_errors_count_that_outcomes_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    df = with_losses(complete(), 2.0)
    df["y"] = (df.y > 0.3).astype(float).where(df.y.notna())
    trial = trial_of(df, endpoint="binary")

    def errors() -> dict[str, float]:
        found, fit = th.average_effects(trial), cross_fit(trial, "LMM", n_splits=1)
        group = group_effect(fit, "x > 0")
        return {
            "individual": found.individual.se,
            "cluster": found.cluster.se,
            "ratio": found.individual_risks.ratio.se,
            "group": group.inside.se,
            "ratio in the group": group.inside_risks.ratio.se,
            "policy": policy_value(fit, higher_is_better=True).table["se"][0],
            "rank": rate(fit, higher_is_better=True).autoc.se,
            "modifier": th.interaction_effects(trial, "x").table["se"][0],
        }

    anew = errors()
    monkeypatch.setattr(TrialData, "outcome_changes", lambda self, n_folds=0: None)
    ratios = {name: anew[name] / held for name, held in errors().items()}
    assert all(
        1.01 < ratios[name] < 1.1
        for name in ("individual", "cluster", "ratio", "policy", "modifier")
    )
    # Groups and ranks are small parts, where changes may go either way.
    assert all(0.9 < ratio < 1.1 and ratio != 1 for ratio in ratios.values())


def test_imputing_nothing_gives_the_same_complete_cases() -> None:
    trial = trial_of(with_losses(complete(8, 10)))
    once, imputed = (th.average_effects(trial, imputations=k) for k in (None, 2))
    assert once.complete_cases.individual == imputed.complete_cases.individual
    assert "no covariate had to be imputed" in imputed.complete_cases.method


def test_a_block_or_an_arm_without_any_outcome_is_refused() -> None:
    df = complete(12, 10)
    with pytest.raises(TrialError, match=r"missing for everybody in 1 of 3 blocks \(1\)"):
        trial_of(df.assign(y=df.y.where(df.block != 1)), block="block")
    with pytest.raises(TrialError, match="is missing for everybody in arm 1: there"):
        trial_of(df.assign(y=df.y.where(df.arm == 0)))
    with pytest.raises(DesignError, match="6 control and 1 treated clusters with outcomes"):
        trial_of(df.assign(y=df.y.where((df.arm == 0) | (df.clinic == first_treated(df)))))


def test_an_auxiliary_column_that_tells_all_or_nothing_is_refused() -> None:
    df = with_losses(complete())
    came = df.y.notna()
    for column in (came.astype(int), df.visits.where(came), np.where(came, "yes", "no")):
        with pytest.raises(TrialError, match="auxiliary column 'came' tells exactly who has"):
            trial_of(df.assign(came=column), auxiliary=["came"])
    with pytest.raises(TrialError, match="auxiliary column 'came' is empty or has one value"):
        trial_of(df.assign(came=1), auxiliary=["came"])
    # The largest value may be that of the few who were lost.
    few = complete().assign(y=lambda d: d.y.where(d.x < d.x.nlargest(4).min()))
    assert trial_of(few.assign(z=few.x), auxiliary=["z"]).n_missing_outcome == 4


def first_treated(df: pd.DataFrame) -> object:
    """A treated clinic."""
    return df.clinic[df.arm == 1].iloc[0]


def test_small_probabilities_are_floored_and_counted() -> None:
    rng = np.random.default_rng(3)
    x, arm = rng.normal(size=3000), np.arange(3000) % 2
    seen = rng.random(3000) < 1 / (1 + np.exp(-(-1 + 4 * x)))
    columns, fold = [x[:, None]], np.arange(3000) % 5
    made = made_outcome(np.where(seen, x, 9.0), seen, arm, columns, columns, None, fold)
    assert made.n_floored > 300
    assert made.probability.min() == SMALLEST_PROBABILITY
    assert abs(made.values.mean()) < 0.05


def test_constant_covariates_and_no_auxiliary_columns_do_no_harm() -> None:
    rng = np.random.default_rng(4)
    seen, arm = rng.random(200) < 0.8, np.arange(200) % 2
    missing = MissingOutcomes(seen, np.zeros((200, 0)))
    y = np.where(seen, arm + rng.normal(size=200), 0.0)
    made = missing.made(y, arm, np.ones((200, 2)), None, np.arange(200) % 5, None)
    assert np.isfinite(made.values).all()
    assert "less to have one" not in replace(missing, probability=made.probability).text
    rare = MissingOutcomes(seen, missing.auxiliary, np.where(arm == 1, 0.05, 0.5))
    assert rare.text.endswith("100 persons had a probability of 0.05 or less to have one")


def test_what_losses_look_like_is_told_without_small_numbers() -> None:
    df = with_losses(complete(), 1.2)
    df.loc[df.clinic == 3, "y"] = np.nan
    trial = trial_of(df, auxiliary=["visits"])
    check = trial.check()
    seen = check.missing_outcomes
    assert seen is not None
    assert seen.clusters_lost == (0, 1)
    # Each mark stands for five persons lost and five left, or for clusters that lost nobody.
    size = seen.clusters["clusters"] * 27
    lost = (size * (1 - seen.clusters["share_observed"])).round()
    assert ((lost == 0) | ((lost >= 5) & (size - lost >= 5))).all()
    assert seen.clusters["clusters"].sum() == 23
    strongest = seen.predictors.iloc[0]
    assert strongest["covariate"] == "x"
    assert strongest["treated"] > 0.3 > strongest["control"]
    assert "visits" in set(seen.predictors["covariate"])
    assert trial.enrolled_data.missing is not None
    probability = trial.enrolled_data.missing.probability
    assert probability is not None
    assert seen.least_likely == pytest.approx(np.sort(probability)[4])
    assert [f for f in check.findings if f.code == "clusters-lost"]
    record = missing_record(trial, check)
    assert record is not None
    drawn = missing_outcomes_plot(record["arms"], record["clusters"], record["predictors"])
    assert drawn.text.startswith("Persons with an outcome: 0 ")


def test_predictors_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(30), 20)
    arm, x = unit % 2, rng.normal(size=(600, 3))
    lost = rng.random(600) < 1 / (1 + np.exp(1.8 - 1.2 * x[:, 0] * (0.2 + arm)))
    found = losses_along(x, lost, arm, unit)
    assert found.p_value[0] < 0.001 < found.p_value[1:].min()
    assert found.p_value_of_arms[0] < 0.01
    apart = x[lost & (arm == 1), 0].mean() - x[~lost & (arm == 1), 0].mean()
    assert found.by_arm[1, 0] * x[arm == 1, 0].std(ddof=1) == pytest.approx(apart)
    swapped = losses_along(x, lost, 1 - arm, unit[::-1].max() - unit)
    np.testing.assert_allclose(swapped.p_value, found.p_value)
    np.testing.assert_allclose(swapped.by_arm[::-1], found.by_arm)


def test_a_few_lost_are_not_told_of() -> None:
    df = complete()
    df.loc[df.index[[3, 40, 99]], "y"] = np.nan
    trial = trial_of(df)
    record = missing_record(trial, trial.check())
    assert record is not None
    assert record["predictors"] == [] == record["clusters"]
    assert {arm["share_observed"] for arm in record["arms"]} == {None}
    assert (record["learned_from"], record["learned_without_curvature"]) == (645, [])


def test_an_outcome_far_from_zero_is_made_as_well() -> None:
    rng = np.random.default_rng(8)
    site = np.repeat(np.arange(20), 12)
    df = pd.DataFrame({"site": site, "arm": site % 2, "x": rng.normal(size=240)})
    y = df.x + df.arm + rng.normal(size=20)[site] + rng.normal(size=240)
    y = y.mask(rng.random(240) < 0.1 + 0.2 * (df.x > 0))
    roles = {"outcome": "y", "treatment": "arm", "cluster": "site"}
    near, far = (
        th.average_effects(th.Trial(df.assign(y=y + shift), **roles)).individual
        for shift in (0.0, 1e7)
    )
    assert far.estimate == pytest.approx(near.estimate, rel=1e-6)
    assert far.se == pytest.approx(near.se, rel=1e-6)
