"""Outcomes that some persons lack: who, and what is made of the others'."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.disclosure import FEW, is_small
from tauhat.endpoint.follow_up import with_squares
from tauhat.errors import TrialError
from tauhat.numerics.arm_changes import ChangesWithArms
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.missing_outcomes import SMALLEST_PROBABILITY, MadeOutcome, made_outcome
from tauhat.numerics.standardised_columns import standard_columns
from tauhat.wording import counted

DOUBLY_ROBUST = "doubly-robust"
"""An outcome is made for those who lack one, right if either of two models is."""

COMPLETE_CASES = "complete-cases"
"""Who lacks an outcome is left out."""

#: What can be done about missing outcomes, the usual way first.
WAYS = (DOUBLY_ROBUST, COMPLETE_CASES)

# With fewer rows for each column there are lines only.
_ROWS_A_CURVE = 10


def checked_way(missing: str) -> str:
    """What is done about missing outcomes, or a `TrialError` that lists what can be.

    Examples
    --------
    >>> checked_way("drop")
    Traceback (most recent call last):
    tauhat.errors.TrialError: missing must be one of doubly-robust, complete-cases, got 'drop'
    """
    if missing not in WAYS:
        raise TrialError(f"missing must be one of {', '.join(WAYS)}, got {missing!r}")
    return missing


@dataclass(frozen=True)
class MissingOutcomes:
    """Who of some persons lacks an outcome.

    Attributes
    ----------
    observed
        Who has an outcome, shape (n,).
    auxiliary
        What was measured after randomization and tells who lacks one, shape (n, q).
    probability
        Probability to have an outcome, floored, once outcomes were made; shape (n,).
    with_arms
        How these outcomes change with the arms of the units, where that was asked for.
    number_told
        Whether it may be told how many there are.
    """

    observed: BoolArray
    auxiliary: FloatArray
    probability: FloatArray | None = None
    with_arms: ChangesWithArms | None = None
    number_told: bool = True

    @property
    def text(self) -> str:
        """What was done, in a few words."""
        lost = counted(int((~self.observed).sum()), "person") if self.number_told else "persons"
        done = f"outcomes made for {lost} without one"
        probability = np.ones(0) if self.probability is None else self.probability
        floored = int((probability <= SMALLEST_PROBABILITY).sum())
        if not floored:
            return done
        told = FEW if is_small(floored) else counted(floored, "person")
        return f"{done}; {told} had a probability of {SMALLEST_PROBABILITY:g} or less to have one"

    @property
    def inverse(self) -> FloatArray:
        """Inverse probability to have an outcome of those who have one, 0 of others, shape (n,)."""
        probability = np.ones(len(self.observed)) if self.probability is None else self.probability
        inverse: FloatArray = self.observed / probability
        return inverse

    def take(self, rows: IntArray | BoolArray) -> MissingOutcomes:
        """Return the rows named."""
        chance = None if self.probability is None else self.probability[rows]
        observed, auxiliary = self.observed[rows], self.auxiliary[rows]
        return MissingOutcomes(observed, auxiliary, chance, number_told=self.number_told)

    def after(self, made: MadeOutcome) -> MissingOutcomes:
        """The same persons once outcomes were made."""
        return replace(self, probability=made.probability, with_arms=made.with_arms)

    def made(
        self,
        y: FloatArray,
        treatment: IntArray,
        X: FloatArray,
        groups: IntArray | None,
        fold: IntArray,
        weight: FloatArray | None,
        *,
        by_arm: bool = True,
        unit: IntArray | None = None,
        permuted: IntArray | None = None,
    ) -> MadeOutcome:
        """An outcome for everybody, and how likely it was to be seen (`made_outcome`).

        Parameters
        ----------
        y, treatment, fold, weight, by_arm, unit, permuted
            As there.
        X
            Covariates, shape (n, p).
        groups
            Clusters, or blocks of persons, shape (n,), or None.
        """
        lines = standard_columns(X)
        curved = len(y) >= _ROWS_A_CURVE * X.shape[1]
        bends = [with_squares(X)[:, X.shape[1] :]] if curved else []
        outcome_columns = [lines, *map(standard_columns, bends)]
        observed_columns = [lines, standard_columns(self.auxiliary)]
        return made_outcome(
            y,
            self.observed,
            treatment,
            [block for block in outcome_columns if block.shape[1]],
            [block for block in observed_columns if block.shape[1]],
            identified_clusters(groups),
            fold,
            weight,
            by_arm=by_arm,
            unit=unit,
            permuted=permuted,
        )
