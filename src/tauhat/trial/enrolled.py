"""Everyone enrolled: the trial with those who lack an outcome."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.data import TrialData, validate_trial
from tauhat.design.blocks import has_counterfactual
from tauhat.endpoint import COMPLETE_CASES, MissingOutcomes, weight_values
from tauhat.errors import TauhatWarning, TrialError
from tauhat.tables.account import as_codes
from tauhat.tables.columns import missing_values
from tauhat.trial.hidden_counts import hides_all_lost
from tauhat.trial.levels import with_levels
from tauhat.trial.outcome_columns import OutcomeColumns
from tauhat.trial.roles import row_propensity
from tauhat.trial.trial_table import TrialTable
from tauhat.trial.unobserved import auxiliary_values
from tauhat.wording import counted


@dataclass(frozen=True)
class EnrolledArrays:
    """Who counts in averages and tests where outcomes are missing.

    Attributes
    ----------
    rows
        Of all enrolled: those of clusters with an outcome, in blocks where both arms have
        outcomes, shape (k,).
    y
        Outcomes, or times; where they are missing, the smallest of the others, shape (k,).
    cause
        What happened at the time, shape (k,), or None.
    missing
        Who of these lacks an outcome.
    weight
        Sample weights, shape (k,), or None.
    propensity
        Given probability of treatment, shape (k,), or None.
    """

    rows: IntArray
    y: FloatArray
    cause: IntArray | None
    missing: MissingOutcomes
    weight: FloatArray | None
    propensity: FloatArray | None

    @classmethod
    def of(
        cls, trial: TrialTable, kept: pd.DataFrame, columns: OutcomeColumns, propensity: Any
    ) -> EnrolledArrays | None:
        """Those of two arms; None where nobody lacks an outcome, or complete cases are wanted.

        Parameters
        ----------
        trial
            The trial.
        kept
            Its columns, for everyone enrolled.
        columns
            Its outcome, for everyone enrolled.
        propensity
            As given.
        """
        observed = trial.has_outcome
        # Of several arms, each contrast counts its own.
        if trial.n_arms > 2 or trial.missing == COMPLETE_CASES or observed.all():
            return None
        rows = np.flatnonzero(_informative(trial))
        seen, values = observed[rows], columns.values[rows]
        if seen.all():
            return None
        weight = None
        if "weight" in trial.roles:
            column = as_codes(kept[trial.roles["weight"]], trial.file).iloc[rows]
            unknown = int(missing_values(column).sum())
            if unknown:
                raise TrialError(
                    f"{trial.weighs_by} column {column.name!r} is missing for {unknown} of "
                    f"{counted(int((~seen).sum()), 'person')} without an outcome, who count in "
                    f"averages too; fill it in, or analyse missing={COMPLETE_CASES!r}"
                )
            weight = weight_values(column, np.full(len(rows), True))
        frame = kept[list(trial.auxiliary_names)].iloc[rows].reset_index(drop=True)
        auxiliary = auxiliary_values(frame, seen)
        cause = columns.cause
        blocks = None if trial.enrolled_blocks is None else trial.enrolled_blocks[rows]
        return cls(
            rows=rows,
            y=np.where(seen, values, values[seen].min()),
            cause=None if cause is None else np.where(seen, cause[rows], 0),
            missing=MissingOutcomes(seen, auxiliary, number_told=not hides_all_lost(trial)),
            weight=weight,
            propensity=row_propensity(propensity, blocks, np.full(len(rows), True)),
        )

    def data(self, trial: TrialTable) -> TrialData:
        """The arrays of these persons, whose rows are those of `TrialTable.enrolled_frame`."""
        rows = self.rows
        with warnings.catch_warnings():
            # What only persons without an outcome lack is a finding of the check, and no news here.
            warnings.simplefilter("ignore", TauhatWarning)
            X = trial.encoder_.transform(trial.enrolled_frame.iloc[rows].reset_index(drop=True))
        labels, blocks = (
            None if labels is None else labels[rows]
            for labels in (trial.enrolled_clusters, trial.enrolled_blocks)
        )
        clusters = with_levels(labels, [level[rows] for level in trial.enrolled_within])
        found = validate_trial(
            X,
            self.y,
            trial.enrolled_treatment[rows],
            clusters,
            self.weight,
            blocks,
            self.propensity,
            endpoint=trial.endpoint.kind_name,
            cause=self.cause,
            follow_up=trial.outcome.follow_up,
            missing=self.missing,
            weight_is_time=trial.weight_is_time,
            crossed=[units[rows] for units in trial.enrolled_crossed],
        )
        return replace(
            found,
            rows=rows[found.rows],
            n_without_counterfactual=trial.data.n_without_counterfactual,
        )


def _informative(trial: TrialTable) -> BoolArray:
    """Who of all enrolled is in a cluster with outcomes, and in a block with them in both arms.

    A cluster without any outcome is a unit lost: what its persons are like tells nothing of it.
    """
    observed = trial.has_outcome
    kept = np.full(len(observed), True)
    design = trial.enrolled_randomization
    if design.holds_persons:
        # Of an arm without clusters everybody is a unit, and nobody is taken for lost.
        kept = np.bincount(design.unit, weights=observed)[design.unit] > 0
        kept |= design.clusters_by_arm[design.treatment] == 0
    if trial.enrolled_blocks is not None:
        blocks = pd.factorize(trial.enrolled_blocks)[0]
        compared = has_counterfactual(trial.enrolled_treatment[observed], blocks[observed])
        kept &= np.isin(blocks, blocks[observed][compared])
    return kept
