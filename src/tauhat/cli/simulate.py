"""The command `tauhat simulate`."""

from __future__ import annotations

import contextlib
import math
import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import typer

from tauhat.cli.streams import telling_what_was_written
from tauhat.errors import TrialError
from tauhat.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from tauhat.simulate import Scenario, SimulatedTrial

# A file of more persons is larger than what `tauhat run` reads.
_MOST_PERSONS = 10_000_000
# What a value on the command line may be, by the type of the setting.
_WANTED: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a word",
    tuple: "a list",
}


def simulate(
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="Scenario (--list shows them).")
    ] = None,
    persons: Annotated[
        int | None,
        typer.Option(
            "--persons",
            "-n",
            help="Persons of the trial; with clusters: enrolled in all of them together "
            "(default: as many as the clusters happen to have).",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Setting of the scenario, any number of times (--scenario NAME --list).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed.")] = 1,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="File for the trial.")
    ] = None,
    truth: Annotated[
        bool,
        typer.Option(
            "--truth",
            help="Write the true effect of each person too, to FILE-truth.csv: a column of the "
            "trial's own file would be taken for a covariate.",
        ),
    ] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--list", help="List the scenarios, or with --scenario the settings of one, and stop."
        ),
    ] = False,
) -> None:
    """Draw a trial with known effects from a scenario, as a CSV file for `tauhat run`."""
    if show:
        _list_scenarios() if scenario is None else _list_settings(scenario)
        return
    if scenario is None:
        raise TrialError("missing --scenario, the name of one of `tauhat simulate --list`")
    source = _scenario(scenario, settings or [])
    if out is None:
        raise TrialError("missing --out, the CSV file to write: --out trial.csv")
    if out.suffix.lower() != ".csv":
        raise TrialError(f"--out must be a name that ends in .csv, got {str(out)!r}")
    if out.is_dir():
        raise TrialError(f"--out must be a file, but {out} is a folder")
    if seed < 0:
        raise TrialError(f"--seed must not be negative, got {seed}")
    _write(_draw(source, scenario, persons, seed), out, truth=truth)


def _scenario(name: str, words: Sequence[str]) -> Scenario:
    """The scenario of that name with the settings given as KEY=VALUE."""
    from tauhat.simulate import scenario, scenario_names

    if name in scenario_names("semi-synthetic"):
        raise TrialError(
            f"--scenario {name} needs a trial and a function for its effect, which only Python "
            f"can give: tauhat.simulate.scenario({name!r}, trial=..., effect=...)"
        )
    factory = type(scenario(name))
    known = [field.name for field in fields(factory)]
    hints = get_type_hints(factory)
    settings: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip()
        if not equals:
            raise TrialError(f"--set needs KEY=VALUE, got {word!r}; {_settings_of(name, known)}")
        if key not in known:
            raise TrialError(f"--set {key}: no such setting; {_settings_of(name, known)}")
        if key in settings:
            raise TrialError(f"--set {key} is given twice")
        settings[key] = _value(key, text.strip(), hints[key])
    try:
        return scenario(name, **settings)
    except (TypeError, ValueError) as error:
        keys = " and ".join(settings)
        raise TrialError(f"--set {keys} makes no {name} trial: {error}") from error


def _settings_of(name: str, known: Sequence[str]) -> str:
    return f"the settings of {name} are {', '.join(known)}"


