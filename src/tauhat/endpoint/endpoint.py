"""The endpoint of a trial: what was measured, and what can be said of effects on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tauhat._typing import FloatArray
from tauhat.endpoint.binary import BINARY
from tauhat.endpoint.continuous import CONTINUOUS
from tauhat.endpoint.count import COUNT
from tauhat.endpoint.follow_up import FollowUp, Slopes, Times
from tauhat.endpoint.kind import OutcomeKind, Words
from tauhat.endpoint.rmst import RMST
from tauhat.endpoint.scales import SCALES, EffectScale
from tauhat.endpoint.survival_probability import SURVIVAL
from tauhat.endpoint.time_lost import TIME_LOST_TO_CAUSE
from tauhat.errors import TrialError
from tauhat.numerics.censored_outcomes import CensoredOutcome
from tauhat.numerics.latent import ProbitOutcome

KINDS: dict[str, OutcomeKind] = {
    kind.name: kind for kind in (BINARY, RMST, SURVIVAL, TIME_LOST_TO_CAUSE, COUNT, CONTINUOUS)
}
"""Every kind of outcome by its name.

Where nobody says which one it is, the first counts that the values plainly belong to; the
last takes any.
"""

OF_TIMES = RMST.name
"""The kind of outcome where an event is given and no kind is named."""

OF_COUNTS = COUNT.name
"""The kind of outcome that counts events over a time at risk."""

OF_TWO_VALUES = BINARY.name
"""The kind of outcome where one of its two values is said to be the event."""


def takes_times(kind: str | None) -> bool:
    """Whether a kind of outcome, by its name, is made of times and events."""
    return isinstance(kind, str) and kind in KINDS and KINDS[kind].time is not None


@dataclass(frozen=True)
class Endpoint:
    """What was measured in a trial.

    Attributes
    ----------
    kind_name
        Name of its kind, one of ``KINDS``.
    largest_effect
        Largest effect that can be, either way; infinite without bounds.
    follow_up
        Horizon and model of censoring where the outcome is made of times; else None.
    codes
        Values that stand for no event and for an event; None where nothing is an event.
    mean_exposure
        Mean time at risk behind counts, which sample weights are relative to, or 1 where it is
        the same for everyone; None where the outcome is no number of events over a known time.
    is_linear
        Whether models are linear in the mean, although the kind has a link.

    Examples
    --------
    >>> endpoint = Endpoint.of(np.array([1.0, 2.0, 2.0]))
    >>> endpoint.kind_name, endpoint.words.effect
    ('binary', 'risk difference')
    >>> endpoint.events(np.array([2.0, 1.0])).tolist()
    [1.0, 0.0]
    >>> endpoint.bounded(np.array([-1.2, 0.3])).tolist()
    [-1.0, 0.3]
    """

    kind_name: str = CONTINUOUS.name
    largest_effect: float = np.inf
    follow_up: FollowUp | None = None
    codes: tuple[float, float] | None = None
    mean_exposure: float | None = None
    is_linear: bool = False

    @classmethod
    def of_times(cls, kind: str, follow_up: FollowUp) -> Endpoint:
        """Endpoint of a kind that is made of times."""
        made = KINDS[kind].time
        assert made is not None
        return cls(kind, made.largest_effect(follow_up.horizon), follow_up)

    @classmethod
    def of(cls, values: FloatArray, kind: str | None = None, column: str = "y") -> Endpoint:
        """Endpoint with these values.

        Parameters
        ----------
        values
            Outcomes, shape (n,), none missing.
        kind
            Name of the kind; None to tell it from the values.
        column
            Name of the outcome, for messages.

        Raises
        ------
        TrialError
            If the kind is unknown or the values are not of that kind.
        """
        if kind is None:
            found = next(one for one in KINDS.values() if one.is_plain(values))
        elif isinstance(kind, str) and kind in KINDS:
            found = KINDS[kind]
            fault = found.fault(values)
            if fault:
                raise TrialError(f"outcome column {column!r} {fault}")
        else:
            raise TrialError(f"endpoint must be one of {', '.join(sorted(KINDS))}, got {kind!r}")
        return cls(found.name, found.largest_effect(values), codes=found.codes(values))

    def check(self) -> None:
        """Raise a `ValueError` unless the kind is known and there is a largest effect."""
        if not isinstance(self.kind_name, str) or self.kind_name not in KINDS:
            raise ValueError(f"there is no kind of outcome {self.kind_name!r}")
        if type(self.largest_effect) is not float or not self.largest_effect > 0:
            raise ValueError("an endpoint has no largest effect")
        if (self.follow_up is None) != (self.kind.time is None):
            raise ValueError("an endpoint has a horizon that it should not have, or lacks one")
        if self.follow_up is not None:
            if not isinstance(self.follow_up, FollowUp):
                raise ValueError("the follow-up of an endpoint is something else")
            self.follow_up.check()
        codes = self.codes
        if codes is not None and not (
            isinstance(codes, tuple)
            and len(codes) == 2
            and all(type(code) is float and np.isfinite(code) for code in codes)
            and codes[0] < codes[1]
        ):
            raise ValueError("an endpoint has no codes of no event and an event")
        exposure = self.mean_exposure
        if exposure is not None and not (type(exposure) is float and 0 < exposure < np.inf):
            raise ValueError("the mean time at risk of an endpoint is none")
        if type(self.is_linear) is not bool:
            raise ValueError("whether models of an endpoint are linear is left open")

    @property
    def kind(self) -> OutcomeKind:
        """What is known of outcomes of this kind."""
        return KINDS[self.kind_name]

    @property
    def link(self) -> str:
        """Name of the link of its models.

        Risks are modelled where the two values are 1 apart, so that a difference of means is
        one of risks; others, such as 0 and 100, are taken as numbers. So are counts that have
        sample weights other than their times, of which no model of counts is known.
        """
        modelled = self.in_risks or self.mean_exposure
        return self.kind.link if modelled and not self.is_linear else "identity"

    @property
    def in_risks(self) -> bool:
        """Whether a difference of means is one of risks."""
        return self.codes is not None and self.largest_effect == 1

    @property
    def is_number(self) -> bool:
        """Whether outcomes are numbers as they stand: no events, counts or times."""
        return self.kind_name == CONTINUOUS.name

    @property
    def words(self) -> Words:
        """How results are told."""
        return self.kind.words

    @property
    def means_have_ratio(self) -> bool:
        """Whether both arms' means, of rates or of what is made of times, are modelled."""
        return self.mean_exposure is not None or self.follow_up is not None

    @property
    def ends(self) -> tuple[float, float] | None:
        """Least and largest mean that can be, where means have a ratio; else None."""
        above_none = self.kind.counts_events or self.follow_up is not None
        return (0.0, self.largest_effect) if above_none else self.codes

    def events(self, values: FloatArray) -> FloatArray:
        """1 where an outcome is an event and 0 where it is none, shape (n,).

        Raises
        ------
        TrialError
            If outcomes are no events.
        """
        without, event = self.refuse_without_events("a risk")
        happened: FloatArray = (values > (without + event) / 2).astype(np.float64)
        return happened

    def latent(
        self, values: FloatArray, weight: FloatArray | None, known: FloatArray
    ) -> ProbitOutcome | None:
        """What lies behind outcomes, shape (n,), for samplers; None if they take these.

        Weights and known parts are those of `tauhat.endpoint.OutcomeKind.latent`.
        """
        if self.link == "identity" or self.codes is None:
            return None
        return self.kind.latent(self.events(values), weight, known)

    def as_numbers(self) -> Endpoint:
        """The endpoint of numbers that have the mean of such outcomes but are none themselves.

        Examples
        --------
        >>> made = Endpoint.of(np.array([0.0, 1.0])).as_numbers()
        >>> made.link, made.largest_effect, made.codes
        ('identity', 1.0, (0.0, 1.0))
        """
        if self.follow_up is not None or self.kind.counts_events:
            return replace(self, mean_exposure=None)
        return replace(self, kind_name=CONTINUOUS.name)

    def with_linear_models(self) -> Endpoint:
        """The same where no model with a link knows the design.

        Examples
        --------
        >>> event = Endpoint.of(np.array([0.0, 1.0])).with_linear_models()
        >>> event.link, event.words.effect, event.in_risks
        ('identity', 'risk difference', True)
        """
        return replace(self, is_linear=True)

    def scale(self, name: str) -> EffectScale:
        """The scale of that name.

        Raises
        ------
        TrialError
            If there is none, or effects on such outcomes cannot be told on it.

        Examples
        --------
        >>> Endpoint().scale("odds ratio")
        Traceback (most recent call last):
        tauhat.errors.TrialError: scale='odds ratio' needs an outcome with two values, ...
        """
        if name not in SCALES:
            raise TrialError(f"scale must be one of {', '.join(SCALES)}, got {name!r}")
        scale = SCALES[name]
        if scale.is_log and not (self.means_have_ratio and name in self.kind.scales):
            self.refuse_without_events(f"scale={name!r}")
        return scale

    def refuse_without_events(self, what: str) -> tuple[float, float]:
        """The codes of no event and of an event; a `TrialError` about ``what`` if none is."""
        if self.codes is None:
            told = "differences or ratios" if self.means_have_ratio else "differences"
            raise TrialError(
                f"{what} needs an outcome with two values, an event or none; this one is "
                f"{self.kind_name}, and effects on it are {told}"
            )
        return self.codes

    def of_exposure(self, weight: FloatArray | None, *, is_time: bool) -> Endpoint:
        """The same with the mean time at risk, where that is known.

        Parameters
        ----------
        weight
            Sample weights, shape (n,), or None.
        is_time
            Whether they are times at risk.

        Examples
        --------
        >>> counts = Endpoint.of(np.array([0.0, 3.0]), "count")
        >>> counts.of_exposure(np.array([1.0, 2.0]), is_time=True).mean_exposure
        1.5
        >>> counts.of_exposure(np.array([1.0, 2.0]), is_time=False).link
        'identity'
        """
        if not self.kind.counts_events:
            return self
        mean = 1.0 if weight is None else float(weight.mean()) if is_time else None
        return replace(self, mean_exposure=mean)

    def times_at_risk(self, weight: FloatArray | None, n: int) -> FloatArray:
        """Time at risk of each of n rows behind counts, given relative weights, shape (n,)."""
        assert self.mean_exposure is not None
        return np.full(n, self.mean_exposure) if weight is None else self.mean_exposure * weight

    def bounded(self, effect: FloatArray) -> FloatArray:
        """Effects no larger than can be, any shape; as they are without bounds."""
        return np.clip(effect, -self.largest_effect, self.largest_effect)

    def too_large(self, size: float) -> str:
        """What is wrong with an effect of this size, which none can have; empty if one can.

        Examples
        --------
        >>> Endpoint.of(np.array([0.0, 1.0])).too_large(3)
        'a difference in risks is at most 1, got 3 (of 3 in 100 it is 0.03)'
        """
        if size <= self.largest_effect:
            return ""
        made = self.kind.time
        if made is not None and made.in_time:
            return f"no effect is longer than the horizon, {self.largest_effect:g}, got {size:g}"
        if self.largest_effect != 1:
            return f"no effect can be larger than {self.largest_effect:g}, got {size:g}"
        said = f" (of {size:g} in 100 it is {size / 100:g})" if size <= 100 else ""
        return f"a difference in risks is at most 1, got {size:g}{said}"

    def outcome_of_times(self, times: Times, slopes: Slopes = "by arm") -> CensoredOutcome:
        """The outcome that is made of times (`tauhat.endpoint.follow_up.FollowUp.outcome`)."""
        made = self.kind.time
        assert made is not None
        assert self.follow_up is not None
        return self.follow_up.outcome(
            made.functional, times, competing=made.competing, slopes=slopes
        )

    def record(self) -> dict[str, Any]:
        """What ``run.json`` and the report say of it."""
        kind = self.kind
        return {
            "kind": kind.name,
            "link": self.link,
            "scale": kind.scales[0],
            "effect": kind.words.effect,
            "largest_effect": self.largest_effect,
            "beyond": kind.words.beyond,
            "horizon": None if self.follow_up is None else self.follow_up.horizon,
            "censoring": None if self.follow_up is None else self.follow_up.censoring,
            "in_time": kind.time is not None and kind.time.in_time,
            "in_risks": self.in_risks and kind.link == "logit",
        }
