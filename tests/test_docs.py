"""Every Python block of the README and the documentation runs, and prints what the page says."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pages
import pytest

import tauhat
from tauhat.cli import main
from tauhat.report import plots

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def with_blocks(language: str, *, shown: bool = False) -> list[Path]:
    """Pages with code in a language, or only those that say what it prints."""
    found = []
    for page in PAGES:
        blocks = pages.blocks(page.read_text(encoding="utf-8"))
        if any(b.language == language and (not shown or b.shown is not None) for b in blocks):
            found.append(page)
    return found


def hold_against_the_page(page: Path, run: str) -> None:
    """Run a page's code; fail where it prints something else, skip what lacks its data."""
    for block, printed in getattr(pages, run)(page, DATA):
        if block.shown is not None:
            where = f"{page.relative_to(ROOT)}:{block.line}"
            assert pages.same(block.shown, printed), f"{where} prints\n{printed}"
    for block in pages.blocks(page.read_text(encoding="utf-8")):
        lacking = pages.missing(block, DATA)
        if lacking:
            pytest.skip(f"from line {block.line} on: {lacking}")


# Of the gallery, pages of the largest trials; shorter ones have persons, clusters and times too.
LONG_PAGES = {
    ROOT / "docs" / "gallery" / f"{name}.md"
    for name in ("star", "actg175", "jobs2", "brazil", "nsw", "indomethacin")
}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if page in LONG_PAGES else ())
        for page in with_blocks("python")
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Figures of reports are drawn in tests of reports.
    monkeypatch.setattr(plots, "to_data_uri", lambda figure: "data:,")
    hold_against_the_page(page, "run_python")


# These analyse whole trials.
LONG_COMMANDS = {ROOT / "docs" / name for name in ("index.md", "planning.md", "from-r.md")}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if page in LONG_COMMANDS else ())
        for page in with_blocks("sh", shown=True)
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_commands_of_a_page_print_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hold_against_the_page(page, "run_commands")


TEXT = """# A

```python
x = 1
print(x)
```

```text
1
```

<!-- needs: numpy nowhere.csv -->

```sh
ls
```

```python
y = x
```

Words.

```text
not printed
```
"""


def test_blocks_are_found_in_order_with_lines_output_and_needs() -> None:
    first, second, third = pages.blocks(TEXT)
    assert (first.line, first.code, first.shown) == (4, "x = 1\nprint(x)\n", "1\n")
    assert TEXT[slice(*first.span)] == "1\n"
    assert (second.language, second.shown, second.needs) == ("sh", None, ("numpy", "nowhere.csv"))
    assert (third.line, third.shown) == (19, None)
    assert pages.missing(first, DATA) is None
    assert pages.missing(third, DATA) == "nowhere.csv is not on this machine"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("p = 0.17, 3,794 persons", "p = 0.17,\n3,794   persons\n", True),
        ("p = 0.17", "p = 0.18", True),  # processors do not round alike
        ("p = 0.17", "p = 0.19", False),
        ("(0.1;0.2)", "(0.1;0.4)", False),
        ("17 clusters", "18 clusters", False),
        ("-3.60", "3.60", False),
        ("p = 3.6e-23", "p = 3.7e-23", True),
        ("p = 3.6e-23", "p = 9.9e-23", False),
        ("p = 3.6e-23", "p = 3.6e-24", False),
        ("took 1.2 s", "took 1.25 s", False),
        ("took ... s", "took 1.25 s", True),
        ("a b", "a b c", False),
    ],
)
def test_outputs_are_compared_word_by_word(shown: str, printed: str, same: bool) -> None:
    assert pages.same(shown, printed) is same


