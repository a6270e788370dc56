"""The command `tauhat plan`, and what `tauhat run --plan` makes of its lock."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from tauhat.cli.option_kinds import PATH
from tauhat.cli.options import OPTIONS
from tauhat.cli.settings import Settings, settings_from
from tauhat.cli.streams import telling_what_was_written
from tauhat.cli.word_file import word_file
from tauhat.errors import TrialError
from tauhat.protocol import (
    AnalysisPlan,
    Beside,
    Lock,
    deviations,
    plan_document,
    read_lock,
    read_plan,
)
from tauhat.protocol.deviations import kinds_of
from tauhat.report.markdown import markdown_of
from tauhat.report.render import render_plan
from tauhat.report.view import DocumentView
from tauhat.runtime.files import check_writable, settle, write_files
from tauhat.runtime.overwriting import refuse_overwriting
from tauhat.runtime.provenance import PlanFollowed, package_versions, utc_now
from tauhat.tables.columns import missing_values
from tauhat.tables.reading import read_hashed
from tauhat.tables.table_limits import close_names
from tauhat.tables.where import rows_where
from tauhat.trial.no_covariates import why_no_covariates
from tauhat.trial.trial import Trial

PAGE, TEXT, WORD, LOCK = "plan.html", "plan.md", "plan.docx", "plan.lock"
#: Options that a plan cannot hold, since they say what is read and how and where it is computed.
NOT_PLANNED = ("file", "jobs", "backend", "address", "out", "labels", "accept")


def write_plan(file: Path, data: Path | None, out: Path, *, force: bool) -> int:
    """Write the document of a plan and its lock; the exit code."""
    plan = read_plan(file)
    settings = settings_from(plan.run, file)
    refused = [OPTIONS[name].shown for name in settings.given if name in NOT_PLANNED]
    if refused:
        raise TrialError(f"{file}: [run] cannot plan {refused[0]}: give it to `tauhat run`")
    filled = replace(settings, given={"file": Path("-"), **settings.given}).checked()
    columns = None if data is None else kinds_of(_blinded(data, settings))
    refuse_overwriting(
        filter(None, (file, data)), [out / name for name in (PAGE, TEXT, WORD, LOCK)]
    )
    check_writable(out, [PAGE, TEXT, WORD, LOCK])
    settle(out)
    plan = _from_the_lock(plan, file, out)
    lock = Lock(plan.record, utc_now()[:10], package_versions(), columns)
    if not force and (out / LOCK).exists():
        earlier = read_lock(out / LOCK)
        if (earlier.plan, earlier.columns) != (lock.plan, lock.columns):
            raise TrialError(
                f"{out / LOCK} locks another plan, of {earlier.date}: choose another folder with "
                "--out, or replace it with --force"
            )
        lock = earlier
    view = _view(plan, lock, filled)
    contents: dict[str, str | bytes] = {
        PAGE: render_plan(view),
        TEXT: markdown_of(view),
        LOCK: lock.text,
    }
    contents |= word_file(WORD, view)
    paths = write_files(out, contents)
    with telling_what_was_written(out):
        print(f"Locked on {lock.date}, hash {lock.hash}")
        for path in paths:
            print(path)
    return 0


def _from_the_lock(plan: AnalysisPlan, file: Path, out: Path) -> AnalysisPlan:
    """The plan with its paths, which start at the plan's own folder, starting at the lock's."""
    paths = {option.key for option in OPTIONS.values() if option.kind is PATH}
    run = {
        key: Path(os.path.relpath(file.parent / value, out)).as_posix()
        if key in paths and not Path(value).is_absolute()
        else value
        for key, value in plan.run.items()
    }
    return replace(plan, run=run)


def _view(plan: AnalysisPlan, lock: Lock, filled: Settings) -> DocumentView:
    defaults = {
        OPTIONS[name].key: value
        for name, value in filled.given.items()
        if OPTIONS[name].goes_to == "analyze"
    }
    return DocumentView(
        plan.title,
        "Effects of treatment and how they differ: statistical analysis plan, section on effect "
        "heterogeneity",
        plan_document(plan, lock, defaults),
        f"Locked on {lock.date} by tauhat {lock.versions.get('tauhat', '')}, hash {lock.hash}.",
    )


def _blinded(path: Path, settings: Settings) -> pd.DataFrame:
    """The table without outcome and arm: nothing that follows can depend on them."""
    hidden = [settings.outcome, settings.treatment, settings.event]
    labels = [name for name in settings.label_columns if name not in hidden]
    given = settings.arguments("read")
    condition = given.pop("where", None)
    table, _ = read_hashed(path, labels=settings.label_columns, **given)
    shown = table.drop(columns=[name for name in hidden if name in table.columns])
    if condition is not None:
        shown = shown[rows_where(shown, condition).true]
    named = [*labels, *settings.covariates]
    missing = next((name for name in named if name not in shown.columns), None)
    if missing is not None:
        raise TrialError(
            f"{path} has no column {missing!r}, which the plan names"
            f"{close_names(missing, shown.columns)}"
        )
    for name in list(settings.given.get("cluster") or ())[:1]:
        if missing_values(shown[name]).any():
            raise TrialError(
                f"{path}: {name!r}, the cluster, is empty in some rows. If persons were randomized "
                "and have clusters in one arm only, no plan can be written yet, since what it says "
                "of the test and of errors is about parallel arms; otherwise fill it in"
            )
    covariates = list(settings.covariates)
    others = why_no_covariates(table.columns, settings.roles, covariates)
    for rule in settings.subgroup or ():
        rows_where(shown[covariates], rule, what="subgroup", others=others)
    return shown[[name for name in shown.columns if name in named]]


class FollowedPlan:
    """A locked plan that a run follows.

    Parameters
    ----------
    path
        Its lock.
    beside
        Settings given beside it.
    """

    def __init__(self, path: Path, beside: Settings) -> None:
        self._lock = read_lock(path)
        run = self._lock.plan["run"]
        known = {key: value for key, value in run.items() if key.replace("-", "_") in OPTIONS}
        self._planned = settings_from(known, path)
        self._unknown = [key for key in run if key not in known]
        self._beside = beside
        #: What is run.
        self.settings = beside.over(self._planned)

    def followed(self, trial: Trial, *, forced: bool) -> PlanFollowed:
        """The plan with every deviation of a run from it."""
        if trial.period is not None or not trial.randomization.can_permute:
            of = "a" if trial.period is not None else "a trial with"
            raise TrialError(
                f"this is {of} {trial.design}, and a plan describes parallel arms only (with the "
                "mean of a baseline period as a covariate or without): run it without --plan"
            )
        beside = []
        for name, given in self._beside.given.items():
            option = OPTIONS[name]
            # The others change no number.
            if option.goes_to is not None:
                planned = self._planned.given.get(name, option.default)
                beside.append(Beside(option.shown, planned, given))
        found = deviations(
            self._lock,
            trial,
            beside=beside,
            unknown=[f"--{name}" for name in self._unknown],
            versions=package_versions(),
            forced=forced,
        )
        average = self._lock.plan["estimand"]["average"]
        return PlanFollowed(self._lock.date, self._lock.hash, found, average)
