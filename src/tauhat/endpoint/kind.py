"""What is known of one kind of outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tauhat._typing import FloatArray
from tauhat.numerics.censored_outcomes import Functional
from tauhat.numerics.latent import ProbitOutcome


@dataclass(frozen=True)
class Words:
    """How results on outcomes of one kind are told.

    Attributes
    ----------
    effect
        What an effect is, such as "risk difference", to precede "in" and the outcome.
    values
        The values of such outcomes in a word or two, for the table of the design check.
    note
        A sentence for the design check; empty where there is nothing to say.
    beyond
        What rules out effects beyond the bounds, such as "an outcome with two values allows";
        empty for kinds without bounds.
    """

    effect: str
    values: str
    note: str = ""
    beyond: str = ""


def nothing_latent(events: FloatArray, weight: FloatArray | None, known: FloatArray) -> None:
    """Samplers take the numbers themselves."""


def without_events(values: FloatArray) -> None:
    """No value is an event."""


@dataclass(frozen=True)
class TimeOutcome:
    """What is made of the time to an event.

    Attributes
    ----------
    measure
        What the arms are compared on, in words.
    functional
        What of the time is wanted.
    largest_effect
        Largest effect that can be, either way, given the horizon.
    competing
        Whether other events rule out the event.
    in_time
        Whether effects are times, in the unit of the times.
    """

    measure: str
    functional: Functional
    largest_effect: Callable[[float], float]
    competing: bool = False
    in_time: bool = True


@dataclass(frozen=True)
class OutcomeKind:
    r"""One kind of outcome: what its values may be, and what an effect on it is.

    Its functions are plain functions of a module, so that a trial can be sent to other
    processes.

    Attributes
    ----------
    name
        What users type as ``endpoint=``.
    is_plain
        Whether values, shape (n,), are so plainly of this kind that nobody has to say so.
    fault
        What is wrong with values, shape (n,), of an outcome that is said to be of this kind, to
        follow the name of the column; None if nothing is.
    largest_effect
        Largest effect that can be, either way, given values, shape (n,); infinite without bounds.
    link
        Name of the link g between the mean and a sum of terms.
    marginal_mean
        :math:`E_b\{g^{-1}(\eta + b)\}` for :math:`b \sim N(0, \sigma^2)`, given
        :math:`\eta`, shape (k,), and :math:`\sigma^2`: the mean in a new cluster.
    variance
        Variance of an outcome up to a factor, given its mean, shape (k,).
    scales
        Scales on which an effect can be told (`tauhat.endpoint.SCALES`), the usual one first.
    words
        How results are told.
    time
        What is made of the time to an event; None where the outcome is what was measured.
    latent
        What lies behind the outcome, for the samplers of Gaussian models, given events, 0 or 1,
        shape (n,), weights, shape (n,), or None, and known parts of the outcome, shape (n,);
        None if they take the outcome itself.
    codes
        Values that stand for no event and for an event, given all values, shape (n,); None
        where nothing is an event.
    counts_events
        Whether an outcome is a number of events, or a rate of them.
    """

    name: str
    is_plain: Callable[[FloatArray], bool]
    fault: Callable[[FloatArray], str | None]
    largest_effect: Callable[[FloatArray], float]
    link: str
    marginal_mean: Callable[[FloatArray, float], FloatArray]
    variance: Callable[[FloatArray], FloatArray]
    scales: tuple[str, ...]
    words: Words
    time: TimeOutcome | None = None
    latent: Callable[[FloatArray, FloatArray | None, FloatArray], ProbitOutcome | None] = (
        nothing_latent
    )
    codes: Callable[[FloatArray], tuple[float, float] | None] = without_events
    counts_events: bool = False

    @property
    def told(self) -> str:
        """What effects are, and whether they are cut, in a few words."""
        words = self.words
        return words.effect + (f", cut at what {words.beyond}" if words.beyond else "")
