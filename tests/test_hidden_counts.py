"""What one contrast hides of few persons is told by no other, and by no sum or difference."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.analysis.average_record import rates_record, risks_record
from tauhat.analysis.contrast_schema import RunOfArms
from tauhat.analysis.group_counts import hide_follow_up, hide_groups
from tauhat.analysis.run_fields import differences
from tauhat.report.compared_section import table_one
from tauhat.report.markdown import markdown_of
from tauhat.report.paper_of_contrasts import paper_of_contrasts
from tauhat.trial.checks.file_checks import file_record
from tauhat.trial.hidden_counts import hides_all_lost, hides_events, hides_lost
from timed_trials import table
from timed_trials import trial_of as timed

ARMS = ("usual", "leaflet", "nurse")
LOST = {"usual": 3, "leaflet": 34, "nurse": 53}
# What says nothing of persons.
ASIDE = ("seconds", "versions", "seed", "sha256", "data_sha256", "finished", "rerun", "n_rows")
# The fewest persons of an arm in subgroups that the data suggest.
ASIDE += ("credibility",)


def falls(per: int = 203) -> pd.DataFrame:
    """A count trial: two of arm usual have no event and three no outcome."""
    rng = np.random.default_rng(1)
    n = 3 * per
    df = pd.DataFrame({"arm": np.array(ARMS)[np.arange(n) % 3], "age": rng.normal(60, 9, n)})
    df["y"] = rng.poisson(1.7, n).astype(float)
    usual = df.index[df.arm == "usual"]
    df.loc[usual, "y"] = df.y.clip(lower=1)
    df.loc[usual[:2], "y"] = 0
    for arm, count in LOST.items():
        df.loc[df.index[df.arm == arm][5 : 5 + count], "y"] = np.nan
    return df


def trial_of(df: pd.DataFrame, **more: Any) -> th.Trial:
    roles: dict[str, Any] = {"outcome": "y", "treatment": "arm", "covariates": ["age"]}
    roles |= {"arms": list(ARMS), "endpoint": "count", "contrasts": "all"}
    return th.Trial(df, **roles | more)


def told(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a run, those in its sentences too, with its place."""
    if path.rpartition("/")[2] in ASIDE:
        return
    if isinstance(value, dict):
        for key, one in value.items():
            yield from told(one, f"{path}/{key}")
    elif isinstance(value, list):
        for one in value:
            yield from told(one, path)
    elif isinstance(value, str):
        yield from ((path, float(found)) for found in re.findall(r"\d+(?:\.\d+)?", value))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, float(value)


def secrets(df: pd.DataFrame) -> dict[float, str]:
    """Numbers of single arms and of pairs that would give the small ones away, by themselves."""
    found: dict[float, str] = {}
    pairs = [("usual", "leaflet"), ("usual", "nurse"), ("leaflet", "nurse")]
    for arms in [*((arm,) for arm in ARMS), *pairs]:
        own = df[df.arm.isin(arms)]
        name = " and ".join(arms)
        found[float(len(own))] = f"enrolled in {name}"
        found[float(own.y.isna().sum())] = f"lost in {name}"
        found[float(own.y.sum())] = f"events of {name}"
        found[float((own.y == 0).sum())] = f"without an event in {name}"
    return {number: what for number, what in found.items() if number > 4}


@pytest.fixture(scope="module")
def found() -> Any:
    return th.analyze(
        trial_of(falls()), models=["LMM"], modifiers=["age"], random_state=1, n_permutations=19
    )


def test_no_number_of_the_run_gives_the_few_away(found: Any) -> None:
    run, hidden = found.to_json(), secrets(falls())
    assert differences(run, RunOfArms) == []
    assert [(path, hidden[number]) for path, number in told(run) if number in hidden] == []
    for part in run["contrasts"].values():
        rates, sensitivity = part["average_rates"], part["sensitivity"]
        assert {arm["events"] for arm in rates["arms"]} == {None}
        assert set(rates["individual"].values()) == {None} == {part["average_effect"]["ratio"]}
        # Effects under other outcomes of those lost move with the share that an arm lost.
        assert not any("lost" in row["change"] for row in sensitivity["averages"])
        assert sensitivity["tipping_point"] is None
        # Groups of everyone add up to those enrolled.
        groups = part["held_out"]["groups"]
        assert all(row["persons"] % 5 == 0 for row in groups)
        rows = [*part["held_out"]["by_covariate"], *part["named_modifiers"]["comparisons"]]
        assert {row["control_units"] for row in rows} == {None} == {
            row["treated_units"] for row in rows
        }  # fmt: skip


