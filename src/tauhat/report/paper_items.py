"""Items of reporting guidelines (CONSORT, ICEMAN, PATH), filled from ``run.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tauhat.report.named_words import allowed_for, named_in_plan, when_named
from tauhat.report.numbers import format_fixed
from tauhat.report.paper_results import averages, comparisons_words, risks_told
from tauhat.report.randomized_units import in_clusters, of_participants_alone
from tauhat.report.rate_section import rate_words
from tauhat.report.text import (
    Run,
    arm_name,
    counts_enrolled,
    enrolled_counted,
    plan_sentence,
    scale_of,
)
from tauhat.report.view import Section, TableView
from tauhat.wording import counted, join_words

# Title of the section of the report with the flow of participants and Table 1.
COMPARED = "What was compared, in whom"
AUTHORS = "for the authors: not in the data"
_ENDS = ("estimate", "lower", "upper")
Row = tuple[str, str, str]

#: Extensions of CONSORT for designs over periods.
CONSORT_OVER_PERIODS = {
    "stepped wedge": "Hemming and others 2018",
    "cluster crossover": "McKenzie and others 2025",
}


def items_sections(run: Run) -> list[Section]:
    """The items of each guideline with their answers."""
    extensions = []
    over_periods = run.get("over_periods")
    if over_periods and over_periods["design"] in CONSORT_OVER_PERIODS:
        extensions.append(CONSORT_OVER_PERIODS[over_periods["design"]])
    arms = [(arm_name(run, name), run["design"]["arms"][name]) for name in ("control", "treated")]
    return guidelines(run, extensions, consort(run, arms), iceman(run), path(run))


def guidelines(
    run: Run,
    extensions: Sequence[str],
    consort_rows: Sequence[Row],
    iceman_rows: Sequence[Row],
    path_rows: Sequence[Row],
) -> list[Section]:
    """Sections of the three guidelines.

    Parameters
    ----------
    run
        Content of ``run.json``, of two arms.
    extensions
        Sources of extensions of CONSORT beside that to clusters.
    consort_rows, iceman_rows, path_rows
        Item, what it asks for, and the answer.
    """
    name, source = "CONSORT", "Schulz and others 2010"
    if in_clusters(run) and not of_participants_alone(run):
        name, source = "CONSORT-cluster", "Campbell and others 2012"
    return [
        _items("consort", name, "; ".join([source, *extensions]), consort_rows),
        _items("iceman", "ICEMAN", "Schandelmaier and others 2020", iceman_rows),
        _items("path", "PATH", "Kent and others 2020", path_rows),
    ]


def _items(anchor: str, name: str, source: str, rows: Sequence[Row]) -> Section:
    headers = ["Item", "Asks for", "Answer"]
    table = TableView(f"{name} items ({source})", headers, rows, numeric_from=3)
    return Section(anchor, name, tables=[table])


def _sizes(sizes: Mapping[str, Any]) -> str:
    """Persons in a cluster, from the smallest to the largest where they differ."""
    if sizes["min"] == sizes["max"]:
        return f"clusters of {counted(sizes['min'], 'person')} each"
    return (
        f"{sizes['min']} to {sizes['max']} persons in a cluster, median {sizes['median']:g}, "
        f"CV {sizes['cv']:.2f}"
    )


def consort(run: Run, arms: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Row]:
    """Items of CONSORT.

    Parameters
    ----------
    run
        Content of ``run.json``, of two arms.
    arms
        Every arm of the trial by its name: persons, clusters, those without an outcome.
    """
    design, clustered = run["design"], in_clusters(run)
    sizes = design["cluster_size"]
    lost = [
        f"{label}: {arm['n_missing_outcome']}"
        if arm["n_missing_outcome"] is not None
        else f"{label}: not told, as an arm lost few"
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
    what = f"{'two' if len(arms) == 2 else len(arms)} arms, {unit} randomized{blocks}"
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
        ("17a", "Effect with its precision", " ".join([*averages(run), *rate_words(run), *icc])),
        ("17b", "Binary outcomes: absolute and relative", risks_told(run)),
        ("18", "Ancillary analyses, planned or exploratory", _planned_or_not(run)),
        ("20", "Limitations, multiplicity", AUTHORS),
        ("24", "Protocol", AUTHORS if plan is None else f"{plan_sentence(plan)} {plan['sha256']}"),
    ]


def _numbers(run: Run) -> str:
    """Persons analysed, and those without an outcome whom averages count too."""
    told, enrolled = counted(run["design"]["n"], "person", form=","), enrolled_counted(run)
    if enrolled is None:
        more = " with an outcome; averages and tests count those without one too"
        return f"{told}{more if counts_enrolled(run) else ''}"
    return f"{told} with an outcome; averages and tests count {enrolled:,}"


def _planned_or_not(run: Run) -> str:
    named = run["named_modifiers"]
    if named is None:
        return "the test is one; no modifier was named beforehand, all else is exploratory"
    return (
        f"{counted(len(named['tests']), 'modifier')} {when_named(run)}; groups, rankings and "
        "subgroups are exploratory"
    )


def iceman(run: Run) -> list[Row]:
    """Items of ICEMAN, for each modifier that was named."""
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
        of = found[0]["question"] if found else "persons"
        of = "between persons" if of == "persons" else of
        rows += [
            (one["modifier"], "1: direction hypothesized beforehand?", _in_plan(run)),
            (one["modifier"], "2: supported by prior evidence?", _in_plan(run)),
            (
                one["modifier"],
                "3: is chance an unlikely explanation?",
                f"{comparisons_words(run, one)}; compared {of}",
            ),
            (
                one["modifier"],
                "4: few modifiers, or their number considered?",
                f"{counted(len(named['tests']), 'modifier')} named; adjusted by Holm for "
                f"{allowed_for(named)}",
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
    if not named_in_plan(run):
        return AUTHORS
    return f"in the plan of {plan['date']}, hash {plan['sha256'][:12]}"


def path(run: Run) -> list[Row]:
    """Items of PATH."""
    held, scale = run["held_out"], scale_of(run)
    rows = [("Overall result", "first", " ".join(averages(run)))]
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
