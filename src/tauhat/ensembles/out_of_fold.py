"""Effects and outcomes predicted for rows that the fits did not see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Effects of many estimators, each refitted without one fold at a time.

    Attributes
    ----------
    folds
        Fold of each row, shape (n,); whole clusters.
    effects
        Effects by name, shape (n,), each row's by a fit without its fold.
    messages
        What went wrong in the first fold that failed, by name.
    seconds
        Time of the refits by name, regressions shared with others included.
    elapsed
        Time of all refits together.
    """

    folds: IntArray
    effects: Mapping[str, FloatArray]
    messages: Mapping[str, str]
    seconds: Mapping[str, float]
    elapsed: float

    def under(self, names: Mapping[str, str]) -> HeldOut:
        """Return the part of some estimators, under other names.

        Parameters
        ----------
        names
            Present name by new name.
        """
        return HeldOut(
            self.folds,
            {new: self.effects[old] for new, old in names.items() if old in self.effects},
            {new: self.messages[old] for new, old in names.items() if old in self.messages},
            {new: self.seconds[old] for new, old in names.items()},
            min(self.elapsed, sum(self.seconds[old] for old in set(names.values()))),
        )


@dataclass(frozen=True, eq=False)
class CrossFit:
    """What members and outcome regressions say of rows they did not see.

    Attributes
    ----------
    folds
        Fold of each row, shape (n,); whole clusters, balanced by arm and block.
    names
        Names of the members.
    effects
        Their effects, shape (n, k).
    mean
        Expected outcome given the covariates, arms mixed, shape (n,).
    control, treated
        Expected outcome in each arm, shape (n,).
    """

    folds: IntArray
    names: tuple[str, ...]
    effects: FloatArray
    mean: FloatArray
    control: FloatArray
    treated: FloatArray

    def only(self, names: list[str]) -> CrossFit:
        """Return the part of some members."""
        columns = np.array([self.names.index(name) for name in names], dtype=np.int64)
        effects = self.effects[:, columns]
        return CrossFit(self.folds, tuple(names), effects, self.mean, self.control, self.treated)