def test_report_and_paper_give_nothing_away_either(found: Any) -> None:
    # Items and groups have small numbers too.
    hidden = {
        f"{number:.0f}": what
        for number, what in secrets(falls()).items()
        if number >= 100 or what.startswith("lost")
    }
    page = re.sub(r"<(style|svg)\b.*?</\1>", "", found.to_html(), flags=re.S)
    page = html.unescape(re.sub(r"<[^>]+>", " ", page))
    paper = markdown_of(paper_of_contrasts(found.to_json()))
    for text in (page, paper, found.text):
        # Whole numbers; dates, shares and hashes are others.
        whole = re.findall(r"(?<![\w.,:−-])\d[\d,]*(?![\w.,:%-]*[\w%])", text)
        assert [hidden[number] for number in whole if number in hidden] == []
    assert "how many is not told, as an arm lost few" in paper
    assert "usual: not told, as an arm lost few; leaflet: not told" in paper
    assert "Averages and each contrast's own test count those without an outcome too" in paper
    assert "Comparisons of usual, leaflet and nurse, effects on y" in page
    assert "against usual on y" not in page
    assert page.count("Table 1: the persons analysed, by arm") == 1


def test_what_one_contrast_hides_of_events_all_hide() -> None:
    df = falls().dropna()
    trial = trial_of(df, contrasts="sequential")
    for name, part in trial.contrasts.items():
        record = rates_record(part, th.average_effects(part))
        assert record is not None
        assert record["individual"]["control"] is None, name
        table = part.check().table.set_index("item").value
        assert table["outcome"].startswith("mean not told")
        assert table["counts"] == "not told"
    others = trial_of(df, arms=["leaflet", "nurse"])
    assert not hides_events(others)
    assert rates_record(others, th.average_effects(others))["individual"]["control"] is not None


def test_risks_of_all_contrasts_are_hidden_with_those_of_one() -> None:
    df = falls().dropna()
    df["y"] = df.y.clip(upper=1)
    trial = trial_of(df, endpoint="binary")
    part = trial.contrast(("leaflet", "nurse"))
    record = risks_record(part, th.average_effects(part))
    assert record is not None
    assert {arm["events"] for arm in record["arms"]} == {None}
    assert record["individual"]["treated"] is None
    table = part.check().table.set_index("item").value
    assert table["events"] == "not told, as another arm has fewer than five persons"


def test_risks_calibrated_in_one_arm_do_not_tell_the_few_of_the_other() -> None:
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"arm": np.arange(300) % 2, "age": rng.normal(60, 9, 300)})
    df["y"] = ((rng.random(300) < 0.4) & (df.arm == 1)).astype(float)
    df.loc[[0, 2], "y"] = 1.0
    trial = th.Trial(df, outcome="y", treatment="arm", covariates=["age"])
    found = th.analyze(trial, models=["LMM"], random_state=1, n_permutations=19)
    assert found.held_out.risks["arm"].tolist()
    assert found.to_json()["held_out"]["calibration"]["risks"] == []


def test_few_events_are_not_what_those_censored_and_at_risk_leave() -> None:
    df = table()
    df.loc[df.arm == 1, "died"] = 0
    df.loc[df.index[df.arm == 1][:2], ["months", "died"]] = 3.0, 1
    control, treated = th.survival_by_arm(timed(df)).record()["arms"]
    names = ("events", "censored", "at_risk")
    assert [treated[name] for name in names] == [None] * 3
    assert None not in [control[name] for name in names]


def test_numbers_lost_are_hidden_in_every_contrast_or_in_none() -> None:
    df = falls()
    trial = trial_of(df)
    assert all(hides_all_lost(part) for part in trial.contrasts.values())
    for part in trial.contrasts.values():
        assert "outcomes made for persons without one" in th.average_effects(part).method
        assert "over persons with" in th.average_effects(part).method
    # Of two arms the number of both is told, which tells neither.
    two = trial_of(df, arms=["usual", "nurse"])
    assert hides_lost(two)
    assert not hides_all_lost(two)
    assert "56 of 406 persons" in two.check().text
    enough = df.copy()
    enough.loc[df.index[df.arm == "usual"][100:110], "y"] = np.nan
    part = trial_of(enough).contrast("leaflet")
    assert not hides_lost(part)
    assert "47 of 406 persons" in part.check().text


