"""How many assignments the primary test of a plan will compare."""

from __future__ import annotations

from math import comb

from tauhat.design.permutations import MOST_ENUMERATED
from tauhat.power.interaction_power import arm_sizes
from tauhat.protocol.analysis_plan import AnalysisPlan
from tauhat.protocol.planned_arms import contrasts_of

_DRAWN = "1,999 times (9,999 where p is within .02 of the level)"


def permutation_words(plan: AnalysisPlan, seed: object) -> str:
    """How arms will be permuted, to stand after "permuted": all ways, where they are few enough.

    How many ways there are within blocks, and in each contrast of several arms, only the data
    tell.

    Examples
    --------
    >>> def of(clusters, **run):
    ...     run = {"cluster": "clinic", **run}
    ...     return permutation_words(AnalysisPlan("", run, {"clusters": clusters}), 1)
    >>> of(12)
    ': with the 12 clusters expected, 6 of them treated, in all 924 possible ways'
    >>> of(40)
    ', 1,999 times (9,999 where p is within .02 of the level), seed 1'
    >>> of(12, block="region").split("; ")[1]
    'in all possible ways where these are no more than 10,000'
    """
    drawn = f", {_DRAWN}, seed {seed}"
    if "block" in plan.run or contrasts_of(plan.run):
        within = " within blocks" if "block" in plan.run else ""
        return (
            f"{within}{drawn}; in all possible ways where these are no more than "
            f"{MOST_ENUMERATED:,}"
        )
    unit = "clusters" if plan.clustered else "persons"
    expected = plan.expected[unit]
    treated, control = arm_sizes(expected, plan.expected.get("share-treated", 0.5))
    # With more in an arm there are too many ways in any case, and to count them takes long.
    possible = comb(expected, min(treated, control, 20))
    if possible > MOST_ENUMERATED:
        return drawn
    return (
        f": with the {expected} {unit} expected, {treated} of them treated, in all {possible:,} "
        "possible ways"
    )
