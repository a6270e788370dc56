"""Names and labels that want to be more than text, through the whole report and every file."""

from __future__ import annotations

import csv
import html
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from tauhat.analysis import Analysis, analyze
from tauhat.report import plots
from tauhat.report.long_names import LONGEST_NAME, short_names
from tauhat.runtime.files import csv_text
from tauhat.trial.trial import Trial

pytestmark = pytest.mark.usefixtures("short_chains")

SCRIPT = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
LONG = "long " + "Ω" * 9_995
TURNED = "age \u202egnorw\u202c \u200f\u2066x\u2069"
FORMULA = "=cmd|' /C calc'!A0"
OUTCOME, ARM, CLINIC, IDENTITY = f"sbp {SCRIPT}", "+arm&\"'", "@clinic", "\t=id"
STARTS = tuple("=+-@\t\r\n|%")


@pytest.fixture(scope="module")
def found() -> Analysis:
    rng = np.random.default_rng(1)
    clinic = np.repeat(np.arange(14), 12)
    n = len(clinic)
    df = pd.DataFrame(
        {
            CLINIC: [f"=clinic {i} {SCRIPT}" for i in clinic],
            ARM: np.where(clinic % 2, f"+treated {'Ω' * 10_000}", "@control<b>"),
            TURNED: rng.normal(60, 9, n),
            LONG: rng.normal(size=n),
            FORMULA: rng.integers(0, 2, n),
            "education": rng.choice([SCRIPT, "=1+1", LONG, "\u202eabc", "-2"], n),
            IDENTITY: [f"={i}" for i in range(n)],
        }
    )
    effect = 0.4 * (df[TURNED] - 60) + 4 * (df["education"] == SCRIPT)
    df[OUTCOME] = 140 + (clinic % 2) * effect + rng.normal(0, 2, n)
    trial = Trial(
        df,
        outcome=OUTCOME,
        treatment=ARM,
        control="@control<b>",
        cluster=CLINIC,
        id=IDENTITY,
        covariates=[TURNED, LONG, FORMULA, "education"],
    )
    return analyze(trial, models=["LMM", "T-Linear", "X-Linear"], random_state=1, n_permutations=99)


class Page(HTMLParser):
    """Tags, addresses and pieces of text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"<{tag} {name}>"
            if name in ("src", "href"):
                self.sources.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(text: str) -> Page:
    page = Page()
    page.feed(text)
    return page


def check_markup(text: str) -> None:
    page = read(text)
    assert "script" not in page.tags
    assert all(source.startswith(("data:", "#")) for source in page.sources)


def test_whole_report_holds_names_as_text_and_of_bounded_length(
    found: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def keep(figure: object) -> str:
        drawn.append(plots.to_svg(figure))  # type: ignore[arg-type]
        return "data:,"

    monkeypatch.setattr(plots, "to_data_uri", keep)
    text = found.to_html(patient_level=True)
    check_markup(text)
    page = read(text)
    words = "".join(page.text)
    assert "alert('x')" in words
    assert FORMULA in words
    assert not set("\u202e\u202c\u200f\u2066\u2069") & set(text)
    longest = max(len(word) for word in words.split())
    assert longest <= 120
    assert len(text) < 300_000
    assert len(drawn) >= 15
    for svg in drawn:
        ElementTree.fromstring(svg)
        assert "<script" not in svg
        texts = re.findall(r"<text[^>]*>(.*?)</text>", svg, flags=re.DOTALL)
        assert all(len(html.unescape(one)) <= 70 for one in texts)


def test_long_names_stay_apart_and_the_command_stays_as_typed(found: Analysis) -> None:
    short = short_names([LONG, LONG + "x", LONG + "y", "age"])
    assert len(set(short.values())) == 3
    assert all(len(cut) <= LONGEST_NAME for cut in short.values())
    assert len(found.text) < 2_500
    assert found.trial.covariate_names[1] == LONG


def cells_of(text: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(text)) for cell in row]


def runs_nothing(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell.lstrip(" \u202e").startswith(STARTS)
    return True


def test_no_csv_cell_starts_a_formula(found: Analysis) -> None:
    effects = csv_text(found.effects)
    assert "'=5" in effects
    tables = [effects]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tauhat.report.plots.style.to_svg", lambda figure: "")
        tables += [csv_text(drawn.data) for drawn in found.plots().values()]
    for table in (found.sensitivity.table, found.clusters, found.modifiers.table):
        frame = table if isinstance(table, pd.DataFrame) else getattr(table, "table", None)
        assert frame is not None
        tables.append(csv_text(frame))
    cells = [cell for table in tables for cell in cells_of(table)]
    assert len(cells) > 2_000
    assert [cell for cell in cells if not runs_nothing(cell)] == []
    assert any(cell.startswith("-") for cell in cells)


def test_figures_are_saved_with_their_numbers_and_nothing_else(
    found: Analysis, tmp_path: Path
) -> None:
    written = found.save_plots(tmp_path / "figures", formats=["csv"])
    names = {path.stem for path in written}
    assert {"effect-map", "clusters", "member-weights", "agreement", "calibration"} <= names
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {p.name for p in written}
    with pytest.raises(ValueError, match="not as gif"):
        found.save_plots(tmp_path, formats=["gif"])


def test_notebooks_show_names_as_text(found: Analysis) -> None:
    shown = [
        found,
        found.trial,
        found.check,
        found.modifiers,
        found.heterogeneity,
        found.held_out,
        found.sensitivity,
        found.clusters,
    ]
    for one in shown:
        text = one._repr_html_()  # type: ignore[union-attr]
        check_markup(text)
        assert "<img src=x" not in text
