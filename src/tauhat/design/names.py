"""Names of the kinds of design."""

from typing import Literal

DesignName = Literal[
    "individual",
    "cluster",
    "stepped wedge",
    "cluster crossover",
    "parallel trial with a baseline period",
    "clusters in one arm",
]
"""Names of the kinds of design."""
