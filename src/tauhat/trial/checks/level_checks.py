"""Levels within clusters, such as providers in clinics: their numbers and correlations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tauhat.numerics.nested_model import mixed_model
from tauhat.trial.checks.finding import Finding
from tauhat.trial.crossed_levels import CROSSED, units_of
from tauhat.trial.levels import PARTICIPANT
from tauhat.wording import join_words

if TYPE_CHECKING:
    from tauhat.design import Design
    from tauhat.outcome_model import VarianceComponents
    from tauhat.trial.trial_table import TrialTable


# Models with a link have no more intercepts: of the outermost levels.
_MODELLED_WITH_LINK = 2


@dataclass(frozen=True)
class LevelShare:
    """One level of a trial, from the randomized clusters inwards.

    Attributes
    ----------
    role, name
        Of its column.
    units
        How many there are among those compared.
    icc
        Correlation of two outcomes of one unit within arm (and block); None if it cannot be told.
    """

    role: str
    name: str
    units: int
    icc: float | None


def _components(trial: TrialTable) -> tuple[Design, VarianceComponents]:
    """Of a mixed model of the outcome with the arm alone, by REML, and the design compared."""
    rows = trial.has_counterfactual
    design = trial.randomization.take(rows)
    intercepts = design.intercepts_of_levels()
    outcome, arm = trial.y[rows], design.treatment
    fixed = np.column_stack([np.ones(len(arm)), arm - 0.5])
    crossed = intercepts.crossed_blocks
    fit = mixed_model(
        outcome, fixed, crossed, intercepts.groups, None, None, intercepts.above
    ).fit()
    between = np.r_[fit.between_cluster_variance, fit.nesting_variances]
    variances = fit.block_variances
    return design, intercepts.components(between, fit.residual_variance, crossed=variances)


def crossed_shares(trial: TrialTable) -> list[LevelShare]:
    """What crosses the clusters of a trial of two arms, with its correlation over clusters."""
    if not trial.crossed:
        return []
    _, found = _components(trial)
    roles = [(role, name) for role, name in trial.roles.items() if role.startswith(CROSSED)]
    return [
        LevelShare(role, name, units_of(labels[trial.has_counterfactual]), icc)
        for (role, name), labels, icc in zip(roles, trial.crossed, found.crossed_iccs, strict=True)
    ]


def level_shares(trial: TrialTable) -> list[LevelShare]:
    """The levels of a trial of two arms; empty where there are none within clusters.

    Parameters
    ----------
    trial
        The trial.
    """
    if not trial.within:
        return []
    design, components = _components(trial)
    iccs = iter(components.iccs)
    columns = [("cluster", trial.roles["cluster"]), *trial.level_names.items()]
    codes = [design.unit, *design.within]
    found: list[LevelShare] = []
    most = design.n
    told: list[bool] = []
    for level in reversed(codes):
        told.insert(0, int(level.max()) + 1 < most)
        most = min(most, int(level.max()) + 1)
    before = 0
    for (role, name), level, known in zip(columns, codes, told, strict=True):
        units = int(level.max()) + 1
        own = known and units > before
        found.append(LevelShare(role, name, units, next(iccs) if own else None))
        before = units
    return found


def level_findings(trial: TrialTable) -> Iterator[Finding]:
    """Give how many units each level has, and how much alike the outcomes of each are."""
    for share in crossed_shares(trial):
        cluster = trial.roles["cluster"]
        yield Finding(
            "crossed level",
            f"{share.units} {share.name}",
            "ok",
            f"Two outcomes within arm of one {share.name}, but of different {cluster}, correlate "
            f"by {share.icc:.3f}. LMM, GAMM and BRM have a random intercept of {share.name}; "
            f"errors, tests and folds keep each {cluster} whole, since it was randomized.",
        )
    shares = level_shares(trial)
    if not shares:
        return
    yield Finding("levels", ", ".join(f"{share.units} {share.name}" for share in shares))
    known = [share for share in shares if share.icc is not None]
    parts = [f"{share.icc:.3f} of one {share.name}" for share in known]
    yield Finding(
        "ICC by level",
        ", ".join(f"{share.icc:.3f} ({share.name})" for share in known),
        "ok",
        f"Two outcomes within arm correlate by {join_words(parts)}. {_modelled(trial, shares)}; "
        f"what was randomized is {shares[0].name}, whose units all errors, tests and folds take "
        "whole.",
    )
    yield from _anew_findings(trial)
    for share in shares:
        if share.icc is not None:
            continue
        no_more = (
            f"No {share.name} has more than one row"
            if share.role == PARTICIPANT
            else f"{share.name!r} cannot be told from the level beside it, since it has as many "
            "units, or a row each"
        )
        yield Finding(
            "level without replicates",
            share.name,
            "ok",
            f"{no_more}: it has no random intercept.",
        )


def _anew_findings(trial: TrialTable) -> Iterator[Finding]:
    """Say of which levels equal labels in different clusters were read as different units."""
    outer = trial.roles["cluster"]
    pairs = zip(trial.level_names.values(), trial.within, trial.randomization.within, strict=True)
    for name, labels, level in pairs:
        if units_of(labels) < int(level.max()) + 1:
            yield Finding(
                "labels that start again",
                f"{name} in {outer}",
                "ok",
                f"Equal labels of {name} in different {outer} are read as different units, which "
                "start again there. If they are the same, and cross, say so: "
                f"crossed={name!r}, and not as a level in cluster=.",
            )
        outer = name


def _modelled(trial: TrialTable, shares: list[LevelShare]) -> str:
    """Which levels have a random intercept, by what was measured."""
    models = "The mixed models LMM, GAMM and BRM have a random intercept"
    if trial.endpoint.link != "identity" and len(shares) > _MODELLED_WITH_LINK:
        # BRM is a model of the numbers themselves where they are counts.
        if trial.endpoint.codes is None:
            models = "The mixed models LMM and GAMM have a random intercept"
        return f"{models} at the two outermost levels, {shares[0].name} and {shares[1].name}"
    of_times = "" if trial.outcome.follow_up is None else f", PEM of {shares[0].name} alone"
    return f"{models} at each level{of_times}"
