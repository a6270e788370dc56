"""Save a few small models as this version does; the files are kept and must be read by later ones.

    python tests/saved/make.py

writes ``<version>-<model>.tauhat`` and ``<version>.json``, the effects at the rows of `NEW`. Files
of earlier versions stay as they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tauhat as th
from tauhat.ensembles import ConsensusAverage
from tauhat.learners import BayesianCausalForest, CausalForest, LinearMixedEffect, TLearner
from tauhat.learners.catalog import single_estimator
from tauhat.outcome import BoostedTrees, LinearMixedModel, RandomForest

FOLDER = Path(__file__).resolve().parent
NAMES = ["age", "bmi"]
NEW = pd.DataFrame([[-1.0, 0.5], [0.0, 0.0], [1.5, -2.0]], columns=NAMES)


def models() -> dict[str, Any]:
    """Unfitted models, each of another kind: coefficients, trees of the engines, members."""
    consensus = [(name, single_estimator(name)) for name in ("LMM", "GAMM", "T-LMM")]
    short = {"n_outcome_trees": 5, "n_effect_trees": 3, "n_chains": 1, "n_grow": 2}
    return {
        "linear": LinearMixedEffect(random_state=1),
        "consensus": ConsensusAverage(consensus, random_state=1),
        "bcf": BayesianCausalForest(**short, n_burn_in=5, n_draws=5, random_state=1),
        "boosting": TLearner(BoostedTrees(max_rounds=10, n_folds=2), random_state=1),
        "forest": TLearner(RandomForest(n_estimators=4), random_state=1),
        "causal-forest": CausalForest(LinearMixedModel(), n_estimators=8, random_state=1),
    }


def main() -> None:
    """Fit, save, and write down the effects."""
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(12), 8)
    arm = clusters % 2
    X = pd.DataFrame(rng.normal(size=(96, 2)).round(2), columns=NAMES)
    y = (X.age + arm * (1 + X.bmi) + rng.normal(size=96)).round(2)
    effects = {}
    for name, model in models().items():
        model.fit(X, y, treatment=arm, clusters=clusters)
        th.save(model, FOLDER / f"{th.__version__}-{name}.tauhat")
        effects[name] = model.effect(NEW).tolist()
    text = json.dumps(effects, indent=1)
    (FOLDER / f"{th.__version__}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
