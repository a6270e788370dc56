"""How often a clean trial is warned of, rule by rule: simulated trials and real ones.

    python benchmarks/false_warnings.py --draws 10 --first-seed 5000

Trials of every registered scenario, and of each in a dress of the columns that trials have (ages,
skewed costs, counts, scales with floors, dates left out, categories, names of sites, missing
values), with row order, arms and clusters at random; then real trials with the covariates that
were measured before randomization. `few-persons`, `few-clusters` and `too-few-clusters` are true
of a small trial and are not counted. A refusal counts as a warning.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import tauhat as th
from tauhat.simulate import scenario, scenario_names

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TRUE_OF_SMALL = {"few-persons", "few-clusters", "too-few-clusters"}
SIZES = (120, 400, 1500)
_NAMES = """
Ashford Bolton Camden Dudley Exeter Falmouth Grantham Harlow Ipswich Jarrow Kendal Luton Malvern
Norwich Oldham Penrith Quedgeley Redditch Salford Taunton Ulverston Ventnor Watford Yeovil
Alnwick Barnsley Chester Derby Epsom Fareham Gosport Halifax Ilkeston Keswick Lancaster Margate
Newark Oxford Poole Ramsgate Stafford Telford Uttoxeter Wakefield York Andover Blackpool Crewe
"""
TOWNS = _NAMES.split()


def dressed(df: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A simulated trial with more columns of the kinds that trials have, none with an effect."""
    n = len(df)
    df = df.assign(
        age=rng.normal(58, 12, n).clip(18, 95).round(),
        bmi=rng.lognormal(3.3, 0.18, n).round(1),
        sbp=(rng.normal(142, 17, n) / 2).round() * 2,
        costs_last_12_months=(rng.lognormal(6, 1.2, n) * (rng.random(n) < 0.6)).round(2),
        visits_past_year=rng.negative_binomial(1.2, 0.3, n),
        eq5d=np.minimum(rng.normal(0.8, 0.2, n), 1).round(3),
        vas=(rng.beta(3, 2, n) * 10).round() * 10,
        sex=rng.choice(["female", "male"], n),
        marital_status=rng.choice(["married", "single", "widowed", "divorced"], n),
        ethnicity=rng.choice(
            ["Asian", "Black", "White", "Mixed", "Other"], n, p=[0.2, 0.2, 0.4, 0.1, 0.1]
        ),
        smoker=rng.integers(0, 2, n),
        rare=(rng.random(n) < 0.03).astype(int),
        town=rng.choice(TOWNS[:12], n),
    )
    for name in ("bmi", "eq5d", "sex"):
        df.loc[rng.random(n) < 0.05, name] = np.nan
    df.loc[rng.random(n) < 0.06, "y"] = np.nan
    if "cluster" in df:
        df["cluster"] = [f"{TOWNS[k % 48]} {1 + k // 48}" for k in df["cluster"]]
    return df.sample(frac=1, random_state=int(rng.integers(1e9)))


def simulated(draws: int, first: int) -> Iterator[tuple[str, pd.DataFrame, dict[str, object]]]:
    """Each scenario in plain clothes and dressed, in small and large trials."""
    for name in (name for name in scenario_names() if name != "semi-synthetic"):
        for k in range(first, first + draws):
            drawing = scenario(name)
            size = None if drawing.randomizes_clusters else SIZES[k % len(SIZES)]
            drawn = drawing.draw(size, random_state=k)
            df = drawn.X.assign(arm=drawn.treatment, y=drawn.y)
            roles: dict[str, object] = {"outcome": "y", "treatment": "arm"}
            if drawn.clusters is not None:
                df["cluster"] = drawn.clusters
                roles["cluster"] = "cluster"
            yield name, df, roles
            yield f"{name}, dressed", dressed(df, np.random.default_rng(k)), roles


