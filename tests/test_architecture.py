"""The rooms of ARCHITECTURE.md against the code: imports point down, every module has a room."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tauhat.trial.trial import Trial

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "tauhat"
LONGEST_MODULE = 450
# The package's own __init__ offers the public names, so it stands above every room.
FACADE = "tauhat"

# Who was randomized is asked of the design. Whether there are clusters is asked only where
ASKS_FOR_CLUSTERS = {
    # a mixed model may have a random intercept of clusters, or none that can be told,
    "numerics", "outcome", "fitting/scikit_learn.py", "fitting/few_clusters.py",
    "learners/causal_forest.py", "learners/linear_mixed_effect.py", "ensembles/losses.py",
    "inference/compare.py",
    # the user's columns are read before there is a design,
    "data.py", "trial/covariates_of_clusters.py", "trial/roles.py", "trial/incomplete_blocks.py",
    "trial/several_arms.py", "trial/cluster_size.py",
    "trial/repeated_identifiers.py", "trial/checks/repeated_rows.py",
    # a simulated trial is drawn or written as a table,
    "simulate/scenario.py", "cli/simulate.py", "study/tasks.py",
    # and a result may hold a table of the clusters' intercepts.
    "analysis/result.py", "report/gallery.py",
}  # fmt: skip


def read_rooms(text: str) -> tuple[dict[str, int], set[str]]:
    """Layer of each room, lowest 0, and the rooms that are announced for later."""
    block = re.search(r"<!-- rooms:.*?-->\s*```\n(.*?)```", text, flags=re.DOTALL)
    assert block, "ARCHITECTURE.md has no block of rooms"
    layers: dict[str, int] = {}
    later: set[str] = set()
    for layer, line in enumerate(filter(str.strip, block[1].splitlines())):
        names, _, description = line.partition("  ")
        for name in names.split():
            assert name not in layers, f"ARCHITECTURE.md names the room {name} twice"
            layers[name] = layer
            if description.rstrip().endswith("(later)"):
                later.add(name)
    return layers, later


LAYERS, LATER = read_rooms((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
MODULES = sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path, package: Path) -> tuple[str, ...]:
    """Name of a module as its parts, such as ("tauhat", "outcome", "linear")."""
    parts = (package.name, *path.relative_to(package).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


def room_of(parts: tuple[str, ...]) -> str:
    """Room of a dotted name: its first part below the package."""
    return parts[1] if len(parts) > 1 else FACADE


def imported_rooms(
    source: str, module: tuple[str, ...], *, is_package: bool
) -> Iterator[tuple[int, str]]:
    """Line and room of every import from tauhat, wherever in the module it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = tuple(alias.name.split("."))
                if parts[0] == "tauhat":
                    yield node.lineno, room_of(parts)
        elif isinstance(node, ast.ImportFrom):
            base: tuple[str, ...] = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                above = node.level - 1 if is_package else node.level
                base = module[: len(module) - above] + base
            if base[:1] != ("tauhat",):
                continue
            if len(base) > 1:
                yield node.lineno, room_of(base)
                continue
            for alias in node.names:
                yield node.lineno, alias.name if alias.name in LAYERS else FACADE


def violations(
    source: str, module: tuple[str, ...], *, is_package: bool, layers: dict[str, int]
) -> list[str]:
    """Imports of a module that point to a higher room or to the package itself."""
    room = room_of(module)
    if room in (FACADE, "__main__"):
        return []
    found = []
    for line, target in imported_rooms(source, module, is_package=is_package):
        if target == FACADE:
            found.append(f"{'.'.join(module)}:{line} imports the package itself")
        elif room not in layers or target not in layers:
            found.append(f"{'.'.join(module)}:{line} ({room} imports {target}): one has no room")
        elif layers[target] > layers[room]:
            found.append(f"{'.'.join(module)}:{line} ({room}) imports the higher room {target}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    found = violations(
        path.read_text(encoding="utf-8"),
        dotted(path, PACKAGE),
        is_package=path.name == "__init__.py",
        layers=LAYERS,
    )
    assert not found, "\n".join(found)


def test_every_module_has_a_room_and_every_room_is_there() -> None:
    on_disk = {room_of(dotted(path, PACKAGE)) for path in MODULES} - {FACADE, "__main__"}
    assert on_disk == set(LAYERS) - LATER


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in MODULES}
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_a_file_name_is_used_once() -> None:
    # A module of report/plots may be named after what it draws.
    names = [path.name for path in MODULES if path.parent.name != "plots"]
    twice = {name for name in names if names.count(name) > 1 and name != "__init__.py"}
    assert twice == set()


