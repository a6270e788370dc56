"""`Robust` and its members on effects put into real trials: real covariates, real residuals.

Each draw takes at most 1,000 persons of a trial (whole clusters), randomizes them anew and adds an
effect that is a random surface of the covariates (`tauhat.simulate.random_surfaces`), with a
standard deviation of .3 of the outcome's, or the same for everyone in every fifth draw.

Usage: python benchmarks/robust_real_covariates.py --data FOLDER --draws 5
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tauhat as th
from peer_tables import markdown
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import SemiSynthetic
from tauhat.simulate.random_surfaces import random_surface

PERSONS = 1000
SPREAD = 0.3


@dataclass(frozen=True)
class Source:
    """A real trial: its file and the columns that are used."""

    file: str
    outcome: str
    treatment: str
    treated: tuple[str | int, ...]
    covariates: tuple[str, ...]
    cluster: str | None = None


SOURCES = {
    "STAR": Source(
        "star_kindergarten.csv", "math", "cltype", ("small",),
        ("female", "eth", "ses", "age_1985_09", "schtype", "exp"), "class_id",
    ),
    "schoolrct": Source(
        "schoolrct_brazil.csv", "outcome_test_score", "treatment", (1,),
        ("is_female", "mother_attended_secondary_school", "has_some_form_of_income",
         "saves_money_for_future_purchases", "is_unemployed"), "school",
    ),
    "ACTG 175": Source(
        "actg175.csv", "cd420", "treat", (1,),
        ("age", "wtkg", "hemo", "homo", "drugs", "karnof", "race", "gender", "symptom", "cd40",
         "cd80"),
    ),
    "JOBS II": Source(
        "jobs2.csv", "depress2", "treat", (1,),
        ("econ_hard", "depress1", "sex", "age", "nonwhite", "educ", "income"),
    ),
    "NSW": Source(
        "nsw.csv", "re78", "treat", (1,),
        ("age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75"),
    ),
}  # fmt: skip


def read(
    folder: Path, source: Source
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray | None]:
    """Covariates, outcome, arm and cluster of the persons without gaps."""
    columns = [source.outcome, source.treatment, *source.covariates]
    columns += [] if source.cluster is None else [source.cluster]
    table = pd.read_csv(folder / source.file, low_memory=False)[columns].dropna()
    numeric = pd.api.types.is_numeric_dtype
    texts = [name for name in source.covariates if not numeric(table[name])]
    X = pd.get_dummies(table[list(source.covariates)], columns=texts, drop_first=True)
    arm = table[source.treatment].isin(source.treated).to_numpy().astype(int)
    clusters = None if source.cluster is None else pd.factorize(table[source.cluster])[0]
    return X.astype(float), table[source.outcome].to_numpy(dtype=float), arm, clusters


def one_draw(name: str, parts: tuple, draw: int) -> list[dict[str, float | str]]:
    """Errors of `Robust` and each member in one draw."""
    X, y, arm, clusters = parts
    seed = derive_seed(20261129, "real covariates", name, draw)
    rng = np.random.default_rng(seed)
    middle, spread = X.mean(), X.std().replace(0.0, 1.0)
    surface = random_surface(((X - middle) / spread).to_numpy(), 1 + draw % 2, rng)
    size = 0.0 if draw % 5 == 4 else SPREAD * float(np.std(y))
    design = SemiSynthetic(
        trial=(X, y, arm, clusters),
        effect=lambda rows: size * surface(((rows - middle) / spread).to_numpy()),
    )
    trial = design.draw(min(PERSONS, len(y)), seed)
    model = th.estimator("Robust", random_state=seed).fit(*trial)
    persons = design.population(2000, seed)
    effects = {"Robust": model.effect(persons.X)}
    effects |= model.member_effects(np.asarray(persons.X, dtype=float))
    lower, upper = model.effect_interval(persons.X)
    covered = float(np.mean((lower <= persons.tau) & (persons.tau <= upper)))
    return [
        {
            "trial": name,
            "draw": draw,
            "estimator": one,
            "error": float(np.sqrt(np.mean((effect - persons.tau) ** 2)) / np.std(y)),
            "coverage": covered,
        }
        for one, effect in effects.items()
    ]


def main() -> None:
    """Print the ratio of each member's error to that of `Robust`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the CSV files")
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    lines = []
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, source in SOURCES.items():
            parts = read(options.data, source)
            for draw in range(options.draws):
                lines += one_draw(name, parts, draw)
    found = pd.DataFrame(lines)
    own = found[found["estimator"] == "Robust"].set_index(["trial", "draw"])
    clustered = [name for name, source in SOURCES.items() if source.cluster]
    for names in (clustered, [name for name in SOURCES if name not in clustered]):
        part = found[found["trial"].isin(names) & (found["estimator"] != "Robust")]
        part = part.set_index(["trial", "draw"]).join(own["error"].rename("own"))
        part["ratio"] = np.log(part["error"] / part["own"])
        table = part.groupby("estimator")["ratio"].agg(["mean", "sem", "count"])
        said = [
            f"{np.exp(a):.3f} ({b:.3f})" for a, b in zip(table["mean"], table["sem"], strict=True)
        ]
        print(f"\n{', '.join(names)}: coverage {own.loc[names, 'coverage'].mean():.3f}, error of")
        print(f"`Robust` {own.loc[names, 'error'].mean():.3f} SDs of the outcome\n")
        print(
            markdown(
                pd.DataFrame(
                    {"member": table.index, "error over Robust's": said, "draws": table["count"]}
                )
            )
        )


if __name__ == "__main__":
    main()
