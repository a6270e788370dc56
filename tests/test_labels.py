"""Labels: kept as written, blanks without weight, nearly alike ones named, from any source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cli_runs import arguments, leave_out_the_slow, small_trial
from tauhat.cli import main
from tauhat.errors import TrialError
from tauhat.tables.labels import near_pairs, read_labels
from tauhat.tables.reading import read_table
from tauhat.trial.checks.design_check import DesignCheck
from tauhat.trial.trial import Trial

BLANKS = ["c ", " c", "c\u00a0", "\u2003c", "\ufeffc", "c\t", "c\u200b"]


def clinics(labels: list[Any] | None = None, m: int = 12, size: int = 6) -> pd.DataFrame:
    """A cluster trial; with labels, the clusters bear them."""
    rng = np.random.default_rng(5)
    number = np.repeat(np.arange(m), size)
    names = labels or [f"clinic {k}" for k in range(m)]
    return pd.DataFrame(
        {
            "clinic": [names[k] for k in number],
            "arm": number % 2,
            "age": rng.normal(60, 10, m * size).round(1),
            "y": rng.normal(size=m * size),
        }
    )


def trial_of(df: pd.DataFrame, **roles: Any) -> Trial:
    return Trial(
        df,
        **{"outcome": "y", "treatment": "arm", "cluster": "clinic", "covariates": ["age"], **roles},
    )


def found(check: DesignCheck, item: str) -> list[tuple[str, str]]:
    return [(f.status, f.sentence) for f in check.findings if f.item == item]


@pytest.mark.parametrize("written", BLANKS)
def test_blanks_of_any_kind_are_no_part_of_a_label(written: str) -> None:
    df = clinics()
    dirty = df.assign(
        clinic=[written.replace("c", c) if k % 3 == 0 else c for k, c in enumerate(df["clinic"])]
    )
    assert dirty["clinic"].nunique() == 24
    trial = trial_of(dirty)
    assert trial.n_clusters == 12
    assert trial.clusters is not None
    assert trial.clusters.tolist() == df["clinic"].tolist()
    check = trial.check()
    assert found(check, "labels") == [
        (
            "note",
            "In 'clinic', needless blanks were left out in 24 rows and 12 labels are written in "
            "several ways and read as one each.",
        )
    ]


def test_inner_blanks_count_once() -> None:
    df = clinics()
    trial = trial_of(
        df.assign(
            clinic=df["clinic"].where(df.index % 2 > 0, df["clinic"].str.replace(" ", " \u00a0 "))
        )
    )
    assert trial.n_clusters == 12


def test_a_clean_trial_has_no_word_on_labels() -> None:
    check = trial_of(clinics()).check()
    assert not [f for f in check.findings if "label" in f.item]


def test_text_and_numbers_of_one_label_are_one_cluster() -> None:
    df = clinics(list(range(12)))
    mixed = df.astype({"clinic": object})
    mixed["clinic"] = [[str(k), float(k), k][row % 3] for row, k in enumerate(df["clinic"])]
    trial = trial_of(mixed)
    assert trial.n_clusters == 12
    assert trial.clusters is not None
    assert set(trial.clusters) == {str(k) for k in range(12)}
    assert "12 labels are written in several ways" in found(trial.check(), "labels")[0][1]
    floats = trial_of(df.astype({"clinic": float}))
    assert floats.clusters is not None
    assert floats.clusters.tolist() == df["clinic"].tolist()
    assert str(floats.clusters[-1]) == "11"


def test_the_same_trial_under_any_labels_has_the_same_numbers() -> None:
    df = clinics(list(range(12)))
    effects = []
    for relabel in (int, float, str, "{:03d}".format):
        trial = trial_of(df.assign(clinic=df["clinic"].map(relabel)))
        assert trial.n_clusters == 12
        effects.append(trial.fit("LMM", random_state=1).effect(trial.X))
    for other in effects[1:]:
        np.testing.assert_array_equal(other, effects[0])


@pytest.mark.parametrize(
    ("labels", "pairs"),
    [
        (["North", "north", "NORTH", "South"], [("NORTH", "North"), ("NORTH", "north")]),
        (["Saint-Étienne", "Saint Etienne"], [("Saint Etienne", "Saint-Étienne")]),
        (["cafe\u0301", "caf\u00e9"], [("cafe\u0301", "caf\u00e9")]),
        (["Straße", "STRASSE"], [("STRASSE", "Straße")]),
        (["Łódź", "Lodz"], [("Lodz", "Łódź")]),
        (["St. Mary's", "St Marys"], [("St Marys", "St. Mary's")]),
        (["3", "3.0", "03", "30"], [("03", "3"), ("03", "3.0")]),
        (["1e2", "100", 1e2], [("100", "1e2")]),
        (["A+", "A-", "A"], []),
        (["<5", ">5", "5"], []),
        (["+", "-"], []),
        (["1.10.2", "11.0.2", "1-1", "11"], []),
        (["1,5", "15", "1_5"], [("1,5", "1_5")]),
        ([1, 10, 100], []),
    ],
)
def test_labels_nearly_alike_are_paired(labels: list[Any], pairs: list[tuple[str, str]]) -> None:
    assert near_pairs(labels) == pairs


def test_labels_nearly_alike_stay_apart_and_are_named() -> None:
    df = clinics()
    trial = trial_of(
        df.assign(clinic=df["clinic"].where(df.index % 2 > 0, df["clinic"].str.upper()))
    )
    assert trial.n_clusters == 24
    [(status, sentence)] = found(trial.check(), "labels nearly alike")
    assert status == "warning"
    assert "'CLINIC 0' and 'clinic 0'; 'CLINIC 1' and 'clinic 1'" in sentence
    assert sentence.count(" and ") < 10
    assert "and 7 more pairs differ only by letter case" in sentence


def test_blocks_arms_and_categories_pass_through_the_same_door() -> None:
    rng = np.random.default_rng(2)
    df = pd.DataFrame(
        {
            "arm": np.resize(["Usual", "Drug", "Drug\u00a0", " Usual"], 80),
            "site": np.resize(["a", "a", "a ", "b", "b", " b"], 80),
            "sex": np.resize(["f", "m", "m ", "M"], 80),
            "y": rng.normal(size=80),
        }
    )
    trial = Trial(
        df, outcome="y", treatment="arm", control=" Usual ", block="site", covariates=["sex"]
    )
    assert trial.arm_labels == ("Usual", "Drug")
    assert trial.blocks is not None
    assert set(trial.blocks) == {"a", "b"}
    assert trial.X.columns.tolist() == ["sex=M", "sex=f"]
    check = trial.check()
    assert [sentence.split(",")[0] for _, sentence in found(check, "labels")] == [
        "In 'site'",
        "In 'arm'",
        "In 'sex'",
    ]
    assert found(check, "labels nearly alike")[0][1].startswith("In 'sex', 'M' and 'm' differ")
    chosen = Trial(
        df,
        outcome="y",
        treatment="arm",
        arms=("Drug ", "Usual"),
        block="site",
        covariates=["sex"],
        propensity={" a": 0.5, "b": 0.4},
    )
    assert chosen.arm_labels == ("Drug", "Usual")
    assert chosen.propensity is not None
    np.testing.assert_array_equal(chosen.propensity, np.where(chosen.blocks == "a", 0.5, 0.4))


def test_arms_nearly_alike_are_named_where_they_are_refused() -> None:
    df = clinics().assign(arm=np.resize(["Drug", "drug", "placebo"], 72))
    with pytest.raises(
        TrialError, match=r"3 arms.*write alike what means the same: 'Drug' and 'drug'"
    ):
        Trial(df, outcome="y", treatment="arm", covariates=["age"])


def test_numbers_as_text_are_matched_exactly_before_by_value() -> None:
    df = clinics(m=8).assign(arm=np.resize(["1.10", "1.1"], 48))
    trial = Trial(df, outcome="y", treatment="arm", control=1.1, covariates=["age"])
    assert trial.arm_labels == ("1.1", "1.10")
    padded = Trial(
        df.assign(arm=np.resize(["00", "01"], 48)), outcome="y", treatment="arm", covariates=["age"]
    )
    assert padded.arm_labels == ("00", "01")
    truth = Trial(
        df.assign(arm=np.resize(["TRUE", "FALSE"], 48)),
        outcome="y",
        treatment="arm",
        covariates=["age"],
    )
    assert truth.arm_labels == ("FALSE", "TRUE")


def test_words_read_as_missing_are_said() -> None:
    df = clinics()
    with pytest.raises(TrialError, match=r"missing in 6 of 72 rows \(the word 'NA' in 6, read as"):
        trial_of(df.assign(clinic=df["clinic"].replace("clinic 3", "NA")))
    arms = clinics().assign(arm=np.resize(["None", "drug"], 72))
    with pytest.raises(TrialError, match="the word 'None' in 36"):
        Trial(arms, outcome="y", treatment="arm", covariates=["age"])
    named = Trial(arms, outcome="y", treatment="arm", control="None", covariates=["age"])
    assert named.arm_labels == ("None", "drug")


def test_words_of_a_category_that_a_file_makes_missing_are_said(tmp_path: Path) -> None:
    df = clinics().assign(pain=np.resize(["None", "mild", "severe", "NA", ""], 72))
    df.to_csv(tmp_path / "t.csv", index=False)
    table = read_table(tmp_path / "t.csv", labels=["clinic", "arm"])
    check = trial_of(table, covariates=["age", "pain"]).check()
    [(status, sentence)] = found(check, "words read as missing")
    assert status == "note"
    assert sentence.startswith(
        "In 'pain', words were read as missing values: 'NA' (14), 'None' (15). If one is"
    )
    assert found(trial_of(table).check(), "words read as missing") == []
    df["pain"] = np.r_[["NA"] * 2, np.resize(["mild", "severe"], 70)]
    df.to_csv(tmp_path / "t.csv", index=False)
    table = read_table(tmp_path / "t.csv", labels=["clinic", "arm"])
    check = trial_of(table, covariates=["age", "pain"]).check()
    [(_, sentence)] = found(check, "words read as missing")
    assert "'NA' (fewer than five persons)." in sentence


def test_numbers_that_lost_digits_are_questioned() -> None:
    df = clinics([2.0**53 + 2 * k for k in range(12)])
    [(status, sentence)] = found(trial_of(df).check(), "inexact labels")
    assert status == "warning"
    assert "in 72 rows" in sentence
    assert found(trial_of(clinics([2**60 + k for k in range(12)])).check(), "inexact labels") == []


def test_identifiers_are_counted_and_not_shown() -> None:
    df = clinics().assign(who=[f"secret{k}" for k in range(71)] + ["Secret1"])
    check = trial_of(df, id="who").check()
    assert "1 pair of labels" in found(check, "labels nearly alike")[0][1]
    assert "secret" not in str(check.table) + check.text.lower()


def test_cluster_sizes_are_found_whatever_the_type_of_the_label() -> None:
    trial = trial_of(clinics([str(k) for k in range(12)]).drop(index=[0, 1]), cluster_size=True)
    new = pd.DataFrame({"age": [50.0, 50.0], "clinic": [3, 99]})
    assert trial.encode(new)["cluster size"].tolist() == [6.0, 1.0]


CODES = [
    "1.10",
    "1.1",
    "007",
    "7",
    "1e2",
    "100",
    "9007199254740993",
    "9007199254740992",
    "0",
    "1",
    "x",
    "y",
]


def write(df: pd.DataFrame, path: Path) -> Path:
    df.to_parquet(path) if path.suffix == ".parquet" else df.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_codes_of_clusters_stay_apart_in_files(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    df = clinics(CODES)
    if kind == "tsv":
        df.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    else:
        write(df, tmp_path / f"t.{kind}")
    file = str(tmp_path / f"t.{kind}")
    words = ["--outcome", "y", "--treatment", "arm", "--cluster", "clinic", "--covariates", "age"]
    assert main(["check", file, *words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert "clusters" in {row["item"] for row in said["table"]}
    [value] = [row["value"] for row in said["table"] if row["item"] == "clusters"]
    assert value == "12 (6 control, 6 treated)"
    assert any("'1.1' and '1.10'" in warning for warning in said["warnings"])


def test_labels_are_read_as_written_and_other_columns_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("who,clinic,dose,word\n00001,1.10,NA,NA\nNA,1.1,2,x\n1e2,,n/a,None\n")
    with pytest.raises(
        TrialError, match=r"no column 'clinc', which labels= names; did you mean 'clinic'\?"
    ):
        read_table(path, labels=["who", "clinc"])
    table = read_table(path, labels=["who", "clinic"])
    assert table["who"].tolist() == ["00001", "NA", "1e2"]
    assert table["clinic"].tolist() == ["1.10", "1.1", ""]
    pd.testing.assert_frame_equal(table[["dose", "word"]], read_table(path)[["dose", "word"]])
    decimal = tmp_path / "d.csv"
    decimal.write_text("who;dose\n1,50;2,5\n1,5;3,5\n")
    assert read_table(decimal, labels=["who"]).to_numpy().tolist() == [["1,50", 2.5], ["1,5", 3.5]]


def test_whole_numbers_with_gaps_keep_their_digits_in_parquet(tmp_path: Path) -> None:
    who = pd.array([2**60 + 1, None, 2**60 + 2], dtype="Int64")
    path = write(pd.DataFrame({"who": who, "x": [1, 2, 3]}), tmp_path / "t.parquet")
    assert read_table(path, labels=["who"])["who"].tolist() == [2**60 + 1, None, 2**60 + 2]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_identifiers_come_back_unchanged(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_out_the_slow(monkeypatch)
    ids = ["00001", "1e2", "NA", "1.10", "1.1", "9007199254740993", "None", "é", "007", "7"]
    df = small_trial().assign(patient=[*ids, *(f"p{k}" for k in range(150))])
    file = write(df, tmp_path / f"t.{kind}")
    assert main(arguments(file, tmp_path / "out", id="patient")) == 0
    lines = (tmp_path / "out" / "effects.csv").read_text("utf-8").splitlines()[1:]
    expected = df.loc[df["sbp"].notna(), "patient"].tolist()
    assert [line.rsplit(",", 1)[1] for line in lines] == expected


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ('"a\nb",c,c', "repeated: ['c']"),
        ("a,c\x0bc,c\x0bc", "repeated"),
        ("a,\u200b,c", "1 column has an empty name"),
        ("a\u2028b,", "1 column has an empty name"),
        (f'a,"{"x" * 200_000}"', "a column name has 200,000 characters, more than 10,000"),
        ('a,"b', "its first line does not end"),
    ],
)
def test_names_are_checked_as_they_are_read(
    header: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(header + "\n1,2,3\n4,5,6\n", "utf-8")
    with pytest.raises(TrialError) as caught:
        read_table(path)
    assert words in str(caught.value)
    assert main(["check", str(path), "--outcome", "a", "--treatment", "c"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_names_may_hold_separators_and_line_breaks_in_quotation_marks(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"bmi, kg/m2";"a\nb"\n1,5;2\n')
    assert read_table(path).to_dict("list") == {"bmi, kg/m2": [1.5], "a\nb": [2]}


def test_endless_names_are_refused_in_a_table_too() -> None:
    with pytest.raises(TrialError, match="200,000 characters"):
        trial_of(clinics().assign(**{"x" * 200_000: 1}))


def test_labels_of_every_type_are_read() -> None:
    assert read_labels(pd.Series([True, False])).values.tolist() == [True, False]
    assert read_labels(pd.Series(pd.Categorical(["a ", "a"]))).values.tolist() == ["a", "a"]
    assert read_labels(pd.Series([1.5, 2.0])).values.tolist() == ["1.5", "2"]
    nullable = read_labels(pd.Series(pd.array([1, None, 2**62], dtype="Int64")))
    assert nullable.values.tolist() == [1, None, 2**62]
    assert nullable.missing.tolist() == [False, True, False]
