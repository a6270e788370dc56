"""Size of the house at one or several commits: `python tests/house_numbers.py COMMIT ...`.

One table: lines and modules of the package, its public names, modules that import each other in
circles, and modules that mention who was randomized or what was measured.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "src/tauhat"
MENTIONS = {
    "arms": r"\b(treatment|arm|arms)\b",
    "clusters": r"\bclusters\b",
    "clusters is None": r"clusters is (not )?None",
    "data.y": r"\bdata\.y\b",
}


def git(*words: str) -> str:
    """What git prints."""
    done = subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


def modules_at(commit: str) -> dict[str, str]:
    """Source of each module of the package at a commit, by dotted name."""
    paths = git("ls-tree", "-r", "--name-only", commit, PACKAGE).split()
    found = {}
    for path in paths:
        if path.endswith(".py"):
            name = path.removeprefix("src/").removesuffix(".py").replace("/", ".")
            found[name.removesuffix(".__init__")] = git("show", f"{commit}:{path}")
    return found


def public_names(source: str) -> int:
    """Number of names in the ``__all__`` of the package's own file."""
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            assert isinstance(node, ast.Assign)
            return len(node.value.elts) if isinstance(node.value, ast.List | ast.Tuple) else 0
    return 0


def imports(source: str, name: str, known: set[str]) -> set[str]:
    """Modules of the package that a module imports, also late and for types only."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
    return found & known - {name, "tauhat"}


def circles(needed: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules each of which imports the others, directly or through others."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        left = [start]
        while left:
            for name in needed[left.pop()] - seen:
                seen.add(name)
                left.append(name)
        return seen

    reach = {name: reached(name) for name in needed}
    found = {
        tuple(sorted(other for other in reach[name] if name in reach[other]))
        for name in needed
        if name in reach[name]
    }
    return sorted(map(list, found))


def numbers(commit: str) -> dict[str, int]:
    """The numbers of one commit."""
    modules = modules_at(commit)
    known = set(modules)
    found = circles({name: imports(source, name, known) for name, source in modules.items()})
    told = {
        "lines": sum(source.count("\n") for source in modules.values()),
        "modules": len(modules),
        "modules beside rooms": sum(name.count(".") == 1 for name in modules)
        - len({name.split(".")[1] for name in modules if name.count(".") > 1}),
        "public names": public_names(modules["tauhat"]),
        "circles": len(found),
        "modules in circles": sum(map(len, found)),
    }
    for label, pattern in MENTIONS.items():
        lines = [len(re.findall(pattern, source)) for source in modules.values()]
        told[f"modules with {label}"] = sum(count > 0 for count in lines)
        told[f"times {label}"] = sum(lines)
    return told


def main() -> None:
    """Print a row for each number and a column for each commit."""
    commits = sys.argv[1:] or ["HEAD"]
    columns = [numbers(commit) for commit in commits]
    print(f"{'':32}" + "".join(f"{commit[:12]:>13}" for commit in commits))
    for name in columns[0]:
        print(f"{name:32}" + "".join(f"{column[name]:>13,}" for column in columns))


if __name__ == "__main__":
    main()
