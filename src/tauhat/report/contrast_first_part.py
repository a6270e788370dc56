"""The first pages of a report of several arms: each question answered for all contrasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tauhat.report.first_part import (
    average_headline,
    for_whom,
    outcome_words,
    relevant,
    unknown,
    use,
)
from tauhat.report.once import told_once
from tauhat.report.text import Answer, Run, for_whom_answer
from tauhat.report.view import Section, TableView


def contrast_first_part(
    run: Run,
    runs: Mapping[str, Run],
    parts: Mapping[str, Sequence[Section]],
    answers: Sequence[Answer],
    averages: Sequence[TableView],
) -> list[Section]:
    """The questions of a committee, each answered for all contrasts.

    Parameters
    ----------
    run
        Content of ``run.json``, of all contrasts.
    runs
        That of each contrast by its name, its test that over all contrasts
        (`tauhat.report.voice.deferring`).
    parts
        The appendix of each.
    answers
        Whether an effect differs, for whom, and which arm for whom.
    averages
        Tables of the average effects.
    """
    differs, whom, *others = [
        Section(f"answer-{number}", one.question, headline=one.headline, paragraphs=[one.text])
        for number, one in enumerate(answers, start=1)
    ]
    open_ = told_once({name: unknown(one) for name, one in runs.items()})
    return [
        _on_average(runs, averages),
        differs,
        _for_whom(whom, runs, parts),
        *others,
        Section("unknown", "What is not known?", items=open_[:6]),
        Section(
            "use",
            "What to do with it?",
            items=told_once(
                {name: use({**one, "check": run["check"]}) for name, one in runs.items()}
            ),
        ),
    ]


def _on_average(runs: Mapping[str, Run], tables: Sequence[TableView]) -> Section:
    first = next(iter(runs.values()))
    clustered = any(one["average_effect"]["cluster"] is not None for one in runs.values())
    both = (
        " Individual-average: every person counts the same; cluster-average: every cluster does, "
        "which is another question."
    )
    found = [f"{name}: {average_headline(one)}." for name, one in runs.items()]
    return Section(
        "average-first",
        "What was compared, and what did it do on average?",
        paragraphs=[
            outcome_words(first, "the arm named first minus the one that it is held against"),
            " ".join(found),
            f"A contrast is the comparison of two arms.{both * clustered} The column p adjusted "
            "allows for the number of contrasts; p and the intervals do not.",
        ],
        tables=list(tables),
    )


def _for_whom(
    answer: Section,
    runs: Mapping[str, Run],
    parts: Mapping[str, Sequence[Section]],
) -> Section:
    """The named modifiers of all contrasts in one table; without any, the covariates."""
    if any(one["named_modifiers"] is None for one in runs.values()):
        gains = told_once({name: relevant(one) for name, one in runs.items()})
        told = [f"{name}: {for_whom_answer(one).text}" for name, one in runs.items()]
        return replace(answer, paragraphs=[*told, *gains])
    found = {name: for_whom(one, parts[name]) for name, one in runs.items()}
    heads = list(dict.fromkeys(section.headline for section in found.values()))
    tables = [table for section in found.values() for table in section.tables]
    rows = [
        [name, *row]
        for name, section in found.items()
        for table in section.tables
        for row in table.rows
    ]
    return replace(
        answer,
        headline=heads[0] if len(heads) == 1 else "It depends on the comparison",
        paragraphs=told_once({name: section.paragraphs for name, section in found.items()}),
        tables=[
            replace(
                tables[0],
                headers=["Contrast", *tables[0].headers],
                rows=rows,
                numeric_from=tables[0].numeric_from + 1,
            )
        ]
        if tables
        else [],
    )
