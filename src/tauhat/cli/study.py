"""The command `tauhat study`."""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from tauhat.cli.early_fork import fork_early, hold_to_one_thread
from tauhat.cli.given_once import OnceCommand
from tauhat.cli.limits import check_address_space
from tauhat.cli.options import available_cores
from tauhat.cli.streams import telling_what_was_written
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.study.runner import Progress

_DAMAGED_SHOWN = 10

study_app = typer.Typer(
    name="study",
    help="Simulation studies: run, continue and summarise them.",
    rich_markup_mode=None,
)


@study_app.callback(invoke_without_command=True)
def study(context: typer.Context) -> None:
    """Simulation studies: run, continue and summarise them."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


class BackendName(StrEnum):
    """Where tasks run."""

    LOKY = "loky"
    DASK = "dask"
    RAY = "ray"


class Format(StrEnum):
    """How a table is printed."""

    TEXT = "text"
    CSV = "csv"


PlanName = Annotated[
    str, typer.Argument(metavar="PLAN", help="TOML file or shipped plan (`tauhat study plans`).")
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the study.")]


@study_app.command(cls=OnceCommand)
def run(
    plan: PlanName,
    out: Annotated[Path, typer.Option(help="Folder of the study; continued if it has begun.")],
    jobs: Annotated[
        int | None, typer.Option(help="Worker processes here (default: all cores).")
    ] = None,
    backend: Annotated[BackendName, typer.Option(help="Where tasks run.")] = BackendName.LOKY,
    address: Annotated[
        str | None, typer.Option(help="A running Dask scheduler or Ray cluster.")
    ] = None,
    replicates: Annotated[
        int | None, typer.Option(min=1, help="Instead of the plan's number of replicates.")
    ] = None,
) -> None:
    """Run what is missing of a study. Stop it at any time; the same command goes on."""
    check_address_space()
    hold_to_one_thread()
    # Here, so that the workers have what they need.
    import tauhat.study.tasks  # noqa: F401
    from tauhat.study.runner import run_study

    jobs = available_cores() if jobs is None else jobs
    fork_early(jobs, backend.value)
    display = _ProgressLine(sys.stderr)
    try:
        study = run_study(
            plan,
            out,
            n_jobs=jobs,
            backend=backend.value,
            address=address,
            replicates=replicates,
            on_progress=display,
        )
    finally:
        display.end()
    failures = f", {len(study.failures)} failures" if len(study.failures) else ""
    with telling_what_was_written(out):
        print(f"{study.n_tasks} of {study.plan.n_tasks} tasks{failures}: {out}")


@study_app.command(cls=OnceCommand)
def status(folder: Folder) -> None:
    """Say how far a study has come."""
    from tauhat.study.results import read_study

    study = read_study(folder)
    plan = study.plan
    print(f"{plan.name}: {study.n_tasks} of {plan.n_tasks} tasks done")
    print(
        f"{counted(len(plan.rows), 'row')}, {counted(len(plan.estimators), 'estimator')}, "
        f"seed {plan.seed}"
    )
    print(f"made with tauhat {', '.join(study.versions)}")
    if plan.note:
        print(plan.note)
    if study.damaged:
        damaged = counted(study.damaged, "damaged record is", "damaged records are")
        print(f"{damaged} left out; a run makes their tasks anew:")
        for words in study.damaged_records[:_DAMAGED_SHOWN]:
            print(f"  {words}")
    if study.n_tasks:
        print(f"{study.seconds.mean():.2f} s a task, {study.seconds.sum() / 3600:.2f} h in all")
    failures: Any = study.failures.groupby(["estimator", "message"], sort=True).size()
    for (name, message), times in failures.items():
        print(f"{counted(times, 'time')}: {name}: {message}")


@study_app.command(cls=OnceCommand)
def table(
    folder: Folder,
    metric: Annotated[str, typer.Option(help="srmse, rod, subgroup_srmse, ...")] = "srmse",
    form: Annotated[Format, typer.Option("--format", help="text or csv.")] = Format.TEXT,
    published: Annotated[
        bool, typer.Option("--published", help="Show published values in brackets.")
    ] = False,
    regrets: Annotated[
        bool, typer.Option("--regrets", help="Ratios to the best single estimator instead.")
    ] = False,
    means: Annotated[
        bool, typer.Option("--means", help="Means instead, with Monte Carlo errors.")
    ] = False,
    against: Annotated[
        str, typer.Option(help="Differences to this estimator on the same draws instead.")
    ] = "",
) -> None:
    """Print medians over the replicates, one row per scenario and size; a star marks the best."""
    from tauhat.runtime.files import csv_text
    from tauhat.study.plan import StudyError
    from tauhat.study.reference import reference_table
    from tauhat.study.results import read_study
    from tauhat.study.tables import text_table

    study = read_study(folder)
    if regrets + means + bool(against) > 1:
        raise StudyError("give one of --regrets, --means and --against")
    if means:
        shown = study.means(metric)
    elif against:
        shown = study.paired(metric, against=against)
    else:
        shown = study.regrets(metric) if regrets else study.table(metric)
    if form is Format.CSV:
        print(csv_text(shown), end="")
        return
    if regrets or means or against:
        print(shown.round(3).to_string(index=False))
    else:
        reference = reference_table(study.plan, metric) if published else None
        print(text_table(shown, metric, reference))
    if study.n_tasks < study.plan.n_tasks:
        print(f"\nNot finished: {study.n_tasks} of {study.plan.n_tasks} tasks.")
    if study.plan.note:
        print(f"\n{study.plan.note}")


@study_app.command(cls=OnceCommand)
def figure(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files (default: DIR/figures).")
    ] = None,
) -> None:
    """Write the figures (PNG, SVG), the tables (CSV) and one HTML page."""
    from tauhat.runtime.overwriting import refuse_overwriting
    from tauhat.study.page import FILES, write_page
    from tauhat.study.results import read_study
    from tauhat.study.store import FILE

    out = folder / "figures" if out is None else out
    refuse_overwriting([folder / FILE], [out / name for name in FILES])
    paths = write_page(read_study(folder), out)
    with telling_what_was_written(out):
        for path in paths:
            print(path)


@study_app.command(cls=OnceCommand)
def plans() -> None:
    """List the plans that come with tauhat."""
    from tauhat.study.plan_file import load_plan, plan_names

    names = plan_names()
    width = max(len(name) for name in names)
    for name in names:
        plan = load_plan(name)
        print(f"{name.ljust(width)}  {plan.description} ({counted(plan.n_tasks, 'task')})")


class _ProgressLine:
    """Progress with the time left: redrawn on a terminal, a line now and then elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        from tauhat.runtime.progress import Log, say

        self._say = partial(say, stream)
        self._live = stream.isatty()
        self._log = Log(stream)

    def __call__(self, progress: Progress) -> None:
        final = progress.done == progress.total
        if not self._live and not final and not self._log.due:
            return
        text = f"{progress.done} of {progress.total} tasks"
        if progress.failures:
            text += f", {progress.failures} failures"
        if progress.seconds_left == progress.seconds_left:
            text += f", {duration(progress.seconds_left)} left"
        if self._live:
            self._say(f"\r\x1b[K{text}", end="")
        else:
            self._log.line(progress.elapsed, text)

    def end(self) -> None:
        """Leave the line."""
        if self._live:
            self._say("")


def duration(seconds: float) -> str:
    """A time span for people.

    Examples
    --------
    >>> duration(5), duration(200), duration(30_000)
    ('5 s', '3 min', '8 h 20 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
