"""A table for every finding of the design check, with its code and grade."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

PLACES = [
    "Ashford",
    "Bolton",
    "Camden",
    "Dudley",
    "Exeter",
    "Falmouth",
    "Grantham",
    "Harlow",
    "Ipswich",
    "Jarrow",
]


def persons(n: int = 300, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 10, n).round(1)
    return pd.DataFrame(
        {
            "arm": rng.permutation(np.arange(n) % 2),
            "age": age,
            "sex": rng.choice(["female", "male"], n),
            "y": (100 + 0.3 * age + rng.normal(0, 8, n)).round(2),
        }
    )


def clinics(m: int = 40, size: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    number = np.repeat(np.arange(m), size)
    arm = rng.permutation(np.arange(m) % 2)
    names = [f"{PLACES[k % 10]} {k // 10}" for k in range(m)]
    df = persons(m * size).assign(
        clinic=[names[k] for k in number], arm=arm[number], beds=rng.normal(80, 9, m)[number]
    )
    return df.assign(y=df["y"] + rng.normal(0, 2, m)[number])


def coded(df: pd.DataFrame, column: str, value: Any, count: int) -> pd.DataFrame:
    df = df.copy()
    df.loc[df.sample(count, random_state=4).index, column] = value
    return df


def noise(df: pd.DataFrame, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=len(df))


def some(df: pd.DataFrame, share: Any, seed: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).random(len(df)) < share


def late_arm() -> pd.DataFrame:
    df = persons()
    before = persons(60, seed=8).assign(arm=0)
    return pd.concat([before, df], ignore_index=True)


def sized(**sizes: int) -> pd.DataFrame:
    df = clinics()
    return pd.concat(
        [df, *(df[df["clinic"] == name.replace("_", " ")].sample(n, replace=True, random_state=1)
               .assign(age=lambda d: d["age"] + noise(d), y=lambda d: d["y"] + noise(d, 7))
               for name, n in sizes.items())]
    )  # fmt: skip


def dates(days: np.ndarray, form: str) -> list[str]:
    start = pd.Timestamp("2021-03-15")
    return [(start + pd.Timedelta(days=int(d))).strftime(form) for d in days]


def dated(
    form: str, first: str = "randomisation_date", last: str = "last_visit_date"
) -> pd.DataFrame:
    df = persons()
    entry = np.arange(len(df)) % 90
    later = np.where(np.arange(len(df)) % 20 == 0, entry - 9, entry + 30)
    return df.assign(**{first: dates(entry, form), last: dates(later, form)})


def ambiguous(form: str) -> pd.DataFrame:
    df = persons()
    firsts = [(pd.Timestamp(2021, 1 + k % 12, 1 + k % 11)) for k in range(len(df))]
    return df.assign(
        randomisation_date=[f"{day:{form}}" for day in firsts],
        last_visit_date=[f"{day + pd.Timedelta(days=400):%Y-%m-%d}" for day in firsts],
    )


def numbered_days(day: Callable[[pd.Timestamp], int]) -> pd.DataFrame:
    df = dated("%Y-%m-%d")
    for name in ("randomisation_date", "last_visit_date"):
        df[name] = [day(pd.Timestamp(text)) for text in df[name]]
    return df


def repeated(df: pd.DataFrame, count: int) -> pd.DataFrame:
    return pd.concat([df, df.head(count)])


def of_arms(**more: Any) -> pd.DataFrame:
    df = persons(400)
    labels = np.array(["usual", "Drug"], dtype=object)[df["arm"]]
    for label, rows in more.items():
        labels[rows] = label
    return df.assign(arm=labels)


Case = tuple[str, str, Callable[[], pd.DataFrame], dict[str, Any]]
CASES: list[Case] = [
    # The design
    ("few-persons", "warning", lambda: persons(60), {}),
    ("few-clusters", "warning", lambda: clinics(12), {}),
    ("too-few-clusters", "warning", lambda: clinics(6), {"covariates": ["age", "beds"]}),
    ("cluster-size-jump", "warning", lambda: sized(Harlow_2=150), {}),
    ("cluster-size-jump", "warning", lambda: clinics().iloc[10:], {}),
    ("cluster-size-by-arm", "warning",
     lambda: clinics()[lambda d: (d["arm"] == 0) | (d.groupby("clinic").cumcount() < 7)], {}),
    ("clusters-lost", "warning",
     lambda: clinics().assign(y=lambda d: d["y"].mask(d["clinic"] == "Harlow 2")), {}),
    ("one-arm-blocks", "note",
     lambda: persons().assign(site=lambda d: np.where((d.index < 20) & (d["arm"] == 1), "a", "b")),
     {"block": "site"}),
    ("one-arm-blocks", "error",
     lambda: persons().assign(site=lambda d: np.where(d.index < 200, d["arm"], 2)),
     {"block": "site"}),
    ("allocation", "note",
     lambda: persons().assign(site=lambda d: np.where(some(d, 0.2 + 0.5 * d["arm"]), "a", "b")),
     {"block": "site"}),
    ("propensity", "warning", persons, {"propensity": 0.2}),
    ("uneven-weights", "warning",
     lambda: persons().assign(w=lambda d: 1 + 200 * some(d, 0.02)), {"weight": "w"}),
    ("missing-outcome", "warning",
     lambda: persons().assign(y=lambda d: d["y"].mask(some(d, 0.4 * d["arm"]))), {}),
    ("missing-outcome", "note",
     lambda: persons().assign(y=lambda d: d["y"].mask(some(d, 0.1))), {}),
    ("missing-by-cluster", "warning",
     lambda: clinics().assign(
         y=lambda d: d["y"].mask(some(d, np.where(d["clinic"] == "Harlow 2", 0.85, 0.1)))), {}),
    ("missing-by-block", "note",
     lambda: persons().assign(site=lambda d: np.where(d.index < 150, "a", "b"),
                              y=lambda d: d["y"].mask(some(d, np.where(d.index < 150, 0.3, 0.03)))),
     {"block": "site"}),
    ("missing-by-covariate", "note",
     lambda: persons().assign(
         y=lambda d: d["y"].mask(some(d, np.where(d["age"] > 60, 0.35, 0.05)))), {}),
    ("missing-by-covariate", "warning",
     lambda: persons().assign(
         y=lambda d: d["y"].mask(some(d, np.where((d["age"] > 60) == (d["arm"] == 1), 0.4, 0.02)))),
     {"missing": "complete-cases"}),
    ("rarely-observed", "warning",
     lambda: persons(600).assign(
         y=lambda d: d["y"].mask(some(d, np.where(d["age"] > 68, 0.97, 0.05)))), {}),
    ("outcome-type", "note", lambda: persons().assign(y=lambda d: (d["y"] > 118) * 1), {}),
    ("event-codes", "warning", lambda: persons().assign(y=lambda d: (d["y"] > 118) + 1), {}),
    ("rare-events", "warning", lambda: persons().assign(y=lambda d: (d["y"] > 134) * 1), {}),
    ("late-treatment", "warning", late_arm, {}),
    ("unnamed-clusters", "warning", lambda: clinics().rename(columns={"clinic": "centre"}), {}),
    ("unnamed-clusters", "warning",
     lambda: clinics().assign(
         region=lambda d: d["arm"] * 10 + pd.factorize(d["clinic"])[0] // 10), {}),
    # Persons and rows
    ("repeated-rows", "error", lambda: repeated(persons(), 20), {}),
    ("repeated-rows", "warning", lambda: repeated(persons(), 2), {}),
    ("persons-on-several-rows", "error",
     lambda: pd.concat([persons(80).assign(patient=range(80), visit=k, y=noise(persons(80), k))
                        for k in (1, 2, 3)]), {}),
    ("persons-on-several-rows", "warning",
     lambda: persons().assign(patient=lambda d: [k % 290 for k in range(len(d))]), {}),
    ("repeated-measurements", "note",
     lambda: clinics().assign(patient=lambda d: d.groupby("clinic").cumcount()), {"id": "patient"}),
    # Labels
    ("similar-labels", "warning", lambda: coded(clinics(), "sex", "Female", 30), {}),
    ("similar-labels", "warning", lambda: coded(clinics(), "sex", "femalle", 30), {}),
    ("similar-labels", "warning",
     lambda: clinics().assign(
         clinic=lambda d: np.where((d["clinic"] == "Harlow 2") & (d.index % 3 == 0),
                                   "Harlowe 2", d["clinic"])), {}),
    ("similar-labels", "warning",
     lambda: persons().assign(site=lambda d: np.where(d.index % 2, "Saint Luke", "St. Luke")),
     {"block": "site"}),
    ("similar-labels", "warning",
     lambda: clinics().assign(
         clinic=lambda d: d["clinic"] + np.where((d["clinic"] == "Harlow 2") & (d.index % 3 == 0),
                                                 " Hospital", "")), {}),
    ("merged-labels", "note", lambda: coded(clinics(), "sex", "FEMALE", 30),
     {"normalise_labels": True}),
    ("blanks-in-labels", "note", lambda: coded(persons(), "sex", " female", 30), {}),
    ("inexact-labels", "warning",
     lambda: clinics().assign(clinic=lambda d: 1e17 + 64.0 * pd.factorize(d["clinic"])[0]), {}),
    ("numbers-as-text", "warning",
     lambda: persons().assign(dose=lambda d: np.resize(["1,5", "2,5", "3,75"], len(d))),
     {"covariates": ["age", "dose"]}),
    ("other-arms", "note", lambda: of_arms(other=slice(0, 90)), {"arms": ("usual", "Drug")}),
    ("other-arm-spelling", "warning", lambda: of_arms(**{"drug ": slice(0, 90)}).replace(
        {"arm": {"drug ": "drug"}}), {"arms": ("usual", "Drug")}),
    # Values
    ("missing-code", "warning", lambda: coded(persons(), "y", -9, 46), {}),
    ("missing-code", "warning", lambda: coded(persons(), "age", 999, 3), {}),
    ("missing-code", "warning",
     lambda: coded(persons().assign(y=lambda d: (d["y"] - 118).round(1)), "y", -9, 20), {}),
    ("far-value", "warning", lambda: coded(persons(), "age", 607.3, 1), {}),
    ("impossible-value", "warning", lambda: coded(persons(), "age", -41.5, 3), {}),
    ("impossible-value", "warning",
     lambda: coded(persons().assign(sbp=lambda d: 140 + 9 * noise(d)), "sbp", 0, 5),
     {"covariates": ["age", "sbp"]}),
    ("impossible-value", "warning",
     lambda: coded(persons().assign(pct_fat=lambda d: d["age"] / 2), "pct_fat", 104, 2),
     {"covariates": ["age", "pct_fat"]}),
    ("heap", "warning", lambda: coded(persons(), "y", 117.37, 40), {}),
    ("heap", "warning", lambda: coded(persons(900).round(1), "y", 112.3, 40), {}),
    ("heap", "note", lambda: coded(persons().assign(x=noise), "x", 0.127, 40),
     {"covariates": ["age", "x"]}),
    ("heap", "note", lambda: coded(persons(900).round(0), "age", 57, 220), {}),
    ("detection-limit", "warning",
     lambda: persons().assign(y=lambda d: d["y"].clip(lower=112)), {}),
    ("detection-limit", "note",
     lambda: persons().assign(y=lambda d: (d["y"] - 115).clip(lower=0)), {}),
    # What could not be known at randomization
    ("outcome-copy", "error", lambda: persons().assign(x=lambda d: 3 - d["y"]),
     {"covariates": ["age", "x"]}),
    ("outcome-determined", "warning", lambda: persons().assign(x=lambda d: (d["y"] > 118) * 1),
     {"covariates": ["age", "x"]}),
    ("outcome-determined", "warning", lambda: persons().assign(x=lambda d: (d["y"] - 118).abs()),
     {"covariates": ["age", "x"]}),
    ("outcome-determined", "warning",
     lambda: persons().assign(before=lambda d: 117 + 9 * noise(d),
                              x=lambda d: d["y"] - d["before"]),
     {"covariates": ["age", "before", "x"]}),
    ("outcome-determined", "warning",
     lambda: persons().assign(y=lambda d: (d["y"] > 118) * 1.0,
                              x=lambda d: d["y"] * (1 + np.abs(noise(d)))),
     {"covariates": ["age", "x"]}),
    ("treatment-copy", "error", lambda: persons().assign(x=lambda d: d["arm"] + 5),
     {"covariates": ["age", "x"]}),
    ("treatment-copy", "warning", lambda: clinics(6).assign(x=lambda d: d["arm"] + 5),
     {"covariates": ["age", "x"]}),
    ("differs-by-arm", "warning",
     lambda: persons().assign(pills=lambda d: some(d, 0.05 + 0.6 * d["arm"]) * 1),
     {"covariates": ["age", "pills"]}),
    ("differs-by-arm", "warning",
     lambda: clinics(16).assign(pills=lambda d: some(d, 0.05 + 0.6 * d["arm"]) * 1),
     {"covariates": ["age", "pills"]}),
    ("missing-by-arm", "warning",
     lambda: persons().assign(
         x=lambda d: np.where(some(d, 0.05 + 0.4 * d["arm"]), np.nan, noise(d))),
     {"covariates": ["age", "x"]}),
    ("missing-with-outcome", "warning",
     lambda: persons().assign(y=lambda d: d["y"].mask(some(d, 0.1)),
                              x=lambda d: np.where(some(d, 0.1), np.nan, noise(d))),
     {"covariates": ["age", "x"]}),
    ("follow-up-name", "warning", lambda: persons().assign(sbp_week12=noise),
     {"covariates": ["age", "sbp_week12"]}),
    ("identifier", "warning", lambda: persons().assign(nr=lambda d: np.arange(len(d)) * 7),
     {"covariates": ["age", "nr"]}),
    *(("identifier", "warning", make, {"covariates": ["age", name]}) for name, make in (
        ("x", lambda: persons().assign(
            x=lambda d: 500 + np.random.default_rng(9).permutation(300))),
        ("x", lambda: coded(persons().assign(x=lambda d: d.index * 31 + 4.0), "x", np.nan, 9)),
        ("x", lambda: persons().assign(x=lambda d: [f"{k:04}" for k in d.index // 1.02])),
        ("patient", lambda: clinics().assign(patient=lambda d: d.groupby("clinic").cumcount())),
    )),
    ("same-covariate", "note", lambda: persons().assign(agemonths=lambda d: d["age"] * 12),
     {"covariates": ["age", "agemonths"]}),
    ("encoding", "note", lambda: persons().assign(country="here"),
     {"covariates": ["age", "country"]}),
    ("missing-covariates", "note", lambda: coded(persons(), "age", np.nan, 40), {}),
    ("covariates-not-named", "note", persons, {"covariates": None}),
    # Time
    ("time-with-status", "warning",
     lambda: persons().rename(columns={"y": "days"}).assign(status=lambda d: some(d, 0.4) * 1),
     {"outcome": "days"}),
    ("time-with-status", "warning",
     lambda: persons().rename(columns={"y": "futime"}).assign(died=lambda d: some(d, 0.4) * 1),
     {"outcome": "died"}),
    ("time-before-randomization", "warning",
     lambda: coded(persons().rename(columns={"y": "days"}), "days", -31.5, 8), {"outcome": "days"}),
    *(("time-before-randomization", "warning", lambda spelling=spelling: dated(*spelling), {})
      for spelling in (
          ("%Y-%m-%d",), ("%d%b%Y",), ("%d.%m.%Y",), ("%b %d, %Y",), ("%d/%m/%y %H:%M",),
          ("%m/%d/%Y", "dtrand", "dtdeath"), ("%Y-%m-%dT%H:%M:%S", "RANDDT", "LSTALVDT"),
          ("%A, %d %B %Y", "TRTSDT", "ADT"))),
    ("ambiguous-dates", "warning", lambda: ambiguous("%m/%d/%Y"), {}),
    ("ambiguous-dates", "warning", lambda: ambiguous("%d-%m-%y"), {}),
    *(("time-before-randomization", "warning", lambda day=day: numbered_days(day), {})
      for day in (lambda d: int(f"{d:%Y%m%d}"), lambda d: (d - pd.Timestamp("1960-01-01")).days)),
]  # fmt: skip
