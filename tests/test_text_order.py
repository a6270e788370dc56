"""The order of periods that are text: what text says, and what it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.tables.text_order import PAIRS, order_of_texts


@pytest.mark.parametrize(
    "in_order",
    [
        *map(list, PAIRS),
        ["Before", "AFTER"],
        ["pre-intervention", "post-intervention"],
        ["baseline", "followup"],
        ["Baseline", "3 months", "12 months"],
        ["1 month", "2 months", "10 months"],
        ["month -1", "month 0", "month 1"],
        ["M2", "M10"],
        ["1st wave", "2nd wave"],
        ["1 usual", "2 new"],
        ["1-3 months", "4-6 months"],
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun"],
        ["April", "May", "June"],
        ["Dec 2023", "Jan 2024"],
        ["15.01.2024", "03.02.2024"],
        ["2023-12", "2024-02"],
    ],
)
def test_text_that_says_its_order(in_order: list[str]) -> None:
    for texts in (in_order, in_order[::-1], sorted(in_order)):
        order = order_of_texts(texts)
        assert order is not None
        assert [texts[k] for k in order] == in_order


@pytest.mark.parametrize(
    "texts",
    [
        ["usual", "new"],
        ["wave one", "wave two"],
        ["6 weeks", "1 year"],
        ["Nov", "Dec", "Jan"],
        ["05.01.2024", "03.02.2024"],
        ["T-1", "T0"],
        ["A1", "B1"],
        ["Q4 2023", "Q1 2024"],
        ["pre", "baseline"],
        ["pre", "Pre", "post"],
    ],
)
def test_text_that_does_not(texts: list[str]) -> None:
    assert order_of_texts(texts) is None


def halves(first: object, second: object) -> pd.DataFrame:
    """Parallel arms with a half before them; the treated gain 5 in the second."""
    rng = np.random.default_rng(1)
    clinic, later = np.repeat(np.arange(12), 20), np.tile(np.repeat([0, 1], 10), 12)
    arm = np.where(clinic % 2, "new", "usual")
    y = 5.0 * (clinic % 2) * later + rng.normal(size=240)
    half = np.where(later == 1, second, first)
    return pd.DataFrame(
        {"clinic": clinic, "arm": arm, "age": rng.normal(size=240), "y": y, "half": half}
    )


@pytest.mark.parametrize(
    "labels", [("pre", "post"), ("before", "after"), ("Baseline", "12 months")]
)
def test_the_baseline_is_what_came_first(labels: tuple[str, str]) -> None:
    roles = {"outcome": "y", "treatment": "arm", "control": "usual", "cluster": "clinic"}
    trial = th.Trial(halves(*labels), **roles, covariates=["age"], period="half")  # type: ignore[arg-type]
    assert trial.baseline is not None
    assert trial.baseline.labels == labels[:1]
    assert th.average_effects(trial).individual.estimate == pytest.approx(5, abs=0.6)


def test_text_without_an_order_is_refused_and_a_categorical_has_one() -> None:
    roles = {"outcome": "y", "treatment": "arm", "control": "usual", "cluster": "clinic"}
    df = halves("start", "end")
    with pytest.raises(th.TrialError, match="'half' is text that does not say which"):
        th.Trial(df, **roles, covariates=["age"], period="half")  # type: ignore[arg-type]
    df["half"] = pd.Categorical(df["half"], categories=["start", "end"], ordered=True)
    trial = th.Trial(df, **roles, covariates=["age"], period="half")  # type: ignore[arg-type]
    assert trial.baseline is not None
    assert trial.baseline.labels == ("start",)


def test_labels_of_a_file_are_in_the_order_of_their_codes(tmp_path: Path) -> None:
    df = halves("usual", "new").rename(columns={"half": "phase"})
    df["phase"] = pd.Categorical(df["phase"], categories=["usual", "new"])
    df.to_stata(tmp_path / "t.dta", write_index=False)
    table = th.read_table(tmp_path / "t.dta")
    roles = {"outcome": "y", "treatment": "arm", "control": "usual", "cluster": "clinic"}
    trial = th.Trial(table, **roles, covariates=["age"], period="phase")  # type: ignore[arg-type]
    assert trial.baseline is not None
    assert trial.baseline.labels == ("usual",)


def test_months_are_no_crossover() -> None:
    rng = np.random.default_rng(2)
    ward, month = np.repeat(np.arange(9), 30), np.tile(np.repeat(np.arange(6), 5), 9)
    df = pd.DataFrame(
        {
            "ward": ward,
            "month": np.array(["Jan", "Feb", "Mar", "Apr", "May", "Jun"])[month],
            "arm": (month > ward % 3 + 1).astype(int),
            "age": rng.normal(size=270),
            "y": rng.normal(size=270),
        }
    )
    trial = th.Trial(
        df, outcome="y", treatment="arm", cluster="ward", period="month", covariates=["age"]
    )
    assert trial.design == "stepped wedge"
    assert "(in this order: Jan, Feb, Mar, Apr, May, Jun)" in "".join(
        one.sentence for one in trial.check().findings
    )
