"""Items of reporting guidelines of a run of several arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tauhat.report.arms_words import policy_told
from tauhat.report.paper_items import AUTHORS, Row, consort, guidelines, iceman, path
from tauhat.report.risks_of_contrasts import risks_of_contrast
from tauhat.report.text import Run, label_name
from tauhat.report.view import Section


def items_of_contrasts(run: Run, parts: Mapping[str, Run]) -> list[Section]:
    """The items of each guideline, answered for all contrasts.

    Parameters
    ----------
    run
        Content of ``run.json``, of all contrasts.
    parts
        That of each contrast by its name.
    """
    arms = _arms(run, parts)
    persons = f"{sum(arm['n'] for arm in run['arms']):,}"
    risks = {name: risks_of_contrast(one) for name, one in parts.items()}
    answers = {
        "17b": _answer(risks, len(parts)),
        "20": "p-values also adjusted for the number of contrasts, intervals not; limitations "
        f"{AUTHORS}",
    }
    rows = []
    for item, asks, answer in _merged({name: consort(one, arms) for name, one in parts.items()}):
        told = f"{persons} persons analysed. Of each contrast: {answer}" if item == "16" else answer
        rows.append((item, asks, answers.get(item, told)))
    return guidelines(
        next(iter(parts.values())),
        ["Juszczak and others 2019"],
        rows,
        _merged({name: iceman(one) for name, one in parts.items()}),
        [*_merged({name: path(one) for name, one in parts.items()}), _policy(run)],
    )


def _arms(run: Run, parts: Mapping[str, Run]) -> list[tuple[str, Mapping[str, Any]]]:
    """Every arm with those without an outcome; a number that one contrast hides is hidden."""
    lost: dict[str, int | None] = {}
    for part in parts.values():
        for arm in part["design"]["arms"].values():
            label, own = str(arm["label"]), arm["n_missing_outcome"]
            known = lost.get(label, 0)
            lost[label] = None if own is None or known is None else max(own, known)
    return [
        (label_name(run, arm["label"]), {**arm, "n_missing_outcome": lost.get(arm["label"])})
        for arm in run["arms"]
    ]


def _merged(rows: Mapping[str, Sequence[Row]]) -> list[Row]:
    """The same items of all contrasts as one, with each contrast's answer where they differ."""
    answers: dict[tuple[str, str], dict[str, str]] = {}
    for name, own in rows.items():
        for item, asks, answer in own:
            answers.setdefault((item, asks), {})[name] = answer
    return [(item, asks, _answer(found, len(rows))) for (item, asks), found in answers.items()]


def _answer(found: Mapping[str, str], contrasts: int) -> str:
    if len(found) == contrasts and len(set(found.values())) == 1:
        return next(iter(found.values()))
    return " ".join(f"{name}: {answer.removesuffix('.')}." for name, answer in found.items())


def _policy(run: Run) -> Row:
    told = " ".join(policy_told(run))
    return "Choice of an arm", "which arm for whom", told or f"not estimated: {run['no_policy']}"
