"""How far a trial lies from those that a rule was learned from."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tauhat.data import TrialData
from tauhat.numerics.icc import intracluster_correlation
from tauhat.wording import counted

#: Distance from which on a trial is far: four times the largest, or a quarter of the smallest.
FAR = 2.0

# Respects that are shares, compared by their odds: words around one, and how its number is
# written. Others are counts.
_SHARES = {"share treated": ("{} treated", ".0%"), "ICC": ("an ICC of {}", ".2f")}
_VARIATION = "variation of cluster sizes"
# Less of these is nothing strange.
_UPWARD = ("ICC", _VARIATION)

Range = tuple[float, float]


def respects_of(data: TrialData) -> dict[str, float]:
    """What a cluster trial is compared by: sizes, allocation and clustering, by name.

    Parameters
    ----------
    data
        The trial as its learners see it.

    Returns
    -------
    dict
        Numbers of clusters, persons and covariates, coefficient of variation of the clusters'
        sizes, share of the clusters that is treated, and intracluster correlation of the outcome
        within arm; what cannot be told, of clusters of one person, is missing.
    """
    sizes = np.bincount(data.design.unit)
    found = {
        "clusters": float(data.n_units),
        "persons": float(data.n),
        "covariates": float(data.X.shape[1]),
        _VARIATION: float(sizes.std() / sizes.mean()),
        "share treated": float(np.mean(data.design.arm)),
        "ICC": intracluster_correlation(data.working, data.design.unit, data.treatment).value,
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def distances(respects: Mapping[str, float], seen: Mapping[str, Range]) -> dict[str, float]:
    r"""How far a trial lies outside, in doublings, of each respect in which it does.

    .. math:: \log_2(z / z_{\max}), \qquad \log_2(z_{\min} / z)

    above and below what was seen, of the odds where the respect is a share.

    Parameters
    ----------
    respects
        Those of the trial, by name.
    seen
        Smallest and largest ones of the trials that a rule was learned from.

    Examples
    --------
    >>> seen = {"persons": (60.0, 1500.0), "share treated": (0.3, 0.7)}
    >>> distances({"persons": 6000.0, "share treated": 0.5}, seen)
    {'persons': 2.0}
    """
    found = {}
    for name, (low, high) in seen.items():
        if name not in respects or low <= respects[name] <= high:
            continue
        value, low, high = (_size(name, one) for one in (respects[name], low, high))
        if value > high:
            found[name] = math.log2(value / high)
        elif name not in _UPWARD:
            found[name] = math.log2(low / value)
    return found


def _size(name: str, value: float) -> float:
    if name not in _SHARES:
        return value
    return value / max(1 - value, 1e-9)


def told(name: str, value: float, seen: Range) -> str:
    """A respect and what was seen of it, in words.

    Examples
    --------
    >>> told("persons", 6000.0, (60.0, 1500.0)), told("ICC", 0.9, (0.0, 0.4))
    ('6,000 persons (60 to 1,500)', 'an ICC of 0.90 (0.00 to 0.40)')
    """
    low, high = seen
    if name in _SHARES:
        words, form = _SHARES[name]
        return f"{words.format(format(value, form))} ({low:{form}} to {high:{form}})"
    if name == _VARIATION:
        return f"cluster sizes that vary by {value:.0%} of their mean ({low:.0%} to {high:.0%})"
    count = counted(round(value), name.removesuffix("s"), form=",")
    return f"{count} ({low:,.0f} to {high:,.0f})"
