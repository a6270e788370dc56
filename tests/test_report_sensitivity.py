"""What results depend on: members, seeds, clusters, missing data; and the section that says so."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.analysis import Analysis, analyze
from tauhat.analysis.sensitivity import _other_seeds
from tauhat.ensembles import ConsensusAverage, RobustEnsemble
from tauhat.ensembles.leave_out import weighed_again
from tauhat.inference import cluster_intercepts
from tauhat.learners.catalog import single_estimator
from tauhat.report import ReportInput, plots
from tauhat.report.sensitivity_section import sensitivity_section
from tauhat.trial.trial import Trial

pytestmark = pytest.mark.usefixtures("short_chains")

RUN = Path(__file__).with_name("report_run.json")


def table(clusters: int = 16, size: int = 14) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    clinic = np.repeat(np.arange(clusters), size)
    n = len(clinic)
    df = pd.DataFrame(
        {
            "clinic": clinic,
            "arm": clinic % 2,
            "age": rng.normal(60, 8, n).round(1),
            "female": rng.integers(0, 2, n),
        }
    )
    noise = rng.normal(0, 1, clusters)[clinic] + rng.normal(0, 3, n)
    df["sbp"] = 140 - 5 * df.arm - 0.2 * df.arm * (df.age - 60) + noise
    df.loc[rng.choice(n, 30, replace=False), "sbp"] = np.nan
    df.loc[rng.choice(n, 12, replace=False), "age"] = np.nan
    return df


@pytest.fixture(scope="module")
def found() -> Analysis:
    trial = Trial(table(), outcome="sbp", treatment="arm", cluster="clinic")
    names = ["LMM", "T-Linear", "X-Linear"]
    return analyze(trial, models=names, random_state=1, n_permutations=199, n_seeds=1)


def test_a_member_left_out_equals_the_ensemble_of_the_others(found: Analysis) -> None:
    rows = found.sensitivity.members.set_index("change")
    assert set(rows.index[rows["what"] == "member"]) == {"LMM", "T-Linear", "X-Linear"}
    others = [(name, single_estimator(name)) for name in ("LMM", "T-Linear")]
    trial = found.trial
    two = ConsensusAverage(others, random_state=1).fit(*trial).effect(trial.X)
    row = rows.loc["X-Linear"]
    assert row["mean_effect"] == pytest.approx(two.mean())
    assert row["sd_effect"] == pytest.approx(two.std())
    reported = found.effects["effect"].to_numpy()
    assert row["mean_change"] == pytest.approx(np.abs(two - reported).mean())


def test_robust_is_weighed_again_without_a_refit_and_stays_as_it_was() -> None:
    trial = Trial(table(), outcome="sbp", treatment="arm", cluster="clinic")
    members = [(name, single_estimator(name)) for name in ("LMM", "T-Linear", "X-Linear")]
    model = RobustEnsemble(members, random_state=1).fit(*trial)
    before = dict(model.weights_)
    rows = model.trial_data_.X
    effects = {name: one.predict_effect(rows) for name, one in model.members_.items()}
    same = weighed_again(model, effects)
    assert same == pytest.approx(model.predict_effect(rows))
    less = weighed_again(model, effects, without=["LMM"])
    fitted = RobustEnsemble([m for m in members if m[0] != "LMM"], random_state=1).fit(*trial)
    assert less == pytest.approx(fitted.predict_effect(rows))
    # Computed and not drawn: another seed changes no bit, so the report has no row on it.
    np.testing.assert_array_equal(weighed_again(model, effects, seed=7), same)
    notes: list[str] = []
    shown = pd.DataFrame(effects)
    assert _other_seeds(
        model.trial_data_, [], model, same, shown, np.arange(trial.n), 1, 0, 1, notes
    ) == []  # fmt: skip
    assert notes[0] == "The weights do not depend on the seed in a trial of clusters."
    assert model.weights_ == before
    assert set(model.members_) == set(before)
    with pytest.raises(ValueError, match="no member is left"):
        weighed_again(model, effects, without=list(effects))


@pytest.mark.slow
def test_robust_draws_its_weights_where_persons_are_randomized() -> None:
    trial = Trial(table().drop(columns="clinic"), outcome="sbp", treatment="arm")
    members = [(name, single_estimator(name)) for name in ("LMM", "T-Linear", "X-Linear")]
    model = RobustEnsemble(members, random_state=1).fit(*trial)
    data = model.trial_data_
    effects = {name: one.predict_effect(data.X) for name, one in model.members_.items()}
    effect, notes = model.predict_effect(data.X), []
    (row,) = _other_seeds(
        data, [], model, effect, pd.DataFrame(effects), np.arange(data.n), 1, 0, 1, notes
    )  # fmt: skip
    assert row["change"] == "weights drawn anew (most changed of 5)"
    assert 0 < row["mean_change"] < 0.2 * np.std(effect)
    assert not any("seed in a trial" in note for note in notes)


def test_lost_persons_move_the_average_by_their_share(found: Analysis) -> None:
    rows = found.sensitivity.averages.set_index("change")
    reported = rows.loc["as reported"]
    trial = found.trial
    lost = 1 - trial.has_outcome[trial.enrolled_treatment == 1].mean()
    shifted = rows.loc["lost persons of the treated arm 0.5 SD higher"]
    expected = 0.5 * np.std(trial.y) * lost
    assert shifted["estimate"] - reported["estimate"] == pytest.approx(expected)
    assert shifted["upper"] - reported["upper"] == pytest.approx(expected)
    tipping = found.sensitivity.tipping_point
    assert tipping is not None
    assert reported["upper"] < 0
    assert reported["upper"] + tipping * lost == pytest.approx(0)
    # Everyone enrolled counts, also without an outcome.
    everyone = trial.enrolled_data.n
    complete = trial.enrolled_frame.notna().all(axis=1).sum()
    assert f"only rows without a missing covariate ({complete} of {everyone})" in rows.index
    assert "only persons with an outcome" in rows.index


def test_lost_persons_whose_outcomes_cannot_matter_are_told_as_that() -> None:
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"x": rng.normal(size=300), "arm": np.arange(300) % 2})
    df["y"] = (rng.random(300) < 0.2 + 0.5 * df.arm).astype(float)
    df.loc[1:4, "y"] = np.nan  # two of 150 in each arm
    trial = Trial(df, outcome="y", treatment="arm")
    analysis = analyze(trial, models=["LMM"], random_state=1, n_permutations=99)
    found = analysis.sensitivity
    # A difference of all or nothing in them would move the average by 2 in 150.
    assert found.tipping_point is None
    # By how much they move it tells that they are 2 in 150, as do groups of everyone by arm.
    assert not any("lost persons" in change for change in found.averages["change"])
    rows = analysis.to_json()["held_out"]["by_covariate"]
    assert rows
    assert {row["control_units"] for row in rows} == {None}
    assert "Whatever the outcomes of those lost from the treated arm were" in found.text


def test_one_cluster_left_out_is_the_estimate_without_it(found: Analysis) -> None:
    low, high = found.sensitivity.without_one or (np.nan, np.nan)
    assert low < found.average_effects.individual.estimate < high
    split = found.sensitivity.splits
    assert len(split) == 5
    assert split["estimate"].nunique() == 5
    again = found.sensitivity.members["change"].iloc[-1]
    assert again == "all models fitted again, 1"
    assert not any("n_seeds" in note for note in found.sensitivity.notes)
    assert found.rerun.endswith("n_seeds=1)")


def test_a_single_model_has_no_members_to_leave_out() -> None:
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"x": rng.normal(size=120), "arm": np.arange(120) % 2})
    df["y"] = df.arm + df.x + rng.normal(size=120)
    trial = Trial(df, outcome="y", treatment="arm")
    alone = analyze(trial, models=["LMM"], random_state=1, n_permutations=99).sensitivity
    assert len(alone.members) == 0
    assert "those of one model and not of several" in alone.text
    assert alone.without_one is None
    assert alone.tipping_point is None
    assert len(alone.table) == 2


def test_cluster_intercepts_are_those_of_the_mixed_model(found: Analysis) -> None:
    assert found.clusters is not None
    shown = found.clusters.table
    between, residual = found.clusters.between_cluster, found.clusters.residual
    n = shown["persons"].to_numpy()
    assert n.sum() == found.trial.n
    sd = np.sqrt(between * residual / (residual + n * between))
    half = (shown["upper"] - shown["estimate"]).to_numpy()
    assert half / sd == pytest.approx(np.full(len(n), 2.1448), abs=1e-3)  # t, 14 df
    assert shown["estimate"].is_monotonic_increasing
    sizes = pd.Series(found.trial.clusters).value_counts()
    assert dict(zip(shown["cluster"], n, strict=True)) == sizes.to_dict()
    with pytest.raises(ValueError, match="no cluster intercepts"):
        cluster_intercepts((np.zeros((4, 1)), [1.0, 2, 3, 5], [0, 1, 0, 1]))


def section(**changes: Any) -> str:
    run: dict[str, Any] = json.loads(RUN.read_text("utf-8"))
    run["heterogeneity_test"]["p_value"] = changes.pop("p_value", 0.012)
    run["sensitivity"] |= changes
    nothing = np.zeros(5)
    data = ReportInput(run, pd.DataFrame(), nothing, nothing, nothing, pd.DataFrame(),
                       pd.DataFrame())  # fmt: skip
    made = sensitivity_section(data)
    cells = [" | ".join(row) for table in made.tables for row in table.rows]
    return "\n".join([*made.paragraphs, *made.items, *cells])


def test_section_says_which_member_decides_and_where_the_interval_tips() -> None:
    said = section()
    assert "The ranking of the persons depends on LMM" in said
    assert "treated arm were 4.4 higher than those of similar persons" in said
    assert "LMM | −3.1 | 1.2 | 0.62 | 0.4" in said
    assert "p = 0.012; in 95 of 100 draws between 0.008 and 0.016" in said
    assert "| p < 0.001; in 95 of" in section(p_value=0.0005)
    assert "difference between the outer quarters from 3.9 to 5.1" in said
    assert "Without any one cluster | −3.7 to −2.8 | –" in said
    assert "0.5 SD higher | −2.5 | −5.4 to 0.3" in said
    calm = section(
        members=[{"what": "member", "change": "A", "mean_effect": 1.0, "sd_effect": 1.0,
                  "kendall": 0.9, "mean_change": 0.1}],
        p_value_range=[0.04, 0.06], tipping_point=None, without_one_cluster=None,
    )  # fmt: skip
    assert "No single member determines" in calm
    same = [{"what": "member", "change": name, "mean_effect": 1.0, "sd_effect": 0.0,
             "kendall": None, "mean_change": 0.2} for name in "BC"]  # fmt: skip
    member = {"what": "member", "change": "A", "mean_effect": 1.0, "sd_effect": 1.0,
              "kendall": 1.0, "mean_change": 0.1}  # fmt: skip
    none_left = section(members=[member, *same])
    assert "No single member determines" not in none_left
    assert "depends on B and C: without B or C the effects are the same for everyone" in none_left
    assert "reason to trust them" in none_left
    assert "on either side of 0.05" in calm
    assert "would reach zero" not in calm


def test_nothing_is_explained_that_is_not_there() -> None:
    nobody = [{"change": "as reported", "estimate": 1.0, "lower": 0.5, "upper": 1.5}]
    run: dict[str, Any] = json.loads(RUN.read_text("utf-8"))
    for members, averages, words in (
        ([], nobody, ""),
        (run["sensitivity"]["members"], nobody, "Same order"),
        ([], run["sensitivity"]["averages"], "Lost persons"),
    ):
        run["sensitivity"] |= {"members": members, "averages": averages}
        nothing = np.zeros(5)
        data = ReportInput(run, pd.DataFrame(), nothing, nothing, nothing, pd.DataFrame(),
                           pd.DataFrame())  # fmt: skip
        made = sensitivity_section(data)
        notes = " ".join(made.notes)
        assert ("Same order" in notes, "Lost persons" in notes) == (
            words == "Same order",
            words == "Lost persons",
        )
        assert ("no model was fitted again" in made.paragraphs[0]) == bool(members)


def test_report_has_the_section_and_the_clusters(found: Analysis) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "to_data_uri", lambda figure: "data:,")
        page = html.unescape(found.to_html())
    part = re.search(r'<section id="sensitivity">.*?</section>', page, flags=re.DOTALL)
    assert part
    assert "The reported effects without each member" in part[0]
    assert "Intercepts of 16 clusters" in page
