"""Risks of both arms in groups of persons, about the groups' adjusted effects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tauhat._typing import FloatArray
from tauhat.inference.arm_means import ArmMeans
from tauhat.inference.average_risks import AverageRisks, average_risks
from tauhat.inference.cross_fitting import CrossFit
from tauhat.inference.descriptive import arm_inverse, outcome_moves
from tauhat.inference.estimate import Estimate
from tauhat.inference.jackknife import Jackknife
from tauhat.numerics.centring import sums_by_unit


def group_risks(
    fit: CrossFit,
    member: FloatArray,
    results: Sequence[Jackknife],
    effects: Sequence[Estimate],
    level: float,
) -> list[AverageRisks] | list[None]:
    r"""Risks without and with treatment in groups that do not depend on outcomes.

    .. math::
        \bar m_G - \pi_G \hat\theta_G, \qquad \bar m_G + (1 - \pi_G) \hat\theta_G, \qquad
        \bar m_G = (1 - \pi_G) \bar Y_{0G} + \pi_G \bar Y_{1G}

    with the group's effect, the arms' mean outcomes in it weighted by the inverse probability of
    the arm, and its mean probability of treatment. Ratios have the jackknife's errors.

    Parameters
    ----------
    fit
        Cross-fit of the trial.
    member
        1 for members of each group and 0 otherwise, shape (n, k).
    results
        `tauhat.inference.descriptive.split_group_effects` of each split.
    effects
        Average effect of each group.
    level
        Coverage of the intervals.

    Returns
    -------
    list
        One a group; None of each where the outcome is no event.
    """
    data = fit.data
    codes = data.endpoint.codes
    if codes is None:
        return [None] * member.shape[1]
    weighted = member * fit.weight[:, None]
    persons = sums_by_unit(weighted, fit.units)
    treated = sums_by_unit(weighted * data.propensity[:, None], fit.units)
    share = treated.sum(axis=0) / persons.sum(axis=0)
    average, without = np.zeros(member.shape[1]), np.zeros(persons.shape)
    for arm, part in ((0, 1 - share), (1, share)):
        inverse = member * arm_inverse(fit, arm)[:, None]
        outcome = sums_by_unit(inverse * data.y[:, None], fit.units)
        total = sums_by_unit(inverse, fit.units)
        average += part * outcome.sum(axis=0) / total.sum(axis=0)
        others = outcome.sum(axis=0) - outcome + outcome_moves(fit, inverse)
        without += part * others / (total.sum(axis=0) - total)
    effect = np.mean([one.estimate for one in results], axis=0)
    effect_without = np.mean([one.deleted for one in results], axis=0)
    signs = np.stack([-share, 1 - share], axis=-1)
    arms = ArmMeans(
        average[:, None] + signs * effect[:, None],
        without[:, :, None] + signs * effect_without[:, :, None],
        results[0].expected,
        results[0].design,
        even=results[0].even,
    )
    span = codes[1] - codes[0]
    return average_risks(arms.risks(codes), [one.over(span) for one in effects], level)
