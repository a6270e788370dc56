"""The records behind the names that users type: what an estimator is, and what it is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from tauhat.endpoint import KINDS
from tauhat.fitting.cate_estimator import CateEstimator

Made = TypeVar("Made")

#: What becomes of the intercepts of randomization blocks: a random intercept of the model itself,
#: taken out of the outcome beforehand, or whatever the members of an ensemble do.
BlockIntercepts = Literal["intercept", "taken out", "members"]

#: The same of levels within clusters, of those that cross them, and of participants with several
#: rows.
InnerLevels = Literal["intercept", "ignored", "members"]

#: Why they are ignored.
INNER_IGNORED = (
    "its model has an intercept of clusters, or none, so that what patients of a provider share "
    "counts as noise of each; errors of averages, tests and folds take whole clusters all the same"
)

#: Why models of events and counts have no more than two.
TWO_LEVELS_OF_EVENTS = (
    "risks and rates in a new cluster are averages over the intercepts, which are written for "
    "clusters and one level within them: further levels are left out, and crossed ones refused; "
    "errors of averages, tests and folds take whole clusters all the same"
)

#: Why learners without a model of risks are not meant for events. The figures are those of
#: benchmarks/binary_outcomes.py.
AS_NUMBERS = (
    "it takes the event as the number 1, so that effects add up on the scale of the risk: where "
    "all have the same odds ratio, even `LMM` and `GAMM` on numbers had 1.3 times the error of "
    "`GAMM` on the log odds (measured: see Benchmarks)"
)
#: The same of counts (benchmarks/count_effects.py).
RATES_AS_NUMBERS = (
    "it takes rates as numbers, so that effects add up on their scale: where all have the same "
    "rate ratio, `GAMM` on numbers had 1.6 times the error of `GAMM` on the log rate (measured: "
    "see Counts and rates)"
)


@dataclass(frozen=True)
class Registered(Generic[Made]):
    """Something with a name: how it is made, what it is, and where it comes from.

    Attributes
    ----------
    make
        Makes one, unfitted, at its default settings.
    description
        What it is, in a line.
    source
        The paper or software that it follows; "tauhat" for what is our own.
    """

    make: Callable[..., Made]
    description: str
    source: str


@dataclass(frozen=True)
class Support:
    """Whether an estimator can be used for one kind of outcome in one design.

    Attributes
    ----------
    verdict
        "meant", "possible" (it runs, and others are better suited), or "refused".
    because
        Why it is not meant for it, or refused; empty where it is meant.
    """

    verdict: Literal["meant", "possible", "refused"]
    because: str = ""


@dataclass(frozen=True)
class RegisteredEstimator(Registered[CateEstimator]):
    """What is known of an estimator that has a name.

    Attributes
    ----------
    make, description, source
        As in `Registered`.
    meant_for
        Names of the designs that it is meant for: "individual", "cluster".
    elsewhere
        Why it is not meant for the others, in which it runs all the same.
    risks_for
        Names of the designs for which its model of the risks of an event is meant; of those
        that average members, where these may have one. Without any it takes the event as
        the number 1 (`AS_NUMBERS`).
    rates_for
        The same for its model of the rates of counts (`RATES_AS_NUMBERS`).
    block_intercepts
        What becomes of the intercepts of randomization blocks.
    fewest_units
        Randomized units that each arm must have in a cluster trial.
    uses_weights
        Whether sample weights change its effects.
    inner_levels
        What becomes of levels within clusters, such as providers in clinics, and of what
        crosses clusters.
    refuses
        Reason by name of each design and kind of outcome that its fit refuses.

    Examples
    --------
    >>> from tauhat.registry import registered
    >>> registered("BCF").support("cluster", "binary").verdict
    'possible'
    >>> registered("BCF").has_draws, registered("X-RF").has_draws
    (True, False)
    """

    meant_for: tuple[str, ...] = ()
    elsewhere: str = ""
    risks_for: tuple[str, ...] = ()
    rates_for: tuple[str, ...] = ()
    block_intercepts: BlockIntercepts = "taken out"
    fewest_units: int = 2
    uses_weights: bool = True
    inner_levels: InnerLevels = "ignored"
    refuses: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_draws(self) -> bool:
        """Whether it has posterior draws of the effect."""
        return self.make().has_draws

    @property
    def draws_risks(self) -> bool:
        """Whether it has posterior draws of the risks of an event."""
        return any(
            self.make().has_form(kind.link) for kind in KINDS.values() if kind.link != "identity"
        )

    def support(self, design: str, kind: str) -> Support:
        """Whether it can be used for a kind of outcome in a design, both by name."""
        for asked in (design, kind):
            if asked in self.refuses:
                return Support("refused", self.refuses[asked])
        because = ""
        designs = self.meant_for
        if KINDS[kind].link != "identity":
            designs, because = {
                "logit": (self.risks_for, AS_NUMBERS),
                "log": (self.rates_for, RATES_AS_NUMBERS),
            }[KINDS[kind].link]
        if design in designs:
            return Support("meant")
        # Without any model of risks or rates the design may still be the right one.
        as_numbers = bool(because) and not designs and design in self.meant_for
        return Support("possible", because if as_numbers else self.elsewhere)
