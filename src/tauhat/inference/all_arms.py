"""A trial with more than two arms as arrays, for what looks at all arms at once."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.design import design_of
from tauhat.endpoint import Endpoint
from tauhat.inference.inputs import OrderedTrial, with_sources
from tauhat.numerics.far_values import ColumnLimits
from tauhat.numerics.ordering import canonical_order
from tauhat.numerics.weights import relative_weights
from tauhat.trial.trial import Trial


def all_arms(trial: Trial) -> OrderedTrial:
    """Arrays of all arms in canonical order; rows of blocks with one arm only are left out.

    Where the outcome is made of censored times it is that of the contrasts, made as for
    `tauhat.test_heterogeneity`; of the control that of the first.

    Examples
    --------
    >>> df = pd.DataFrame({"dose": np.arange(9) % 3, "x": np.arange(9.0), "y": [1.0, 2, 4] * 3})
    >>> ordered = all_arms(Trial(df, outcome="y", treatment="dose"))
    >>> ordered.data.design.arm_sizes.tolist()
    [3, 3, 3]
    """
    rows = np.flatnonzero(trial.has_counterfactual)
    X, y, arm = (
        trial.X.to_numpy(dtype=np.float64)[rows],
        _outcome(trial)[rows],
        trial.treatment[rows],
    )
    codes, blocks = (
        None if labels is None else pd.factorize(labels[rows])[0]
        for labels in (trial.clusters, trial.blocks)
    )
    weight = None if trial.sample_weight is None else trial.sample_weight[rows]
    order, canonical = canonical_order(X, y, arm, codes, [] if weight is None else [weight])
    X = X[order]
    limits = ColumnLimits.of(X, canonical)
    data = TrialData(
        X=limits.apply(X),
        measured=y[order, None],
        design=design_of(arm[order], canonical, None if blocks is None else blocks[order]),
        sample_weight=None if weight is None else relative_weights(weight[order]),
        feature_names=tuple(map(str, trial.X.columns)),
        rows=rows[order],
        endpoint=Endpoint.of(y[order], None),
        names_given=True,
        limits=limits,
    )
    return with_sources(trial, data, np.arange(data.n_units), data.rows)


def _outcome(trial: Trial) -> FloatArray:
    """The outcome of each person, shape (n,)."""
    if trial.outcome.follow_up is None:
        return trial.y
    y = trial.y.copy()
    place = pd.Index(trial.rows)
    for part in reversed(trial.contrasts.values()):
        made = part.data.with_outcome_made_anew("shared")
        y[place.get_indexer(pd.Index(part.rows[made.rows]))] = made.y
    return y
