"""Held-out risks beside the share of persons who had the event."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import t as student

from tauhat._typing import FloatArray, IntArray
from tauhat.disclosure import is_small
from tauhat.inference.cross_fitting import CrossFit

_MOST_GROUPS: Final = 5


def risk_calibration(fit: CrossFit, level: float = 0.95) -> pd.DataFrame | None:
    r"""Risks predicted for persons in their own arm, and what became of them.

    The persons of an arm are put into fifths by their held-out risk,

    .. math:: \hat r_i = \overline{\hat m(X_i) + (A_i - \pi_i)\,\hat\tau(X_i)},

    the mean over the splits, of models that never saw the person. Beside the mean risk of
    each group stands the share with the event, with an interval from the sums of
    :math:`w_i (y_i - \bar y)` over randomized units and a t distribution. The groups are fewer
    where one to four of a group would have the event, or be without it.

    Parameters
    ----------
    fit
        Held-out effects and outcomes.
    level
        Coverage of the intervals.

    Returns
    -------
    DataFrame or None
        Columns arm (0, 1), persons, predicted, observed, lower, upper; without an arm that
        cannot be shown in two groups. None where the outcome is no event, or missing for some.

    Examples
    --------
    >>> from tauhat.inference.cross_fitting import cross_fit
    >>> rng = np.random.default_rng(1)
    >>> X, arm = rng.normal(size=(600, 2)), np.arange(600) % 2
    >>> y = rng.random(600) < 1 / (1 + np.exp(-X[:, 0]))
    >>> table = risk_calibration(cross_fit((X, y, arm), n_splits=2))
    >>> table.groupby("arm").size().tolist()
    [5, 5]
    >>> bool((table.observed - table.predicted).abs().max() < 0.2)
    True
    """
    data = fit.data
    if data.endpoint.codes is None or data.missing is not None:
        return None
    without, event = data.endpoint.codes
    happened = data.endpoint.events(data.y)
    own = np.where(data.treatment == 1, fit.treated, fit.control).mean(axis=0)
    risk = np.clip((own - without) / (event - without), 0.0, 1.0)
    rows = []
    for arm in (0, 1):
        members = np.flatnonzero(data.treatment == arm)
        ordered = members[np.argsort(risk[members], kind="stable")]
        for persons in _groups(ordered, happened):
            rows.append({"arm": arm, **_group(fit, persons, risk, happened, level)})
    columns = ["arm", "persons", "predicted", "observed", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns)


def _groups(ordered: IntArray, happened: FloatArray) -> list[IntArray]:
    """The most groups of about one size that may all be shown; none if two may not."""
    for count in range(_MOST_GROUPS, 1, -1):
        groups = np.array_split(ordered, count)
        events = np.array([happened[rows].sum() for rows in groups])
        sizes = np.array([len(rows) for rows in groups])
        if not (is_small(events) | is_small(sizes - events)).any() and sizes.min() > 0:
            return groups
    return []


def _group(
    fit: CrossFit, rows: IntArray, risk: FloatArray, happened: FloatArray, level: float
) -> dict[str, float]:
    """One group: mean risk, share with the event and its interval."""
    weight = fit.weight[rows]
    share = float(np.average(happened[rows], weights=weight))
    sums = np.bincount(fit.units[rows], weights=weight * (happened[rows] - share))
    units = len(np.unique(fit.units[rows]))
    error = float(np.sqrt((sums**2).sum() * units / max(units - 1, 1))) / float(weight.sum())
    half = error * float(student.ppf((1 + level) / 2, max(units - 1, 1)))
    return {
        "persons": len(rows),
        "predicted": float(np.average(risk[rows], weights=weight)),
        "observed": share,
        "lower": max(share - half, 0.0),
        "upper": min(share + half, 1.0),
    }
