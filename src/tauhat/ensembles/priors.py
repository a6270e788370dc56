"""Prior weights of the members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tauhat._typing import FloatArray
from tauhat.errors import TrialError


def prior_weights(prior: Mapping[str, float] | None, names: Sequence[str]) -> FloatArray:
    """Prior weights that sum to one, equal where there is no prior.

    Parameters
    ----------
    prior
        Positive weight by name of a member, or None; members that could not be
        fitted are passed over.
    names
        Names of the fitted members.

    Returns
    -------
    ndarray, shape (k,)

    Raises
    ------
    TrialError
        If a member has no weight or one that is not positive.

    Examples
    --------
    >>> prior_weights({"LMM": 3, "GAMM": 1}, ["GAMM", "LMM"]).tolist()
    [0.25, 0.75]
    """
    if prior is None:
        return np.full(len(names), 1.0 / len(names))
    lacking = [name for name in names if not prior.get(name, 0.0) > 0]
    if lacking:
        raise TrialError(f"prior needs a positive weight for every member; see {lacking}")
    weights = np.array([float(prior[name]) for name in names])
    shares: FloatArray = weights / weights.sum()
    return shares
