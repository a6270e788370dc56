"""The table of estimators is true: every name is fitted; and the pages show it as it is."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import estimators
import numpy as np
import pytest

import tauhat as th
from tauhat.cli import main
from tauhat.data import validate_trial
from tauhat.design import Clusters, Persons
from tauhat.endpoint import KINDS, FollowUp
from tauhat.ensembles.robust import INDIVIDUAL_MEMBERS
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.registered import AS_NUMBERS, RATES_AS_NUMBERS, RegisteredEstimator
from tauhat.learners.catalog import single_estimator, single_names
from tauhat.learners.outcome_models import OUTCOME_MODELS, outcome_model
from tauhat.registry import DESIGNS, ENSEMBLES, ESTIMATORS, PAPER_NAMES, estimator, registered

ROOT = Path(__file__).resolve().parent.parent
N, CLUSTER_SIZE = 96, 6

# An outcome of each kind, from one that is normal.
OUTCOMES = {
    "continuous": lambda latent: latent,
    "binary": lambda latent: (latent > 0.5).astype(float),
    "rmst": lambda latent: np.minimum(np.exp(latent), 3.0),
}
# A second or more for all the fits of one of them.
SLOW = {
    "Robust", "Stacked-X", "DR-RF", "X-RF", "X-BART", "CF-DML-linear", "CF-DML-forest", "MERF",
    "GPBoost", "MEGB", "MERT-Boosting", "REEM-Boosting", "Effect-Boosting", "X-GAMM-RF",
    "R-Stacking", "Causal-Stacking", "Q-Aggregation", "Exponential", "Additive-Boosting",
    "T-Stacking", "GPBoost-textbook",
}  # fmt: skip
COMBINATIONS = [name for name in single_names() if name not in ESTIMATORS]


def slow(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow)


def kinds_tried(name: str) -> list[str]:
    """What is made of a time is a number like others: fitted as one where numbers are taken."""
    return [k for k in OUTCOMES if k != "rmst" or "continuous" in registered(name).refuses]


NAMES = [slow(name) if name in SLOW else name for name in ESTIMATORS]
EVERY_NAME = [*NAMES, *map(slow, COMBINATIONS)]
NAMES_AND_KINDS = [
    pytest.param(
        name, kind, marks=pytest.mark.slow if name not in ESTIMATORS or name in SLOW else ()
    )
    for name in [*ESTIMATORS, *COMBINATIONS]
    for kind in kinds_tried(name)
]


def quick(name: str) -> CateEstimator:
    """An estimator at the settings of the bootstrap, or with few and quick members."""
    made = estimator(name, random_state=1)
    if name == "Stacked-X":
        return made.set_params(members=[(part, outcome_model(part)) for part in ("LMM", "Linear")])
    if name in ENSEMBLES:
        return made.set_params(
            members=[(part, single_estimator(part)) for part in ("LMM", "T-LMM", "X-LMM")]
        )
    return made.reduced()


def arguments(design: str, kind: str, n: int = N) -> dict[str, Any]:
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)])
    units = np.repeat(np.arange(n // CLUSTER_SIZE), CLUSTER_SIZE)
    units = units if design == "cluster" else np.arange(n)
    latent = X[:, 0] * (0.5 + units % 2) + 0.5 * (units % 2) + rng.normal(size=n)
    latent += 0.6 * (np.arange(n) // 24)  # levels of the blocks
    clusters = units if design == "cluster" else None
    return {"X": X, "y": OUTCOMES[kind](latent), "treatment": units % 2, "clusters": clusters}


@cache
def fitted(name: str, design: str, kind: str, extra: str = "", n: int = N) -> CateEstimator:
    given = arguments(design, kind, n)
    if extra == "weights":
        given["sample_weight"] = np.where(np.arange(n) % 3 == 0, 3.0, 1.0)
    if extra == "blocks":
        given["blocks"] = np.arange(n) // 24
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short chains, few trees
        if KINDS[kind].time is None:
            return quick(name).fit(**given)
        cause = (given["y"] < 3).astype(int)
        data = validate_trial(**given, endpoint=kind, cause=cause, follow_up=FollowUp(2.5))
        return quick(name).fit_data(data)


def first_kind(record: RegisteredEstimator) -> str:
    """A kind of outcome that an estimator does not refuse: continuous if it can be."""
    return next(kind for kind in OUTCOMES if kind not in record.refuses)


def test_every_design_and_kind_of_outcome_is_tried() -> None:
    times = [kind.name for kind in KINDS.values() if kind.time is not None]
    assert set(OUTCOMES) | set(times) | {"count"} == set(KINDS)
    for record in ESTIMATORS.values():
        # Whoever takes numbers takes what is made of a time alike.
        numbers = [] if "continuous" in record.refuses else ["continuous"]
        for design in DESIGNS:
            levels = {record.support(design, kind).verdict for kind in (*times, *numbers)}
            assert len(levels) == 1
            # Rates are numbers to all but those that model their logs.
            asked = record.support(design, "count")
            if design in record.rates_for:
                assert asked.verdict == "meant"
            elif record.support(design, "continuous").verdict == "meant":
                assert (asked.verdict, asked.because) == ("possible", RATES_AS_NUMBERS)
            elif "count" not in record.refuses:
                assert asked == record.support(design, "continuous")
    assert list(DESIGNS) == [Persons.name, Clusters.name]


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize(("name", "kind"), NAMES_AND_KINDS)
def test_fits_or_refuses_as_the_table_says(name: str, design: str, kind: str) -> None:
    if registered(name).support(design, kind).verdict == "refused":
        with pytest.raises(th.TrialError):
            fitted(name, design, kind)
        return
    effect = fitted(name, design, kind).effect(arguments(design, kind)["X"])
    assert effect.std() > 0
    assert np.abs(effect).max() <= fitted(name, design, kind).trial_data_.endpoint.largest_effect
    if name not in ENSEMBLES:
        # What the table says of events is what is fitted.
        has_risks = KINDS[kind].link != "identity" and bool(registered(name).risks_for)
        assert fitted(name, design, kind).models_risks == has_risks


@pytest.mark.parametrize("name", NAMES)
def test_fits_with_clusters_in_one_arm(name: str) -> None:
    kind = first_kind(registered(name))
    given = arguments("cluster", kind)
    grouped = np.arange(N) < N // 2
    given |= {"treatment": grouped.astype(int)}
    given["clusters"] = np.where(grouped, np.arange(N) // CLUSTER_SIZE, np.arange(N))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if KINDS[kind].time is None:
            model = quick(name).fit(**given)
        else:
            cause = (given["y"] < 3).astype(int)
            data = validate_trial(**given, endpoint=kind, cause=cause, follow_up=FollowUp(2.5))
            model = quick(name).fit_data(data)
    assert model.trial_data_.design.name == "clusters in one arm"
    assert np.isfinite(model.effect(given["X"])).all()


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name", EVERY_NAME)
def test_draws_weights_and_blocks_are_as_the_table_says(name: str, design: str) -> None:
    record = registered(name)
    kind = first_kind(record)
    X, plain = arguments(design, kind)["X"], fitted(name, design, kind)
    if record.has_draws:
        assert plain.effect_draws(X).shape[1] == N
    else:
        with pytest.raises(NotImplementedError):
            plain.effect_draws(X)
    weighted = fitted(name, design, kind, "weights").effect(X)
    assert record.uses_weights != np.allclose(weighted, plain.effect(X), atol=1e-6)
    blocked = fitted(name, design, kind, "blocks")
    assert not np.allclose(blocked.effect(X), plain.effect(X), atol=1e-6)
    components = getattr(blocked, "variance_components_", None)
    has_intercept = components is not None and components.between_block is not None
    assert has_intercept == (record.block_intercepts == "intercept")


@pytest.mark.parametrize("n_clusters", [4, 6])
@pytest.mark.parametrize("name", EVERY_NAME)
def test_needs_as_many_clusters_as_the_table_says(name: str, n_clusters: int) -> None:
    n, kind = n_clusters * CLUSTER_SIZE, first_kind(registered(name))
    if n_clusters // 2 < registered(name).fewest_units:
        with pytest.raises(th.TrialError, match="at least 3 clusters in each arm"):
            fitted(name, "cluster", kind, n=n)
    else:
        model = fitted(name, "cluster", kind, n=n)
        assert np.isfinite(model.effect(arguments("cluster", kind, n)["X"])).all()


def test_whoever_is_not_meant_for_a_design_has_a_reason() -> None:
    for name in [*ESTIMATORS, *COMBINATIONS]:
        record = registered(name)
        assert bool(record.elsewhere) == (set(record.meant_for) != set(DESIGNS)), name
        assert record.description
        assert record.source
        assert ("member of `Robust`" in record.elsewhere) == (
            name in INDIVIDUAL_MEMBERS and "individual" not in record.meant_for
        )


def test_names_by_design_come_from_the_table() -> None:
    individual, cluster = (th.estimator_names(design) for design in DESIGNS)
    assert set(PAPER_NAMES) | {"BCF", "Robust"} <= set(individual)
    assert {"LMM", "BRM", "CBA"} <= set(cluster)
    assert {"T-Linear", "BCF"}.isdisjoint(cluster)
    assert {"LMM", "X-LMM"}.isdisjoint(individual)
    everything = th.estimator_names(every=True)
    assert len(everything) == len(set(everything))
    assert set(everything) == {*ESTIMATORS, *COMBINATIONS}
    assert set(everything) - set(COMBINATIONS) - set(th.estimator_names()) == {
        "MERF-textbook",
        "GPBoost-textbook",
    }


def test_the_pages_show_the_table_as_it_is() -> None:
    for page in ("estimators.md", "methods.md"):
        text = (ROOT / "docs" / page).read_text("utf-8")
        assert estimators.with_tables(page, text) == text, (
            f"python docs/estimators.py renews {page}"
        )
        assert any(where == page for where, _ in estimators.TABLES)
    assert all(f"`{name}`" in estimators.outcome_model_table() for name in OUTCOME_MODELS)


def test_what_is_refused_stands_on_the_page_and_the_command_line_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = RegisteredEstimator(
        ESTIMATORS["LMM"].make,
        "for risks only",
        "nobody",
        ("individual", "cluster"),
        risks_for=("individual", "cluster"),
        refuses=dict.fromkeys(set(KINDS) - {"binary"}, "a risk has two values"),
    )
    monkeypatch.setitem(ESTIMATORS, "Risks", record)
    assert record.support("cluster", "binary").verdict == "meant"
    table = estimators.support_table()
    row = next(line for line in table.splitlines() if line.startswith("| `Risks` "))
    number = table.split(". a risk has two values\n")[0].rsplit("\n", 1)[-1]
    assert row.startswith(
        f"| `Risks` | yes | no ({number}) | no ({number}) | no ({number}) | yes |"
    )
    assert main(["estimators"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Risks does not support continuous, because a risk has two values." in said


def test_the_command_says_why_not_and_what_effects_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimators"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"BCF: {registered('BCF').elsewhere.replace('`', '')}." in said
    assert "binary (risk difference, cut at what an outcome with two values allows)" in said
    drawn = "S-BART, Constant-Odds-Ratio, Risk, BART-RE, BCF-RE, BRM, BCF"
    assert f"With posterior draws: {drawn}; of the risks of an event also LMM, GAMM." in said
    assert "These model the risks of an event: LMM, GAMM, Constant-Odds-Ratio, Risk." in said


def test_models_of_risks_are_meant_for_events_and_numbers_are_not() -> None:
    for design in DESIGNS:
        for name in ("LMM", "GAMM", "Constant-Odds-Ratio", "Risk", "Robust", "CBA"):
            assert registered(name).support(design, "binary").verdict == "meant"
    assert registered("X-RF").support("individual", "binary").because == AS_NUMBERS
    assert registered("X-GAMM-RF").support("cluster", "binary").because == AS_NUMBERS
    # The design comes first.
    assert registered("X-RF").support("cluster", "binary").because != AS_NUMBERS
    assert registered("X-RF").support("individual", "continuous").verdict == "meant"
    assert registered("GAMM").draws_risks
    assert not registered("X-RF").draws_risks
