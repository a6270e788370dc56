"""Which counts of a trial are not told, as one arm's would be of few persons.

A contrast of several arms hides what the whole trial hides: what another contrast told of an arm
that both have would give away the numbers of the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.design.blocks import has_counterfactual
from tauhat.disclosure import is_small

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable


def hides_lost(trial: TrialTable) -> bool:
    """Whether some arm lost one to four persons, so that no arm's number is told.

    Parameters
    ----------
    trial
        The trial, or a contrast of one.
    """
    whole = _whole(trial)
    lost = np.bincount(whole.enrolled_treatment[~whole.has_outcome], minlength=whole.n_arms)
    return bool(is_small(lost).any())


def hides_all_lost(trial: TrialTable) -> bool:
    """Whether the number of both arms is not told either: those of several contrasts tell it.

    Parameters
    ----------
    trial
        As in `hides_lost`.
    """
    return trial.whole is not None and hides_lost(trial)


def hides_events(trial: TrialTable) -> bool:
    """Whether few persons of some arm have an event, or have none: no arm's rate is told then.

    With the average effects, the rate of one arm gives those of all others.

    Parameters
    ----------
    trial
        The trial, or a contrast of one, whose outcome is an event or a number of events.
    """
    endpoint = trial.endpoint
    for arm, y in _compared(trial):
        had = y > 0 if endpoint.kind.counts_events else endpoint.events(y) > 0
        persons, with_event = np.bincount(arm), np.bincount(arm, weights=had)
        if (is_small(with_event) | is_small(persons - with_event)).any():
            return True
    return False


def hides_all_events(trial: TrialTable) -> bool:
    """Whether what both arms have together is not told either; see `hides_all_lost`."""
    return trial.whole is not None and hides_events(trial)


def _whole(trial: TrialTable) -> TrialTable:
    return trial if trial.whole is None else trial.whole


def _compared(trial: TrialTable) -> Iterator[tuple[IntArray, FloatArray]]:
    """Arm, 0 or 1, and outcome of the persons of each contrast who are compared."""
    if trial.whole is None:
        rows = trial.has_counterfactual
        yield trial.treatment[rows], trial.y[rows]
        return
    whole = trial.whole
    for pair in whole.pairs.values():
        of_pair = np.flatnonzero(np.isin(whole.treatment, pair))
        arm = (whole.treatment[of_pair] == pair[1]).astype(np.int64)
        blocks = None if whole.blocks is None else whole.blocks[of_pair]
        kept = has_counterfactual(arm, blocks)
        yield arm[kept], whole.y[of_pair[kept]]
