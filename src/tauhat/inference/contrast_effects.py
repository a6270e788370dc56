"""Average effects of the contrasts of several arms, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from tauhat._typing import FloatArray
from tauhat.inference.average_effects import average_effects
from tauhat.inference.averages import AverageEffects
from tauhat.inference.inputs import refuse_no_trial
from tauhat.numerics.several_tests import holm
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread
from tauhat.trial.trial import Trial


@dataclass(frozen=True)
class ContrastEffects(Shown):
    """Average effects of each contrast; the result of `contrast_effects`.

    Attributes
    ----------
    effects
        `AverageEffects` of each contrast by its name.
    """

    effects: Mapping[str, AverageEffects]

    @property
    def p_adjusted(self) -> FloatArray:
        """p-value of each individual-average effect, adjusted for their number by Holm's method."""
        return holm([one.individual.p_value for one in self.effects.values()])

    @property
    def p_adjusted_cluster(self) -> FloatArray:
        """The same of the cluster-average effects; NaN where persons were randomized."""
        found = [one.cluster for one in self.effects.values()]
        return holm([float("nan") if one is None else one.p_value for one in found])

    @property
    def table(self) -> pd.DataFrame:
        """One row per contrast and estimand."""
        parts = [
            one.table.assign(contrast=name)[["contrast", *one.table.columns]]
            for name, one in self.effects.items()
        ]
        table = pd.concat(parts, ignore_index=True)
        adjusted = {
            (name, estimand): p
            for estimand, p_values in (
                ("individual-average", self.p_adjusted),
                ("cluster-average", self.p_adjusted_cluster),
            )
            for name, p in zip(self.effects, p_values, strict=True)
        }
        rows = zip(table["contrast"], table["estimand"], strict=True)
        table["p_adjusted"] = [adjusted.get(row, float("nan")) for row in rows]
        return table

    @property
    def text(self) -> str:
        """The results in sentences."""
        return " ".join(f"{name}: {one.text}" for name, one in self.effects.items())


@on_one_thread
def contrast_effects(trial: Trial, *, level: float = 0.95) -> ContrastEffects:
    """Average effects of every contrast of a trial.

    Each contrast is estimated from its own two arms by `average_effects`, so that nothing is
    assumed of the other arms; blocks that lack one of the two are left out of it.

    Parameters
    ----------
    trial
        A `tauhat.Trial` of two arms or more.
    level
        Coverage of each interval; intervals are not adjusted for their number.

    Returns
    -------
    ContrastEffects

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"dose": np.arange(300) % 3, "x": rng.normal(size=300)})
    >>> df["y"] = df.dose + df.x + rng.normal(size=300)
    >>> found = contrast_effects(Trial(df, outcome="y", treatment="dose"))
    >>> found.table.estimate.round(1).tolist()
    [1.1, 1.8]
    """
    refuse_no_trial(trial, arrays=False)
    return ContrastEffects(
        {name: average_effects(part, level=level) for name, part in trial.contrasts.items()}
    )
