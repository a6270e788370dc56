"""Which members an ensemble listened to, in a table and in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.ensembles.evidence_shares import EvidenceWeights
from tauhat.ensembles.given_and_earned import STRAIGHT, EarnedWeights
from tauhat.ensembles.learned_weights import RuleWeights
from tauhat.ensembles.strategy import ShrunkWeights
from tauhat.runtime.display import html

# Shares of the largest members that sentences name.
_NAMED = 3
# Share of weight below which a move is not told.
_TOLD = 0.05


@dataclass(frozen=True, eq=False)
class Explanation:
    """What an ensemble made of its members.

    Attributes
    ----------
    table
        One row per member, heaviest first: its weight; by the learned rule its weight with
        typical clues and that of its mean effect, of shares the given and earned weight and the
        standard deviation of the latter over reweightings of the units; mean and standard
        deviation of the member's effects over the trial, and its mean Kendall correlation with
        the others, NaN where its effects are next to the same for everyone.
    text
        The same in sentences.
    warning
        Why weights by the learned rule may not suit this trial; empty where nothing says so.
    """

    table: pd.DataFrame
    text: str
    warning: str = ""

    def _repr_html_(self) -> str:
        return html(self.text, self.table.reset_index())


def explain_weights(
    weighing: ShrunkWeights, effects: Mapping[str, FloatArray], agreement: pd.DataFrame
) -> Explanation:
    """Explanation of the weights of `Robust`.

    Parameters
    ----------
    weighing
        The weights.
    effects
        Effects on the persons of the trial by member, each of shape (n,).
    agreement
        Kendall correlations between the members; NaN where one puts persons in no order.

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
    if isinstance(weighing, RuleWeights):
        return _of_rule(weighing, effects, agreement)
    if isinstance(weighing, EarnedWeights):
        return _of_shares(weighing, effects, agreement)
    return _of_given(weighing, effects, agreement)


def _of_shares(
    weighing: EarnedWeights, effects: Mapping[str, FloatArray], agreement: pd.DataFrame
) -> Explanation:
    """Explanation of given and earned weights."""
    given_share, earned = weighing.given_share, weighing.earned
    own = (1 - given_share) * pd.Series(earned).reindex(list(effects))
    total = pd.Series(weighing.shares)
    table = _table(
        effects,
        agreement,
        {
            "weight": total,
            "given": (total - own.fillna(0.0)).round(12),
            "earned": own,
            "earned sd": (1 - given_share) * pd.Series(weighing.earned_sd),
        },
    )
    text = [
        f"{given_share:.0%} of the weight was fixed in advance and {1 - given_share:.0%} was "
        f"earned by predicting persons that a member had not seen. {_most_weight(table)}"
    ]
    if weighing.straight >= _TOLD:
        text.append(
            f"{weighing.straight:.0%} of what was given went to {STRAIGHT}: that is the posterior "
            "probability that an effect that varies does so in straight lines."
        )
    dropped = [name for name, share in earned.items() if share < 0.01]
    if dropped:
        text.append(f"Next to nothing was earned by {', '.join(dropped)}.")
    text += [_of_evidence(weighing.shrinkage), _of_effects(weighing.combined(effects), table)]
    return Explanation(table, " ".join(text))


def _of_given(
    weighing: ShrunkWeights, effects: Mapping[str, FloatArray], agreement: pd.DataFrame
) -> Explanation:
    """Explanation of weights none of which was earned."""
    total = pd.Series(weighing.shares)
    nothing = pd.Series(np.nan, index=total.index)
    columns = {"weight": total, "given": total, "earned": nothing, "earned sd": nothing}
    table = _table(effects, agreement, columns)
    fixed = "All of the weight was fixed in advance."
    if isinstance(weighing, EvidenceWeights) and total.nunique() > 1:
        most = max(weighing.shares.values())
        first = " and ".join(name for name, share in weighing.shares.items() if share == most)
        fixed = (
            f"The effect differs between persons in ways that {first} missed with a posterior "
            f"probability of {weighing.varies:.2f}: with that weight all members count alike, with "
            f"the rest {first} alone."
        )
    said = _of_effects(weighing.combined(effects), table)
    return Explanation(table, f"{fixed} {_most_weight(table)} {said}")


