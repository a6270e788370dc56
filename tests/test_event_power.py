"""Power for a binary modifier of an event, by both risks and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from tauhat.power import EventInteraction, interaction_test, power_by_simulation, power_hte


def test_simulated_trials_have_the_risks_that_were_given() -> None:
    planned = EventInteraction(
        risks_without=(0.1, 0.05), risks_with=(0.3, 0.2), prevalence=0.4, icc=0.1,
        n_clusters=600, mean_size=40.0,
    )  # fmt: skip
    trial = planned.draw(random_state=1)
    modifier = trial.X["modifier"].to_numpy()
    assert modifier.mean() == pytest.approx(0.4, abs=0.02)
    for x, risks in enumerate((planned.risks_without, planned.risks_with)):
        for arm, risk in enumerate(risks):
            found = trial.y[(modifier == x) & (trial.treatment == arm)].mean()
            assert found == pytest.approx(risk, abs=0.02)
            assert np.ptp(trial.tau[modifier == x]) == 0
    assert set(trial.y) == {0.0, 1.0}


def test_the_formula_with_both_risks_is_near_the_simulation() -> None:
    # Means of the four risks over the modifier; the change of the effect with it is .12.
    planned = EventInteraction(
        risks_without=(0.25, 0.25), risks_with=(0.35, 0.23), n_clusters=None, icc=0.0
    )
    found = power_by_simulation(planned, n=1200, n_trials=60, test=interaction_test, random_state=1)
    plan = power_hte(
        n_persons=1200, prevalence=0.5, risk_control=0.3, risk_treated=0.24, delta=0.12
    )
    assert found.power == pytest.approx(plan.power, abs=0.13)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"risks_with": (0.0, 0.2)}, "risks_with must be two risks"),
        ({"prevalence": 1.0}, "prevalence must be in"),
    ],
)
def test_risks_that_are_none_are_refused(settings: dict, said: str) -> None:
    given = {"risks_without": (0.1, 0.1), "risks_with": (0.2, 0.1), **settings}
    with pytest.raises(ValueError, match=said):
        EventInteraction(**given)
