"""Whether the relative effect on an event differs, and what the risk without treatment explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logit

from tauhat._typing import FloatArray
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.inference.heterogeneity_result import HeterogeneityTest

_GROUPS, _FEWEST = 5, 20
# Standard deviation of the log odds below which everybody is at about the same risk.
_LEAST_SPREAD = 0.1


@dataclass(frozen=True)
class RelativeEffects:
    """What an outcome that is an event allows to be asked beside the primary test.

    Attributes
    ----------
    test
        Secondary test of one odds ratio for everyone.
    by_risk
        One row per group of persons by their risk without treatment, smallest first, or one in
        all where it hardly differs: ``persons``, ``risk`` (its mean), ``effect`` (mean risk
        difference as reported) and ``one_odds_ratio`` (mean risk difference if one odds ratio held
        for everyone).
    """

    test: HeterogeneityTest
    by_risk: pd.DataFrame


def effects_by_risk(model: CateEstimator, X: FloatArray, effect: FloatArray) -> pd.DataFrame:
    """Effects in groups of persons by their risk without treatment; see `RelativeEffects`.

    The risks, and the effects that one odds ratio makes of them, are those of a mixed logistic
    regression with one coefficient of treatment: grouping by a model in which effects differ
    would show its own errors as a gradient.

    Parameters
    ----------
    model
        A fitted estimator of effects on an event.
    X
        Covariates, shape (k, p).
    effect
        Its effects there, in units of the outcome, shape (k,).
    """
    risks = model.average_risk().form.risks(X)
    groups = min(_GROUPS, max(len(X) // _FEWEST, 1))
    if logit(np.clip(risks[:, 0], 1e-12, 1 - 1e-12)).std() < _LEAST_SPREAD:
        groups = 1
    # Equal risks stay together, whatever the order of the rows.
    place = pd.Series(risks[:, 0].round(12)).rank(method="average", pct=True).to_numpy()
    group = np.minimum((place * groups).astype(np.int64), groups - 1)
    table = pd.DataFrame(
        {
            "group": group,
            "risk": risks[:, 0],
            "effect": effect / model.trial_data_.endpoint.largest_effect,
            "one_odds_ratio": risks[:, 1] - risks[:, 0],
        }
    ).groupby("group")
    means = table.mean()
    means.insert(0, "persons", table.size())
    return means.reset_index(drop=True)