def test_what_is_written_is_what_was_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    code = "print('word ' * 30)\nprint('a   1')"
    page.write_text(f"```python\n{code}\n```\n\n```text\nold\n```\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["pages.py", str(page)])
    assert pages.main() == 1
    monkeypatch.setattr(sys, "argv", ["pages.py", "--write", str(page)])
    assert pages.main() == 0
    lines = page.read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 84
    assert lines[-2:] == ["a   1", "```"]
    monkeypatch.setattr(sys, "argv", ["pages.py", str(page)])
    assert pages.main() == 0


def test_links_between_the_top_level_pages_resolve() -> None:
    broken = []
    for page in ROOT.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
            if not (ROOT / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken


def names_of_tauhat(text: str) -> set[str]:
    """Dotted names that a page writes with ``th.`` or ``tauhat.``, in code of any kind."""
    code = re.findall(r"^```(?!text).*?^```|`[^`\n]+`", text, flags=re.DOTALL | re.MULTILINE)
    dotted = re.compile(r"(?<![\w./'\"-])(?:th|tauhat)((?:\.[A-Za-z_]\w*)+)")
    return {match[1][1:] for part in code for match in dotted.finditer(part)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_calls_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    unknown = []
    for name in sorted(names_of_tauhat(text)):
        try:
            importlib.import_module(f"tauhat.{name}")
        except ImportError:
            place: object = tauhat
            try:
                for part in name.split("."):
                    place = getattr(place, part)
            except AttributeError:
                unknown.append(name)
    for name in re.findall(r'th\.estimator\(\s*"([^"]+)"', text):
        tauhat.estimator(name)
    assert not unknown


def commands(text: str) -> list[str]:
    """Lines of the ``sh`` blocks that call tauhat; those that a backslash continues are joined."""
    scripts = re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = "".join(scripts).replace("\\\n", " ").splitlines()
    return [line.split("#")[0] for line in lines if re.match(r"(\.venv/bin/)?tauhat ", line)]


def test_the_options_of_every_command_exist(capsys: pytest.CaptureFixture[str]) -> None:
    helped: dict[tuple[str, ...], str] = {}
    unknown = []
    for page in PAGES:
        for command in commands(page.read_text(encoding="utf-8")):
            words = command.split()[1:]
            path = tuple(words[: 2 if words[0] == "study" else 1])
            if path not in helped:
                assert main([*path, "--help"]) == 0, command
                helped[path] = capsys.readouterr().out
            unknown += [
                f"{page.name}: {command}"
                for option in re.findall(r"(?<= )--[a-z-]+", command)
                if not re.search(rf"{option}\b", helped[path])
            ]
    assert len(helped) >= 6
    assert not unknown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"\b(?:benchmarks|tests|docs|src)/[\w/.-]+\.(?:py|md|png)\b", text)
    named += [f"tests/{name}.py" for name in re.findall(r"`(test_\w+)`", text)]
    assert [name for name in named if not (ROOT / name).exists()] == []
    for script, options in re.findall(r"python (benchmarks/\S+\.py)([^\n`]*)", text):
        code = (ROOT / script).read_text(encoding="utf-8")
        unknown = [o for o in re.findall(r"(?<= )--[a-z-]+", options) if f'"{o}"' not in code]
        assert not unknown, f"{script} has no {unknown}"


def test_readme_and_start_page_show_the_same_run() -> None:
    shown = []
    for page in (ROOT / "README.md", ROOT / "docs" / "index.md"):
        text = page.read_text(encoding="utf-8")
        start = text.index("233 clusters with")
        words = text[start : text.index("-8.8 to 20.2", start)].split()
        # Seconds are those of one machine.
        shown.append([word for word in words if not re.fullmatch(r"\.{3}|\d+\.\d", word)])
    assert shown[0] == shown[1]


def test_percent_signs_follow_their_number():
    """One form in prose and tables: "95%"."""
    for page in [*PAGES, ROOT / "benchmarks" / "README.md", ROOT / "findings" / "README.md"]:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        assert not re.findall(r".*\d\s+%.*", prose), page.relative_to(ROOT)
