"""Documents as Word files, and what is said where python-docx is missing."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import pytest

from tauhat.cli.word_file import word_file
from tauhat.errors import TrialError
from tauhat.report.run_tables import run_tables, tables_document
from tauhat.report.view import DocumentView, Section, TableView
from tauhat.report.word import word_of

RUN = Path(__file__).with_name("report_run.json")
TABLE = TableView("Sizes", ["Arm", "n"], [["a\x07b", "12"]])
VIEW = DocumentView("A", "b", [Section("s", "S", paragraphs=["P."], items=["I."], tables=[TABLE])],
                    "End.")  # fmt: skip


def test_a_document_is_whole_in_word() -> None:
    docx = pytest.importorskip("docx", reason="python-docx is not installed")
    found = docx.Document(io.BytesIO(word_of(VIEW)))
    assert [p.text for p in found.paragraphs] == ["A", "b", "S", "P.", "I.", "Sizes", "End."]
    cells = [[c.text for c in row.cells] for row in found.tables[0].rows]
    assert cells[0] == ["Arm", "n"]
    assert cells[1][1] == "12"


def test_the_same_words_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docx", reason="python-docx is not installed")
    now = word_of(VIEW)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert word_of(VIEW) == now


def test_all_tables_of_a_run_are_one_document() -> None:
    docx = pytest.importorskip("docx", reason="python-docx is not installed")
    run = json.loads(RUN.read_text("utf-8"))
    tables = run_tables(run)
    found = docx.Document(io.BytesIO(word_of(tables_document(run, tables))))
    assert len(found.tables) == len(tables)
    assert [len(t.rows) - 1 for t in found.tables] == [len(t) for t in tables.values()]


def test_without_the_extra_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(TrialError, match=r"pip install 'tauhat\[word\]'"):
        word_of(VIEW)
    assert word_file("plan.docx", VIEW) == {}
    assert "plan.docx was not written" in capsys.readouterr().err
