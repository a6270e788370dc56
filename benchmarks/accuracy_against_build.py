"""Error, coverage, width and CPU of an estimator, paired with those of another revision.

Usage: python benchmarks/accuracy_against_build.py d49325f --estimator Robust --draws 10

A row is written for each fit as soon as it is there, and fits that have a row are not made
again: the command can be stopped and started. Draws go around the scenarios, so that what is
there at any time is spread over all. Ratios are of root mean squared errors over new persons,
their means those of logarithms.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from against_build import OUT, ROOT, unpack, variables
from interval_coverage import CLUSTER, INDIVIDUAL, design_of
from peer_tables import markdown
from process_tree import measure
from tauhat.numerics.seeds import derive_seed

FIT = """
import sys, warnings
import numpy as np
from tauhat.registry import estimator
warnings.simplefilter("ignore")
given = np.load(sys.argv[1])
clusters = given["clusters"] if "clusters" in given else None
model = estimator(sys.argv[2], random_state=1).fit(
    given["X"], given["y"], treatment=given["treatment"], clusters=clusters
)
new = given["new"]
found = dict(zip(("lower", "upper"), model.effect_interval(new)), effect=model.effect(new))
members = model.member_effects(new) if hasattr(model, "member_effects") else {}
np.savez(sys.argv[3], **found, **{f"member {name}": own for name, own in members.items()})
"""


def draw(name: str, replicate: int, path: Path) -> np.ndarray:
    """Write one trial and its new persons; their effects."""
    design, n = design_of(name)
    seed = derive_seed(20261129, name, replicate)
    trial = design.draw(n, seed)
    new = design.population(1000, derive_seed(seed, "test"))
    given = {"X": trial.X, "y": trial.y, "treatment": trial.treatment, "new": new.X}
    if trial.clusters is not None:
        given["clusters"] = trial.clusters
    np.savez(path, **{key: np.asarray(value) for key, value in given.items()})
    return np.asarray(new.tau)


def scores(path: Path, tau: np.ndarray) -> dict[str, float]:
    """Coverage and width of the intervals, errors of the effect and of each member's."""
    found = np.load(path)
    low, high = found["lower"], found["upper"]
    row = {
        "coverage": float(((low <= tau) & (tau <= high)).mean()),
        "width": float((high - low).mean()),
    }
    for key in found.files:
        if key == "effect" or key.startswith("member "):
            row[f"RMSE {key}"] = float(np.sqrt(((found[key] - tau) ** 2).mean()))
    return row


def with_error(values: pd.Series) -> str:
    """A mean of log ratios as a ratio, with its 95% interval."""
    half = 1.96 * values.sem()
    low, middle, high = np.exp([values.mean() - half, values.mean(), values.mean() + half])
    return f"{middle:.4f} ({low:.4f} to {high:.4f})"


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for clusters, one for persons and one for all."""
    wide = rows.pivot(index=["scenario", "draw"], columns="build").dropna(how="all")
    wide = wide[wide["width"].notna().all(axis=1)]
    randomized = np.where(wide.index.get_level_values(0).isin(CLUSTER), "clusters", "persons")
    table = []
    groups = {name: wide[randomized == name] for name in ("clusters", "persons")}
    for name, part in {**groups, "all": wide}.items():
        row: dict[str, object] = {"randomized": name, "trials": len(part)}
        for column in (c for c in rows if c.startswith("RMSE ")):
            logs = np.log(part[column]["this"] / part[column]["other"]).dropna()
            if len(logs) > 1:
                row[column] = with_error(logs)
        for column in ("coverage", "width", "cpu"):
            means = part[column].mean()
            row[f"{column}, other"] = round(means["other"], 3)
            row[f"{column}, this"] = round(means["this"], 3)
        table.append(row)
    return pd.DataFrame(table).set_index("randomized").T.reset_index(names="")


def main() -> None:
    """Make the fits that are missing, then print the table of those that are there."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("revision", help="any commit of this repository")
    parser.add_argument("--estimator", default="Robust")
    parser.add_argument("--scenarios", nargs="+", default=CLUSTER + INDIVIDUAL)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--csv", type=Path, default=OUT / "accuracy_against_build.csv")
    options = parser.parse_args()
    options.csv.parent.mkdir(parents=True, exist_ok=True)
    rows = pd.read_csv(options.csv).to_dict("records") if options.csv.exists() else []
    done = {(row["scenario"], row["draw"], row["build"]) for row in rows}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "build").mkdir()
        builds = {"other": unpack(options.revision, folder / "build")}
        builds["this"] = sys.executable, variables(ROOT)
        given, out = folder / "trial.npz", folder / "found.npz"
        for replicate in range(options.draws):
            for name in options.scenarios:
                missing = [b for b in builds if (name, replicate, b) not in done]
                tau = draw(name, replicate, given) if missing else np.zeros(0)
                for build in missing:
                    python, environment = builds[build]
                    words = [python, "-c", FIT, str(given), options.estimator, str(out)]
                    cost = measure(words, interval=0.05, environment=environment)
                    key = {"scenario": name, "draw": replicate, "build": build}
                    rows.append({**key, "cpu": cost.cpu_seconds, **scores(out, tau)})
                    pd.DataFrame(rows).to_csv(options.csv, index=False)
    print(markdown(summary(pd.DataFrame(rows))))


if __name__ == "__main__":
    main()
