"""Plans from TOML files, shipped names and dictionaries, with errors that name the key."""

from __future__ import annotations

import difflib
import itertools
import json
import math
import re
import reprlib
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from tauhat.runtime.files import open_regular
from tauhat.simulate.scenario import scenario
from tauhat.simulate.subgroup_metrics import TWENTY_PERCENT
from tauhat.study.plan import EstimatorSpec, Plan, Row, StudyError

_KEYS = {f.name for f in fields(Plan)} - {"folder"}
_ROW_KEYS = {"scenario", "settings", "grid", "n", "label", "higher_is_better"}
# Bounds of what is read of a plan: the largest shipped one has 6 kB, 16 rows and 3 levels.
_MOST_BYTES = 2**20
_MOST_ROWS = 10_000
_DEEPEST = 20
_TEXTS_AND_COMMENTS = re.compile(
    r"""\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}.*?'{3}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*""", re.DOTALL
)
_BRACKETS = re.compile(r"[\[\]{}]")
_DOTTED = re.compile(r"[\w \t.-]+")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200
_ESTIMATOR_KEYS = {"name", "estimator", "import", "settings"}


def plan_names() -> list[str]:
    """Names of the plans that come with tauhat.

    Examples
    --------
    >>> "robust-ensembles" in plan_names()
    True
    """
    folder = resources.files("tauhat.study") / "plans"
    return sorted(
        item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")
    )


def load_plan(plan: str | Path | Mapping[str, Any] | Plan) -> Plan:
    """Plan of a TOML file, of a name of `plan_names` or of a dictionary.

    Parameters
    ----------
    plan
        Path of a TOML file, name of a shipped plan, content as a dictionary,
        or a plan already made.

    Returns
    -------
    Plan

    Raises
    ------
    StudyError
        Naming the key and the value at fault.

    Examples
    --------
    >>> plan = load_plan("robust-ensembles")
    >>> len(plan.rows), len(plan.estimators), plan.replicates
    (16, 11, 50)
    """
    if isinstance(plan, Plan):
        return plan
    if isinstance(plan, Mapping):
        return plan_from(plan, "the plan")
    if str(plan) in plan_names():
        text = (resources.files("tauhat.study") / "plans" / f"{plan}.toml").read_text("utf-8")
        return plan_from(tomllib.loads(text), str(plan))
    path = Path(plan)
    try:
        with open_regular(path) as file:
            raw = file.read(_MOST_BYTES + 1)
        text = raw.decode("utf-8")
        _refuse_odd_toml(text, str(plan))
        content = tomllib.loads(text)
    except FileNotFoundError as error:
        near = difflib.get_close_matches(str(plan), plan_names(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"they are {', '.join(plan_names())}"
        raise StudyError(f"{plan} is neither a file nor a shipped plan; {hint}") from error
    except OSError as error:
        raise StudyError(f"{plan} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, StudyError):
            raise
        raise StudyError(f"{plan} is not TOML: {error}") from error
    return plan_from({"name": path.stem, **content}, str(plan), str(path.resolve().parent))


def _refuse_odd_toml(text: str, source: str) -> None:
    """Raise a `StudyError` for text that no plan has and that is hard on a parser of TOML."""
    if len(text) > _MOST_BYTES:
        raise StudyError(f"{source} is longer than {_MOST_BYTES / 2**20:.0f} MiB: it is no plan")
    bare = _TEXTS_AND_COMMENTS.sub("t", text)
    depth = deepest = 0
    for bracket in _BRACKETS.findall(bare):
        depth = max(depth + (1 if bracket in "[{" else -1), 0)
        deepest = max(deepest, depth)
    dots = max((key.count(".") for key in _DOTTED.findall(bare)), default=0)
    if max(deepest, dots) > _DEEPEST:
        raise StudyError(
            f"{source} is nested {max(deepest, dots)} levels deep; a plan needs no more than "
            f"{_DEEPEST}"
        )


def _depth(value: Any) -> int:
    """Levels of lists and tables within each other, counted no further than the limit."""
    level, depth = [value], 0
    while level and depth <= _DEEPEST:
        inner = [
            one.values() if isinstance(one, Mapping) else one
            for one in level
            if isinstance(one, (Mapping, list, tuple))
        ]
        level = [item for items in inner for item in items]
        depth += 1
    return depth


def plan_from(content: Mapping[str, Any], source: str, folder: str = "") -> Plan:
    """Plan from the content of a TOML file.

    Parameters
    ----------
    content
        The keys of `Plan`; ``rows`` may have lists of ``n`` and a ``grid``.
    source
        Where it came from, for messages.
    folder
        As in `Plan`.

    Returns
    -------
    Plan

    Raises
    ------
    StudyError
        Naming the key and the value at fault.

    Examples
    --------
    >>> rows = [{"scenario": "linear", "n": [50, 80]}]
    >>> plan = plan_from({"replicates": 2, "estimators": ["LMM"], "rows": rows}, "an example")
    >>> [row.key for row in plan.rows]
    ['linear n=50', 'linear n=80']
    """
    reader = _Reader(source)
    reader.known(content, _KEYS, "")
    rows = [
        row
        for number, item in enumerate(reader.items(content, "rows"), start=1)
        for row in _rows(reader, item, f"row {number}")
    ]
    reader.distinct([row.key for row in rows], "rows")
    estimators = [_estimator(reader, item) for item in reader.items(content, "estimators")]
    names = [spec.name for spec in estimators]
    reader.distinct(names, "estimators")
    ensembles = content.get("ensembles", [])
    if not isinstance(ensembles, list) or any(name not in names for name in ensembles):
        raise reader.error("ensembles", "a list of names that estimators has", ensembles)
    if len(ensembles) == len(names):
        raise reader.error("ensembles", "some of the estimators, not all", ensembles)
    shares = content.get("subgroup_shares", [TWENTY_PERCENT, TWENTY_PERCENT])
    if (
        not isinstance(shares, Sequence)
        or len(shares) != 2
        or not all(isinstance(share, float) and 0 < share < 1 for share in shares)
    ):
        raise reader.error("subgroup_shares", "two numbers between 0 and 1", shares)
    return Plan(
        name=reader.text(content, "name", "study"),
        description=reader.text(content, "description", ""),
        note=reader.text(content, "note", ""),
        reference=reader.text(content, "reference", ""),
        rows=tuple(rows),
        estimators=tuple(estimators),
        ensembles=tuple(ensembles),
        replicates=reader.whole(content, "replicates", None, 1),
        seed=reader.whole(content, "seed", 1, 0),
        test_size=reader.whole(content, "test_size", 5000, 10),
        intervals=reader.flag(content, "intervals", False),
        average_effects=reader.flag(content, "average_effects", False),
        subgroup_shares=(shares[0], shares[1]),
        folder=folder,
    )


@dataclass(frozen=True)
class _Reader:
    """Values of a plan, or errors that name the key."""

    source: str

    def error(self, key: str, wanted: str, value: Any) -> StudyError:
        shown = _SHORT.repr(value)
        return StudyError(f"{self.source}: {key} must be {wanted}, got {shown}")

    def known(self, content: Mapping[str, Any], keys: set[str], where: str) -> None:
        for key in content:
            if key not in keys:
                near = difflib.get_close_matches(str(key), sorted(keys), n=1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(keys))}"
                raise StudyError(f"{self.source}: {where}unknown key {key!r}; {hint}")

    def items(self, content: Mapping[str, Any], key: str) -> list[Any]:
        value = content.get(key)
        if not isinstance(value, list) or not value:
            raise self.error(key, "a list with at least one entry", value)
        return value

    def distinct(self, names: Sequence[str], key: str) -> None:
        repeated = sorted(name for name, count in Counter(names).items() if count > 1)
        if repeated:
            raise StudyError(f"{self.source}: {key} has {repeated[0]!r} more than once")

    def text(self, content: Mapping[str, Any], key: str, default: str) -> str:
        value = content.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, "a text in quotes", value)
        return value

    def flag(self, content: Mapping[str, Any], key: str, default: bool) -> bool:
        value = content.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "true or false", value)
        return value

    def whole(self, content: Mapping[str, Any], key: str, default: int | None, least: int) -> int:
        value = content.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.error(key, f"a whole number of at least {least}", value)
        return value

    def table(self, content: Mapping[str, Any], key: str) -> dict[str, Any]:
        value = content.get(key, {})
        if not isinstance(value, Mapping):
            raise self.error(key, "a table such as { noise = 0.9 }", value)
        if _depth(value) > _DEEPEST:
            raise self.error(key, f"nested no more than {_DEEPEST} levels deep", value)
        try:
            json.dumps(value)
        except TypeError as error:
            raise self.error(key, "a table of numbers, texts, lists and truths", value) from error
        return dict(value)


