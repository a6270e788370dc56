"""The encoder: types, missing values, unseen levels, refusals, replay on new rows."""

from __future__ import annotations

import pickle
import warnings
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from tauhat.errors import TauhatWarning, TrialError
from tauhat.tables.encoding import TableEncoder


def encode(table: pd.DataFrame, **parameters: int) -> pd.DataFrame:
    return TableEncoder(**parameters).fit(table).transform(table)


def test_numbers_pass_through_in_their_order() -> None:
    table = pd.DataFrame({"b": [3, 1, 2], "a": [0.5, 0.25, -1.0]}, index=[7, 3, 5])
    result = encode(table)
    assert result.columns.tolist() == ["b", "a"]
    assert result.to_numpy().tolist() == [[3.0, 0.5], [1.0, 0.25], [2.0, -1.0]]
    assert result.index.tolist() == [7, 3, 5]
    assert (result.dtypes == np.float64).all()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([True, False, True, None], dtype="boolean"),
        pd.Series([True, False, True, None], dtype=object),
        pd.Series([1, 0, 1, None], dtype="Int64"),
        pd.Series(["1", "0", "1", " "]),
        pd.Series([Decimal(1), Decimal(0), Decimal(1), None]),
        pd.Series([True, False, True, None], dtype="bool[pyarrow]"),
    ],
)
def test_booleans_and_numbers_in_any_dress_are_the_same(column: pd.Series) -> None:
    result = encode(pd.DataFrame({"x": column}))
    assert result["x"].tolist() == [1.0, 0.0, 1.0, 1.0]
    assert result["x (missing)"].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_two_levels_make_one_column_named_by_the_last_level() -> None:
    result = encode(pd.DataFrame({"sex": ["m", "f", "m", "m"]}))
    assert result.columns.tolist() == ["sex=m"]
    assert result["sex=m"].tolist() == [1.0, 0.0, 1.0, 1.0]


def test_declared_order_of_categories_is_kept_and_unused_ones_ignored() -> None:
    column = pd.Categorical(["yes", "no", "yes"], categories=["yes", "no", "unknown"])
    result = encode(pd.DataFrame({"smoker": column}))
    assert result.columns.tolist() == ["smoker=no"]
    assert result["smoker=no"].tolist() == [0.0, 1.0, 0.0]


def test_more_levels_leave_out_the_most_frequent() -> None:
    result = encode(pd.DataFrame({"site": ["c", "b", "b", "a", "b"]}))
    assert result.columns.tolist() == ["site=a", "site=c"]
    assert result.to_numpy().tolist() == [[0, 1], [0, 0], [0, 0], [1, 0], [0, 0]]


def test_reference_does_not_depend_on_row_order() -> None:
    table = pd.DataFrame({"site": ["c", "b", "a", "c", "b", "a"]})
    shuffled = table.iloc[[5, 1, 3, 0, 4, 2]]
    assert encode(table).columns.tolist() == encode(shuffled).columns.tolist()
    assert encode(table).columns.tolist() == ["site=b", "site=c"]


def test_very_many_levels_are_pooled_and_said() -> None:
    levels = np.repeat([f"v{k:02d}" for k in range(30)], [40 - k for k in range(30)])
    encoder = TableEncoder(max_categories=5).fit(pd.DataFrame({"region": levels}))
    result = encoder.transform(pd.DataFrame({"region": ["v00", "v01", "v04", "v29", "v05"]}))
    assert result.columns.tolist() == [
        "region=v01",
        "region=v02",
        "region=v03",
        "region=other",
    ]
    assert result["region=other"].tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert result["region=v01"].tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]
    assert encoder.notes_ == [
        "column 'region' has 30 levels: the 4 most frequent were kept and 26 pooled "
        "as 'region=other'"
    ]


def test_a_level_called_other_is_pooled_with_the_rest() -> None:
    levels = ["other"] * 50 + ["a"] * 9 + ["b"] * 8 + ["c"] * 2 + ["d"] * 2
    result = encode(pd.DataFrame({"x": levels}), max_categories=3)
    assert result.columns.tolist() == ["x=b", "x=other"]
    assert result["x=other"].sum() == 54


def test_ordered_categories_become_ranks_with_the_median_rank_when_missing() -> None:
    column = pd.Categorical(
        ["low", None, "high", "high"], categories=["low", "middle", "high"], ordered=True
    )
    result = encode(pd.DataFrame({"dose": column}))
    assert result["dose"].tolist() == [0.0, 2.0, 2.0, 2.0]
    assert result["dose (missing)"].tolist() == [0.0, 1.0, 0.0, 0.0]


def test_intervals_of_a_cut_are_ranks() -> None:
    result = encode(pd.DataFrame({"age": pd.cut(pd.Series([1.0, 50.0, 99.0]), [0, 40, 60, 100])}))
    assert result["age"].tolist() == [0.0, 1.0, 2.0]


