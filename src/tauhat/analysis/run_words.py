"""How an analysis was made, in words and as a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tauhat.analysis.models import FittedModels
from tauhat.analysis.parts import IntervalMethod
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.reference_posterior import reference_name

#: What a run with imputations says of all that is no average effect.
FILLED_IN_ONCE = (
    "models, the test, held-out effects and named modifiers of this run fill them in once and "
    "mark them"
)


def interval_method(model: CateEstimator, level: float) -> IntervalMethod:
    """How the intervals of persons' effects were made."""
    posterior = f"a reference posterior ({reference_name(model.trial_data_.endpoint)})"
    if type(model).effect_interval is not CateEstimator.effect_interval:
        return IntervalMethod("posterior standard deviation and t quantile", level)
    if model.interval_is_of_mixture:
        return IntervalMethod(
            f"mixture of the model's own posterior and {posterior}, and t quantile", level
        )
    learned = "" if model.interval_scale == 1 else ", narrowed by what simulated trials showed"
    return IntervalMethod(f"expected error of the estimates under {posterior}{learned}", level)


def python_call(
    models: Sequence[str], level: float, seed: int, n_permutations: int, **given: Any
) -> str:
    """The call that makes the same numbers again; what is None was not given."""
    named = repr(models[0] if len(models) == 1 else list(models))
    # A population may be a table, which no call can hold.
    shown = {name: "target" if name == "target" else repr(value) for name, value in given.items()}
    more = "".join(f", {name}={shown[name]}" for name in given if given[name] is not None)
    return (
        f"tauhat.analyze(trial, models={named}, level={level:g}, random_state={seed}, "
        f"n_permutations={n_permutations}{more})"
    )


def reported_text(fitted: FittedModels) -> str:
    """What the reported estimator made of its members, in sentences."""
    members: Mapping[str, CateEstimator] = getattr(fitted.reported, "members_", {})
    if not members:
        return f"The effects reported are those of {fitted.name}."
    kept = list(getattr(fitted.reported, "kept_", members))
    left_out = [name for name in members if name not in kept]
    text = (
        f"The effects reported are those of {fitted.name}, which averages {len(kept)} of "
        f"{len(members)} models: {', '.join(kept)}."
        if len(kept) > 1
        else f"Of {len(members)} models, {fitted.name} kept {kept[0]} alone."
    )
    return f"{text} Left out: {', '.join(left_out)}." if left_out else text
