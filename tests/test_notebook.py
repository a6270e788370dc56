"""In a notebook every result shows a table and a sentence, and progress is seen as it goes."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import io
import pkgutil
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat
from tauhat.analysis import Analysis, analyze
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.learners.catalog import single_estimator
from tauhat.outcome_model import VarianceComponents
from tauhat.power import power_one_arm, power_several_arms, power_stepped_wedge
from tauhat.report.plots import Plot
from tauhat.runtime.progress import NotebookCell, PlainLines, progress_display
from tauhat.simulate import performance, scenario
from tauhat.trial.trial import Trial

#: Rooms whose results people look at.
ROOMS = (
    "analysis",
    "outcome_model",
    "trial.checks.design_check",
    "ensembles",
    "inference",
    "power",
)
ROOMS += ("runtime.provenance",)
#: Parts of a result or what a function works with; not shown by themselves.
PARTS = {
    "ArmMeans", "Assignments", "Boundary", "Box", "ClusterInformation", "ClusterInteraction",
    "Comparison", "PlannedDesign", "EffectLoss", "HeldOut", "IndividualInteraction", "Jackknife",
    "AnalysisParts", "EventInteraction", "Field", "OrderedTrial", "PersonScores", "Problem",
    "ExposureEffects", "PeriodAverages", "Source",
    "UnitScores", "FittedModels", "CalibrationProblem", "MemberFit", "Together",
    "EarnedWeights", "EqualShares", "EvidenceShares", "EvidenceWeights", "GivenAndEarned",
    "LearnedRule", "LearnedWeights", "ImputedWeights", "Interaction",
    "MemberPlan", "ModifierGroup", "NamedModifier", "OutOfFold",
    "PlanFollowed", "RankWeights",
    "Recipe", "Refits", "RelativeEffects", "RuleWeights", "ShrunkWeights", "Signs", "Sums",
    "Strategy",
    "TargetGroups", "TargetWeights", "TemperedWeights", "Weights",
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("short_chains")


def small_trial() -> Trial:
    rng = np.random.default_rng(2)
    clinic = np.repeat(np.arange(14), 12)
    n = len(clinic)
    df = pd.DataFrame({"clinic": clinic, "arm": clinic % 2, "age": rng.normal(60, 9, n)})
    df["female"] = rng.integers(0, 2, n)
    df["y"] = df.arm * (df.age - 58) * 0.5 + rng.normal(0, 3, n)
    df.loc[:8, "y"] = np.nan
    return Trial(df, outcome="y", treatment="arm", cluster="clinic")


@pytest.fixture(scope="module")
def trial() -> Trial:
    return small_trial()


@pytest.fixture(scope="module")
def found(trial: Trial) -> Analysis:
    settings = {"mcid": 1.0, "higher_is_better": True}
    return analyze(trial, models=["LMM", "T-Linear"], random_state=1, n_permutations=99, **settings)


def results(trial: Trial, found: Analysis) -> Iterator[Any]:
    """One of every kind of result that the public functions give."""
    rng = np.random.default_rng(3)
    fit = tauhat.cross_fit(trial, "LMM", n_splits=2, n_folds=2, random_state=1)
    robust = tauhat.ensembles.RobustEnsemble(
        [(name, single_estimator(name)) for name in ("LMM", "T-Linear")], random_state=1
    ).fit(*trial)
    held_out = found.held_out
    assert not isinstance(held_out, str)
    yield from (trial, found, found.check, found.check.icc, found.provenance, found.interval)
    yield from (found.average_effects, found.average_effects.individual, found.heterogeneity)
    yield from (found.modifiers, found.sensitivity, found.clusters, held_out, fit)
    yield from (held_out.groups, held_out.classification, held_out.calibration)
    yield from (held_out.by_covariate, held_out.subgroups, *held_out.subgroups.subgroups)
    yield from held_out.ranking.values()
    yield from held_out.policy.values()
    yield from found.plots().values()
    yield from (robust, robust.explain(), found.model, single_estimator("LMM"))
    yield VarianceComponents(1.0, 9.0)
    yield tauhat.group_effect(fit, "female == 1")
    yield tauhat.effect_curve(fit, "female")
    yield tauhat.interaction_effects(trial, "female")
    yield tauhat.best_linear_predictor(fit)
    yield tauhat.compare(trial, ["LMM", "T-Linear"], n_splits=1, random_state=1)
    yield tauhat.power_hte(n_clusters=40, cluster_size=20, icc=0.05, icc_x=0.0, sd_x=1.0, delta=0.3)
    yield tauhat.power_by_simulation(
        "crt-null-m20-icc10", n=100, n_trials=4, n_permutations=19, random_state=1
    )
    yield performance([1.0, 1.2, 0.9], 1.0)
    yield scenario("linear").population_values(2_000)
    drawn = scenario("survival").draw(200, random_state=1)
    df = drawn.X.assign(arm=drawn.treatment, months=drawn.time, died=drawn.event)
    roles = {"outcome": "months", "treatment": "arm", "covariates": list(drawn.X)}
    timed = Trial(df, event="died", horizon=drawn.horizon, **roles)
    events = scenario("binary").draw(200, random_state=1)
    risks = tauhat.average_effects(events).individual_risks
    assert risks is not None
    yield from (risks, risks.number_needed)
    yield from (found.relevance, tauhat.effect_over_horizons(timed, [drawn.horizon]))
    target = tauhat.average_effects(trial, target=trial.frame).target
    assert target is not None
    yield target
    arms = pd.DataFrame({"arm": np.arange(150) % 3, "x": rng.normal(size=150)})
    arms["y"] = arms.x * (arms.arm == 2) + rng.normal(size=150)
    several = Trial(arms, outcome="y", treatment="arm")
    joined = analyze(several, models=["LMM"], random_state=1, n_permutations=99)
    assert not isinstance(joined.policy, str)
    yield from (joined, joined.average_effects, joined.heterogeneity, *joined.policy.values())
    yield from (tauhat.survival_by_arm(timed), tauhat.profile_curves(timed, drawn.X.head(1)))
    yield from (tauhat.effect_over_horizons(timed, [12]), tauhat.survival_of_groups(timed))
    yield power_stepped_wedge(12, n_periods=4, cluster_period_size=10, effect=0.4, icc=0.05)
    yield power_several_arms(n_arms=3, n_persons=300, delta=0.4)
    yield power_one_arm(n_clusters=12, cluster_size=10, icc=0.1, effect=0.5)
    yield tauhat.power_rmst(n_persons=400, horizon=24, survival_control=0.4, survival_treated=0.5)


def test_every_result_has_a_table_a_text_and_html(trial: Trial, found: Analysis) -> None:
    shown: set[str] = set()
    for one in results(trial, found):
        kind = type(one).__name__
        shown.add(kind)
        assert isinstance(one.table, pd.DataFrame), kind
        assert len(one.table) > 0, kind
        assert isinstance(one.text, str), kind
        assert len(one.text) > 10, kind
        html = one._repr_html_()
        assert html.lstrip().startswith("<"), kind
        assert "<script" not in html or isinstance(one, CateEstimator), kind
    assert shown >= {cls.__name__ for cls in result_classes()}


def result_classes() -> set[type]:
    """Every public dataclass of the rooms whose results people look at."""
    found = set()
    for room in ROOMS:
        package = importlib.import_module(f"tauhat.{room}")
        modules = [package]
        for module in pkgutil.iter_modules(getattr(package, "__path__", []), f"tauhat.{room}."):
            modules.append(importlib.import_module(module.name))
        for module in modules:
            # A function may bear the name of its module.
            home = sys.modules[module.__name__] if isinstance(module, ModuleType) else module
            for name, cls in inspect.getmembers(home, inspect.isclass):
                home_of = cls.__module__.removeprefix("tauhat.")
                ours = home_of.startswith(ROOMS)
                shown = ours and not name.startswith("_") and name not in PARTS
                if shown and dataclasses.is_dataclass(cls):
                    found.add(cls)
    return found


def test_an_estimator_says_what_it_is_before_and_after_its_fit(trial: Trial) -> None:
    model = single_estimator("LMM")
    assert model.text == "LinearMixedEffect, not fitted."
    assert model.table["value"].tolist() == ["LinearMixedEffect", "no"]
    model.set_params(random_state=1).fit(*trial)
    effect = model.effect(trial.X)
    assert f"a mean of {effect.mean():.4g}" in model.text
    values = dict(model.table.itertuples(index=False, name=None))
    assert values["clusters"] == 14
    assert values["SD of effects"] == pytest.approx(effect.std())


def test_a_model_saved_without_rows_says_so(trial: Trial, tmp_path: Any) -> None:
    model = single_estimator("LMM").set_params(random_state=1).fit(*trial)
    tauhat.save(model, tmp_path / "m", with_data=False)
    loaded = tauhat.load(tmp_path / "m")
    assert "rows of its trial were not saved" in loaded.text
    assert loaded.table["value"].iloc[-1] == "yes; the trial's rows were not saved"


def test_table_of_an_analysis_holds_its_key_numbers(found: Analysis) -> None:
    table = found.table.set_index("result")
    individual = found.average_effects.individual
    assert table.loc["individual-average effect", "estimate"] == individual.estimate
    assert table.loc["test of a constant effect", "p"] == found.heterogeneity.p_value
    assert "outer quarters by predicted effect" in table.index


def test_figures_of_chosen_covariates(found: Analysis) -> None:
    assert len(found.plot_map("age", "female").data) == 10
    drawn = found.plot_covariate("female")
    assert isinstance(drawn, Plot)
    assert drawn.data.group.tolist() == ["0", "1"]
    with pytest.raises(ValueError, match="no covariate 'sex'; it has age, female"):
        found.plot_covariate("sex")


def test_single_persons_are_shown_only_when_that_is_asked_for(
    found: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tauhat.report.plots.to_data_uri", lambda figure: "data:,")
    plain, asked = found.to_html(), found.to_html(patient_level=True)
    assert 'id="persons"' not in plain
    assert "No value of a single person" in plain
    assert asked.index("values of single persons") < asked.index("<main>")
    assert "No value of a single person" not in asked
    part = asked[asked.index('<section id="persons">') : asked.index('<section id="reading">')]
    assert part.count("<tr>") == len(found.effects) + 1
    first = found.effects.sort_values("effect").iloc[0]
    assert f'<th scope="row">{first["row"]:.0f}</th>' in part


class FakeDisplay:
    """Stands for IPython.display."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.updates = 0

    def HTML(self, text: str) -> str:  # noqa: N802  (its name in IPython)
        return text

    def display(self, content: str, display_id: bool) -> FakeDisplay:
        assert display_id
        self.shown.append(content)
        return self

    def update(self, content: str) -> None:
        self.updates += 1
        self.shown.append(content)