def test_declared_but_unused_rank_is_known_later() -> None:
    categories = ["low", "middle", "high"]
    train = pd.DataFrame({"dose": pd.Categorical(["low", "high"], categories, ordered=True)})
    new = pd.DataFrame({"dose": ["middle", "high"]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert TableEncoder().fit(train).transform(new)["dose"].tolist() == [1.0, 2.0]


def test_missing_values_are_filled_by_what_the_training_rows_say() -> None:
    train = pd.DataFrame({"age": [10.0, 20.0, 60.0, np.nan], "sex": ["f", "m", "m", None]})
    encoder = TableEncoder().fit(train)
    new = pd.DataFrame({"sex": [None, "f"], "age": [np.nan, 1000.0]})
    result = encoder.transform(new)
    assert result["age"].tolist() == [20.0, 1000.0]
    assert result["sex=m"].tolist() == [1.0, 0.0]


def test_equal_marks_of_missing_values_are_kept_once() -> None:
    table = pd.DataFrame({"a": [1, None, 3], "b": ["x", None, "y"], "c": [None, 2, 5]})
    encoder = TableEncoder().fit(table)
    result = encoder.transform(table)
    assert result.columns.tolist() == ["a", "a (missing)", "b=y", "c", "c (missing)"]
    assert any("'b' is missing in the same rows as 'a'" in note for note in encoder.notes_)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.transform(table)


def test_missing_in_new_rows_only_is_filled_with_a_warning() -> None:
    encoder = TableEncoder().fit(pd.DataFrame({"age": [1.0, 2.0, 9.0]}))
    with pytest.warns(TauhatWarning, match="'age' has 1 missing value but had none"):
        result = encoder.transform(pd.DataFrame({"age": [np.nan, 5.0]}))
    assert result["age"].tolist() == [2.0, 5.0]
    assert result.columns.tolist() == ["age"]


def test_unseen_levels_become_the_reference_with_a_warning() -> None:
    encoder = TableEncoder().fit(pd.DataFrame({"site": ["a", "b", "b", "c"]}))
    with pytest.warns(TauhatWarning, match=r"'site' has 2 levels.*'d'.*read as 'b'"):
        result = encoder.transform(pd.DataFrame({"site": ["d", "e", "a"]}))
    assert result.to_numpy().tolist() == [[0, 0], [0, 0], [1, 0]]


def test_unseen_levels_become_other_when_there_is_one() -> None:
    levels = ["a"] * 9 + ["b"] * 8 + ["c", "d"]
    encoder = TableEncoder(max_categories=3).fit(pd.DataFrame({"x": levels}))
    with pytest.warns(TauhatWarning, match=r"1 level.*read as 'other'"):
        result = encoder.transform(pd.DataFrame({"x": ["new", "c", "a"]}))
    assert result["x=other"].tolist() == [1.0, 1.0, 0.0]


def test_pooled_levels_are_not_unseen() -> None:
    levels = ["a"] * 9 + ["b"] * 8 + ["c", "d"]
    encoder = TableEncoder(max_categories=3).fit(pd.DataFrame({"x": levels}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.transform(pd.DataFrame({"x": ["d"]}))


def test_empty_and_constant_columns_are_left_out_with_a_note() -> None:
    table = pd.DataFrame({"a": [1.0, 2.0], "empty": [None, None], "one": ["x", "x"], "k": [3, 3]})
    encoder = TableEncoder().fit(table)
    assert encoder.transform(table[["a"]]).columns.tolist() == ["a"]
    assert encoder.notes_ == [
        "column 'empty' is missing in every row and was left out",
        "column 'one' has one value only and was left out",
        "column 'k' has one value only and was left out",
    ]


def test_constant_column_with_gaps_keeps_its_mark() -> None:
    result = encode(pd.DataFrame({"a": [1.0, 2.0, 3.0], "flag": ["x", None, "x"]}))
    assert result.columns.tolist() == ["a", "flag (missing)"]


def test_sources_name_the_column_each_came_from() -> None:
    table = pd.DataFrame({"age": [1, None, 3], "site": ["a", "b", "c"]})
    assert TableEncoder().fit(table).sources_ == {
        "age": "age",
        "age (missing)": "age",
        "site=b": "site",
        "site=c": "site",
    }


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.to_datetime(["2020-01-01", "2021-01-01"]), "holds dates.*days since"),
        (["2020-01-01", "2021-02-03"], "holds dates"),
        (["01/02/2020", "28/02/2021"], "holds dates"),
        ([date(2020, 1, 1), None], "holds dates"),
        (pd.Categorical(pd.to_datetime(["2020-01-01", "2021-01-01"])), "holds dates"),
        (pd.to_timedelta([1, 2], unit="D"), "holds durations.*days"),
        (pd.period_range("2020-01", periods=2, freq="M"), "holds dates"),
        ([1.0, np.inf], "1 infinite"),
        (["1", "inf"], "1 infinite"),
        ([[1], [2]], "type list"),
        ([1j, 2j], "complex"),
    ],
)
def test_columns_that_are_no_covariates_are_refused_by_name(column: object, words: str) -> None:
    with pytest.raises(TrialError, match=f"'visit'.*{words}"):
        TableEncoder().fit(pd.DataFrame({"visit": column}))


def test_stray_text_among_numbers_is_named_and_counted() -> None:
    values = [*map(str, range(40)), "n/a", "12 kg"]
    with pytest.raises(TrialError, match=r"'weight' is numeric except for 2 of 42.*'n/a', '12 kg'"):
        TableEncoder().fit(pd.DataFrame({"weight": values}))


def test_codes_that_look_like_numbers_among_words_are_a_category() -> None:
    ladder = ["1"] * 80 + ["2"] * 5 + ["3"] * 4 + ["APPR"] * 12
    assert encode(pd.DataFrame({"clad": ladder})).columns.tolist() == [
        "clad=2",
        "clad=3",
        "clad=APPR",
    ]


def test_a_categorical_may_hold_numbers_and_words() -> None:
    column = pd.Categorical([*map(str, range(12)), "none"] * 3)
    assert encode(pd.DataFrame({"x": column})).shape == (39, 12)


def test_identifiers_are_refused() -> None:
    names = [f"person {k}" for k in range(30)]
    with pytest.raises(TrialError, match="'name' looks like an identifier: 30 different"):
        TableEncoder().fit(pd.DataFrame({"name": names}))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "repeated: .'a'"),
        (pd.DataFrame([[1, 2]], columns=["a", " "]), "empty name"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "repeated: .'1'"),
        (pd.DataFrame({"a": []}), "no rows"),
        (pd.DataFrame({"a": [1, 1]}), "no usable covariate"),
        (np.eye(2), "DataFrame"),
        ({"a": [1, 2]}, r"got dict; make one of it, .* pandas.DataFrame"),
        ("trial.csv", "read_table"),
        (pd.DataFrame({"a": ["p", "q", "q"], "a=q": [1, 2, 3]}), "rename one"),
    ],
)
def test_hostile_tables_are_refused(table: object, words: str) -> None:
    with pytest.raises(TrialError, match=words):
        TableEncoder().fit(table)


