"""Paragraphs for a paper, and items of reporting guidelines, filled from ``run.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tauhat.registry import registered
from tauhat.report.numbers import format_fixed, format_p, format_percent, typeset
from tauhat.report.per_hundred import told_per_hundred
from tauhat.report.randomized_units import in_clusters, of_participants_alone, units_told
from tauhat.report.rate_section import rate_words
from tauhat.report.references import SOURCES
from tauhat.report.target_words import target_words
from tauhat.report.text import (
    Run,
    arm_name,
    effects_in_words,
    enrolled_counted,
    estimands,
    how_persons_count,
    plan_sentence,
    scale_of,
    units_sentence,
)
from tauhat.report.time_units import in_units
from tauhat.report.view import DocumentView, Section, TableView
from tauhat.report.voice import order_words
from tauhat.wording import counted, join_words

# Title of the section of the report with the flow of participants and Table 1.
COMPARED = "What was compared, in whom"
AUTHORS = "for the authors: not in the data"
_ENDS = ("estimate", "lower", "upper")

_CONSORT_OVER_PERIODS = {
    "stepped wedge": "consort-wedge",
    "cluster crossover": "consort-crossover",
}


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
    over_periods = run.get("over_periods")
    of_clusters = in_clusters(run) and not of_participants_alone(run)
    cited = ["consort-cluster" if of_clusters else "consort", "iceman", "path"]
    if over_periods and over_periods["design"] in _CONSORT_OVER_PERIODS:
        cited.append(_CONSORT_OVER_PERIODS[over_periods["design"]])
    methods = _methods(run, cited)
    sections = [
        Section("methods", "Methods", paragraphs=methods),
        Section("results", "Results", paragraphs=_results(run)),
        _items("consort", "CONSORT-cluster" if of_clusters else "CONSORT", _consort(run)),
        _items("iceman", "ICEMAN", _iceman(run)),
        _items("path", "PATH", _path(run)),
        Section(
            "references", "References", items=[SOURCES[key] for key in SOURCES if key in cited]
        ),
    ]
    made = DocumentView(
        f"Effect of {arm_name(run, 'treated')} against {arm_name(run, 'control')} on "
        f"{run['roles']['outcome']}",
        "Paragraphs for a paper, filled from run.json: to be read and edited by the authors.",
        sections,
        f"tauhat {run['versions'].get('tauhat', '')}; SHA-256 of the data {run['data_sha256']}.",
    )
    return units_told(made, run)


def _methods(run: Run, cited: list[str]) -> list[str]:
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
        cited.append("periods" if of_periods else "jackknife")
        average += " (Fang and others 2026)" if of_periods else " (Li and others 2025)"
        if of_periods and run["over_periods"]["design"] not in _CONSORT_OVER_PERIODS:
            cited.append("baseline")
            average += ", with the rows of the baseline in the model (Hooper and others 2018)"
    average += f". Adjustment was for {join_words(covariates)}." if covariates else "."
    texts.append(average)
    test = run["heterogeneity_test"]
    if test["tested"]:
        cited.append("westfall")
        texts.append(
            "Whether the effect differs between persons was tested once: "
            f"{_lower(test['method'])}. The hypothesis is that the effect is the same for "
            "everyone. P-values of single covariates are adjusted for looking at all of them "
            "(Westfall and Young 1993)."
        )
    named = run["named_modifiers"]
    if named is not None:
        cited += ["cr2", "holm"]
        texts.append(
            f"{counted(len(named['tests']), 'modifier was', 'modifiers were')} {_when(run)}: "
            f"{join_words([one['modifier'] for one in named['tests']])}. {named['method']} "
            "P-values are adjusted by Holm (1979) for their number; errors follow Pustejovsky and "
            "Tipton (2018) where clusters were randomized."
        )
    texts.append(_of_models(run))
    held = run["held_out"]
    if held["given"]:
        cited += ["gates", "rate"]
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
        try:
            source = registered(model["name"]).source
        except ValueError:
            source = ""
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


def _results(run: Run) -> list[str]:
    texts = [units_sentence(run)]
    if run["design"]["icc"] is not None:
        icc = format_fixed(run["design"]["icc"], 3)
        texts[0] += f" The intracluster correlation of the outcome was {icc}."
    texts.append(" ".join(_averages(run)))
    risks = run["average_risks"]
    if risks is not None:
        texts.append(_risks(run))
    texts += rate_words(run)
    texts += target_words(run)
    texts.append(_of_test(run))
    named = run["named_modifiers"]
    if named is not None:
        adjusted = {test["modifier"]: format_p(test["p_adjusted"]) for test in named["tests"]}
        texts.append(
            " ".join(
                f"{one['modifier']}, {one['comparison']}: {_estimate(run, one)}, adjusted "
                f"{adjusted[one['modifier']]}."
                for one in named["comparisons"]
            )
        )
    held = run["held_out"]
    if held["given"]:
        scale, found = scale_of(run), held["difference"]
        texts.append(
            "Between the outer quarters by predicted effect, the effect differed by "
            f"{scale(found['estimate'])} ({scale.interval(found['lower'], found['upper'])}), "
            f"by effects that no model saw.{order_words(run)}"
        )
    return texts


def _averages(run: Run) -> list[str]:
    effects = run["average_effect"]
    return [
        f"The {name}-average effect was {_estimate(run, effects[name], in_units(run))}."
        for name in estimands(run)
    ]


def _estimate(run: Run, one: Mapping[str, Any], unit: str = "") -> str:
    if one["estimate"] is None:
        return "not estimable"
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    interval = scale.interval(one["lower"], one["upper"])
    return f"{scale(one['estimate'])}{unit} ({level} CI {interval}; {format_p(one['p_value'])})"


def _of_test(run: Run) -> str:
    test = run["heterogeneity_test"]
    if not test["tested"]:
        return f"Whether the effect differs between persons was not tested. {test['text']}"
    return (
        f"The test of effects that differ between persons gave {format_p(test['p_value'])}; a "
        "large p-value would be no evidence that the effect is the same for everyone."
    )


def _items(anchor: str, name: str, rows: Sequence[tuple[str, str, str]]) -> Section:
    table = TableView(f"{name} items", ["Item", "Asks for", "Answer"], rows, numeric_from=3)
    return Section(anchor, name, tables=[table])


def _sizes(sizes: Mapping[str, Any]) -> str:
    """Persons in a cluster, from the smallest to the largest where they differ."""
    if sizes["min"] == sizes["max"]:
        return f"clusters of {counted(sizes['min'], 'person')} each"
    return (
        f"{sizes['min']} to {sizes['max']} persons in a cluster, median {sizes['median']:g}, "
        f"CV {sizes['cv']:.2f}"
    )


def _consort(run: Run) -> list[tuple[str, str, str]]:
    design, clustered = run["design"], in_clusters(run)
    arms = [(arm_name(run, name), design["arms"][name]) for name in ("control", "treated")]
    sizes = design["cluster_size"]
    lost = [
        f"{label}: {arm['n_missing_outcome']}"
        if arm["n_missing_outcome"] is not None
        else f"{label}: not told, few"
        for label, arm in arms
    ]
    analysed = [
        f"{label}: {counted(arm['n'], 'person', form=',')}"
        + (f" in {counted(arm['clusters'], 'cluster')}" if clustered else "")
        for label, arm in arms
    ]
    blocks = "" if design["blocks"] is None else f"; {counted(design['blocks'], 'block')}"
    plan = run["plan"]
    unit = "clusters" if clustered else "persons"
    what = f"two arms, {unit} randomized{blocks}"
    by_arm = f"Numbers of {unit} by arm"
    if run.get("over_periods"):
        found = run["over_periods"]
        listed = join_words([f"{one['arms']} ({one['clusters']})" for one in found["sequences"]])
        what = (
            f"{found['design']} over {len(found['periods'])} periods, clusters randomized to "
            f"sequences of two arms{blocks}: {listed}"
        )
        by_arm = "Numbers of clusters that were seen in each arm"
    spread = "" if not sizes else f"; {_sizes(sizes)}"
    icc = [] if design["icc"] is None else [f"ICC {format_fixed(design['icc'], 3)}."]
    return [
        ("3a", "Design, and what was randomized", what),
        ("3b", "Changes after the start", AUTHORS),
        ("7a", "Sample size, with the ICC assumed", AUTHORS),
        ("8a to 10", "Sequence, concealment, who enrolled", AUTHORS),
        ("12a", "Methods for the primary outcome", "see Methods"),
        ("12b", "Additional analyses", "see Methods: test, modifiers, persons' effects"),
        ("13a", by_arm, f"{'; '.join(analysed)}; flow: report.html, {COMPARED}"),
        ("13b", "Losses after randomization, by arm", "; ".join(lost)),
        (
            "15",
            "Baseline by arm",
            f"Table 1: report.html, {COMPARED}; differences: its design check",
        ),
        ("16", "Numbers analysed", f"{_numbers(run)}{spread}"),
        ("17a", "Effect with its precision", " ".join([*_averages(run), *rate_words(run), *icc])),
        ("17b", "Binary outcomes: absolute and relative", _risks(run)),
        ("18", "Ancillary analyses, planned or exploratory", _planned_or_not(run)),
        ("20", "Limitations, multiplicity", AUTHORS),
        ("24", "Protocol", AUTHORS if plan is None else f"{plan_sentence(plan)} {plan['sha256']}"),
    ]


def _numbers(run: Run) -> str:
    """Persons analysed, and those without an outcome whom averages count too."""
    told, enrolled = counted(run["design"]["n"], "person", form=","), enrolled_counted(run)
    if enrolled is None:
        return told
    return f"{told} with an outcome; averages and tests count {enrolled:,}"


def _risks(run: Run) -> str:
    risks = run["average_risks"]
    return (
        "not binary" if risks is None else typeset(risks[run["average_effect"]["primary"]]["text"])
    )


def _planned_or_not(run: Run) -> str:
    named = run["named_modifiers"]
    if named is None:
        return "the test is one; no modifier was named beforehand, all else is exploratory"
    return (
        f"{counted(len(named['tests']), 'modifier')} {_when(run)}; groups, rankings and "
        "subgroups are exploratory"
    )


def _when(run: Run) -> str:
    """When modifiers were named: only a plan tells that it was beforehand."""
    return "named when the analysis was called" if run["plan"] is None else "named beforehand"


def _iceman(run: Run) -> list[tuple[str, str, str]]:
    named = run["named_modifiers"]
    if named is None:
        return [
            (
                "all",
                "Credibility of each effect modifier",
                "no modifier was named beforehand: what the report says of covariates is "
                "exploratory and of low credibility",
            )
        ]
    rows = []
    for one in named["tests"]:
        found = [c for c in named["comparisons"] if c["modifier"] == one["modifier"]]
        told = "; ".join(f"{c['comparison']}: {_estimate(run, c)}" for c in found)
        of = found[0]["question"] if found else "persons"
        of = "between persons" if of == "persons" else of
        joint = "" if len(found) == 1 else f"{format_p(one['p_value'])}, "
        rows += [
            (one["modifier"], "1: direction hypothesized beforehand?", _in_plan(run)),
            (one["modifier"], "2: supported by prior evidence?", _in_plan(run)),
            (
                one["modifier"],
                "3: is chance an unlikely explanation?",
                f"{told}; {joint}adjusted {format_p(one['p_adjusted'])}; compared {of}",
            ),
            (
                one["modifier"],
                "4: few modifiers, or their number considered?",
                f"{counted(len(named['tests']), 'modifier')} named; adjusted by Holm",
            ),
            (
                one["modifier"],
                "5: if continuous, arbitrary cut points avoided?",
                "no cut point" if one["modifier"].isidentifier() else f"cut point: {_in_plan(run)}",
            ),
        ]
    return rows


def _in_plan(run: Run) -> str:
    plan = run["plan"]
    return AUTHORS if plan is None else f"in the plan of {plan['date']}, hash {plan['sha256'][:12]}"


def _path(run: Run) -> list[tuple[str, str, str]]:
    held, scale = run["held_out"], scale_of(run)
    rows = [("Overall result", "first", " ".join(_averages(run)))]
    if not held["given"]:
        return [
            *rows,
            ("Predicted benefit", "effects by group", f"not estimated: {held['reason']}"),
        ]
    groups = "; ".join(
        f"{one['group']}: {scale(one['estimate'])} ({scale.interval(one['lower'], one['upper'])})"
        for one in held["groups"]
    )
    slope = held["calibration"]["slope"]
    rows += [
        ("Absolute effects", "by groups of predicted effect", groups),
        (
            "Calibration",
            "slope, 1 when predicted effects come true",
            "{} ({} to {})".format(*(format_fixed(slope[end], 2) for end in _ENDS))
            if None not in [slope[end] for end in _ENDS]
            else "not estimable",
        ),
        (
            "Discrimination for benefit",
            "area under the targeting curve",
            "; ".join(
                f"{one['better']} is better: {scale(one['autoc']['estimate'])} "
                f"({scale.interval(one['autoc']['lower'], one['autoc']['upper'])})"
                for one in held["ranking"]
            ),
        ),
        ("Models of the effect", "that shrink", run["reported_model"]["text"]),
        ("External validation", "in another trial", AUTHORS),
    ]
    return rows


def _lower(text: str) -> str:
    """A sentence as a part of another."""
    return f"{text[:1].lower()}{text[1:]}"
