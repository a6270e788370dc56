"""Did the chains of a Bayesian learner converge: a table, and a warning when not."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.errors import TauhatWarning
from tauhat.numerics.convergence import effective_sample_size, r_hat

AVERAGE_EFFECT = "average effect"
LARGEST_R_HAT = 1.1
# R-hat of shorter chains is mostly noise, and they were asked for points only.
_SHORTEST_CHAIN = 100


def convergence_table(chains: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Mean, spread and convergence of named quantities.

    Parameters
    ----------
    chains
        Draws of each quantity, shape (chains, draws).

    Returns
    -------
    DataFrame
        A row a quantity; columns ``mean``, ``sd``, ``r_hat`` and
        ``effective_draws``, both NaN for chains of fewer than four draws and for
        a quantity that never moves, and ``draws`` of each chain.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(size=(4, 500))
    >>> table = convergence_table({"average effect": draws})
    >>> table[["sd", "r_hat"]].round(1).to_numpy().tolist()
    [[1.0, 1.0]]
    """
    rows = [
        {
            "mean": draws.mean(),
            "sd": draws.std(ddof=1) if draws.size > 1 else np.nan,
            "r_hat": r_hat(draws) if draws.shape[1] >= 4 else np.nan,
            "effective_draws": effective_sample_size(draws) if draws.shape[1] >= 4 else np.nan,
            "draws": draws.shape[1],
        }
        for draws in chains.values()
    ]
    return pd.DataFrame(rows, index=pd.Index(list(chains), name="quantity"))


def average_effect_r_hat(model: Any) -> float:
    """R-hat of a fitted estimator's average effect.

    NaN for one without chains, and for one whose chains are shorter than 100
    draws, such as a member of an ensemble: those are for points.

    Parameters
    ----------
    model
        A fitted estimator, with or without ``convergence_``.

    Examples
    --------
    >>> average_effect_r_hat(object())
    nan
    """
    table = getattr(model, "convergence_", None)
    if table is None or table["draws"].to_dict()[AVERAGE_EFFECT] < _SHORTEST_CHAIN:
        return np.nan
    return float(table["r_hat"].to_dict()[AVERAGE_EFFECT])


def warn_unless_converged(table: pd.DataFrame) -> None:
    """One `TauhatWarning` when the chains disagree on the average effect.

    Nothing is said of chains below 100 draws: those are for points.

    Parameters
    ----------
    table
        Of `convergence_table`.
    """
    found = float(table["r_hat"].to_dict()[AVERAGE_EFFECT])
    long = table["draws"].to_dict()[AVERAGE_EFFECT] >= _SHORTEST_CHAIN
    if long and found > LARGEST_R_HAT:
        warnings.warn(
            f"R-hat of the average effect is {found:.2f}, above {LARGEST_R_HAT}: the chains "
            "disagree and the posterior intervals are not to be trusted. Double n_burn_in and "
            "n_draws and fit again; see convergence_.",
            TauhatWarning,
            stacklevel=2,
        )
