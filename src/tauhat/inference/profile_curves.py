"""Survival curves of persons with given covariates under control and under treatment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.endpoint import with_squares
from tauhat.errors import TrialError
from tauhat.inference.inputs import TrialLike, as_trial_data
from tauhat.numerics.cox import fit_cox
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread
from tauhat.tables.covariate_arrays import check_covariates
from tauhat.tables.extremes import warn_of_far_values, within_limits

_TIMES = 49


@dataclass(frozen=True)
class ProfileCurves(Shown):
    """Result of `profile_curves`.

    Attributes
    ----------
    times
        From zero to the horizon, shape (k,).
    control, treated
        Probability to be without an event at each time, shape (persons, k).
    horizon
        Time up to which the means are restricted.
    """

    times: FloatArray
    control: FloatArray
    treated: FloatArray
    horizon: float

    @property
    def table(self) -> pd.DataFrame:
        """One row per person and time: ``person``, ``time``, ``control``, ``treated``."""
        persons, times = self.control.shape
        return pd.DataFrame(
            {
                "person": np.repeat(np.arange(persons), times),
                "time": np.tile(self.times, persons),
                "control": self.control.ravel(),
                "treated": self.treated.ravel(),
            }
        )

    @property
    def text(self) -> str:
        """The curves of the first person in a sentence."""
        return (
            f"Model curves of {len(self.control)} persons up to {self.horizon:g}; the first one's "
            f"probability to be without an event then is {self.control[0, -1]:.3f} under control "
            f"and {self.treated[0, -1]:.3f} under treatment."
        )


@on_one_thread
def profile_curves(trial: TrialLike, X: Any, *, times: Any = None) -> ProfileCurves:
    r"""Both arms' survival curves of persons with given covariates, by a Cox model in each arm.

    .. math:: S_a(t \mid x) = \exp\{-\Lambda_{0a}(t) \exp(z(x)^\top \beta_a)\}

    with the covariates and the squares of the many-valued ones, and a ridge penalty: the model of
    the event behind the outcome that effects are estimated from. It shows when arms part; effects
    and their intervals come from `tauhat.CateEstimator.effect` and can differ from what lies
    between two curves.

    Parameters
    ----------
    trial
        A `tauhat.Trial` with ``event`` and ``horizon``, or its data.
    X
        Encoded covariates, shape (persons, p), such as rows of ``trial.X`` or what ``trial.encode``
        gives.
    times
        Times from zero to the horizon; None for 49 equal steps.

    Returns
    -------
    ProfileCurves

    Raises
    ------
    TrialError
        If the outcome is no time to an event, events compete, or times lie outside of the
        follow-up.
    ValueError
        If ``X`` has other columns than the trial.

    References
    ----------
    Cox (1972), J. R. Stat. Soc. B 34, 187-220.

    Examples
    --------
    >>> from tauhat.trial.trial import Trial
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"age": rng.normal(60, 9, 400), "arm": np.arange(400) % 2})
    >>> months = rng.exponential(size=400) * 10 * np.exp((60 - df.age) / 20 + df.arm)
    >>> df = df.assign(months=np.minimum(months, 15), died=months <= 15)
    >>> trial = Trial(df, outcome="months", treatment="arm", event="died", horizon=12)
    >>> found = profile_curves(trial, pd.DataFrame({"age": [50.0, 70.0]}), times=[0, 6, 12])
    >>> found.control.round(2).tolist()
    [[1.0, 0.74, 0.53], [1.0, 0.35, 0.12]]
    """
    data = as_trial_data(trial)
    follow_up, made = data.endpoint.follow_up, data.endpoint.kind.time
    if follow_up is None or made is None or made.competing:
        raise TrialError(
            "profile_curves needs a time to an event without competing ones: give event= and "
            "horizon= to Trial, and endpoint 'rmst' or 'survival'"
        )
    checked = check_covariates(X, data.feature_names or None)
    warn_of_far_values(checked, data, new=True)
    new = within_limits(checked, data)
    at = np.linspace(0, follow_up.horizon, _TIMES) if times is None else np.asarray(times, float)
    if at.ndim != 1 or not len(at) or not ((at >= 0) & (at <= follow_up.horizon)).all():
        raise TrialError(f"times must lie between 0 and the horizon, {follow_up.horizon:g}")
    time, cause = data.times
    bent, wanted = with_squares(data.X), with_squares(new, data.X)
    curves = []
    for arm in (0, 1):
        rows = np.flatnonzero(data.treatment == arm)
        weight = data.sample_weight_of(rows)
        curves.append(
            fit_cox(bent[rows], time[rows], cause[rows] > 0, weight=weight).survival(wanted, at)
        )
    return ProfileCurves(at, curves[0], curves[1], follow_up.horizon)