def group(covariate: str, persons: float, units: tuple[int, int] | None) -> dict[str, Any]:
    control, treated = (None, None) if units is None else units
    return {
        "covariate": covariate, "persons": persons, "control_units": control,
        "treated_units": treated,
    }  # fmt: skip


def run_of(*rows: dict[str, Any]) -> dict[str, Any]:
    held = {"given": True, "by_covariate": list(rows), "subgroups": {"subgroups": []},
            "groups": [], "calibration": {"curve": []}}  # fmt: skip
    return {
        "design": {"clusters": None}, "held_out": held, "named_modifiers": None, "target": None
    }  # fmt: skip


def test_a_group_hidden_in_one_contrast_is_hidden_with_its_neighbours_in_all() -> None:
    one = run_of(group("site", 12, None), group("site", 61, (30, 31)), group("sex", 73, (36, 37)))
    other = run_of(group("site", 23, (11, 12)), group("sex", 73, (36, 37)))
    hide_groups([one], lost=False)
    assert [row["control_units"] for row in one["held_out"]["by_covariate"]] == [None, None, 36]
    assert one["held_out"]["by_covariate"][0]["persons"] == 12
    hide_groups([one, other], lost=False)
    assert one["held_out"]["by_covariate"][0]["persons"] == 10
    assert other["held_out"]["by_covariate"] == [
        group("site", 25, None), group("sex", 73, (36, 37))
    ]  # fmt: skip


def test_curves_of_all_contrasts_tell_the_same_times() -> None:
    def part(arms: str, events: int | None, times: list[float]) -> dict[str, Any]:
        curves = [
            {"arm": arm, "time": times, "probability": times, "at_risk": times} for arm in arms
        ]
        counts = [{"arm": a, "events": events, "censored": 9, "at_risk": 90} for a in arms]
        return {"survival_by_arm": {"arms": counts, "curves": curves}}

    parts = [part("ab", None, [0, 1, 3]), part("bc", 20, [0, 2, 3])]
    hide_follow_up([*parts, {"survival_by_arm": None}])
    found = [one["survival_by_arm"] for one in parts]
    assert [arm["events"] for one in found for arm in one["arms"]] == [None, None, None, 20]
    assert all(curve["time"] == [0, 3] == curve["at_risk"] for one in found
               for curve in one["curves"])  # fmt: skip


def test_rare_values_are_put_together_over_all_arms() -> None:
    arm = np.repeat([0, 1, 2], 40)
    site = np.where(np.arange(120) < 3, "rare", np.where(np.arange(120) % 2, "x", "y"))
    site[40:60] = "rare"
    (table,) = table_one(pd.DataFrame({"site": site}), arm, ["a", "b", "c"])
    assert table.headers[1:] == ["a (n = 40)", "b (n = 40)", "c (n = 40)"]
    assert not any("rare" in row[0] for row in table.rows)


def test_codes_of_missing_outcomes_do_not_tell_each_other(tmp_path: Path) -> None:
    def trial(rare: int, empty: int = 0) -> th.Trial:
        rng = np.random.default_rng(1)
        df = pd.DataFrame({"arm": np.arange(200) % 2, "age": rng.normal(size=200)})
        df["y"] = rng.normal(size=200).round(3).astype(object)
        df.loc[10:29, "y"], df.loc[40 : 39 + rare, "y"] = -9, -8
        df.loc[80 : 79 + empty, "y"] = None
        df.to_csv(tmp_path / "trial.csv", index=False)
        table = th.read_table(tmp_path / "trial.csv", na=["-9", "-8"])
        return th.Trial(table, outcome="y", treatment="arm", covariates=["age"])

    def numbers(found: th.Trial) -> list[int | None]:
        record = file_record(found)
        assert record is not None
        return list(record["missing"]["y"].values())

    assert numbers(trial(10)) == [20, 10]
    few = trial(3)
    assert numbers(few) == [None, None]
    assert "(number not told)" in few.check().text
    assert "(fewer than five persons)" in few.check().text
    # Those that no code made missing are told by the others too.
    assert numbers(trial(10, empty=2)) == [None, None]
