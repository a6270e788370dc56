"""A plan in the form that users write, and what `tauhat plan` makes of one."""

from __future__ import annotations

from pathlib import Path

from tauhat.cli import main

PLAN = """
title = "Pressure in clinics"

[run]
outcome = "sbp"
treatment = "arm"
control = "HIC"
cluster = "clinic"
models = "LMM"
seed = 5
higher-is-better = false

[expected]
persons = 160
clusters = 16
icc = 0.05
sd = 7.0
drop-out = 0.05

[[modifiers]]
name = "age"
direction = "larger effect at larger values"
rationale = "Pressure is higher in the old."
difference = 0.3
sd = 10.0
icc = 0.01

[adjustment]
columns = ["female", "urban"]
"""


def planned(folder: Path, text: str = PLAN, *more: str) -> int:
    (folder / "trial.toml").write_text(text)
    return main(["plan", str(folder / "trial.toml"), "--out", str(folder / "plan"), *more])


def written(folder: Path) -> dict[str, str]:
    return {
        path.name: path.read_text("utf-8")
        for path in sorted((folder / "plan").iterdir())
        if path.suffix != ".docx"
    }