def real() -> Iterator[tuple[str, pd.DataFrame, dict[str, object]]]:
    """Real trials with what was measured before randomization; none where the files are absent."""

    def read(name: str) -> pd.DataFrame | None:
        path = DATA / name
        if not path.exists():
            print(f"{name} is not here: left out")
            return None
        return pd.read_csv(path)

    actg = read("actg175.csv")
    if actg is not None:
        covariates = [
            "age",
            "wtkg",
            "hemo",
            "homo",
            "drugs",
            "karnof",
            "oprior",
            "z30",
            "preanti",
            "race",
            "gender",
            "strat",
            "symptom",
            "cd40",
            "cd80",
        ]
        for arm in (1, 2, 3):
            roles = {"outcome": "cd420", "treatment": "arms", "arms": (0, arm), "id": "pidnum"}
            yield f"ACTG 175, arm {arm}", actg, {**roles, "covariates": covariates}
    jobs = read("jobs2.csv")
    if jobs is not None:
        covariates = [
            "econ_hard",
            "depress1",
            "sex",
            "age",
            "occp",
            "marital",
            "nonwhite",
            "educ",
            "income",
        ]
        yield (
            "JOBS II",
            jobs,
            {"outcome": "depress2", "treatment": "treat", "covariates": covariates},
        )
    nsw = read("nsw.csv")
    if nsw is not None:
        yield "NSW", nsw, {"outcome": "re78", "treatment": "treat"}
    payday = read("attentionrct_payday.csv")
    if payday is not None:
        covariates = [name for name in payday if not name.startswith(("outcome", "treatment"))]
        roles = {"outcome": "outcome_correct_ans_per_second", "treatment": "treatment"}
        yield "payday attention", payday, {**roles, "covariates": covariates}
    indo = read("indo_rct.csv")
    if indo is not None:
        indo["pancreatitis"] = (indo["outcome"] == "1_yes").astype(int)
        roles = {"outcome": "pancreatitis", "treatment": "rx", "control": "0_placebo", "id": "id"}
        covariates = [
            "site",
            "age",
            "risk",
            "gender",
            "sod",
            "pep",
            "recpanc",
            "psphinc",
            "precut",
            "difcan",
        ]
        yield "indomethacin", indo.drop(columns="status"), {**roles, "covariates": covariates}
    brazil = read("schoolrct_brazil.csv")
    if brazil is not None:
        roles = {"outcome": "outcome_test_score", "treatment": "treatment", "cluster": "school"}
        yield "Brazilian schools", brazil, roles
    pups = read("ratpup_weight.csv")
    if pups is not None:
        for arm in ("High", "Low"):
            roles = {"outcome": "weight", "treatment": "Treatment", "arms": ("Control", arm)}
            yield f"rat pups, {arm}", pups, {**roles, "cluster": "Litter"}


def warned(df: pd.DataFrame, roles: dict[str, object]) -> set[str]:
    """Codes of the warnings of a clean trial."""
    try:
        check = th.Trial(df, **roles).check()  # type: ignore[arg-type]
    except th.TrialError as error:
        return {f"refused: {error}"[:160]}
    return set(check.open_codes) - TRUE_OF_SMALL


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20, help="of each scenario, plain and dressed")
    parser.add_argument("--first-seed", type=int, default=0, help="rules were tuned on the first")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    n = false = 0
    for name, df, roles in simulated(arguments.draws, arguments.first_seed):
        found = warned(df, roles)
        n, false = n + 1, false + bool(found)
        counts.update(found)
        if found:
            print(f"{name}: {', '.join(sorted(found))}")
    print(f"{false} of {n} simulated trials have a false warning ({false / n:.2%})")
    for code, count in counts.most_common():
        print(f"  {code:28s} {count:4d} ({count / n:.2%})")
    trials = [(name, warned(df, roles)) for name, df, roles in real()]
    print(f"{sum(bool(found) for _, found in trials)} of {len(trials)} real trials have a warning")
    for name, found in trials:
        print(f"  {name:28s} {', '.join(sorted(found)) or '-'}")


if __name__ == "__main__":
    main()
