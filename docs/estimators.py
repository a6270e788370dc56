"""Write the tables of estimators into the pages that show them: `python docs/estimators.py`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from marked import with_table

from tauhat.endpoint import KINDS, OF_TIMES
from tauhat.fitting.cate_estimator import NO_PERIODS
from tauhat.fitting.registered import (
    INNER_IGNORED,
    TWO_LEVELS_OF_EVENTS,
    RegisteredEstimator,
    Support,
)
from tauhat.learners.outcome_models import OUTCOME_MODELS
from tauhat.registry import DESIGNS, ESTIMATORS

DOCS = Path(__file__).resolve().parent
BLOCK_INTERCEPTS = {
    "intercept": "random intercept",
    "taken out": "taken out first",
    "members": "as its members",
}
INNER_LEVELS = {"intercept": "random intercepts", "members": "as its members"}


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def support_table() -> str:
    """Estimator by design and kind of outcome, with a numbered list of the reasons below it."""
    reasons: list[str] = []

    def cell(support: Support) -> str:
        if support.verdict == "meant":
            return "yes"
        if support.because not in reasons:
            reasons.append(support.because)
        word = "no" if support.verdict == "refused" else "runs"
        return f"{word} ({reasons.index(support.because) + 1})"

    def inner(levels: str) -> str:
        return INNER_LEVELS.get(levels) or cell(Support("possible", INNER_IGNORED)).replace(
            "runs", "ignored"
        )

    def of_events(record: RegisteredEstimator) -> str:
        """Which levels have an intercept where the outcome is an event or a count."""
        if record.inner_levels != "intercept":
            return inner(record.inner_levels)
        noted = cell(Support("possible", TWO_LEVELS_OF_EVENTS))
        return noted.replace("runs", "the two outermost")

    def in_one_arm(record: RegisteredEstimator) -> str:
        """As in cluster trials, for a kind of outcome that it does not refuse."""
        kind = next(kind for kind in reversed(shown) if kind not in record.refuses)
        return cell(record.support("cluster", kind))

    # What is made of a time is an outcome like any other: one column stands for all such kinds.
    shown = {kind.name: kind.name for kind in KINDS.values() if kind.time is None}
    shown[OF_TIMES] = "time to event"
    # Of any kind of outcome but times, of which there are no models with periods.
    reasons.append(NO_PERIODS)
    asked = [(design, kind) for design in DESIGNS for kind in shown]
    rows = [
        [
            f"`{name}`",
            *(cell(record.support(design, kind)) for design, kind in asked),
            "yes" if record.has_draws else "of risks" if record.draws_risks else "–",
            "yes" if record.uses_weights else "no",
            BLOCK_INTERCEPTS[record.block_intercepts],
            inner(record.inner_levels),
            of_events(record),
            str(record.fewest_units),
            in_one_arm(record),
            "yes" if record.make().knows_periods else f"no ({reasons.index(NO_PERIODS) + 1})",
        ]
        for name, record in ESTIMATORS.items()
    ]
    columns = [
        "name",
        *(f"{design}, {shown[kind]}" for design, kind in asked),
        "draws",
        "weights",
        "block intercepts",
        "levels within clusters, and crossed ones",
        "levels within, of an event or a count",
        "clusters an arm, at least",
        "clusters in one arm only",
        "stepped wedge, crossover",
    ]
    because = "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, start=1))
    told = "\n".join(f"* {kind.name}: {kind.told}" for kind in KINDS.values())
    return (
        f"{_table(columns, rows)}\n\nNot meant for the design, or not supported, because\n\n"
        f"{because}\n\nWhat an effect is, by kind of outcome:\n\n{told}"
    )


def estimator_table() -> str:
    """What every estimator is and where it comes from."""
    rows = ([f"`{name}`", one.description, one.source] for name, one in ESTIMATORS.items())
    return _table(["name", "what it is", "source"], rows)


def outcome_model_table() -> str:
    """What every outcome model is and where it comes from."""
    rows = ([f"`{name}`", one.description, one.source] for name, one in OUTCOME_MODELS.items())
    return _table(["name", "model", "source"], rows)


#: Function that makes each table, by its page and the word in its markers.
TABLES = {
    ("estimators.md", "support"): support_table,
    ("estimators.md", "estimators"): estimator_table,
    ("methods.md", "outcome models"): outcome_model_table,
}


def with_tables(page: str, text: str) -> str:
    """The text of a page with its tables as the records have them."""
    for (where, word), make in TABLES.items():
        if where == page:
            text = with_table(text, word, "estimators.py", make())
    return text


if __name__ == "__main__":
    for page in sorted({page for page, _ in TABLES}):
        path = DOCS / page
        path.write_text(with_tables(page, path.read_text(encoding="utf-8")), encoding="utf-8")
