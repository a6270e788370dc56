"""Which members an ensemble listened to, in a table and in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.ensembles.given_and_earned import STRAIGHT, EarnedWeights
from tauhat.runtime.display import html

# Shares of the largest members that sentences name.
_NAMED = 3
# Share of the given weight below which a move to straight lines is not told.
_TOLD = 0.05


@dataclass(frozen=True, eq=False)
class Explanation:
    """What an ensemble made of its members.

    Attributes
    ----------
    table
        One row per member, heaviest first: given, earned and total weight, the
        standard deviation of the earned weight over reweightings of the units,
        mean and standard deviation of the member's effects over the trial, and
        its mean Kendall correlation with the others.
    text
        The same in sentences.
    """

    table: pd.DataFrame
    text: str

    def _repr_html_(self) -> str:
        return html(self.text, self.table.reset_index())


def explain_weights(
    weighing: EarnedWeights, effects: Mapping[str, FloatArray], agreement: pd.DataFrame
) -> Explanation:
    """Explanation of given and earned weights.

    Parameters
    ----------
    weighing
        The weights.
    effects
        Effects on the persons of the trial by member, each of shape (n,).
    agreement
        Kendall correlations between the members.

    Returns
    -------
    Explanation

    Examples
    --------
    >>> weighing = EarnedWeights(
    ...     {"A": 0.25, "B": 0.75},
    ...     given_share=0.5,
    ...     earned={"A": 0.0, "B": 1.0},
    ...     earned_sd={"A": 0.1, "B": 0.1},
    ... )
    >>> told = explain_weights(
    ...     weighing,
    ...     {"A": np.array([0.0, 1.0]), "B": np.array([0.0, 2.0])},
    ...     pd.DataFrame(np.ones((2, 2)), ["A", "B"], ["A", "B"]),
    ... )
    >>> told.table["weight"].to_dict()
    {'B': 0.75, 'A': 0.25}
    """
    given_share, earned = weighing.given_share, weighing.earned
    straight, shrinkage = weighing.straight, weighing.shrinkage
    effect = weighing.combined(effects)
    names = list(effects)
    own = (1 - given_share) * pd.Series(earned).reindex(names)
    total = pd.Series(weighing.shares).reindex(names)
    others = max(len(names) - 1, 1)
    table = pd.DataFrame(
        {
            "weight": total,
            "given": (total - own.fillna(0.0)).round(12),
            "earned": own,
            "earned sd": (1 - given_share) * pd.Series(weighing.earned_sd).reindex(names),
            "mean effect": [float(np.mean(effects[name])) for name in names],
            "sd": [float(np.std(effects[name])) for name in names],
            "agreement": (agreement.loc[names, names].sum(axis=1) - 1) / others,
        },
        index=pd.Index(names, name="member"),
    ).sort_values("weight", ascending=False, kind="stable")
    first = [f"{name} {share:.0%}" for name, share in table["weight"].head(_NAMED).items()]
    dropped = [name for name, share in earned.items() if share < 0.01]
    earning = (
        f"{given_share:.0%} of the weight was fixed in advance and {1 - given_share:.0%} was "
        "earned by predicting persons that a member had not seen."
        if earned
        else "All of the weight was fixed in advance."
    )
    text = [f"{earning} Most weight: {', '.join(first)}."]
    if straight >= _TOLD:
        text.append(
            f"{straight:.0%} of what was given went to {STRAIGHT}: that is the posterior "
            "probability that an effect that varies does so in straight lines."
        )
    if dropped:
        text.append(f"Next to nothing was earned by {', '.join(dropped)}.")
    if earned:
        text.append(_of_evidence(shrinkage))
    text.append(
        f"Mean effect {np.mean(effect):.3g}, standard deviation over persons {np.std(effect):.3g}; "
        f"the members' mean Kendall correlation is {table['agreement'].mean():.2f}."
    )
    return Explanation(table, " ".join(text))


def _of_evidence(shrinkage: float) -> str:
    """What the evidence for heterogeneity made of the estimated variation."""
    if shrinkage > 0.95:
        return (
            "The model's own evidence for an effect that differs between persons is strong, so the "
            "estimated variation was not shrunk; the primary test decides whether it is shown."
        )
    return (
        f"That the effect differs between persons at all has a posterior probability of "
        f"{shrinkage:.2f}, and the estimated variation was multiplied by that."
    )
