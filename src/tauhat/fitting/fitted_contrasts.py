"""An estimator fitted to every contrast of a trial with more than two arms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from tauhat._typing import AnyArray, FloatArray
from tauhat.arguments import check_switch
from tauhat.fitting.cate_estimator import CateEstimator


@final
@dataclass(frozen=True, eq=False)
class FittedContrasts:
    """Effects of several arms, one fitted estimator a contrast; what `tauhat.Trial.fit` gives.

    Attributes
    ----------
    estimators
        Fitted estimator of each contrast by its name.
    pairs
        Numbers of the arms of each contrast by its name, the reference first.
    arm_labels
        Labels of the arms, control first.
    find
        Name of the contrast that is meant by a name, an arm's label or a pair of labels.
    """

    estimators: Mapping[str, CateEstimator]
    pairs: Mapping[str, tuple[int, int]]
    arm_labels: tuple[Any, ...]
    find: Callable[[Any], str]

    @property
    def contrasts(self) -> tuple[str, ...]:
        """Names of the contrasts."""
        return tuple(self.estimators)

    def of(self, contrast: Any) -> CateEstimator:
        """Return the estimator of a contrast.

        Parameters
        ----------
        contrast
            Its name, the label of its arm, or labels of both arms, the reference first.
        """
        return self.estimators[self.find(contrast)]

    def effect(self, X: Any, *, contrast: Any = None, scale: str = "difference") -> FloatArray:
        """Return the effect of an arm against another for persons with covariates X.

        Parameters
        ----------
        X
            Covariates, shape (k, p), as `tauhat.Trial.encode` makes them.
        contrast
            As in `of`; None for all of them.
        scale
            As in `tauhat.CateEstimator.effect`.

        Returns
        -------
        ndarray, shape (k,); of all contrasts (k, contrasts)
        """
        if contrast is not None:
            return self.of(contrast).effect(X, scale=scale)
        return np.column_stack([one.effect(X, scale=scale) for one in self.estimators.values()])

    def effect_interval(
        self, X: Any, *, contrast: Any, level: float = 0.95, scale: str = "difference"
    ) -> tuple[FloatArray, FloatArray]:
        """Return lower and upper limits of a contrast's effects, shape (k,) each.

        Parameters
        ----------
        X, contrast, scale
            As in `effect`.
        level
            Coverage.
        """
        return self.of(contrast).effect_interval(X, level=level, scale=scale)

    def best_arm(self, X: Any, *, higher_is_better: bool = True) -> AnyArray:
        """Return the label of the arm with the best estimated outcome for each person.

        Parameters
        ----------
        X
            As in `effect`.
        higher_is_better
            Whether a larger outcome is the better one.

        Returns
        -------
        ndarray, shape (k,)
        """
        check_switch(higher_is_better, "higher_is_better")
        best = best_arms(self.effect(X), list(self.pairs.values()), higher_is_better)
        labels: AnyArray = np.array(self.arm_labels, dtype=object)
        chosen: AnyArray = labels[best]
        return chosen


def best_arms(
    effects: FloatArray, pairs: list[tuple[int, int]], higher_is_better: bool
) -> AnyArray:
    """Number of the arm with the best outcome for each person, the lower number among equals.

    Parameters
    ----------
    effects
        Of each contrast, shape (k, contrasts).
    pairs
        Numbers of the arms of each contrast, the reference first.
    higher_is_better
        Whether a larger outcome is the better one.

    Returns
    -------
    ndarray of int, shape (k,)

    Examples
    --------
    >>> best_arms(np.array([[1.0, 2.0], [-1.0, -2.0]]), [(0, 1), (0, 2)], True).tolist()
    [2, 0]
    """
    sign = 1 if higher_is_better else -1
    best: AnyArray = np.argmax(sign * levels_of_arms(effects, pairs), axis=1)
    return best


def levels_of_arms(effects: FloatArray, pairs: list[tuple[int, int]]) -> FloatArray:
    """Outcome of each arm less that of the first, by least squares over the contrasts.

    Where each arm is compared with the first these are the effects; of all pairs, whose
    estimates need not add up, they are what comes nearest to them.

    Examples
    --------
    >>> levels_of_arms(np.array([[1.0, 2.0]]), [(0, 1), (1, 2)]).tolist()
    [[0.0, 1.0, 3.0]]
    """
    n_arms = max(map(max, pairs)) + 1
    incidence = np.zeros((len(pairs), n_arms))
    for row, (reference, arm) in enumerate(pairs):
        incidence[row, reference] -= 1.0
        incidence[row, arm] += 1.0
    levels = effects @ np.linalg.pinv(incidence[:, 1:]).T
    return np.column_stack([np.zeros(len(effects)), np.round(levels, 12)])
