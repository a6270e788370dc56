"""Tables from strangers: text that unpacks to far more than its file, scales beyond arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import tauhat as th
from tauhat.learners import LinearMixedEffect
from tauhat.tables import parquet_text
from tauhat.tables.parquet_pages import page_bytes
from tauhat.tables.reading import read_table

N = 400


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_text, "MOST_TEXT", 100_000)


def shared(text: str) -> Any:
    """One text that all rows share: a few hundred bytes in the file."""
    codes = pa.array(np.zeros(N, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array([text]))


def nested(kind: str, texts: Any) -> Any:
    if kind == "lists":
        return pa.ListArray.from_arrays(pa.array(np.arange(N + 1), pa.int32()), texts)
    return pa.StructArray.from_arrays([texts], names=["part"]) if kind == "structs" else texts


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("name", ["note", "a.note"])
@pytest.mark.parametrize("kind", ["plain", "lists", "structs", "bytes"])
def test_text_is_measured_before_it_is_unpacked(kind: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    for length, fits in ((100, True), (1000, False)):
        texts = shared("x" * length)
        if kind == "bytes":
            texts = texts.cast(pa.binary())
        table = pa.table({"y": np.arange(N), name: nested(kind, texts), "sex": ["f"] * N})
        parquet.write_table(table, path, store_schema=False, row_group_size=150)
        assert path.stat().st_size < 20_000
        if fits:
            assert len(read_table(path)) == N
        else:
            with pytest.raises(th.TrialError, match=f"column '{name}' of .* of text; shorten"):
                read_table(path)


def test_text_of_all_columns_together_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = {f"note {k}": shared("x" * 100 * (k + 1)) for k in range(4)}
    parquet.write_table(pa.table({"y": np.arange(N), **table}), path, store_schema=False)
    with pytest.raises(th.TrialError, match="of text, most of it in 'note 3'"):
        read_table(path, max_bytes=600 * N)
    assert len(read_table(path, max_bytes=2000 * N)) == N


def test_tables_are_what_they_were(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pd.DataFrame(
        {
            "a.b": ["u", None, "w"],
            "category": pd.Categorical(["x", "y", "x"], categories=["y", "x"]),
            "bytes": [b"1", b"2", b"1"],
            "list": [["p"], ["q", "r"], []],
            "number": [1.5, np.nan, 2.5],
            "day": pd.to_datetime(["2024-01-01"] * 3),
        }
    )
    table.to_parquet(path)
    expected = parquet.read_table(path).to_pandas()
    pd.testing.assert_frame_equal(read_table(path), expected)


def trial(scale: float, column: str) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(80, 2)), columns=["age", "dose"])
    table["arm"] = np.tile([0, 1], 40)
    table["outcome"] = table["age"] * table["arm"] + rng.normal(size=80)
    table[column] *= scale
    return table


def test_columns_of_arrow_are_the_same_trial() -> None:
    table = trial(1.0, "dose").assign(half=np.repeat([1.0, 2.0], 40))
    plain, arrow = (
        th.Trial(one, outcome="outcome", treatment="arm")
        for one in (table, table.astype("double[pyarrow]"))
    )
    pd.testing.assert_frame_equal(arrow.X, plain.X)
    assert arrow.check().text == plain.check().text


@pytest.mark.parametrize("column", ["dose", "outcome"])
@pytest.mark.parametrize(
    ("scale", "message"), [(1e-200, "too little to compute with"), (1e120, "beyond 1e\\+100")]
)
def test_a_scale_that_cannot_be_squared_is_named(column: str, scale: float, message: str) -> None:
    table = trial(scale, column)
    with pytest.raises(th.TrialError, match=f"column '{column}' .*{message}"):
        th.Trial(table, outcome="outcome", treatment="arm", covariates=["age", "dose"])
    X, y, arm = table[["age", "dose"]], table["outcome"], table["arm"]
    name = "y" if column == "outcome" else "column 'dose' of X"
    with pytest.raises(ValueError, match=f"{name} .*{message}"):
        LinearMixedEffect().fit(X, y, treatment=arm)


@pytest.mark.parametrize("column", ["dose", "outcome"])
@pytest.mark.parametrize("scale", [1e-25, 1e90])
def test_scales_within_bounds_change_nothing_but_the_unit(column: str, scale: float) -> None:
    effects = []
    for one in (1.0, scale):
        table = trial(one, column)
        X, y = table[["age", "dose"]], table["outcome"]
        effect = LinearMixedEffect().fit(X, y, treatment=table["arm"]).effect(X)
        effects.append(effect / (one if column == "outcome" else 1))
    np.testing.assert_allclose(effects[1], effects[0], rtol=1e-9)


def test_pages_are_counted_at_the_length_that_they_state(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"y": np.arange(3000.0), "sex": ["f", "m", None] * 1000, "b": [True] * 3000})
    # Pages and groups of several kinds: each header leads to the next.
    for options in (
        {},
        {"data_page_size": 500, "use_dictionary": False, "compression": "none"},
        {"data_page_version": "2.0", "compression": "zstd", "row_group_size": 700},
        {"write_page_checksum": True, "write_statistics": True, "compression": "gzip"},
    ):
        parquet.write_table(table, path, **options)
        with parquet.ParquetFile(path) as file:
            declared = sum(
                file.metadata.row_group(g).column(j).total_uncompressed_size
                for g in range(file.metadata.num_row_groups)
                for j in range(3)
            )
            counted = page_bytes(path.read_bytes(), file.metadata)
        # The columns' own numbers are with the headers of the pages.
        assert 0.7 * declared < counted < declared
        assert len(read_table(path)) == 3000


def test_a_page_that_states_more_than_its_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    values = np.random.default_rng(1).normal(size=3000)
    parquet.write_table(pa.table({"y": values}), path, use_dictionary=False, compression="none")
    content = bytearray(path.read_bytes())
    # Field 1 (type, a data page), field 2 (its length, here of 24,000 bytes and a few).
    assert content[4:7] == bytes([0x15, 0x00, 0x15])
    assert content[9] < 128
    content[7:10] = bytes([0xFE, 0xFF, 0x7F])  # 1 MiB less one: harmless, and what is bounded
    path.write_bytes(content)
    with pytest.raises(th.TrialError, match=r"holds 0.00 GiB, more than 0.00 GiB"):
        read_table(path, max_bytes=500_000)
    content[7:10] = bytes([0xFD, 0xFF, 0x7F])  # a negative length
    path.write_bytes(content)
    with pytest.raises(th.TrialError, match=r"not a Parquet table.*page without a length"):
        read_table(path)
