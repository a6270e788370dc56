"""A fitted ensemble weighed again without some members, or with another seed; no refits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

from tauhat._typing import FloatArray
from tauhat.ensembles.ensemble import Ensemble


def weighed_again(
    ensemble: Ensemble,
    effects: Mapping[str, FloatArray],
    *,
    without: Sequence[str] = (),
    seed: int | None = None,
) -> FloatArray:
    """Effects of an ensemble whose members were weighed again.

    Parameters
    ----------
    ensemble
        Fitted; it is left as it is.
    effects
        Effects of every member on the rows of ``ensemble.trial_data_``, in
        their order, by name, each of shape (n,).
    without
        Members that are left out.
    seed
        Seed of the weighing, where it draws; None keeps the ensemble's.

    Returns
    -------
    ndarray, shape (n,)
        In the order of ``ensemble.trial_data_``.

    Raises
    ------
    ValueError
        If no member is left that can earn a weight.

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.ensembles import MedianEffect
    >>> from tauhat.learners.catalog import single_estimator
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(200, 2)), np.tile([0, 1], 100)
    >>> members = [(name, single_estimator(name)) for name in ("LMM", "T-LMM", "X-LMM")]
    >>> model = MedianEffect(members, random_state=1).fit(X, A * X[:, 1], treatment=A)
    >>> rows = model.trial_data_.X
    >>> effects = {name: one.predict_effect(rows) for name, one in model.members_.items()}
    >>> two = weighed_again(model, effects, without=["LMM"])
    >>> bool(np.allclose(two, (effects["T-LMM"] + effects["X-LMM"]) / 2))
    True
    """
    again = copy(ensemble)
    again.members_ = {
        name: member for name, member in ensemble.members_.items() if name not in without
    }
    if not again.members_:
        raise ValueError("no member is left")
    if seed is not None:
        again.seed_ = seed
    again.weigh(ensemble.trial_data_, effects)
    return again.combined(effects)
