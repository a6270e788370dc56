"""What the commands do, once their settings are known."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tauhat.analysis import Analysis, Source, analyze
from tauhat.analysis.models import model_names
from tauhat.analysis.record import plain, records
from tauhat.cli.interrupts import raise_if_interrupted
from tauhat.cli.settings import Settings
from tauhat.cli.tables import print_analysis, print_check, print_estimators
from tauhat.datasets import make_tassh_like, tassh_trial
from tauhat.design_check import DesignCheck
from tauhat.files import check_writable, csv_text, settle, write_files
from tauhat.progress import progress_display
from tauhat.provenance import file_sha256
from tauhat.reading import read_table
from tauhat.trial import Trial

CHECK_FAILED = 3


def read_trial(settings: Settings) -> Trial:
    """The trial that the settings describe."""
    assert settings.file is not None
    assert settings.outcome is not None
    assert settings.treatment is not None
    labels = (settings.treatment, settings.cluster, settings.block, settings.id)
    return Trial(
        read_table(settings.file, labels=[name for name in labels if name is not None]),
        outcome=settings.outcome,
        treatment=settings.treatment,
        control=settings.control,
        arms=settings.arms,
        cluster=settings.cluster,
        covariates=settings.covariates,
        cluster_covariates=settings.cluster_covariates,
        cluster_size=bool(settings.cluster_size),
        block=settings.block,
        propensity=settings.propensity,
        id=settings.id,
    )


def run_trial(settings: Settings, *, force: bool, json_output: bool, command: str) -> int:
    """Analyse the trial of a file; the exit code."""
    settings = settings.checked()
    assert settings.file is not None
    assert settings.out is not None
    check_writable(settings.out)
    settle(settings.out)
    trial = read_trial(settings)
    assert settings.models is not None
    model_names(settings.models, trial.design)
    check = trial.check()
    if not check.passed and not force:
        _say_failed(check)
        return CHECK_FAILED
    source = Source(file=settings.file.name, sha256=file_sha256(settings.file), command=command)
    return _analyze_and_write(trial, settings, source, json_output)


def check_trial(settings: Settings, *, json_output: bool) -> int:
    """Check the trial of a file; the exit code."""
    trial = read_trial(settings.checked())
    check = trial.check()
    if json_output:
        content = {
            "passed": check.passed,
            "failures": check.failures,
            "warnings": check.warnings,
            "notes": check.notes,
            "table": records(check.table),
        }
        _print_json(plain(content))
    else:
        print_check(check)
    if not check.passed:
        _say_failed(check)
        return CHECK_FAILED
    return 0


def run_demo(settings: Settings, *, json_output: bool, command: str) -> int:
    """Analyse the example that comes with the package; the exit code."""
    # The example is no file and its roles are known.
    settings = settings.over(Settings(file=Path("demo"), outcome="", treatment="")).checked()
    assert settings.out is not None
    check_writable(settings.out)
    settle(settings.out)
    trial = tassh_trial(make_tassh_like(seed=1))
    assert settings.models is not None
    model_names(settings.models, trial.design)
    source = Source(
        file="make_tassh_like(seed=1), which comes with tauhat",
        command=command,
    )
    return _analyze_and_write(trial, settings, source, json_output)


def list_estimators(*, every: bool) -> None:
    """Print the names of estimators with one line on each."""
    print_estimators(every=every)


def _analyze_and_write(trial: Trial, settings: Settings, source: Source, json_output: bool) -> int:
    assert settings.models is not None
    assert settings.level is not None
    assert settings.out is not None
    with progress_display() as display, _backend(settings) as jobs:

        def progress(step: str, done: int, total: int) -> None:
            raise_if_interrupted()
            display(step, done, total)

        analysis = analyze(
            trial,
            models=settings.models,
            level=settings.level,
            random_state=settings.seed,
            n_jobs=jobs,
            higher_is_better=settings.higher_is_better,
            progress=progress,
            n_seeds=settings.seeds or 0,
            source=source,
        )
        progress("writing the report", 0, 1)
        record = analysis.to_json()
        figures: list[Path] = []
        if settings.figures:
            figures = analysis.save_plots(settings.out / "figures")
        paths = write_results(analysis, settings.out, patient_level=bool(settings.patient_level))
        if figures:
            paths.append(settings.out / "figures")
    if json_output:
        _print_json(record)
    else:
        print_analysis(record, paths)
    return 0


@contextmanager
def _backend(settings: Settings) -> Iterator[int]:
    """Where the fits run, and how many at once."""
    assert settings.jobs is not None
    if settings.backend != "dask":
        yield settings.jobs
        return
    from tauhat.dask_cluster import on_dask

    with on_dask(settings.jobs, settings.address) as jobs:
        yield jobs


def write_results(analysis: Analysis, folder: Path, *, patient_level: bool = False) -> list[Path]:
    """Write report.html, effects.csv and run.json, the last one last."""
    return write_files(
        folder,
        {
            "report.html": analysis.to_html(patient_level=patient_level),
            "effects.csv": csv_text(analysis.effects),
            "run.json": _json_text(analysis.to_json()),
        },
    )


def _json_text(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _print_json(content: Any) -> None:
    sys.stdout.write(_json_text(content))


def _say_failed(check: DesignCheck) -> None:
    for failure in check.failures:
        print(f"tauhat: design check failed: {failure}", file=sys.stderr)
    print(
        "tauhat: `tauhat check` shows the whole check; `tauhat run --force` goes on all the same",
        file=sys.stderr,
    )
