"""For whom, by how much: the answer of the first pages where modifiers were named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tauhat.report.named_words import (
    allowed_for,
    below_zero,
    besides_named,
    left_out,
    together_words,
)
from tauhat.report.numbers import bare_p, format_percent
from tauhat.report.pieces import cells_apart, figure_again
from tauhat.report.text import Run, covers_zero, scale_of
from tauhat.report.view import Section, TableView
from tauhat.report.voice import effects_differ, unless_shown
from tauhat.wording import counted, join_words

#: Comparisons on the first pages; more only where the effect is shown to differ by more modifiers.
COMPARISONS_TOLD = 4


def named_answer(run: Run, sections: Mapping[str, Section]) -> Section:
    """Differences along the named modifiers, as far as a first page holds them.

    Parameters
    ----------
    run
        Content of ``run.json``.
    sections
        Sections of the appendix by their anchors.
    """
    named = run["named_modifiers"]
    found = [one for one in named["comparisons"] if one["estimate"] is not None]
    shown = [test["modifier"] for test in named["tests"] if _is_shown(test)]
    told = _told(found, shown, all_shown=effects_differ(run))
    level = format_percent(run["interval"]["level"])
    table = TableView(
        "Difference of the effect along the named modifiers",
        ["Modifier", f"Difference ({level} CI)", "p, adjusted"],
        _rows(run, told),
    )
    headline, words = _headline(run, found, shown)
    more = len(found) - len(told)
    others = f", and {counted(more, 'more comparison')}" if more else ""
    return Section(
        "whom-first",
        "For whom, by how much?",
        headline=headline,
        paragraphs=[
            words + left_out(named["comparisons"]),
            f"p is adjusted for {allowed_for(named)}. Effects within the groups{others}: appendix.",
            *besides_named(run),
        ],
        figures=figure_again(
            sections["named"],
            "Difference of the effect along each named modifier, as in the appendix, with interval",
            f"With {level} interval. {below_zero(run)}",
        )
        if found
        else [],
        tables=[table] if told else [],
        beside=True,
    )


def _is_shown(test: Mapping[str, Any]) -> bool:
    return test["p_adjusted"] is not None and test["p_adjusted"] < 0.05


def _p_value(one: Mapping[str, Any]) -> float:
    return 1.0 if one["p_value"] is None else float(one["p_value"])


def _told(
    found: Sequence[Mapping[str, Any]], shown: Sequence[str], *, all_shown: bool
) -> list[Mapping[str, Any]]:
    """The comparisons of the first page in their order: those that carry the finding first of all.

    Of each modifier along which the effect is shown to differ that is the comparison with the
    smallest p; then come its others that leave out zero.
    """
    own = [[one for one in found if one["modifier"] == name] for name in shown]
    strongest = [id(min(rows, key=_p_value)) for rows in own if rows]

    def rank(one: Mapping[str, Any]) -> int:
        if id(one) in strongest:
            return 0
        return 1 if one["modifier"] in shown and not covers_zero(one) else 2

    most = max(COMPARISONS_TOLD, len(strongest)) if all_shown else COMPARISONS_TOLD
    kept = set(map(id, sorted(found, key=rank)[:most]))
    return [one for one in found if id(one) in kept]


def _rows(run: Run, told: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The comparisons, and the test of each modifier that has several."""
    named, scale = run["named_modifiers"], scale_of(run)
    rows: list[list[str]] = []
    for test in named["tests"]:
        name, adjusted = test["modifier"], bare_p(test["p_adjusted"])
        own = [one for one in named["comparisons"] if one["modifier"] == name]
        here = [one for one in told if one["modifier"] == name]
        alone = len(own) == 1
        rows += [
            [
                f"{name}: {one['comparison']}",
                scale.with_interval(one),
                adjusted if alone else "",
            ]
            for one in here
        ]
        if here and not alone:
            rows.append([f"{name}: {together_words(own)}", "–", adjusted])
    names = cells_apart([row[0] for row in rows], 50)
    return [[name, *row[1:]] for name, row in zip(names, rows, strict=True)]


def _headline(
    run: Run, found: Sequence[Mapping[str, Any]], shown: Sequence[str]
) -> tuple[str, str]:
    """The answer in a few words, and a sentence on it."""
    told = cells_apart(shown, 30)
    names = join_words(told if len(told) < 3 else [told[0], f"{len(told) - 1} more"])
    if not found:
        return "Not estimated", "Too few units tell anything of the modifiers named."
    if not shown:
        return (
            "Not shown to differ by a modifier named",
            "An interval that holds zero does not show equal effects: it leaves open which group "
            "gains more.",
        )
    if effects_differ(run):
        return (
            f"It differs by {names}",
            "Shown where the adjusted p is below 0.05; intervals are not adjusted.",
        )
    return (
        "A lead only",
        f"Taken alone, the effect would differ by {names}.{unless_shown(run)}",
    )