def _rows(reader: _Reader, item: Any, where: str) -> Iterator[Row]:
    """Rows of one entry: every combination of its grid and its sizes."""
    if not isinstance(item, Mapping) or not isinstance(item.get("scenario"), str):
        raise reader.error(where, 'a table with scenario = "..."', item)
    reader.known(item, _ROW_KEYS, f"{where}: ")
    settings, grid = reader.table(item, "settings"), reader.table(item, "grid")
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            raise reader.error(f"{where}: grid.{key}", "a list of values", values)
    sizes = item.get("n")
    for n in sizes if isinstance(sizes, list) else [sizes]:
        if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 8):
            raise reader.error(f"{where}: n", "whole numbers of at least 8", sizes)
    n_sizes = len(sizes) if isinstance(sizes, list) else 1
    if n_sizes * math.prod(len(values) for values in grid.values()) > _MOST_ROWS:
        raise StudyError(f"{reader.source}: {where} stands for more than {_MOST_ROWS:,} rows")
    for values in itertools.product(*grid.values()):
        point = dict(zip(grid, values, strict=True))
        words = ", ".join(f"{name}={value}" for name, value in point.items())
        given = reader.text(item, "label", item["scenario"])
        label = " ".join(part for part in (given, words) if part)
        chosen = {**settings, **point}
        try:
            scenario(item["scenario"], **chosen)
        except (TypeError, ValueError) as error:
            raise StudyError(f"{reader.source}: {where}: {error}") from error
        better = reader.flag(item, "higher_is_better", True)
        for n in sizes if isinstance(sizes, list) else [sizes]:
            yield Row(item["scenario"], chosen, n, label, better)


def _estimator(reader: _Reader, item: Any) -> EstimatorSpec:
    if isinstance(item, str):
        return EstimatorSpec(name=item, estimator=item)
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
        raise reader.error("estimators", "names or tables with name = ...", item)
    where = f"estimator {item['name']!r}: "
    reader.known(item, _ESTIMATOR_KEYS, where)
    path = reader.text(item, "import", "")
    if path and (path.count(":") != 1 or not all(path.split(":"))):
        raise reader.error(f"{where}import", "module:attribute", path)
    if path and "estimator" in item:
        raise StudyError(f"{reader.source}: {where}give either import or estimator, not both")
    return EstimatorSpec(
        name=item["name"],
        estimator="" if path else reader.text(item, "estimator", item["name"]),
        path=path,
        settings=reader.table(item, "settings"),
    )
