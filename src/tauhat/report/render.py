"""From plain results to one self-contained page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from tauhat.report import effect_sections, model_sections, sections
from tauhat.report.checklist import checklist_section
from tauhat.report.compared_section import compared_section
from tauhat.report.effects_told import effects_told
from tauhat.report.findings import findings_view
from tauhat.report.first_part import first_part
from tauhat.report.glossary import glossary_section
from tauhat.report.held_out_sections import held_out_sections
from tauhat.report.long_names import shortened, shortened_run
from tauhat.report.missing_section import missing_section
from tauhat.report.named_section import named_section, relevance_section
from tauhat.report.numbers import format_percent, format_test
from tauhat.report.per_hundred import is_per_hundred, time_at_risk, told_per_hundred
from tauhat.report.period_section import period_section
from tauhat.report.persons_section import WARNING, persons_section
from tauhat.report.plots import shorten, told_apart
from tauhat.report.randomized_units import in_clusters, units_told
from tauhat.report.rate_section import rate_section
from tauhat.report.risk_section import risk_section
from tauhat.report.sensitivity_section import sensitivity_section
from tauhat.report.survival_section import survival_section
from tauhat.report.target_section import target_section
from tauhat.report.text import (
    Answer,
    Run,
    answers,
    arm_name,
    enrolled_counted,
    estimands,
    scale_of,
    units_sentence,
)
from tauhat.report.time_units import in_units
from tauhat.report.view import DocumentView, KeyNumber, ReportInput, ReportView, Section
from tauhat.report.voice import groups_told
from tauhat.report.words import file_section, labelled, labelled_run
from tauhat.runtime.files import printable

#: What the page shows, in its order: each makes a section, several of them, or None.
SECTIONS: list[Callable[[ReportInput], Section | list[Section] | None]] = [
    sections.plan_section,
    compared_section,
    sections.design_section,
    missing_section,
    survival_section,
    period_section,
    sections.average_section,
    risk_section,
    rate_section,
    target_section,
    sections.heterogeneity_section,
    named_section,
    effect_sections.modifier_section,
    effect_sections.distribution_section,
    relevance_section,
    held_out_sections,
    model_sections.models_section,
    model_sections.variance_section,
    sensitivity_section,
    persons_section,
    lambda data: sections.reading_section(data.run),
    sections.limits_section,
    file_section,
    sections.made_section,
]


def shown_sections(data: ReportInput) -> list[Section]:
    """The sections that there is something to say in."""
    shown: list[Section] = []
    for make in SECTIONS:
        made = make(data)
        shown += made if isinstance(made, list) else [] if made is None else [made]
    return shown


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("tauhat.report"),
        autoescape=select_autoescape(("html.j2",), default=True),
        undefined=StrictUndefined,
        trim_blocks=False,
    )


def _average_name(run: Run, estimand: str) -> str:
    """What an average effect is called above its number."""
    if estimand == "cluster":
        return f"Average effect{', clusters alike' if is_per_hundred(run) else ' per cluster'}"
    time = time_at_risk(run)
    if time is not None:
        return f"Average effect per unit of {shorten(time, 30)}"
    return "Average effect" if is_per_hundred(run) else "Average effect per person"


def key_numbers(run: Run) -> list[KeyNumber]:
    """The numbers of the first page."""
    scale = scale_of(run)
    effects, design = run["average_effect"], run["design"]
    level = format_percent(run["interval"]["level"])
    numbers = [
        KeyNumber(
            _average_name(run, name),
            f"{scale(effects[name]['estimate'])}{in_units(run)}",
            f"{level} CI {scale.interval(effects[name]['lower'], effects[name]['upper'])}",
        )
        for name in estimands(run)
    ]
    test = run["heterogeneity_test"]
    numbers.append(
        KeyNumber("Test of differing effects", format_test(test["p_value"]), "primary test")
    )
    enrolled = enrolled_counted(run)
    persons = (
        f"{design['n']:,} persons analysed"
        if enrolled is None
        else f"{enrolled:,} persons, {design['n']:,} with an outcome"
    )
    size = (
        KeyNumber("Clusters", f"{design['clusters']:,}", persons)
        if in_clusters(run)
        else KeyNumber("Persons analysed", f"{design['n']:,}", "individually randomized")
        if enrolled is None
        else KeyNumber("Persons", f"{enrolled:,}", f"{design['n']:,} with an outcome")
    )
    return [*numbers, size]


def build_view(data: ReportInput) -> ReportView:
    """All that the page shows, as text and images."""
    run = data.run
    treated, control = told_apart([arm_name(run, arm) for arm in ("treated", "control")], 60)
    title = f"Effect of {treated} against {control} on {shorten(run['roles']['outcome'], 60)}"
    shown = shown_sections(data)
    return view_of(data, title, units_sentence(run), first_part(run, shown), key_numbers(run),
                   shown)  # fmt: skip


def view_of(
    data: ReportInput,
    title: str,
    units: str,
    first: Sequence[Section],
    numbers: Sequence[KeyNumber],
    shown: Sequence[Section],
) -> ReportView:
    """A page of sections with what stands around them.

    Parameters
    ----------
    data
        Plain results.
    title
        The title, unless another was asked for.
    units
        Who was randomized to what, in a sentence.
    first, numbers
        The first part, and the numbers above it.
    shown
        The sections of the appendix.
    """
    run = data.run
    read = run["data"].get("read") or {}
    warnings = []
    if run["check"]["failures"]:
        warnings.append("The design check failed, and the analysis was run all the same.")
    closing = "No value of a single person is shown in this report."
    if data.persons is not None:
        warnings.append(WARNING)
        closing = WARNING
    view = ReportView(
        title=read.get("heading") or title,
        subtitle=units,
        synthetic=run["synthetic"],
        first=first,
        numbers=numbers,
        findings=findings_view(run["check"]).brief,
        sections=[*shown, checklist_section(run, shown), glossary_section([*first, *shown])],
        footer=f"tauhat {run['versions'].get('tauhat', '')}, {run['finished']}. {closing}",
        warnings=warnings,
    )
    return units_told(view, run)


def render_html(data: ReportInput) -> str:
    """The report as one HTML page that needs no other file and runs no code.

    Parameters
    ----------
    data
        Plain results.

    Returns
    -------
    str
    """
    return page(build_view(told(data)))


def told(data: ReportInput) -> ReportInput:
    """What the page is made of in the words, the length and the voice that it has."""
    data = effects_told(data)
    return shortened(labelled(replace(data, run=groups_told(data.run))))


def page(view: ReportView) -> str:
    """A view as one HTML page."""
    return _page("report.html.j2", view)


def render_plan(view: DocumentView) -> str:
    """A statistical analysis plan as one HTML page that needs no other file and runs no code."""
    return _page("plan.html.j2", view)


def _page(template: str, view: ReportView | DocumentView) -> str:
    style = resources.files("tauhat.report").joinpath("templates/report.css").read_text("utf-8")
    made = _environment().get_template(template).render(view=view, style=Markup(style))
    return printable(made) + "\n"


def render_fragment(run: Run) -> str:
    """The answers and key numbers as a piece of HTML for notebooks."""
    run = shortened_run(labelled_run(told_per_hundred(run)))
    return fragment_page(run, answers(run), key_numbers(run), units_sentence(run))


def fragment_page(
    run: Run, told: Sequence[Answer], numbers: Sequence[KeyNumber], units: str
) -> str:
    """Answers and key numbers as a piece of HTML.

    Parameters
    ----------
    run
        Content of ``run.json``.
    told, numbers
        The answers, and the numbers beside them.
    units
        Who was randomized to what, in a sentence.
    """
    template = _environment().get_template("fragment.html.j2")
    return printable(
        template.render(
            answers=units_told(told, run),
            numbers=units_told(numbers, run),
            run=run,
            units=units_told(units, run),
            findings=findings_view(run["check"]),
        )
    )
