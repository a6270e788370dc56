"""Settings of a run: from the command line, from a TOML file, the command line winning."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Any

from tauhat.cli.option import Command, Receiver
from tauhat.cli.option_kinds import CODES, CONDITIONS, NAMES, PATH, split_names
from tauhat.cli.options import OPTIONS
from tauhat.errors import TrialError
from tauhat.tables.toml_file import one_direction, read_toml

_SINGLE = ("outcome", "treatment", "event", "block", "period")


@dataclass(frozen=True)
class Settings:
    """What a run needs to know: the options that were given, by name.

    Each is an attribute too, which is None for one that was not given.

    Attributes
    ----------
    given
        Value of each option that was given.
    """

    given: Mapping[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        if name not in OPTIONS:
            raise AttributeError(name)
        return self.given.get(name)

    def over(self, other: Settings) -> Settings:
        """These settings, with what they leave out taken from ``other``."""
        return Settings({**other.given, **self.given})

    def arguments(self, receiver: Receiver) -> dict[str, Any]:
        """Arguments of the function that takes them; what was not given has its default there.

        Examples
        --------
        >>> Settings({"outcome": "y", "seed": 2, "out": Path("o")}).arguments("analyze")
        {'random_state': 2}
        """
        return {
            OPTIONS[name].keyword: value
            for name, value in self.given.items()
            if OPTIONS[name].goes_to == receiver
        }

    @property
    def roles(self) -> dict[str, str]:
        """Column of each role that has a single one; of levels, that of the clusters.

        Examples
        --------
        >>> Settings({"outcome": "y", "cluster": ("clinic", "ward")}).roles
        {'outcome': 'y', 'cluster': 'clinic'}
        """
        given = {role: self.given.get(role) for role in _SINGLE}
        given["cluster"] = (self.cluster or (None,))[0]
        return {role: name for role, name in given.items() if name is not None}

    @property
    def trial_arguments(self) -> dict[str, Any]:
        """Arguments of `tauhat.Trial`; named modifiers and adjustments are covariates too."""
        arguments = self.arguments("trial")
        if "covariates" in arguments:
            # Here, so that help need not import NumPy.
            from tauhat.trial.no_covariates import why_no_covariates

            why = why_no_covariates((), self.roles, arguments["covariates"])
            for name in self.modifiers or ():
                if name in why:
                    raise TrialError(f"--modifiers: {why[name]}")
            named = (*arguments["covariates"], *(self.modifiers or ()), *(self.adjust or ()))
            arguments["covariates"] = tuple(dict.fromkeys(named))
        return arguments

    @property
    def label_columns(self) -> list[str]:
        """Columns whose values are labels."""
        found: list[str] = []
        for name, value in self.given.items():
            if OPTIONS[name].is_label:
                found.extend([value] if isinstance(value, str) else value)
        return found

    @property
    def paths(self) -> list[Path]:
        """Files and folders that were named."""
        return [value for name, value in self.given.items() if OPTIONS[name].kind is PATH]

    def checked(self) -> Settings:
        """Return these settings with the defaults filled in.

        Raises
        ------
        TrialError
            If something required is missing or out of range.
        """
        values = dict(self.given)
        for name, option in OPTIONS.items():
            if name not in values and option.required:
                raise TrialError(f"missing {option.required}")
            if name not in values and option.default is not None:
                default = option.default
                values[name] = default() if callable(default) else default
            fault = option.fault(values[name]) if name in values else None
            if fault:
                raise TrialError(f"{option.shown} {fault}")
        if "address" in values and values["backend"] == "loky":
            raise TrialError("--address needs --backend dask")
        if "mcid" in values and "higher_is_better" not in values:
            raise TrialError(
                "--mcid is a benefit: say which outcome is better, --higher-is-better or "
                "--lower-is-better"
            )
        if "adjust" in values and not {"modifiers", "subgroup"} & set(values):
            raise TrialError("--adjust needs --modifiers or --subgroup, which it adjusts")
        return Settings(values)


def typed(words: Mapping[str, Any]) -> Settings:
    """Settings from what the parser found, by the names of the options.

    Examples
    --------
    >>> typed({"outcome": "y", "covariates": ["age,sex"], "control": None}).given
    {'outcome': 'y', 'covariates': ('age', 'sex')}
    """

    def read(name: str, value: Any) -> Any:
        if OPTIONS[name].kind in (NAMES, CODES):
            return split_names(value)
        if OPTIONS[name].kind is CONDITIONS:
            return tuple(value) if value else None
        return value

    values = {name: read(name, value) for name, value in words.items()}
    return Settings({name: value for name, value in values.items() if value is not None})


def with_options(command: Command, **defaults: Any) -> Callable[..., Callable[..., None]]:
    """Decorator that gives a function the options of a command, as its first argument.

    Parameters
    ----------
    command
        Name of the command.
    **defaults
        Values of options that this command shows as its defaults.

    Returns
    -------
    callable
        The parser calls what it makes with the options and with the function's own
        parameters; the function is called with `Settings` and the latter.
    """
    options = [option for option in OPTIONS.values() if command in option.commands]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(function, eval_str=True).parameters.values()
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            inspect.Parameter(
                option.name,
                keyword,
                default=defaults.get(option.name),
                annotation=option.annotation(defaults.get(option.name)),
            )
            for option in options
        ]
        parameters += [one.replace(kind=keyword) for one in own]

        @wraps(function)
        def called(**words: Any) -> None:
            given = typed({option.name: words.pop(option.name) for option in options})
            function(given, **words)

        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        return called

    return decorate


def refuse_both_ways(words: Sequence[str]) -> None:
    """Raise a `TrialError` where a switch and its contrary were typed: neither wins silently.

    Examples
    --------
    >>> refuse_both_ways(["run", "t.csv", "--lower-is-better", "--higher-is-better"])
    Traceback (most recent call last):
    tauhat.errors.TrialError: --higher-is-better and --lower-is-better were both given; give one
    """
    for option in OPTIONS.values():
        ways = option.shown.split("/")
        if len(ways) > 1 and set(ways) <= set(words):
            raise TrialError(f"{' and '.join(ways)} were both given; give one")


def refuse_empty_paths(words: Sequence[str]) -> None:
    """Raise a `TrialError` for a folder or file without a name, which would be the current folder.

    Examples
    --------
    >>> refuse_empty_paths(["run", "t.csv", "--out", ""])
    Traceback (most recent call last):
    tauhat.errors.TrialError: --out is empty; give a name, or . for the current folder
    """
    for option in (option.shown for option in OPTIONS.values() if option.kind is PATH):
        empty = any(one == option and not after.strip() for one, after in pairwise(words))
        if empty or f"{option}=" in words:
            raise TrialError(f"{option} is empty; give a name, or . for the current folder")


def read_config(path: Path) -> Settings:
    """Settings of a TOML file; its keys are those of `Settings`, paths relative to the file.

    Raises
    ------
    TrialError
        If the file cannot be read, is not TOML, or has a key or a value that
        cannot be used.
    """
    return settings_from(read_toml(path), path)


def settings_from(content: Mapping[str, Any], path: Path) -> Settings:
    """Settings from the content of a TOML file.

    Examples
    --------
    >>> settings_from({"outcome": "y", "cluster-size": True}, Path("t.toml")).cluster_size
    True
    """
    values: dict[str, Any] = {}
    for key, value in one_direction(content, str(path)).items():
        name = key.replace("-", "_")
        if name not in OPTIONS:
            near = difflib.get_close_matches(name, OPTIONS, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(OPTIONS)}"
            raise TrialError(f"{path} has the unknown key {key!r}{hint}")
        kind = OPTIONS[name].kind
        found = kind.read(value)
        if found is None:
            raise TrialError(f"{path}: {name} must be {kind.wanted}, got {value!r}")
        values[name] = path.parent / found if kind is PATH else found
    return Settings(values)
