"""What the order of the rows and the sizes of the clusters tell of how a table came about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tauhat._typing import IntArray
from tauhat.disclosure import is_small
from tauhat.trial.checks.finding import Finding
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

# Chance that so many units in a row have one arm, if both were open.
_CHANCE = 1e-5
# Units after these change between the arms at least this often, compared with chance: in a table
# that is sorted by arm, or by site and arm, they hardly do.
_OFTEN = 0.5
_FEWEST_AFTER = 20
_FEWEST_CLUSTERS = 8
_JUMP = 3.0
_WIDER = 3.0
_MOST_APART = 0.1


def order_findings(trial: TrialTable) -> Iterator[Finding]:
    """Give a treatment that starts in mid-table, and clusters of another order of size."""
    units = trial.enrolled_randomization.unit
    first = np.sort(np.unique(units, return_index=True)[1])
    arm = trial.enrolled_treatment[first]
    # Over periods all clusters may begin with the same arm by design.
    begins = start_of_both(arm) if trial.period is None else 0
    if begins:
        label = trial.arm_labels[arm[0]]
        what = trial.randomization.units_word
        yield Finding(
            "treatment that starts late",
            f"first {begins} {what}: {label}",
            "warning",
            f"The first {begins} of {len(arm)} {what} in the table are all of the arm "
            f"{str(label)!r}, and only then do both arms come in turn: if one arm was opened "
            "later, those before were not randomized beside it. Leave them out, or make the "
            "period a block.",
            "late-treatment",
        )
    if trial.randomization.holds_persons:
        # Where one arm only has clusters, persons of the other stand alone.
        has_clusters = trial.enrolled_randomization.clusters_by_arm > 0
        sizes = np.bincount(units[has_clusters[trial.enrolled_treatment]])
        yield from _size_findings(sizes[sizes > 0])


def start_of_both(arm: IntArray) -> int:
    r"""Units at the start of a table that are all of one arm, before both come in turn; or 0.

    With the share p of that arm among the others, so many in a row have the
    probability :math:`p^L`, which is below 1/100,000; and the others change
    between the arms at least half as often as in a random order.

    Parameters
    ----------
    arm
        0 or 1 of each unit in the order of the table, shape (m,).

    Examples
    --------
    >>> mixed = np.random.default_rng(1).permutation(np.arange(100) % 2)
    >>> start_of_both(np.r_[np.zeros(40, int), 1, mixed]), start_of_both(mixed)
    (40, 0)
    >>> start_of_both(np.repeat([0, 1], 50))
    0
    """
    changes = np.flatnonzero(np.diff(arm))
    if not len(changes):
        return 0
    begins = int(changes[0]) + 1
    after = arm[begins:]
    share = float((after == arm[0]).mean())
    if len(after) < _FEWEST_AFTER or share in (0.0, 1.0) or share**begins >= _CHANCE:
        return 0
    expected = 2 * len(after) * share * (1 - share)
    return begins if (np.diff(after) != 0).sum() >= _OFTEN * expected else 0


def _size_findings(size: IntArray) -> Iterator[Finding]:
    """Clusters so much larger or smaller than all others that labels may be wrong."""
    for large in (True, False):
        apart = sizes_apart(size, large=large)
        if not len(apart):
            continue
        others = np.setdiff1d(size, apart)
        # How many are in a small cluster is told of nobody.
        few = [str(s) if not is_small(int(s)) else "fewer than five" for s in apart.tolist()]
        listed = ", ".join(dict.fromkeys(few))
        yield Finding(
            "sizes apart",
            f"{counted(len(apart), 'cluster')} of {listed} persons",
            "warning",
            f"{counted(len(apart), 'cluster has', 'clusters have')} {listed} persons, the others "
            f"{others.min()} to {others.max()}: "
            + (
                "see whether several clusters stand under one label."
                if large
                else "see whether a label is spelt in two ways."
            ),
            "cluster-size-jump",
        )


def sizes_apart(size: IntArray, *, large: bool) -> IntArray:
    """Sizes at one end that are many times the others: threefold, past any other such gap.

    Parameters
    ----------
    size
        Persons in each cluster, shape (m,).
    large
        Whether to look among the largest, or the smallest.

    Examples
    --------
    >>> sizes_apart(np.r_[np.arange(18, 32), 190], large=True).tolist()
    [190]
    >>> sizes_apart(np.r_[np.arange(18, 32), 2], large=False).tolist()
    [2]
    """
    if len(size) < _FEWEST_CLUSTERS:
        return size[:0]
    ordered = np.sort(size)[::-1] if large else np.sort(size)
    gaps = np.abs(np.diff(np.log(ordered)))
    most = max(1, int(_MOST_APART * len(size)))
    k = int(np.argmax(gaps[:most]))
    widest = float(np.r_[gaps[k + 1 :], 0.0].max())
    if gaps[k] < np.log(_JUMP) or gaps[k] < _WIDER * widest:
        return size[:0]
    return ordered[: k + 1]