def _table(
    effects: Mapping[str, FloatArray], agreement: pd.DataFrame, weights: Mapping[str, pd.Series]
) -> pd.DataFrame:
    """Weights, and what every member says, heaviest member first."""
    names = list(effects)
    with_others = agreement.loc[names, names].mask(np.eye(len(names), dtype=bool))
    return pd.DataFrame(
        {
            **{column: values.reindex(names) for column, values in weights.items()},
            "mean effect": [float(np.mean(effects[name])) for name in names],
            "sd": [float(np.std(effects[name])) for name in names],
            "agreement": with_others.mean(axis=1),
        },
        index=pd.Index(names, name="member"),
    ).sort_values("weight", ascending=False, kind="stable")


def _most_weight(table: pd.DataFrame) -> str:
    first = [f"{name} {share:.0%}" for name, share in table["weight"].head(_NAMED).items()]
    return f"Most weight: {', '.join(first)}."


def _of_effects(effect: FloatArray, table: pd.DataFrame) -> str:
    told = (
        f"Mean effect {np.mean(effect):.3g}, standard deviation over persons {np.std(effect):.3g}"
    )
    if table["agreement"].isna().all():
        return f"{told}."
    ordering = "" if table["agreement"].notna().all() else " that put persons in an order"
    mean = table["agreement"].mean()
    return f"{told}; the mean Kendall correlation of members{ordering} is {mean:.2f}."


def _of_rule(
    weighing: RuleWeights, effects: Mapping[str, FloatArray], agreement: pd.DataFrame
) -> Explanation:
    """Explanation of weights by a learned rule."""
    table = _table(
        effects,
        agreement,
        {
            "weight": pd.Series(weighing.shares),
            "typical weight": pd.Series(weighing.typical),
            "weight of mean": pd.Series(weighing.level_shares),
        },
    )
    clues = ", ".join(f"{name} {value:.0%}" for name, value in weighing.clues.items())
    left = max(0.0, 1 - sum(weighing.clues.values()))
    text = [
        f"Weights by a rule that was learned from {weighing.trials} simulated trials. "
        f"{_most_weight(table)} If the effect varies, the outcomes speak for its shape like this: "
        f"{clues}, products {left:.0%}.",
        _of_clues(weighing),
        _of_evidence(weighing.shrinkage, of_rule=True),
    ]
    if weighing.warning:
        text.append(f"Warning: {weighing.warning}")
    elif weighing.unlike:
        unlike = "; ".join(weighing.unlike)
        text.append(f"This trial is unlike those that the rule was learned from: {unlike}.")
    text.append(_of_effects(weighing.combined(effects), table))
    return Explanation(table, " ".join(text), weighing.warning)


def _of_clues(weighing: RuleWeights) -> str:
    """What the clues did to the weights."""
    told = [_of_clue(clue, pd.Series(moved)) for clue, moved in weighing.moved.items()]
    if any(told):
        return " ".join(one for one in told if one)
    away = [abs(by) for moved in weighing.moved.values() for by in moved.values()]
    points = 100 * max(away, default=0.0)
    return (
        "That decided next to nothing: no clue moved a weight by more than "
        f"{max(1, math.ceil(points))} {'points' if points > 1 else 'point'}, so the weights are "
        "close to those of any trial."
    )


def _of_clue(clue: str, moved: pd.Series) -> str:
    """What one clue did to the weights, if it did anything that is worth a sentence."""
    most, least = str(moved.idxmax()), str(moved.idxmin())
    if moved[most] < _TOLD:
        return ""
    return (
        f'The clue "{clue}" gave {most} {100 * moved[most]:.0f} points more weight and {least} '
        f"{-100 * moved[least]:.0f} less."
    )


def _of_evidence(shrinkage: float, *, of_rule: bool = False) -> str:
    """What the evidence for heterogeneity made of the estimated variation."""
    if shrinkage > 0.95:
        return (
            "The model's own evidence for an effect that differs between persons is strong, so the "
            "estimated variation was not shrunk; the primary test decides whether it is shown."
        )
    if of_rule:
        return (
            "As far as the outcomes speak for an effect that differs between persons, the "
            f"estimated variation was kept: it was multiplied by {shrinkage:.2f}."
        )
    return (
        f"That the effect differs between persons at all has a posterior probability of "
        f"{shrinkage:.2f}, and the estimated variation was multiplied by that."
    )
