"""Conditions on rows: what they keep, what is unknown, and what they refuse."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tauhat.errors import TrialError
from tauhat.tables.reading import keep_where
from tauhat.tables.where import rows_where
from tauhat.trial.trial import Trial

TABLE = pd.DataFrame(
    {
        "age": [12.0, 40, np.nan, 70],
        "site": ["Nord", "Süd", None, "Nord "],
        "code": ["1", "01", "2", "x"],
        "ok": [True, False, True, False],
        "seen": pd.to_datetime(["2024-01-31", "2024-02-01", None, "2025-01-01"]),
        "bmi, kg/m2": [20, 25, 30, 35],
        "dose": pd.Categorical(["low", "high", "low", None], categories=["low", "high"]),
    }
)
WORDS = [
    "age",
    "site",
    "(",
    ")",
    "and",
    "or",
    "not",
    "in",
    "is",
    "missing",
    "==",
    "<",
    "5",
    '"a"',
    ",",
    "`x`",
    "'",
    "1e999",
    "nan",
    "seen",
    "dose",
    "ok",
]
ACCOUNT = {"value_labels": {"dose": [[1, "low"], [2, "high"]]}}


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("age >= 18", [1, 3]),
        ("18 <= age", [1, 3]),
        ("not age >= 18", [0]),
        ("age != 40", [0, 3]),
        ("age is missing", [2]),
        ("age is not missing and age < 50", [0, 1]),
        ('site == "Nord"', [0, 3]),
        ("site != 'Nord'", [1]),
        ('site in ("Nord", "Ost") or age == 40', [0, 1, 3]),
        ('site not in ["Nord"]', [1]),
        ("age in (12, 70,)", [0, 3]),
        ("ok == true", [0, 2]),
        ('seen >= "2024-02-01"', [1, 3]),
        ("`bmi, kg/m2` > 25", [2, 3]),
        ("age > `bmi, kg/m2`", [1, 3]),
        ('code == "01"', [1]),
        ("dose == 2", [1]),
        ("dose >= 1", [0, 1, 2]),
        ('dose == "low"', [0, 2]),
        ("not (age > 50 or site == 'Nord')", [1]),
        ("age > 50 AND site == 'Nord' OR age == 40", [1, 3]),
        ("age == -1 or age > +1.2e1", [1, 3]),
    ],
)
def test_rows_that_are_kept(condition: str, kept: list[int]) -> None:
    rows = rows_where(TABLE, condition, ACCOUNT)
    assert np.flatnonzero(rows.true).tolist() == kept
    assert not (rows.true & ~rows.known).any()


def test_what_a_missing_value_leaves_open_is_known_where_the_other_side_decides() -> None:
    both = rows_where(TABLE, "age > 50 and `bmi, kg/m2` > 100")
    assert both.known.all()
    assert rows_where(TABLE, "age > 50 or ok == true").known.all()
    assert rows_where(TABLE, "age > 50 or ok == false").known.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("ages > 5", "there is no column 'ages'; did you mean 'age'"),
        ("age = 5", "equal is written ==, not ="),
        ("age", "a comparison is expected after 'age'"),
        ("age >", "it ends where a column or a value is expected"),
        ("age > 5 site == 'a'", "'site' stands where and or or is expected"),
        ("(age > 5", "'?\\)? ?is expected before 'the end'|\\) is expected before 'the end'"),
        ("age > 'old'", "'age' holds numbers, and 'old' is none"),
        ("site > 'a'", "text is compared with == or !="),
        ("code == 1", "'code' holds text such as 'x', which is no number"),
        ("seen > 'soon'", "'seen' holds dates, and 'soon' is none"),
        ("1 == 1", "a comparison needs a column"),
        ("   ", "there is no condition"),
        ("__import__('os')", "there is no column '__import__'"),
        ("age.__class__ == 1", "there is no column 'age.__class__'"),
        ("age > 5; site", "';"),
        ("(" * 60 + "age > 5" + ")" * 60, "nested deeper than 50"),
        ("not " * 60 + "age > 5", "nested deeper than 50"),
        ("age > 5 or " * 2000 + "age > 5", "longer than 10,000 characters"),
        ("age > 5 is missing", "'is' stands where"),
        ("5 is missing", "only a column can be missing"),
    ],
)
def test_conditions_that_are_refused(condition: str, words: str) -> None:
    with pytest.raises(TrialError, match=words):
        rows_where(TABLE, condition)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(WORDS),
        max_size=12,
    ).map(" ".join)
)
def test_any_words_are_read_or_refused(condition: str) -> None:
    # Anything but one clear error fails.
    with contextlib.suppress(TrialError):
        assert len(rows_where(TABLE, condition, ACCOUNT).true) == 4


def test_rows_dropped_are_counted_by_a_trial() -> None:
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"arm": [0, 1] * 40, "age": rng.integers(10, 80, 80).astype(float)})
    df = df.assign(y=rng.normal(size=80), sex=["f", "f", "m", "m"] * 20)
    df.loc[:2, "age"] = np.nan
    n_adults = int((df["age"] >= 18).sum())
    trial = Trial(df, outcome="y", treatment="arm", where="age >= 18")
    assert trial.n == n_adults
    [said] = [note for note in trial.check().notes if "did not fulfil" in note]
    assert f"{80 - n_adults} rows of 80 did not fulfil the condition age >= 18" in said
    assert "in 3 rows of them a missing value left it open" in said
    twice = keep_where(keep_where(df, "age >= 18"), 'sex == "f"')
    assert twice.attrs["file"]["n_dropped"] == 80 - len(twice)
    assert twice.attrs["file"]["where"] == '(age >= 18) and (sex == "f")'
    with pytest.raises(TrialError, match="no row of the table fulfils the condition 'age > 200'"):
        Trial(df, outcome="y", treatment="arm", where="age > 200")