def _value(key: str, text: str, hint: Any) -> Any:
    """The value of a setting, of a type that the setting takes."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    # Functions, and "not said", cannot be typed.
    kinds = [get_origin(one) or one for one in options]
    kinds = [kind for kind in kinds if kind in _WANTED]
    value = text if kinds == [str] else _parsed(text)
    wanted = " or ".join(_WANTED[kind] for kind in kinds)
    if not any(_is(value, kind) for kind in kinds):
        raise TrialError(f"--set {key} must be {wanted}, got {text!r}")
    return value


def _parsed(text: str) -> Any:
    """A number, or a truth or list as TOML has them; anything else is a word.

    Examples
    --------
    >>> _parsed(".5"), _parsed("true"), _parsed("0.1,0.2"), _parsed("linear")
    (0.5, True, [0.1, 0.2], 'linear')
    """
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return number(text)
    if "," in text and not text.startswith("["):
        return [_parsed(part.strip()) for part in text.split(",")]
    with contextlib.suppress(tomllib.TOMLDecodeError):
        content = tomllib.loads(f"value = {text}")
        if list(content) == ["value"]:
            return content["value"]
    return text


def _is(value: Any, kind: Any) -> bool:
    if kind is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and math.isfinite(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, list if kind is tuple else kind)


def _draw(source: Scenario, name: str, persons: int | None, seed: int) -> SimulatedTrial:
    if source.randomizes_clusters:
        least = 1
        settings = source.settings
        # A scenario without these settings draws its size, and keeps it within bounds.
        expected = settings.get("n_clusters", 0)
        expected *= settings.get("mean_size", 0) if persons is None else 1
    elif persons is None:
        raise TrialError(f"missing --persons: {name} randomizes persons, so say how many")
    else:
        least, expected = 2, persons
    if persons is not None and persons < least:
        raise TrialError(f"--persons must be at least {least}, got {persons}")
    expected = max(expected, persons or 0)
    if expected > _MOST_PERSONS:
        raise TrialError(f"{expected:,.0f} persons are too many; draw at most {_MOST_PERSONS:,}")
    try:
        return source.draw(persons, random_state=seed)
    except (TypeError, ValueError) as error:
        raise TrialError(f"{name} cannot be drawn: {error}") from error
    except MemoryError as error:
        raise TrialError("the trial does not fit into memory; make it smaller") from error


def _write(trial: SimulatedTrial, out: Path, *, truth: bool) -> None:
    """Write the trial, and the truth beside it; say what was written and how to analyse it."""
    from tauhat.runtime.files import check_writable, settle, write_files

    table = trial_table(trial)
    beside = out.with_name(f"{out.stem}-truth.csv")
    contents = {out.name: _csv(table)}
    if truth:
        contents = {beside.name: _csv(truth_table(trial)), **contents}
    check_writable(out.parent)
    settle(out.parent)
    write_files(out.parent, contents)
    with telling_what_was_written(out):
        _tell(trial, out, beside, truth=truth)


def _tell(trial: SimulatedTrial, out: Path, beside: Path, *, truth: bool) -> None:
    units = "persons"
    if trial.clusters is not None:
        units = f"persons in {int(trial.clusters.max()) + 1} clusters"
    print(f"{out}: {trial.n} {units}, {counted(trial.X.shape[1], 'covariate')}")
    if truth:
        for name, persons in _by_contrast(trial).items():
            averages = f"{persons.individual_average:.4g} over persons"
            if trial.clusters is not None:
                averages += f", {persons.cluster_average:.4g} over clusters"
            effect = f"true effect of {name} on" if name else "true effect of"
            print(f"{beside}: {effect} each person; the average is {averages}")
    elif beside.exists():
        print(f"tauhat: note: {beside} is of an earlier draw", file=sys.stderr)
    print(shlex.join(["tauhat", *_analysis(trial, out)]))


def _by_contrast(trial: SimulatedTrial) -> dict[str, SimulatedTrial]:
    """The persons with their effects of each arm against the control, by the contrast's name."""
    from tauhat.simulate import SimulatedArms

    if not isinstance(trial, SimulatedArms):
        return {"": trial}
    arms = range(1, trial.effects.shape[1])
    return {f"{a} against 0": replace(trial, tau=trial.effects[:, a]) for a in arms}


