"""Weights with which a trial's persons are like another population, or why there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.optimize import minimize

from tauhat._typing import BoolArray, FloatArray
from tauhat.data import TrialData
from tauhat.disclosure import is_small
from tauhat.endpoint import effective_size
from tauhat.numerics.standardised_columns import column_scales
from tauhat.wording import first_of, join_words

# Standardised means that are apart by more than this are not balanced.
_BALANCED = 1e-4
# Log ratio of weights a standard deviation apart, at most.
_STEEPEST = 20.0
#: Weights worth fewer persons in an arm, or fewer than twice as many as there are covariates in
#: all, let single persons speak for the target.
FEWEST_OF_ARM = 30
_PERSONS_A_COVARIATE = 2
# Covariates that a refusal names, and leaves out to see whether that helps.
_MOST_NAMED = 3
# Covariates less far off than this share of the farthest are not what it is about.
_FAR_SHARE = 0.25
# Rows of a target beyond these quantiles of a covariate in the trial are unlike its persons.
_MIDDLE = (0.025, 0.975)


@dataclass(frozen=True)
class TargetWeights:
    """Weights nearest to the trial's own with which covariates have a target's means.

    Attributes
    ----------
    data
        The trial.
    rows
        Covariates of the target in the columns of ``data.X``, shape (k, p).
    sources
        Covariate behind each column of ``data.X`` that is named otherwise.

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> rng = np.random.default_rng(1)
    >>> data = validate_trial(rng.normal(size=(200, 2)), rng.normal(size=200), np.arange(200) % 2)
    >>> TargetWeights(data, np.array([[0.5, 0.0]])).enough
    True
    >>> TargetWeights(data, np.array([[2.0, 0.0]])).refusal.partition(". ")[2][:31]
    "It differs most in 'x1' (mean 2"
    """

    data: TrialData
    rows: FloatArray
    sources: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def own(self) -> FloatArray:
        """What the trial's persons count by themselves, shape (n,)."""
        weight = self.data.sample_weight
        return np.ones(self.data.n) if weight is None else weight

    @cached_property
    def scales(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the covariates in the trial, shape (p,) each."""
        return column_scales(self.data.X, self.own)

    @property
    def shift(self) -> FloatArray:
        """Mean of the target less that of the trial, in standard deviations, shape (p,)."""
        mean, scale = self.scales
        shift: FloatArray = (self.rows.mean(axis=0) - mean) / scale
        return shift

    @cached_property
    def weight(self) -> FloatArray:
        """Weight of each person of the trial, mean one, shape (n,)."""
        mean, scale = self.scales
        return _balancing(self.own, (self.data.X - mean) / scale - self.shift)

    @property
    def left(self) -> FloatArray:
        """`shift` after weighting, shape (p,)."""
        mean, scale = self.scales
        left: FloatArray = self.shift - np.average(
            (self.data.X - mean) / scale, axis=0, weights=self.weight
        )
        return left

    @property
    def effective_n(self) -> float:
        """Equally weighted persons that tell as much."""
        return effective_size(self.weight)

    @property
    def smaller_arm(self) -> float:
        """The same of the arm where they are fewer."""
        return min(effective_size(self.weight[self.data.treatment == arm]) for arm in (0, 1))

    @property
    def balanced(self) -> bool:
        """Whether the weights give the target's means."""
        return bool(np.abs(self.left).max() <= _BALANCED)

    @property
    def enough(self) -> bool:
        """Whether they do, and enough persons speak for the target."""
        fewest = _PERSONS_A_COVARIATE * self.data.X.shape[1]
        enough = self.smaller_arm >= FEWEST_OF_ARM and self.effective_n >= fewest
        return self.balanced and enough

    @property
    def refusal(self) -> str:
        """Why the target is refused, how far off it is in what, and what can be done."""
        size = f"{self.effective_n:.1f} of {self.data.n:,} persons"
        if self.balanced:
            fewest = f"{FEWEST_OF_ARM} are needed in each arm"
            if self.smaller_arm >= FEWEST_OF_ARM:
                fewest = f"{_PERSONS_A_COVARIATE} for each of {self.data.X.shape[1]} columns"
            why = (
                f"target is too far from the trial: {size} would speak for it (effective sample "
                f"size, {self.smaller_arm:.1f} in the smaller arm; {fewest}). It differs most in "
                f"{join_words([self._named(j) for j in self._far])}"
            )
        else:
            off = np.flatnonzero(np.abs(self.left) > _BALANCED)
            names = [self._named(j) for j in off[np.argsort(-np.abs(self.left[off]))]]
            why = (
                "target lies outside of the trial: no weights give its persons the target's means "
                f"of {first_of(names, _MOST_NAMED)}. Check the units"
            )
        return f"{why}. {' '.join(self._what_to_do())}"

    @property
    def _by_distance(self) -> list[int]:
        """Columns, those of which the target's means are farthest off first."""
        return [int(j) for j in np.argsort(-np.abs(self.shift), kind="stable")]

    @property
    def _far(self) -> list[int]:
        """The columns of these that a refusal is about."""
        size = np.abs(self.shift)
        return [j for j in self._by_distance[:_MOST_NAMED] if size[j] >= _FAR_SHARE * size.max()]

    def _source(self, column: int) -> str:
        name = self.data.feature_names[column]
        return self.sources.get(name, name)

    def _named(self, column: int) -> str:
        mean, scale = self.scales
        return (
            f"{self.data.feature_names[column]!r} (mean {self.rows[:, column].mean():.3g}, trial "
            f"{mean[column]:.3g} with SD {scale[column]:.3g})"
        )

    def _what_to_do(self) -> Iterator[str]:
        """Sentences: rows of the target, or covariates, without which it is near enough."""
        near = self._near_rows
        kept = int(near.sum())
        if 0 < kept < len(near) and not is_small(kept):
            part = TargetWeights(self.data, self.rows[near], self.sources)
            if part.enough:
                yield (
                    f"The {kept:,} of its {len(near):,} rows that lie within the middle 95% of "
                    f"the trial's values of {self._far_sources} are near enough "
                    f"({part.effective_n:.0f} persons speak for them): leave the others out, and "
                    "the answer is for those left."
                )
        left_out: list[str] = []
        for name in dict.fromkeys(map(self._source, self._by_distance)):
            left_out.append(name)
            part = self._without(left_out)
            if len(left_out) > _MOST_NAMED or not part.data.X.shape[1]:
                break
            if part.enough:
                yield (
                    f"Without {join_words(list(map(repr, left_out)))} among the trial's covariates "
                    f"{part.effective_n:.0f} persons speak for the target: leave "
                    f"{'it' if len(left_out) == 1 else 'them'} out if the effect does not depend "
                    f"on {'it' if len(left_out) == 1 else 'them'}."
                )
                return
        if not near.any() or kept == len(near):
            yield "The trial says nothing of this population."

    @property
    def _far_sources(self) -> str:
        return join_words([repr(name) for name in dict.fromkeys(map(self._source, self._far))])

    @property
    def _near_rows(self) -> BoolArray:
        """Rows of the target that are like persons of the trial in what it is farthest off."""
        near = np.full(len(self.rows), True)
        for j in self._far:
            low, high = np.quantile(self.data.X[:, j], _MIDDLE)
            near &= (self.rows[:, j] >= low) & (self.rows[:, j] <= high)
        return near

    def _without(self, names: list[str]) -> TargetWeights:
        """The same without some covariates."""
        kept = [j for j in range(self.data.X.shape[1]) if self._source(j) not in names]
        columns = tuple(self.data.feature_names[j] for j in kept)
        data = replace(self.data, X=self.data.X[:, kept], feature_names=columns)
        return TargetWeights(data, self.rows[:, kept], self.sources)


def _balancing(weight: FloatArray, centred: FloatArray) -> FloatArray:
    """Weights of mean one with which columns have mean zero; others where there are none."""
    if np.abs(np.average(centred, axis=0, weights=weight)).max() < _BALANCED**2:
        return weight

    def potential(at: FloatArray) -> tuple[float, FloatArray]:
        exponent = centred @ at
        top = exponent.max()
        each = weight * np.exp(exponent - top)
        return float(top + np.log(each.sum())), each @ centred / each.sum()

    # Without bounds a target outside of the trial sends the search to infinity.
    q = centred.shape[1]
    found = minimize(
        potential,
        np.zeros(q),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_STEEPEST, _STEEPEST)] * q,
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-9},
    )
    exponent = centred @ found.x
    each = weight * np.exp(exponent - exponent.max())
    found_weight: FloatArray = each / each.mean()
    return found_weight
