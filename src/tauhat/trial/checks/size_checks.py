"""How much a trial can tell: its degrees of freedom, and whether its persons are few."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tauhat._typing import FloatArray
from tauhat.endpoint import effective_size
from tauhat.numerics.arm_variances import expected_of_averages, words
from tauhat.trial.checks.finding import Finding
from tauhat.wording import counted, with_degrees

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

_FEW_PERSONS = 100
# Weights leave less than this share of the sample, as far as a mean goes.
_SMALL_SHARE = 0.5


def few_persons_finding(trial: TrialTable) -> Iterator[Finding]:
    """A warning where the persons of a trial, or of its smaller arm, are few."""
    control, treated = np.bincount(trial.treatment[trial.has_counterfactual], minlength=2)
    n = control + treated
    # What a trial with arms of equal size would tell as much with.
    equal = 4 * control * treated / n
    if equal >= _FEW_PERSONS:
        return
    few = min(control, treated)
    known = f"With {counted(n, 'person')}"
    if equal < 0.9 * n:
        known = (
            f"With {counted(few, 'person')} in the smaller arm this trial tells as much as one "
            f"with {equal:.0f} persons in arms of equal size (t with "
            f"{with_degrees(degrees_of_freedom(trial))}):"
        )
    yield Finding(
        "number of persons",
        f"{n} ({control} control, {treated} treated)",
        "warning",
        f"{known} the average effect may be learned, but hardly how it varies.",
        "few-persons",
    )


def probability_of_treatment(trial: TrialTable) -> FloatArray:
    """Probability of treatment of each analysed person."""
    return trial.randomization.propensity


def degrees_of_freedom(trial: TrialTable) -> str:
    """Degrees of freedom of the average effects, in words."""
    design = trial.randomization.take(trial.has_counterfactual)
    persons = np.bincount(design.unit).astype(np.float64)
    chance, arm = design.probability[:, 1], design.arm
    even = expected_of_averages(persons, persons, chance, arm)
    expected = even
    if trial.sample_weight is not None:
        weight = trial.sample_weight[trial.has_counterfactual]
        size = np.bincount(design.unit, weights=weight).astype(np.float64)
        expected = expected_of_averages(size, persons, chance, arm)
    return " and ".join(dict.fromkeys(map(words, design.degrees_of_freedom(expected, even=even))))


_WEIGHED_BY = {"weight": "weights", "exposure": "time at risk"}


def weight_findings(trial: TrialTable) -> Iterator[Finding]:
    """How far sample weights differ, and how many equally weighted persons tell as much."""
    if trial.sample_weight is None:
        return
    weight = trial.sample_weight[trial.has_counterfactual]
    name, n, size = trial.roles["weight"], len(weight), effective_size(weight)
    few = size < _SMALL_SHARE * n
    yield Finding(
        "weights",
        f"{name}: {weight.min():.4g} to {weight.max():.4g}, effective sample size {size:.1f}",
        "warning" if few else "note",
        f"Persons count by their {_WEIGHED_BY[trial.weighs_by]} ({name}) in the models, the "
        f"averages and the test; of a mean these {n} persons tell as much as {size:.0f} of equal "
        "weight"
        + (", since a few have most of it." if few else ".")
        + " This check counts everyone alike.",
        "uneven-weights",
    )