def test_new_rows_need_the_learned_columns_and_numbers_in_them() -> None:
    encoder = TableEncoder().fit(pd.DataFrame({"age": [1.0, 2.0], "bmi": [3.0, 4.0]}))
    with pytest.raises(TrialError, match="lacks covariates that the encoder learned: '"):
        encoder.transform(pd.DataFrame({"age": [1.0]}))
    with pytest.raises(TrialError, match=r"encoder learned: 'bmi'; did you mean 'BMI'\?"):
        encoder.transform(pd.DataFrame({"age": [1.0], "BMI": [3.0]}))
    with pytest.raises(TrialError, match=r"'bmi' holds 1 value that is no number.*'x'"):
        encoder.transform(pd.DataFrame({"age": [1.0, 2.0], "bmi": ["x", "2"]}))


def test_clone_and_pickle_keep_everything() -> None:
    table = pd.DataFrame({"age": [1, None, 3], "site": ["a", "b", "c"]})
    encoder = TableEncoder(max_categories=7).fit(table)
    copy = pickle.loads(pickle.dumps(encoder))
    pd.testing.assert_frame_equal(copy.transform(table), encoder.transform(table))
    assert clone(encoder).max_categories == 7
    assert not hasattr(clone(encoder), "columns_")
    assert encoder.get_feature_names_out().tolist() == list(encoder.sources_)


def test_input_is_left_alone() -> None:
    table = pd.DataFrame({"age": [1, None, 3], "site": ["a", None, "c"]})
    before = table.copy(deep=True)
    encode(table)
    pd.testing.assert_frame_equal(table, before)


cells = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "=1", "é", "other", ""]))


@given(
    text=st.lists(cells, min_size=3, max_size=30),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=60, deadline=None)
def test_any_category_encodes_to_finite_zero_one_rows_whatever_their_order(
    text: list[str | None], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"age": np.arange(len(text)) * 1.0, "x": text})
    encoder = TableEncoder().fit(table)
    result = encoder.transform(table)
    assert np.isfinite(result.to_numpy()).all()
    assert result.drop(columns="age").isin([0.0, 1.0]).all(axis=None)
    order = rng.permutation(len(text))
    again = TableEncoder().fit(table.iloc[order]).transform(table.iloc[order])
    pd.testing.assert_frame_equal(again.sort_index(), result)
