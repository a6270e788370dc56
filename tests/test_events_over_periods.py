"""Events in stepped wedges and crossovers: risks of both arms, reports per 100, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import tauhat as th

ROLES: dict[str, Any] = {"outcome": "relapse", "treatment": "arm", "cluster": "ward"}
ROLES |= {"period": "half", "covariates": ["age"]}


def crossover(wards: int = 10, persons: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(4)  # ages are those of every cell, so that they adjust nothing
    ward, half = (
        np.repeat(np.arange(wards), 2 * persons),
        np.tile(np.repeat([0, 1], persons), wards),
    )
    arm = (ward + half) % 2
    risk = 0.25 + 0.15 * arm + 0.1 * half + 0.05 * rng.normal(size=wards)[ward]
    columns = {
        "ward": ward,
        "half": half,
        "arm": arm,
        "age": np.tile(np.arange(persons), 2 * wards),
    }
    return pd.DataFrame({**columns, "relapse": (rng.random(len(ward)) < risk).astype(int)})


def both_risks(df: pd.DataFrame) -> np.ndarray:
    """Risk of each arm, each person of a period the same, periods by their persons."""
    means = df.groupby(["half", "arm"]).relapse.mean().unstack()
    return np.average(means, axis=0, weights=df.groupby("half").size())


def test_risks_of_both_arms_and_their_ratio() -> None:
    df = crossover()
    found = th.average_effects(th.Trial(df, **ROLES))
    risks = found.individual_risks
    assert risks is not None
    assert risks.ratio is not None
    expected = both_risks(df)
    np.testing.assert_allclose([risks.control, risks.treated], expected, atol=1e-12)
    assert risks.difference == found.individual
    without = np.array([both_risks(df[df.ward != ward]) for ward in range(10)])
    logs = np.log(without[:, 1] / without[:, 0])
    error = np.sqrt(9 / 10 * ((logs - logs.mean()) ** 2).sum())
    half = stats.t.ppf(0.975, 8) * error
    told = np.log([risks.ratio.estimate, risks.ratio.lower, risks.ratio.upper])
    middle = np.log(expected[1] / expected[0])
    np.testing.assert_allclose(told, [middle, middle - half, middle + half], atol=1e-9)


def test_values_of_another_size_are_the_same_risks() -> None:
    df = crossover()
    risks = [
        th.average_effects(th.Trial(table, **ROLES)).individual_risks
        for table in (df, df.assign(relapse=2 + 5 * df.relapse))
    ]
    assert risks[0] is not None
    assert risks[1] is not None
    np.testing.assert_allclose(
        risks[0].table["estimate"].astype(float), risks[1].table["estimate"].astype(float)
    )


def test_clusters_of_one_size_have_one_average() -> None:
    difference = th.average_effects(th.Trial(crossover(), **ROLES)).difference
    assert difference is not None
    assert (difference.estimate, difference.se) == (0, 0)


def test_models_are_linear_and_reports_tell_risks(tmp_path: Path) -> None:
    trial = th.Trial(crossover(), **ROLES)
    assert (trial.endpoint.link, trial.endpoint.words.effect) == ("identity", "risk difference")
    assert trial.endpoint.largest_effect == 1
    done = th.analyze(trial, models="LMM", n_permutations=99)
    run = json.loads(json.dumps(done.to_json()))
    assert run["endpoint"]["in_risks"]
    estimate = run["average_effect"]["individual"]["estimate"]
    assert abs(estimate) < 1
    page = done.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"{100 * estimate:.1f} per 100 persons" in page
    assert "All models here are linear in its risk" in page
    assert f"{100 * run['average_risks']['individual']['treated']:.1f} of 100 persons" in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": "age"}, r"event= .* An outcome of 1 for the event within a fixed time"),
        ({"endpoint": "count"}, r"endpoint='count' .* Without endpoint= and exposure= their mean"),
        (
            {"exposure": "time", "endpoint": "count"},
            r"exposure= .* Without endpoint= and exposure=",
        ),
    ],
)
def test_times_and_counts_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(th.TrialError, match=message):
        th.Trial(crossover().assign(time=lambda df: df.age + 1), **{**ROLES, **change})


@pytest.mark.slow
@pytest.mark.parametrize("risk", [0.1, 0.3])
def test_averages_cover_and_the_test_keeps_its_size(risk: float) -> None:
    # 11 clusters over 5 periods, risks that differ by 10 points for everyone.
    covered, rejected = [], []
    for seed in range(60):
        rng = np.random.default_rng([seed, int(10 * risk)])
        ward, half = (part.ravel() for part in np.indices((11, 5)).repeat(12, axis=2))
        start = rng.permutation(np.resize([1, 2, 3, 4], 11))
        arm, age = (half >= start[ward]).astype(int), rng.normal(size=len(ward))
        logit = np.log(risk / (1 - risk)) + 0.1 * half + 0.5 * age
        logit += 0.4 * rng.normal(size=11)[ward] + 0.2 * rng.normal(size=(11, 5))[ward, half]
        chance = 1 / (1 + np.exp(-logit)) + 0.1 * arm
        event = (rng.random(len(ward)) < chance).astype(int)
        df = pd.DataFrame({"ward": ward, "half": half, "arm": arm, "age": age, "relapse": event})
        trial = th.Trial(df, **ROLES)
        found = th.average_effects(trial).individual
        covered.append(found.lower <= 0.1 <= found.upper)
        test = th.test_heterogeneity(trial, random_state=seed, n_permutations=199)
        rejected.append(test.p_value <= 0.05)
    # Of 60 at .95 and .05, bounds that chance passes once in a thousand times.
    assert np.mean(covered) >= 0.85
    assert np.mean(rejected) <= 0.15
