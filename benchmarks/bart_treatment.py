"""How many trees BART with a random intercept needs, and how often to split on the treatment.

`BART-RE`, with 100 trees and three in ten of the proposed splits of the treatment, the same with 50
trees, these where every column has an equal part, and R's rbart_vi, on the same draws of the
designs c1 to c6. Each fit is a line of a file as soon as it is there, so the command can be stopped
and goes on where it was.

Usage: python benchmarks/bart_treatment.py --draws 2
       python benchmarks/bart_treatment.py --draws 10 --learners BART-RE rbart_vi --library FOLDER
                                                                               # where dbarts is
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from mixed_learners import DESIGNS
from peer_tables import markdown
from tauhat.learners.s import SLearner
from tauhat.numerics.seeds import derive_seed
from tauhat.outcome import MixedBART
from tauhat.simulate import SimulatedPersons, SimulatedTrial, rmse, srmse

OUT = Path("out/benchmarks/bart_treatment.csv")
TEST_PERSONS = 400
#: Trees, and share of the proposed splits that are of the treatment, by how the table calls it.
OURS = {
    "BART-RE": {"n_trees": 100, "treatment_share": 0.3},
    "50 trees": {"n_trees": 50, "treatment_share": 0.3},
    "50 trees, equal parts": {"n_trees": 50, "treatment_share": None},
}
PEER = "rbart_vi"


def of_r(
    trial: SimulatedTrial, persons: SimulatedPersons, seed: int, library: str
) -> tuple[np.ndarray, float]:
    """Effects by rbart_vi and its CPU seconds."""
    script = Path(__file__).with_name("rbart.R")
    with tempfile.TemporaryDirectory() as folder:
        columns = {"arm": trial.treatment, "y": trial.y, "cluster": trial.clusters}
        trial.X.assign(**columns).to_csv(f"{folder}/trial.csv", index=False)
        persons.X.to_csv(f"{folder}/new.csv", index=False)
        words = [folder, str(seed + 1), *([library] if library else [])]
        subprocess.run(["Rscript", str(script), *words], check=True)
        found = pd.read_csv(f"{folder}/effects.csv")
    return found["effect"].to_numpy(), float(found["seconds"].iloc[0])


def of_ours(name: str, trial: SimulatedTrial, persons: SimulatedPersons, seed: int) -> np.ndarray:
    """Effects by BART with a random intercept."""
    model = SLearner(MixedBART(**OURS[name]))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.set_params(random_state=seed).fit(*trial).effect(persons.X)


def one_fit(name: str, design: str, draw: int, options: argparse.Namespace) -> dict[str, object]:
    """Measures of one learner on one draw; test persons are from new clusters."""
    own_seed = derive_seed(options.seed, design, draw)
    trial = DESIGNS[design].draw(random_state=own_seed)
    persons = DESIGNS[design].population(TEST_PERSONS, random_state=own_seed)
    start = time.process_time()
    if name == PEER:
        effect, seconds = of_r(trial, persons, draw, options.library)
    else:
        effect = of_ours(name, trial, persons, draw)
        seconds = time.process_time() - start
    return {
        "learner": name,
        "design": design,
        "draw": draw,
        "srmse": np.nan if np.ptp(persons.tau) < 1e-9 else srmse(effect, persons.tau),
        "rmse": rmse(effect, persons.tau),
        "mean error": float(effect.mean() - persons.tau.mean()),
        "seconds": seconds,
    }


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Errors of each learner, and its difference to `BART-RE` on the same draws."""
    rows = []
    differing = found[found["design"] != "c1"]
    wide = differing.pivot(index=["design", "draw"], columns="learner", values="srmse").dropna()
    for name in wide:
        change = wide[name] - wide["BART-RE"]
        own = differing[differing["learner"] == name]
        null = found[(found["learner"] == name) & (found["design"] == "c1")]
        rows.append(
            {
                "learner": name,
                "trials": str(len(wide)),
                "sRMSE, c2 to c6": f"{wide[name].mean():.3f}",
                "less that of BART-RE": f"{change.mean():+.3f} ({change.sem():.3f})",
                "mean error of the average": f"{own['mean error'].mean():+.3f}",
                "RMSE, c1": f"{null['rmse'].mean():.3f}",
                "CPU s": f"{own['seconds'].mean():.1f}",
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Fit what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="draw from which on the table counts")
    parser.add_argument("--seed", type=int, default=291127)
    parser.add_argument("--learners", nargs="+", choices=[*OURS, PEER], default=list(OURS))
    parser.add_argument("--library", default="", help="folder with the R package dbarts")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    done: set[tuple[str, str, int]] = set()
    if options.out.exists():
        before = pd.read_csv(options.out)
        done = set(zip(before["learner"], before["design"], before["draw"], strict=True))
    for draw in range(options.draws):
        for design in DESIGNS:
            for name in options.learners:
                if (name, design, draw) in done:
                    continue
                line = pd.DataFrame([one_fit(name, design, draw, options)])
                line.to_csv(options.out, mode="a", header=not options.out.exists(), index=False)
    found = pd.read_csv(options.out)
    print(markdown(summary(found[found["draw"].between(options.first, options.draws - 1)])))


if __name__ == "__main__":
    main()
