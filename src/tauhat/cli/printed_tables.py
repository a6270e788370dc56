"""Results as tables on standard output."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tauhat.analysis.record import check_record
from tauhat.cli.language import in_options
from tauhat.endpoint import KINDS
from tauhat.fitting.registered import AS_NUMBERS
from tauhat.registry import estimator_names, reasons, registered
from tauhat.report.arms_words import arms_sentence
from tauhat.report.contrast_report import contrast_answers, p_adjusted
from tauhat.report.findings import check_state, grade_words
from tauhat.report.named_section import comparison_rows, relevance_words
from tauhat.report.named_words import allowed_for
from tauhat.report.numbers import MINUS, bare_p, format_percent, format_test
from tauhat.report.per_hundred import is_per_hundred, told_per_hundred
from tauhat.report.randomized_units import units_told
from tauhat.report.rate_section import rate_words
from tauhat.report.target_words import target_words
from tauhat.report.text import (
    Answer,
    answers,
    effects_in_words,
    estimands,
    plan_sentence,
    scale_of,
    units_sentence,
    use_of,
)
from tauhat.runtime.files import printable
from tauhat.trial.checks.design_check import DesignCheck

WIDTH_OF_A_LOG = 100
#: Which estimator to take when, as docs/which-learner.md measured it.
WHICH = (
    "Which to take: Robust, the default of `tauhat run`, unless there is a reason not to.",
    "For a first look `--models quick`. For a single one, in a cluster trial: LMM or GAMM with few "
    "clusters or where effects rise or fall along covariates, X-GAMM-RF or BRM for thresholds and "
    "combinations, LMM-lasso with many covariates, BRM for a posterior; for times to an event PEM.",
    "Choose before you see effects; docs/which-learner.md says what was measured.",
)
_WORDS = {"error": "Failed", "warning": "Warning"}


def _console() -> Console:
    width = shutil.get_terminal_size((WIDTH_OF_A_LOG, 24)).columns
    return Console(
        file=sys.stdout,
        width=width if sys.stdout.isatty() else WIDTH_OF_A_LOG,
        markup=False,
        highlight=False,
        emoji=False,
    )


def _table(title: str, *columns: str, numeric_from: int = 1) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index >= numeric_from else "left")
    return table


def _text(text: str, style: str = "") -> Text:
    # A Text object: brackets in the data are no markup. A plain hyphen pastes into scripts.
    return Text(printable(text).replace(MINUS, "-"), style=style)


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(_text(cell) for cell in cells))


def print_analysis(run: Mapping[str, Any], paths: Sequence[Path]) -> None:
    """Print the average effects, the test, the models, the answers and where the files are."""
    console = _console()
    run = told_per_hundred(run)
    scale = scale_of(run)
    level = format_percent(run["interval"]["level"])
    _print_who(console, run, units_told(units_sentence(run), run))
    _print_findings(console, run["check"])
    if run["endpoint"]["horizon"] is not None or is_per_hundred(run):
        console.print(_text(f"Effects are {effects_in_words(run)}."))
        console.print()
    effects = _table("Average effects", "estimand", "effect", "SE", f"{level} CI", "p")
    for name in estimands(run):
        effect = run["average_effect"][name]
        _row(effects, units_told(f"{name}-average", run), *scale.cells(effect))
    console.print(effects)
    if run["average_risks"] is not None:
        console.print(_text(f"Event: {run['average_risks']['event']}."))
        console.print(_text(run["average_risks"][run["average_effect"]["primary"]]["text"]))
    for told in [*rate_words(run), *target_words(run)]:
        console.print(_text(told))
    console.print()
    test = run["heterogeneity_test"]
    console.print(_text(f"Does the effect differ between persons? {format_test(test['p_value'])}"))
    console.print()
    _print_named(console, run)
    models = _table(
        "Models", "model", "use", "weight", "mean effect", "SD", "seconds", numeric_from=2
    )
    for model in run["models"]:
        _row(
            models,
            model["name"],
            use_of(model),
            "-" if model["weight"] is None else format_percent(model["weight"]),
            scale(model["mean_effect"]),
            scale(model["sd_effect"]),
            f"{model['seconds']:.1f}",
        )
    console.print(models)
    console.print()
    _print_end(console, units_told(answers(run), run), paths)


def _print_named(console: Console, run: Mapping[str, Any], contrast: str = "") -> None:
    """Interactions with the modifiers that were named, and how many gain what matters."""
    behind = f": {contrast}" if contrast else ""
    named = run["named_modifiers"]
    if named is not None:
        level = format_percent(run["interval"]["level"])
        headers = ["modifier", "difference of the effect", "estimate", f"{level} CI"]
        headers += ["df", "p", "adjusted"]
        table = _table(f"Named modifiers{behind}", *headers, numeric_from=2)
        for cells in comparison_rows(run):
            _row(table, *cells)
        console.print(table)
        console.print(_text(f"Adjusted for {allowed_for(named)} (Holm)."))
        for note in named["notes"]:
            console.print(_text(note))
        console.print()
    if run["relevance"] is not None:
        lead = f"{contrast}: " if contrast else ""
        console.print(_text(f"{lead}{relevance_words(run)}"))
        console.print()


def print_named_counts(named: Mapping[str, Any]) -> None:
    """Print who is in the groups of the named modifiers, and what cannot be compared."""
    console = _console()
    table = _table(
        "Named modifiers", "modifier", "group", "persons", "control units", "treated units",
        numeric_from=2,
    )  # fmt: skip
    for row in named["groups"]:
        counts = (row[name] for name in ("persons", "control_units", "treated_units"))
        _row(
            table,
            row["modifier"],
            row["group"],
            *("not shown" if count is None else f"{count:,}" for count in counts),
        )
    console.print()
    console.print(table)
    console.print(_text(f"Adjusted for: {', '.join(named['adjusted_for']) or 'nothing'}."))
    for note in named["notes"]:
        console.print(_text(note))


def print_contrasts(run: Mapping[str, Any], paths: Sequence[Path]) -> None:
    """Print the same of a trial with more than two arms, the arms side by side."""
    console = _console()
    run = told_per_hundred(run)
    first = next(iter(run["contrasts"].values()))
    _print_who(console, run, arms_sentence(run))
    _print_findings(console, run["check"])
    if is_per_hundred(first):
        console.print(_text(f"Effects are {effects_in_words(first)}."))
        console.print()
    level = format_percent(first["interval"]["level"])
    headers = ("contrast", "estimand", "effect", "SE", f"{level} CI", "p", "p adjusted")
    effects = _table("Average effects", *headers, numeric_from=2)
    for one in run["average_effects"]:
        part = run["contrasts"][one["contrast"]]
        for name in estimands(part):
            cells = scale_of(part).cells(one[name])
            _row(effects, one["contrast"], f"{name}-average", *cells, p_adjusted(one, name))
    console.print(effects)
    console.print()
    test = run["heterogeneity_test"]
    asked = "Does the effect of any arm differ between persons?"
    console.print(_text(f"{asked} {format_test(test['p_value'])}"))
    tests = _table("Test by contrast", "contrast", "p", "p adjusted")
    for one in test["contrasts"]:
        cells = ["-" if p is None else bare_p(p) for p in (one["p_value"], one["p_adjusted"])]
        _row(tests, one["contrast"], *cells)
    console.print(tests)
    console.print()
    for name, part in run["contrasts"].items():
        for told in target_words(part):
            console.print(_text(f"{name}: {told}"))
            console.print()
        _print_named(console, {**part, "heterogeneity_test": test}, name)
    _print_end(console, contrast_answers(run), paths)


def _print_who(console: Console, run: Mapping[str, Any], units: str) -> None:
    """Who was randomized to what, with a warning where nobody was, and the plan if any."""
    if run["synthetic"]:
        console.print(_text(f"SYNTHETIC DATA. {run['synthetic']}", style="bold"))
    console.print(_text(units))
    if run["plan"] is not None:
        console.print(_text(plan_sentence(run["plan"])))
        for deviation in run["plan"]["deviations"]:
            console.print(_text(f"  {deviation}"))
    console.print()


def _print_end(console: Console, told: Sequence[Answer], paths: Sequence[Path]) -> None:
    """The answers, and where the files are."""
    for answer in told:
        console.print(_text(answer.whole))
    console.print()
    for path in paths:
        console.print(_text(str(path)), soft_wrap=True)


def _print_findings(console: Console, check: Mapping[str, Any]) -> None:
    """What the design check found: errors, warnings, notes, each with its code."""
    console.print(_text(f"Design check: {check_state(check)}.", style="bold"))
    for found in check["findings"]:
        sentence = in_options(found["sentence"])
        console.print(_text(f"  {grade_words(found)} [{found['code']}] {sentence}"))
    if not check["passed"]:
        console.print(_text("  --accept CODE answers a warning that was looked into."))
    console.print()


def print_check(check: DesignCheck) -> None:
    """Print the design check: a table, how it ended, then sentences, warnings with their codes."""
    console = _console()
    table = _table("Design check", "item", "value", "status", numeric_from=3)
    for item, value, status, _ in check.table.itertuples(index=False, name=None):
        _row(table, str(item), str(value), str(status))
    console.print(table)
    console.print()
    console.print(_text(f"Design check: {check_state(check_record(check))}."))
    for found in check.graded:
        if found.status != "note":
            word = "Accepted" if found.accepted else _WORDS[found.status]
            console.print(_text(in_options(f"{word} [{found.code}]: {found.sentence}")))
    for line in check.notes:
        console.print(_text(in_options(line)))


def print_estimators(*, every: bool) -> None:
    """Print the estimators by design with a line on each, and why not for the other design."""
    console = _console()
    for line in WHICH:
        console.print(_text(line))
    console.print()
    individual, cluster = (set(estimator_names(d)) for d in ("individual", "cluster"))
    names = estimator_names(every=every)
    groups = {
        "For either design": [n for n in names if n in individual and n in cluster],
        "For individually randomized trials": [n for n in names if n in individual - cluster],
        "For cluster-randomized trials": [n for n in names if n in cluster - individual],
        "Every other combination": [n for n in names if n not in individual | cluster],
    }
    for title, members in groups.items():
        if members:
            table = _table(title, "name", "what it is", numeric_from=2)
            for name in members:
                _row(table, name, registered(name).description)
            console.print(table)
            console.print()
    console.print(_text("They run in the other design as well. Not meant for it, because:"))
    for because, concerned in reasons(names).items():
        console.print(_text(f"{', '.join(concerned)}: {because.replace('`', '')}."))
    console.print()
    told = "; ".join(f"{kind.name} ({kind.told})" for kind in KINDS.values())
    console.print(_text(f"Outcomes: {told}."))
    for name in names:
        for refused, because in registered(name).refuses.items():
            console.print(_text(f"{name} does not support {refused}, because {because}."))
    of_risks = [name for name in names if registered(name).draws_risks]
    numbers = AS_NUMBERS.removeprefix("it ").replace("`", "")
    console.print(_text(f"These model the risks of an event: {', '.join(of_risks)}."))
    console.print(_text(f"Each other single learner {numbers}."))
    drawn = [name for name in names if registered(name).has_draws]
    also = [name for name in of_risks if name not in drawn]
    text = f"With posterior draws: {', '.join(drawn)}"
    if also:
        text += f"; of the risks of an event also {', '.join(also)}"
    console.print(_text(f"{text}."))
