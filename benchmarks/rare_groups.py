"""Intervals of a group of few, and of its difference from all others.

Coverage of the 95% intervals of `group_effect` in the group and of the difference, and how often
`interaction_effects` says at .05 that the group is different, in trials in which nothing differs.

    python benchmarks/rare_groups.py --trials 1000
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

import tauhat as th
from peer_tables import markdown
from tauhat.numerics.seeds import derive_seed
from tauhat.runtime.parallel import on_one_thread

SEED = 20261130


@dataclass(frozen=True)
class Cell:
    """Units an arm, of these in the group, and persons of a unit; one where persons are units."""

    units: int
    members: int
    size: int = 1

    @property
    def words(self) -> str:
        """The cell in a table."""
        kind = "persons" if self.size == 1 else f"clusters of {self.size}"
        return f"{self.members} of {self.units} {kind} an arm"

    def draw(self, seed: int) -> th.Trial:
        """One trial without any effect."""
        rng = np.random.default_rng(seed)
        unit = np.repeat(np.arange(2 * self.units), self.size)
        df = pd.DataFrame({"unit": unit, "arm": unit % 2, "age": rng.normal(size=len(unit))})
        df["rare"] = (unit // 2 < self.members).astype(int)
        level = 0.5 * rng.normal(size=2 * self.units)[unit] if self.size > 1 else 0.0
        df["y"] = df.age + level + rng.normal(size=len(unit))
        roles = {"outcome": "y", "treatment": "arm", "covariates": ["age", "rare"]}
        return th.Trial(df, **roles, cluster="unit" if self.size > 1 else None)


CELLS = (
    *(Cell(60, members) for members in (2, 3, 5, 20)),
    *(Cell(10, members, 15) for members in (2, 3, 5)),
)


@on_one_thread
def measure(cell: Cell, trials: int) -> dict[str, object]:
    """Shares over the trials."""
    inside, difference, named = [], [], []
    for k in range(trials):
        seed = derive_seed(SEED, cell.words, k)
        trial = cell.draw(seed)
        found = th.group_effect(trial, "rare == 1", "LMM", n_splits=1, random_state=seed)
        for one, kept in ((found.inside, inside), (found.difference, difference)):
            kept.append((one.lower < 0 < one.upper, one.upper - one.lower))
        named.append(th.interaction_effects(trial, ["rare"]).table.p_value[0] < 0.05)
    covered, widths = np.mean(inside, axis=0), np.median(difference, axis=0)[1]
    return {
        "group": cell.words,
        "covered, in the group": f"{covered[0]:.3f}",
        "covered, difference": f"{np.mean(difference, axis=0)[0]:.3f}",
        "width, in the group": f"{np.median(inside, axis=0)[1]:.1f}",
        "width, difference": f"{widths:.1f}",
        "interaction at .05": f"{np.mean(named):.3f}",
    }


def main() -> None:
    """Measure every cell and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=1000)
    trials = parser.parse_args().trials
    warnings.simplefilter("ignore")
    print(markdown(pd.DataFrame([measure(cell, trials) for cell in CELLS])))
    print(f"\nMonte Carlo error of .95: {np.sqrt(0.95 * 0.05 / trials):.3f}")


if __name__ == "__main__":
    main()
