"""Trials from transformed covariates and their products of two."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import e, pi, sqrt
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.simulate.individual_scenario import IndividualScenario
from tauhat.simulate.scenario import SimulatedPersons, part_generator, whole_number


class Transformation(NamedTuple):
    """A function of one covariate, with its mean and SD when the covariate is N(0, 1)."""

    function: Callable[[FloatArray], FloatArray]
    mean: float
    sd: float


_UPPER_HALF = 0.3085375387259869  # P(Z > 0.5)

TRANSFORMATIONS: Final[dict[str, Transformation]] = {
    "identity": Transformation(lambda x: x, 0.0, 1.0),
    "absolute": Transformation(np.abs, sqrt(2 / pi), sqrt(1 - 2 / pi)),
    "square": Transformation(np.square, 1.0, sqrt(2)),
    "cosine": Transformation(lambda x: np.cos(2 * x), e**-2, sqrt((1 + e**-8) / 2 - e**-4)),
    "sine": Transformation(lambda x: np.sin(2 * x), 0.0, sqrt((1 - e**-8) / 2)),
    "step": Transformation(lambda x: (x > 0).astype(np.float64), 0.5, 0.5),
    "late-step": Transformation(
        lambda x: (x > 0.5).astype(np.float64), _UPPER_HALF, sqrt(_UPPER_HALF * (1 - _UPPER_HALF))
    ),
    "hinge": Transformation(
        lambda x: np.maximum(x, 0.0), 1 / sqrt(2 * pi), sqrt(0.5 - 1 / (2 * pi))
    ),
    "exponential": Transformation(lambda x: np.exp(0.6 * x), e**0.18, sqrt(e**0.72 - e**0.36)),
    "tanh": Transformation(lambda x: np.tanh(2 * x), 0.0, 0.7970327686218054),
}
"""The transformations h, used standardised: (h(x) - mean) / sd.

