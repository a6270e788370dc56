"""The ``tauhat`` command."""

from __future__ import annotations

import shlex
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tauhat.cli.early_fork import hold_to_one_thread, note_beginning
from tauhat.cli.exit_codes import BAD_INPUT, INTERNAL, INTERRUPTED, OK, SIGNALLED, UNREAD
from tauhat.cli.given_once import OnceCommand
from tauhat.cli.interrupts import Terminated, clean_interrupts
from tauhat.cli.language import in_options, wrong_number
from tauhat.cli.limits import check_address_space, out_of_memory
from tauhat.cli.power import power
from tauhat.cli.settings import (
    Settings,
    read_config,
    refuse_both_ways,
    refuse_empty_paths,
    with_options,
)
from tauhat.cli.simulate import simulate
from tauhat.cli.streams import (
    complain,
    escapes_for_missing_letters,
    fill_closed_streams,
    print_no_more,
)
from tauhat.cli.study import study_app
from tauhat.errors import TrialError
from tauhat.runtime.garbage import few_collections

app = typer.Typer(
    name="tauhat",
    help="Who benefits from this treatment? Effects for individuals in randomized trials.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(study_app)

Config = Annotated[
    Path | None,
    typer.Option(help="TOML file with the same settings; the command line wins."),
]
Plan = Annotated[
    Path | None,
    typer.Option(metavar="LOCK", help="Lock of `tauhat plan`: run that, and list deviations."),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Go on when the design check fails, or replace results of other data.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"tauhat {version('tauhat')}")
        raise typer.Exit


@app.callback()
def tauhat(
    show: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an internal error.")
    ] = False,
) -> None:
    """Hold the options that come before the name of a command."""


