"""The whole analysis: its effects, models, record and report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from tauhat.analysis import Analysis, Source, analyze
from tauhat.analysis import models as analysis_models
from tauhat.analysis.held_out import HeldOutEffects
from tauhat.analysis.models import fit_models, model_names
from tauhat.data import validate_trial
from tauhat.ensembles.robust import RobustEnsemble
from tauhat.ensembles.stacked_x import StackedX
from tauhat.errors import TauhatWarning, TrialError
from tauhat.fitting import nuisance
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.learners.outcome_models import outcome_model
from tauhat.numerics.kendall import kendall_tau
from tauhat.registry import estimator
from tauhat.trial.trial import Trial


def table(clusters: int = 24, size: int = 15, seed: int = 5) -> pd.DataFrame:
    """A cluster trial: the effect is 2 + .2 (age - 50) and does not depend on sex or urban."""
    rng = np.random.default_rng(seed)
    clinic = np.repeat(np.arange(clusters), size)
    n = len(clinic)
    df = pd.DataFrame(
        {
            "clinic": clinic,
            "arm": np.where(clinic % 2 == 1, "new", "old"),
            "age": rng.normal(50, 10, n),
            "sex": rng.choice(["f", "m"], n),
            "urban": np.where(clinic % 3 == 0, "yes", "no"),
            "person": np.arange(n) + 500,
        }
    )
    effect = np.where(df.arm == "new", 2 + 0.2 * (df.age - 50), 0.0)
    noise = rng.normal(0, 0.5, clusters)[clinic] + rng.normal(0, 1.5, n)
    df["y"] = 10 + 0.05 * df.age + effect + noise
    df.loc[df.index.isin([4, 9, 200]), "y"] = np.nan
    return df


def trial_of(df: pd.DataFrame, **roles: Any) -> Trial:
    return Trial(
        df,
        **{
            "outcome": "y",
            "treatment": "arm",
            "control": "old",
            "cluster": "clinic",
            "id": "person",
            **roles,
        },
    )


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyze(
        trial_of(table()),
        models=["LMM", "T-Linear", "X-Linear"],
        random_state=1,
        n_permutations=199,
    )


# Only the shared analysis has its held-out effects and whole chains, and one page its figures.
pytestmark = pytest.mark.usefixtures("quick_run")


def test_effects_have_one_row_a_person_with_an_outcome(analysis: Analysis) -> None:
    effects = analysis.effects
    assert effects.columns.tolist() == ["row", "effect", "lower", "upper", "person"]
    assert len(effects) == 357
    assert not {5, 10, 201} & set(effects.row)
    assert (effects.person == effects.row + 499).all()
    truth = 2 + 0.2 * (table().age.to_numpy()[effects.row - 1] - 50)
    assert kendall_tau(effects.effect.to_numpy(), truth) > 0.8
    assert ((effects.lower < effects.effect) & (effects.effect < effects.upper)).all()


def test_the_covariate_that_moves_the_effect_is_found(analysis: Analysis) -> None:
    assert analysis.heterogeneity.p_value < 0.05
    assert analysis.modifiers.table.covariate[0] == "age"
    record = {m["covariate"]: m for m in analysis.to_json()["modifiers"]}
    assert record["age"]["strength"] > 0.8
    assert record["age"]["p_adjusted"] < 0.05
    assert record["sex"]["strength"] < 0.1
    assert record["age"]["lowest_effect"] < 0.5 < 3.5 < record["age"]["highest_effect"]
    assert {name: m["measured_on"] for name, m in record.items()} == {
        "age": "person",
        "sex": "person",
        "urban": "cluster",
    }
    assert "It differs by age" in analysis.text


def test_record_is_json_and_holds_no_person(analysis: Analysis) -> None:
    record = analysis.to_json()
    text = json.dumps(record, allow_nan=False)
    assert json.loads(text) == record

    def longest(value: Any) -> int:
        if isinstance(value, dict):
            return max([0, *map(longest, value.values())])
        if isinstance(value, list):
            return max([len(value), *map(longest, value)])
        return 0

    assert longest(record) < 30
    assert record["design"]["n"] == 357
    assert record["design"]["n_missing_outcome"] == 3
    assert record["effects"]["mean"] == pytest.approx(analysis.effects.effect.mean())
    assert record["agreement"]["kendall"][0][0] == 1
    assert [c["model"] for c in record["variance_components"]] == ["LMM"]
    assert len(record["data_sha256"]) == 64
    assert record["synthetic"] is None


def test_models_are_listed_with_weights_that_sum_to_one(analysis: Analysis) -> None:
    models = analysis.models.set_index("name")
    assert models.role.to_dict() == {
        "CBA": "reported",
        "LMM": "member",
        "T-Linear": "member",
        "X-Linear": "member",
    }
    assert models.weight.sum() == pytest.approx(1)
    assert (models.kept[1:] == (models.weight[1:] > 0)).all()
    assert (models.seconds > 0).all()
    weighted = (models.weight * models.mean_effect)[1:].sum()
    assert models.mean_effect["CBA"] == pytest.approx(weighted)
    assert analysis.agreement is not None
    assert analysis.agreement.loc["LMM", "T-Linear"] == analysis.agreement.loc["T-Linear", "LMM"]


def test_report_and_notebook_view(
    analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    path = analysis.report(tmp_path / "folder" / "r.html")
    page = path.read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "Effect of new against old on y" in page
    assert page.count("data:image/svg+xml") > 15
    assert [p.name for p in path.parent.iterdir()] == ["r.html"]
    assert "It differs by age" in analysis._repr_html_()
    with pytest.raises(TrialError, match=r"is not a folder|Not a directory"):
        analysis.report(path / "r.html")


def test_same_seed_same_numbers_whatever_the_jobs_and_the_order_of_rows() -> None:
    df = table(clusters=12, size=12)

    def run(data: pd.DataFrame, **settings: Any) -> pd.DataFrame:
        found = analyze(
            trial_of(data), models=["T-Linear", "X-Linear"], n_permutations=99, **settings
        )
        return found.effects.set_index("person")[["effect", "lower", "upper"]]

    first = run(df, random_state=3)
    pd.testing.assert_frame_equal(first, run(df, random_state=3, n_jobs=2), check_exact=True)
    shuffled = run(df.sample(frac=1, random_state=1), random_state=3).loc[first.index]
    pd.testing.assert_frame_equal(first, shuffled, check_exact=True)
    assert not first.lower.equals(run(df, random_state=4).lower)


def test_drawn_seed_is_recorded() -> None:
    trial = trial_of(table(clusters=12, size=8))
    first = analyze(trial, models=["LMM"], n_permutations=99)
    again = analyze(trial, models=["LMM"], n_permutations=99, random_state=first.provenance.seed)
    assert again.heterogeneity.p_value == first.heterogeneity.p_value
    pd.testing.assert_frame_equal(first.effects, again.effects)


def test_which_model_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    original = analysis_models.estimator

    def with_two_bases(name: str, **settings: Any) -> CateEstimator:
        if name != "Stacked-X":
            return original(name, **settings)
        return StackedX([(base, outcome_model(base)) for base in ("Linear", "LMM")], **settings)

    monkeypatch.setattr(analysis_models, "estimator", with_two_bases)
    df = table(clusters=12, size=12)
    data = validate_trial(*trial_of(df))
    one = fit_models(data, ["T-Linear"], seed=1)
    assert one.name == "T-Linear"
    assert dict(one.others) == {}
    several = fit_models(data, ["T-Linear", "LMM"], seed=1)
    assert several.name == "CBA"
    assert set(several.reported.members_) == {"T-Linear", "LMM"}
    mixed = fit_models(data, ["LMM", "Stacked-X", "T-Linear"], seed=1)
    assert mixed.name == "Stacked-X"
    assert set(mixed.others) == {"LMM", "T-Linear"}
    alone = estimator("T-Linear", random_state=1).fit_data(data)
    assert mixed.others["T-Linear"].predict_effect(data.X) == pytest.approx(
        alone.predict_effect(data.X), abs=1e-12
    )


def test_regressions_that_models_share_are_fitted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = validate_trial(*trial_of(table(clusters=12, size=12)))
    fitted: list[str] = []
    original = nuisance.fit_once

    def count(declared: nuisance.Nuisance, trial_data: Any) -> Any:
        fitted.append(f"{type(declared.model).__name__} arm {declared.arm}")
        return original(declared, trial_data)

    monkeypatch.setattr(nuisance, "fit_once", count)
    fit_models(data, ["T-Linear", "X-Linear", "LMM"], seed=1)
    assert sorted(fitted) == ["ElasticNetModel arm 0", "ElasticNetModel arm 1"]


class Failing(CateEstimator):
    """An estimator that cannot be fitted."""

    flips_exactly: ClassVar[bool] = True

    def __init__(self, random_state: Any = None, n_jobs: int = 1) -> None:
        self.random_state = random_state
        self.n_jobs = n_jobs

    def declare_nuisances(self, data: Any, seed: int) -> list[Any]:
        return []

    def fit_effect(self, data: Any, nuisances: Any, seed: int) -> None:
        raise RuntimeError("the <engine> broke")

    def predict_effect(self, X: Any) -> Any:
        raise AssertionError


def test_a_model_that_fails_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = analysis_models.estimator

    def with_failing(name: str, **settings: Any) -> CateEstimator:
        return Failing(**settings) if name == "X-RF" else original(name, **settings)

    monkeypatch.setattr(analysis_models, "estimator", with_failing)
    trial = trial_of(table(clusters=12, size=12))
    with pytest.warns(TauhatWarning, match="X-RF failed"):
        found = analyze(
            trial, models=["T-Linear", "X-RF", "LMM"], random_state=1, n_permutations=99
        )
    models = found.models.set_index("name")
    assert "the <engine> broke" in models.failure["X-RF"]
    assert models.failure["LMM"] is None
    assert np.isnan(models.mean_effect["X-RF"])
    page = found.to_html()
    assert "X-RF failed: RuntimeError: the &lt;engine&gt; broke" in page
    assert "Models that failed and are left out: X-RF" in page
    with pytest.raises(RuntimeError, match="broke"):
        analyze(trial, models=["X-RF"], random_state=1, n_permutations=99)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ("X-Forest", "unknown estimator 'X-Forest'"),
        ([], "no models are named"),
        (["LMM", "LMM"], "named twice: LMM"),
        (["quick", "LMM"], "name it alone"),
    ],
)
def test_unusable_lists_of_models(models: Any, message: str) -> None:
    with pytest.raises(TrialError, match=message):
        model_names(models, "cluster")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"level": 95}, "level must lie between 0 and 1, got 95: write 0.95 for 95%"),
        ({"level": "0.95"}, "level must be a number such as 0.95, got '0.95'"),
        ({"n_seeds": 1.5}, "n_seeds must be a whole number of 0 or more, got 1.5"),
        ({"n_permutations": 9.5}, "n_permutations must be a whole number of 1 or more, got 9.5"),
        ({"n_jobs": 0}, "n_jobs must be a whole number, 1 or more, or -1 for all cores, got 0"),
        ({"n_jobs": "2"}, "n_jobs must be a whole number, 1 or more, or -1 .* got '2'"),
        ({"models": None}, "models must be text or a list of texts, got NoneType"),
        ({"subgroups": 5}, "subgroups must be text or a list of texts, got int"),
        ({"higher_is_better": "no"}, "higher_is_better must be True or False, got 'no'"),
        ({"mcid": "2", "higher_is_better": True}, "mcid must be a positive number .* got '2'"),
        ({"target": 5}, r"a table \(DataFrame\) is needed, got int"),
    ],
)
def test_arguments_are_checked_before_the_work(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(TrialError, match=message):
        analyze(trial_of(table(clusters=12, size=8)), **wrong)


def test_level_reaches_every_interval() -> None:
    trial = trial_of(table(clusters=12, size=12))
    wide, narrow = (
        analyze(trial, models=["LMM"], random_state=1, level=level, n_permutations=99)
        for level in (0.95, 0.5)
    )
    for found in (wide, narrow):
        assert found.interval.level == found.average_effects.individual.level
    assert (wide.effects.upper > narrow.effects.upper).all()
    individual = narrow.average_effects.individual
    assert individual.upper - individual.estimate < individual.se


def test_progress_names_every_step() -> None:
    seen: list[tuple[str, int, int]] = []
    analyze(
        trial_of(table(clusters=12, size=12)),
        models=["T-Linear"],
        random_state=1,
        n_permutations=99,
        progress=lambda *state: seen.append(state),
    )
    steps = list(dict.fromkeys(step for step, _, _ in seen))
    assert steps == [
        "checking the design",
        "estimating the average effects",
        "testing whether effects differ",
        "fitting the models",
        "making intervals",
        "describing what the effects depend on",
        "describing groups by held-out effects",
        "asking what the results depend on",
    ]
    intervals = [state[1:] for state in seen if state[0] == "making intervals"]
    assert intervals == [(0, 1), (1, 2), (2, 2)]


def test_source_is_recorded() -> None:
    found = analyze(
        trial_of(table(clusters=12, size=8)),
        models=["LMM"],
        random_state=1,
        n_permutations=99,
        source=Source(file="t.csv", sha256="0" * 64, command="tauhat run t.csv"),
    )
    record = found.to_json()
    assert record["data"] == {"file": "t.csv", "sha256": "0" * 64, "read": None}
    assert record["command"] == "tauhat run t.csv"
    assert "tauhat run t.csv" in found.to_html()


def test_id_column_that_bears_the_name_of_a_result() -> None:
    df = table(clusters=12, size=8).rename(columns={"person": "effect"})
    found = analyze(trial_of(df, id="effect"), models=["LMM"], random_state=1, n_permutations=99)
    assert found.effects.columns.tolist() == ["row", "effect", "lower", "upper", "id: effect"]


def test_held_out_effects_recover_the_truth(analysis: Analysis) -> None:
    found = analysis.to_json()["held_out"]
    assert found["given"]
    assert (found["n_splits"], found["n_folds"]) == (5, 5)
    # Quarters of a normal age: the effect is 2 + .2 * 10 * (+-1.27) in the outer ones.
    for group, truth in zip(found["groups"], (-0.54, 1.35, 2.65, 4.54), strict=True):
        assert abs(group["estimate"] - truth) < 3 * group["se"] < 3
    assert found["difference"]["lower"] > 2
    assert found["calibration"]["slope"]["lower"] < 1 < found["calibration"]["slope"]["upper"]
    assert found["classification"][0]["covariate"] == "age"
    first, last = found["subgroups"]["subgroups"]
    assert first["rule"].startswith("age > ")
    assert last["rule"].startswith("age <= ")
    assert min(first["control_units"], first["treated_units"]) >= 11
    assert found["ranking"][0]["autoc"]["lower"] > 0
    gains = {p["better"]: p["comparisons"] for p in found["policy"]}
    assert list(gains) == ["higher", "lower"]
    assert isinstance(analysis.held_out, HeldOutEffects)
    assert analysis.held_out.table.estimate[3] == found["groups"][3]["estimate"]
    everyone = {k: rows[2]["estimate"] for k, rows in gains.items()}
    assert everyone["higher"] == pytest.approx(-everyone["lower"])
    average = analysis.average_effects.individual
    assert abs(everyone["higher"] - average.estimate) < average.se
    page = analysis.to_html()
    assert "Subgroups that the data suggest" in page
    assert "predicted effect do differ" in analysis.text


def test_an_ensemble_that_explains_itself_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def robust(name: str, **settings: Any) -> CateEstimator:
        members = [(own, estimator(own)) for own in ("LMM", "T-Linear")]
        return RobustEnsemble(members, **settings)

    monkeypatch.setattr(analysis_models, "estimator", robust)
    trial = trial_of(table(clusters=12, size=12))
    found = analyze(trial, models=["Robust"], random_state=1, n_permutations=99)
    told = found.to_json()["reported_model"]["explanation"]
    assert "was fixed in advance" in told["text"]
    rows = {row["member"]: row for row in told["members"]}
    assert sum(row["weight"] for row in rows.values()) == pytest.approx(1)
    for row in rows.values():
        assert row["weight"] == pytest.approx(row["given"] + row["earned"])
        assert row["given"] == pytest.approx(0.2)
    assert "Where the weights come from" in found.to_html()
