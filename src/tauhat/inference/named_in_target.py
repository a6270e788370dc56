"""Effects of named groups in another population than the trial's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tauhat.endpoint import effective_size
from tauhat.inference.average_effects import average_effects
from tauhat.inference.cross_fitting import covariate_frame
from tauhat.inference.descriptive import estimate_columns, no_estimate
from tauhat.inference.inputs import TrialLike, ordered_trial
from tauhat.inference.interaction_effects import is_of_cluster, read_modifier
from tauhat.inference.modifier_groups import groups_of
from tauhat.inference.target_weights import FEWEST_OF_ARM
from tauhat.inference.transport import TargetPopulation, target_population
from tauhat.tables.extremes import frame_within

_FEWEST_UNITS = 2


def named_groups_in_target(
    trial: TrialLike,
    modifiers: Sequence[Any],
    population: TargetPopulation,
    *,
    level: float = 0.95,
) -> pd.DataFrame:
    """Average effects in another population within the groups of named modifiers.

    Each group's persons count by the weights of the whole population, in the estimate and jackknife
    of `tauhat.average_effects`. A group has no estimate where an arm's persons tell as much as
    fewer than 30 of equal weight, or come from one unit.

    Parameters
    ----------
    trial
        The trial.
    modifiers
        As in `tauhat.interaction_effects`.
    population
        Weights of the trial's persons: ``target`` of `tauhat.average_effects`' result.
    level
        Coverage of each interval.

    Returns
    -------
    DataFrame
        One row per group: ``modifier``, ``group``, ``persons`` (of the trial), ``share`` (of those
        whose group is known, by weight), ``effective_n``, ``estimate``, ``se``, ``lower``,
        ``upper`` and ``degrees_of_freedom``.

    Examples
    --------
    >>> from tauhat.inference.average_effects import average_effects
    >>> rng = np.random.default_rng(1)
    >>> X = pd.DataFrame({"age": rng.normal(60, 10, 600), "sex": rng.integers(0, 2, 600)})
    >>> arm = np.arange(600) % 2
    >>> trial = (X, arm * X.sex + rng.normal(size=600), arm)
    >>> target = average_effects(trial, target=pd.DataFrame({"age": [63.0], "sex": [0.8]})).target
    >>> found = named_groups_in_target(trial, ["sex"], target)
    >>> found.group.tolist(), found.share.round(2).tolist(), bool(found.lower[1] < 1)
    (['0', '1'], [0.2, 0.8], True)
    """
    ordered = ordered_trial(trial, counted=True)
    data, weight = ordered.data, target_population(None, ordered.data, population).weight
    frame = frame_within(covariate_frame(trial, data), data)
    account, others = getattr(trial, "file", None), getattr(trial, "no_covariates", {})
    rows = []
    for one in modifiers:
        modifier = read_modifier(frame, one, account, others).of(ordered.rows)
        kept = np.flatnonzero(modifier.known)
        known = data.take(kept)
        first = known.design.first if is_of_cluster(data, modifier) else None
        for group in groups_of(modifier.of(kept), first):
            members = kept[group.rows]
            own = weight[members]
            part = replace(data.take(members), sample_weight=own)
            enough = (
                min(part.design.arm_sizes) >= _FEWEST_UNITS
                and min(effective_size(own[part.treatment == arm]) for arm in (0, 1))
                >= FEWEST_OF_ARM
            )
            effect = average_effects(part, level=level).individual if enough else no_estimate(level)
            rows.append(
                {
                    "modifier": modifier.name,
                    "group": group.name,
                    "persons": len(members),
                    "share": float(own.sum() / weight[kept].sum()),
                    "effective_n": effective_size(own),
                    **estimate_columns(effect),
                    "degrees_of_freedom": effect.degrees_of_freedom,
                }
            )
    return pd.DataFrame(rows)
