"""R: .rds and .RData, parsed by rdata; what the parsed vectors mean is decided here."""

from __future__ import annotations

import bz2
import lzma
import warnings
import zlib
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.errors import TrialError
from tauhat.tables.account import Account
from tauhat.tables.formats import Request
from tauhat.tables.formats.readstat import as_times, code_order, missing_rule
from tauhat.tables.table_limits import check_column_names, close_names, refuse_size

_LATIN1 = 4
_NA = 1954  # the low word of R's NA among the NaNs
_SECONDS = {"secs": 1.0, "mins": 60.0, "hours": 3600.0, "days": 86400.0, "weeks": 604800.0}
# Classes that change nothing of what a vector's values are.
_PLAIN = {"numeric", "integer", "character", "logical", "double", "labelled", "AsIs", "vctrs_vctr"}


def read(content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
    """Read the bytes of a file with one data frame, or the one that is named."""
    from rdata.parser import parse_data

    data = _unpacked(content, request)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = parse_data(data).object
    frames = dict(_frames(root, request))
    if not frames:
        raise TrialError(f"{request.path} holds no data frame")
    if request.table is not None and request.table not in frames:
        raise TrialError(
            f"{request.path} holds no table {request.table!r}{close_names(request.table, frames)}; "
            f"it holds {', '.join(map(repr, frames))}"
        )
    if request.table is None and len(frames) > 1:
        raise TrialError(
            f"{request.path} holds {len(frames)} tables: {', '.join(map(repr, frames))}; name one "
            "with table= (--table on the command line)"
        )
    name = request.table if request.table is not None else next(iter(frames))
    account = Account("R", table=name or None)
    return _table(frames[name], request, account), account


def _unpacked(content: bytes, request: Request) -> bytes:
    """The bytes without compression, as long as they are not too many."""
    limit = request.max_bytes
    if content[:2] == b"\x1f\x8b":
        unpacked = zlib.decompressobj(wbits=31).decompress(content, limit + 1)
    elif content[:3] == b"BZh":
        unpacked = bz2.BZ2Decompressor().decompress(content, limit + 1)
    elif content[:6] == b"\xfd7zXZ\x00":
        unpacked = lzma.LZMADecompressor().decompress(content, limit + 1)
    else:
        unpacked = content
    refuse_size(request.path, 0, len(unpacked), limit)
    return unpacked


def _frames(root: Any, request: Request) -> list[tuple[str, Any]]:
    """Data frames by name: all of an .RData file, the one of an .rds file under ""."""
    kind = root.info.type.name
    if kind == "VEC" and _is_frame(root):
        return [("", root)]
    if kind not in ("LIST", "NILVALUE"):
        raise TrialError(f"{request.path} holds no data frame")
    found = []
    while root is not None and root.info.type.name == "LIST":
        value, rest = root.value
        if root.tag is not None and _is_frame(value):
            found.append((_symbol(root.tag), value))
        root = rest
    return found


def _is_frame(value: Any) -> bool:
    return value.info.type.name == "VEC" and "data.frame" in _texts(_attributes(value).get("class"))


def _symbol(tag: Any) -> str:
    while tag.info.type.name == "REF":
        tag = tag.referenced_object
    return _text(tag.value) or ""


def _attributes(value: Any) -> dict[str, Any]:
    found, at = {}, value.attributes
    while at is not None and at.info.type.name == "LIST":
        found[_symbol(at.tag)] = at.value[0]
        at = at.value[1]
    return found


def _text(char: Any) -> str | None:
    """A string of R; None for NA."""
    if char.value is None:
        return None
    encoding = "latin-1" if char.info.gp & _LATIN1 else "utf-8"
    text: str = char.value.decode(encoding, errors="strict")
    return text


def _texts(value: Any) -> list[str | None]:
    if value is None or value.info.type.name != "STR":
        return []
    return [_text(char) for char in value.value]


def _table(frame: Any, request: Request, account: Account) -> pd.DataFrame:
    attributes = _attributes(frame)
    names = [name or "" for name in _texts(attributes.get("names"))]
    refuse_size(request.path, len(names), 0, request.max_bytes)
    check_column_names(names)
    if len(names) != len(frame.value):
        raise TrialError(f"{request.path} is not a whole R file: columns and names do not match")
    try:
        columns = {
            name: _column(name, vector, account)
            for name, vector in zip(names, frame.value, strict=True)
        }
        lengths = {len(column) for column in columns.values()}
        if len(lengths) != 1:
            raise TrialError(f"{request.path} is not a whole R file: columns differ in length")
        account.title = next(iter(_texts(attributes.get("label"))), None)
        return pd.DataFrame(columns)
    except UnicodeDecodeError as error:
        raise TrialError(
            f"{request.path} holds text that cannot be decoded: {error.reason}; save it in R after "
            "enc2utf8()"
        ) from error


def _column(name: str, vector: Any, account: Account) -> pd.Series[Any]:
    attributes = _attributes(vector)
    kind = vector.info.type.name
    classes = [c for c in _texts(attributes.get("class")) if c]
    if "dim" in attributes or kind == "VEC":
        what = "a matrix" if "dim" in attributes else "a list"
        raise TrialError(f"column {name!r} is {what}; make columns of numbers or text of it")
    label = next(iter(_texts(attributes.get("label"))), None)
    if label and label.strip():
        account.labels[name] = label.strip()
    if "factor" in classes:
        return _factor(name, vector, attributes, "ordered" in classes, account)
    if kind == "STR":
        column = pd.Series(_texts(vector), name=name, dtype="str")
        account.count_missing(name, "R NA", int(column.isna().sum()))
        return column
    if kind not in ("REAL", "INT", "LGL"):
        raise TrialError(f"column {name!r} is of R's type {kind}, which cannot be read")
    if "integer64" in classes:
        whole = np.asarray(vector.value, dtype=np.float64).view(np.int64)
        gaps = whole == np.iinfo(np.int64).min
        account.count_missing(name, "R NA", int(gaps.sum()))
        return pd.Series(pd.arrays.IntegerArray(whole.copy(), gaps), name=name)
    numbers = _numbers(name, vector, account)
    column = pd.Series(numbers, name=name)
    if "Date" in classes:
        return _time(column, "date", 86400.0, account)
    if "POSIXct" in classes:
        # The instant, as its clock showed it where it was said to be.
        return _zoned(_time(column, "datetime", 1.0, account), attributes.get("tzone"))
    if "difftime" in classes:
        unit = next(iter(_texts(attributes.get("units"))), None) or "secs"
        if unit not in _SECONDS:
            raise TrialError(f"column {name!r} holds durations in {unit!r}, which is no unit")
        return _time(column, "duration", _SECONDS[unit], account)
    if "hms" in classes:
        return _time(column, "duration", 1.0, account)
    column = _labelled(name, column, attributes, account)
    unknown = [c for c in classes if c not in _PLAIN and not c.startswith("haven_labelled")]
    if unknown:
        account.notes.append(
            f"Column {name!r} is of R's class {unknown[0]!r}, which is not known: read as plain "
            "numbers."
        )
    if kind == "LGL":
        truth = column.map({0.0: False, 1.0: True})
        return truth if column.isna().any() else truth.astype(bool)
    if not column.isna().any() and kind == "INT":
        return column.astype(np.int64)
    return column


def _numbers(name: str, vector: Any, account: Account) -> FloatArray:
    """Numbers as doubles; NA, NaN and haven's tagged NA counted apart."""
    raw = vector.value
    if vector.info.type.name != "REAL":
        gaps = np.ma.getmaskarray(raw)
        account.count_missing(name, "R NA", int(gaps.sum()))
        filled: FloatArray = np.ma.filled(np.ma.asarray(raw).astype(np.float64), np.nan)
        return filled
    values: FloatArray = np.ascontiguousarray(np.ma.getdata(raw), dtype=np.float64)
    gone = np.isnan(values) | np.ma.getmaskarray(raw)
    bits = values[gone].view(np.uint64)
    is_na = (bits & 0xFFFFFFFF) == _NA
    tags = (bits >> np.uint64(32)) & np.uint64(0xFF)
    for tag in np.unique(tags[is_na]):
        rule = f"R NA({chr(int(tag))})" if tag else "R NA"
        account.count_missing(name, rule, int((tags[is_na] == tag).sum()))
    account.count_missing(name, "R NaN", int((~is_na).sum()))
    plain: FloatArray = np.where(gone, np.nan, values)
    return plain


def _time(column: pd.Series[Any], kind: str, per_unit: float, account: Account) -> pd.Series[Any]:
    times = as_times(column, kind, "1970-01-01", per_unit)
    if times is None:
        account.left_as_numbers[str(column.name)] = "numbers too large for a date"
        return column
    return times


def _zoned(times: pd.Series[Any], zone: Any) -> pd.Series[Any]:
    name = next(iter(_texts(zone)), None)
    if not name or not pd.api.types.is_datetime64_any_dtype(times.dtype):
        return times
    try:
        zoned: pd.Series[Any] = times.dt.tz_localize("UTC").dt.tz_convert(name)
    except (KeyError, ValueError, OSError):
        return times
    return zoned


def _factor(
    name: str, vector: Any, attributes: dict[str, Any], ordered: bool, account: Account
) -> pd.Series[Any]:
    levels = [level or "" for level in _texts(attributes.get("levels"))]
    if len(set(levels)) != len(levels):
        raise TrialError(f"column {name!r} is a factor with the same level twice")
    codes = np.ma.filled(np.ma.asarray(vector.value), 0).astype(np.int64) - 1
    if len(codes) and codes.max() >= len(levels):
        raise TrialError(f"column {name!r} is a factor with codes that have no level")
    account.count_missing(name, "R NA", int((codes < 0).sum()))
    made = pd.Categorical.from_codes(
        np.maximum(codes, -1).astype(np.int64), pd.Index(levels), ordered=ordered
    )
    return pd.Series(made, name=name)


def _labelled(
    name: str, column: pd.Series[Any], attributes: dict[str, Any], account: Account
) -> pd.Series[Any]:
    """Labels of values and, of haven_labelled_spss, which values are missing."""
    labels = attributes.get("labels")
    pairs: dict[Any, str] = {}
    if labels is not None and labels.info.type.name in ("REAL", "INT"):
        codes = np.ma.filled(np.ma.asarray(labels.value).astype(np.float64), np.nan)
        texts = _texts(_attributes(labels).get("names"))
        pairs = {
            float(code): text
            for code, text in zip(codes, texts, strict=True)
            if text is not None and np.isfinite(code)
        }
    gone = np.zeros(len(column), dtype=bool)
    rules: list[tuple[float, float]] = []
    values, span = attributes.get("na_values"), attributes.get("na_range")
    if values is not None and values.info.type.name in ("REAL", "INT"):
        rules += [(float(v), float(v)) for v in np.asarray(values.value)]
    if span is not None and span.info.type.name in ("REAL", "INT"):
        low, high = np.asarray(span.value, dtype=np.float64)
        rules.append((float(low), float(high)))
    for low, high in rules:
        here = ((column >= low) & (column <= high)).to_numpy(dtype=bool)
        account.count_missing(name, missing_rule(low, high, pairs), int(here.sum()))
        gone |= here
    kept = {c: t for c, t in pairs.items() if not any(low <= c <= high for low, high in rules)}
    if kept:
        account.value_labels[name] = code_order(kept)
    return column.mask(gone) if gone.any() else column
