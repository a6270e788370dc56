"""Trials whose cluster column is empty in one arm: persons there are units of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, IntArray
from tauhat.design import ClustersInOneArm, Design
from tauhat.errors import DesignError, TrialError
from tauhat.tables.columns import missing_values
from tauhat.tables.labels import read_labels
from tauhat.trial.cluster_size import SIZE_COVARIATES
from tauhat.trial.roles import label_values
from tauhat.wording import counted, first_of, join_words

# Clusters that all but a twentieth of one arm lack, and all but a twentieth of the other have, are
# in one arm.
_NEARLY = 0.95


def labels_of_clusters(
    column: pd.Series[Any], arm: IntArray, arm_labels: Sequence[Any], *, levels: bool = False
) -> AnyArray:
    """Labels of the clusters; where those of one arm have none, a label for each person there.

    Parameters
    ----------
    column
        Labels of clusters, shape (n,).
    arm
        Number of each row's arm, shape (n,).
    arm_labels
        Of the arms.
    levels
        Whether there are levels within clusters, or periods.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TrialError
        If labels are missing otherwise.
    DesignError
        If they are missing for all of an arm, but there are several arms, or levels.

    Examples
    --------
    >>> groups = pd.Series(["g1", "g1", None, None], name="group")
    >>> labels_of_clusters(groups, np.array([1, 1, 0, 0]), ("none", "group")).tolist()
    ['g1', 'g1', 'single person 1', 'single person 2']
    """
    read = read_labels(column)
    missing = np.asarray(read.missing, dtype=bool)
    lost = np.bincount(arm, weights=missing, minlength=len(arm_labels))
    without = lost == np.bincount(arm, minlength=len(arm_labels))
    if not without.any() or without.all() or (missing & ~without[arm]).any():
        refuse_nearly_one_arm(column, missing, arm, arm_labels)
        return label_values(column, "cluster")
    if len(arm_labels) > 2 or levels:
        arms = join_words([str(arm_labels[int(k)]) for k in np.flatnonzero(without)])
        beside = "without levels within them and without periods"
        if len(arm_labels) > 2:
            beside = "for two arms: name them by arms="
        raise DesignError(
            f"cluster column {column.name!r} is missing for everybody in arm {arms} and for nobody "
            f"else. Clusters in one arm only (therapists, groups) are supported {beside}"
        )
    known = label_values(column[~missing], "cluster")
    count = np.arange(1, int(missing.sum()) + 1)
    if known.dtype.kind in "iuf":
        alone: AnyArray = known.max() + count
    else:
        word = "single person"
        while any(str(label).startswith(word) for label in known):
            word = f"{word}'"
        alone = np.array([f"{word} {k}" for k in count], dtype=object)
    labels = np.empty(len(column), dtype=np.result_type(known.dtype, alone.dtype))
    labels[~missing], labels[missing] = known, alone
    return labels


def refuse_nearly_one_arm(
    column: pd.Series[Any], missing: BoolArray, arm: IntArray, arm_labels: Sequence[Any]
) -> None:
    """Raise a `TrialError` where clusters are in one arm only but for a few rows, and name these.

    Examples
    --------
    >>> groups = pd.Series(["g1"] * 20 + ["g1"] + [None] * 20, name="group")
    >>> arm = np.repeat([1, 0], [20, 21])
    >>> refuse_nearly_one_arm(groups, groups.isna().to_numpy(), arm, ("none", "group"))
    Traceback (most recent call last):
    tauhat.errors.TrialError: cluster column 'group' is missing in 20 of 41 rows, as with ...
    """
    if len(arm_labels) > 2 or not missing.any():
        return
    share = [missing[arm == a].mean() for a in (0, 1)]
    alone = int(np.argmax(share))
    if share[alone] < _NEARLY or share[1 - alone] > 1 - _NEARLY:
        return
    exceptions = [
        (alone, "a cluster", ~missing & (arm == alone)),
        (1 - alone, "none", missing & (arm != alone)),
    ]
    told = [
        f"{counted(int(odd.sum()), 'person has', 'persons have')} {what} in arm {arm_labels[of]} "
        f"(row {first_of([str(row + 1) for row in np.flatnonzero(odd)], 5)})"
        for of, what, odd in exceptions
        if odd.any()
    ]
    raise TrialError(
        f"cluster column {column.name!r} is missing in {int(missing.sum())} of {len(column)} rows, "
        f"as with clusters in one arm only, but {join_words(told)}: empty every cell of arm "
        f"{arm_labels[alone]} and fill in every one of arm {arm_labels[1 - alone]}, or all if both "
        "had clusters"
    )


def refuse_covariates_of_clusters(
    frame: pd.DataFrame, design: Design, arm_labels: Sequence[Any]
) -> None:
    """Raise a `TrialError` for covariates of the clusters, which the other arm has none of.

    Parameters
    ----------
    frame
        Covariates of everyone enrolled, n rows.
    design
        Of them.
    arm_labels
        Labels of the arms.

    Examples
    --------
    >>> group = np.array([0, 0, 1, 1, 2, 3])
    >>> design = ClustersInOneArm.of((group < 2).astype(int), group)
    >>> frame = pd.DataFrame({"years": [3.0, 3, 7, 7, None, None]})
    >>> refuse_covariates_of_clusters(frame, design, ("none", "group"))
    Traceback (most recent call last):
    tauhat.errors.TrialError: covariate 'years' is missing for everybody in arm none, who has no ...
    """
    if not isinstance(design, ClustersInOneArm):
        return
    sizes = [name for name in SIZE_COVARIATES if name in frame]
    if sizes:
        raise TrialError(
            f"{sizes[0].replace(' ', '_')}=True cannot be had with clusters in one arm only: "
            "the size of its cluster tells the arm of a person"
        )
    alone = design.treatment != design.clustered_arm
    for name in frame.columns:
        missing = missing_values(frame[name])
        if missing[alone].all() and not missing.all():
            raise TrialError(
                f"covariate {name!r} is missing for everybody in arm "
                f"{arm_labels[1 - design.clustered_arm]}, who has no cluster: it describes the "
                "clusters, so nobody there is like those in them. Leave it out of covariates="
            )
