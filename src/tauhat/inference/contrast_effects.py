"""Average effects of the contrasts of several arms, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.inference.average_effects import average_effects
from tauhat.inference.averages import AverageEffects
from tauhat.inference.contrast_test import closed_test
from tauhat.runtime.display import Shown
from tauhat.trial.trial import Trial


@dataclass(frozen=True)
class ContrastEffects(Shown):
    """Average effects of each contrast; the result of `contrast_effects`.

    Attributes
    ----------
    effects
        `AverageEffects` of each contrast by its name.
    p_adjusted
        p-value of each individual-average effect, adjusted for the number of contrasts by
        Holm's method, shape (contrasts,).
    """

    effects: Mapping[str, AverageEffects]
    p_adjusted: FloatArray

    @property
    def table(self) -> pd.DataFrame:
        """One row a contrast and estimand."""
        parts = [
            one.table.assign(contrast=name)[["contrast", *one.table.columns]]
            for name, one in self.effects.items()
        ]
        table = pd.concat(parts, ignore_index=True)
        adjusted = dict(zip(self.effects, self.p_adjusted, strict=True))
        first = table["estimand"] == "individual-average"
        table["p_adjusted"] = table["contrast"].map(adjusted).where(first)
        return table

    @property
    def text(self) -> str:
        """The results in sentences."""
        return " ".join(f"{name}: {one.text}" for name, one in self.effects.items())


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
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"dose": np.arange(300) % 3, "x": rng.normal(size=300)})
    >>> df["y"] = df.dose + df.x + rng.normal(size=300)
    >>> found = contrast_effects(Trial(df, outcome="y", treatment="dose"))
    >>> found.table.estimate.round(1).tolist()
    [1.1, 1.8]
    """
    effects = {name: average_effects(part, level=level) for name, part in trial.contrasts.items()}
    return ContrastEffects(
        effects, holm(np.array([one.individual.p_value for one in effects.values()]))
    )


def holm(p_values: FloatArray) -> FloatArray:
    """p-values adjusted by Holm's method, shape (k,).

    Examples
    --------
    >>> holm(np.array([0.01, 0.3, 0.02])).tolist()
    [0.03, 0.3, 0.04]
    """
    return closed_test(p_values, float(len(p_values) * np.nanmin(p_values, initial=1.0)))
