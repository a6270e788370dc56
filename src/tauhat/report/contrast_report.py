"""The report of a trial with more than two arms: one page, arms side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tauhat.inference.descriptive import DESCRIPTIVE
from tauhat.report.arms_words import arms_sentence, policy_told
from tauhat.report.compared_section import table_one
from tauhat.report.contrast_first_part import contrast_first_part
from tauhat.report.numbers import bare_p, format_count, format_p, format_percent, format_test
from tauhat.report.once import told_once
from tauhat.report.per_hundred import gain_words, told_per_hundred
from tauhat.report.pieces import cells_apart, first_upper
from tauhat.report.plots import shorten, told_apart
from tauhat.report.render import fragment_page, page, shown_sections, told, view_of
from tauhat.report.sections import check_section, made_section
from tauhat.report.survival_of_contrasts import horizons_told, survival_tables
from tauhat.report.survival_section import arms_told
from tauhat.report.text import (
    Answer,
    Run,
    covers_zero,
    estimands,
    evidence,
    for_whom_answer,
    label_name,
    scale_of,
)
from tauhat.report.view import FigureView, KeyNumber, ReportInput, ReportView, Section, TableView
from tauhat.report.voice import deferring
from tauhat.wording import join_words

# Sections of a contrast that stand on the page for all of them, in other words or once.
_TOLD = ("compared", "design", "average", "test", "survival", "made")
_ONCE = ("reading", "file")
# What is the run's and no contrast's.
_OF_ALL = ("rerun", "data", "data_sha256", "seed", "finished", "seconds", "versions", "synthetic",
           "check")  # fmt: skip


def contrast_html(run: Run, inputs: Mapping[str, ReportInput]) -> str:
    """The report of all contrasts as one HTML page.

    Parameters
    ----------
    run
        Content of ``run.json``, as in `tauhat.analysis.contrast_schema.RunOfArms`.
    inputs
        Plain results of each contrast by its name.

    Returns
    -------
    str
    """
    run = told_per_hundred(run)
    return page(_view(run, {name: told(one) for name, one in inputs.items()}))


def contrast_fragment(run: Run) -> str:
    """The answers and key numbers of all contrasts as a piece of HTML for notebooks."""
    run = told_per_hundred(run)
    return fragment_page(run, contrast_answers(run), contrast_numbers(run), arms_sentence(run))


def contrast_answers(run: Run) -> list[Answer]:
    """The answers of the first page."""
    test = run["heterogeneity_test"]
    question = "Does the effect of any arm differ between people?"
    if test["p_value"] is None:
        differs = Answer(question, "Not tested", test["text"])
    else:
        headline, words = evidence(test["p_value"])
        each = "; ".join(
            f"{one['contrast']} {format_p(one['p_adjusted'])}"
            for one in test["contrasts"]
            if one["p_adjusted"] is not None
        )
        differs = Answer(
            question,
            headline,
            f"The primary test, one over all contrasts, gives {words} that an effect differs "
            f"between people ({format_p(test['p_value'])}). Adjusted for the number of contrasts: "
            f"{each}.",
        )
    told = {
        name: for_whom_answer(deferring(one, run, name)) for name, one in run["contrasts"].items()
    }
    heads = list(dict.fromkeys(answer.headline for answer in told.values()))
    shown = test["p_value"] is not None and test["p_value"] < 0.05
    several = "It depends on the comparison" if shown else "This trial cannot say"
    whom = Answer(
        "For whom?",
        heads[0] if len(heads) == 1 else several,
        " ".join(f"{name}: {answer.text}" for name, answer in told.items()),
    )
    return [differs, whom, _policy_answer(run)]


def _policy_answer(run: Run) -> Answer:
    """Which arm for whom, and whether that is better than one arm for everyone."""
    question = "Which arm for whom?"
    if not run["policy"]:
        return Answer(question, "Not estimated", run["no_policy"])
    one = run["policy"][0]
    better = not covers_zero(one["over_best"]) and one["over_best"]["estimate"] > 0
    return Answer(
        question,
        "Choosing by the model is better than one arm for everyone"
        if better
        else f"Not shown to be better than {one['best_arm']} for everyone",
        policy_told(run)[0],
    )


def contrast_numbers(run: Run) -> list[KeyNumber]:
    """The numbers of the first page."""
    numbers = []
    for one in run["average_effects"]:
        part = run["contrasts"][one["contrast"]]
        scale, level = scale_of(part), format_percent(part["interval"]["level"])
        found = one[part["average_effect"]["primary"]]
        numbers.append(
            KeyNumber(
                f"Average effect, {one['contrast']}",
                scale(found["estimate"]),
                f"{level} CI {scale.interval(found['lower'], found['upper'])}",
            )
        )
    test = run["heterogeneity_test"]["p_value"]
    persons = sum(arm["n"] for arm in run["arms"])
    return [
        *numbers,
        KeyNumber("Test of differing effects", format_test(test), "one test, all contrasts"),
        KeyNumber("Persons analysed", f"{persons:,}", f"{len(run['arms'])} arms"),
    ]


def _view(run: Run, inputs: Mapping[str, ReportInput]) -> ReportView:
    inputs = {name: replace(one, run=deferring(one.run, run, name)) for name, one in inputs.items()}
    parts = {name: shown_sections(one) for name, one in inputs.items()}
    runs = {name: one.run for name, one in inputs.items()}
    first = next(iter(inputs.values()))
    # What the run as a whole has of its own, in the place of that of a contrast.
    whole = replace(first, run={**first.run, **{name: run[name] for name in _OF_ALL}})
    labels = told_apart([label_name(run, arm["label"]) for arm in run["arms"]], 60)
    outcome = shorten(first.run["roles"]["outcome"], 60)
    shown = [
        _compared_section(run, parts, inputs, labels),
        _design_section(run, parts),
        _average_section(run, inputs),
        _test_section(run),
        _policy_section(run),
        _modifier_section(inputs),
        *_survival_section(parts, runs),
        *_joined(parts),
        made_section(whole),
    ]
    return view_of(
        whole,
        _title(run, labels, outcome),
        arms_sentence(run),
        contrast_first_part(
            run,
            runs,
            parts,
            contrast_answers({**run, "contrasts": runs}),
            _average_section(run, inputs).tables,
        ),
        contrast_numbers(run),
        shown,
    )


def _title(run: Run, labels: Sequence[str], outcome: str) -> str:
    """What is compared: each arm against the control, or other pairs."""
    controls = {part["design"]["arms"]["control"]["label"] for part in run["contrasts"].values()}
    if len(controls) == 1:
        return f"Effects of {join_words(labels[1:])} against {labels[0]} on {outcome}"
    return f"Comparisons of {join_words(labels)}, effects on {outcome}"


def _compared_section(
    run: Run,
    sections: Mapping[str, list[Section]],
    inputs: Mapping[str, ReportInput],
    labels: Sequence[str],
) -> Section:
    """What was compared, contrast by contrast, and all arms in one Table 1."""
    found = _of_kind(sections, "compared")
    # Tables of two arms each would tell together what each of them hides.
    flows = {name: replace(section, tables=section.tables[:1]) for name, section in found.items()}
    tables = [*_pictured(flows)[1], *_table_one(run, inputs, labels)]
    first = next(iter(found.values()))
    told = told_once({name: section.paragraphs for name, section in found.items()})
    return replace(first, paragraphs=told, tables=tables)


def _table_one(
    run: Run, inputs: Mapping[str, ReportInput], labels: Sequence[str]
) -> list[TableView]:
    """Table 1 of all arms, each as the contrast has it that compares most of its persons."""
    frames: list[pd.DataFrame] = []
    for arm in run["arms"]:
        of_arm = [
            data.frame.loc[np.asarray(data.treatment) == number]
            for name, data in inputs.items()
            for number, role in enumerate(("control", "treated"))
            if run["contrasts"][name]["design"]["arms"][role]["label"] == arm["label"]
        ]
        frames.append(max(of_arm, key=len))
    number = np.repeat(np.arange(len(frames)), list(map(len, frames)))
    return table_one(pd.concat(frames, ignore_index=True), number, cells_apart(labels, 40))


def _design_section(run: Run, sections: Mapping[str, list[Section]]) -> Section:
    """The arms, and the check of all contrasts."""
    clustered = any(arm["clusters"] is not None for arm in run["arms"])
    rows = [
        [
            f"{arm['label']} (control)" if number == 0 else arm["label"],
            *(["–" if arm["clusters"] is None else format_count(arm["clusters"])] * clustered),
            format_count(arm["n"]),
        ]
        for number, arm in enumerate(run["arms"])
    ]
    arms = TableView("The arms", ["Arm", *["Clusters"] * clustered, "Persons"], rows)
    figures, tables = _pictured(_of_kind(sections, "design"))
    return replace(
        check_section(run["check"]), figures=figures, tables=[arms, *tables], beside=False
    )


def _average_section(run: Run, inputs: Mapping[str, ReportInput]) -> Section:
    """Average effects of all contrasts in one table."""
    rows, notes = [], []
    level = ""
    for one in run["average_effects"]:
        part = inputs[one["contrast"]].run
        scale, level = scale_of(part), format_percent(part["interval"]["level"])
        notes.append(f"{one['contrast']}: {part['average_effect']['method']}.")
        for kind in estimands(part):
            cells = scale.cells(one[kind])
            rows.append([one["contrast"], f"{kind}-average", *cells, p_adjusted(one, kind)])
    headers = ["Contrast", "Estimand", "Effect", "SE", f"{level} CI", "p", "p adjusted"]
    return Section(
        "average",
        "Average effects",
        paragraphs=[
            "These come from the randomization, each from the two arms that it compares. "
            "The column p adjusted allows for the number of contrasts (Holm), for each estimand "
            "alone; p and the intervals do not."
        ],
        tables=[TableView("Average effects by contrast", headers, rows, numeric_from=2)],
        notes=list(dict.fromkeys(notes)),
    )


def p_adjusted(one: Mapping[str, Any], estimand: str) -> str:
    """Adjusted p-value of a contrast's average effect, "individual" or "cluster"."""
    return bare_p(one["p_adjusted" if estimand == "individual" else "p_adjusted_cluster"])


