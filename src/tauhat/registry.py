"""The names that users type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from tauhat.ensembles.ensemble import INDIVIDUAL_LIBRARY
from tauhat.ensembles.robust import RobustEnsemble
from tauhat.ensembles.rules import RULES
from tauhat.ensembles.stacked_x import StackedX
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.learners.catalog import describe, single_estimator, single_names, unknown_name

#: Names of the second paper's table, in its order.
PAPER_NAMES = (*INDIVIDUAL_LIBRARY, "Stacked-X", "CBA")
#: Names for cluster trials.
CLUSTER_NAMES = (
    "LMM",
    "LMM-lasso",
    "GAMM",
    "BART-RE",
    "BCF-RE",
    "MERF",
    "GPBoost",
    "MEGB",
    "MERT-Boosting",
    "REEM-Boosting",
    "Additive-Boosting",
    "Effect-Boosting",
    "X-GAMM-RF",
    "BRM",
)
#: Names for either design beside the above.
GENERAL_NAMES = ("Robust", "BCF", *(name for name in RULES if name not in PAPER_NAMES))

_ENSEMBLES: dict[str, tuple[Callable[[], CateEstimator], str]] = {
    "Robust": (RobustEnsemble, "weighed by design and by persons not seen, shrunk by evidence"),
    "Stacked-X": (StackedX, "X-learner whose every regression is a stack"),
    **RULES,
}


def estimator(name: str, random_state: Any = None, n_jobs: int = 1) -> CateEstimator:
    """Return the unfitted estimator of a name.

    Parameters
    ----------
    name
        One of `estimator_names`, or any letter S, T, X, DR or R, a hyphen and
        the name of an outcome model, such as ``X-LMM``.
    random_state
        Seed.
    n_jobs
        Number of fits at once.

    Returns
    -------
    CateEstimator

    Raises
    ------
    TrialError
        If the name is unknown, with the nearest known ones.

    Examples
    --------
    >>> estimator("CBA", random_state=1)
    ConsensusAverage(random_state=1)
    """
    if name in _ENSEMBLES:
        chosen = _ENSEMBLES[name][0]()
        chosen.set_params(random_state=random_state, n_jobs=n_jobs)
        return chosen
    if name not in single_names():
        known = [*_ENSEMBLES, *single_names()]
        raise TrialError(unknown_name("estimator", name, known))
    return single_estimator(name, random_state=random_state, n_jobs=n_jobs)


def estimator_names(
    design: Literal["individual", "cluster"] | None = None, *, every: bool = False
) -> list[str]:
    """Names of estimators.

    Parameters
    ----------
    design
        "individual" or "cluster": those meant for that design; None for all.
    every
        Add every combination of a meta-learner and an outcome model.

    Returns
    -------
    list of str

    Examples
    --------
    >>> estimator_names("cluster")[:4]
    ['LMM', 'LMM-lasso', 'GAMM', 'BART-RE']
    """
    if design == "individual":
        names = [*PAPER_NAMES, *GENERAL_NAMES]
    elif design == "cluster":
        names = [*CLUSTER_NAMES, *_ENSEMBLES]
    elif design is None:
        names = [*PAPER_NAMES, *CLUSTER_NAMES, *GENERAL_NAMES]
    else:
        raise ValueError(f"design must be 'individual', 'cluster' or None, got {design!r}")
    if every:
        names += [name for name in single_names() if name not in names]
    return names


def describe_estimator(name: str) -> str:
    """One line on what an estimator is.

    Examples
    --------
    >>> describe_estimator("LMM")
    'linear mixed model, shrunken treatment-by-covariate interactions'
    """
    if name in _ENSEMBLES:
        return _ENSEMBLES[name][1]
    return describe(name)
