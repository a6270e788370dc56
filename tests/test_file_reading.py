"""What is done to a file on the way: numbers, missing codes, labels, rows, and what is told."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from cli_runs import leave_out_the_slow
from file_readers import FILES, read, read_here
from tauhat.cli import main
from tauhat.errors import TrialError
from tauhat.report.words import _Change
from tauhat.tables import reading
from tauhat.tables.formats import FORMATS, Request, apart
from tauhat.trial.checks.file_checks import file_record
from tauhat.trial.trial import Trial


def text(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8")
    return path


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "read_apart", read_here)


def test_numbers_with_decimal_commas_and_thousands(tmp_path: Path) -> None:
    file = text(tmp_path / "t.csv", "id;x;pay;odd\n1;1,5;1.234,5;1.200\n2;2;12.345.678;2.300\n")
    table, account = read(file)
    assert table["x"].tolist() == [1.5, 2.0]
    assert table["pay"].tolist() == [1234.5, 12345678.0]
    # 1.200 may be twelve hundred or one and a fifth: nobody is asked to guess.
    assert not pd.api.types.is_numeric_dtype(table["odd"].dtype)
    assert account["notes"] == [
        "Numbers were read with decimal commas.",
        "In 'pay' numbers with thousands separators, such as '1.234,5', were read as numbers.",
    ]
    file = text(tmp_path / "u.csv", 'a,b,c\n"1,234.5","1 234","1,5"\n"2,000","12","2,25"\n')
    assert read(file)[0].to_dict("list") == {
        "a": [1234.5, 2000.0], "b": [1234.0, 12.0], "c": [1.5, 2.25]
    }  # fmt: skip


def test_rows_with_more_cells_than_names_are_named(tmp_path: Path) -> None:
    file = text(tmp_path / "t.csv", "a,b\n1,2\n3,4,5\n")
    with pytest.raises(TrialError, match="line 3 has 3 cells, and the first line 2 names"):
        read(file)


@pytest.mark.parametrize("labels", [(), ("site",)])
def test_rows_with_fewer_cells_than_names_are_counted_and_empty_ones_left_out(
    labels: tuple[str, ...], tmp_path: Path
) -> None:
    rows = [f'{k % 2},{50 + k % 7},{k * 7 % 23},"a, b"' for k in range(120)]
    rows[3], rows[8] = rows[3].replace(',"a, b"', ""), "0,55"
    file = text(tmp_path / "t.csv", "\n".join(["arm,age,y,site", *rows, "", ",,,", ",,,"]) + "\n")
    table, account = read(file, labels=labels)
    assert len(table) == account["n_rows"] == 120
    assert (account["n_short"], account["first_short"]) == (2, 5)
    assert account["notes"] == ["2 empty rows left out."]
    check = Trial(table, outcome="y", treatment="arm", covariates=["age"]).check()
    assert "short-rows" in check.open_codes
    assert any("2 rows have fewer cells" in said and "line 5" in said for said in check.warnings)
    # Cells without anything in them are cells.
    full = text(tmp_path / "u.csv", "a,b\n1,\n2,3\n")
    assert read(full)[1]["n_short"] == 0
    # Somebody of whom nothing is known is a person all the same.
    assert len(read(text(tmp_path / "v.csv", "a,b\n1,2\nNA,NA\n3,4\n,\n"))[0]) == 3


def test_bytes_that_are_no_text_are_refused_in_parquet(here: None, tmp_path: Path) -> None:
    df = pd.DataFrame({"site": ["north", "south"] * 9, "y": range(18)})
    df.to_parquet(tmp_path / "t.parquet", compression="none", use_dictionary=False)
    content = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(content.replace(b"north", b"\xfforth"))
    with pytest.raises(TrialError, match="is not a Parquet table"):
        read(tmp_path / "t.parquet")


def test_missing_codes_of_all_and_of_single_columns(tmp_path: Path) -> None:
    content = "id,age,pain,site\n999,61,.,-9\n2,999,2,north\n3,-9,3,.\n"
    file = text(tmp_path / "t.csv", content)
    table, account = read(file, labels=["id"], na=[".", "-9", 999])
    assert table["id"].tolist() == ["999", "2", "3"]
    assert table["age"].isna().tolist() == [False, True, True]
    assert table["pain"].tolist()[1:] == [2, 3]
    assert table["site"].isna().tolist() == [True, False, True]
    assert account["missing"]["age"] == {
        "'-9' as a missing code": 1, "'999' as a missing code": 1
    }  # fmt: skip
    single, _ = read(file, labels=["id"], na={"age": [999]})
    assert single["age"].tolist()[2] == -9
    with pytest.raises(TrialError, match="missing codes are given for 'agee', which is no column"):
        read(file, na={"agee": [999]})


def test_missing_codes_come_before_labels_and_conditions(here: None, tmp_path: Path) -> None:
    df = pd.DataFrame({"sex": [1.0, 2, 9, 1], "age": [30.0, 40, 50, 999]})
    labels = {"sex": {1: "male", 2: "female", 9: "not known"}}
    pyreadstat.write_sav(df, tmp_path / "t.sav", variable_value_labels=labels)
    table, account = read(tmp_path / "t.sav", na=["not known", 999], where="age is not missing")
    assert table["sex"].isna().tolist() == [False, False, True]
    assert table["age"].tolist() == [30, 40, 50]
    assert account["n_dropped"] == 1


LABELS = """title = "Pressure in clinics"
[labels]
sbp = "Systolic blood pressure"
age = "Age at entry"
[units]
age = "years"
[values.sex]
2 = "female"
1 = "male"
"""


def trial_file(folder: Path) -> Path:
    rng = np.random.default_rng(4)
    n = 160
    arm = np.arange(n) % 2
    df = pd.DataFrame({"arm": arm, "age": rng.normal(60, 9, n).round(1)})
    df = df.assign(sex=rng.integers(1, 3, n), sbp=(140 - 5 * arm + rng.normal(0, 9, n)).round(1))
    df.loc[:9, "sbp"] = -9
    df.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def test_labels_are_the_words_of_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_out_the_slow(monkeypatch)
    labels = text(tmp_path / "labels.toml", LABELS)
    words = ["run", str(trial_file(tmp_path)), "--outcome", "sbp", "--treatment", "arm"]
    words += ["--labels", str(labels), "--unit", "mmHg", "--na=-9", "--where", "age > 45"]
    words += ["--models", "LMM", "--jobs", "1", "--out", str(tmp_path / "out")]
    assert main(words) == 0, capsys.readouterr().err
    report = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "<h1>Pressure in clinics</h1>" in report
    assert "Systolic blood pressure (mmHg)" in report
    assert "Age at entry (years)" in report
    assert "1 male" in report
    run = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert run["roles"]["outcome"] == "sbp"
    assert run["data"]["read"]["missing"] == {"sbp": {"'-9' as a missing code": 10}}
    assert run["data"]["read"]["where"] == "age > 45"
    assert run["data"]["read"]["value_labels"] == {"sex": [[2, "female"], [1, "male"]]}
    assert run["design"]["n_rows"] == 160 - run["data"]["read"]["rows_dropped"]
    assert any("did not fulfil the condition age > 45" in note for note in run["check"]["notes"])


def test_words_stand_for_names_wherever_they_are_told() -> None:
    words = {"age": "Age at entry", "sex": "Sex", "sex2": "Sex of the partner"}
    change = _Change(words)
    for key, before, after in (
        ("covariate", "age", "Age at entry"),
        ("covariate", "sex=male", "Sex=male"),
        ("covariate", "age (missing)", "Age at entry (missing)"),
        ("covariate", "average", "average"),
        ("covariate", "sex2", "Sex of the partner"),
        (
            "warnings",
            "In 'age', 'sex2=f' and age",
            "In 'Age at entry', 'Sex of the partner=f' and age",
        ),
        ("rule", "2.5 < age <= 7 and sex = male", "2.5 < Age at entry <= 7 and Sex = male"),
        ("basis", "rule: age; named: none", "rule: Age at entry; named: none"),
    ):
        assert change({key: [before]}) == {key: [after]}
    assert change({"rerun": "age"}) == {"rerun": "age"}


def test_labels_of_columns_that_are_not_there_are_refused(tmp_path: Path) -> None:
    file = trial_file(tmp_path)
    for content, message in (
        ("[labels]\nsbpp = 'x'", "labels are given for 'sbpp', which is no column; did you mean"),
        ("[labels]\nsbp = 3", "labels must be lines such as"),
        ("sbp = 'x'", "unknown key 'sbp'; known: title"),
        ("[labels", "is not TOML"),
    ):
        labels = text(tmp_path / "labels.toml", content)
        with pytest.raises(TrialError, match=message):
            reading.read_table(file, descriptions=labels)


def adam() -> dict[str, pd.DataFrame]:
    """Small made-up tables in the shape of ADSL, a BDS table and ADTTE."""
    rng = np.random.default_rng(8)
    n = 60
    arm = np.arange(n) % 2
    subject = pd.DataFrame({"USUBJID": [f"S-{k:03}" for k in range(n)], "TRT01PN": arm * 1.0})
    subject = subject.assign(TRT01P=np.where(arm, "Drug", "Placebo"), SEX=["F", "F", "M", "M"] * 15)
    subject["AGE"] = rng.normal(60, 9, n).round()
    visits = []
    for code in ("SBP", "DBP"):
        for visit in ("Baseline", "Week 24"):
            value = 140 - 5 * arm * (visit != "Baseline") + rng.normal(0, 9, n)
            visits.append(subject.assign(PARAMCD=code, AVISIT=visit, AVAL=value.round(1)))
    event = subject.assign(PARAMCD="OS", AVAL=rng.exponential(300, n).round(), CNSR=arm * 1.0)
    return {"adsl": subject, "advs": pd.concat(visits, ignore_index=True), "adtte": event}


def test_adam_tables_need_no_more_than_a_condition(here: None, tmp_path: Path) -> None:
    for name, df in adam().items():
        pyreadstat.write_xport(df, tmp_path / f"{name}.xpt", file_format_version=5, table_name=name)
    roles: dict[str, Any] = {"treatment": "TRT01P", "control": "Placebo", "id": "USUBJID"}
    chosen = 'PARAMCD == "SBP" and AVISIT == "Week 24"'
    table, account = read(tmp_path / "advs.xpt", where=chosen)
    trial = Trial(table, outcome="AVAL", covariates=["AGE", "SEX"], **roles)
    assert (trial.n, trial.arm_labels) == (60, ("Placebo", "Drug"))
    assert (account["n_rows"], account["n_dropped"]) == (240, 180)
    subject, _ = read(tmp_path / "adsl.xpt")
    assert Trial(subject, outcome="AGE", covariates=["SEX"], **roles).n == 60
    # What was computed from the outcome is named, and constants are no covariates.
    base = table["AVAL"].to_numpy() + np.random.default_rng(2).normal(5, 9, 60).round(1)
    changes = table.assign(BASE=base, CHG=table["AVAL"] - base)
    with pytest.raises(
        TrialError, match=r"2 may not .*'AVAL' .*covariates=\['SEX', 'AGE', 'BASE'\]"
    ):
        Trial(changes, outcome="CHG", **roles)
    died, _ = read(tmp_path / "adtte.xpt", where="CNSR == 0")
    assert (died["CNSR"] == 0).all()
    assert len(died) == 30


def test_cnsr_of_an_adam_table_says_who_was_censored(here: None, tmp_path: Path) -> None:
    made = adam()["adtte"].assign(CNSR=lambda d: (d.index % 3).astype(float))
    df = pd.concat([made, made.assign(PARAMCD="PFS", AVAL=lambda d: d["AVAL"] + 7)])
    pyreadstat.write_xport(df, tmp_path / "adtte.xpt", file_format_version=5)
    table, _ = read(tmp_path / "adtte.xpt", where='PARAMCD == "OS"')
    roles: dict[str, Any] = {"treatment": "TRT01P", "control": "Placebo", "horizon": 365}
    roles |= {"outcome": "AVAL", "covariates": ["AGE", "SEX"]}
    read_so = Trial(table, event="CNSR", **roles)
    named = Trial(table, event="CNSR", event_value=0, **roles)
    np.testing.assert_array_equal(read_so.y, named.y)
    graded = {f.code: (f.status, f.value) for f in read_so.check().findings}
    assert graded["event-codes"] == ("note", "event: 0; censored: 1, 2")
    # Of another column of that name nothing is known: ACTG 175 has 1 for the event.
    other = table.assign(censored=lambda d: (d["CNSR"] > 0) * 1)
    assert "event-codes" in Trial(other, event="censored", **roles).check().open_codes
    said = Trial(other, event="censored", event_value=0, **roles)
    assert "event-codes" not in said.check().open_codes
    np.testing.assert_array_equal(said.y, named.y)


def test_names_with_commas_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(3)
    df = pd.DataFrame({"arm": [0, 1] * 30, "bmi, kg/m2": rng.normal(25, 3, 60)})
    df.assign(**{"y, mm": rng.normal(size=60), "age": 3.0}).to_csv(tmp_path / "t.csv", index=False)
    words = ["check", str(tmp_path / "t.csv"), "--outcome", "y, mm", "--treatment", "arm"]
    assert main([*words, "--covariates", '"bmi, kg/m2"', "--where", "`bmi, kg/m2` > 5"]) == 0


def test_a_missing_code_of_few_persons_does_not_tell_how_many(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    df = pd.DataFrame({"arm": [0, 1] * 60, "bmi": 25.0, "age": 60.0, "y": rng.normal(size=120)})
    df[["bmi", "age"]] += rng.normal(0, 3, (120, 2)).round(2)
    df.loc[[4, 9], "bmi"], df.loc[20:29, "age"] = 99, 99
    df.to_csv(tmp_path / "t.csv", index=False)
    trial = Trial(reading.read_table(tmp_path / "t.csv", na=["99"]), outcome="y", treatment="arm",
                  covariates=["age", "bmi"])  # fmt: skip
    said = " ".join(finding.sentence for finding in trial.check().graded)
    assert "rules: '99' as a missing code (10)." in said
    assert "rules: '99' as a missing code (fewer than five persons)." in said
    record = file_record(trial)
    assert record is not None
    assert record["missing"]["bmi"] == {"'99' as a missing code": None}
    few = Trial(reading.read_table(tmp_path / "t.csv", na=["99"]), outcome="y", treatment="arm",
                covariates=["bmi"])  # fmt: skip
    said = " ".join(finding.sentence for finding in few.check().graded)
    assert "1 of 1 covariates has missing values, in fewer than five persons. They were" in said


def test_missing_codes_and_conditions_in_a_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial_file(tmp_path)
    config = "file = 't.csv'\noutcome = 'sbp'\ntreatment = 'arm'\nwhere = 'age > 45'\n"
    path = text(tmp_path / "t.toml", config + "[na]\nsbp = [-9]\n")
    assert main(["check", "--config", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    [found] = [row["value"] for row in said["table"] if row["item"] == "missing by rule"]
    assert found == "sbp: '-9' as a missing code (10)"
    text(path, config + "na = [[1]]\n")
    assert main(["check", "--config", str(path)]) == 2
    assert "na must be codes such as" in capsys.readouterr().err


def test_a_library_that_is_absent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tauhat.tables.formats.find_spec", lambda name: None)
    (tmp_path / "t.sav").write_bytes(b"x")
    words = r"reading \.sav needs the extra: pip install 'tauhat\[files\]'"
    with pytest.raises(TrialError, match=words):
        read(tmp_path / "t.sav")


def test_a_process_of_its_own_gives_the_same_table() -> None:
    content = (FILES / "trial.rds").read_bytes()
    request = Request("trial.rds", ".rds", frozenset(), None, 10**9)
    table, account = apart.read_apart(content, request)
    same, told = read_here(content, request)
    pd.testing.assert_frame_equal(table, same)
    assert account == told
    with pytest.raises(TrialError, match="is not a whole R file"):
        read_here(content[:200], request)


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "the library that reads .rds files broke off"),
        ("bytearray(10**13)", "asks for more than 3.0 GiB of memory"),
        ("time.sleep(60)", "could not be read in 1 s"),
        ("sum(iter(int, 1))", "could not be read in 1 s"),
    ],
)
def test_a_process_that_ends_or_swells_or_sleeps_is_an_error(
    ending: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A reader that ends so stands for a library that a damaged file brings down.
    serve = (
        "import os, signal, time; import tauhat.tables.formats as f; "
        "from tauhat.tables.formats import apart; apart._SECONDS = 1; "
        f"f.Format.read = lambda *given: {ending}; "
        "from tauhat.tables.formats.apart import _serve; _serve()"
    )
    monkeypatch.setattr(apart, "_CODE", serve)
    if "1 s" in words:
        monkeypatch.setattr(apart, "_SECONDS", 1)
        monkeypatch.setattr(apart, "_BUSY", 1 if "sleep" in ending else 30)
    request = Request("trial.rds", ".rds", frozenset(), None, 10**9)
    with pytest.raises(TrialError, match=words):
        apart.read_apart(b"", request)


def test_every_format_has_a_module_that_reads() -> None:
    for suffix, form in FORMATS.items():
        assert suffix == suffix.lower()
        assert importlib.util.find_spec(f"tauhat.tables.formats.{form.module}")


def test_a_table_that_was_read_can_be_written(tmp_path: Path) -> None:
    table, account = read(trial_file(tmp_path))
    table.to_parquet(tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet").attrs["file"] == account
    assert table[["age"]].copy().attrs["file"] is table.attrs["file"]
