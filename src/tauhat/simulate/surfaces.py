"""Prognostic and effect surfaces of the simulated cluster-randomized trials.

All are functions of the covariates x1 to x7 (persons) and w1, w2 (clusters) of
`tauhat.simulate.ClusterTrial`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray

Surface = Callable[[pd.DataFrame], FloatArray]


def _array(values: pd.Series) -> FloatArray:
    return values.to_numpy(dtype=np.float64)


def _zero(X: pd.DataFrame) -> FloatArray:
    return np.zeros(len(X))


def _prognosis_linear(X: pd.DataFrame) -> FloatArray:
    return _array(0.5 * X.x1 + 0.4 * X.x3 + 0.4 * X.x5 + 0.3 * X.x7 + 0.25 * X.w1)


def _prognosis_nonlinear(X: pd.DataFrame) -> FloatArray:
    return _array(
        0.5 * X.x1
        + 0.4 * X.x3.abs()
        + 0.4 * np.sin(2 * X.x5)
        + 0.3 * X.x7
        + 0.25 * X.w1
        + 0.2 * X.w2 * X.x6
    )


def _prognosis_cross_level(X: pd.DataFrame) -> FloatArray:
    return _array(0.5 * X.x1 + 0.25 * X.w1 + 0.4 * X.w1 * X.x1 + 0.4 * X.w2 * X.x3)


def _effect_linear(X: pd.DataFrame) -> FloatArray:
    return _array(0.30 * X.x1 - 0.25 * X.x2 + 0.30 * X.x6 + 0.20 * X.w1)


def _effect_nonlinear(X: pd.DataFrame) -> FloatArray:
    return _array(
        0.45 * np.sin(1.5 * X.x1)
        + 0.5 * (X.x2 > 0.3)
        + 0.45 * X.x6 * (X.x3 > 0)
        + 0.25 * X.w2 * X.x4
        - 0.25 * X.w1.clip(lower=0)
    )


def _effect_cross_level(X: pd.DataFrame) -> FloatArray:
    return _array(0.35 * X.x1 * X.w1 + 0.35 * X.w2 * X.x4)


def _effect_cluster(X: pd.DataFrame) -> FloatArray:
    return _array(0.40 * X.w1)


def _effect_binary(X: pd.DataFrame) -> FloatArray:
    return _array(0.5 * X.x6)


def _effect_even(X: pd.DataFrame) -> FloatArray:
    return _array(0.45 * X.x1.abs())


def _effect_linear_individual(X: pd.DataFrame) -> FloatArray:
    return _array(0.30 * X.x1 - 0.25 * X.x2)


def _effect_interaction(X: pd.DataFrame) -> FloatArray:
    return _array(0.45 * X.x1 * X.x2)


#: mu0(x, w) by name.
PROGNOSIS_SURFACES: Final[dict[str, Surface]] = {
    "null": _zero,
    "linear": _prognosis_linear,
    "nonlinear": _prognosis_nonlinear,
    "cross-level": _prognosis_cross_level,
}

#: tau(x, w) without its constant, by name, and the constant that goes with it.
EFFECT_SURFACES: Final[dict[str, tuple[float, Surface]]] = {
    "constant": (0.4, _zero),
    "linear": (0.4, _effect_linear),
    "nonlinear": (0.3, _effect_nonlinear),
    "cross-level": (0.4, _effect_cross_level),
    "cluster": (0.4, _effect_cluster),
    "binary": (0.4, _effect_binary),
    "even": (0.4, _effect_even),
    "linear-individual": (0.4, _effect_linear_individual),
    "interaction": (0.4, _effect_interaction),
}


def surface_values(surface: Surface, X: pd.DataFrame, name: str) -> FloatArray:
    """Values of a user's surface, checked.

    Parameters
    ----------
    surface
        Function of the covariates.
    X
        Covariates, n rows.
    name
        Name of the setting, for the error message.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ValueError
        If the function does not return one finite number a person.

    Examples
    --------
    >>> surface_values(lambda X: 2 * X["x1"], pd.DataFrame({"x1": [1.0, 2.0]}), "effect")
    array([2., 4.])
    """
    values = np.asarray(surface(X), dtype=np.float64)
    if values.shape != (len(X),) or not np.isfinite(values).all():
        raise ValueError(
            f"the function {name} must return one finite number a person, "
            f"shape ({len(X)},), got shape {values.shape}"
        )
    return values
