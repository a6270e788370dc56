"""The rule on fewer than five persons stands in one module, and others ask it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tauhat.disclosure import is_small, may_be_told, most_groups

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "tauhat"
PLACES = ("report", "analysis", "cli", "study", "trial/checks")
TOLD = sorted(path for place in PLACES for path in (PACKAGE / place).rglob("*.py"))
TOLD.append(PACKAGE / "trial" / "incomplete_blocks.py")


@pytest.mark.parametrize("path", TOLD, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_module_compares_with_five(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "SMALLEST_GROUP" not in names
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and not ast.unparse(node).startswith("len("):
            compared = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
            assert 5 not in compared, f"line {node.lineno}"
        if isinstance(node, ast.Assign) and ast.unparse(node.value) == "5":
            assert not re.search("FEW|SMALL|LEAST", ast.unparse(node.targets[0])), node.lineno


def test_every_count_may_be_told_or_is_small_or_nothing() -> None:
    for count in range(12):
        assert may_be_told(count) + is_small(count) + (count == 0) == 1
    assert [most_groups(n) for n in (4, 5, 14)] == [0, 1, 2]
