"""Questions that decide how credible a data-driven subgroup is."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from tauhat.inference.descriptive import interval_text
from tauhat.inference.estimate import Estimate
from tauhat.inference.heterogeneity_result import HeterogeneityTest
from tauhat.wording import p_words

# Bounds of the p-value of the interaction in ICEMAN.
CHANCE = (
    (0.005, "chance is an unlikely explanation"),
    (0.01, "chance may not explain it"),
    (0.05, "chance is a likely explanation"),
    (1.0, "chance is a very likely explanation"),
)
AGAINST_CHANCE = "Does a test of interaction speak against chance?"


def chance_words(p_value: float) -> str:
    """How far chance explains effects that differ, in the words of ICEMAN.

    Examples
    --------
    >>> chance_words(0.03)
    'chance is a likely explanation'
    """
    return next(words for bound, words in CHANCE if p_value <= bound)


def credibility_table(
    *,
    used: Collection[str],
    prespecified: Collection[str],
    n_candidates: int,
    continuous: bool,
    heterogeneity: HeterogeneityTest,
    difference: Estimate,
    agreement: float,
    fewest_units: int,
    unit: str,
) -> pd.DataFrame:
    """Answers to the questions of ICEMAN that the data can give, and to some more.

    Parameters
    ----------
    used
        Covariates in the rules.
    prespecified
        Covariates named before the data were seen.
    n_candidates
        Covariates among which the search chose.
    continuous
        Whether a rule cuts a covariate of more than two values.
    heterogeneity
        The primary test.
    difference
        Honest difference between the two subgroups.
    agreement
        Mean overlap of the subgroups of the fits with those reported, 0 to 1.
    fewest_units
        Randomized units in the smaller arm of the smaller subgroup.
    unit
        What was randomized: "clusters" or "persons".

    Returns
    -------
    DataFrame
        One row per question: ``item``, ``answer``, ``basis``.

    References
    ----------
    Schandelmaier, Briel, Varadhan and others (2020), Canadian Medical
    Association Journal 192:E901-E906 (ICEMAN).

    Examples
    --------
    >>> test = HeterogeneityTest(0.1, 0.03, "", pd.DataFrame(), pd.DataFrame(), 99, False, 0.05, ())
    >>> table = credibility_table(
    ...     used=["age"], prespecified=[], n_candidates=4, continuous=True, heterogeneity=test,
    ...     difference=Estimate.from_t(1, 0.3, degrees_of_freedom=20, level=0.95),
    ...     agreement=0.6, fewest_units=5, unit="clusters")
    >>> table.answer.tolist()[:3]
    ['no', 'for the reader to judge', 'chance is a likely explanation']
    """
    named = [name for name in used if name in set(prespecified)]
    all_named = bool(used) and len(named) == len(used)
    advance = "yes" if all_named else "in part" if named else "no"
    p = heterogeneity.p_value
    chance = "not tested"
    basis = "the trial leaves nothing that a primary test could compare"
    if heterogeneity.tested:
        chance = chance_words(p)
        basis = f"primary test of a constant effect, all covariates at once: {p_words(p)}"
    clear = difference.lower > 0 or difference.upper < 0
    rows = [
        (
            "Were the covariates of the rule named in advance?",
            advance,
            f"rule: {', '.join(used) or 'none'}; named: {', '.join(prespecified) or 'none'}",
        ),
        (
            "Was the direction named in advance, and is there evidence from elsewhere?",
            "for the reader to judge",
            "the data of one trial cannot say",
        ),
        (
            AGAINST_CHANCE,
            chance,
            basis,
        ),
        (
            "Were few effect modifiers examined?",
            "yes" if n_candidates <= 3 else "no",
            f"{n_candidates} covariates searched; the primary test allows for all of them",
        ),
        (
            "Was an arbitrary cut point avoided?",
            "no" if continuous else "yes",
            "the data chose the cut points" if continuous else "no covariate had to be cut",
        ),
        (
            "Do repeated splits find the same subgroups?",
            "yes" if agreement >= 0.7 else "in part" if agreement >= 0.4 else "no",
            f"mean overlap with the reported subgroups {100 * agreement:.0f}%",
        ),
        (
            "Do the subgroups differ in persons not used to find them?",
            "yes" if clear else "not clearly",
            f"difference {interval_text(difference)}",
        ),
        (
            f"Are there enough {unit} in each subgroup and arm?",
            "yes" if fewest_units >= 10 else "few",
            f"at least {fewest_units}",
        ),
    ]
    return pd.DataFrame(rows, columns=["item", "answer", "basis"])
