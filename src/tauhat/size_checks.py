"""How much a trial can tell: its degrees of freedom, and whether its persons are few."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.covariate_checks import Finding
from tauhat.data import design_propensity
from tauhat.folds import randomization_units
from tauhat.numerics.arm_variances import (
    design_degrees_of_freedom,
    expected_of_averages,
    words,
)
from tauhat.wording import counted, with_degrees

if TYPE_CHECKING:
    from tauhat.trial import Trial

_FEW_PERSONS = 100


def few_persons_finding(trial: Trial) -> Iterator[Finding]:
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
    )


def _codes(labels: AnyArray | None) -> IntArray | None:
    return None if labels is None else pd.factorize(labels)[0].astype(np.int64)


def probability_of_treatment(trial: Trial) -> FloatArray:
    """Probability of treatment of each analysed person."""
    if trial.propensity is not None:
        return trial.propensity
    return design_propensity(trial.treatment, _codes(trial.clusters), _codes(trial.blocks))


def degrees_of_freedom(trial: Trial) -> str:
    """Degrees of freedom of the average effects, in words."""
    rows = trial.has_counterfactual
    clusters, blocks = (
        _codes(None if labels is None else labels[rows])
        for labels in (trial.clusters, trial.blocks)
    )
    unit, arm, block = randomization_units(trial.treatment[rows], clusters, blocks)
    persons = np.bincount(unit).astype(np.float64)
    chance = probability_of_treatment(trial)[rows][np.unique(unit, return_index=True)[1]]
    expected = expected_of_averages(persons, persons, chance, arm)
    free = design_degrees_of_freedom(expected, arm, block)
    return " and ".join(dict.fromkeys(map(words, free)))
