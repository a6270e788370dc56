"""What the test of a constant effect found, in numbers, tables and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from tauhat.runtime.display import html
from tauhat.wording import p_words

_MODIFIER_COLUMNS = (
    "covariate", "source", "varies", "direction", "statistic", "p_value", "p_adjusted",
)  # fmt: skip


@dataclass(frozen=True)
class HeterogeneityTest:
    """Result of `test_heterogeneity`.

    Attributes
    ----------
    statistic
        Smallest weighted p-value (over components, p-value divided by weight);
        small values speak against a constant effect.
    p_value
        Of the hypothesis that the effect is the same for everyone; NaN, as is
        ``statistic``, when the trial leaves nothing to test.
    method
        What was permuted, how often, and whether the p-value is exact.
    table
        One row per component: ``component``, ``p_value``, ``weight``, ``n_terms``.
    modifiers
        One row per covariate: ``covariate``, ``source`` (the user's column),
        ``varies`` (within or between clusters), ``direction``, ``statistic``
        (signed t: positive when the effect is larger at larger values),
        ``p_value`` and ``p_adjusted`` (Westfall and Young, over all covariates).
    n_assignments
        Assignments compared, the observed one included.
    exact
        Whether all possible assignments were compared.
    significance_level
        Level at which ``text`` speaks of evidence.
    notes
        What was not tested and why, in sentences.
    scale
        Scale on which an effect that is the same for everyone was tested:
        "difference" or "odds ratio".
    """

    statistic: float
    p_value: float
    method: str
    table: pd.DataFrame
    modifiers: pd.DataFrame
    n_assignments: int
    exact: bool
    significance_level: float
    notes: tuple[str, ...]
    scale: str = "difference"

    @classmethod
    def not_tested(
        cls, reason: str, *, significance_level: float = 0.05, scale: str = "difference"
    ) -> Self:
        """The result for a trial that leaves nothing to test.

        Parameters
        ----------
        reason
            Why, in sentences.
        significance_level, scale
            As in `test_heterogeneity`.

        Examples
        --------
        >>> result = HeterogeneityTest.not_tested("Each arm has 3 clusters.")
        >>> result.tested, result.p_value, result.text
        (False, nan, 'Whether the treatment effect differs between persons was not tested. \
Each arm has 3 clusters.')
        """
        return cls(
            statistic=np.nan,
            p_value=np.nan,
            method="Not tested",
            table=pd.DataFrame(columns=["component", "p_value", "weight", "n_terms"]),
            modifiers=pd.DataFrame(columns=list(_MODIFIER_COLUMNS)),
            n_assignments=0,
            exact=False,
            significance_level=significance_level,
            notes=(reason,),
            scale=scale,
        )

    @property
    def tested(self) -> bool:
        """Whether there was anything to test."""
        return not np.isnan(self.p_value)

    @property
    def text(self) -> str:
        """The result in sentences."""
        effect = "treatment effect" if self.scale == "difference" else self.scale
        if not self.tested:
            said = f"Whether the {effect} differs between persons was not tested."
            return " ".join([said, *self.notes])
        p = p_words(self.p_value)
        if self.p_value <= self.significance_level:
            verdict = f"There is evidence that the {effect} differs between persons ({p})."
        else:
            verdict = (
                f"There is no clear evidence that the {effect} differs between persons "
                f"({p}); that is not evidence that it is the same for everyone."
            )
        found = self.modifiers[self.modifiers.p_adjusted <= self.significance_level]
        if len(found):
            named = ", ".join(f"{row.covariate} ({row.direction})" for row in found.itertuples())
            covariates = f" Covariates with an adjusted p-value below the level: {named}."
        else:
            covariates = " No single covariate stands out after adjustment for their number."
        explanation = (
            " The test asks whether the effect is the same for everyone, not whether there is "
            "one. It is one test: the p-values of its components are not further tests; "
            "those of single covariates are adjusted for looking at all of them."
        )
        return " ".join([verdict + covariates + explanation, *self.notes, f"{self.method}."])

    def _repr_html_(self) -> str:
        return html(self.text, self.table, self.modifiers, number=".3f")
