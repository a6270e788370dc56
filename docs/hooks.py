"""MkDocs hooks: API pages from the rooms, formulas as MathML, nothing from other hosts."""

from __future__ import annotations

import html
import importlib
import logging
import re
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "tauhat"
LOG = logging.getLogger("mkdocs.hooks.tauhat")  # a warning here fails a strict build


def rooms() -> list[tuple[str, str]]:
    """Rooms that exist and what they hold, the highest first, from ARCHITECTURE.md."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- rooms:.*?-->\s*```\n(.*?)```", text, flags=re.DOTALL)
    if block is None:
        raise ValueError("ARCHITECTURE.md has no block of rooms")
    found = []
    for line in reversed(block[1].splitlines()):
        names, _, description = line.partition("  ")
        found += [(name, description.strip()) for name in names.split() if modules_of(name)]
    return found


def modules_of(room: str) -> list[str]:
    """Dotted names of the public modules of a room."""
    if room.startswith("_"):
        return []
    if (PACKAGE / f"{room}.py").exists():
        return [f"tauhat.{room}"]
    paths = sorted((PACKAGE / room).rglob("*.py"))
    names = [path.relative_to(PACKAGE).with_suffix("").parts for path in paths]
    return [
        f"tauhat.{'.'.join(name)}" for name in names if not any(p.startswith("_") for p in name)
    ]


def public_names() -> str:
    """Markdown lists of what ``import tauhat`` offers, each with its first line and a link."""
    package = importlib.import_module("tauhat")
    names, packages = [], []
    for name in sorted(package.__all__, key=str.lower):
        value: Any = getattr(package, name)
        first = (value.__doc__ or "").strip().splitlines()[0]
        if isinstance(value, ModuleType):
            room = value.__name__.split(".")[1]
            packages.append(f"* [`tauhat.{name}`]({room}.md): {first}")
            packages += [f"    * {offer}" for offer in offered(value)]
        else:
            names.append(f"* [`tauhat.{name}`][{value.__module__}.{value.__qualname__}]: {first}")
    return "\n".join([*names, "", "## Packages within it", "", *packages])


def offered(package: ModuleType) -> list[str]:
    """Links to the classes and functions of a package's ``__all__``."""
    links = []
    for name in getattr(package, "__all__", []):
        value: Any = getattr(package, name)
        if callable(value):
            links.append(f"[`{name}`][{value.__module__}.{value.__qualname__}]")
    return [", ".join(links)] if links else []


def undocumented(inventory: Path) -> list[str]:
    """Public names of tauhat and its packages that the reference has no entry for."""
    body = inventory.read_bytes().split(b"\n", 4)[4]
    entries = {line.split(" ", 1)[0] for line in zlib.decompress(body).decode().splitlines()}
    lacking = []
    for room, _ in rooms():
        package = importlib.import_module(f"tauhat.{room}")
        for name in getattr(package, "__all__", []):
            within = (entry for entry in entries if entry.startswith(f"tauhat.{room}."))
            if not any(entry.endswith(f".{name}") for entry in within):
                lacking.append(f"tauhat.{room}.{name}")
    return lacking


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the API pages into the navigation."""
    pages = [{"Public names": "api/index.md"}]
    pages += [{room: f"api/{room}.md"} for room, _ in rooms()]
    config.nav = [*(config.nav or []), {"API reference": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Write the API pages: the public names, then one page a room."""
    start = f"# Public names\n\nWhat `import tauhat` offers.\n\n{public_names()}\n"
    files.append(File.generated(config, "api/index.md", content=start))
    for room, description in rooms():
        heading = f"# {room}\n\n{description[:1].upper()}{description[1:]}\n\n"
        body = "\n".join(f"::: {module}\n" for module in modules_of(room))
        files.append(File.generated(config, f"api/{room}.md", content=heading + body))
    return files


def on_page_content(content: str, **_: Any) -> str:
    """Turn the formulas that arithmatex marked into MathML, which browsers draw themselves."""

    def to_mathml(match: re.Match[str]) -> str:
        latex = html.unescape(match["latex"]).strip()
        # The converter knows \min and not \arg, and leaves the backslash in \Big\{.
        latex = latex.replace("\\arg", "\\operatorname{arg}")
        display = "block" if match["tag"] == "div" else "inline"
        mathml = convert(latex, display=display).replace("\\{", "{").replace("\\}", "}")
        if "\\" in re.sub(r"<annotation.*?</annotation>", "", mathml):
            LOG.warning("a formula has a command that cannot be drawn: %s", latex)
        return f'<div class="formula">{mathml}</div>' if display == "block" else mathml

    marked = r'<(?P<tag>div|span) class="arithmatex">\\[\[(](?P<latex>.*?)\\[\])]</(?P=tag)>'
    return re.sub(marked, to_mathml, content, flags=re.DOTALL)


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that loads anything from another host, or that lacks a public name."""
    for name in undocumented(Path(config.site_dir) / "objects.inv"):
        LOG.warning("the reference has no entry for the public name %s", name)
    elsewhere = re.compile(
        r'<(?:script|img|iframe|source)\b[^>]*\bsrc="(?:https?:)?//[^"]*'
        r'|<link\b[^>]*\brel="(?:stylesheet|preconnect|icon)"[^>]*\bhref="(?:https?:)?//[^"]*'
    )
    for page in sorted(Path(config.site_dir).rglob("*.html")):
        for loaded in elsewhere.findall(page.read_text(encoding="utf-8")):
            LOG.warning("%s loads from another host: %s", page.name, loaded)
