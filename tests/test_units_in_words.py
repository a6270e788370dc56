"""Reports in the words of what was randomized, of what was measured, and of no program."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.analysis.record import design_record
from tauhat.report.first_part import first_part
from tauhat.report.model_sections import variance_section
from tauhat.report.randomized_units import units_told
from tauhat.report.text import units_sentence
from tauhat.report.view import ReportInput, Section
from tauhat.report.voice import neutral
from test_report import example_input, example_run


def visits(events: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    clinic, patient = np.repeat(np.arange(12), 15), np.repeat(np.arange(60), 3)
    df = pd.DataFrame({"clinic": clinic, "patient": patient, "arm": clinic % 2})
    df["provider"] = clinic * 5 + np.tile(np.repeat(np.arange(5), 3), 12) // 2
    df["age"] = rng.normal(60, 8, 180).round()
    level = 0.8 * rng.normal(size=12)[clinic] + 0.8 * rng.normal(size=60)[patient]
    df["y"] = level + rng.normal(size=180)
    return df.assign(y=(df.y > 0).astype(int)) if events else df


def test_rows_of_participants_are_no_persons_in_clusters() -> None:
    trial = th.Trial(
        visits(), outcome="y", treatment="arm", participant="patient", covariates=["age"]
    )
    check = trial.check()
    table = check.table.set_index("item")["value"]
    assert table["design"] == "randomized by participants (patient)"
    assert table["participants"].startswith("60 (30 control")
    assert not any("cluster" in note for note in check.notes)
    run = example_run()
    run["design"] = design_record(trial, None)
    assert run["design"]["type"] == "participant"
    told = units_told(units_sentence(run), run)
    assert told.startswith("60 participants with 180 analysed rows were randomized to")
    run["design"]["type"] = "cluster"
    assert units_told(units_sentence(run), run).startswith("60 clusters with 180 analysed persons")


@pytest.mark.parametrize(
    ("events", "levels", "said"),
    [
        (False, ["clinic", "provider"], "LMM, GAMM and BRM have a random intercept at each level;"),
        (True, ["clinic", "provider"], "at the two outermost levels, clinic and provider;"),
    ],
)
def test_the_check_says_which_levels_have_an_intercept(
    events: bool, levels: list[str], said: str
) -> None:
    trial = th.Trial(
        visits(events), outcome="y", treatment="arm", cluster=levels, participant="patient",
        covariates=["age"],
    )  # fmt: skip
    assert any(said in note for note in trial.check().notes)


def test_variances_on_the_scale_of_a_model_are_marked() -> None:
    trial = th.Trial(
        visits(True), outcome="y", treatment="arm", cluster="clinic", covariates=["age"]
    )
    found = {
        name: trial.fit(name, random_state=1).variance_components_ for name in ("LMM", "S-LMM")
    }
    assert {name: one.scale for name, one in found.items()} == {
        "LMM": "log odds",
        "S-LMM": "outcome",
    }
    components = [
        {
            "model": name,
            "between_cluster": one.between_cluster,
            "residual": one.residual,
            "icc": one.icc,
            "within_cluster": [],
            "icc_within_cluster": [],
            "scale": one.scale,
        }
        for name, one in found.items()
    ]
    section = variance_section(_of_run(components))
    assert section is not None
    assert [row[1] for row in section.tables[0].rows] == ["log odds", "outcome"]
    assert "do not compare them across scales" in section.paragraphs[0]
    plain = variance_section(_of_run(components[1:]))
    assert plain is not None
    assert plain.tables[0].headers == ["Model", "Between", "Within", "ICC"]


def _of_run(components: list[dict[str, object]]) -> ReportInput:
    return example_input(example_run(variance_components=components))


def test_those_without_an_outcome_are_counted_in_one_sentence() -> None:
    run = example_run()
    design = run["design"]
    design |= {"n_missing_outcome": 58, "n_counted": design["n"] + 58}
    everyone = f"{design['n'] + 58:,}"
    assert f"Averages and tests count all {everyone} enrolled" in units_sentence(run)
    compared = first_part(run, [Section("groups", ""), Section("named", "")])[0]
    assert compared.headline.startswith(f"{everyone} persons, {design['n']:,} with an outcome")
    design["n_counted"] = design["n"]
    assert "Averages" not in units_sentence(run)


def test_the_page_speaks_of_settings_and_not_of_arguments() -> None:
    told = neutral({"notes": ["Name those with covariates=.", "a level 'cluster=5' is rare"]})
    assert told == {"notes": ["Name those with the setting 'covariates'.",
                              "a level 'cluster=5' is rare"]}  # fmt: skip
