"""The endpoint: what was measured, asked in one place; and sample weights of a trial."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat import data as data_module
from tauhat import endpoint as endpoint_room
from tauhat.analysis import analyze
from tauhat.cli import main
from tauhat.data import validate_trial
from tauhat.endpoint import KINDS, Endpoint, OutcomeKind, Words, effective_size
from tauhat.endpoint.binary import BINARY
from tauhat.endpoint.continuous import CONTINUOUS
from tauhat.errors import TrialError
from tauhat.fitting.learning_view import learning_view
from tauhat.numerics import ordering

ROOT = Path(__file__).resolve().parent.parent
ROOM = Path(endpoint_room.__file__).parent


def table(n: int = 200, seed: int = 1) -> pd.DataFrame:
    """Persons in sites with different shares of treated; a score and whether it is high."""
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n), "site": np.arange(n) % 4})
    df["arm"] = (rng.random(n) < np.array([0.3, 0.5, 0.5, 0.7])[df.site]).astype(int)
    df["score"] = df.x + df.site + df.arm * (0.5 + 0.5 * df.z) + rng.normal(size=n)
    df["high"] = (df.score > 1.5).astype(int)
    df["w"] = rng.uniform(0.5, 3.0, n).round(2)
    return df


def trial_of(outcome: str, df: pd.DataFrame | None = None, **more: Any) -> th.Trial:
    df = table() if df is None else df
    return th.Trial(df, outcome=outcome, treatment="arm", covariates=["x", "z"], **more)


# The kinds.


def test_the_kind_is_told_by_the_values_or_by_the_user() -> None:
    assert trial_of("score").endpoint == Endpoint("continuous", np.inf)
    assert trial_of("high").endpoint == Endpoint("binary", 1.0, codes=(0.0, 1.0))
    assert trial_of("high", table().assign(high=lambda d: 1 + 2 * d.high)).endpoint == Endpoint(
        "binary", 2.0, codes=(1.0, 3.0)
    )
    scores = trial_of("high", endpoint="continuous")
    assert scores.endpoint.largest_effect == np.inf
    assert scores.fit("T-Linear").trial_data_.endpoint is scores.endpoint


def test_a_kind_that_does_not_fit_or_does_not_exist_is_refused() -> None:
    with pytest.raises(TrialError, match="outcome column 'score' has 200 different values"):
        trial_of("score", endpoint="binary")
    with pytest.raises(
        TrialError,
        match="one of binary, continuous, count, rmst, survival, time-lost, got 'shares'",
    ):
        trial_of("score", endpoint="shares")


def test_variances_means_and_bounds_of_the_kinds() -> None:
    mean = np.array([-0.1, 0.2, 0.5, 1.3])
    np.testing.assert_allclose(BINARY.variance(mean), [0, 0.16, 0.25, 0])
    np.testing.assert_allclose(CONTINUOUS.variance(mean), 1)
    np.testing.assert_array_equal(CONTINUOUS.marginal_mean(mean, 2.0), mean)
    # Risks of new clusters are nearer to one half than that of the average cluster.
    risk, average = BINARY.marginal_mean(mean, 2.0), 1 / (1 + np.exp(-mean))
    assert (np.abs(risk - 0.5) < np.abs(average - 0.5)).all()
    for kind in KINDS.values():
        assert (kind.name, kind.scales[0]) == (KINDS[kind.name].name, "difference")
    np.testing.assert_array_equal(Endpoint("binary", 1.0).bounded(5 * mean), [-0.5, 1, 1, 1])
    np.testing.assert_array_equal(Endpoint().bounded(5 * mean), 5 * mean)


def asks_for_a_kind(source: str) -> list[int]:
    """Lines that compare with the name of a kind, or import one."""
    found: list[int] = []
    # To read all modules node by node takes seconds.
    if not re.search("kind|endpoint", source):
        return found
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            if node.module in {f"tauhat.endpoint.{name}" for name in KINDS}:
                found.append(node.lineno)
            continue
        if not isinstance(node, ast.Compare | ast.Match):
            continue
        text = ast.unparse(node.subject if isinstance(node, ast.Match) else node)
        named = any(f"'{name}'" in text for name in KINDS) and re.search("kind|endpoint", text)
        if named or re.search(r"kind_name|kind\.name|isinstance.*kind", text):
            found.append(node.lineno)
    return found


def test_nothing_outside_the_room_asks_for_the_name_of_a_kind() -> None:
    for bad in (
        "if data.endpoint.kind_name == 'binary': pass",
        "if trial.endpoint.kind.name in names: pass",
        "x = run['endpoint']['kind'] != 'continuous'",
        "from tauhat.endpoint.binary import BINARY",
        "match endpoint.kind.name:\n    case 'binary': pass",
    ):
        assert asks_for_a_kind(bad) == [1], bad
    assert asks_for_a_kind("if self.encoding == 'continuous': pass") == []
    found = {
        str(path): asks_for_a_kind(path.read_text(encoding="utf-8"))
        for path in (ROOT / "src" / "tauhat").rglob("*.py")
        if ROOM not in path.parents
    }
    assert {path: lines for path, lines in found.items() if lines} == {}


# "Add an outcome kind" in CONTRIBUTING.md, followed to the letter.


def is_share(values: np.ndarray) -> bool:
    return bool((values >= 0).all() and (values <= 1).all() and len(np.unique(values)) > 2)


def beyond_shares(values: np.ndarray) -> str | None:
    outside = int(((values < 0) | (values > 1)).sum())
    return f"has {outside} values that are no shares" if outside else None


def whole(values: np.ndarray) -> float:
    return 1.0


SHARE = OutcomeKind(
    name="share",
    is_plain=is_share,
    fault=beyond_shares,
    largest_effect=whole,
    link="identity",
    marginal_mean=CONTINUOUS.marginal_mean,
    variance=BINARY.variance,
    scales=("difference",),
    words=Words(
        effect="difference",
        values="shares",
        note="The outcome is a share; effects are differences between shares.",
        beyond="an outcome between 0 and 1 allows",
    ),
)


@pytest.mark.usefixtures("quick_run")
def test_a_kind_added_as_contributing_says_goes_through_an_analysis(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.split("## How to add an outcome kind")[1].split("\n## ")[0]
    for field in OutcomeKind.__dataclass_fields__:
        assert f"`{field}`" in section, field
    for path in re.findall(r"`(src/[\w/]+\.py|tests/[\w/]+\.py)`", section):
        assert path == "src/tauhat/endpoint/share.py" or (ROOT / path).is_file(), path
    monkeypatch.setattr(endpoint_room.endpoint, "KINDS", {"share": SHARE, **KINDS})
    df = table()
    # Steep enough that straight lines go beyond what is possible.
    df["share"] = np.clip(0.5 + 0.5 * np.sign(df.z) * (2 * df.arm - 1) + 0.02 * df.x, 0, 1)
    trial = trial_of("share", df)
    found = analyze(trial, models=["T-Linear"], random_state=1, n_permutations=49)
    assert found.effects.effect.abs().max() == 1 < found.model.predict_effect(trial.X).max()
    assert "differences between shares" in found.check.text
    record = found.to_json()["endpoint"]
    assert (record["kind"], record["scale"], record["largest_effect"]) == ("share", "difference", 1)
    page = found.to_html()
    assert "Effects are differences in share, treated minus control" in page
    assert "larger than an outcome between 0 and 1 allows" in page
    with pytest.raises(TrialError, match="values that are no shares"):
        trial_of("score", df, endpoint="share")


# One validation, one order, the user's rows and labels.


@pytest.mark.usefixtures("quick_run")
@pytest.mark.filterwarnings("ignore")
def test_an_analysis_validates_and_sorts_its_trial_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"validate": 0, "sort": 0}
    comparable, sort = data_module.comparable_rows, ordering.canonical_order

    def counted_validation(*arguments: Any) -> Any:
        calls["validate"] += 1
        return comparable(*arguments)

    def counted_sort(*arguments: Any) -> Any:
        calls["sort"] += 1
        return sort(*arguments)

    monkeypatch.setattr(data_module, "comparable_rows", counted_validation)
    monkeypatch.setattr("tauhat.design.comparable_rows.canonical_order", counted_sort)
    analyze(trial_of("score", block="site"), models=["LMM"], random_state=1, n_permutations=49)
    assert calls == {"validate": 1, "sort": 1}


def test_the_data_of_a_trial_know_the_rows_and_labels_of_the_user() -> None:
    df = table(60).assign(clinic=[f"c{k}" for k in np.arange(60) % 12])
    df["arm"] = (np.arange(60) % 12) % 2
    df.loc[[3, 17], "score"] = np.nan
    trial = trial_of("score", df.drop(columns="site"), cluster="clinic")
    data = trial.data
    np.testing.assert_array_equal(trial.y[data.rows], data.y)
    np.testing.assert_array_equal(df.score.to_numpy()[trial.rows[data.rows]], data.y)
    np.testing.assert_array_equal(trial.clusters[data.rows], data.unit_labels[data.clusters])
    some = data.take(data.clusters >= 7)
    np.testing.assert_array_equal(trial.clusters[some.rows], some.unit_labels[some.clusters])
    assert trial.data is data


def test_the_outcome_stays_and_learners_must_have_their_view() -> None:
    data = trial_of("score", block="site").data
    model = th.estimator("LMM").fit_data(data)
    seen = model.trial_data_
    np.testing.assert_array_equal(seen.y, data.y)
    assert np.abs(seen.working - data.y).max() > 0.5
    np.testing.assert_array_equal(seen.as_it_is().working, data.y)
    with pytest.raises(ValueError, match="learners' view"):
        th.estimator("LMM").fit_with(data, {}, 1)
    np.testing.assert_array_equal(learning_view(data).working, seen.working)


# Weights.


@pytest.mark.usefixtures("quick_run")
def test_a_trial_carries_weights_to_every_step() -> None:
    df = table()
    trial = trial_of("score", df, weight="w")
    assert "w" not in trial.covariate_names
    arrays = (trial.X, trial.y, trial.treatment, None, df.w.to_numpy())
    data = validate_trial(*arrays)
    np.testing.assert_array_equal(trial.data.sample_weight, data.sample_weight)
    by_hand = th.estimator("LMM").fit(*arrays).effect(trial.X)
    np.testing.assert_array_equal(trial.fit("LMM").effect(trial.X), by_hand)
    np.testing.assert_array_equal(th.estimator("LMM").fit(*trial).effect(trial.X), by_hand)
    assert np.abs(by_hand - trial_of("score", df).fit("LMM").effect(trial.X)).max() > 1e-3
    found = analyze(trial, models=["LMM"], random_state=1, n_permutations=49)
    np.testing.assert_array_equal(found.effects.effect, by_hand)
    assert found.average_effects.individual == th.average_effects(arrays).individual
    assert found.to_json()["endpoint"]["weight"] == "w"
    assert "every person counts by the weights in w" in found.to_html()


def test_the_check_says_what_weights_leave_of_the_sample() -> None:
    df = table()
    size = effective_size(df.w.to_numpy())
    assert size == pytest.approx(df.w.sum() ** 2 / (df.w**2).sum())
    note = next(n for n in trial_of("score", df, weight="w").check().notes if "weights (w)" in n)
    assert f"tell as much as {size:.0f} of equal weight" in note
    df.loc[:9, "w"] = 1e6
    trial = trial_of("score", df, weight="w")
    assert any("as much as 10 of equal weight" in text for text in trial.check().warnings)
    assert ("weights", "w, effective sample size 10.0") in list(
        trial.table.itertuples(index=False, name=None)
    )


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.nan, "'w' is missing for 1 of 199 persons"),
        (0.0, "'w' has 1 zero;"),
        (-2.0, "'w' has 1 negative value;"),
        (np.inf, "'w' holds 1 infinite"),
    ],
)
def test_bad_weights_are_refused_where_there_is_an_outcome(bad: float, words: str) -> None:
    df = table()
    df.loc[[4, 7], "w"] = bad
    df.loc[7, "score"] = np.nan
    with pytest.raises(TrialError, match=words):
        trial_of("score", df, weight="w")
    df.loc[4, "w"] = 1.0
    # Who has no outcome counts too, but among complete cases.
    with pytest.raises(TrialError, match="'w'"):
        trial_of("score", df, weight="w")
    assert trial_of("score", df, weight="w", missing="complete-cases").n == 199


def test_weights_that_are_another_column_or_words_are_refused() -> None:
    df = table()
    with pytest.raises(TrialError, match="cannot be both outcome and weight"):
        trial_of("score", df, weight="score")
    with pytest.raises(TrialError, match="weight: there is no column 'v'"):
        trial_of("score", df, weight="v")
    with pytest.raises(TrialError, match="not numbers"):
        trial_of("score", df.assign(w="heavy"), weight="w")


def test_tied_rows_with_other_weights_do_not_depend_on_their_order() -> None:
    df = table(80).round(0).assign(site=0, arm=np.arange(80) % 2)
    df["w"] = np.random.default_rng(3).uniform(1, 4, 80)
    shuffled = df.sample(frac=1, random_state=4)
    first, second = (trial_of("score", one, weight="w").data for one in (df, shuffled))
    np.testing.assert_array_equal(first.sample_weight, second.sample_weight)


def test_the_command_takes_weights_and_the_kind(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "trial.csv"
    table().to_csv(path, index=False)
    words = ["check", str(path), "--treatment", "arm", "--covariates", "x,z"]
    assert main([*words, "--outcome", "high", "--weight", "w", "--endpoint", "binary"]) == 0
    said = capsys.readouterr().out
    assert "effective sample size" in said
    assert "risk differences" in said
    assert main([*words, "--outcome", "score", "--endpoint", "binary"]) == 2
    assert "a binary outcome has two" in capsys.readouterr().err
    config = tmp_path / "trial.toml"
    config.write_text('file = "trial.csv"\noutcome = "score"\ntreatment = "arm"\nweight = "z"\n')
    assert main(["check", "--config", str(config)]) == 2
    assert "weight column 'z' has" in capsys.readouterr().err
