"""The outcome of a trial in its columns: a measurement, or a time and an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.endpoint import (
    OF_TIMES,
    OF_TWO_VALUES,
    Endpoint,
    FollowUp,
    RecordedTimes,
    Times,
    checked_follow_up,
    outcome_events,
    outcome_values,
    recorded_times,
    takes_times,
)
from tauhat.endpoint.endpoint import KINDS
from tauhat.endpoint.follow_up import CENSORING_MODELS
from tauhat.errors import TrialError
from tauhat.numerics.censored_outcomes import CensoredOutcome
from tauhat.tables.account import as_codes


@dataclass(frozen=True)
class OutcomeColumns:
    """What was recorded of the outcome.

    Attributes
    ----------
    values
        The column of the outcome: the measurement, or the time; NaN where missing, shape (n,).
    kind
        Name of the kind of outcome (`tauhat.endpoint.KINDS`), or None to tell it from the values.
    names
        Column of the outcome, and of the event.
    times
        How times and events were read, or None.
    cause
        What happened at the time (`tauhat.endpoint.RecordedTimes`), shape (n,), or None.
    follow_up
        What is made of the times, once the persons are known whose times these are.
    label
        What stands for the event in an outcome with two labels; empty for others.
    """

    values: FloatArray
    kind: str | None
    names: tuple[str, str]
    times: RecordedTimes | None = None
    cause: IntArray | None = None
    follow_up: FollowUp | None = None
    label: str = ""

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        roles: Mapping[str, str],
        kind: str | None,
        file: Mapping[str, Any] | None = None,
        *,
        event_value: Any = None,
        horizon: Any = None,
    ) -> OutcomeColumns:
        """Read the columns of everyone enrolled.

        Raises
        ------
        TrialError
            If a column cannot be read, or arguments do not go together.
        """
        outcome = as_codes(table[roles["outcome"]], file)
        if "event" not in roles:
            if takes_times(kind):
                raise TrialError(f"endpoint {kind!r} needs event=, the column that says who had it")
            if horizon is not None:
                raise TrialError(
                    "horizon= is given but event= is not: name the column that says whether "
                    f"{outcome.name!r} ended with the event"
                )
            label = ""
            if event_value is None:
                values = outcome_values(outcome)
            elif kind in (None, OF_TWO_VALUES):
                values, label = outcome_events(table[roles["outcome"]], event_value)
                kind = OF_TWO_VALUES
            else:
                raise TrialError(
                    "event_value= says which of two values is the event: endpoint must then be "
                    f"{OF_TWO_VALUES!r}, got {kind!r}"
                )
            Endpoint.of(values[~np.isnan(values)], kind, str(outcome.name))
            return cls(values, kind, (str(outcome.name), ""), label=label)
        kind = OF_TIMES if kind is None else kind
        if not takes_times(kind):
            of_times = ", ".join(repr(name) for name in KINDS if takes_times(name))
            raise TrialError(
                f"event= is for times to an event: endpoint must be one of {of_times}, got {kind!r}"
            )
        made = KINDS[kind].time
        competing = made is not None and made.competing
        event = table[roles["event"]]
        if event_value is None:
            event = as_codes(event, file)
        read = recorded_times(outcome, event, event_value, competing=competing)
        names = (str(outcome.name), roles["event"])
        return cls(read.time, kind, names, read, read.cause)

    @property
    def observed(self) -> BoolArray:
        """Who has an outcome, shape (n,)."""
        return ~np.isnan(self.values)

    def of_analysed(self, treatment: IntArray, horizon: Any, censoring: str) -> OutcomeColumns:
        """Those of the persons who have an outcome, with what is made of their times.

        Parameters
        ----------
        treatment
            Of these persons, shape (k,).
        horizon, censoring
            As in `tauhat.Trial`.
        """
        values = self.values[self.observed]
        if self.cause is None:
            if censoring != CENSORING_MODELS[0]:
                raise TrialError(
                    f"censoring={censoring!r} is for times to an event: give event= and horizon= "
                    "with it, or leave it out"
                )
            return replace(self, values=values)
        cause = self.cause[self.observed]
        outcome, event = self.names
        follow_up = checked_follow_up(
            values, cause, treatment, horizon, censoring, outcome=outcome, event=event
        )
        return replace(self, values=values, cause=cause, follow_up=follow_up)

    def made(
        self, treatment: IntArray, X: pd.DataFrame, weight: FloatArray | None
    ) -> CensoredOutcome:
        """The outcome made of the times of all persons, in their own order."""
        assert self.kind is not None
        assert self.cause is not None
        assert self.follow_up is not None
        endpoint = Endpoint.of_times(self.kind, self.follow_up)
        covariates = X.to_numpy(dtype=np.float64)
        times = Times(self.values, self.cause, treatment, covariates, weight)
        return endpoint.outcome_of_times(times)
