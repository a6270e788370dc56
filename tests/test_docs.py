"""Every Python block of the README and the documentation runs, page by page, in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def python_blocks(text: str) -> list[tuple[int, str]]:
    """Line and code of every fenced ``python`` block."""
    fences = re.finditer(r"^```python[^\n]*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return [(text.count("\n", 0, fence.start(1)) + 1, fence[1]) for fence in fences]


WITH_CODE = [page for page in PAGES if python_blocks(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for line, code in python_blocks(page.read_text(encoding="utf-8")):
        # The empty lines make the line numbers of a traceback those of the page.
        exec(compile("\n" * (line - 1) + code, str(page), "exec"), names)


def test_blocks_are_found_in_order_with_their_lines() -> None:
    text = "# A\n\n```python\nx = 1\n```\n\n```sh\nls\n```\n\n```python\ny = x\nz = y\n```\n"
    assert python_blocks(text) == [(4, "x = 1\n"), (12, "y = x\nz = y\n")]


def test_the_methods_page_lists_the_registry() -> None:
    registry = pytest.importorskip("tauhat.registry")
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- estimators -->\n(.*?)<!-- end -->", text, flags=re.DOTALL)
    assert table
    listed = re.findall(r"^\| `([^`]+)`", table[1], flags=re.MULTILINE)
    assert sorted(listed) == sorted(registry.estimator_names())


def test_links_between_the_top_level_pages_resolve() -> None:
    broken = []
    for page in ROOT.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
            if not (ROOT / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken
