"""What recalibration does to estimators that are right, doubled, or find nothing.

Prints the mean sRMSE (RMSE where the effect is constant) and the standard
deviation of the effects over draws.

    python benchmarks/recalibration.py --draws 8
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from tauhat.ensembles.recalibrated import Recalibrated
from tauhat.learners import LinearMixedEffect
from tauhat.simulate import scenario

DESIGNS = {"c2": None, "c3": None, "c6": None, "highly-nonlinear": 500, "c1": None}


class Doubled(LinearMixedEffect):
    """Effects twice as large as they should be."""

    def predict_effect(self, X):
        """Twice the effect."""
        return 2 * super().predict_effect(X)


def variants():
    for name, learner in (("LMM", LinearMixedEffect()), ("LMM doubled", Doubled())):
        yield name, "as it is", learner
        for method in ("linear", "isotonic"):
            for shrink in (True, False):
                label = f"{method}{'' if shrink else ', no prior'}"
                yield name, label, Recalibrated(learner, method, shrink=shrink, random_state=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=8)
    draws = parser.parse_args().draws
    rows = []
    for design, n in DESIGNS.items():
        for draw in range(draws):
            drawn = scenario(design)
            trial = drawn.draw(n, random_state=100 + draw)
            persons = drawn.population(2000, random_state=100 + draw)
            scale = persons.tau.std() if np.ptp(persons.tau) > 0 else 1.0
            for learner, label, model in variants():
                effect = model.fit(*trial).effect(persons.X)
                error = float(np.sqrt(np.mean((effect - persons.tau) ** 2))) / scale
                rows.append((design, learner, label, error, float(effect.std())))
    columns = ["design", "learner", "recalibration", "error", "sd"]
    table = pd.DataFrame(rows, columns=columns)
    index = ["design", "learner"]
    for value in ("error", "sd"):
        print(f"\n{value}, mean of {draws} draws")
        print(table.pivot_table(value, index, "recalibration").round(3).to_string())


if __name__ == "__main__":
    main()
