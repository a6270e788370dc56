"""Trees of the compiled engines as text; what they are given to read is written anew, by us."""

from __future__ import annotations

from types import SimpleNamespace

import gpboost
import lightgbm

from tauhat.outcome.tree_draws import TreeDraws
from tauhat.saving.boosting_text import rewritten_boosting
from tauhat.saving.forest_text import rewritten_forests


def lightgbm_text(booster: lightgbm.Booster) -> str:
    """Trees of a LightGBM booster, every number with 17 digits."""
    text: str = booster.model_to_string(num_iteration=-1)
    return text


def lightgbm_booster(text: str) -> lightgbm.Booster:
    """Booster of a text of `lightgbm_text`.

    Raises
    ------
    ValueError
        If the text does not describe trees, see `rewritten_boosting`.
    """
    return lightgbm.Booster(model_str=rewritten_boosting(text))


def gpboost_text(booster: gpboost.Booster) -> str:
    """Trees of a GPBoost booster without its random effects model, which holds training rows.

    Effects are those of the trees alone, so that nothing they need is left out.
    """
    trees_only = SimpleNamespace(
        handle=booster.handle, has_gp_model=False, pandas_categorical=None, best_iteration=-1
    )
    text: str = gpboost.Booster.model_to_string(trees_only, num_iteration=-1)
    return text


def gpboost_booster(text: str) -> gpboost.Booster:
    """Booster of a text of `gpboost_text`.

    Raises
    ------
    ValueError
        If the text does not describe trees, see `rewritten_boosting`.
    """
    return gpboost.Booster(model_str=rewritten_boosting(text), silent=True)


def tree_draws(text: str, n_trees: int, *, leaf_constant: bool) -> TreeDraws:
    """Posterior draws of a text of `TreeDraws.to_json`.

    Raises
    ------
    ValueError
        If the text does not describe trees, see `rewritten_forests`.
    """
    forests = rewritten_forests(text, n_trees, leaf_constant=leaf_constant)
    return TreeDraws.from_json(
        forests.text, n_trees, leaf_constant=leaf_constant, n_columns=forests.n_columns
    )
