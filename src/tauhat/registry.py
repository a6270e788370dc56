"""The table of estimators: a record of each by the name that users type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from tauhat.ensembles.aggregations import AGGREGATIONS
from tauhat.ensembles.ensemble import FEWEST_UNITS
from tauhat.ensembles.library import INDIVIDUAL_LIBRARY
from tauhat.ensembles.robust import STACKED_PREFIX, RobustEnsemble
from tauhat.ensembles.stacked_x import StackedX
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.registered import RegisteredEstimator
from tauhat.learners.catalog import DIRECT, single_names, single_record
from tauhat.wording import unknown_name

#: The designs by name, as words before "trial".
DESIGNS = {"individual": "individually randomized", "cluster": "cluster-randomized"}

#: Names of the second paper's table, in its order.
PAPER_NAMES = (*INDIVIDUAL_LIBRARY, "Stacked-X", "CBA")

#: Records of the estimators that combine others.
ENSEMBLES: dict[str, RegisteredEstimator] = {
    "Robust": RegisteredEstimator(
        RobustEnsemble,
        "weighed by a learned rule (clusters) or by persons not seen, and shrunk; the default",
        "tauhat",
        ("individual", "cluster"),
        risks_for=("individual", "cluster"),
        rates_for=("individual", "cluster"),
        block_intercepts="members",
        inner_levels="members",
        fewest_units=FEWEST_UNITS,
    ),
    "Stacked-X": RegisteredEstimator(
        StackedX,
        "X-learner whose every regression is a stack",
        "Machluf and others 2024",
        ("individual", "cluster"),
    ),
    **AGGREGATIONS,
}


#: Record of every estimator with a name of its own. Combinations of a meta-learner and an outcome
#: model that are not in it have a record too: see `registered`.
ESTIMATORS: dict[str, RegisteredEstimator] = {
    **{name: single_record(name) for name in INDIVIDUAL_LIBRARY},
    **DIRECT,
    **ENSEMBLES,
}


def registered(name: str) -> RegisteredEstimator:
    """Record of an estimator.

    Parameters
    ----------
    name
        As in `estimator`.

    Returns
    -------
    RegisteredEstimator

    Raises
    ------
    TrialError
        If the name is unknown, with the nearest known ones.

    Examples
    --------
    >>> registered("X-LMM").meant_for
    ('cluster',)
    """
    if name in ESTIMATORS:
        return ESTIMATORS[name]
    if name not in single_names():
        raise TrialError(unknown_name("estimator", name, [*ENSEMBLES, *single_names()]))
    return single_record(name)


def source_of(name: str) -> str:
    """Where an estimator or a member of `RobustEnsemble` comes from; empty if that is unknown.

    Examples
    --------
    >>> source_of("X-Stack-RF"), source_of("mine")
    ('Machluf and others 2024', '')
    """
    try:
        return registered("Stacked-X" if name.startswith(STACKED_PREFIX) else name).source
    except TrialError:
        return ""


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
    chosen = registered(name).make()
    chosen.set_params(random_state=random_state, n_jobs=n_jobs)
    return chosen


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
    ['LMM', 'LMM-lasso', 'GAMM', 'Constant-Odds-Ratio']
    """
    if design is not None and design not in DESIGNS:
        raise ValueError(f"design must be 'individual', 'cluster' or None, got {design!r}")
    names = [
        name
        for name, record in ESTIMATORS.items()
        if (design in record.meant_for if design else record.meant_for)
    ]
    if every:
        names += [name for name in single_names() if name not in names]
    return names


def reasons(names: Sequence[str]) -> dict[str, list[str]]:
    """Names of estimators by the reason why they are not meant for a design.

    Examples
    --------
    >>> list(reasons(["MERF-textbook", "CBA", "GPBoost-textbook"]).values())
    [['MERF-textbook', 'GPBoost-textbook']]
    """
    found: dict[str, list[str]] = {}
    for name in names:
        because = registered(name).elsewhere
        if because:
            found.setdefault(because, []).append(name)
    return found