The SD of tanh(2 Z) is by Gauss-Hermite quadrature, all else is exact.
"""


class Term(NamedTuple):
    """One term: coefficient times one or two transformed, standardised covariates.

    Attributes
    ----------
    coefficient
        In the outcome's unit.
    transformation, feature
        Name in `TRANSFORMATIONS` and number of the covariate, from 1.
    second_transformation, second_feature
        The other factor of a second-order term; feature 0 for none.
    """

    coefficient: float
    transformation: str
    feature: int
    second_transformation: str = "identity"
    second_feature: int = 0


def surface(X: FloatArray, terms: Iterable[Term]) -> FloatArray:
    """Sum of the terms at each person.

    Parameters
    ----------
    X
        Covariates, shape (n, p).
    terms
        The terms; covariates are numbered from 1.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> X = np.array([[1.0, 2.0], [-1.0, 3.0]])
    >>> surface(X, [Term(2.0, "step", 1), Term(1.0, "identity", 1, "identity", 2)]).tolist()
    [4.0, -5.0]
    """

    def factor(name: str, feature: int) -> FloatArray:
        function, mean, sd = TRANSFORMATIONS[name]
        return (function(X[:, feature - 1]) - mean) / sd

    total = np.zeros(len(X))
    for term in terms:
        part = term.coefficient * factor(term.transformation, term.feature)
        if term.second_feature:
            part = part * factor(term.second_transformation, term.second_feature)
        total += part
    return total


@dataclass(frozen=True, kw_only=True)
class TermScenario(IndividualScenario):
    """Normal covariates and surfaces made of terms; subclasses say which terms.

    Attributes
    ----------
    share_treated
        As in `IndividualScenario`.
    p
        Number of covariates.
    noise
        SD of the outcome's noise.
    correlation
        Correlation of the covariates, in [0, 1). The terms are standardised
        for independent ones, so other values change the variances.
    correlation_shape
        "exchangeable" (the same between all) or "autoregressive" (correlation
        to the power of the distance).
    """

    p: int = 10
    noise: float | None = None
    correlation: float = 0.0
    correlation_shape: str = "exchangeable"

    def __post_init__(self) -> None:
        """Refuse settings that make no trial."""
        whole_number(self.p, "p")
        if self.noise is not None and not self.noise > 0:
            raise ValueError(f"noise must be positive, got {self.noise}")
        if not 0.0 <= self.correlation < 1.0:
            raise ValueError(f"correlation must lie in [0, 1), got {self.correlation}")
        if self.correlation_shape not in ("exchangeable", "autoregressive"):
            raise ValueError(
                "correlation_shape must be 'exchangeable' or 'autoregressive', "
                f"got {self.correlation_shape!r}"
            )
        for term in (*self.effect_terms, *self.prognosis_terms):
            self._check(term)

    def _check(self, term: Term) -> None:
        for name, feature in (
            (term.transformation, term.feature),
            (term.second_transformation, term.second_feature or 1),
        ):
            if name not in TRANSFORMATIONS:
                raise ValueError(
                    f"there is no transformation {name!r}; the names are "
                    f"{', '.join(TRANSFORMATIONS)}"
                )
            if not 1 <= feature <= self.p:
                raise ValueError(
                    f"a term uses covariate {feature}, but p = {self.p}; set p to at least that"
                )

    @property
    @abstractmethod
    def effect_terms(self) -> tuple[Term, ...]:
        """Terms of tau."""

    @property
    @abstractmethod
    def prognosis_terms(self) -> tuple[Term, ...]:
        """Terms of mu0."""

    @property
    def constants(self) -> tuple[float, float]:
        """Constants of tau and of mu0."""
        return 0.0, 0.0

    def _covariates(self, n: int, rng: np.random.Generator) -> FloatArray:
        independent = rng.standard_normal((n, self.p))
        if self.correlation == 0:
            return independent
        distance = np.abs(np.subtract.outer(np.arange(self.p), np.arange(self.p)))
        power = distance if self.correlation_shape == "autoregressive" else np.minimum(distance, 1)
        root = np.linalg.cholesky(self.correlation**power)
        correlated: FloatArray = independent @ root.T
        return correlated

    def _persons(self, n: int, seed: int, part: str) -> SimulatedPersons:
        X = self._covariates(n, part_generator(seed, part, "covariates"))
        effect_constant, prognosis_constant = self.constants
        return SimulatedPersons(
            X=pd.DataFrame(X, columns=[f"x{j + 1}" for j in range(self.p)]),
            clusters=None,
            tau=effect_constant + surface(X, self.effect_terms),
            mu0=prognosis_constant + surface(X, self.prognosis_terms),
            nodes=pd.DataFrame(index=pd.RangeIndex(n)),
        )


def _as_terms(terms: Iterable[Any], name: str) -> tuple[Term, ...]:
    try:
        return tuple(Term(*term) for term in terms)
    except TypeError as error:
        raise ValueError(
            f"{name} needs terms like (coefficient, transformation, feature) or (coefficient, "
            f"transformation, feature, transformation, feature): {error}"
        ) from error


@dataclass(frozen=True, kw_only=True)
class SecondOrder(TermScenario):
    """Trial of the general second-order form with terms of one's own.

        Y = c + sum b h_j(x_j) + sum b h_j(x_j) h_k(x_k)
            + A {d + sum g h_j(x_j) + sum g h_j(x_j) h_k(x_k)} + noise

    Settings as in `TermScenario` (``noise`` is 1 by default) and:

    Attributes
    ----------
    effect, prognosis
        Terms of tau and mu0, each `Term` or the same as a plain list, as in
        ``(0.7, "identity", 4, "square", 5)``.
    effect_constant, prognosis_constant
        The constants d and c.

    Examples
    --------
    >>> design = SecondOrder(p=3, effect=[(1.0, "step", 1, "step", 2)], effect_constant=2.0)
    >>> sorted(set(design.draw(100, random_state=1).tau.tolist()))
    [1.0, 3.0]
    """

    effect: tuple[Term, ...] = (Term(1.0, "identity", 1),)
    prognosis: tuple[Term, ...] = (Term(1.0, "identity", 1),)
    effect_constant: float = 0.0
    prognosis_constant: float = 0.0

    def __post_init__(self) -> None:
        """Accept plain lists as terms and check them."""
        object.__setattr__(self, "effect", _as_terms(self.effect, "effect"))
        object.__setattr__(self, "prognosis", _as_terms(self.prognosis, "prognosis"))
        super().__post_init__()

    @property
    def noise_sd(self) -> float:
        """SD of the normal noise of the outcome."""
        return 1.0 if self.noise is None else self.noise

    @property
    def effect_terms(self) -> tuple[Term, ...]:
        """Terms of tau."""
        return self.effect

    @property
    def prognosis_terms(self) -> tuple[Term, ...]:
        """Terms of mu0."""
        return self.prognosis

    @property
    def constants(self) -> tuple[float, float]:
        """Constants of tau and of mu0."""
        return self.effect_constant, self.prognosis_constant
