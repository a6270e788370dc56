"""The results of a run as one set of files, ``run.json`` its seal."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from tauhat.analysis import Analysis, ContrastAnalysis
from tauhat.cli.streams import json_text
from tauhat.errors import TrialError
from tauhat.runtime.files import PatientLevel, csv_text, write_files

PAGE, EFFECTS, SEAL, FIGURES = "report.html", "effects.csv", "run.json", "figures"


def write_results(
    analysis: Analysis | ContrastAnalysis,
    folder: Path,
    *,
    patient_level: bool = False,
    figures: bool = False,
    member_effects: bool = False,
) -> tuple[list[Path], dict[str, Any]]:
    """Write report, effects and figures, and ``run.json`` last; figures of an earlier run go.

    Parameters
    ----------
    analysis
        The results.
    folder
        Made when missing.
    patient_level
        Whether the report shows single persons.
    figures
        Whether to write every figure too.
    member_effects
        Whether ``effects.csv`` holds each model's effects too.

    Returns
    -------
    list of Path
        What to look at.
    dict
        Content of ``run.json``: that of `Analysis.to_json`, and under ``files`` the
        SHA-256 of every file of the set.
    """
    page = analysis.to_html(patient_level=patient_level)
    contents: dict[str, str | bytes] = {}
    if figures:
        contents = {f"{FIGURES}/{name}": text for name, text in analysis.figure_files().items()}
    contents[PAGE] = PatientLevel(page) if patient_level else page
    contents[EFFECTS] = PatientLevel(
        csv_text(_effects(analysis) if member_effects else analysis.effects)
    )
    record = analysis.to_json()
    record["files"] = {name: _sha256(content) for name, content in contents.items()}
    contents[SEAL] = json_text(record)
    gone = [name for name in earlier_figures(folder) if name not in contents]
    write_files(folder, contents, gone=gone)
    shown = [folder / name for name in (PAGE, EFFECTS, SEAL)]
    return [*shown, *([folder / FIGURES] if figures else [])], record


def _effects(analysis: Analysis | ContrastAnalysis) -> pd.DataFrame:
    """Effects of persons with a column for each model; of several arms, in those compared."""
    if isinstance(analysis, Analysis):
        return analysis.effects.join(analysis.member_effects.add_prefix("effect: "))
    parts = [
        _effects(one).filter(regex="^(row|effect: .*)$").assign(contrast=name)
        for name, one in analysis.contrasts.items()
    ]
    return analysis.effects.merge(pd.concat(parts), on=["contrast", "row"], how="left")


def _sha256(content: str | bytes) -> str:
    whole = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    return hashlib.sha256(whole).hexdigest()


def earlier_figures(folder: Path) -> list[str]:
    """Figures that the run whose results are in a folder made, and nobody has changed since.

    Parameters
    ----------
    folder
        Where results may be.

    Returns
    -------
    list of str
        Names within the folder; files that no ``run.json`` vouches for are not among them.
    """
    seal = folder / SEAL
    try:
        listed = json.loads(seal.read_text("utf-8"))["files"] if seal.is_file() else {}
        return [
            name
            for name, sha256 in listed.items()
            if re.fullmatch(rf"{FIGURES}/[\w-]+\.(svg|png|csv)", name)
            and not (folder / FIGURES).is_symlink()
            and (folder / name).is_file()
            and not (folder / name).is_symlink()
            and hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # No run.json of ours.
        return []


def refuse_other_results(folder: Path, sha256: str) -> None:
    """Raise a `TrialError` when a folder holds results of other data.

    Parameters
    ----------
    folder
        Where results will be written.
    sha256
        SHA-256 of the data that they will be of.
    """
    seal = folder / SEAL
    try:
        data = json.loads(seal.read_text("utf-8"))["data"] if seal.is_file() else {}
        other, file = data.get("sha256"), data.get("file")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # No run.json of ours.
        return
    if isinstance(other, str) and other != sha256:
        of = f" ({file})" if isinstance(file, str) else ""
        raise TrialError(
            f"{folder} holds the results of other data{of}: choose another folder with --out, or "
            "replace them with --force"
        )


def names_written(*, figures: bool) -> list[str]:
    """Names in the set of a run, one figure for all of them."""
    return [PAGE, EFFECTS, SEAL, *([f"{FIGURES}/average-effects.svg"] if figures else [])]


def paths_written(folder: Path, *, figures: bool) -> list[Path]:
    """Every file there is that a run into a folder may replace or remove, and its new ones."""
    paths = [folder / name for name in names_written(figures=figures)]
    if figures and (folder / FIGURES).is_dir():
        paths += sorted((folder / FIGURES).iterdir())
    return [*paths, *(folder / name for name in earlier_figures(folder))]
