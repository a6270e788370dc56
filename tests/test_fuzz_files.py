"""Model files and stores with seeded changes, in processes of bounded memory: fine or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="memory is bounded by setrlimit")

HERE = Path(__file__).parent
MAKE = """
import sys, warnings
from pathlib import Path
import numpy as np
import tauhat as th
warnings.simplefilter("ignore")
rng = np.random.default_rng(5)
clusters = np.repeat(np.arange(14), 9)
X, arm = rng.normal(size=(126, 3)), clusters % 2
y = X[:, 0] + arm * (1 + 2 * (X[:, 1] > 0)) + rng.normal(size=126)
small = {"n_estimators": 12, "max_rounds": 20, "n_chains": 1, "n_grow": 4, "n_burn_in": 5,
         "burn_in": 5, "n_draws": 6, "draws": 6}
for name in sys.argv[2:]:
    model = th.estimator(name, random_state=1)
    settings = {key: small.get(key.split("__")[-1]) for key in model.get_params()}
    if "members" in settings:
        settings["members"] = [(n, th.estimator(n)) for n in ("LMM", "T-Linear", "GAMM")]
    model.set_params(**{key: value for key, value in settings.items() if value is not None})
    th.save(model.fit(X, y, treatment=arm, clusters=clusters), Path(sys.argv[1]) / name)
"""
NAMES = ["LMM", "GAMM", "BCF-RE", "BART-RE", "X-Boosting", "GPBoost", "Effect-Boosting",
         "CF-DML-linear", "X-RF", "X-AGLM", "Robust", "CBA"]  # fmt: skip


def run(*arguments: str | Path) -> str:
    """Run Python in a process of one thread; a crash, an error or too much memory fails."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_changed_model_files_give_finite_effects_or_are_refused(tmp_path: Path) -> None:
    run("-c", MAKE, tmp_path, *NAMES)
    for name in NAMES:
        outcomes = json.loads(run(HERE / "fuzz_models.py", tmp_path / name, "1", "200"))
        print(f"{name}: {outcomes}")
        assert outcomes["fine"] + outcomes["refused"] == 200
        assert outcomes["refused"] > 80


@pytest.mark.slow
def test_changed_stores_are_read_or_refused(tmp_path: Path) -> None:
    outcomes = json.loads(run(HERE / "fuzz_stores.py", tmp_path, "1", "3000"))
    print(f"stores: {outcomes}")
    assert sum(outcomes.values()) == 3000
    assert min(outcomes.values()) > 50


def test_a_few_changed_stores(tmp_path: Path) -> None:
    assert sum(json.loads(run(HERE / "fuzz_stores.py", tmp_path, "2", "60")).values()) == 60
