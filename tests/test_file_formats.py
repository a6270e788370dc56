"""Files of SAS, SPSS, Stata, R and Excel: the values and counts that are right."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyreadstat
import pytest

from file_readers import FILES, read, read_here
from tauhat.errors import TrialError
from tauhat.tables import reading
from tauhat.tables.formats import sas_transport
from tauhat.trial.trial import Trial


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "read_apart", read_here)


def xpt(path: Path, columns: dict[str, Any], version: int = 5, **options: Any) -> Path:
    pyreadstat.write_xport(
        pd.DataFrame(columns), path, file_format_version=version, table_name="DM", **options
    )
    return path


def sav(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pyreadstat.write_sav(pd.DataFrame(columns), path, **options)
    return path


def dta(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pyreadstat.write_dta(pd.DataFrame(columns), path, **options)
    return path


# SAS transport


@pytest.mark.parametrize("version", [5, 8])
def test_xpt_zero_is_zero(tmp_path: Path, version: int) -> None:
    table, account = read(xpt(tmp_path / "t.xpt", {"TRTPN": [0.0, 1, 0, 1]}, version))
    assert (table["TRTPN"] == 0).sum() == 2
    assert account["table"] == "DM"
    assert account["format"] == "SAS transport"


def test_xpt_keeps_the_last_persons(tmp_path: Path) -> None:
    said = ["Withdrew"] * 3 + [""] * 7
    columns = {"ID": [f"P{k:02}" for k in range(10)], "REASON": said}
    assert len(read(xpt(tmp_path / "t.xpt", columns))[0]) == 10
    assert len(read(xpt(tmp_path / "s.xpt", {"SEX": ["M", "F", "M"]}))[0]) == 3


def test_xpt_of_several_members_is_refused(tmp_path: Path) -> None:
    first = xpt(tmp_path / "a.xpt", {"AGE": [50.0, 60]}).read_bytes()
    joined = tmp_path / "both.xpt"
    joined.write_bytes(first + first[240:])
    with pytest.raises(TrialError, match="holds 2 members"):
        read(joined)


def test_xpt_counts_special_missing_values(tmp_path: Path) -> None:
    path = xpt(tmp_path / "t.xpt", {"AGE": [np.nan] * 3 + [41.0], "SEX": list("MFMF")})
    content = bytearray(path.read_bytes())
    rows = content.rindex(b"HEADER RECORD*******OBS") + 80
    content[rows] = ord("A")
    content[rows + 9] = ord("Z")
    path.write_bytes(content)
    table, account = read(path)
    assert table["AGE"].isna().sum() == 3
    assert account["missing"] == {"AGE": {"SAS .A": 1, "SAS .Z": 1, "SAS .": 1}}


def test_xpt_numbers_of_two_bytes_are_refused(tmp_path: Path) -> None:
    path = xpt(tmp_path / "t.xpt", {"N": [3.0, 100.0]})
    content = bytearray(path.read_bytes())
    names = content.index(b"NAMESTR") - 20 + 80
    content[names + 4 : names + 6] = struct.pack(">h", 2)
    rows = content.rindex(b"HEADER RECORD*******OBS") + 80
    # 3 and 100 in the first two of their eight bytes.
    content[rows:] = b"\x41\x30\x42\x64".ljust(80)
    path.write_bytes(content)
    with pytest.raises(TrialError, match="'N' are stored in 2 bytes"):
        read(path)


@pytest.mark.parametrize("form", ["DATE9", "YYMMDD10", "E8601DA10", "MONYY7", "DDMMYY8"])
def test_xpt_dates(tmp_path: Path, form: str) -> None:
    path = xpt(tmp_path / "t.xpt", {"ADT": [21974.0, np.nan]}, variable_format={"ADT": form})
    table, _ = read(path)
    assert table["ADT"][0] == pd.Timestamp("2020-02-29")
    assert table["ADT"].isna()[1]


@pytest.mark.parametrize("form", ["DATEAMPM", "DTDATE", "DATETIME20"])
def test_xpt_datetimes(tmp_path: Path, form: str) -> None:
    path = xpt(tmp_path / "t.xpt", {"ADTM": [1898553600.0]}, variable_format={"ADTM": form})
    assert read(path)[0]["ADTM"][0] == pd.Timestamp("2020-02-29")


def test_xpt_text_of_windows_is_read_and_said(tmp_path: Path) -> None:
    path = xpt(tmp_path / "t.xpt", {"CITY": ["Xrhus", "Bonn"]})
    path.write_bytes(path.read_bytes().replace(b"Xrhus", b"\xc5rhus"))
    table, account = read(path)
    assert table["CITY"].tolist() == ["Århus", "Bonn"]
    assert "WINDOWS-1252" in account["notes"][0]


def test_sas_formats_that_are_no_times() -> None:
    plain = ["BEST12.", "8.2", "$CHAR20.", "YESNO", "DOLLAR8.", "COMMA10.2", "TRT", "DAYS"]
    from tauhat.tables.formats.sas import kind_of

    assert [kind_of(form) for form in plain] == [None] * len(plain)
    assert kind_of("TIME5.") == kind_of("HHMM") == "duration"
    assert sas_transport.kind_of is kind_of


def test_sas7bdat() -> None:
    table, account = read(FILES / "trial.sas7bdat")
    assert table["TRTPN"].tolist()[:4] == [0, 1, 0, 1]
    assert account["missing"] == {"TRTPN": {"SAS .A": 1, "SAS .": 1}}
    assert table["ADT"][0] == table["ADTM"][0] == pd.Timestamp("2020-02-29")
    assert table["STAY"][0] == pd.Timedelta(hours=25)
    assert account["labels"] == {"TRTPN": "Planned treatment"}


# SPSS


@pytest.mark.parametrize("suffix", [".sav", ".zsav"])
def test_sav_missing_by_rule(tmp_path: Path, suffix: str) -> None:
    path = sav(
        tmp_path / f"t{suffix}",
        {"q": [1.0, 2, 99, 95, np.nan], "t": ["REF", "NA", "", "a", "b"]},
        missing_ranges={"q": [99, {"lo": 90, "hi": 98}], "t": ["REF", "NA"]},
        variable_value_labels={"q": {2: "no", 1: "yes", 99: "Refused"}},
        compress=suffix == ".zsav",
    )
    table, account = read(path)
    assert account["missing"] == {
        "q": {
            "99 'Refused', missing by the file": 1,
            "90 to 98, missing by the file": 1,
            "system-missing": 1,
        },
        "t": {"REF, missing by the file": 1, "NA, missing by the file": 1},
    }
    assert table["q"].tolist()[:2] == ["yes", "no"]
    assert table["q"].cat.categories.tolist() == ["yes", "no"]
    assert table["t"].isna().tolist() == [True, True, False, False, False]
    assert table["t"][2] == ""


def test_sav_times_and_dates(tmp_path: Path) -> None:
    day = 12219379200.0
    columns = {"stay": [86400.0, 90000, -60], "seen": [day, day + 86400, np.nan]}
    formats = {"stay": "TIME8", "seen": "EDATE10"}
    table, _ = read(sav(tmp_path / "t.sav", columns, variable_format=formats))
    assert table["stay"].tolist() == [
        pd.Timedelta(hours=24), pd.Timedelta(hours=25), pd.Timedelta(minutes=-1)
    ]  # fmt: skip
    assert table["seen"].tolist()[:2] == [pd.Timestamp("1970-01-01"), pd.Timestamp("1970-01-02")]


def test_por(tmp_path: Path) -> None:
    df = pd.DataFrame({"ARM": [0.0, 1, 0], "SITE": ["a", "b", "c"]})
    pyreadstat.write_por(df, tmp_path / "t.por", variable_format={"ARM": "F8.0"})
    assert read(tmp_path / "t.por")[0].to_dict("list") == df.to_dict("list")


# Stata


def test_dta_missing_values_by_kind(tmp_path: Path) -> None:
    path = tmp_path / "t.dta"
    dta(path, {"n": [1, 0, "a", np.nan, 1, np.nan]}, missing_user_values={"n": ["a"]})
    table, account = read(path)
    assert account["missing"] == {"n": {"Stata .a": 1, "Stata .": 2}}
    assert table["n"].isna().tolist() == [False, False, True, True, False, True]
    assert table["n"].dropna().tolist() == [1, 0, 1]


def test_dta_dates(tmp_path: Path) -> None:
    columns = {"d": [21974.0], "m": [700.0], "c": [1893501296000.0], "C": [1893501296000.0]}
    formats = {"d": "%tdNN/DD/CCYY", "m": "%tm", "c": "%tcHH:MM", "C": "%tC"}
    columns |= {"w": [3122.0], "q": [240.0], "h": [121.0], "y": [2020.0]}
    formats |= {"w": "%tw", "q": "%tq", "h": "%th", "y": "%ty"}
    table, account = read(dta(tmp_path / "t.dta", columns, variable_format=formats))
    assert table["d"][0] == pd.Timestamp("2020-02-29")
    assert table["m"][0] == pd.Timestamp("2018-05-01")
    assert table["c"][0] == pd.Timestamp("2020-01-01 12:34:56")
    assert table["w"][0] == pd.Timestamp("2020-01-15")
    assert table["q"][0] == pd.Timestamp("2020-01-01")
    assert table["h"][0] == pd.Timestamp("2020-07-01")
    assert table["y"][0] == 2020
    assert account["left_as_numbers"] == {"C": "the format %tC counts leap seconds"}


def test_labels_keep_the_order_of_the_codes(tmp_path: Path) -> None:
    labels = {"arm": {2: "High", 0: "Vehicle", 1: "Low"}}
    columns = {"arm": [2.0, 0, 1, 0, 1, 2], "y": [1.0, 2, 3, 4, 5, 6], "x": [3.0, 1, 2, 2, 1, 4]}
    for path in (
        dta(tmp_path / "t.dta", columns, variable_value_labels=labels),
        sav(tmp_path / "t.sav", columns, variable_value_labels=labels),
    ):
        table, account = read(path)
        assert table["arm"].cat.categories.tolist() == ["Vehicle", "Low", "High"]
        assert account["value_labels"]["arm"] == [[0, "Vehicle"], [1, "Low"], [2, "High"]]
        every = Trial(table, outcome="y", treatment="arm")
        assert every.arm_labels == ("Vehicle", "Low", "High")
        two = Trial(table, outcome="y", treatment="arm", arms=(0, "High"))
        assert two.arm_labels == ("Vehicle", "High")


def test_two_labelled_arms_have_their_reference_by_code(tmp_path: Path) -> None:
    labels = {"arm": {0: "Vehicle", 1: "Active"}, "died": {0: "No", 1: "Yes"}}
    columns = {"arm": [0.0, 1] * 4, "died": [0.0, 0, 1, 1] * 2, "age": [50.0 + k for k in range(8)]}
    table, _ = read(dta(tmp_path / "t.dta", columns, variable_value_labels=labels))
    trial = Trial(table, outcome="died", treatment="arm")
    assert trial.arm_labels == ("Vehicle", "Active")
    assert trial.y.tolist() == [0, 0, 1, 1] * 2


def test_one_label_for_two_codes(tmp_path: Path) -> None:
    labels = {"arm": {1: "Other", 2: "Site", 3: "Other"}}
    columns = {"arm": [1.0, 2, 3, 1, 2, 3], "y": [1.0, 2, 3, 4, 5, 6], "x": [3.0, 1, 2, 2, 1, 4]}
    table, account = read(sav(tmp_path / "t.sav", columns, variable_value_labels=labels))
    assert table["arm"].cat.categories.tolist() == ["Other (1)", "Site", "Other (3)"]
    assert "one label stands for several codes: Other" in account["notes"][0]
    with pytest.raises(TrialError, match="label 'Other' stands for the codes 1 and 3"):
        Trial(table, outcome="y", treatment="arm", arms=("Other (1)", "Site"))


def test_values_without_a_label_keep_numbers(tmp_path: Path) -> None:
    labels = {"pain": {0: "none", 10: "worst"}}
    path = sav(tmp_path / "t.sav", {"pain": [0.0, 3, 10]}, variable_value_labels=labels)
    table, account = read(path)
    assert table["pain"].tolist() == [0, 3, 10]
    assert account["left_as_numbers"] == {"pain": "1 of 3 different values have no label (3)"}


# R


def test_rds() -> None:
    table, account = read(FILES / "trial.rds")
    assert table["pain"].cat.ordered
    assert table["pain"].cat.categories.tolist() == ["low", "mid", "high"]
    assert table["pain"].tolist() == ["low", "high", "mid", "low"]
    assert table["site"].cat.categories.tolist() == ["north", "east"]
    assert table["seen"][0] == table["born"][0] == pd.Timestamp("2019-04-14")
    assert table["at"][0] == pd.Timestamp("2020-01-01 17:00", tz="UTC")
    assert table["at"][1] == pd.Timestamp("2020-07-01 12:00", tz="America/New_York")
    assert table["arm"].tolist()[:3] == ["Vehicle", "Low", "Low"]
    assert table["arm"].cat.categories.tolist() == ["Vehicle", "Low"]
    assert table["stay"][1] == pd.Timedelta(hours=2)
    assert table["town"].tolist()[2:] == ["NA", "Århus"]
    assert account["labels"] == {"arm": "Arm given", "weight": "Weight, kg"}
    assert account["missing"]["weight"] == {"R NA": 1, "R NaN": 1}
    assert account["missing"]["q"] == {
        "99 'Refused', missing by the file": 1, "90 to 98, missing by the file": 1
    }  # fmt: skip
    assert table["q"].cat.categories.tolist() == ["yes", "no"]


def test_rdata_of_one_and_two_tables() -> None:
    assert len(read(FILES / "one.RData")[0]) == 4
    with pytest.raises(TrialError, match="holds 2 tables: 'd', 'visits'; name one"):
        read(FILES / "two.RData")
    assert read(FILES / "two.RData", table="visits")[0]["id"].tolist() == [1, 2, 3]
    with pytest.raises(TrialError, match="holds no table 'visit'; did you mean 'visits'"):
        read(FILES / "two.RData", table="visit")
    with pytest.raises(TrialError, match="column 'm' is a matrix"):
        read(FILES / "matrix.rds")


# Excel


def xlsx(path: Path, *rows: list[Any], more: dict[str, list[list[Any]]] | None = None) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name, content in (more or {}).items():
        sheet = book.create_sheet(name)
        for row in content:
            sheet.append(row)
    book.save(path)
    return path


def test_xlsx_text_stays_text(tmp_path: Path) -> None:
    words = ["007", "1E5", "None", "NA"]
    path = xlsx(tmp_path / "t.xlsx", ["id", "age"], *([w, 40 + k] for k, w in enumerate(words)))
    table, account = read(path)
    assert table["id"].tolist() == words
    assert table["age"].tolist() == [40, 41, 42, 43]
    assert account["table"] == "Sheet"


def test_xlsx_refuses_what_would_be_guessed(tmp_path: Path) -> None:
    head, row = ["id", "age"], ["a", 1]
    cases: list[tuple[list[list[Any]], str]] = [
        ([["Trial of 2024", None], head, row], "the first row of the sheet must hold the names"),
        ([head, row, head], "1 row repeats the names"),
        ([head, ["a", "=1+1"]], "1 formula without a stored value"),
        ([["id", "id"], row], "repeated"),
    ]
    for rows, words in cases:
        with pytest.raises(TrialError, match=words):
            read(xlsx(tmp_path / "t.xlsx", *rows))
    path = xlsx(tmp_path / "s.xlsx", head, row, more={"codes": [["x"], [1]]})
    with pytest.raises(TrialError, match="has 2 sheets: 'Sheet', 'codes'; name one"):
        read(path)
    assert read(path, table="codes")[0]["x"].tolist() == [1]


def test_xlsx_cells_over_several_rows_are_refused(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    path = xlsx(tmp_path / "t.xlsx", ["clinic", "age"], ["a", 1], [None, 2], ["b", 3], [None, 4])
    book = load_workbook(path)
    book.active.merge_cells("A4:A5")
    book.active.merge_cells("A2:A3")
    book.save(path)
    with pytest.raises(
        TrialError, match=r"2 cells span several rows \(the first begins in row 2\)"
    ):
        read(path)


def test_xlsx_errors_dates_and_gaps(tmp_path: Path) -> None:
    day = pd.Timestamp("2020-02-29").to_pydatetime()
    path = xlsx(tmp_path / "t.xlsx", ["x", "d"], [1.5, day], ["#N/A", day], [None, None], [2, None])
    table, account = read(path)
    assert table["x"].isna().tolist() == [False, True, False]
    assert table["d"][0] == pd.Timestamp(day)
    assert account["notes"] == [
        "1 empty row left out.", "1 cell with the error #N/A read as missing."
    ]  # fmt: skip


# Parquet and Feather


def test_parquet_categories_of_numbers_are_numbers(tmp_path: Path) -> None:
    stage = pd.Categorical([3, 1, 2], categories=[3, 2, 1], ordered=True)
    pd.DataFrame({"stage": stage}).to_parquet(tmp_path / "t.parquet")
    table, _ = read(tmp_path / "t.parquet")
    assert table["stage"].tolist() == [3, 1, 2]
    assert not isinstance(table["stage"].dtype, pd.CategoricalDtype)


def test_feather(tmp_path: Path) -> None:
    df = pd.DataFrame({"x": [1, 2], "s": ["a", None]})
    df.to_feather(tmp_path / "t.feather")
    table, account = read(tmp_path / "t.feather")
    pd.testing.assert_frame_equal(table, df)
    assert account["format"] == "Feather"
    (tmp_path / "t.feather").write_bytes(b"x" * 100)
    with pytest.raises(TrialError, match="is not a whole Feather file"):
        read(tmp_path / "t.feather")
