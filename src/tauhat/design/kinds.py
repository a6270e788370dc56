"""The kinds of design, and the one that a trial's columns tell of."""

from __future__ import annotations

from collections.abc import Sequence

from tauhat._typing import AnyArray, FloatArray, IntArray
from tauhat.design.clusters import Clusters
from tauhat.design.design import Design
from tauhat.design.persons import Persons


def design_of(
    arm: IntArray,
    clusters: AnyArray | None = None,
    blocks: AnyArray | None = None,
    propensity: FloatArray | None = None,
    within: Sequence[AnyArray] = (),
) -> Design:
    """The design of a trial, from one value a row.

    Parameters
    ----------
    arm
        0 or 1, or 0 to k - 1 of several arms, shape (n,).
    clusters
        Label of the cluster, shape (n,), or None where persons were randomized.
    blocks
        Label of the randomization block, shape (n,), or None.
    propensity
        Known probability of arm 1 of two, shape (n,); None for the shares of the arms in the
        block, which a design with fixed arm sizes has.
    within
        Labels of the levels within clusters, outermost first, shape (n,) each. Equal labels in
        different clusters, or in different units of the level before, are different units.

    Returns
    -------
    Design

    Raises
    ------
    ValueError
        If what whole clusters have in common varies within one.

    Examples
    --------
    >>> import numpy as np
    >>> design_of(np.array([1, 1, 0]), np.array(["b", "b", "a"])).arm.tolist()
    [1, 0]
    >>> design_of(np.array([0, 1, 1, 1])).propensity.tolist()
    [0.75, 0.75, 0.75, 0.75]
    """
    if clusters is None:
        return Persons.of(arm, blocks, propensity)
    return Clusters.of(arm, clusters, blocks, propensity, within)
