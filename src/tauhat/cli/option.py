"""What one option of `tauhat run`, `check` and `demo` says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from tauhat.cli.option_kinds import TEXT, Kind

Command = Literal["run", "check", "demo"]
Receiver = Literal["read", "trial", "analyze"]


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes
    ----------
    name
        Key among the settings; in the TOML file and on the command line with dashes.
    help
        What it means, as `--help` and the documentation say it, in a sentence.
    kind
        What its value is.
    commands
        Commands that have it.
    goes_to
        Function that takes it: the reader of the file, `tauhat.Trial`, `tauhat.analyze`;
        empty for what the command itself does with it.
    argument
        Its name there, where that is another.
    flags
        Its form on the command line, where that is not its name after two dashes; empty for the
        argument without one.
    metavar
        What stands for its value in the help.
    otherwise
        Words for what holds where nobody gives one.
    default
        Its value then, or a function that makes it.
    fault
        What is wrong with a value, to stand after the option's name; None or empty if
        nothing is.
    required
        What is missing, for the message, where it must be given.
    is_label
        Whether it names a column whose values are labels, which a table's reader
        leaves as they are written.
    """

    name: str
    help: str
    kind: Kind = TEXT
    commands: tuple[Command, ...] = ("run", "check")
    goes_to: Receiver | None = None
    argument: str = ""
    flags: str = ""
    metavar: str | None = None
    otherwise: str = ""
    default: Any = None
    fault: Callable[[Any], str | None] = lambda value: None
    required: str = ""
    is_label: bool = False

    @property
    def key(self) -> str:
        """Name in the TOML file."""
        return self.name.replace("_", "-")

    @property
    def keyword(self) -> str:
        """Name of the argument of the function that takes it."""
        return self.argument or self.name

    @property
    def shown(self) -> str:
        """Form on the command line."""
        return self.flags or f"--{self.key}"

    def annotation(self, default: Any = None) -> Any:
        """What tells the parser of it, and of a default that a command has of its own."""
        if self.flags == self.name:
            return Annotated[self.kind.parsed | None, typer.Argument(help=self.help)]
        told = self.help
        if self.otherwise and default is None:
            told = f"{told.removesuffix('.')} (default: {self.otherwise})."
        declared = typer.Option(self.shown, help=told, metavar=self.metavar)
        return Annotated[self.kind.parsed | None, declared]
