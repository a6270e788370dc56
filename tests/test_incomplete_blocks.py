"""Blocks in which nobody, or everybody, was treated tell nothing about the effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.cli import main
from tauhat.data import validate_trial
from tauhat.design.blocks import has_counterfactual
from tauhat.inference.covariate_group_effects import covariate_group_effects
from tauhat.report.cannot_show import limits

ROLES: dict[str, Any] = {"outcome": "y", "treatment": "arm", "block": "site", "covariates": ["x"]}


def persons(share_alone: float = 0.5, seed: int = 1) -> pd.DataFrame:
    """Site A randomized 1:1; site B has controls only and a level 5 higher; the effect is 1 + x."""
    rng = np.random.default_rng(seed)
    n = 200
    site = np.where(np.arange(n) < n * (1 - share_alone), "A", "B")
    arm = np.where(site == "A", np.arange(n) % 2, 0)
    x = rng.normal(size=n)
    y = 5.0 * (site == "B") + arm * (1 + x) + 0.5 * rng.normal(size=n)
    return pd.DataFrame({"site": site, "arm": arm, "x": x, "y": y}).sample(frac=1, random_state=3)


def clinics(alone: int = 4, seed: int = 2) -> pd.DataFrame:
    """Four strata of four clinics each, and one of treated clinics only, 4 higher."""
    rng = np.random.default_rng(seed)
    clinic = np.repeat(np.arange(16 + alone), 12)
    stratum = np.minimum(clinic // 4, 4)
    arm = np.where(stratum == 4, 1, clinic % 2)
    x = rng.normal(size=len(clinic))
    y = 4.0 * (stratum == 4) + arm * (1 + x) + 0.2 * rng.normal(size=20)[clinic]
    y = y + 0.5 * rng.normal(size=len(clinic))
    return pd.DataFrame({"clinic": clinic, "site": stratum, "arm": arm, "x": x, "y": y})


DESIGNS = [(persons(), {}, "A"), (clinics(), {"cluster": "clinic"}, (0, 1, 2, 3))]


def test_shares_without_an_outcome_say_whose_they_are() -> None:
    df = persons()
    df.loc[(df["site"] == "A") & (df["x"] > 0.5), "y"] = np.nan
    (told,) = (line for line in th.Trial(df, **ROLES).check().notes if "have no outcome" in line)
    # Nobody is lost in site B, which has one arm only.
    assert "treated arm in blocks with both arms (p =" in told
    in_both = th.Trial(df[df["site"] == "A"], **ROLES).check().notes
    assert not any("blocks with both arms" in line for line in in_both)


@pytest.mark.parametrize(("df", "more", "complete"), DESIGNS, ids=["persons", "clusters"])
def test_every_result_is_that_of_the_blocks_that_hold_both_arms(
    df: pd.DataFrame, more: dict[str, Any], complete: Any
) -> None:
    kept = df["site"].isin(list(complete))
    whole, part = (th.Trial(table, **ROLES, **more) for table in (df, df[kept]))
    found, expected = th.average_effects(whole), th.average_effects(part)
    assert found.individual == expected.individual
    assert abs(found.individual.estimate - 1) < 3 * found.individual.se
    left_out = int((~kept).sum())
    assert found.method.endswith(f"{left_out} persons in blocks with one arm only are left out")
    tests = [th.test_heterogeneity(t, random_state=1, n_permutations=19) for t in (whole, part)]
    assert tests[0].p_value == tests[1].p_value
    tables = [th.compare(t, ["LMM"], n_folds=2, random_state=1).table for t in (whole, part)]
    pd.testing.assert_frame_equal(*tables)
    fits = [th.cross_fit(t, "LMM", n_splits=1, n_folds=2) for t in (whole, part)]
    np.testing.assert_array_equal(fits[0].effects, fits[1].effects)
    assert th.rate(fits[0]).autoc == th.rate(fits[1]).autoc
    assert th.policy_value(fits[0]).text == th.policy_value(fits[1]).text
    groups = [th.group_effect(fit, "x > 0").inside for fit in fits]
    assert groups[0] == groups[1]


@pytest.mark.parametrize(("df", "more", "complete"), DESIGNS, ids=["persons", "clusters"])
@pytest.mark.parametrize("name", ["T-Linear", "LMM"])
def test_effects_are_predicted_for_persons_that_the_fit_leaves_out(
    name: str, df: pd.DataFrame, more: dict[str, Any], complete: Any
) -> None:
    whole, part = (
        th.Trial(table, **ROLES, **more) for table in (df, df[df["site"].isin(list(complete))])
    )
    effect = th.estimator(name, random_state=1).fit(*whole).effect(whole.X)
    assert len(effect) == len(df)
    np.testing.assert_array_equal(
        effect, th.estimator(name, random_state=1).fit(*part).effect(whole.X)
    )
    assert effect.mean() == pytest.approx(1, abs=0.35)


def test_the_check_names_the_blocks_and_fails_when_they_hold_many() -> None:
    few, many = (th.Trial(persons(share), **ROLES) for share in (0.2, 0.3))
    assert not few.check().failures
    (note,) = (line for line in few.check().notes if "one arm only" in line)
    assert note.startswith("1 of 2 blocks holds persons of one arm only (site: B (40 in arm 0))")
    assert "40 of 200 persons (20.0%)" in note
    assert [line[:12] for line in many.check().failures] == ["1 of 2 block"]
    assert "more than 25%" in many.check().failures[0]
    assert few.incomplete_blocks.to_dict("records") == [
        {"block": "B", "arms": "0", "persons": 40, "units": 40}
    ]
    assert "40 persons in blocks with one arm only (site: B (40 in arm 0))" in few.text


def test_blocks_that_few_share_are_counted_but_not_named() -> None:
    df = persons(0.1)
    alone = df["site"] == "B"
    df.loc[alone, "site"] = [f"pair {k // 2}" for k in range(int(alone.sum()))]
    assert "(site: 10 of fewer than five persons)" in th.Trial(df, **ROLES).check().text


def test_balance_is_judged_where_arms_were_randomized() -> None:
    df = persons()
    df["x"] += 3.0 * (df["site"] == "B")
    balance = th.Trial(df, **ROLES).check().balance
    apart = df[df["site"] == "A"].groupby("arm")["x"].mean()
    assert balance["mean_treated"][0] - balance["mean_control"][0] == pytest.approx(
        apart[1] - apart[0]
    )


def test_a_block_that_lost_the_outcomes_of_an_arm_is_left_out() -> None:
    df = persons()
    df["site"] = np.where(df["site"] == "B", "A", df["site"])
    df = df.assign(arm=np.arange(len(df)) % 2, site=np.repeat(["A", "B", "C", "D"], 50))
    df.loc[(df["site"] == "D") & (df["arm"] == 1), "y"] = np.nan
    trial = th.Trial(df, **ROLES)
    assert (trial.n, trial.n_missing_outcome, trial.n_without_counterfactual) == (175, 25, 25)
    alone = th.Trial(df[df["site"] != "D"], **ROLES)
    assert th.average_effects(trial).individual == th.average_effects(alone).individual


def test_arrays_follow_the_same_rule() -> None:
    df = persons()
    arrays = (df[["x"]].to_numpy(), df["y"], df["arm"], None, None, df["site"])
    data = validate_trial(*arrays)
    assert (data.n, data.n_without_counterfactual) == (100, 100)
    assert set(data.propensity) == {0.5}
    fit = th.cross_fit(arrays, "LMM", n_splits=1, n_folds=2)
    by_group = covariate_group_effects(fit, {"x": ((df["x"] > 0).to_numpy(int), ["low", "high"])})
    assert by_group.table["persons"].sum() == 100
    # The level of B would otherwise be the strongest modifier of this effect.
    effect = np.where(df["site"] == "B", 50.0, df["x"])
    assert th.effect_modifiers(effect, arrays).table["share"][0] > 0.9
    with pytest.raises(ValueError, match="no block holds both arms"):
        validate_trial(*arrays[:5], df["arm"])
    few = df.assign(site=np.arange(len(df)) // 2 * 2 + np.where(df["arm"] == 1, 1, 0))
    few.iloc[:2, few.columns.get_loc("site")] = -1
    few.iloc[:2, few.columns.get_loc("arm")] = [0, 1]
    with pytest.raises(ValueError, match=r"at least two persons .* \(198 of 200 rows lie in"):
        validate_trial(*arrays[:2], few["arm"], None, None, few["site"])


def test_the_rule_is_that_of_any_number_of_arms() -> None:
    arm = np.array([0, 1, 2, 0, 1, 2, 2])
    block = np.array(["a", "a", "a", "b", "b", "c", "c"])
    assert has_counterfactual(arm, block).tolist() == [True] * 3 + [False] * 4
    assert has_counterfactual(arm[:5], block[:5]).tolist() == [True] * 3 + [False] * 2
    assert has_counterfactual(np.zeros(4, int), block[:4]).all()


@pytest.mark.usefixtures("quick_run")
def test_report_and_record_count_those_compared() -> None:
    df = persons(0.2)
    trial = th.Trial(df, **ROLES)
    found = th.analyze(trial, models="quick", random_state=1, n_permutations=19)
    run = found.to_json()
    assert len(found.effects) == 200
    assert run["design"]["n"] == 160
    assert run["design"]["arms"]["control"]["n"] == 80
    assert run["design"]["incomplete_blocks"] == {
        "blocks": 1, "persons": 40, "units": 40, "named": "B (40 in arm 0)",
    }  # fmt: skip
    counted = found.effects["effect"][trial.has_counterfactual]
    assert run["effects"]["mean"] == pytest.approx(counted.mean())
    assert run["models"][0]["mean_effect"] == pytest.approx(counted.mean())
    assert found.plot_covariate("x").data["persons"].sum() == 160
    (left_out,) = (line for line in limits(run) if "one arm only" in line)
    assert left_out.startswith("40 persons in blocks with one arm only (B (40 in arm 0)) are left")
    said = [line[:40] for line in run["check"]["notes"] if "one arm only" in line]
    assert said == ["1 of 2 blocks holds persons of one arm o"]


def test_the_command_stops_unless_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    persons().to_csv(tmp_path / "trial.csv", index=False)
    asked = [str(tmp_path / "trial.csv"), "--outcome", "y", "--treatment", "arm", "--block", "site"]
    assert main(["check", *asked]) == 3
    assert main(["run", *asked, "--out", str(tmp_path / "out"), "--models", "LMM"]) == 3
    assert "1 of 2 blocks holds persons of one arm only" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_block_of_one_arm_may_have_a_propensity_of_none_or_all() -> None:
    trial = th.Trial(persons(), **ROLES, propensity={"A": 0.5, "B": 0})
    expected = th.average_effects(th.Trial(persons(), **ROLES)).individual
    assert th.average_effects(trial).individual == expected
    with pytest.raises(th.TrialError, match="strictly between 0 and 1, got 1"):
        th.Trial(persons(), **ROLES, propensity={"A": 1, "B": 0})


def schools() -> pd.DataFrame:
    school = np.repeat(np.arange(12), 12)
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "school": school,
            "class": school * 3 + np.tile(np.arange(3), 48),
            "same": 100 - school,
            "arm": school % 2,
            "group": np.where(school % 2, "new", "usual"),
            "pupil": np.arange(144),
            "x": rng.normal(size=144),
            "y": rng.normal(size=144),
        }
    )


@pytest.mark.parametrize(
    ("roles", "advice"),
    [
        (
            {"cluster": "class", "block": "school"},
            "'school' looks like the randomized unit: use cluster='school' (--cluster) instead, "
            "and 'class' as a covariate or not at all",
        ),
        ({"block": "school"}, "'school' looks like the randomized unit: use cluster='school'"),
        ({"cluster": "school", "block": "same"}, "'same' names the same units as 'school'"),
        ({"cluster": "school", "block": "group"}, "'group' says the same as 'arm'"),
        ({"block": "group"}, "'group' says the same as 'arm': leave block out"),
        ({"block": "pupil"}, "'pupil' looks like an identifier: use id='pupil'"),
    ],
)
def test_a_block_column_that_compares_nothing_is_a_design_error(
    roles: dict[str, str], advice: str
) -> None:
    with pytest.raises(th.DesignError) as error:
        th.Trial(schools(), outcome="y", treatment="arm", covariates=["x"], **roles)
    assert "everybody with an outcome has the same arm" in str(error.value)
    assert advice in str(error.value)


def test_the_command_refuses_such_a_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schools().to_csv(tmp_path / "t.csv", index=False)
    asked = [str(tmp_path / "t.csv"), "--outcome", "y", "--treatment", "arm", "--covariates", "x"]
    assert main(["check", *asked, "--cluster", "class", "--block", "school"]) == 2
    assert "use --cluster school instead" in capsys.readouterr().err
    assert main(["check", *asked, "--cluster", "school", "--block", "class"]) == 2
    assert "if it names parts of clusters" in capsys.readouterr().err


def test_a_block_with_one_value_is_said_to_be_none() -> None:
    trial = th.Trial(schools().assign(one=1), **{**ROLES, "block": "one"}, cluster="school")
    assert "All persons are in one block, which is as good as none." in trial.check().notes


def test_a_pair_of_clinics_alone_in_holding_both_arms_is_too_little() -> None:
    df = schools()
    df["block"] = np.where(df["school"] < 2, 0, df["school"])
    with pytest.raises(th.DesignError, match="1 control and 1 treated clusters with outcomes in"):
        th.Trial(
            df, outcome="y", treatment="arm", covariates=["x"], cluster="school", block="block"
        )


def test_the_average_covers_where_sites_have_one_arm() -> None:
    rng = np.random.default_rng(5)
    site = np.repeat(np.arange(6), 20)
    arm = np.where(site == 4, 0, np.where(site == 5, 1, np.arange(120) % 2))
    level = np.array([0.0, 1, 2, 3, 9, -9])[site]
    covered = []
    for _ in range(150):
        X = rng.normal(size=(120, 1))
        y = level + arm + X[:, 0] + rng.normal(size=120)
        found = th.average_effects((X, y, arm, None, None, site)).individual
        covered.append(found.lower < 1 < found.upper)
    assert 0.89 < np.mean(covered) <= 1


def test_pairs_that_lost_a_partner_are_called_so() -> None:
    rng = np.random.default_rng(1)
    clinic = np.repeat(np.arange(14), 8)
    df = pd.DataFrame({"clinic": clinic, "arm": clinic % 2, "age": rng.normal(size=112)})
    df = df.assign(pair=clinic // 2, y=rng.normal(size=112))
    roles = {"outcome": "y", "treatment": "arm", "cluster": "clinic", "block": "pair"}

    def said(table: pd.DataFrame) -> str:
        found = th.Trial(table, covariates=["age"], **roles).check().findings
        return "".join(one.sentence for one in found if one.code == "one-arm-blocks")

    assert "1:1 pairs, of which 1 pair has lost a partner" in said(df[df.clinic != 5])
    # Nobody of a clinic has an outcome, which is as if it had left.
    assert "1 pair has lost a partner" in said(df.assign(y=df.y.where(df.clinic != 5)))
    # Four clinics in each stratum but one are no pairs.
    strata = df.assign(pair=np.minimum(clinic // 4, 3))
    assert "pairs" not in said(strata[strata.clinic != 13])
    assert "left out of fits" in said(strata[strata.clinic != 13])