def test_modules_stay_short() -> None:
    lengths = {
        str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES
    }
    too_long = {name: length for name, length in lengths.items() if length > LONGEST_MODULE}
    assert not too_long, f"longer than {LONGEST_MODULE} lines: {too_long}"


def asks_for_clusters(source: str) -> list[int]:
    """Lines that ask whether clusters are None."""
    lines: list[int] = []
    # To read all modules node by node takes seconds.
    if not re.search(r"(clusters|cluster_codes)\s+is", source):
        return lines
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            asked = ast.unparse(node.left).rpartition(".")[2]
            none = ast.unparse(node.comparators[0]) == "None"
            if none and asked in ("clusters", "enrolled_clusters", "cluster_codes"):
                lines.append(node.lineno)
    return lines


def test_who_was_randomized_is_asked_of_the_design() -> None:
    asking = set()
    for path in MODULES:
        name = str(path.relative_to(PACKAGE))
        if room_of(dotted(path, PACKAGE)) != "design" and asks_for_clusters(
            path.read_text("utf-8")
        ):
            room = room_of(dotted(path, PACKAGE))
            asking.add(room if room in ASKS_FOR_CLUSTERS else name)
    assert asking == ASKS_FOR_CLUSTERS
    assert asks_for_clusters("a = 1 if data.clusters is None else 2\nb = clusters is not None")


def subscripts_of_trials(source: str) -> list[int]:
    """Lines that take a part of a trial by its position."""
    lines: list[int] = []
    if not re.search(r"trial\)?\[", source):
        return lines
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            taken = re.sub(r"^(list|tuple)\((.*)\)$", r"\2", ast.unparse(node.value))
            if isinstance(node.slice.value, int) and taken.split(".")[-1] == "trial":
                lines.append(node.lineno)
    return lines


def test_nothing_subscripts_a_trial() -> None:
    assert not hasattr(Trial, "__getitem__")
    assert subscripts_of_trials("y = trial[1]\nX = list(self.trial)[0]") == [1, 2]
    found = {str(path): subscripts_of_trials(path.read_text("utf-8")) for path in MODULES}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "n_found"),
    [
        ("from tauhat.errors import TrialError", 0),
        ("from tauhat.design.folds import cluster_folds", 0),
        ("from tauhat.cli import main", 1),
        ("import tauhat.report.html as html", 1),
        ("from tauhat import analysis, errors", 1),
        ("import tauhat", 1),
        ("from tauhat import Trial", 1),
        ("from .report import html", 1),
        ("from . import registry", 1),
        ("import numpy as np\nfrom pandas import cli", 0),
        ("from tauhat.nowhere import name", 1),
        ("def late():\n    from tauhat.cli import main\n    return main", 1),
        ("if TYPE_CHECKING:\n    from tauhat.analysis import Analysis", 1),
    ],
)
def test_the_check_sees_every_kind_of_import(source: str, n_found: int) -> None:
    found = violations(source, ("tauhat", "data"), is_package=False, layers=LAYERS)
    assert len(found) == n_found


def imported_modules(path: Path) -> Iterator[str]:
    """Modules of the package that a module imports, also late and for types only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in NAMES else node.module


NAMES = {".".join(dotted(path, PACKAGE)): path for path in MODULES}


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules that import each other, directly or through others; none if it is empty."""
    left = dict(imports)
    while True:
        ready = [name for name, needed in left.items() if not needed & left.keys() - {name}]
        if not ready:
            return sorted(left)
        for name in ready:
            del left[name]


def test_no_modules_import_each_other_in_a_circle() -> None:
    # A package's own file offers the names of its modules, which other modules ask it for.
    imports = {
        name: {module for module in imported_modules(path) if module in NAMES} - {FACADE, name}
        for name, path in NAMES.items()
        if name != FACADE
    }
    assert circle(imports) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


def test_a_room_named_twice_is_an_error() -> None:
    block = "<!-- rooms: -->\n```\nfolds  splits\ndata folds  arrays\n```\n"
    with pytest.raises(AssertionError, match="folds twice"):
        read_rooms(block)
