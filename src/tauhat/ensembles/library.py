"""Members of an ensemble: those of the design, and those that the user named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.base import clone

from tauhat.data import TrialData
from tauhat.ensembles.external import ExternalEstimator
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.learners.catalog import ensemble_member

#: Pairs of name and estimator, ours or another library's.
Members = Sequence[tuple[str, Any]]

#: The second paper's nine single estimators.
INDIVIDUAL_LIBRARY = (
    "T-Linear",
    "S-BART",
    "X-AGLM",
    "X-BART",
    "X-Boosting",
    "X-RF",
    "DR-RF",
    "CF-DML-linear",
    "CF-DML-forest",
)
#: Members for a cluster trial: one of each family that keeps the effect of a cluster-level
#: treatment.
CLUSTER_LIBRARY = (
    "LMM",
    "GAMM",
    "BART-RE",
    "BCF-RE",
    "BRM",
    "Effect-Boosting",
    "CF-DML-linear",
)


def default_members(data: TrialData) -> list[tuple[str, CateEstimator]]:
    """Members for the design at hand: mixed-effects learners when there are clusters."""
    names = {"individual": INDIVIDUAL_LIBRARY, "cluster": CLUSTER_LIBRARY}[data.design.family]
    return [(name, ensemble_member(name)) for name in names]


def unfitted(members: Members) -> dict[str, CateEstimator]:
    """Copies of the members, in the order of their names.

    Raises
    ------
    ValueError
        If they are not pairs of name and estimator, have the same name twice, or are
        fewer than two.
    """
    if any(isinstance(member, str) for member in members):
        raise TrialError(
            "members are pairs of name and estimator, such as "
            "[(name, tauhat.estimator(name)) for name in ('LMM', 'GAMM')]; got a name alone"
        )
    names = [name for name, _ in members]
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"members must have different names; repeated: {repeated}")
    if len(members) < 2:
        raise ValueError(f"an ensemble needs at least two members, got {names}")
    return {
        name: clone(member if isinstance(member, CateEstimator) else ExternalEstimator(member))
        for name, member in sorted(members, key=lambda m: m[0])
    }
