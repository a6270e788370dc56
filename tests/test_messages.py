"""Messages advise only what is there, and what is so."""

import ast
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.cli.app import build_parser

PACKAGE = Path(th.__file__).parent
NAME = re.compile(r"(?<![\w./-])(?:tauhat|th)\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
# Endings of files, not names of Python.
FILES = {"toml", "py", "mp4", "html"}


def texts():
    """Every text in the package's code, with its place."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node.value
