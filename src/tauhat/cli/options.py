"""Every option of `tauhat run`, `check` and `demo`, each declared once.

The parser, the help, the keys of the TOML file, the arguments of `Trial` and `analyze` and the
table in the documentation come from these records. A new option is a record in `OPTIONS`, and
a parameter of the function that ``goes_to`` names.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tauhat.cli.option import Command, Option
from tauhat.cli.option_kinds import (
    CODES,
    CONDITIONS,
    LABEL,
    NAMES,
    NUMBER,
    PATH,
    SWITCH,
    TEXT,
    WHOLE,
)

DEFAULT_OUT = Path("tauhat-out")
BACKENDS = ("loky", "dask")


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _too_few(arms: tuple[str, ...]) -> str | None:
    wanted = f"needs the labels of two arms or more, control first, got {len(arms)}"
    return None if len(arms) >= 2 else wanted


def _less_than(least: int, words: str) -> Callable[[int], str | None]:
    return lambda value: None if value >= least else f"{words}, got {value}"


def _no_coverage(level: float) -> str | None:
    wanted = f"must lie between 0 and 1, got {level:g} (0.95 for 95% intervals)"
    return None if 0 < level < 1 else wanted


def _no_benefit(mcid: float) -> str | None:
    return None if 0 < mcid < float("inf") else f"must be a positive number, got {mcid:g}"


def _no_backend(backend: str) -> str | None:
    wanted = f"must be one of {', '.join(BACKENDS)}, got {backend!r}"
    return None if backend in BACKENDS else wanted


RUN: tuple[Command, ...] = ("run",)
RUN_AND_DEMO: tuple[Command, ...] = ("run", "demo")

_ALL = [
    Option(
        "file",
        "The trial: a file of any usual format.",
        PATH,
        flags="file",
        required="a file to read: tauhat run trial.csv ...",
    ),
    Option(
        "outcome",
        "Column of the outcome.",
        goes_to="trial",
        required="--outcome, the column of the outcome",
    ),
    Option(
        "treatment",
        "Column of the arm.",
        goes_to="trial",
        required="--treatment, the column of the arm",
        is_label=True,
    ),
    Option("control", "Label of the control arm.", LABEL, goes_to="trial"),
    Option(
        "arms",
        "Arms to compare, two or more, control first.",
        NAMES,
        goes_to="trial",
        metavar="CONTROL,TREATED,...",
        otherwise="all",
        fault=_too_few,
    ),
    Option("contrasts", "Pairs of several arms: control, sequential or all.", goes_to="trial"),
    Option(
        "cluster",
        "Column of the randomized cluster; then those of levels within it, outermost first.",
        NAMES,
        goes_to="trial",
        metavar="NAME,NAME",
        is_label=True,
    ),
    Option(
        "participant",
        "Column of the participant, of whom several rows count.",
        goes_to="trial",
        is_label=True,
    ),
    Option(
        "crossed",
        "Column of what crosses the clusters, such as neighbourhoods beside schools.",
        NAMES,
        goes_to="trial",
        metavar="NAME,NAME",
        is_label=True,
    ),
    Option(
        "period",
        "Column of the periods over which clusters change their arm (stepped wedge, crossover), or "
        "of which the first are a baseline.",
        goes_to="trial",
        is_label=True,
    ),
    Option(
        "baseline_rows",
        "What rows of a baseline period are for: covariate (the cluster's mean) or model.",
        goes_to="trial",
        otherwise="covariate",
    ),
    Option(
        "covariates",
        "Columns measured before randomization.",
        NAMES,
        goes_to="trial",
        metavar="NAME,NAME",
        otherwise="all others, if all seem to be",
    ),
    Option(
        "modifiers",
        "Covariates named beforehand, along which the effect is compared.",
        NAMES,
        goes_to="analyze",
        metavar="NAME,NAME",
    ),
    Option(
        "subgroup",
        "Subgroup named beforehand, such as 'sex == \"girl\" and age > 65'. Repeatable.",
        CONDITIONS,
        goes_to="analyze",
        argument="subgroups",
        metavar="CONDITION",
    ),
    Option(
        "adjust",
        "Covariates that the comparisons along --modifiers and --subgroup are adjusted for.",
        NAMES,
        goes_to="analyze",
        metavar="NAME,NAME",
        otherwise="all of --covariates",
    ),
    Option(
        "cluster_covariates",
        "Covariates that belong to the cluster.",
        NAMES,
        goes_to="trial",
        metavar="NAME,NAME",
    ),
    Option("cluster_size", "Add the size of the cluster as a covariate.", SWITCH, goes_to="trial"),
    Option("log_cluster_size", "Add the log of this size as a covariate.", SWITCH, goes_to="trial"),
    Option(
        "block",
        "Column of the block (site, stratum, pair) in which units were randomized.",
        goes_to="trial",
        is_label=True,
    ),
    Option(
        "propensity",
        "Probability of treatment by design.",
        NUMBER,
        goes_to="trial",
        otherwise="arm shares",
    ),
    Option(
        "id",
        "Column that identifies persons, one row each; for effects.csv.",
        goes_to="trial",
        is_label=True,
    ),
    Option("weight", "Column of sample weights, by which persons count.", goes_to="trial"),
    Option(
        "endpoint",
        "Kind of the outcome: binary, continuous or count (of events, with --exposure the time at "
        "risk); with --event rmst, survival or time-lost.",
        goes_to="trial",
        otherwise="told by its values; rmst with --event",
    ),
    Option(
        "event",
        "Column that says if the time in --outcome ended with the event.",
        goes_to="trial",
        is_label=True,
    ),
    Option(
        "event_value",
        "What in --event, or in an --outcome with two values, is the event.",
        NAMES,
        goes_to="trial",
        metavar="LABEL,LABEL",
        otherwise="the higher of two numbers",
    ),
    Option(
        "exposure",
        "Column of the number of persons whose events --outcome counts; of counts the time.",
        goes_to="trial",
    ),
    Option("horizon", "Time up to which to compare; needed with --event.", NUMBER, goes_to="trial"),
    Option(
        "censoring",
        "What censoring may depend on: arm or covariates.",
        goes_to="trial",
        otherwise="arm",
    ),
    Option(
        "missing",
        "What to do about missing outcomes: doubly-robust or complete-cases.",
        goes_to="trial",
        otherwise="doubly-robust",
    ),
    Option(
        "auxiliary",
        "Columns measured after randomization that tell who has no outcome.",
        NAMES,
        goes_to="trial",
        metavar="NAME,NAME",
    ),
    Option(
        "accept",
        "Answer a warning of the design check by its code: it was looked into. Repeatable.",
        NAMES,
        goes_to="trial",
        metavar="CODE",
    ),
    Option(
        "normalise_labels",
        "Merge labels that are nearly alike (case, accents, punctuation, a letter).",
        SWITCH,
        goes_to="trial",
    ),
    Option(
        "where",
        'Rows to keep, such as \'PARAMCD == "SBP" and AVISIT in ("Week 12", "Week 24")\'.',
        goes_to="read",
        metavar="CONDITION",
    ),
    Option(
        "na",
        "Codes of missing values, such as '.,-9,999'; in a TOML file for single columns too.",
        CODES,
        goes_to="read",
        metavar="CODE,CODE",
    ),
    Option("table", "Sheet of a workbook or data frame of an .RData file.", goes_to="read"),
    Option(
        "labels",
        "TOML file with labels and units of columns and values.",
        PATH,
        metavar="FILE",
    ),
    Option("unit", "Unit of the outcome, such as mmHg.", commands=RUN),
    Option("title", "Title of the report.", commands=RUN),
    Option(
        "models",
        "default, quick, or names (see `tauhat estimators`).",
        NAMES,
        RUN_AND_DEMO,
        goes_to="analyze",
        metavar="NAME,NAME",
        default=("default",),
    ),
    Option(
        "jobs",
        "Fits at once.",
        WHOLE,
        RUN_AND_DEMO,
        default=available_cores,
        fault=_less_than(1, "must be at least 1"),
        otherwise="all cores",
    ),
    Option(
        "seed",
        "Seed.",
        WHOLE,
        RUN_AND_DEMO,
        goes_to="analyze",
        argument="random_state",
        default=1,
        fault=_less_than(0, "must not be negative"),
        otherwise="1",
    ),
    Option(
        "level",
        "Coverage of intervals.",
        NUMBER,
        RUN,
        goes_to="analyze",
        default=0.95,
        fault=_no_coverage,
        otherwise="0.95",
    ),
    Option(
        "seeds",
        "Fit all models again with that many other seeds.",
        WHOLE,
        RUN_AND_DEMO,
        goes_to="analyze",
        argument="n_seeds",
        fault=_less_than(0, "must not be negative"),
        otherwise="0",
    ),
    Option(
        "imputations",
        "Draw missing covariates that many times for the average effects (Rubin's rules); all else "
        "fills them in once.",
        WHOLE,
        RUN,
        goes_to="analyze",
        fault=_less_than(2, "must be 2 or more"),
        otherwise="filled in once",
    ),
    Option(
        "target",
        "File of another population: effects there, also of named groups. A column for each "
        "covariate; a row for each person, or one row of means.",
        PATH,
        RUN,
        goes_to="analyze",
        metavar="FILE",
    ),
    Option(
        "patient_level",
        "Show the estimated effect of each person in the report.",
        SWITCH,
        RUN_AND_DEMO,
    ),
    Option(
        "member_effects",
        "Write each model's effects too, one column each, in effects.csv.",
        SWITCH,
        RUN_AND_DEMO,
    ),
    Option(
        "figures",
        "Write every figure too, as SVG and PNG with its numbers.",
        SWITCH,
        RUN_AND_DEMO,
    ),
    Option(
        "higher_is_better",
        "Whether a larger outcome is good: who is treated first.",
        SWITCH,
        RUN,
        goes_to="analyze",
        flags="--higher-is-better/--lower-is-better",
        otherwise="show both",
    ),
    Option(
        "mcid",
        "Smallest benefit that matters, in units of the outcome (of a risk 0.03, not 3): who is "
        "expected to gain it.",
        NUMBER,
        RUN,
        goes_to="analyze",
        fault=_no_benefit,
    ),
    Option(
        "backend",
        "Where fits run: loky (default) or dask.",
        TEXT,
        RUN,
        default="loky",
        fault=_no_backend,
    ),
    Option("address", "A running Dask scheduler.", TEXT, RUN),
    Option(
        "out",
        "Folder for the results.",
        PATH,
        RUN_AND_DEMO,
        otherwise=str(DEFAULT_OUT),
        default=DEFAULT_OUT,
    ),
]

#: Every option by its name.
OPTIONS: dict[str, Option] = {option.name: option for option in _ALL}
