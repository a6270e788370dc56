"""Reports tell effects on an event per 100 persons everywhere; ``run.json`` keeps risks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.analysis.models import model_names
from tauhat.cli.printed_tables import print_analysis
from tauhat.registry import registered
from tauhat.report import gallery
from tauhat.report.effects_told import effects_told
from tauhat.report.paper import paper
from tauhat.report.per_hundred import told_per_hundred
from tauhat.report.pieces import axis_label
from tauhat.report.render import build_view, told

# Numbers of run.json that are no effects: shares, counts, p-values and the like. A new key of
# the record must be put here or among those of `tauhat.report.per_hundred`.
NO_EFFECTS = frozenset(
    {
        *("p_value", "p_adjusted", "statistic", "degrees_of_freedom", "share", "share_treated"),
        *("strength", "partial_share", "trend", "weight", "earned", "earned_sd", "given", "mean"),
        *("kendall", "agreement", "seconds", "level", "n", "persons", "power", "spread", "sd"),
        *("share_interval_excludes_zero", "found", "control_units", "treated_units"),
        *("n_splits", "n_folds", "split", "value", "n_cut", "p_value_range"),
        *("share_expected", "share_shown", "share_excluded", "expected", "shown", "excluded"),
        *("schema", "seed", "largest_effect", "n_tests"),
    }
)


@pytest.fixture(scope="module")
def trial() -> th.Trial:
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"arm": np.arange(240) % 2, "age": rng.normal(size=240)})
    table["sex"] = rng.integers(0, 2, 240)
    risk = 1 / (1 + np.exp(0.9 - 0.7 * table.age + 0.8 * table.arm))
    table["relapse"] = (rng.random(240) < risk).astype(int)
    return th.Trial(table, outcome="relapse", treatment="arm")


@pytest.fixture(scope="module")
def found(trial: th.Trial) -> th.Analysis:
    made = th.analyze(
        trial,
        models=["LMM", "GAMM"],
        random_state=1,
        n_permutations=49,
        higher_is_better=False,
        modifiers=["sex"],
        mcid=0.05,
    )
    assert isinstance(made, th.Analysis)
    return made


def leaves(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every number with the keys that lead to it."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, (*place, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, (*place, str(number)))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield place, value


def test_every_effect_of_the_record_is_told_per_100_and_nothing_else(
    found: th.Analysis, trial: th.Trial
) -> None:
    run = found.to_json()
    average = th.average_effects(trial).individual
    assert run["average_effect"]["individual"]["estimate"] == average.estimate
    made = dict(leaves(told_per_hundred(run)))
    changed = {}
    for place, value in leaves(run):
        factor = 1.0 if value == made[place] else made[place] / value
        assert factor == pytest.approx(1) or factor == pytest.approx(100), place
        changed[place] = factor > 2
    kept = {place for place, yes in changed.items() if not yes and dict(leaves(run))[place] != 0}
    # Where effects stand ...
    for part in ("average_effect", "named_modifiers", "held_out", "effects", "models"):
        assert any(yes for place, yes in changed.items() if place[0] == part), part
    # ... whatever is left is no effect by its name, or stands in a part without any.
    parts = {"average_risks", "relative_effect", "design", "seconds", "variance_components"}
    for place in kept:
        names = [name for name in place if not re.fullmatch(r"[\d.]+", name)]
        if place[0] in parts or {"classification", "slope", "risks", "parts"} & set(names):
            continue
        assert names[-1] in NO_EFFECTS, place
    # What it was made of is as it was.
    assert found.to_json() == run


def test_sentences_and_figures_say_so(
    found: th.Analysis, capsys: pytest.CaptureFixture[str]
) -> None:
    run = found.to_json()
    effect = 100 * run["average_effect"]["individual"]["estimate"]
    print_analysis(run, [])
    said = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "Effects are risk differences per 100 persons in relapse." in said
    assert re.search(rf"individual-average +{effect:.1f} ", said)
    assert f"{effect:.1f} per 100 persons".replace("-", "−") in found.text
    results = next(s for s in paper(run).sections if s.anchor == "results").paragraphs
    assert f"average effect was −{abs(effect):.1f} per 100 persons (95%" in " ".join(results)
    data = effects_told(found.report_input())
    assert axis_label(data) == "Effect on relapse per 100 persons"
    assert np.allclose(data.effect, 100 * found.report_input().effect)
    drawn = gallery.average_effects_figure(data)
    assert drawn.rows[0]["estimate"] == pytest.approx(effect)
    view = build_view(told(found.report_input()))
    assert view.numbers[0].value == f"−{abs(effect):.1f} per 100 persons"
    said = " ".join(one for s in (*view.first, *view.sections) for one in (*s.paragraphs, *s.items))
    assert "A gain of at least 5 per 100 persons" in said
    # No effect of a few hundredths is left in a sentence: p-values and ratios have a name.
    small = re.findall(r"(?<!p = )(?<!p < )(?<!about )[−-]?\b0\.0\d+\b", said)
    assert not small, small
    credibility = next(s for s in view.sections if s.anchor == "subgroups").tables
    if len(credibility) > 1:
        basis = " ".join(row[-1] for row in credibility[-1].rows)
        assert "per 100 persons (95% confidence interval" in basis


def test_the_explanation_of_an_ensemble_is_told_per_100_too() -> None:
    text = "Mean effect -0.0613, standard deviation over persons 0.0487; the members' mean"
    run = {"endpoint": {"in_risks": True}, "reported_model": {"explanation": {"text": text}}}
    assert told_per_hundred(run)["reported_model"]["explanation"]["text"] == (
        "Mean effect -6.13 per 100 persons, standard deviation over persons 4.87; the members' mean"
    )


def test_probabilities_at_a_horizon_are_told_per_100(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"arm": np.arange(200) % 2, "age": rng.normal(size=200)})
    table["months"] = rng.exponential(12 + 6 * table.arm)
    table["died"] = table.months < 24
    trial = th.Trial(
        table.assign(months=table.months.clip(upper=24)),
        outcome="months",
        treatment="arm",
        event="died",
        horizon=18,
        endpoint="survival",
    )
    found = th.analyze(trial, models=["LMM"], random_state=1, n_permutations=49)
    assert isinstance(found, th.Analysis)
    run = found.to_json()
    effect = run["average_effect"]["individual"]["estimate"]
    assert 0.05 < effect < 0.4
    words = "survival differences per 100 persons at 18 months"
    print_analysis(run, [])
    said = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert f"Effects are {words}." in said
    assert f"average effect was {100 * effect:.1f} per 100 persons (95%" in str(paper(run).sections)
    view = build_view(told(found.report_input()))
    assert view.numbers[0].value == f"{100 * effect:.1f} per 100 persons"
    part = next(section for section in view.sections if section.anchor == "survival")
    arms, horizons = part.tables
    assert arms.caption.endswith("without an event, per 100 persons")
    curves = th.survival_by_arm(trial).table
    assert float(arms.rows[0][5]) == pytest.approx(100 * curves.estimate.iloc[0], abs=0.1)
    assert horizons.caption == "Average effect by horizon, per 100 persons"
    assert float(horizons.rows[-1][1]) == pytest.approx(100 * effect, abs=0.1)
    # Ratios stay, and so do the curves that are drawn.
    ratio = run["average_effect"]["ratio"]["individual"]["estimate"]
    assert f"probability is {ratio:.2f} times" in part.paragraphs[0]
    assert "an outcome whose mean is this probability although" in part.paragraphs[1]
    data = effects_told(found.report_input())
    assert axis_label(data) == "Survival difference per 100 persons"
    means = gallery.mean_effects(data)
    label = means.figure.axes[0].get_xlabel()
    assert label == "Mean of the estimated effects on survival per 100 persons"
    drawn = gallery.survival_by_arm(data)
    assert drawn is not None
    assert drawn.data["probability"].max() == 1


def test_quick_models_of_an_event_model_its_risks(trial: th.Trial) -> None:
    names = model_names("quick", trial.design, trial.endpoint.link)
    assert names == ("LMM", "GAMM", "Risk")
    assert all(registered(name).draws_risks for name in names)
    assert model_names("quick", trial.design) != names
