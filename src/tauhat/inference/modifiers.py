"""Which covariates an estimated effect depends on: description, not a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.inference.heterogeneity_result import HeterogeneityTest
from tauhat.inference.inputs import (
    TrialLike,
    missing_marks,
    ordered_trial,
    source_columns,
)
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.numerics.standard_units import StandardUnits
from tauhat.runtime.display import html
from tauhat.runtime.engines import engine
from tauhat.runtime.parallel import on_one_thread
from tauhat.tables.covariate_arrays import check_covariates, column_names
from tauhat.tables.extremes import within_limits
from tauhat.trial.trial import Trial

# Groups of persons per covariate, from which the share of variance is read.
BINS = 10

# Rows on which the surrogate is fitted and read; more would cost time and change nothing.
MOST_ROWS = 4_000

#: Of more persons as many describe what the effects depend on.
MANY_PERSONS = 20_000


@dataclass(frozen=True)
class EffectModifiers:
    """Covariates by how much the estimated effect depends on them.

    Attributes
    ----------
    table
        One row per covariate of the user's table, strongest first:
        ``covariate``; ``columns`` (encoded columns behind it); ``strength`` (the
        larger of the next two); ``share`` of the
        variance of the estimated effect explained by groups of this covariate
        alone; ``partial_share`` lost by a forest of the estimated effect on all
        covariates when this one is shuffled; ``trend`` (Spearman correlation
        of effect and covariate, or for two values the difference in mean
        effect, in units of the outcome); ``direction`` in words; ``p_adjusted``
        from the heterogeneity test (smallest over the columns), missing when
        none was given.
    effect_sd
        Standard deviation of the estimated effects, in units of the outcome.
    """

    table: pd.DataFrame
    effect_sd: float

    @property
    def strongest(self) -> list[str]:
        """Covariates in order of strength, those without any share left out."""
        return self.table.loc[self.table.strength > 0, "covariate"].tolist()

    @property
    def text(self) -> str:
        """The strongest covariates in sentences."""
        if not self.strongest:
            return (
                "The estimated effect is the same for everyone, so that it depends on no covariate."
            )
        top = self.table[self.table.strength > 0].head(3)
        parts = [
            f"{name} ({100 * float(strength):.0f}%, {direction})"
            for name, strength, direction in zip(
                top.covariate, top.strength, top.direction, strict=True
            )
        ]
        return (
            f"The estimated effect depends most on {'; '.join(parts)}: shares of the variance of "
            "the estimated effects. This describes the model's effect estimates, not the outcome "
            "itself: a covariate can predict the outcome strongly without changing the effect of "
            "the treatment. Evidence comes from the adjusted p-values of the heterogeneity test."
        )

    def _repr_html_(self) -> str:
        return html(self.text, self.table, number=".3g")


@on_one_thread
def effect_modifiers(
    effects: Any,
    trial: TrialLike,
    *,
    heterogeneity: HeterogeneityTest | None = None,
    random_state: int | np.random.Generator | np.random.RandomState | None = 0,
) -> EffectModifiers:
    """Describe on which covariates an estimated effect depends.

    Effect modifiers change what the treatment does; prognostic factors change
    the outcome whatever the treatment. This looks only at the estimated
    effects, so prognostic factors do not appear. It does not test anything:
    give the result of `test_heterogeneity` to have its adjusted p-values beside
    the description. Rows of blocks with one arm only are left out; of more than
    20,000 persons as many are drawn at random.

    Parameters
    ----------
    effects
        Estimated effect of each row of the trial, in its row order, shape (n,).
    trial
        The trial the effects belong to.
    heterogeneity
        Result of `test_heterogeneity` on the same trial.
    random_state
        Seed of the surrogate forest and of the shuffles.

    Returns
    -------
    EffectModifiers

    Raises
    ------
    ValueError
        If the number of effects is not that of the rows, or one is not finite.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> trial = (X, X[:, 0] * 5, np.arange(300) % 2)
    >>> found = effect_modifiers(1 + 2 * X[:, 1], trial)
    >>> found.table.covariate[0], found.table.direction[0]
    ('x2', 'larger effect at larger values')
    """
    ordered = ordered_trial(trial)
    values = _as_numbers(effects)
    columns, names, sources = _covariates(trial, ordered.data)
    marks = missing_marks(trial)
    if len(values) != len(columns):
        raise ValueError(f"there are {len(values)} effects but the trial has {len(columns)} rows")
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} effects are missing or infinite")
    # In canonical order: what is drawn and shuffled then hangs on no order of the rows given.
    columns, values = columns[ordered.rows], values[ordered.rows]
    spread = float(values.std())
    constant = spread <= 1e-9 * max(float(np.abs(values).max()), 1e-300)
    groups: dict[str, list[int]] = {}
    for column, source in enumerate(sources):
        groups.setdefault(source, []).append(column)
    seed = resolve_seed(random_state)
    if len(values) > MANY_PERSONS:
        rng = np.random.default_rng(derive_seed(seed, "persons"))
        chosen = np.sort(rng.choice(len(values), MANY_PERSONS, replace=False))
        columns, values = columns[chosen], values[chosen]
    partial = (
        dict.fromkeys(groups, 0.0) if constant else _partial_shares(columns, values, groups, seed)
    )
    adjusted = _adjusted(heterogeneity)
    rows = []
    for source, members in groups.items():
        # Marks of missing values are alike over covariates and would lend them each other's share.
        told = [j for j in members if names[j] not in marks] or members
        share = 0.0 if constant else _share(columns[:, told], values)
        trend, direction = (0.0, "none") if constant else _trend(columns[:, told], values)
        rows.append(
            {
                "covariate": source,
                "columns": ", ".join(names[j] for j in members),
                "strength": max(share, partial[source]),
                "share": share,
                "partial_share": partial[source],
                "trend": trend,
                "direction": direction,
                "p_adjusted": adjusted.get(source, np.nan),
            }
        )
    table = pd.DataFrame(rows).sort_values("strength", ascending=False, kind="stable")
    return EffectModifiers(table.reset_index(drop=True), 0.0 if constant else spread)


def _as_numbers(effects: Any) -> FloatArray:
    try:
        return np.asarray(effects, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise TrialError(
            "effects must be numbers, one for each row of the trial, as model.effect(trial.X) "
            f"gives, got a {type(effects).__name__}"
        ) from None


def _covariates(
    trial: TrialLike, data: TrialData
) -> tuple[FloatArray, tuple[str, ...], tuple[str, ...]]:
    """Covariates in the trial's own row order, their names, and the user's columns behind them."""
    if isinstance(trial, TrialData):
        return trial.X, trial.feature_names, trial.feature_names
    X = trial.X if isinstance(trial, Trial) else next(iter(trial))
    names = column_names(X)
    known = source_columns(trial)
    sources = tuple(known.get(name, name) for name in names)
    return within_limits(check_covariates(X), data), names, sources


def _adjusted(heterogeneity: HeterogeneityTest | None) -> dict[str, float]:
    """Smallest adjusted p-value over the encoded columns of each covariate.

    Each is already adjusted for looking at all columns, so the smallest is too.
    """
    if heterogeneity is None:
        return {}
    smallest = heterogeneity.modifiers.groupby("source").p_adjusted.min()
    return {str(source): float(value) for source, value in smallest.items()}


def _bins(columns: FloatArray) -> IntArray:
    """Group of each row: levels of a category, or tenths of a many-valued column."""
    coded = []
    for column in columns.T:
        levels = np.unique(column)
        if len(levels) > BINS:
            cuts = np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1]))
            coded.append(np.searchsorted(cuts, column, side="right"))
        else:
            coded.append(np.searchsorted(levels, column))
    # Sorting whole rows is slow, and most covariates are one column.
    codes, axis = (coded[0], None) if len(coded) == 1 else (np.column_stack(coded), 0)
    group: IntArray = np.unique(codes, axis=axis, return_inverse=True)[1]
    return group.reshape(-1).astype(np.int64)


def _share(columns: FloatArray, values: FloatArray) -> float:
    """Share of variance between groups, adjusted for their number (as adjusted R squared)."""
    group = _bins(columns)
    count = np.bincount(group)
    means = np.bincount(group, weights=values) / count
    free = len(values) - len(count)
    if free < 1 or len(count) < 2:
        return 0.0
    within = float(((values - means[group]) ** 2).sum()) / free
    total = float(values.var(ddof=1))
    return float(np.clip(1 - within / total, 0.0, 1.0))


def _trend(columns: FloatArray, values: FloatArray) -> tuple[float, str]:
    """Direction in which the effect grows."""
    if columns.shape[1] > 1 and all(len(np.unique(column)) <= 2 for column in columns.T):
        return _between_levels(columns, values)
    column = columns[:, int(np.argmax([len(np.unique(c)) for c in columns.T]))]
    levels = np.unique(column)
    if len(levels) < 2:
        return 0.0, "none"
    if len(levels) == 2:
        trend = float(values[column == levels[1]].mean() - values[column == levels[0]].mean())
        threshold = 0.05 * float(values.std())
    else:
        trend = float(stats.spearmanr(column, values).statistic)
        threshold = 0.1
    if abs(trend) < threshold:
        return trend, "no steady direction"
    return trend, f"larger effect at {'larger' if trend > 0 else 'smaller'} values"


def _between_levels(columns: FloatArray, values: FloatArray) -> tuple[float, str]:
    """Range of the mean effect over the levels of a category."""
    group = _bins(columns)
    means = np.bincount(group, weights=values) / np.bincount(group)
    return float(np.ptp(means)), "differs between levels"


def _partial_shares(
    columns: FloatArray, values: FloatArray, groups: dict[str, list[int]], seed: int
) -> dict[str, float]:
    """Loss of a surrogate forest's explained variance when a covariate is shuffled."""
    rng = np.random.default_rng(derive_seed(seed, "modifiers"))
    chosen = np.arange(len(values))
    if len(values) > MOST_ROWS:
        chosen = np.sort(rng.choice(len(values), size=MOST_ROWS, replace=False))
    # The trees take differences below 1e-7 for none, whatever the units.
    X = StandardUnits.of(columns[chosen]).apply(columns[chosen])
    target = (values[chosen] - values[chosen].mean()) / values.std()
    forest = (
        engine("sklearn.ensemble")
        .RandomForestRegressor(
            n_estimators=60,
            min_samples_leaf=5,
            max_features=0.5,
            random_state=derive_seed(seed, "surrogate"),
            n_jobs=1,
        )
        .fit(X, target)
    )
    variance = float(target.var())
    base = float(np.mean((target - _predicted(forest, X)) ** 2))
    shares = {}
    for source, members in groups.items():
        shuffled = X.copy()
        shuffled[:, members] = X[rng.permutation(len(X))][:, members]
        error = float(np.mean((target - _predicted(forest, shuffled)) ** 2))
        # Shuffling doubles the variance it leaves unexplained, so half the loss is the share.
        shares[source] = float(np.clip((error - base) / (2 * variance), 0.0, 1.0))
    return shares


def _predicted(forest: Any, X: FloatArray) -> FloatArray:
    """What ``forest.predict`` gives, without handing out its trees, which costs more than they."""
    rows = X.astype(np.float32)
    total = np.zeros(len(X))
    for grown in forest.estimators_:
        total += grown.tree_.predict(rows)[:, 0]
    mean: FloatArray = total / len(forest.estimators_)
    return mean