def _test_section(run: Run) -> Section:
    """The one primary test, and each contrast's part in it."""
    test = run["heterogeneity_test"]
    if test["p_value"] is None:
        return Section("test", "Does any effect differ? Not tested", paragraphs=[test["text"]])
    rows = [
        [one["contrast"], bare_p(one["p_value"]), bare_p(one["p_adjusted"])]
        for one in test["contrasts"]
    ]
    return Section(
        "test",
        "Does any effect differ? The primary test",
        paragraphs=[
            test["text"],
            "This is the one test of the hypothesis that no arm's effect differs between "
            "persons. Adjusted p-values say in which contrasts; all else is descriptive.",
        ],
        tables=[TableView("Test by contrast", ["Contrast", "p", "p adjusted"], rows)],
    )


def _policy_section(run: Run) -> Section:
    """Which arm for whom."""
    if not run["policy"]:
        return Section("arms", "Which arm for whom", paragraphs=[run["no_policy"]])
    scale = scale_of(next(iter(run["contrasts"].values())))
    rows, shares = [], []
    for one in run["policy"]:
        better = f"{one['better']} is better"
        for key, words in (
            ("over_control", "by the model against control for all"),
            ("over_best", f"by the model against {one['best_arm']} for all"),
        ):
            found = one[key]
            interval = scale.interval(found["lower"], found["upper"])
            rows.append([better, words, scale(found["estimate"]), interval])
        shares.append([better, *(format_percent(share) for share in one["shares"].values())])
    labels = list(run["policy"][0]["shares"])
    gain = first_upper(gain_words(next(iter(run["contrasts"].values()))))
    return Section(
        "arms",
        "Which arm for whom",
        paragraphs=[
            f"If {one['better']} outcomes are better. {one['text'].replace(f' {DESCRIPTIVE}', '')}"
            for one in run["policy"]
        ],
        tables=[
            TableView(gain, ["Outcome", "Policy", "Gain", "CI"], rows, numeric_from=2),
            TableView("Share of persons given each arm", ["Outcome", *labels], shares),
        ],
        beside=False,
    )


