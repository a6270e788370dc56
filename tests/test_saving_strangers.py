"""Model files from strangers: each is refused by one error, before it costs memory or time."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tauhat as th
from tauhat.learners import BayesianCausalForest, LinearMixedEffect, XLearner
from tauhat.outcome import GPBoost, RandomForest
from tauhat.saving import archive
from tauhat.saving.boosting_text import rewritten_boosting
from tauhat.saving.forest_text import rewritten_forests

RNG = np.random.default_rng(5)
CLUSTERS = np.repeat(np.arange(12), 8)
N = len(CLUSTERS)
X = RNG.normal(size=(N, 3))
A = CLUSTERS % 2
Y = X[:, 0] + A * (1 + 2 * (X[:, 1] > 0)) + RNG.normal(size=N)
MODELS: dict[str, Callable[[], Any]] = {
    "linear": LinearMixedEffect,
    "boosting": lambda: th.estimator("X-Boosting").set_params(outcome_model__max_rounds=20),
    "gpboost": lambda: XLearner(GPBoost(max_rounds=20, n_folds=3)),
    "forest": lambda: XLearner(RandomForest(n_estimators=3)),
    "causal": lambda: th.estimator("CF-DML-linear").set_params(n_estimators=8),
    "bcf": lambda: BayesianCausalForest(n_chains=1, n_grow=4, n_burn_in=5, n_draws=5),
    "ensemble": lambda: th.estimator("Median").set_params(
        members=[("one", LinearMixedEffect()), ("two", th.estimator("T-Linear"))]
    ),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Members of one saved model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for name, make in MODELS.items():
        model = make().set_params(random_state=1).fit(X, Y, treatment=A, clusters=CLUSTERS)
        th.save(model, folder / name)
        with zipfile.ZipFile(folder / name) as zipped:
            found[name] = {part: zipped.read(part) for part in zipped.namelist()}
    return found


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return target.getvalue()


def refused(data: bytes, folder: Path, message: str) -> None:
    path = folder / "model"
    path.write_bytes(data)
    with pytest.raises(th.TrialError, match=message):
        th.load(path)


def with_manifest(members: dict[str, bytes], change: Callable[[Any], Any]) -> bytes:
    manifest = json.loads(members["manifest.json"])
    change(manifest)
    return packed({**members, "manifest.json": json.dumps(manifest).encode()})


def nodes(node: Any, kind: str) -> list[dict[str, Any]]:
    """Nodes of a kind, the outer first."""
    inner = list(node.values()) if isinstance(node, dict) else node
    found = [node] if isinstance(node, dict) and node.get("kind") == kind else []
    if isinstance(inner, list):
        found += [one for item in inner for one in nodes(item, kind)]
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="has no pipes by name")
def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "link", tmp_path, Path(os.devnull)):
        with pytest.raises(th.TrialError, match="a folder, a pipe or a device, not a file"):
            th.load(path)


def test_sizes_are_bounded_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for size, message in ((2**40, "are not read"), (2**28, "not a whole zip file")):
        with path.open("wb") as file:
            file.truncate(size)
        tracemalloc.start()
        with pytest.raises(th.TrialError, match=message):
            th.load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()


def test_declared_sizes_are_not_believed(files: Any, tmp_path: Path) -> None:
    members = {**files["linear"], "arrays/0.npy": bytes(2 * 10**7)}
    data = bytearray(packed(members))
    # The size of the unpacked member, in the entry of the directory.
    entry = data.rindex(b"arrays/0.npy") - 46
    assert data[entry : entry + 4] == b"PK\x01\x02"
    data[entry + 24 : entry + 28] = struct.pack("<I", 1000)
    tracemalloc.start()
    refused(bytes(data), tmp_path, "damaged")
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("_MOST_BYTES", 1000, "are not read"),
        ("_MOST_DIRECTORY", 100, "far more parts"),
        ("_MOST_MEMBERS", 5, "far more parts"),
        ("_MOST_MANIFEST", 1000, "far more than a model needs"),
        ("_MOST_UNPACKED", 3000, "far more than a model needs"),
    ],
)
def test_every_limit_holds(
    limit: str, value: int, message: str, files: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(archive, limit, value)
    refused(packed(files["linear"]), tmp_path, message)


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, monkeypatch: Any) -> None:
    model = LinearMixedEffect().fit(X, Y, treatment=A, clusters=CLUSTERS)
    monkeypatch.setattr(archive, "_MOST_MEMBERS", 5)
    with pytest.raises(th.TrialError, match=r"too large for a file: .* in \d+ parts"):
        th.save(model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_members_are_stored_or_deflated_and_named_once(files: Any, tmp_path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        refused(packed(files["linear"], method), tmp_path, "packed in a way")
    (tmp_path / "stored").write_bytes(packed(files["linear"], zipfile.ZIP_STORED))
    assert isinstance(th.load(tmp_path / "stored"), LinearMixedEffect)
    twice = io.BytesIO(packed(files["linear"]))
    with zipfile.ZipFile(twice, "a") as zipped, pytest.warns(UserWarning, match="Duplicate"):
        zipped.writestr("arrays/0.npy", files["linear"]["arrays/0.npy"])
    refused(twice.getvalue(), tmp_path, "names a part twice")


def _first(kind: str, **change: Any) -> Callable[[Any], None]:
    return lambda manifest: nodes(manifest["model"], kind)[0].update(change)


def _state(**change: Any) -> Callable[[Any], None]:
    return lambda manifest: manifest["model"]["state"].update(change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(version=True), "version True"),
        (lambda m: m.update(version=1.0), "version 1.0"),
        (lambda m: m.update(arrays=True), "True arrays"),
        (lambda m: m.update(extra=1), "has or lacks a key"),
        (lambda m: m.pop("written_by"), "has or lacks a key"),
        (_state(scale_=float("nan")), "NaN, which is no JSON"),
        (_state(has_draws=True), "no attribute 'has_draws'"),
        (_state(no_such_state=1), "no attribute 'no_such_state'"),
        (_state(n_features_in_=True), "columns do not agree"),
        (_first("array", array=-1), "names part -1"),
        (_first("array", array=True), "bool where int"),
        (_first("array", more=1), "unknown keys"),
        (_first("object", number=1), "there twice"),
        (lambda m: nodes(m["model"], "object")[1]["state"].pop("measured"), "lacks 'measured'"),
        (lambda m: m["model"]["state"].update(mean_=[[[0]]] * 2), "damaged"),
    ],
)
def test_wrong_nodes(change: Any, message: str, files: Any, tmp_path: Path) -> None:
    refused(with_manifest(files["linear"], change), tmp_path, message)


def test_numbers_too_large_for_a_float_are_refused(files: Any, tmp_path: Path) -> None:
    manifest = files["linear"]["manifest.json"].replace(b'"seed_": 1', b'"seed_": 1e999')
    refused(packed({**files["linear"], "manifest.json": manifest}), tmp_path, "too large")


def test_nesting_and_work_are_bounded(files: Any, tmp_path: Path) -> None:
    def deep(manifest: Any) -> None:
        nested: Any = 1
        for _ in range(110):
            nested = [nested]
        manifest["model"]["state"]["seed_"] = nested

    refused(with_manifest(files["linear"], deep), tmp_path, "nested more than 100")

    def doubled(manifest: Any) -> None:
        """Ensembles whose two members are one and the same ensemble, 25 levels deep."""
        model = manifest["model"]
        members = model["state"].pop("members_")["items"]
        for level in range(25):
            same = {"kind": "same", "number": members[-1][1]["number"]}
            pair = {"kind": "dict", "items": [["one", same], ["two", same]]}
            state = {"n_features_in_": 3, "members_": pair}
            ensemble = {**model, "number": 1000 + level, "state": state}
            members.append([f"level {level}", ensemble])
        model["state"]["members_"] = {"kind": "dict", "items": members}

    start = time.perf_counter()
    refused(with_manifest(files["ensemble"], doubled), tmp_path, "members of each other too many")
    assert time.perf_counter() - start < 5


def array_of(members: dict[str, bytes], name: str) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = np.load(io.BytesIO(members[name]))
    return array


def npy(array: Any) -> bytes:
    target = io.BytesIO()
    np.save(target, array)
    return target.getvalue()


def trees_of(manifest: Any, part: str) -> list[str]:
    """Members that hold one attribute of the stored trees."""
    trees = [n for n in nodes(manifest["model"], "object") if n["class"] == "StoredTree"]
    return [f"arrays/{tree['state'][part]['array']}.npy" for tree in trees]


@pytest.mark.parametrize("kind", ["forest", "causal"])
@pytest.mark.parametrize(
    ("part", "node", "value", "message"),
    [
        ("feature", 0, 3, "splits on column"),
        ("feature", 0, 10**6, "splits on column"),
        ("feature", 0, -1, "not those of a tree"),
        ("left", 0, 0, "not those of a tree"),
        ("left", 0, 10**6, "not those of a tree"),
        ("right", 0, 1, "not those of a tree"),
        ("threshold", 0, np.nan, "threshold of a tree is not finite"),
        ("values", -1, np.inf, "values of a tree is not finite"),
    ],
)
def test_stored_trees_are_whole(
    kind: str, part: str, node: int, value: float, message: str, files: Any, tmp_path: Path
) -> None:
    members = files[kind]
    manifest = json.loads(members["manifest.json"])
    for name in trees_of(manifest, part):
        array = array_of(members, name)
        if len(array) > 1:
            array[node] = value
            refused(packed({**members, name: npy(array)}), tmp_path, message)
            return
    raise AssertionError("no tree has a split")


def test_effects_are_finite(files: Any, tmp_path: Path) -> None:
    manifest = json.loads(files["linear"]["manifest.json"])
    number = manifest["model"]["state"]["effect_coefficients_"]["array"]
    array = array_of(files["linear"], f"arrays/{number}.npy")
    for value in (np.nan, np.inf):
        members = {**files["linear"], f"arrays/{number}.npy": npy(array * value)}
        refused(packed(members), tmp_path, "gives no effect")


@pytest.mark.parametrize("with_data", [True, False])
def test_limits_are_those_of_the_columns(with_data: bool, tmp_path: Path) -> None:
    model = LinearMixedEffect(random_state=1).fit(X, Y, treatment=A, clusters=CLUSTERS)
    th.save(model, tmp_path / "model", with_data=with_data)
    with zipfile.ZipFile(tmp_path / "model") as zipped:
        members = {part: zipped.read(part) for part in zipped.namelist()}
    (limits,) = (
        node
        for node in nodes(json.loads(members["manifest.json"])["model"], "object")
        if node["class"] == "ColumnLimits"
    )
    name = f"arrays/{limits['state']['n_below']['array']}.npy"
    array = array_of(members, name)
    for spoilt in (array[1:], array[:, None], array.astype(float)):
        refused(packed({**members, name: npy(spoilt)}), tmp_path, "limits of its columns are not")
    name = f"arrays/{limits['state']['low']['array']}.npy"
    spoilt = array_of(members, name) * np.nan
    refused(packed({**members, name: npy(spoilt)}), tmp_path, "limits of its columns are no num")


def _field(key: str, value: str) -> Callable[[str], str]:
    """Give a key another value the first time that it occurs."""

    def change(text: str) -> str:
        before, _, after = text.partition(f"{key}=")
        assert after
        return f"{before}{key}={value}\n{after.partition(chr(10))[2]}"

    return change


@pytest.mark.parametrize("kind", ["boosting", "gpboost"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_field("num_class", "2"), "says num_class=2"),
        (_field("num_tree_per_iteration", "2"), "says num_tree"),
        (_field("label_index", "5"), "says label_index=5"),
        (_field("version", "v9"), "says version=v9"),
        (_field("objective", "regression sqrt"), "says objective"),
        (_field("max_feature_idx", "7"), "number of columns"),
        (_field("feature_infos", "none none"), "number of columns"),
        (_field("feature_infos", "none none [0:inf]"), "number of columns"),
        (lambda t: t.replace("label_index", "average_output\nlabel_index", 1), "has the line"),
        (lambda t: t.replace("label_index=0", "label_index=0\nlabel_index=0", 1), "has the line"),
        (lambda t: t.replace("\nnum_class=1", "", 1), "lacks num_class"),
        (_field("num_leaves", "3"), "tree 0 .* is damaged"),
        (_field("num_leaves", "-1"), "tree 0 .* is damaged"),
        (_field("num_cat", "1"), "splits on categories"),
        (_field("is_linear", "1"), "linear leaves"),
        (_field("left_child", "a"), "tree 0 .* is damaged"),
        (_field("split_feature", "9"), "tree 0 .* is damaged"),
        (_field("leaf_value", "nan"), "tree 0 .* is damaged"),
        (_field("shrinkage", "1e999"), "finite numbers"),
        (_field("shrinkage", "٣"), "finite numbers"),
        (lambda t: t.replace("decision_type=2", "decision_type=1", 1), "something else"),
        (lambda t: t.replace("threshold=", "threshold=nan ", 1), "tree 0 .* is damaged"),
        (lambda t: t.replace("is_linear=0", "is_linear=0\rnum_cat=1", 1), "linear leaves"),
        (lambda t: t.replace("is_linear=0", "is_linear=0\nunknown=1", 1), "'unknown'"),
        (lambda t: t.replace("Tree=1", "Tree=7", 1), "out of order"),
    ],
)
def test_boosting_is_told_what_we_write_and_no_more(
    kind: str, change: Any, message: str, files: Any
) -> None:
    text = files[kind]["texts/0.txt"].decode()
    with pytest.raises(ValueError, match=message):
        rewritten_boosting(change(text))


@pytest.mark.parametrize("kind", ["boosting", "gpboost"])
def test_rewritten_boosting_keeps_the_trees_and_leaves_the_rest(kind: str, files: Any) -> None:
    text = files[kind]["texts/0.txt"].decode()
    rewritten = rewritten_boosting(text + "\nmore lines that nobody asked for\n")
    assert rewritten_boosting(rewritten) == rewritten
    ours, theirs = (t.split("\nend of trees\n") for t in (rewritten, text))
    lines = [line for line in theirs[0].split("\n") if line[:11] != "tree_sizes="]
    assert [line for line in ours[0].split("\n") if line] == [line for line in lines if line]
    assert ours[1] == "\npandas_categorical:null\n"


def _with(path: str, value: Any) -> Callable[[Any], None]:
    def change(forests: Any) -> None:
        *parents, key = path.split("/")
        node = forests
        for parent in parents:
            node = node[int(parent) if isinstance(node, list) else parent]
        node[int(key) if isinstance(node, list) else key] = value

    return change


def split_tree(forests: Any) -> str:
    """Path of a tree with a split at the root."""
    return next(
        f"{forest}/{tree}"
        for forest in forests
        if forest.startswith("forest_")
        for tree in forests[forest]
        if tree.startswith("tree_") and forests[forest][tree]["left"][0] > 0
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("TREE/left/0", 0),
        ("TREE/left/0", 10**6),
        ("TREE/right/0", -3),
        ("TREE/right/0", 1.0),
        ("TREE/split_index/0", -1),
        ("TREE/split_index/0", 2**31),
        ("TREE/threshold/0", 1),
        ("TREE/leaf_value/0", None),
        ("TREE/parent/0", 0),
        ("TREE/node_type/0", 2),
        ("TREE/num_nodes", 10**6),
        ("TREE/num_deleted_nodes", 7),
        ("TREE/leaves", []),
        ("TREE/category_list", [1]),
        ("TREE/leaf_vector_end/0", 10**6),
        ("TREE/output_dimension", 2),
        ("TREE/has_categorical_split", True),
        ("TREE/new_key", 1),
        ("TREE", 0),
        ("forest_1/num_trees", 10**6),
        ("forest_1/output_dimension", True),
        ("forest_1/new_key", 1),
        ("num_samples", 10**6),
        ("num_trees", 3),
        ("is_leaf_constant", True),
        ("initialized", 1),
        ("forest_7", {}),
        ("new_key", 1),
    ],
)
def test_forests_are_told_what_we_write_and_no_more(path: str, value: Any, files: Any) -> None:
    text = files["bcf"]["texts/0.txt"].decode()
    forests = json.loads(text)
    n_trees = forests["num_trees"]
    rewritten = rewritten_forests(text, n_trees, leaf_constant=False)
    assert json.loads(rewritten.text) == forests
    _with(path.replace("TREE", split_tree(forests)), value)(forests)
    with pytest.raises((ValueError, KeyError)):
        rewritten_forests(json.dumps(forests), n_trees, leaf_constant=False)


def test_forests_that_split_beyond_the_last_column(files: Any, tmp_path: Path) -> None:
    forests = json.loads(files["bcf"]["texts/0.txt"])
    _with(f"{split_tree(forests)}/split_index/0", 7)(forests)
    members = {**files["bcf"], "texts/0.txt": json.dumps(forests).encode()}
    refused(packed(members), tmp_path, "split on column 8, but there are 3")


def test_a_file_starts_no_processes(files: Any, tmp_path: Path) -> None:
    def many(manifest: Any) -> None:
        for node in nodes(manifest["model"], "object"):
            if "n_jobs" in node["state"]:
                node["state"]["n_jobs"] = 10_000

    path = tmp_path / "many"
    path.write_bytes(with_manifest(files["ensemble"], many))
    model = th.load(path)
    parameters = model.get_params()
    jobs = {name: value for name, value in parameters.items() if name.endswith("n_jobs")}
    assert set(jobs.values()) == {1}
    assert all(member.n_jobs == 1 for member in model.members_.values())
