"""Excel workbooks (.xlsx), by python-calamine.

What calamine does not tell (cells with errors, formulas whose value was never stored) is
counted in the sheet's own text.
"""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from typing import Any

import numpy as np
import pandas as pd

from tauhat.errors import TrialError
from tauhat.tables.account import Account
from tauhat.tables.formats import Request
from tauhat.tables.formats.readstat import whole_numbers
from tauhat.tables.labels import is_blank
from tauhat.tables.table_limits import check_column_names, close_names, refuse_size
from tauhat.wording import counted

_FORMULA = rb"(?:<f\b[^>]*/>|<f\b[^>]*>[^<]*</f>)"
_ERROR = re.compile(rb'<c\b[^>]*?\bt="e"[^>]*>\s*' + _FORMULA + rb"?\s*<v>([^<]{1,20})</v>")
# A formula whose value is an empty text has one.
_UNCOMPUTED = re.compile(
    rb'<c\b(?![^>]*\bt="str")[^>]*>\s*' + _FORMULA + rb"\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>"
)


def read(content: bytes, request: Request) -> tuple[pd.DataFrame, Account]:
    """Read the sheet that holds a table, or the one that is named."""
    from python_calamine import CalamineWorkbook

    path = request.path
    _refuse_unpacked(content, request)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        name = _sheet_name(workbook, request)
        sheet = workbook.get_sheet_by_name(name)
        refuse_size(path, sheet.total_width, 0, request.max_bytes)
        refuse_size(path, 0, sheet.total_width * sheet.total_height * 8, request.max_bytes)
        rows = sheet.to_python(skip_empty_area=False)
        merged = [pair for pair in sheet.merged_cell_ranges or [] if pair[1][0] > pair[0][0]]
    except BaseException as error:
        # Where the library's own code gives up, it raises no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise TrialError(f"{path} is not a whole Excel file") from error
    if merged:
        raise TrialError(
            f"{path}: in the sheet {name!r} {counted(len(merged), 'cell spans', 'cells span')} "
            f"several rows (the first begins in row {min(first[0] for first, _ in merged) + 1}), "
            "and only the first of these rows has the value; unmerge them and fill in every row"
        )
    account = Account("Excel", table=name)
    table = _table(rows, path, account)
    _count_cells(content, workbook.sheet_names.index(name), account)
    return table, account


def _refuse_unpacked(content: bytes, request: Request) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as unpacked:
        n_bytes = sum(info.file_size for info in unpacked.infolist())
    refuse_size(request.path, 0, n_bytes, request.max_bytes)


def _sheet_name(workbook: Any, request: Request) -> str:
    names: list[str] = workbook.sheet_names
    if request.table is not None:
        if request.table not in names:
            raise TrialError(
                f"{request.path} has no sheet {request.table!r}"
                f"{close_names(request.table, names)}; it has {', '.join(map(repr, names))}"
            )
        return request.table
    used = [name for name in names if workbook.get_sheet_by_name(name).total_height > 0]
    if not used:
        raise TrialError(f"{request.path} is empty")
    if len(used) > 1:
        raise TrialError(
            f"{request.path} has {len(used)} sheets: {', '.join(map(repr, used[:10]))}; name one "
            "with table= (--table on the command line)"
        )
    return used[0]


def _table(rows: list[list[Any]], path: str, account: Account) -> pd.DataFrame:
    header, *body = rows
    while header and header[-1] == "" and all(row[-1] == "" for row in body):
        header, body = header[:-1], [row[:-1] for row in body]
    blank = [number for number, name in enumerate(header, 1) if is_blank(str(name)) or name == ""]
    if blank:
        raise TrialError(
            f"{path}: the first row of the sheet must hold the names of the columns, and "
            f"{counted(len(blank), 'cell')} of {len(header)} in it "
            f"{'is' if len(blank) == 1 else 'are'} empty (the first is number {blank[0]}); remove "
            "titles above the table and empty columns"
        )
    names = [_name(name) for name in header]
    check_column_names(names)
    filled = [row for row in body if any(cell != "" for cell in row)]
    if len(filled) < len(body):
        account.notes.append(f"{counted(len(body) - len(filled), 'empty row')} left out.")
    repeated = sum([_name(cell) for cell in row] == names for row in filled)
    if repeated:
        raise TrialError(
            f"{path}: {counted(repeated, 'row repeats', 'rows repeat')} the names of the columns; "
            "remove them"
        )
    columns = zip(*filled, strict=True) if filled else ([] for _ in names)
    return pd.DataFrame(
        {name: _column(name, cells, account) for name, cells in zip(names, columns, strict=True)}
    )


def _name(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _column(name: str, cells: Any, account: Account) -> pd.Series[Any]:
    """Cells of a column: numbers, truth values, times or text as they are typed."""
    values = [None if cell == "" else cell for cell in cells]
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {float, int}:
        numbers = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
        return pd.Series(whole_numbers(numbers))
    if kinds <= {datetime.date, datetime.datetime}:
        return pd.Series(
            [None if v is None else np.datetime64(v, "us") for v in values], dtype="datetime64[us]"
        )
    if kinds == {datetime.timedelta}:
        return pd.Series(
            [None if v is None else np.timedelta64(v, "us") for v in values],
            dtype="timedelta64[us]",
        )
    if kinds == {bool}:
        return pd.Series(values) if None in values else pd.Series(values, dtype=bool)
    if kinds == {str}:
        return pd.Series(values, dtype="str")
    said = {float: "numbers", int: "numbers", str: "text", bool: "truth values"}
    listed = " and ".join(sorted({said.get(kind, "dates or times") for kind in kinds}))
    account.notes.append(f"The cells of column {name!r} hold {listed}.")
    return pd.Series([_as_text(value) for value in values], dtype="str")


def _as_text(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return None if value is None else str(value)


def _count_cells(content: bytes, position: int, account: Account) -> None:
    """Say how many cells of the sheet hold an error or a formula without a value."""
    with zipfile.ZipFile(io.BytesIO(content)) as unpacked:
        member = _member(unpacked, position)
        if member is None:
            return
        text = unpacked.read(member)
    errors: dict[str, int] = {}
    for found in _ERROR.finditer(text):
        word = found[1].decode("utf-8", "replace")
        errors[word] = errors.get(word, 0) + 1
    for word, n in sorted(errors.items()):
        account.notes.append(f"{counted(n, 'cell')} with the error {word} read as missing.")
    uncomputed = len(_UNCOMPUTED.findall(text))
    if uncomputed:
        raise TrialError(
            f"the sheet {account.table!r} has {counted(uncomputed, 'formula')} without a stored "
            "value; open it in Excel or LibreOffice and save it, or paste values in their place"
        )


def _member(unpacked: zipfile.ZipFile, position: int) -> str | None:
    """The part of the file that holds a sheet."""
    try:
        book = unpacked.read("xl/workbook.xml").decode("utf-8", "replace")
        links = unpacked.read("xl/_rels/workbook.xml.rels").decode("utf-8", "replace")
    except KeyError:
        return None
    sheets = re.findall(r"<(?:\w+:)?sheet\b[^>]*?\br:id=\"([^\"]+)\"", book)
    if position >= len(sheets):
        return None
    for link in re.findall(r"<Relationship\b[^>]*>", links):
        found = dict(re.findall(r"(\w+)=\"([^\"]*)\"", link))
        if found.get("Id") == sheets[position]:
            target = found.get("Target", "")
            name = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            return name if name in unpacked.namelist() else None
    return None