def _modifier_section(inputs: Mapping[str, ReportInput]) -> Section:
    """Each covariate's adjusted p-value in every contrast, side by side."""
    by_name = {
        name: {found["covariate"]: found for found in one.run["modifiers"]}
        for name, one in inputs.items()
    }
    covariates = dict.fromkeys(c for found in by_name.values() for c in found)
    rows = []
    for covariate in covariates:
        cells = [covariate]
        for found in by_name.values():
            one = found.get(covariate)
            strength = "–" if one is None else format_percent(one["strength"])
            p = None if one is None else one["p_adjusted"]
            cells += [strength, "–" if p is None else bare_p(p)]
        rows.append(cells)
    headers = ["Covariate", *(f"{name}: {what}" for name in by_name for what in ("share", "p"))]
    return Section(
        "side-by-side",
        "Covariates side by side",
        paragraphs=[
            "Share of the variation of the estimated effects that goes with each covariate, and "
            "the p-value of its own test in that contrast, adjusted for the number of covariates "
            "but not of contrasts."
        ],
        tables=[TableView("Covariates by contrast", headers, rows)],
    )


def _survival_section(parts: Mapping[str, list[Section]], runs: Mapping[str, Run]) -> list[Section]:
    """Times to an event: all arms in one table; none where the outcome is no time."""
    found = _of_kind(parts, "survival")
    if not found:
        return []
    figures, _ = _pictured(found)
    told = told_once({name: arms_told(runs[name]) for name in found})
    return [
        replace(
            next(iter(found.values())),
            paragraphs=[*told, *horizons_told(runs)],
            figures=figures,
            tables=survival_tables(runs),
            beside=False,
        )
    ]


