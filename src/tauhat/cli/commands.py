"""What the commands do, once their settings are known."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tauhat.analysis import Source, analyze
from tauhat.analysis.models import model_names
from tauhat.analysis.named import named_effects, named_record
from tauhat.analysis.record import check_record, plain, records
from tauhat.cli.early_fork import fork_early
from tauhat.cli.exit_codes import BAD_OUTPUT, CHECK_FAILED, OK
from tauhat.cli.interrupts import raise_if_interrupted
from tauhat.cli.language import in_options
from tauhat.cli.plan_command import FollowedPlan
from tauhat.cli.printed_tables import (
    print_analysis,
    print_check,
    print_contrasts,
    print_estimators,
    print_named_counts,
)
from tauhat.cli.result_files import (
    names_written,
    paths_written,
    refuse_other_results,
    write_results,
)
from tauhat.cli.settings import Settings
from tauhat.cli.streams import complain, print_json, print_no_more, telling_what_was_written
from tauhat.datasets import make_tassh_like, tassh_trial
from tauhat.errors import UnsafeCovariatesError
from tauhat.runtime.files import check_writable, settle
from tauhat.runtime.overwriting import refuse_overwriting
from tauhat.runtime.progress import progress_display
from tauhat.runtime.workers import check_shared_memory, release_workers
from tauhat.tables.descriptions import Descriptions, read_descriptions
from tauhat.tables.reading import read_hashed
from tauhat.trial.checks.design_check import DesignCheck
from tauhat.trial.trial import Trial


def read_trial(settings: Settings, *, force: bool = False) -> tuple[Trial, str]:
    """The trial that the settings describe, and the SHA-256 of the bytes it was read from.

    With ``force`` all columns without another role that can be covariates are some, whatever they
    look like.
    """
    table, sha256 = read_hashed(
        settings.file,
        labels=settings.label_columns,
        descriptions=_descriptions(settings),
        **settings.arguments("read"),
    )
    arguments = settings.trial_arguments
    try:
        return Trial(table, **arguments), sha256
    except UnsafeCovariatesError as error:
        if not (force and error.usable):
            raise
        every = error.usable
    return Trial(table, **arguments, covariates=every), sha256


def _descriptions(settings: Settings) -> Descriptions:
    """Labels of the file that has them, the unit of the outcome and the title."""
    given = Descriptions() if settings.labels is None else read_descriptions(settings.labels)
    unit = {} if settings.unit is None else {settings.outcome: settings.unit}
    return replace(given, units={**given.units, **unit}, title=settings.title or given.title)


def run_trial(
    settings: Settings,
    *,
    force: bool,
    json_output: bool,
    command: str,
    config: Path | None = None,
    plan: Path | None = None,
) -> int:
    """Analyse the trial of a file, as a locked plan says if there is one; the exit code."""
    planned = None if plan is None else FollowedPlan(plan, settings)
    settings = (settings if planned is None else planned.settings).checked()
    read = [settings.file, config, plan, settings.labels, settings.target]
    _prepare(settings, [path for path in read if path is not None])
    trial, sha256 = read_trial(settings, force=force)
    if not force:
        refuse_other_results(settings.out, sha256)
    model_names(settings.models, trial.design)
    check = trial.check()
    if check.failures and not force:
        _say_failed(check)
        return CHECK_FAILED
    followed = None if planned is None else planned.followed(trial, forced=bool(check.failures))
    source = Source(settings.file.name, sha256, command, followed)
    return _analyze_and_write(trial, settings, source, json_output)


def check_trial(settings: Settings, *, json_output: bool) -> int:
    """Check the trial of a file; the exit code."""
    trial, _ = read_trial(settings.checked())
    check, named = trial.check(), _named_counts(trial, settings)
    if json_output:
        told = {**check_record(check), "table": records(check.table)}
        if named is not None:
            told["named_modifiers"] = named
        print_json(plain(told))
    else:
        print_check(check)
        if named is not None:
            print_named_counts(named)
    if check.failures:
        _say_failed(check)
        return CHECK_FAILED
    return OK


def _named_counts(trial: Trial, settings: Settings) -> dict[str, Any] | None:
    """Who is in the groups of the named modifiers, without any effect; refuses unknown ones."""
    found = named_effects(
        trial,
        settings.modifiers or (),
        settings.subgroup or (),
        settings.adjust,
        settings.level or 0.95,
    )
    record = named_record(found, of_persons=not trial.randomization.holds_persons)
    if record is None:
        return None
    told = ("modifier", "group", "persons", "control_units", "treated_units")
    return {
        "adjusted_for": record["adjusted_for"],
        "groups": [{name: row[name] for name in told} for row in record["groups"]],
        "notes": record["notes"],
    }


def run_demo(settings: Settings, *, force: bool, json_output: bool, command: str) -> int:
    """Analyse the example that comes with the package; the exit code."""
    # The example is no file and its roles are known.
    settings = settings.over(
        Settings({"file": Path("demo"), "outcome": "", "treatment": ""})
    ).checked()
    _prepare(settings, [])
    trial = tassh_trial(make_tassh_like(seed=1))
    if not force:
        refuse_other_results(settings.out, trial.data_sha256)
    model_names(settings.models, trial.design)
    source = Source(
        file="make_tassh_like(seed=1), which comes with tauhat",
        command=command,
    )
    return _analyze_and_write(trial, settings, source, json_output)


def _prepare(settings: Settings, inputs: Sequence[Path]) -> None:
    """See that the results can be written and nothing is lost to them, before any work."""
    if settings.jobs > 1:
        check_shared_memory()
        fork_early(settings.jobs, settings.backend)
    refuse_overwriting(inputs, paths_written(settings.out, figures=bool(settings.figures)))
    check_writable(settings.out, names_written(figures=bool(settings.figures)))
    settle(settings.out)


def list_estimators(*, every: bool) -> None:
    """Print the names of estimators with one line on each."""
    print_estimators(every=every)


def _analyze_and_write(trial: Trial, settings: Settings, source: Source, json_output: bool) -> int:
    with progress_display() as display, _backend(settings) as jobs:

        def progress(step: str, done: int, total: int) -> None:
            raise_if_interrupted()
            display(step, done, total)

        analysis = analyze(
            trial,
            **settings.arguments("analyze"),
            n_jobs=jobs,
            progress=progress,
            source=source,
        )
        # Figures need memory, and there are no more fits.
        release_workers()
        progress("writing the report", 0, 1)
        paths, record = write_results(
            analysis,
            settings.out,
            patient_level=bool(settings.patient_level),
            figures=bool(settings.figures),
            member_effects=bool(settings.member_effects),
        )
    if json_output:
        return _print_record(record, settings.out)
    with telling_what_was_written(settings.out):
        show = print_contrasts if "contrasts" in record else print_analysis
        show(record, paths)
    return OK


def _print_record(record: dict[str, Any], out: Path) -> int:
    """Print ``run.json``; the exit code tells whoever reads it whether all of it is there."""
    try:
        print_json(record)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        print_no_more()
        complain(
            f"error: printing the JSON failed ({error.strerror or error}); the results are "
            f"whole in {out}"
        )
        return BAD_OUTPUT
    return OK


@contextmanager
def _backend(settings: Settings) -> Iterator[int]:
    """Where the fits run, and how many at once."""
    if settings.backend != "dask":
        yield settings.jobs
        return
    from tauhat.runtime.dask_cluster import on_dask

    with on_dask(settings.jobs, settings.address) as jobs:
        yield jobs


def _say_failed(check: DesignCheck) -> None:
    for failure in check.failures:
        print(f"tauhat: design check failed: {in_options(failure)}", file=sys.stderr)
    print(
        "tauhat: `tauhat check` shows the whole check; `tauhat run --force` goes on all the same",
        file=sys.stderr,
    )
