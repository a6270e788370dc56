"""Saved models: equal effects after loading, in another process too; spoilt files are refused."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import tauhat as th
from tauhat.ensembles import ConsensusAverage, ExternalEstimator, RobustEnsemble
from tauhat.learners import BayesianCausalForest, LinearMixedEffect, SLearner, XLearner
from tauhat.outcome import GPBoost, LinearMixedModel, MixedBART, RandomForest
from tauhat.saving import archive
from tauhat.saving.classes import known_classes

pytestmark = pytest.mark.usefixtures("short_chains")

RNG = np.random.default_rng(5)
CLUSTERS = np.repeat(np.arange(20), RNG.integers(5, 12, 20))
N = len(CLUSTERS)
X = pd.DataFrame(RNG.normal(size=(N, 3)), columns=["age", "bmi", "sbp"])
A = CLUSTERS % 2
Y = X["age"] + A * (1 + 2 * (X["bmi"] > 0)) + RNG.normal(size=20)[CLUSTERS] + RNG.normal(size=N)
NEW = pd.DataFrame(RNG.normal(size=(50, 3)), columns=X.columns)

SHORT: dict[str, Callable[[], Any]] = {
    "LMM": LinearMixedEffect,
    "LMM-lasso": lambda: th.estimator("LMM-lasso"),
    "GAMM": lambda: th.estimator("GAMM"),
    "BRM": lambda: th.estimator("BRM").set_params(n_chains=1, draws=30, burn_in=30),
    "BCF": lambda: BayesianCausalForest(n_chains=2, n_grow=4, n_burn_in=5, n_draws=10),
    "BCF-RE": lambda: BayesianCausalForest(
        n_chains=2, n_grow=4, n_burn_in=5, n_draws=10, random_intercept=True
    ),
    "BART-RE": lambda: SLearner(MixedBART(n_chains=2, n_grow=4, n_burn_in=5, n_draws=10)),
    "Effect-Boosting": lambda: th.estimator("Effect-Boosting").set_params(max_rounds=50),
    "GPBoost": lambda: XLearner(GPBoost(max_rounds=60, n_folds=3)),
    "X-Boosting": lambda: th.estimator("X-Boosting"),
    "X-RF": lambda: XLearner(RandomForest(n_estimators=20)),
    "MERF": lambda: th.estimator("S-MERF").set_params(outcome_model__n_estimators=20),
    "CF-DML": lambda: th.estimator("CF-DML-linear").set_params(n_estimators=40),
    "T-Linear": lambda: th.estimator("T-Linear"),
    "X-AGLM": lambda: th.estimator("X-AGLM"),
}
MEMBERS = [("LMM", LinearMixedEffect()), ("GAMM", th.estimator("GAMM")), ("RF", SHORT["X-RF"]())]


def fitted(name: str) -> Any:
    model = SHORT[name]().set_params(random_state=1)
    return model.fit(X, Y, treatment=A, clusters=CLUSTERS)


@pytest.fixture(scope="module")
def lmm() -> Any:
    return fitted("LMM")


@pytest.fixture(scope="module")
def robust() -> Any:
    return RobustEnsemble(MEMBERS, n_folds=2, random_state=1).fit(
        X, Y, treatment=A, clusters=CLUSTERS
    )


def saved(model: Any, folder: Path, **settings: Any) -> Path:
    path = folder / "model.tauhat"
    th.save(model, path, **settings)
    return path


@pytest.mark.filterwarnings("ignore::tauhat.TauhatWarning")
@pytest.mark.parametrize("name", list(SHORT))
def test_effects_are_equal_to_the_last_bit(name: str, tmp_path: Path) -> None:
    model = fitted(name)
    loaded = th.load(saved(model, tmp_path))
    assert type(loaded) is type(model)
    assert np.array_equal(loaded.effect(NEW), model.effect(NEW))
    assert loaded.get_params().keys() == model.get_params().keys()
    if model.has_draws:
        assert np.array_equal(loaded.effect_draws(NEW), model.effect_draws(NEW))
    # What was loaded can be saved again, and copied to another process.
    again = th.load(saved(loaded, tmp_path))
    assert np.array_equal(again.effect(NEW), model.effect(NEW))
    assert np.array_equal(pickle.loads(pickle.dumps(loaded)).effect(NEW), model.effect(NEW))


def test_intervals_and_attributes_are_equal(lmm: Any, tmp_path: Path) -> None:
    loaded: Any = th.load(saved(lmm, tmp_path))
    for ours, theirs in zip(loaded.effect_interval(NEW), lmm.effect_interval(NEW), strict=True):
        assert np.array_equal(ours, theirs)
    pd.testing.assert_frame_equal(loaded.coefficients_, lmm.coefficients_)
    assert loaded.variance_components_ == lmm.variance_components_
    assert loaded.feature_names_in_.tolist() == ["age", "bmi", "sbp"]
    assert np.array_equal(loaded.trial_data_.y, lmm.trial_data_.y)
    # The posterior, sampled by now, is kept and not sampled again.
    assert hasattr(th.load(saved(lmm, tmp_path)), "reference_posterior_")


def test_ensembles_with_their_explanation(robust: Any, tmp_path: Path) -> None:
    loaded: Any = th.load(saved(robust, tmp_path))
    assert np.array_equal(loaded.effect(NEW), robust.effect(NEW))
    assert loaded.weights_ == robust.weights_
    pd.testing.assert_frame_equal(loaded.agreement_, robust.agreement_)
    assert loaded.explain().text == robust.explain().text
    # The members share one copy of the trial, as before.
    assert loaded.members_["LMM"].trial_data_ is loaded.trial_data_
    consensus = robust.reaggregate(ConsensusAverage())
    assert np.array_equal(loaded.reaggregate(ConsensusAverage()).effect(NEW), consensus.effect(NEW))
    other: Any = th.load(saved(consensus, tmp_path))
    assert np.array_equal(other.effect(NEW), consensus.effect(NEW))


def test_a_fresh_process_gives_the_same_effects(robust: Any, tmp_path: Path) -> None:
    path = saved(robust, tmp_path)
    NEW.to_csv(tmp_path / "new.csv", index=False, float_format="%.17g")
    code = (
        "import sys, pandas, tauhat\n"
        "model = tauhat.load(sys.argv[1])\n"
        "print([value.hex() for value in model.effect(pandas.read_csv(sys.argv[2], "
        "float_precision='round_trip')).tolist()])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "new.csv")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str([value.hex() for value in robust.effect(NEW).tolist()])


@pytest.mark.parametrize("kind", ["lmm", "robust"])
def test_without_data_no_row_is_in_the_file(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(kind)
    path = saved(model, tmp_path, with_data=False)
    arms = {N, int(A.sum()), N - int(A.sum())}
    with zipfile.ZipFile(path) as zipped:
        for name in zipped.namelist():
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(zipped.read(name)))
                assert not arms & set(array.shape), (name, array.shape)
                assert not np.isin(model.trial_data_.y, array).any()
    loaded = th.load(path)
    assert np.array_equal(loaded.effect(NEW), model.effect(NEW))
    with pytest.raises(th.TrialError, match="with_data=False"):
        loaded.effect_interval(NEW)
    with pytest.raises(th.TrialError, match="with_data=False"):
        loaded.reference_posterior()
    with pytest.raises(ValueError, match="missing \\['bmi'\\]"):
        loaded.effect(NEW.drop(columns="bmi"))


def test_the_same_model_gives_the_same_bytes(lmm: Any, tmp_path: Path) -> None:
    first = saved(lmm, tmp_path).read_bytes()
    assert saved(lmm, tmp_path).read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["model.tauhat"]


def test_foreign_estimators_are_refused_by_name(tmp_path: Path) -> None:
    class Foreign:
        def fit(self, X: Any, y: Any, treatment: Any) -> None:
            self.model_ = LinearRegression().fit(X, y)

        def effect(self, X: Any) -> Any:
            return self.model_.predict(X)

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            return {}

    members = [("LMM", LinearMixedEffect()), ("outside", ExternalEstimator(Foreign()))]
    model = ConsensusAverage(members, random_state=1).fit(X, Y, treatment=A)
    with pytest.raises(th.TrialError, match=r"outside.*pickle works") as caught:
        saved(model, tmp_path)
    assert "without running code" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_saved(lmm: Any, tmp_path: Path) -> None:
    with pytest.raises(th.TrialError, match="not fitted"):
        th.save(LinearMixedEffect(), tmp_path / "model")
    with pytest.raises(th.TrialError, match="got LinearMixedModel"):
        th.save(LinearMixedModel(), tmp_path / "model")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(th.TrialError, match="cannot write"):
        th.save(lmm, tmp_path / "file" / "model")


def test_known_classes_are_of_tauhat_only() -> None:
    for name, kind in known_classes().items():
        assert kind.__module__.startswith("tauhat."), name
    for name in th.estimator_names(every=True):
        kind = type(th.estimator(name))
        assert known_classes()[kind.__name__] is kind


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def rewritten(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return path


def with_manifest(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    members = members_of(path)
    manifest = json.loads(members["manifest.json"])
    change(manifest)
    return rewritten(path, {**members, "manifest.json": json.dumps(manifest).encode()})


def test_files_that_are_no_models(lmm: Any, tmp_path: Path) -> None:
    path = tmp_path / "model"
    for data, message in [
        (b"", "not a whole zip file"),
        (pickle.dumps(lmm), "pickles are not read"),
        (b"PK\x03\x04 and no more", "not a whole zip file"),
    ]:
        path.write_bytes(data)
        with pytest.raises(th.TrialError, match=message):
            th.load(path)
    with pytest.raises(th.TrialError, match="has no manifest"):
        th.load(rewritten(path, {"other": b""}))
    for manifest in (b"{}", b"[]", b'{"format": "something else"}'):
        with pytest.raises(th.TrialError, match="another format"):
            th.load(rewritten(path, {"manifest.json": manifest}))
    for manifest in (b"", b"{", b"[" * 100_000, b"\xff\xfe", b"9" * 10_000):
        with pytest.raises(th.TrialError):
            th.load(rewritten(path, {"manifest.json": manifest}))
    with pytest.raises(th.TrialError, match="cannot read"):
        th.load(tmp_path)


def test_every_truncation_is_refused(lmm: Any, tmp_path: Path) -> None:
    data = saved(lmm, tmp_path).read_bytes()
    for length in np.linspace(0, len(data) - 1, 25).astype(int):
        (tmp_path / "cut").write_bytes(data[:length])
        with pytest.raises(th.TrialError):
            th.load(tmp_path / "cut")


def test_changed_bytes_never_end_in_another_error(lmm: Any, tmp_path: Path) -> None:
    data = bytearray(saved(lmm, tmp_path).read_bytes())
    rng = np.random.default_rng(1)
    for _ in range(50):
        spoilt = bytearray(data)
        spoilt[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
        (tmp_path / "spoilt").write_bytes(spoilt)
        try:
            loaded = th.load(tmp_path / "spoilt")
        except th.TrialError:
            continue
        assert np.isfinite(loaded.effect(NEW)).all()


def _replace(node: Any, kind: str, change: Callable[[dict[str, Any]], None]) -> bool:
    """Change the first node of a kind."""
    if isinstance(node, dict):
        if node.get("kind") == kind:
            change(node)
            return True
        node = list(node.values())
    return isinstance(node, list) and any(_replace(item, kind, change) for item in node)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(version=3), "version 3 .* reads version 2"),
        (lambda m: m.update(version="1"), "version '1'"),
        (lambda m: m.update(arrays=10**9), "damaged"),
        (lambda m: m.update(model=None), "no estimator"),
        (lambda m: m.update(model={"kind": "pickle"}), "damaged"),
        (lambda m: m["model"].update({"class": "os.system"}), "damaged"),
        (lambda m: m["model"].update({"class": "TrialData"}), "damaged"),
        (lambda m: m["model"]["state"].update(predict_effect=3), "predict_effect"),
        (lambda m: m["model"]["state"].update(__class__=3), "__class__"),
        (lambda m: m["model"]["state"].update(n_features_in_=10**12), "damaged"),
        (lambda m: m["model"]["state"].pop("effect_coefficients_"), "damaged"),
        (lambda m: _replace(m["model"], "array", lambda n: n.update(array=10**6)), "damaged"),
        (lambda m: _replace(m["model"], "strings", lambda n: n.update(shape=[7])), "damaged"),
    ],
)
def test_wrong_manifests(change: Any, message: str, lmm: Any, tmp_path: Path) -> None:
    path = with_manifest(saved(lmm, tmp_path), change)
    with pytest.raises(th.TrialError, match=message):
        th.load(path)


def test_members_that_no_manifest_asks_for(lmm: Any, tmp_path: Path) -> None:
    path = saved(lmm, tmp_path)
    members = members_of(path)
    for name in ("../outside", "/absolute", "arrays/../../outside", "extra.pkl"):
        with pytest.raises(th.TrialError, match="other members"):
            th.load(rewritten(path, {**members, name: b"text"}))
    assert sorted(found.name for found in tmp_path.iterdir()) == ["model.tauhat"]


def _npy(shape: str, descr: str = "'<f8'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    "array",
    [
        _npy("(1000000000000,)") + bytes(8),
        _npy("(1000000, 1000000)") + bytes(8),
        _npy("(-1,)") + bytes(8),
        _npy("(1,)", "'|O'") + pickle.dumps(np.array([None])),
        _npy("(1,)", "'<M8[s]'") + bytes(8),
        _npy("__import__('os')") + bytes(8),
        pickle.dumps([1, 2]),
        b"",
    ],
)
def test_arrays_that_are_not_what_they_claim(array: bytes, lmm: Any, tmp_path: Path) -> None:
    path = saved(lmm, tmp_path)
    with pytest.raises(th.TrialError, match="damaged"):
        th.load(rewritten(path, {**members_of(path), "arrays/0.npy": array}))


def test_a_file_that_unpacks_to_too_much_is_refused(
    lmm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(lmm, tmp_path)
    monkeypatch.setattr(archive, "_ALWAYS_ALLOWED", 10**5)
    monkeypatch.setattr(archive, "_MOST_EXPANSION", 10)
    bomb = {**members_of(path), "arrays/0.npy": bytes(10**7)}
    with pytest.raises(th.TrialError, match="far more than a model needs"):
        th.load(rewritten(path, bomb))


def test_a_saved_model_is_readable_by_its_owner_only(tmp_path):
    X, arm = np.random.default_rng(1).normal(size=(40, 2)), np.tile([0, 1], 20)
    th.save(th.estimator("LMM").fit(X, X[:, 0] * arm, treatment=arm), tmp_path / "m.tauhat")
    assert (tmp_path / "m.tauhat").stat().st_mode & 0o777 == 0o600
