"""Average risks of both arms, their ratio and odds ratio, and the number needed to treat."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tauhat.endpoint import SCALES
from tauhat.inference.arm_means import ArmMeans
from tauhat.inference.estimate import Estimate
from tauhat.runtime.display import Shown
from tauhat.wording import join_words, p_words, with_digits_alike


@dataclass(frozen=True)
class NumberNeeded(Shown):
    """How many persons are treated for one event fewer, or one more.

    Attributes
    ----------
    estimate
        One over the size of the risk difference; None where that is zero.
    fewer
        Whether treatment lowers the risk.
    lower, upper
        Ends of the interval, one over those of the risk difference; infinite where that starts or
        ends at zero. Where ``crosses``, the end on the estimate's own side and that on the other:
        the interval runs from the first through infinity to the second.
    crosses
        Whether the interval of the risk difference holds zero.

    References
    ----------
    Altman (1998), BMJ 317:1309-1312.

    Examples
    --------
    >>> difference = Estimate.from_t(-0.05, 0.02, degrees_of_freedom=1000, level=0.95)
    >>> NumberNeeded.of(difference).text
    'One event fewer for every 20 persons treated (interval 11 to 93).'
    >>> wide = Estimate.from_t(-0.05, 0.03, degrees_of_freedom=1000, level=0.95)
    >>> NumberNeeded.of(wide).text
    'One event fewer for every 20.0 persons treated (interval from 9.19 for one event fewer, ...
    """

    estimate: float | None
    fewer: bool
    lower: float
    upper: float
    crosses: bool

    @classmethod
    def of(cls, difference: Estimate) -> NumberNeeded:
        """Number needed to treat, given a risk difference."""
        sign = -1.0 if difference.estimate <= 0 else 1.0
        near, far = sorted((sign * difference.lower, sign * difference.upper))

        def one_over(size: float) -> float:
            return float(np.inf) if size == 0 else 1 / abs(size)

        size = abs(difference.estimate)
        estimate = None if size == 0 else 1 / size
        return cls(estimate, sign < 0, one_over(far), one_over(near), near <= 0 <= far)

    @property
    def table(self) -> pd.DataFrame:
        """The numbers in one row."""
        row = {
            "persons treated": self.estimate,
            "for one event": "fewer" if self.fewer else "more",
            "lower": self.lower,
            "upper": self.upper,
            "interval holds infinity": self.crosses,
        }
        return pd.DataFrame([row])

    @property
    def text(self) -> str:
        """The number and its interval in a sentence."""
        if self.estimate is None:
            return "No number of persons treated makes one event more or fewer."
        one, other = ("fewer", "more") if self.fewer else ("more", "fewer")
        numbers = self.estimate, self.lower, self.upper
        if not self.crosses:
            told, lower, upper = with_digits_alike(*numbers)
            return (
                f"One event {one} for every {told} persons treated (interval {lower} to {upper})."
            )
        # Ends on either side of infinity have no width between them.
        told, lower, upper = (_digits(number) for number in numbers)
        return (
            f"One event {one} for every {told} persons treated (interval from {lower} for one "
            f"event {one}, through infinity, to {upper} for one event {other})."
        )


@dataclass(frozen=True)
class AverageRisks(Shown):
    """Risks of an event on average, without and with treatment.

    Attributes
    ----------
    control, treated
        Adjusted risks of everyone under control and under treatment; None where they are
        `hidden`.
    difference
        Risk difference.
    ratio, odds_ratio
        Ratios of these risks, with errors of their logarithms; None where no events, or nothing
        but events, in an arm leave them open, also if only one unit were left out.
    """

    control: float | None
    treated: float | None
    difference: Estimate
    ratio: Estimate | None
    odds_ratio: Estimate | None

    @property
    def number_needed(self) -> NumberNeeded:
        """Number needed to treat."""
        return NumberNeeded.of(self.difference)

    def hidden(self) -> AverageRisks:
        """The same without what would tell how many an arm has with the event, if they are few."""
        return replace(self, control=None, treated=None, ratio=None, odds_ratio=None)

    def on(self, scale: str) -> Estimate | None:
        """The effect on the scale "difference", "ratio" or "odds ratio"."""
        of_scale = {"difference": self.difference, "ratio": self.ratio}
        return {**of_scale, "odds ratio": self.odds_ratio}[scale]

    @property
    def table(self) -> pd.DataFrame:
        """One row per scale."""
        told = {scale: self.on(scale) for scale in SCALES}
        columns = ["estimate", "se", "lower", "upper", "p_value", "degrees_of_freedom"]
        return pd.DataFrame(
            [
                {"scale": scale, **{name: getattr(found, name, np.nan) for name in columns}}
                for scale, found in told.items()
            ]
        )

    @property
    def text(self) -> str:
        """The risks per 100 persons and their contrasts, in sentences."""
        per_100, level = self.difference.over(0.01), 100 * self.difference.level
        told, lower, upper = with_digits_alike(per_100.estimate, per_100.lower, per_100.upper)
        interval = (
            f"{told} per 100 persons ({level:g}% confidence interval {lower} to {upper}; "
            f"{p_words(per_100.p_value)})."
        )
        if self.control is None or self.treated is None:
            return f"The risk difference is {interval} {self.number_needed.text}"
        # As many decimals as their difference has, which is known no better than they are.
        decimals = len(told.partition(".")[2])
        parts = [
            f"{100 * self.treated:.{decimals}f} of 100 persons have the event with treatment and "
            f"{100 * self.control:.{decimals}f} without, a risk difference of {interval}"
        ]
        ratios = [
            f"{word} {_digits(found.estimate)} ({_digits(found.lower)} to {_digits(found.upper)})"
            for word, found in (("risk ratio", self.ratio), ("odds ratio", self.odds_ratio))
            if found is not None
        ]
        if ratios:
            text = ", ".join(ratios)
            parts.append(f"{text[0].upper()}{text[1:]}.")
        else:
            parts.append("Too few events in an arm for a ratio.")
        cut = cut_words(self.control, self.treated, self.difference.estimate)
        return " ".join([*parts, self.number_needed.text, *cut])


def cut_words(control: float, treated: float, difference: float) -> list[str]:
    """Why the risks of both arms do not differ by the risk difference; mostly nothing.

    Adjusted for covariates an arm without events can have a risk below 0.

    Examples
    --------
    >>> print(cut_words(0.459, 0.0, -0.460)[0][:70])
    Adjusted for covariates the risk with treatment came out below 0 and i
    >>> cut_words(0.459, 0.0, -0.459)
    []
    """
    if abs(treated - control - difference) < 1e-9:
        return []
    bounds = {0.0: "below 0 and is shown as 0", 1.0: "above 100 and is shown as 100"}
    cut = [
        f"the risk {when} treatment came out {bounds[risk]}"
        for when, risk in (("with", treated), ("without", control))
        if risk in bounds
    ]
    if not cut:
        return []
    return [
        f"Adjusted for covariates {join_words(cut)}; the risk difference is not cut, so it is not "
        "that of the two risks shown."
    ]


def _digits(number: float) -> str:
    """A number with three digits, zeros at its end too, or in full where it has more."""
    return f"{number:.0f}" if number >= 100 else f"{number:#.3g}"


def average_risks(risks: ArmMeans, differences: list[Estimate], level: float) -> list[AverageRisks]:
    """Risks of each average, given its risk difference, and the ratios of these."""
    ratios, odds = (risks.told_as(SCALES[name], level) for name in ("ratio", "odds ratio"))
    return [
        AverageRisks(float(control), float(treated), difference, ratio, odd)
        for (control, treated), difference, ratio, odd in zip(
            np.clip(risks.means, 0, 1), differences, ratios, odds, strict=True
        )
    ]