@app.command(cls=OnceCommand)
@with_options("run")
def run(
    given: Settings,
    config: Config = None,
    plan: Plan = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Analyse a trial: report.html, effects.csv and run.json in the folder of --out."""
    check_address_space()
    hold_to_one_thread()
    from tauhat.cli.commands import run_trial

    code = run_trial(
        _merged(given, config),
        force=force,
        json_output=json,
        command=_command(*given.paths, config, plan),
        config=config,
        plan=plan,
    )
    raise typer.Exit(code)


@app.command(cls=OnceCommand)
@with_options("check")
def check(given: Settings, config: Config = None, json: Json = False) -> None:
    """Check the design and the data, without looking at any effect."""
    check_address_space()
    from tauhat.cli.commands import check_trial

    raise typer.Exit(check_trial(_merged(given, config), json_output=json))


@app.command(cls=OnceCommand)
@with_options("demo", out=Path("tauhat-demo"))
def demo(
    given: Settings,
    force: Annotated[bool, typer.Option("--force", help="Replace results of other data.")] = False,
    json: Json = False,
) -> None:
    """Analyse the example that comes with the package: synthetic data in the likeness of TASSH."""
    check_address_space()
    hold_to_one_thread()
    from tauhat.cli.commands import run_demo

    command = _command(*given.paths)
    raise typer.Exit(run_demo(given, force=force, json_output=json, command=command))


@app.command(cls=OnceCommand)
def plan(
    file: Annotated[Path, typer.Argument(help="TOML file with the plan (docs/planning.md).")],
    data: Annotated[
        Path | None,
        typer.Option(help="Blinded data: their columns. Outcome and arm are not looked at."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the document and its lock.")] = Path(
        "tauhat-plan"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace the lock of another plan.")] = (
        False
    ),
) -> None:
    """Write the analysis plan of a TOML file, before outcomes are seen, and lock it."""
    check_address_space()
    from tauhat.cli.plan_command import write_plan

    raise typer.Exit(write_plan(file, data, out, force=force))


@app.command(cls=OnceCommand)
def methods(
    run: Annotated[Path, typer.Argument(help="run.json of a run, or its folder.")],
    tables: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write every table there as CSV, and all as one Word document."
        ),
    ] = None,
) -> None:
    """Print paragraphs for a paper, and CONSORT, ICEMAN and PATH items, filled from a run."""
    from tauhat.cli.methods_command import write_methods

    raise typer.Exit(write_methods(run, tables))


@app.command(cls=OnceCommand)
def estimators(
    every: Annotated[
        bool, typer.Option("--all", help="Add every meta-learner with every outcome model.")
    ] = False,
) -> None:
    """List the estimators by design."""
    from tauhat.cli.commands import list_estimators

    list_estimators(every=every)


app.command(cls=OnceCommand)(power)
app.command(cls=OnceCommand)(simulate)


def _merged(given: Settings, config: Path | None) -> Settings:
    refuse_both_ways(_arguments)
    return given if config is None else given.over(read_config(config))


_arguments: list[str] = []


def _command(*paths: Path | None) -> str:
    """The command as typed, but for the folders of ``paths``: they are nobody's business."""
    words = []
    for word in _arguments:
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        if Path(value) in paths:
            value = Path(value).name or value
        words.append(f"{option}{equals}{value}")
    return shlex.join(["tauhat", *words])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        Words after ``tauhat``; None takes those of the process.

    Returns
    -------
    int
        0 done, 1 internal error, 2 bad input or a file, disk or memory that cannot be
        used, 3 design check failed, 130 when interrupted, 143 when terminated, 129 when
        its terminal was closed, 141 when nobody reads what is printed any more
        (``tauhat ... | head``).

    Examples
    --------
    >>> main(["run", "nowhere.csv", "--outcome", "y", "--treatment", "a"])
    2
    """
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    _arguments[:] = words
    note_beginning()
    fill_closed_streams()
    with few_collections(), escapes_for_missing_letters():
        return _run(words)


def _run(words: list[str]) -> int:
    streams = sys.stdout, sys.stderr
    try:
        with clean_interrupts(), warnings.catch_warnings():
            # What matters among the warnings is in the report.
            warnings.simplefilter("ignore")
            refuse_empty_paths(words)
            code = app(words, standalone_mode=False, prog_name="tauhat")
            sys.stdout.flush()
    except (typer.TyperException, TrialError, ValueError) as error:
        if "--debug" in words:
            traceback.print_exc()
        return _complain(error, BAD_INPUT)
    except KeyboardInterrupt as error:
        return _interrupted(INTERRUPTED, error)
    except Terminated as error:
        return _interrupted(SIGNALLED + error.number, error)
    except BrokenPipeError:
        return _unread()
    except SystemExit as end:
        # So typer and rich end when the pipe is closed, whatever stands behind the number 1.
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        sys.stdout, sys.stderr = streams
        return _unread()
    except MemoryError:
        if "--debug" in words:
            traceback.print_exc()
        return _complain(out_of_memory(), BAD_INPUT)
    except OSError as error:
        if "--debug" in words:
            traceback.print_exc()
        if error.filename is None:
            print_no_more()
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"the system refused: {where}{error.strerror or error}", BAD_INPUT)
    except Exception as error:
        if "--debug" in words:
            traceback.print_exc()
        return _complain(
            f"internal error, {type(error).__name__}: {error}; run `tauhat --debug ...` to see "
            "where, and please report it",
            INTERNAL,
        )
    if code == INTERRUPTED:
        return _interrupted(INTERRUPTED)
    return int(code or OK)


def _unread() -> int:
    """End as the shell's own tools do when their pipe is closed: no word, 128 + SIGPIPE."""
    print_no_more()
    return UNREAD


def _complain(error: Exception | str, code: int) -> int:
    text = error.format_message() if isinstance(error, typer.TyperException) else str(error)
    text = wrong_number(error) or text
    complain(f"error: {in_options(text)}")
    return code


def _interrupted(code: int, error: BaseException | None = None) -> int:
    left = "every finished task is stored"
    if _arguments[:1] != ["study"]:
        left = next(iter(getattr(error, "__notes__", ())), "no results were written")
    complain(f"interrupted; {left}")
    return code
