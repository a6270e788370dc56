"""Outcomes within periods, for learners whose models know nothing of time."""

from __future__ import annotations

import numpy as np

from tauhat.data import TrialData


def without_period_levels(data: TrialData) -> TrialData:
    """The trial without the mean outcome of each period (and block).

    Both arms of a period have the same level taken out, and treatment less its share in the
    period has mean zero there, so that comparisons are those within periods.

    Parameters
    ----------
    data
        A trial over periods, as its learners see it.

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> from tauhat.fitting.learning_view import learning_view
    >>> clinic, month = np.repeat(np.arange(6), 8), np.tile(np.repeat(np.arange(4), 2), 6)
    >>> arm, X = (month > clinic % 3).astype(int), np.arange(48.0)[:, None] % 5
    >>> y = 10.0 * month + X[:, 0]
    >>> data = learning_view(validate_trial(X, y, arm, clinic, period=month))
    >>> round(float(data.working.std())), round(float(without_period_levels(data).working.std()))
    (11, 1)
    """
    columns = np.column_stack([np.ones(data.n), data.design.fixed_effects])
    level = columns @ np.linalg.lstsq(columns, data.working, rcond=None)[0]
    return data.less(level)
