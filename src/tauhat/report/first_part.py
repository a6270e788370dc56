"""The first two pages, for those who decide: six questions, each with a short answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import itemgetter

from tauhat.report.cannot_show import FEW_CLUSTERS
from tauhat.report.named_first_part import named_answer
from tauhat.report.named_words import compared_names
from tauhat.report.numbers import format_p, format_percent
from tauhat.report.per_hundred import mcid_units
from tauhat.report.pieces import cell, figure_again, first_upper
from tauhat.report.randomized_units import in_clusters
from tauhat.report.rate_section import rate_words
from tauhat.report.risk_section import risk_words
from tauhat.report.text import (
    NOTICED,
    Run,
    arm_name,
    covers_zero,
    effects_in_words,
    enrolled_counted,
    estimands,
    far_from_learned,
    for_whom_answer,
    heterogeneity_answer,
    how_persons_count,
    in_one_arm,
    models_astray,
    plan_sentence,
    primary_effect,
    scale_of,
)
from tauhat.report.time_units import at_horizon, in_units
from tauhat.report.unadjusted import adjustment_words
from tauhat.report.view import Section
from tauhat.report.voice import effects_differ, end_words, ends_told, order_words, unless_shown
from tauhat.wording import join_words


def first_part(run: Run, appendix: Sequence[Section]) -> list[Section]:
    """The questions of a committee with their answers; figures are those of the appendix.

    Parameters
    ----------
    run
        Content of ``run.json``.
    appendix
        The other sections of the page.
    """
    return [
        _compared(run),
        _on_average(run),
        _differs(run),
        for_whom(run, appendix),
        Section("unknown", "What is not known?", items=unknown(run)),
        Section("use", "What to do with it?", items=use(run)),
    ]


def _compared(run: Run) -> Section:
    design = run["design"]
    alone = design.get("incomplete_blocks") or {"persons": 0}
    missing = design["n_missing_outcome"]
    enrolled = design["n"] + alone["persons"] + missing
    lost = []
    if missing:
        without = f"{missing:,} ({format_percent(missing / enrolled)}) have no outcome"
        if enrolled_counted(run) is not None:
            without += " (averages and tests count them, models do not)"
        lost.append(without)
    if alone["persons"]:
        lost.append(f"{alone['persons']:,} are in blocks with one arm only")
    flow = f"Of {enrolled:,} persons enrolled, {join_words(lost)}. " if lost else ""
    difference = f"{arm_name(run, 'treated')} minus {arm_name(run, 'control')}"
    return Section(
        "compared-first",
        "What was compared, in whom?",
        headline=(
            f"{design['n']:,} persons analysed"
            if enrolled_counted(run) is None
            else f"{enrolled_counted(run):,} persons, {design['n']:,} with an outcome"
        )
        + _in_clusters(run),
        paragraphs=[f"{flow}{_over_periods(run)}{outcome_words(run, difference)}"],
    )


def outcome_words(run: Run, difference: str) -> str:
    """The outcome, what effects are, of which difference, and whether there was a plan."""
    better = "" if run["better"] is None else f"; {run['better']} is better"
    plan = (
        "No plan was given: beyond the average effect and the primary test, all is exploratory."
        if run["plan"] is None
        else plan_sentence(run["plan"])
    )
    return (
        f"Outcome: {run['roles']['outcome']}{better}. Effects are {_spelled_out(run)}: "
        f"{difference}. {plan}"
    )


def _in_clusters(run: Run) -> str:
    """How many clusters these persons were in, behind their number."""
    if not in_clusters(run):
        return ""
    told = ""
    if in_one_arm(run):
        held = sum(arm["n"] for arm in run["design"]["arms"].values() if arm["clusters"])
        told = f", {held:,} of them"
    return f"{told} in {run['design']['clusters']:,} clusters"


def _spelled_out(run: Run) -> str:
    """What effects are, without an abbreviation that the first page would not explain."""
    if not _in_restricted_means(run):
        return effects_in_words(run)
    return f"differences in the mean time without the event (RMST) up to {at_horizon(run)}"


def _in_restricted_means(run: Run) -> bool:
    """Whether effects are on the mean time without an event."""
    return effects_in_words(run).startswith("RMST")


def _over_periods(run: Run) -> str:
    """Which design it is, where clusters change their arm."""
    found = run.get("over_periods")
    if not found:
        return ""
    periods = len(found["periods"])
    if found["design"] == "parallel trial with a baseline period":
        return f"A {found['design']} ({periods} periods), whose persons are in the models. "
    return f"A {found['design']}: clusters change their arm over {periods} periods. "


def average_headline(run: Run) -> str:
    """What the average effect is shown to be, with whether that is better."""
    found = primary_effect(run)
    if covers_zero(found):
        return "No effect shown"
    raised = found["estimate"] > 0
    way = "higher" if raised else "lower"
    told = first_upper(way)
    if _in_restricted_means(run):
        told = "Longer" if raised else "Shorter"
    elif run["endpoint"]["in_time"]:
        told = "More time lost" if raised else "Less time lost"
    headline = f"{told} with {arm_name(run, 'treated')}"
    if run["better"] is None:
        return headline
    return f"{headline}: {'better' if way == run['better'] else 'worse'}"


def _on_average(run: Run) -> Section:
    scale, level = scale_of(run), format_percent(run["interval"]["level"])
    effects = run["average_effect"]
    lead, *others = estimands(run)
    primary = effects[lead]
    told = (
        f"{scale(primary['estimate'])}{in_units(run)} ({level} confidence interval "
        f"{scale.interval(primary['lower'], primary['upper'])}; "
        f"{format_p(primary['p_value'])})."
    )
    if not others:
        weighed = (
            ""
            if run["endpoint"]["weight"] is None
            else f", persons counting {how_persons_count(run)},"
        )
        told = f"Average effect{weighed} {told}"
    else:
        counting = {
            "individual": f"Every person counting {how_persons_count(run)}",
            "cluster": "Every cluster counting the same",
        }
        planned = ", as the plan has it" if lead == "cluster" else ""
        told = f"{counting[lead]}{planned}: {told}"
        if effects["difference"]["se"] != 0:
            told += (
                f" {counting[others[0]]}, which is another question: "
                f"{scale.with_interval(effects[others[0]])}."
            )
    risks = run["average_risks"]
    return Section(
        "average-first",
        "What did it do on average?",
        headline=average_headline(run),
        paragraphs=[
            told,
            *([] if risks is None else risk_words(risks["event"], risks[lead])),
            *rate_words(run),
            adjustment_words(run),
            "The interval holds the effects that fit the data; p is how often chance alone would "
            "give an estimate as far from no effect.",
        ],
    )


def _differs(run: Run) -> Section:
    answer = heterogeneity_answer(run)
    return Section(
        "differs-first",
        answer.question,
        headline=answer.headline,
        paragraphs=[
            answer.text,
            "All that follows defers to this one test.",
        ],
    )


def for_whom(run: Run, appendix: Sequence[Section]) -> Section:
    """For whom, by how much: the named modifiers, or the groups of most and least benefit."""
    made = named_answer if run["named_modifiers"] is not None else _of_groups
    section = made(run, {section.anchor: section for section in appendix})
    return replace(section, paragraphs=[*section.paragraphs, *relevant(run)])


def _of_groups(run: Run, sections: Mapping[str, Section]) -> Section:
    answer = for_whom_answer(run)
    held = run["held_out"]
    words, figures = [answer.text], []
    if held["given"]:
        words.append(_groups_words(run))
        figures = figure_again(
            sections["groups"],
            "Effects of quarters of the persons by predicted effect, as in the appendix",
            "Quarters of the persons by the effect that was predicted without their own outcomes. "
            "Dots: effect of each quarter with its own interval; diamonds: predicted; orange: "
            "the average effect.",
        )
    return Section(
        "whom-first",
        "For whom, by how much?",
        headline=answer.headline,
        paragraphs=words,
        figures=figures,
        beside=True,
    )


def _groups_words(run: Run) -> str:
    """The outer quarters in a sentence, with what the test lets one say of them."""
    scale, held = scale_of(run), run["held_out"]
    smallest, largest = held["groups"][0], held["groups"][-1]
    if None in (smallest["estimate"], largest["estimate"], held["difference"]["estimate"]):
        return "The effects of the outer quarters cannot be estimated."
    first, last = (smallest, largest) if run["better"] == "lower" else (largest, smallest)
    names = end_words(run) if run["better"] == "lower" else end_words(run)[::-1]
    told = (
        f"Quarter with the {names[0]} predicted: effect {scale.with_interval(first)}; with the "
        f"{names[1]}: {scale.with_interval(last)}."
    )
    if run["better"] is None:
        told = told.replace(" predicted:", " predicted effects:")
    apart = not covers_zero(held["difference"])
    if not apart:
        return f"{told} They are not shown to differ."
    gap = scale.with_interval(held["difference"])
    left_out = f"{told} The interval of their difference, {gap}, leaves out zero."
    return f"{left_out}{order_words(run)}{unless_shown(run)}"


def relevant(run: Run) -> list[str]:
    """How many gain at least what matters, in a sentence; none where nobody said what does."""
    found = run["relevance"]
    if found is None:
        return []

    def some(name: str) -> str:
        return "fewer than five (or all but so few)" if found[name] is None else f"{found[name]:,}"

    return [
        f"Of {found['persons']:,} persons {some('expected')} are expected to gain at least "
        f"{found['mcid']:g}{mcid_units(run)}, which was said to matter. A person's own interval "
        f"confirms it for {some('shown')}, rules it out for {some('excluded')} and else leaves it "
        "open"
        + (": a lead, while effects are not shown to differ." if not effects_differ(run) else ".")
    ]


def unknown(run: Run) -> list[str]:
    """What stays open, most important first."""
    scale, design = scale_of(run), run["design"]
    items = []
    astray = models_astray(run)
    if astray:
        means = join_words([f"{m['name']} ({scale(m['mean_effect'])})" for m in astray[:3]])
        items.append(
            f"Warning: the mean effect by {means} is more than two standard errors from the "
            "average effect, which needs no model: do not rely on effects of persons."
        )
    if far_from_learned(run):
        items.append(
            f"Whether {cell(run['reported_model']['name'])} suits this trial, which lies far "
            "outside those that its weights were learned from: compare single models."
        )
    if not effects_differ(run):
        items.append(f"Whether effects are equal.{_size(run)}")
    items.append(
        "What one person gains: nobody is seen under both treatments. The interval of one person's "
        "expected effect is "
        f"{scale(run['effects']['mean_interval_width'])}{in_units(run)} wide on average."
    )
    if in_clusters(run) and design["clusters"] < FEW_CLUSTERS:
        items.append(
            f"What more clusters would show: {'one arm' if in_one_arm(run) else 'all'} rests on "
            f"{design['clusters']}, however many persons they hold."
        )
    if design["n_missing_outcome"] != 0:
        items.append(
            "What those without an outcome would have had: they are taken to be like others of "
            "their arm with the same covariates."
        )
    if run["endpoint"]["horizon"] is not None:
        items.append(f"What happens after {at_horizon(run)}.")
    items.append("Why effects differ, if they do: what goes with them need not be the reason.")
    return items


def _size(run: Run) -> str:
    """How large a difference could have hidden."""
    scale, held, named = scale_of(run), run["held_out"], run["named_modifiers"]
    found = [] if named is None else named["comparisons"]
    sizes = [one["detectable"] for one in found]
    seen = sorted(
        (
            (size, name)
            for size, name in zip(sizes, compared_names(found), strict=True)
            if size is not None
        ),
        key=itemgetter(0),
    )
    if seen:
        ends = seen[:1]
        if scale(seen[-1][0]) != scale(seen[0][0]):
            ends.append(seen[-1])
        sizes = [f"{scale(size)} ({name})" for size, name in ends]
        return f" To be found 4 times in 5, a difference must be {' to '.join(sizes)}."
    if held["given"] and held["difference"]["se"] is not None:
        return (
            " Of two quarters of the persons, a difference under about "
            f"{scale(NOTICED * held['difference']['se'])}{in_units(run)} would mostly go unseen."
        )
    return " A trial of this size would miss moderate differences."


def use(run: Run) -> list[str]:
    """What to do with the result, and what not, most important first."""
    items = []
    if run["check"]["failures"]:
        items.append("Settle first what the design check found wrong; until then use no number.")
    if covers_zero(primary_effect(run)):
        items.append(
            "The average effect may be none, or of either sign: weigh the whole interval, not the "
            "estimate."
        )
    if effects_differ(run):
        items += [
            "Before one group is treated otherwise than another, ask for a reason stated before "
            "the data were seen, for models that agree, and for other data.",
            "Take the groups shown here as the hypothesis of the next trial.",
        ]
    else:
        items += [
            "Decide by the average effect: nothing here is a reason to treat one group otherwise "
            "than another.",
            "Write leads on who gains more into the plan of another trial.",
        ]
    if run["synthetic"]:
        items.insert(0, "Nothing: the data are synthetic.")
    return [ends_told(item, run) for item in items]