def trial_table(trial: SimulatedTrial) -> pd.DataFrame:
    """A simulated trial as the table that somebody with such a trial has."""
    from tauhat.simulate import SimulatedTimes

    table = trial.X.copy()
    for name in table.columns:
        whole = table[name].to_numpy().astype("int64")
        if (whole == table[name]).all():
            table[name] = whole
    if isinstance(trial, SimulatedTimes):
        table.insert(0, "event", trial.event)
        table.insert(0, "time", trial.time)
    else:
        table.insert(0, "outcome", trial.y)
    table.insert(0, "treatment", trial.treatment)
    for name, of_person in (("period", trial.period), ("block", trial.blocks)):
        if of_person is not None:
            table.insert(0, name, of_person)
    for name, unit in (("area", trial.crossed), ("provider", trial.within)):
        if unit is not None:
            table.insert(0, name, unit)
    if trial.clusters is not None:
        table.insert(0, "cluster", trial.clusters)
    table.insert(0, "person", range(1, trial.n + 1))
    return table


def truth_table(trial: SimulatedTrial) -> pd.DataFrame:
    """What no analysis may see: true effect and true mean outcome without treatment."""
    import pandas as pd

    effects = {
        "_".join(["true_effect", *name.split()]): persons.tau
        for name, persons in _by_contrast(trial).items()
    }
    return pd.DataFrame(
        {"person": range(1, trial.n + 1), **effects, "true_untreated_mean": trial.mu0}
    )


def _csv(table: pd.DataFrame) -> str:
    # All digits: the file holds the very numbers of the draw.
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text


def _analysis(trial: SimulatedTrial, out: Path) -> list[str]:
    """Words of the command that analyses the file."""
    from tauhat.simulate import SimulatedArms, SimulatedTimes

    times = isinstance(trial, SimulatedTimes)
    words = ["run", str(out), "--outcome", "time" if times else "outcome"]
    words += ["--treatment", "treatment"]
    if isinstance(trial, SimulatedTimes):
        words += ["--event", "event", "--horizon", f"{trial.horizon:g}"]
    if trial.clusters is not None:
        words += ["--cluster", "cluster" if trial.within is None else "cluster,provider"]
    if trial.crossed is not None:
        words += ["--crossed", "area"]
    if trial.blocks is not None:
        words += ["--block", "block"]
    if trial.period is not None:
        words += ["--period", "period"]
    words += ["--id", "person"]
    # Of several arms, and over periods, the command takes the shares in the file.
    by_file = isinstance(trial, SimulatedArms) or trial.period is not None
    if isinstance(trial.propensity, float) and not by_file:
        words += ["--propensity", str(trial.propensity)]
    return words


def _list_scenarios() -> None:
    from tauhat.simulate import scenario, scenario_names

    rows = []
    for kind, unit in (("individual", "persons"), ("cluster", "clusters")):
        for name in scenario_names(kind):
            source = scenario(name)
            preset = [
                f"{f.name}={_shown(getattr(source, f.name))}"
                for f in fields(source)
                if getattr(source, f.name) != f.default
            ]
            what = (type(source).__doc__ or "").splitlines()[0].rstrip(".")
            rows.append((name, unit, "; ".join([what, *([" ".join(preset)] if preset else [])])))
    python = "real covariates with an effect of one's own; from Python only"
    rows += [(name, "either", python) for name in scenario_names("semi-synthetic")]
    width = max(len(name) for name, _, _ in rows)
    print(f"{'scenario'.ljust(width)}  randomized")
    for name, unit, what in rows:
        print(f"{name.ljust(width)}  {unit:<10}  {what}")


def _list_settings(name: str) -> None:
    source = _scenario(name, [])
    width = max(len(field.name) for field in fields(source))
    for field in fields(source):
        print(f"{field.name.ljust(width)}  {_shown(getattr(source, field.name))}")


def _shown(value: Any, *, inside: bool = False) -> str:
    """A setting as it is typed; numbers to 6 digits."""
    if isinstance(value, (tuple, list)):
        parts = (_shown(part, inside=True) for part in value if part is not None)
        return f"[{', '.join(parts)}]"
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and inside:
        return f'"{value}"'
    return f"{value:g}" if isinstance(value, float) else str(value)
