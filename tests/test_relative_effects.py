"""One odds ratio for everyone is a null hypothesis of its own where the outcome is an event."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tauhat.analysis.relative_effects import effects_by_risk
from tauhat.data import validate_trial
from tauhat.errors import TrialError
from tauhat.inference import test_heterogeneity as heterogeneity
from tauhat.inference.relative_scale import on_log_odds
from tauhat.learners.catalog import single_estimator
from tauhat.simulate import scenario

FEW = {"random_state": 1, "n_permutations": 199}


def p_values(name: str, size: int | None, trials: int, **settings: Any) -> np.ndarray:
    design = scenario(name, **settings)
    drawn = (design.draw(size, 100 + number) for number in range(trials))
    scales = ("difference", "odds ratio")
    return np.array([[heterogeneity(t, scale=s, **FEW).p_value for s in scales] for t in drawn])


def test_one_strong_odds_ratio_makes_differences_differ_and_not_itself() -> None:
    found = p_values("binary", 1500, 7, base_risk=0.1, effect="odds-ratio", effect_scale=2.0)
    assert np.median(found[:, 0]) < 0.05
    assert np.median(found[:, 1]) > 0.2


def test_odds_ratios_that_differ_are_found_in_clusters() -> None:
    settings = {"n_clusters": 30, "mean_size": 60, "effect": "linear-log-odds"}
    found = p_values("crt-binary", None, 4, base_risk=0.4, effect_scale=1.5, **settings)
    assert np.median(found[:, 1]) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [12, 40, None])
def test_the_size_holds_under_one_odds_ratio(clusters: int | None) -> None:
    settings = {} if clusters is None else {"n_clusters": clusters, "mean_size": 30, "icc": 0.05}
    name, size = ("binary", 500) if clusters is None else ("crt-binary", None)
    found = p_values(name, size, 400, base_risk=0.2, effect="odds-ratio", **settings)
    assert (found[:, 1] <= 0.05).mean() <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 400)


def test_scores_add_up_to_those_of_the_logistic_regression() -> None:
    rng = np.random.default_rng(3)
    X, A = rng.normal(size=(3000, 1)), np.arange(3000) % 2
    y = rng.random(3000) < 1 / (1 + np.exp(1 - X[:, 0] - A))
    made = on_log_odds(validate_trial(X, y, A))
    assert made.sample_weight is not None
    score = made.y * made.sample_weight
    # The fit solves these equations, next to weak priors and, of the line, a ridge.
    for column, size in ((np.ones(3000), 0.01), (made.treatment, 0.01), (made.X[:, 0], 0.1)):
        assert abs(score @ column) < size * np.sqrt((score**2) @ column**2)
    # An interaction that is there is left.
    assert abs(score @ (made.X[:, 0] * (made.treatment - 0.5))) < 3 * np.sqrt((score**2).sum())


@pytest.mark.parametrize("codes", [(1.0, 2.0), (0.0, 100.0)])
def test_codes_of_the_event_do_not_matter(codes: tuple[float, float]) -> None:
    drawn = scenario("crt-binary", n_clusters=16).draw(random_state=2)
    X, y, arm, clusters = drawn.X, np.asarray(drawn.y), drawn.treatment, drawn.clusters
    plain = heterogeneity((X, y, arm, clusters), scale="odds ratio", **FEW)
    coded = np.where(y == 1, codes[1], codes[0])
    assert heterogeneity((X, coded, arm, clusters), scale="odds ratio", **FEW).p_value == (
        pytest.approx(plain.p_value)
    )
    assert "odds ratio" in plain.text
    assert plain.scale == "odds ratio"


def test_rows_may_come_in_any_order() -> None:
    drawn = scenario("binary").draw(300, random_state=4)
    order = np.random.default_rng(1).permutation(300)
    arrays = drawn.X.to_numpy(), np.asarray(drawn.y), np.asarray(drawn.treatment)
    plain = heterogeneity(arrays, scale="odds ratio", **FEW)
    mixed = heterogeneity(tuple(a[order] for a in arrays), scale="odds ratio", **FEW)
    assert mixed.statistic == pytest.approx(plain.statistic, rel=1e-9)


def test_an_odds_ratio_needs_an_event() -> None:
    drawn = scenario("linear").draw(100, random_state=1)
    with pytest.raises(TrialError, match="needs an outcome with two values"):
        heterogeneity(drawn, scale="odds ratio")
    with pytest.raises(TrialError, match="scale must be one of difference, odds ratio"):
        heterogeneity(drawn, scale="ratio")


def test_effects_by_risk_follow_the_model_of_one_odds_ratio() -> None:
    drawn = scenario("binary", base_risk=0.2).draw(800, random_state=5)
    model = single_estimator("Constant-Odds-Ratio", random_state=1).fit(*drawn)
    X = drawn.X.to_numpy(dtype=np.float64)
    table = effects_by_risk(model, X, model.effect(X))
    assert table.persons.tolist() == [160] * 5 or table.persons.sum() == 800
    assert table.risk.is_monotonic_increasing
    # The same model on both sides.
    assert np.abs(table.effect - table.one_odds_ratio).max() < 0.02
    assert table.one_odds_ratio.iloc[3] > table.one_odds_ratio.iloc[0] > 0


def test_persons_whom_covariates_do_not_tell_apart_are_one_group_by_risk() -> None:
    # No covariate predicts: risks that differ by nothing are no gradient.
    rng = np.random.default_rng(8)
    X, arm = rng.normal(size=(400, 5)), np.arange(400) % 2
    model = single_estimator("LMM", random_state=1).fit(
        X, rng.random(400) < 0.45 - 0.2 * arm, treatment=arm
    )
    table = effects_by_risk(model, X, model.effect(X))
    assert table.persons.tolist() == [400]
    assert table.risk.iloc[0] == pytest.approx(0.45, abs=0.08)
