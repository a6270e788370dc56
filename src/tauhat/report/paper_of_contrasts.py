"""What ``tauhat methods`` prints of a run of several arms: its contrasts side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tauhat.inference.descriptive import DESCRIPTIVE
from tauhat.report.arms_words import arms_sentence, policy_told
from tauhat.report.items_of_contrasts import items_of_contrasts
from tauhat.report.numbers import format_fixed, format_p, typeset
from tauhat.report.once import told_once
from tauhat.report.paper import (
    average_words,
    held_out_words,
    lower_first,
    missing_words,
    models_words,
    named_words,
    planned_words,
    versions_words,
    with_references,
)
from tauhat.report.paper_results import averages, modifiers_words, quarters_words
from tauhat.report.per_hundred import told_per_hundred
from tauhat.report.pieces import first_upper
from tauhat.report.randomized_units import in_clusters
from tauhat.report.rate_section import rate_words
from tauhat.report.risks_of_contrasts import risks_of_contrast
from tauhat.report.run_tables import compared_on
from tauhat.report.target_words import target_words
from tauhat.report.text import Run, counts_enrolled, for_whom_answer, label_name
from tauhat.report.view import DocumentView, Section
from tauhat.report.voice import deferring
from tauhat.wording import counted, join_words


def paper_of_contrasts(run: Run) -> DocumentView:
    """Methods, results, guideline items and references of a run of several arms.

    Parameters
    ----------
    run
        Content of ``run.json``, as in `tauhat.analysis.contrast_schema.RunOfArms`.

    Returns
    -------
    DocumentView
    """
    run = told_per_hundred(run)
    parts = {name: deferring(one, run, name) for name, one in run["contrasts"].items()}
    return with_references(
        run,
        first_upper(compared_on(run)),
        [
            Section("methods", "Methods", paragraphs=_methods(run, parts)),
            Section("results", "Results", paragraphs=_results(run, parts)),
            *items_of_contrasts(run, parts),
        ],
    )


def _methods(run: Run, parts: Mapping[str, Run]) -> list[str]:
    def once(said: Callable[[Run], list[str]]) -> list[str]:
        return told_once({name: said(part) for name, part in parts.items()})

    return [
        *planned_words(run),
        _compared(run),
        *once(lambda part: [_average(part)]),
        *_test(run, parts),
        *once(named_words),
        *once(lambda part: [models_words(part)]),
        *once(held_out_words),
        *_policy_method(run),
        *_missing(parts),
        versions_words(run),
    ]


def _compared(run: Run) -> str:
    labels = join_words([label_name(run, arm["label"]) for arm in run["arms"]])
    return (
        f"Of {counted(len(run['arms']), 'arm')} ({labels}), "
        f"{counted(len(run['contrasts']), 'contrast was', 'contrasts were')} analysed: "
        f"{join_words(list(run['contrasts']))}. Each has models, average effects and intervals "
        "of its own two arms alone."
    )


def _average(part: Run) -> str:
    each = ", of each kind of average effect alone" if in_clusters(part) else ""
    return (
        f"{average_words(part, 'the arm named first less the other', 'for each contrast ')} "
        "Adjusted p-values of average effects allow for the number of contrasts (Holm "
        f"1979){each}; their other p-values and intervals do not."
    )


def _test(run: Run, parts: Mapping[str, Run]) -> list[str]:
    """The primary test over all contrasts, and how it is told in which of them effects differ."""
    test = run["heterogeneity_test"]
    if not test["tested"]:
        return []
    missing = ""
    if any(counts_enrolled(part) for part in parts.values()):
        missing = (
            " The test over all contrasts is of persons with an outcome, each contrast's own of "
            "everyone whom its averages count."
        )
    return [
        "Whether any effect differs between persons was tested once, over all contrasts: "
        f"{lower_first(test['method'])}. The hypothesis is that in no contrast the effect differs "
        "between persons. In which contrasts it does is told by closed testing (Marcus, Peritz and "
        "Gabriel 1976): all of them together by that test, fewer by each contrast's own "
        f"permutations of its two arms and Bonferroni.{missing} P-values of single covariates are "
        "adjusted for looking at all covariates of a contrast (Westfall and Young 1993), not for "
        "the number of contrasts."
    ]


def _policy_method(run: Run) -> list[str]:
    if not run["policy"]:
        return []
    methods = {one["text"].partition(f"{DESCRIPTIVE} ")[2] for one in run["policy"]}
    return [
        "Giving everyone the arm that is best for them by effects that no model saw was compared "
        "with giving everyone the best single arm, and the control: "
        f"{lower_first(' '.join(sorted(methods)))} This is exploratory too."
    ]


def _missing(parts: Mapping[str, Run]) -> list[str]:
    """Who had no outcome, and what was done with them."""
    counts = {name: part["design"]["n_missing_outcome"] for name, part in parts.items()}
    lost = {name: part for name, part in parts.items() if counts[name] != 0}
    if not lost:
        return ["Every person had an outcome."]
    numbers = join_words([f"{counts[name]} in {name}" for name in lost])
    if None in counts.values():
        numbers = "how many is not told, as an arm lost few"
    who = f"Persons without an outcome ({numbers}) were"
    return told_once({name: [f"{who} {missing_words(part)}"] for name, part in lost.items()})


def _results(run: Run, parts: Mapping[str, Run]) -> list[str]:
    own = {row["contrast"]: row for row in run["heterogeneity_test"]["contrasts"]}
    texts = [f"{arms_sentence(run)}{_icc(parts)}", _of_test(run)]
    for one in run["average_effects"]:
        name, part = one["contrast"], parts[one["contrast"]]
        adjusted = {"individual": one["p_adjusted"], "cluster": one["p_adjusted_cluster"]}
        risks = [] if part["average_risks"] is None else [risks_of_contrast(part)]
        average = [*averages(part, adjusted), *risks, *rate_words(part), *target_words(part)]
        texts += [f"{name}: {' '.join(said)}" for said in (average, _differences(part, own[name]))]
    return [*texts, *policy_told(run)]


def _icc(parts: Mapping[str, Run]) -> str:
    found = [
        f"{format_fixed(part['design']['icc'], 3)} in {name}"
        for name, part in parts.items()
        if part["design"]["icc"] is not None
    ]
    if not found:
        return ""
    return f" The intracluster correlation of the outcome was {join_words(found)}."


def _of_test(run: Run) -> str:
    test = run["heterogeneity_test"]
    if not test["tested"]:
        return str(test["text"])
    return (
        "The test over all contrasts of effects that differ between persons gave "
        f"{format_p(test['p_value'])}; a large p-value would be no evidence that effects are the "
        "same for everyone."
    )


def _differences(part: Run, test: Mapping[str, Any]) -> Sequence[str]:
    """Whether a contrast's effect differs, by what, along named modifiers, between quarters."""
    told = (
        "Whether the effect differs between persons was not tested."
        if test["p_value"] is None
        else "Its own test of effects that differ between persons gave "
        f"{format_p(test['p_value'])}, adjusted {format_p(test['p_adjusted'])}."
    )
    named = [] if part["named_modifiers"] is None else [modifiers_words(part)]
    quarters = [quarters_words(part)] if part["held_out"]["given"] else []
    return [told, typeset(for_whom_answer(part).text), *named, *quarters]
