"""What an analysis plan says, read from a TOML file and held against what it must hold."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tauhat.errors import TrialError
from tauhat.protocol.planned_arms import check_arms
from tauhat.tables.toml_file import one_direction, read_toml
from tauhat.trial.no_covariates import why_no_covariates

TEXT, NUMBER, WHOLE, NAMES = "a text in quotes", "a number", "a whole number", "a list of names"
PAIR = "two probabilities, without and with the modifier"

#: Keys of each table of the file, with what their values are.
TABLES: Mapping[str, Mapping[str, str]] = {
    "expected": {
        "persons": WHOLE,
        "clusters": WHOLE,
        "icc": NUMBER,
        "size-cv": NUMBER,
        "share-treated": NUMBER,
        "drop-out": NUMBER,
        "sd": NUMBER,
        "risk-control": NUMBER,
        "risk-treated": NUMBER,
        "survival-control": NUMBER,
        "survival-treated": NUMBER,
        "shape": NUMBER,
        "accrual": NUMBER,
        "follow-up": NUMBER,
        "frailty-sd": NUMBER,
    },
    "estimand": {"average": TEXT, "population": TEXT, "intercurrent": TEXT},
    "adjustment": {"columns": NAMES, "rationale": TEXT},
    "remarks": {
        "multiplicity": TEXT,
        "missing": TEXT,
        "sensitivity": TEXT,
        "test": TEXT,
    },
    "modifiers": {
        "name": TEXT,
        "direction": TEXT,
        "rationale": TEXT,
        "evidence": TEXT,
        "cut-point": TEXT,
        "difference": NUMBER,
        "sd": NUMBER,
        "prevalence": NUMBER,
        "icc": NUMBER,
        "survival-control": PAIR,
        "survival-treated": PAIR,
    },
}
#: Numbers between 0 and 1; the others are positive.
_SHARES = ("icc", "share-treated", "drop-out", "risk-control", "risk-treated", "prevalence",
           "survival-control", "survival-treated")  # fmt: skip
_MAY_BE_ZERO = ("icc", "drop-out", "size-cv", "accrual", "frailty-sd")
_OF_TIMES = ("survival-control", "survival-treated", "shape", "accrual", "follow-up", "frailty-sd")
AVERAGES = ("individual", "cluster")
_ROLES = ("outcome", "treatment", "cluster", "block", "event", "period")
#: Options that a plan has from other tables, where it says why.
_ELSEWHERE = {
    "modifiers": "name each under [[modifiers]], with its direction and rationale",
    "subgroup": "name the rule under [[modifiers]], with its direction and rationale",
    "adjust": "name the columns under [adjustment]",
}
#: The table of which there may be several.
_MANY = "modifiers"


@dataclass(frozen=True)
class AnalysisPlan:
    """An analysis plan.

    Attributes
    ----------
    title
        Of the trial.
    run
        Options of the analysis as TOML has them, by the names of the command; among them
        ``modifiers`` (columns), ``subgroup`` (rules) and ``adjust``.
    expected
        What the trial is expected to be: persons, clusters, ICC and so on, as far as given.
    estimand, adjustment, remarks
        What else was said, by key.
    modifiers
        One record a named modifier.
    """

    title: str
    run: Mapping[str, Any]
    expected: Mapping[str, Any] = field(default_factory=dict)
    estimand: Mapping[str, Any] = field(default_factory=dict)
    adjustment: Mapping[str, Any] = field(default_factory=dict)
    remarks: Mapping[str, Any] = field(default_factory=dict)
    modifiers: tuple[Mapping[str, Any], ...] = ()

    @property
    def clustered(self) -> bool:
        """Whether clusters are randomized."""
        return "cluster" in self.run

    @property
    def record(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {
            "title": self.title,
            "run": dict(self.run),
            "expected": dict(self.expected),
            "estimand": dict(self.estimand),
            "adjustment": dict(self.adjustment),
            "remarks": dict(self.remarks),
            "modifiers": [dict(one) for one in self.modifiers],
        }


def read_plan(path: str | Path) -> AnalysisPlan:
    """Plan of a TOML file.

    Parameters
    ----------
    path
        The file: ``title``, and the tables ``[run]`` (options of `tauhat run`), ``[expected]``,
        ``[estimand]``, ``[[modifiers]]``, ``[adjustment]`` and ``[remarks]``.

    Returns
    -------
    AnalysisPlan

    Raises
    ------
    TrialError
        If the file cannot be read, or something in it is missing, unknown or out of range.
    """
    path = Path(path)
    return plan_of(read_toml(path), path)


def plan_of(content: Mapping[str, Any], path: Path) -> AnalysisPlan:
    """Plan from the content of a TOML file.

    Examples
    --------
    >>> plan = plan_of(
    ...     {
    ...         "title": "Classes",
    ...         "run": {"outcome": "math", "treatment": "class", "covariates": ["sex"]},
    ...         "expected": {"persons": 400},
    ...         "modifiers": [{"name": "sex", "direction": "girls gain more", "rationale": "..."}],
    ...     },
    ...     Path("trial.toml"),
    ... )
    >>> plan.run["modifiers"], plan.clustered
    (['sex'], False)
    """
    _known(content, ("title", "run", *TABLES), str(path))
    if "title" not in content:
        raise TrialError(
            f"{path} has no title: begin it, before the tables, with a line such as "
            'title = "Name of the trial"'
        )
    title = content["title"]
    if not isinstance(title, str) or not title.strip():
        raise TrialError(f"{path}: title must be a text in quotes, got {title!r}")
    tables = {name: _table(content.get(name, {}), name, path) for name in TABLES if name != _MANY}
    listed = content.get(_MANY, [])
    if not isinstance(listed, list):
        raise TrialError(f"{path}: modifiers are given one by one, each under [[modifiers]]")
    modifiers = tuple(_modifier(one, path) for one in listed)
    names = [one["name"] for one in modifiers]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TrialError(f"{path}: the modifier {twice!r} is named twice")
    run = _run(content.get("run", {}), names, tables["adjustment"].get("columns", []), path)
    timed = "event" in run and "horizon" in run
    _check_expected(tables["expected"], clustered="cluster" in run, timed=timed, path=path)
    check_arms(run, tables["expected"], str(path))
    average = tables["estimand"].get("average", AVERAGES[0])
    if average not in (AVERAGES if "cluster" in run else AVERAGES[:1]):
        wanted = " or ".join(f'"{one}"' for one in AVERAGES)
        raise TrialError(
            f"{path}: average of [estimand] must be {wanted} ("
            f'"cluster" where clusters are randomized), got {average!r}'
        )
    return AnalysisPlan(
        title.strip(),
        run,
        tables["expected"],
        {**tables["estimand"], "average": average},
        tables["adjustment"],
        tables["remarks"],
        modifiers,
    )


def _known(found: Mapping[str, Any], known: Any, where: str) -> None:
    for key in found:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise TrialError(f"{where} has the unknown key {key!r}; {hint}")


def _table(found: Any, name: str, path: Path) -> dict[str, Any]:
    where = f"{path}: [{name}]"
    if not isinstance(found, Mapping):
        raise TrialError(f"{where} must be a table of keys and values, got {found!r}")
    _known(found, TABLES[name], where)
    for key, value in found.items():
        wanted = TABLES[name][key]
        if not _fits(value, wanted):
            raise TrialError(f"{where} {key} must be {wanted}, got {value!r}")
        if wanted in (NUMBER, WHOLE):
            _check_range(key, value, where)
    return dict(found)


def _fits(value: Any, wanted: str) -> bool:
    if wanted == TEXT:
        return isinstance(value, str) and bool(value.strip())
    if wanted == NAMES:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if wanted == PAIR:
        if not isinstance(value, list) or len(value) != 2:
            return False
        return all(_fits(one, NUMBER) and 0 < one < 1 for one in value)
    if isinstance(value, bool):
        return False
    if wanted == WHOLE:
        return isinstance(value, int)
    return isinstance(value, (int, float)) and math.isfinite(value)


def _check_range(key: str, value: float, where: str) -> None:
    if key == "difference":
        if value == 0:
            raise TrialError(f"{where} difference must not be 0: it is what is to be found")
        return
    low_ok = value >= 0 if key in _MAY_BE_ZERO else value > 0
    # The modifier of a cluster has the ICC 1.
    high_ok = key not in _SHARES or value < 1 or (key == "icc" and value == 1)
    if not (low_ok and high_ok):
        wanted = "between 0 and 1" if key in _SHARES else "positive"
        raise TrialError(f"{where} {key} must be {wanted}, got {value:g}")


def _modifier(found: Any, path: Path) -> dict[str, Any]:
    one = _table(found, _MANY, path)
    name = one.get("name")
    if name is None:
        raise TrialError(f"{path}: a [[modifiers]] has no name")
    for key, asked in (
        ("direction", "the direction expected beforehand (or that none is)"),
        ("rationale", "why it should modify the effect"),
    ):
        if key not in one:
            raise TrialError(f"{path}: the modifier {name!r} lacks {key}, {asked}")
    if "sd" in one and "prevalence" in one:
        raise TrialError(
            f"{path}: the modifier {name!r} has sd (of a continuous one) and prevalence (of one "
            "with two values); give one"
        )
    return one


def _run(found: Any, names: list[str], adjust: list[str], path: Path) -> dict[str, Any]:
    if not isinstance(found, Mapping) or not found:
        raise TrialError(
            f'{path} needs the table [run] with options of `tauhat run`, such as outcome = "sbp"'
        )
    run = {
        key.replace("_", "-"): value
        for key, value in one_direction(found, f"{path}: [run]").items()
    }
    for key, place in _ELSEWHERE.items():
        if key in run:
            raise TrialError(f"{path}: {key} is no option of [run] in a plan: {place}")
    covariates = run.get("covariates", [])
    if not _fits(covariates, NAMES):
        raise TrialError(
            f'{path}: [run] covariates must be {NAMES} such as ["age", "sex"], got {covariates!r}'
        )
    listed = [*covariates, *adjust]
    # The others are rules, such as "age > 65".
    columns = [name for name in names if name.isidentifier() or name in listed]
    rules = [name for name in names if name not in columns]
    roles = {key: run[key] for key in _ROLES if isinstance(run.get(key), str)}
    why = why_no_covariates((), roles, ())
    refused = next((name for name in columns if name in why), None)
    if refused is not None:
        raise TrialError(f"{path}: {refused!r} cannot be a modifier: {why[refused]}")
    if "covariates" not in run:
        run["covariates"] = list(dict.fromkeys([*adjust, *columns]))
    if not run["covariates"]:
        raise TrialError(
            f"{path} names no covariates: a plan says beforehand which columns are used. Give "
            "[run] covariates, [[modifiers]] or [adjustment] columns"
        )
    if columns:
        run["modifiers"] = columns
    if rules:
        run["subgroup"] = rules
    if adjust:
        run["adjust"] = adjust
    return run


def _check_expected(
    expected: Mapping[str, Any], *, clustered: bool, timed: bool, path: Path
) -> None:
    if "persons" not in expected:
        raise TrialError(f"{path}: [expected] lacks persons, the number to be randomized")
    if clustered and "clusters" not in expected:
        raise TrialError(f"{path}: [expected] lacks clusters, the number to be randomized")
    for key in ("clusters", "icc", "size-cv"):
        if key in expected and not clustered:
            raise TrialError(f"{path}: [expected] {key} needs [run] cluster, the randomized unit")
    if clustered and expected["clusters"] > expected["persons"]:
        raise TrialError(
            f"{path}: [expected] has {expected['clusters']} clusters of "
            f"{expected['persons']} persons"
        )
    of_times = [key for key in _OF_TIMES if key in expected]
    if of_times and not timed:
        raise TrialError(
            f"{path}: [expected] {of_times[0]} needs [run] event and horizon, of a time to an event"
        )
    if len([key for key in _OF_TIMES[:2] if key in expected]) == 1:
        raise TrialError(
            f"{path}: [expected] needs both survival-control and survival-treated, the "
            "probabilities to have no event by the horizon"
        )
    risks = [key for key in ("risk-control", "risk-treated") if key in expected]
    if len(risks) == 1 or (risks and "sd" in expected):
        raise TrialError(
            f"{path}: [expected] needs both risk-control and risk-treated of a binary outcome, or "
            "sd of another one"
        )
