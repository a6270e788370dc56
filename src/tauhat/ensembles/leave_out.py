"""A fitted ensemble weighed again without some members, or with another seed; no refits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
    kept = {name: effects[name] for name in ensemble.members_ if name not in without}
    if not kept:
        raise ValueError("no member is left")
    held_out = ensemble.out_of_fold_
    if held_out is not None:
        held_out = held_out.only(list(kept))
        if not held_out.names:
            raise ValueError("no member is left that was fitted out of fold")
        if seed is not None:
            held_out = replace(held_out, seed=seed)
    return ensemble.weigh(kept, held_out, ensemble.trial_data_).combined(kept)
