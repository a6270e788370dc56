"""Average effects on a time to an event at several horizons up to the trial's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.arguments import check_level
from tauhat.data import TrialData
from tauhat.disclosure import SMALLEST_GROUP
from tauhat.endpoint import Endpoint
from tauhat.errors import TrialError
from tauhat.inference.average_effects import average_effects
from tauhat.inference.inputs import TrialLike, counted_data
from tauhat.numerics.several_tests import holm
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread

_STEPS = 4


@dataclass(frozen=True)
class EffectOverHorizons(Shown):
    """Result of `effect_over_horizons`.

    Attributes
    ----------
    horizon
        That of the trial: the last one.
    table
        One row per horizon: ``horizon``, ``estimate``, ``se``, ``lower``, ``upper``, ``p_value``,
        and ``p_adjusted`` by Holm for the number of horizons.
    level
        Coverage of each interval by itself.
    """

    horizon: float
    table: pd.DataFrame
    level: float

    @property
    def text(self) -> str:
        """The result in sentences."""
        last = self.table.iloc[-1]
        smallest = float(self.table["p_adjusted"].min())
        return (
            f"Average effect at the trial's horizon, {self.horizon:g}: {last.estimate:.4g} "
            f"({last.lower:.4g} to {last.upper:.4g}), p = {last.p_value:.2g}. That is the planned "
            f"answer. Intervals at the {len(self.table)} horizons hold one at a time; for the "
            f"question whether there is an effect at any of them the smallest p adjusted for their "
            f"number is {smallest:.2g}."
        )


@on_one_thread
def effect_over_horizons(
    trial: TrialLike, horizons: Any = None, *, level: float = 0.95
) -> EffectOverHorizons:
    """Average effect (`tauhat.average_effects`) at several horizons.

    It shows when an effect begins and whether it stays. The outcome is made anew for each, and
    persons count the same. The horizon of the trial is the question that was planned; a horizon
    chosen since its effect is the largest has no valid interval, so p-values are also given
    adjusted for their number by Holm's method.

    Parameters
    ----------
    trial
        A `tauhat.Trial` with ``event`` and ``horizon``, or its data.
    horizons
        Times up to the trial's horizon, which is added; None for quarters of it, from the one on
        by which each arm has five events.
    level
        Coverage of each interval.

    Returns
    -------
    EffectOverHorizons

    Raises
    ------
    TrialError
        If the outcome is no time to an event, or an arm has no event by the first horizon.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6:65-70.

    Examples
    --------
    >>> from tauhat.trial.trial import Trial
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"age": rng.normal(60, 9, 400), "arm": np.arange(400) % 2})
    >>> months = rng.exponential(size=400) * (10 + 8 * df.arm)
    >>> df = df.assign(months=np.minimum(months, 15), died=months <= 15)
    >>> trial = Trial(df, outcome="months", treatment="arm", event="died", horizon=12)
    >>> effect_over_horizons(trial).table[["horizon", "estimate", "lower"]].round(1)
       horizon  estimate  lower
    0      3.0       0.1    0.0
    1      6.0       0.4    0.1
    2      9.0       0.9    0.4
    3     12.0       1.5    0.7
    """
    check_level(level)
    data = counted_data(trial)
    follow_up = data.endpoint.follow_up
    if follow_up is None:
        raise TrialError(
            "effect_over_horizons needs a time to an event: give event= and horizon= to Trial"
        )
    rows = []
    for horizon in _horizons(horizons, data, follow_up.horizon):
        endpoint = Endpoint.of_times(
            data.endpoint.kind_name, replace(follow_up, horizon=float(horizon))
        )
        found = average_effects(replace(data, endpoint=endpoint), level=level).individual
        rows.append((horizon, found.estimate, found.se, found.lower, found.upper, found.p_value))
    columns = ["horizon", "estimate", "se", "lower", "upper", "p_value"]
    table = pd.DataFrame(rows, columns=columns)
    return EffectOverHorizons(
        follow_up.horizon, table.assign(p_adjusted=holm(table["p_value"].tolist())), level
    )


def _horizons(given: Any, data: TrialData, last: float) -> FloatArray:
    """Horizons in order, the trial's last."""
    time, cause = data.times
    own = [np.sort(time[(cause == 1) & (data.treatment == arm)]) for arm in (0, 1)]
    if given is None:
        steps: FloatArray = last * np.arange(1, _STEPS + 1) / _STEPS
        enough = max(times[min(SMALLEST_GROUP, len(times)) - 1] for times in own)
        return np.append(steps[:-1][steps[:-1] >= enough], last)
    earliest = float(max(times[0] for times in own))
    try:
        wanted = np.unique(np.append(np.asarray(given, dtype=np.float64).ravel(), last))
    except (TypeError, ValueError):
        raise TrialError(f"horizons must be times, got {given!r}") from None
    if not ((wanted > 0) & (wanted <= last)).all():
        raise TrialError(f"horizons must lie between 0 and that of the trial, {last:g}")
    if wanted[0] < earliest:
        raise TrialError(
            f"an arm has no event by the horizon {wanted[0]:g}: nothing can be compared before "
            f"{earliest:g}"
        )
    return wanted