def _joined(parts: Mapping[str, list[Section]]) -> list[Section]:
    """Sections of the contrasts, those of a kind as one."""
    anchors = dict.fromkeys(s.anchor for sections in parts.values() for s in sections)
    joined = []
    for anchor in anchors:
        if anchor in _TOLD:
            continue
        found = _of_kind(parts, anchor)
        first = next(iter(found.values()))
        if anchor in _ONCE:
            joined.append(first)
            continue
        figures, tables = _pictured(found)
        joined.append(
            replace(
                first,
                paragraphs=told_once({k: s.paragraphs for k, s in found.items()}),
                items=told_once({k: s.items for k, s in found.items()}),
                notes=told_once({k: s.notes for k, s in found.items()}),
                figures=figures,
                tables=tables,
                beside=False,
            )
        )
    return joined


def _of_kind(parts: Mapping[str, list[Section]], anchor: str) -> dict[str, Section]:
    """Each contrast's section of a kind."""
    return {
        name: section
        for name, sections in parts.items()
        for section in sections
        if section.anchor == anchor
    }


def _pictured(found: Mapping[str, Section]) -> tuple[list[FigureView], list[TableView]]:
    """Figures and tables of the contrasts' sections, each with the name of its contrast."""
    figures = [
        replace(figure, caption=f"{name}: {figure.caption}")
        for name, section in found.items()
        for figure in section.figures
    ]
    tables = [
        replace(table, caption=f"{name}: {table.caption}")
        for name, section in found.items()
        for table in section.tables
    ]
    return figures, tables
