"""Scenarios of individually randomized trials with calibrated constants.

The paper on robust ensembles states the form of its scenarios but publishes no
constants. Those here were chosen by hand so that cheap reference estimators
come close to the paper's tables: they are calibrated, not published. Say so
wherever results on them are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tauhat.simulate.scenario import register_scenario
from tauhat.simulate.second_order import SecondOrder, Term, TermScenario


@dataclass(frozen=True, kw_only=True)
class Linear(TermScenario):
    """Linear prognosis and effect on eight of ten N(0, 1) covariates.

        tau = 1 + (x1 - x2 + x3 - x4 + x5 - x6 + x7 - x8) / np.sqrt(8)
        mu0 = (x1 + ... + x8) / np.sqrt(8),  noise SD 1.45

    SD of tau and of mu0 are 1, uncorrelated. The constants are calibrated, not
    published (see the module). ``p`` above 10 adds covariates without effect.

    Examples
    --------
    >>> trial = Linear().draw(100, random_state=1)
    >>> signs = np.array([1, -1, 1, -1, 1, -1, 1, -1])
    >>> bool(np.allclose(trial.tau, 1 + trial.X.iloc[:, :8] @ signs / np.sqrt(8)))
    True
    """

    @property
    def noise_sd(self) -> float:
        """SD of the normal noise of the outcome."""
        return 1.45 if self.noise is None else self.noise

    @property
    def effect_terms(self) -> tuple[Term, ...]:
        """Terms of tau."""
        return tuple(Term((1 - 2 * (j % 2)) / np.sqrt(8), "identity", j + 1) for j in range(8))

    @property
    def prognosis_terms(self) -> tuple[Term, ...]:
        """Terms of mu0."""
        return tuple(Term(1 / np.sqrt(8), "identity", j + 1) for j in range(8))

    @property
    def constants(self) -> tuple[float, float]:
        """Constants of tau and of mu0."""
        return 1.0, 0.0


_SLIGHTLY_EFFECT: Final = {
    10: (
        Term(2.0 / np.sqrt(5.36), "tanh", 1),
        Term(1.0 / np.sqrt(5.36), "step", 2),
        Term(0.6 / np.sqrt(5.36), "exponential", 3),
    ),
    20: (
        Term(1.4 / np.sqrt(4.6), "step", 1),
        Term(1.0 / np.sqrt(4.6), "hinge", 2),
        Term(1.0 / np.sqrt(4.6), "late-step", 3),
        Term(0.8 / np.sqrt(4.6), "exponential", 4),
    ),
}
_SLIGHTLY_PROGNOSIS: Final = {10: 0.5 / np.sqrt(5), 20: np.sqrt(0.4) / np.sqrt(5)}
_SLIGHTLY_NOISE: Final = {10: 0.9, 20: 0.95}


@dataclass(frozen=True, kw_only=True)
class SlightlyNonlinear(TermScenario):
    """Linear prognosis; nonlinear transformations, no products, in the effect.

    With z_h the standardised transformation h, for p = 10

        tau = 0.5 + (2 z_tanh(2x)(x1) + z_[x>0](x2) + 0.6 z_exp(0.6x)(x3)) / np.sqrt(5.36)
        mu0 = 0.5 (x3 + ... + x7) / np.sqrt(5),  noise SD 0.9

    and for p = 20

        tau = 0.5 + (1.4 z_[x>0](x1) + z_max(x,0)(x2) + z_[x>.5](x3)
              + 0.8 z_exp(0.6x)(x4)) / np.sqrt(4.6)
        mu0 = np.sqrt(0.4) (x3 + ... + x7) / np.sqrt(5),  noise SD 0.95

    SD of tau is 1. The best linear effect has sRMSE 0.448 and 0.572. The
    constants are calibrated, not published (see the module).

    Examples
    --------
    >>> SlightlyNonlinear(p=20).draw(100, random_state=1).X.shape
    (100, 20)
    """

    def __post_init__(self) -> None:
        """Only the two calibrated numbers of covariates are allowed."""
        if self.p not in _SLIGHTLY_EFFECT:
            raise ValueError(
                f"'slightly-nonlinear' is calibrated for p = 10 and p = 20, got {self.p}; "
                "make a SecondOrder scenario for other numbers"
            )
        super().__post_init__()

    @property
    def noise_sd(self) -> float:
        """SD of the normal noise of the outcome."""
        return _SLIGHTLY_NOISE[self.p] if self.noise is None else self.noise

    @property
    def effect_terms(self) -> tuple[Term, ...]:
        """Terms of tau."""
        return _SLIGHTLY_EFFECT[self.p]

    @property
    def prognosis_terms(self) -> tuple[Term, ...]:
        """Terms of mu0."""
        return tuple(Term(_SLIGHTLY_PROGNOSIS[self.p], "identity", j) for j in range(3, 8))

    @property
    def constants(self) -> tuple[float, float]:
        """Constants of tau and of mu0."""
        return 0.5, 0.0


@dataclass(frozen=True, kw_only=True)
class HighlyNonlinear(TermScenario):
    """Nonlinear transformations and products in prognosis and effect.

    With z_h the standardised transformation h

        tau = 0.5 + (z_|x|(x1) + z_cos(2x)(x2) + z_x^2(x3) + 0.7 x4 x5) / np.sqrt(3.49)
        mu0 = (x6 + z_[x>0](x7) + z_x^2(x1) + x2 + 0.7 x8 x9) / np.sqrt(4.49),  noise SD 1.25

    SD of tau and of mu0 are 1. The effect has no linear part at all: the best
    linear effect has sRMSE 1. The constants are calibrated, not published
    (see the module). ``p`` above 10 adds covariates without effect.

    Examples
    --------
    >>> HighlyNonlinear().draw(100, random_state=1).X.shape
    (100, 10)
    """

    @property
    def noise_sd(self) -> float:
        """SD of the normal noise of the outcome."""
        return 1.25 if self.noise is None else self.noise

    @property
    def effect_terms(self) -> tuple[Term, ...]:
        """Terms of tau."""
        scale = 1 / np.sqrt(3.49)
        return (
            Term(scale, "absolute", 1),
            Term(scale, "cosine", 2),
            Term(scale, "square", 3),
            Term(0.7 * scale, "identity", 4, "identity", 5),
        )

    @property
    def prognosis_terms(self) -> tuple[Term, ...]:
        """Terms of mu0."""
        scale = 1 / np.sqrt(4.49)
        return (
            Term(scale, "identity", 6),
            Term(scale, "step", 7),
            Term(scale, "square", 1),
            Term(scale, "identity", 2),
            Term(0.7 * scale, "identity", 8, "identity", 9),
        )

    @property
    def constants(self) -> tuple[float, float]:
        """Constants of tau and of mu0."""
        return 0.5, 0.0


register_scenario("linear", Linear, kind="individual")
register_scenario("slightly-nonlinear", SlightlyNonlinear, kind="individual")
register_scenario("highly-nonlinear", HighlyNonlinear, kind="individual")
register_scenario("second-order", SecondOrder, kind="individual")