@pytest.mark.usefixtures("quick_run")
def test_progress_in_a_notebook_is_one_line_that_is_renewed(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    display = FakeDisplay()
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    assert isinstance(progress_display(), NotebookCell)
    analyze(trial, models="LMM", random_state=1, n_permutations=99, progress=True)
    assert display.updates == len(display.shown) - 1
    assert any("fitting the models" in text for text in display.shown)
    assert "done" in display.shown[-1]
    fails = NotebookCell(display)
    fails("a <b>", 1, 2)
    fails.__exit__(RuntimeError, RuntimeError(), None)
    assert display.shown[-2].count("a &lt;b&gt;: 1 of 2") == 1
    assert "stopped while a &lt;b&gt;" in display.shown[-1]


@pytest.mark.usefixtures("quick_run")
def test_progress_in_a_log_is_plain_lines(
    trial: Trial, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A terminal shell of IPython has no kernel and is a terminal like any other.
    shell = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert isinstance(progress_display(), PlainLines)
    analyze(trial, models="LMM", random_state=1, n_permutations=99, progress=True)
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) >= 8
    assert all(line.startswith("tauhat: ") and line.isprintable() for line in lines)
    assert not set("\x1b\r\b") & set(said.err)


def test_without_asking_there_is_no_progress(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    PlainLines(stream)("a step", 0, 1)
    assert stream.getvalue().endswith("s  a step\n")
    tauhat.average_effects(trial)
    assert capsys.readouterr().err == ""
