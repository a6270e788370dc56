"""An estimator under test, and the small trial that it is tried on."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.data import validate_trial
from tauhat.endpoint import OF_TIMES, FollowUp

Arrays = tuple[FloatArray, FloatArray, IntArray, IntArray]


def example_trial(
    n_clusters: int = 12,
    size: int = 8,
    n_features: int = 4,
    *,
    events: bool = False,
    times: bool = False,
) -> Arrays:
    """Draw a small cluster trial with an effect of the first covariate.

    Parameters
    ----------
    n_clusters
        Number of clusters, half of them treated.
    size
        Persons in each.
    n_features
        Covariates; the last is constant within cluster when there are at least two.
    events
        Whether the outcome is an event, 0 or 1, about as frequent as not.
    times
        Whether it is a time to an event, the longest fifth censored at one time.

    Returns
    -------
    X, y, treatment, clusters

    Examples
    --------
    >>> X, y, treatment, clusters = example_trial()
    >>> X.shape, int(treatment.sum())
    ((96, 4), 48)
    """
    rng = np.random.default_rng(20261121)
    clusters = np.repeat(np.arange(n_clusters), size)
    treatment = (clusters % 2).astype(np.int64)
    X = rng.normal(size=(len(clusters), n_features))
    if n_features > 1:
        X[:, -1] = rng.normal(size=n_clusters)[clusters]
    y = X[:, 0] + treatment * (0.5 + X[:, 0])
    y = y + 0.3 * rng.normal(size=n_clusters)[clusters] + rng.normal(size=len(clusters))
    if events:
        y = (y > 0.3).astype(np.float64)
    if times:
        y = np.exp(y)
        y = np.minimum(y, np.quantile(y, 0.8))
    return X, y, treatment, clusters.astype(np.int64)


def seeded(estimator: Any) -> Any:
    """Return an unfitted copy with a seed."""
    return clone(estimator).set_params(random_state=7)


def fit_trial(estimator: Any, arrays: Arrays, *, times: bool = False, **changes: Any) -> Any:
    """Fit a copy to a trial, with some arguments changed and without warnings."""
    X, y, treatment, clusters = arrays
    arguments = {"X": X, "y": y, "treatment": treatment, "clusters": clusters, **changes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit_given(seeded(estimator), arguments, times=times)


def fit_given(estimator: Any, arguments: dict[str, Any], *, times: bool) -> Any:
    """Fit it as it is; times end with the event before the longest, which is where all end."""
    if not times:
        return estimator.fit(**arguments)
    longest = float(np.max(arguments["y"]))
    event = (np.asarray(arguments["y"]) < longest).astype(np.int64)
    follow_up = FollowUp(0.9 * longest)
    data = validate_trial(**arguments, endpoint=OF_TIMES, cause=event, follow_up=follow_up)
    return estimator.fit_data(data)


class Subject:
    """An estimator under test, with its fit to the example trial made once."""

    def __init__(self, estimator: Any, *, events: bool = False, times: bool = False) -> None:
        self.estimator = estimator
        self.events, self.times = events, times

    def trial(self, n_clusters: int = 12, size: int = 8, n_features: int = 4) -> Arrays:
        """An example trial with the kind of outcome that is tried."""
        return example_trial(n_clusters, size, n_features, events=self.events, times=self.times)

    @cached_property
    def arrays(self) -> Arrays:
        """The example trial."""
        return self.trial()

    @cached_property
    def fitted(self) -> Any:
        """The estimator fitted to it."""
        return self.fit()

    @cached_property
    def table(self) -> pd.DataFrame:
        """The covariates of the example trial with names."""
        return pd.DataFrame(self.arrays[0], columns=["age", "sbp", "bmi", "beds"])

    @cached_property
    def fitted_to_table(self) -> Any:
        """The estimator fitted to the trial with covariates that have names."""
        return self.fit(X=self.table)

    @cached_property
    def effect(self) -> FloatArray:
        """Its effects on the trial's own persons."""
        effect: FloatArray = self.fitted.effect(self.arrays[0])
        return effect

    def fit(self, **changes: Any) -> Any:
        """Return a fit to the example trial with some arguments changed."""
        return self.fit_to(self.arrays, **changes)

    def fit_to(self, arrays: Arrays, **changes: Any) -> Any:
        """Return a fit to another trial."""
        return fit_trial(self.estimator, arrays, times=self.times, **changes)
