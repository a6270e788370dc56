"""Several arms in sentences: who was randomized to them, and what choosing among them gains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tauhat.report.numbers import format_percent
from tauhat.report.per_hundred import gain_words
from tauhat.report.text import Run, counts_enrolled, label_name, scale_of
from tauhat.wording import join_words


def arms_sentence(run: Run) -> str:
    """Who was randomized to what, and how many were analysed."""
    arms = [
        f"{label_name(run, arm['label'])} ("
        + (f"{arm['clusters']} clusters, {arm['n']:,} persons)" if arm["clusters"] else
           f"{arm['n']:,})")
        for arm in run["arms"]
    ]  # fmt: skip
    persons = f"{sum(arm['n'] for arm in run['arms']):,} analysed persons"
    clusters = [arm["clusters"] for arm in run["arms"]]
    if None not in clusters:
        persons = f"{sum(clusters):,} clusters with {persons}"
    told = f"{persons} were randomized to {', '.join(arms[:-1])} or {arms[-1]}."
    if any(counts_enrolled(one) for one in run["contrasts"].values()):
        told += " Averages and each contrast's own test count those without an outcome too."
    return told


def policy_told(run: Run) -> list[str]:
    """What choosing an arm for each person gains; for either outcome unless one is known better."""
    several = len(run["policy"]) > 1
    return [
        (f"If {one['better']} outcomes are better: " if several else "") + policy_words(run, one)
        for one in run["policy"]
    ]


def policy_words(run: Run, one: Mapping[str, Any]) -> str:
    """What the model would give, and what that gains, on the scale of the other numbers."""
    part = next(iter(run["contrasts"].values()))
    scale, level = scale_of(part), format_percent(part["interval"]["level"])
    shares = [f"{arm} to {format_percent(share)}" for arm, share in one["shares"].items()]

    def gain(name: str) -> str:
        found = one[name]
        interval = scale.interval(found["lower"], found["upper"])
        return f"{scale(found['estimate'])} ({level} interval {interval})"

    return (
        f"The model would give {join_words(shares)} of persons. Mean {gain_words(part)}, positive "
        f"when the outcome is better: {gain('over_best')} over {one['best_arm']} for everyone, the "
        f"best single arm, and {gain('over_control')} over the control for everyone. This is "
        "descriptive and defers to the primary test."
    )
