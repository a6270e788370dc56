"""What ``tauhat methods`` prints of a run: methods, results, guideline items, references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tauhat.registry import source_of
from tauhat.report.named_words import when_named
from tauhat.report.numbers import format_percent
from tauhat.report.paper_items import CONSORT_OVER_PERIODS, items_sections
from tauhat.report.paper_results import results
from tauhat.report.per_hundred import told_per_hundred
from tauhat.report.randomized_units import in_clusters, units_told
from tauhat.report.references import cited_in
from tauhat.report.text import (
    Run,
    arm_name,
    effects_in_words,
    how_persons_count,
    plan_sentence,
)
from tauhat.report.view import DocumentView, Section
from tauhat.wording import counted, join_words


def paper(run: Run) -> DocumentView:
    """Methods, results, guideline items and references of a run.

    Parameters
    ----------
    run
        Content of ``run.json``.

    Returns
    -------
    DocumentView
    """
    run = told_per_hundred(run)
    sections = [
        Section("methods", "Methods", paragraphs=_methods(run)),
        Section("results", "Results", paragraphs=results(run)),
        *items_sections(run),
    ]
    made = DocumentView(
        f"Effect of {arm_name(run, 'treated')} against {arm_name(run, 'control')} on "
        f"{run['roles']['outcome']}",
        "Paragraphs for a paper, filled from run.json: to be read and edited by the authors.",
        sections,
        f"tauhat {run['versions'].get('tauhat', '')}; SHA-256 of the data {run['data_sha256']}.",
    )
    made = units_told(made, run)
    # Titles are quoted and keep their words.
    references = Section("references", "References", items=cited_in(_text(made.sections)))
    return replace(made, sections=[*made.sections, references])


def _text(sections: Sequence[Section]) -> str:
    """All that stands in sections, as one text."""
    parts = [part for one in sections for part in (*one.paragraphs, *one.items)]
    for table in (table for one in sections for table in one.tables):
        parts += [table.caption, *(entry for row in table.rows for entry in row)]
    return "\n".join(parts)


def _methods(run: Run) -> list[str]:
    level = format_percent(run["interval"]["level"])
    covariates = run["design"]["covariates"]
    effect = run["average_effect"]
    texts = []
    if run["plan"] is not None:
        texts.append(f"The analysis was {_lower(plan_sentence(run['plan']))}")
    average = (
        f"We estimated {_estimands(run)}: {effects_in_words(run)}, treated less control, as "
        f"randomized, "
        f"with {level} intervals. {effect['method']}"
    )
    if in_clusters(run):
        of_periods = bool(run.get("over_periods"))
        average += " (Fang and others 2026)" if of_periods else " (Li and others 2025)"
        if of_periods and run["over_periods"]["design"] not in CONSORT_OVER_PERIODS:
            average += ", with the rows of the baseline in the model (Hooper and others 2018)"
    average += f". Adjustment was for {join_words(covariates)}." if covariates else "."
    texts.append(average)
    test = run["heterogeneity_test"]
    if test["tested"]:
        texts.append(
            "Whether the effect differs between persons was tested once: "
            f"{_lower(test['method'])}. The hypothesis is that the effect is the same for "
            "everyone. P-values of single covariates are adjusted for looking at all of them "
            "(Westfall and Young 1993)."
        )
    named = run["named_modifiers"]
    if named is not None:
        errors = "; errors follow Pustejovsky and Tipton (2018)" if "CR2" in named["method"] else ""
        texts.append(
            f"{counted(len(named['tests']), 'modifier was', 'modifiers were')} {when_named(run)}: "
            f"{join_words([one['modifier'] for one in named['tests']])}. {named['method']} "
            f"P-values are adjusted by Holm (1979) for their number{errors}."
        )
    texts.append(_of_models(run))
    held = run["held_out"]
    if held["given"]:
        texts.append(
            f"Groups and rankings were described by effects that no model saw: {held['method']} "
            "(Chernozhukov and others 2018; Yadlowsky and others 2025). These analyses are "
            "exploratory."
        )
    texts.append(_missing(run))
    versions = run["versions"]
    texts.append(
        f"Analyses were made with tauhat {versions.get('tauhat', '')} (Python "
        f"{versions.get('python', '')}), seed {run['seed']}."
    )
    return texts


def _estimands(run: Run) -> str:
    """The average effects that were estimated, and which of them a plan made primary."""
    if not in_clusters(run):
        return "the average effect"
    if run["average_effect"]["primary"] == "cluster":
        return (
            "as the primary estimand of the plan the cluster-average effect, in which every "
            "cluster counts the same, and beside it the individual-average effect, in which every "
            f"person counts {how_persons_count(run)}"
        )
    return (
        f"the individual-average effect, in which every person counts {how_persons_count(run)}, "
        "and the cluster-average effect, in which every cluster does"
    )


def _of_models(run: Run) -> str:
    """The models with their sources, and how persons' intervals were made."""
    sources = []
    for model in run["models"]:
        source = source_of(model["name"])
        sources.append(f"{model['name']} ({source})" if source else model["name"])
    return (
        f"Persons' effects were estimated by {join_words(sources)}. "
        f"{run['reported_model']['text']} Intervals of persons' effects: "
        f"{run['interval']['method']}."
    )


def _missing(run: Run) -> str:
    lost = run["design"]["n_missing_outcome"]
    if not lost:
        return "Every person had an outcome."
    done = "left out, which assumes"
    if run["average_effect"].get("complete_cases") is not None:
        done = (
            "counted in averages and tests by outcomes made for them, doubly robustly, and in no "
            "fit of a model, which assumes"
        )
    return (
        f"{counted(lost, 'person')} without an outcome {'was' if lost == 1 else 'were'} {done} "
        "that they are like others "
        "with the same covariates; missing covariates were filled in with marks of missingness."
        f"{_curvature(run)}"
    )


def _curvature(run: Run) -> str:
    """What straight models did not see; empty where all saw the same."""
    straight = (run.get("missing_outcomes") or {}).get("learned_without_curvature")
    if not straight:
        return ""
    return (
        f" The straight lines of {join_words(straight)} were fitted to outcomes without the "
        "curvature of the prognosis (squares of the covariates' normal scores in a mixed model "
        "with all products with the arm), which lines take for an effect where losses differ "
        "between the arms."
    )


def _lower(text: str) -> str:
    """A sentence as a part of another."""
    return f"{text[:1].lower()}{text[1:]}"
