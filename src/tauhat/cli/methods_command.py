"""The command `tauhat methods`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tauhat.analysis.contrast_schema import RunOfArms
from tauhat.analysis.run_fields import differences
from tauhat.analysis.run_schema import SCHEMA
from tauhat.cli.streams import telling_what_was_written
from tauhat.cli.word_file import word_file
from tauhat.errors import TrialError
from tauhat.report.markdown import markdown_of
from tauhat.report.paper import paper
from tauhat.report.paper_of_contrasts import paper_of_contrasts
from tauhat.report.run_tables import is_of_contrasts, run_tables, tables_document
from tauhat.runtime.files import check_writable, csv_text, settle, write_files
from tauhat.runtime.json_file import read_json
from tauhat.runtime.overwriting import refuse_overwriting

#: All tables as one document.
WORD = "tables.docx"


def read_run(path: Path) -> dict[str, Any]:
    """Content of a ``run.json``.

    Raises
    ------
    TrialError
        If it is none, or one of another version.
    """
    if path.is_dir():
        path = path / "run.json"
    no_run = "is no run.json of tauhat"
    run = read_json(path, no_run)
    if not isinstance(run, dict) or "schema" not in run:
        raise TrialError(f"{path} {no_run}")
    wrong = differences(run, RunOfArms) if is_of_contrasts(run) else differences(run)
    if run["schema"] != SCHEMA or wrong:
        first = f" ({wrong[0]})" if wrong else ""
        raise TrialError(
            f"{path} was changed, or written by another version of tauhat{first}: run the "
            "analysis again"
        )
    return run


def write_methods(path: Path, tables: Path | None) -> int:
    """Print the paragraphs of a run, and write its tables if asked; the exit code."""
    run = read_run(path)
    text = markdown_of(paper_of_contrasts(run) if is_of_contrasts(run) else paper(run))
    if tables is None:
        print(text, end="")
        return 0
    found = run_tables(run)
    contents: dict[str, str | bytes] = {f"{name}.csv": csv_text(t) for name, t in found.items()}
    contents |= word_file(WORD, tables_document(run, found))
    refuse_overwriting([path], [tables / name for name in contents])
    check_writable(tables, list(contents))
    settle(tables)
    write_files(tables, contents)
    with telling_what_was_written(tables):
        print(text, end="")
    return 0
