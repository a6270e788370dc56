"""Groups of a modifier that too few units hold: they are in no comparison, all others are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.disclosure import SMALLEST_GROUP, is_small
from tauhat.inference.interactions import FEWEST_UNITS, Comparison, Interaction
from tauhat.inference.named_modifiers import NamedModifier
from tauhat.wording import join_words

# Below this many degrees of freedom an interval says next to nothing.
FEW_DEGREES = 4

Estimator = Callable[[TrialData, NamedModifier, FloatArray], Interaction]


def units_of_pairs(data: TrialData, modifier: NamedModifier, question: str) -> IntArray:
    """Units of each arm that tell of two groups, shape (groups, groups, 2).

    Within clusters those that hold both, else the fewer of the two groups; on the diagonal those
    that hold the group.
    """
    assert modifier.group is not None
    unit, arm = data.design.unit, data.design.arm
    if question == "persons":
        unit, arm = np.arange(data.n), data.treatment
    held = np.zeros((len(arm), len(modifier.labels)), dtype=np.int64)
    held[unit, modifier.group] = 1
    parts = [held[arm == a] for a in (0, 1)]
    if question == "within clusters":
        both: IntArray = np.stack([part.T @ part for part in parts], axis=2)
        return both
    counts = np.stack([part.sum(axis=0) for part in parts], axis=1)
    fewer: IntArray = np.minimum(counts[:, None], counts[None, :])
    return fewer


def with_a_reference(data: TrialData, modifier: NamedModifier, question: str) -> NamedModifier:
    """The modifier with the first group that can be compared as that with which others are."""
    if modifier.group is None:
        return modifier
    enough = units_of_pairs(data, modifier, question).min(axis=2) >= FEWEST_UNITS
    np.fill_diagonal(enough, False)
    able = np.flatnonzero(enough.any(axis=1))
    return modifier.led_by(int(able[0])) if len(able) and able[0] > 0 else modifier


def among_frequent(
    estimate: Estimator,
    data: TrialData,
    modifier: NamedModifier,
    covariates: FloatArray,
    question: str,
) -> Interaction:
    """What ``estimate`` finds without the groups that fewer than two units of an arm hold.

    Those have comparisons without a test; the joint test is that of the others.
    """
    if modifier.group is None:
        return estimate(data, modifier, covariates)
    units = units_of_pairs(data, modifier, question)
    frequent = units.diagonal().min(axis=0) >= FEWEST_UNITS
    if frequent.all() or not frequent[0] or frequent.sum() < 2:
        return estimate(data, modifier, covariates)
    kept = np.flatnonzero(frequent[modifier.group])
    found = estimate(data.take(kept), modifier.of(kept).among(frequent), covariates[kept])
    told = iter(found.comparisons)
    comparisons = [
        next(told) if known else Comparison(None, (int(units[0, k, 0]), int(units[0, k, 1])))
        for k, known in enumerate(frequent)
        if k > 0
    ]
    return replace(found, comparisons=tuple(comparisons))


def rare_notes(
    data: TrialData, modifier: NamedModifier, found: Interaction, question: str
) -> list[str]:
    """What to say of comparisons that rest on few units."""
    name = modifier.name
    word = "persons" if question == "persons" else data.design.units_word
    pairs = list(zip(modifier.comparisons, found.comparisons, strict=True))
    missing = [k for k, (_, one) in enumerate(pairs) if one.test is None]
    if not missing:
        df = min(one.test.degrees_of_freedom for _, one in pairs if one.test is not None)
        if df < FEW_DEGREES:
            return [f"{name} rests on {df:.1f} degrees of freedom: its interval says very little."]
        return []
    needs = "and a comparison needs two in each arm"
    rare = [k for k in missing if min(pairs[k][1].units) < FEWEST_UNITS]
    if not rare:
        return [
            f"{name} is not compared: it does not vary apart from the blocks and the covariates "
            f"adjusted for, or there are too few {word} for their number."
        ]
    if modifier.group is None:
        return [f"{name} is not compared: it rests on {_counts(pairs[0][1].units, word)}, {needs}."]
    if question == "within clusters":
        told = [
            f"{pairs[k][0]} rests on {_counts(pairs[k][1].units, word)} that hold both"
            for k in rare
        ]
    else:
        units = units_of_pairs(data, modifier, question)
        few = np.flatnonzero(units.diagonal().min(axis=0) < FEWEST_UNITS)
        told = [f"the group {modifier.labels[k]} has {_counts(units[k, k], word)}" for k in few]
    rest = ""
    if len(missing) < len(pairs):
        together = ", and tested together," if found.joint is not None else ""
        without = "it" if len(told) == 1 else "them"
        rest = f" The other groups are compared{together} without {without}."
    return [f"{name}: {join_words(told)}, {needs}.{rest}"]


def _counts(units: Sequence[int] | IntArray, word: str) -> str:
    """Control and treated units in words; few persons are not counted."""
    arms = dict(zip(("control", "treated"), (int(count) for count in units), strict=True))
    few = any(is_small(count) for count in arms.values())
    if word == "persons" and few:
        # The other arm's number would tell that of the few: the total stands elsewhere.
        arms = {arm: count for arm, count in arms.items() if count < SMALLEST_GROUP}
        words = [f"{'fewer than five' if count else 'no'} {arm}" for arm, count in arms.items()]
        return f"{join_words(words)} {word}"
    return f"{arms['control']} control and {arms['treated']} treated {word}"
