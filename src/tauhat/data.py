"""Validated arrays of one trial: what every estimator works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.comparable_rows import comparable_rows, order_comparable
from tauhat.folds import randomization_units
from tauhat.numerics.codes import pair_of_values
from tauhat.numerics.columns import LEAST_SPREAD_OF_OUTCOME, constant_within, scale_fault
from tauhat.numerics.extremes import ColumnLimits
from tauhat.numerics.weights import relative_weights


@dataclass(frozen=True)
class TrialData:
    """One trial as arrays, in canonical row order.

    Attributes
    ----------
    X
        Covariates, shape (n, p), without values far outside their column.
    y
        Outcome, shape (n,).
    treatment
        Arm, 0 (control) or 1 (treated), shape (n,).
    clusters
        Cluster number 0 to m - 1 of each row, shape (n,), or None.
    sample_weight
        Positive weights of mean one, shape (n,), or None where all weigh the same.
    blocks
        Block number of each row, shape (n,), or None.
    propensity
        Known probability of treatment of each row, shape (n,).
    feature_names
        Names of the columns of ``X``.
    names_given
        Whether these came with the covariates; else they are x1, x2, ...
    allocation_adjusted
        Whether what goes with ``propensity`` was taken out of ``y``
        (`tauhat.allocation.without_level_of_allocation`).
    block_level
        What was taken out of ``y`` as the level of each row's block
        (`tauhat.block_levels.without_block_levels`), shape (n,), or None.
    n_without_counterfactual
        Rows that were left out since their block has one arm only.
    limits
        How far the columns of ``X`` go, and what they hold in place of values
        beyond (`tauhat.numerics.extremes.ColumnLimits`), or None.
    largest_effect
        The largest effect that can be, either way: the range of an outcome that has
        two values, but for rare ones; infinite for others.
    """

    X: FloatArray
    y: FloatArray
    treatment: IntArray
    clusters: IntArray | None
    sample_weight: FloatArray | None
    blocks: IntArray | None
    propensity: FloatArray
    feature_names: tuple[str, ...]
    names_given: bool = False
    allocation_adjusted: bool = False
    block_level: FloatArray | None = None
    n_without_counterfactual: int = 0
    limits: ColumnLimits | None = None
    largest_effect: float = np.inf

    @property
    def n(self) -> int:
        """Number of persons."""
        return len(self.y)

    @property
    def n_units(self) -> int:
        """Number of randomized units: clusters, or persons when there are none."""
        return self.n if self.clusters is None else int(self.clusters.max()) + 1

    @property
    def y_with_blocks(self) -> FloatArray:
        """Outcome with the levels of the blocks, shape (n,)."""
        return self.y if self.block_level is None else self.y + self.block_level

    @property
    def cluster_level(self) -> BoolArray:
        """Which covariates are constant within every cluster, shape (p,)."""
        return constant_within(self.X, self.clusters)

    def take(self, rows: IntArray | BoolArray) -> TrialData:
        """Return the rows named, with clusters renumbered 0 to m - 1."""

        def pick(values: AnyArray | None) -> Any:
            return None if values is None else values[rows]

        clusters = pick(self.clusters)
        if clusters is not None:
            clusters = np.unique(clusters, return_inverse=True)[1].astype(np.int64)
        return replace(
            self,
            X=self.X[rows],
            y=self.y[rows],
            treatment=self.treatment[rows],
            clusters=clusters,
            sample_weight=pick(self.sample_weight),
            blocks=pick(self.blocks),
            propensity=self.propensity[rows],
            block_level=pick(self.block_level),
        )


def design_propensity(
    treatment: IntArray, clusters: IntArray | None, blocks: IntArray | None
) -> FloatArray:
    """Probability of treatment that a completely randomized design with these counts has.

    Within a block, every unit is treated with probability (treated units) /
    (units): a fact of a design with fixed arm sizes, not an estimate from the
    covariates.

    Parameters
    ----------
    treatment, clusters, blocks
        As in `tauhat.folds.randomization_units`.

    Returns
    -------
    ndarray, shape (n,)
        Propensity of each row; 0 or 1 in a block with one arm only.

    Examples
    --------
    >>> design_propensity(np.array([0, 1, 1, 1]), None, None).tolist()
    [0.75, 0.75, 0.75, 0.75]
    """
    unit, arm, block = randomization_units(treatment, clusters, blocks)
    share = np.bincount(block, weights=arm) / np.maximum(np.bincount(block), 1)
    result: FloatArray = share[block][unit]
    return result


def check_covariates(X: Any, expected_names: Sequence[str] | None = None) -> FloatArray:
    """Covariates as a float array, or an error that names the column at fault.

    Parameters
    ----------
    X
        DataFrame or array, shape (n, p).
    expected_names
        Columns seen in the fit; a DataFrame must have them in this order.

    Returns
    -------
    ndarray, shape (n, p)

    Raises
    ------
    ValueError
        On missing or infinite values, text, wrong shape or wrong columns.
    """
    if hasattr(X, "to_native") and not isinstance(X, pd.DataFrame):
        X = X.to_native()
    if hasattr(X, "columns") and hasattr(X, "to_pandas"):
        X = X.to_pandas()
    names: list[str]
    if isinstance(X, pd.DataFrame):
        names = [str(column) for column in X.columns]
        if expected_names is not None and names != list(expected_names):
            missing = [name for name in expected_names if name not in names]
            extra = [name for name in names if name not in set(expected_names)]
            raise ValueError(
                "the columns of X differ from those of the fit: "
                f"missing {missing}, unexpected {extra}"
                if missing or extra
                else "the columns of X are in another order than in the fit; "
                f"use X[{list(expected_names)!r}]"
            )
        for column, name in zip(X.columns, names, strict=True):
            kind = X[column].dtype if X.columns.is_unique else None
            if kind is not None and not (
                pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)
            ):
                raise ValueError(
                    f"column {name!r} of X is not numeric (it is {kind}); "
                    "make a tauhat.Trial, which encodes categories, and use trial.X"
                )
        array = X.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        try:
            array = np.asarray(X, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"X must be a numeric array or DataFrame: {error}") from error
        if array.ndim != 2:
            raise ValueError(f"X must have two dimensions, got shape {array.shape}")
        names = (
            list(expected_names)
            if expected_names is not None and len(expected_names) == array.shape[1]
            else [f"x{j + 1}" for j in range(array.shape[1])]
        )
        if expected_names is not None and array.shape[1] != len(expected_names):
            raise ValueError(f"X has {array.shape[1]} columns, the fit had {len(expected_names)}")
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ValueError(f"X is empty: it has {array.shape[0]} rows and {array.shape[1]} columns")
    bad = ~np.isfinite(array)
    if bad.any():
        j = int(np.flatnonzero(bad.any(axis=0))[0])
        what = "missing (NaN)" if np.isnan(array[:, j]).any() else "infinite"
        raise ValueError(
            f"column {names[j]!r} of X has {int(bad[:, j].sum())} {what} values; "
            "make a tauhat.Trial, which fills them in, or remove these rows"
        )
    return np.ascontiguousarray(array)


def column_names(X: Any) -> tuple[str, ...]:
    """Names of the columns of ``X``: its own, or x1, x2, ... for an array."""
    if hasattr(X, "columns"):
        return tuple(str(column) for column in X.columns)
    return tuple(f"x{j + 1}" for j in range(np.shape(X)[1]))


def _vector(values: Any, name: str, n: int) -> AnyArray:
    """One value a row, or an error that names the argument."""
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got shape {array.shape}")
    if len(array) != n:
        raise ValueError(f"{name} has {len(array)} values but X has {n} rows")
    return array


def _codes(values: Any, name: str, n: int) -> IntArray:
    """Integer codes of labels of any kind, or an error when a label is missing."""
    codes, _ = pd.factorize(_vector(values, name, n), use_na_sentinel=True)
    if (codes < 0).any():
        raise ValueError(f"{name} has {int((codes < 0).sum())} missing labels")
    return codes.astype(np.int64)


def _numeric(values: Any, name: str, n: int) -> FloatArray:
    vector = _vector(values, name, n)
    try:
        array = vector.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numeric: {error}") from error
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise ValueError(f"{name} has {count} missing or infinite values; remove these rows")
    return array


def validate_trial(
    X: Any,
    y: Any,
    treatment: Any,
    clusters: Any = None,
    sample_weight: Any = None,
    blocks: Any = None,
    propensity: Any = None,
    *,
    to_fit: bool = True,
) -> TrialData:
    """Check the arrays of a trial and put them in canonical order.

    Rows of blocks with one arm only are left out and counted: nothing tells what the
    other arm would have done there (`tauhat.folds.has_counterfactual`).

    Parameters
    ----------
    X, y, treatment, clusters, sample_weight, blocks, propensity
        As in `tauhat.CateEstimator.fit`.
    to_fit
        Whether there must be enough to estimate an effect: two arms of two units
        each, and outcomes that differ. False for a part of a trial.

    Returns
    -------
    TrialData

    Raises
    ------
    ValueError
        Naming the argument, the column or the count at fault.
    """
    names = column_names(X) if np.ndim(X) == 2 or hasattr(X, "columns") else ()
    array = check_covariates(X)
    n = len(array)
    outcome = _numeric(y, "y", n)
    arm = _numeric(treatment, "treatment", n)
    if not np.isin(arm, (0.0, 1.0)).all():
        found = np.unique(arm)[:5].tolist()
        raise ValueError(
            f"treatment must be 0 (control) or 1 (treated), found {found}; "
            "make a tauhat.Trial to code arms from labels"
        )
    arms = arm.astype(np.int64)
    if to_fit and arms.min() == arms.max():
        raise ValueError(f"all {n} rows are in one arm (treatment = {arms[0]}); two are needed")
    fault = scale_fault(outcome, LEAST_SPREAD_OF_OUTCOME)
    if fault:
        raise ValueError(f"y {fault}")
    for name, values in zip(names, array.T, strict=True):
        fault = scale_fault(values)
        if fault:
            raise ValueError(f"column {name!r} of X {fault}")
    codes = None if clusters is None else _codes(clusters, "clusters", n)
    block_codes = None if blocks is None else _codes(blocks, "blocks", n)
    if codes is not None:
        treated = np.bincount(codes, weights=arms)
        size = np.bincount(codes)
        mixed = int(((treated > 0) & (treated < size)).sum())
        if mixed:
            raise ValueError(
                f"treatment varies within {mixed} of {len(size)} clusters; in a cluster-"
                "randomized trial it is constant. If persons were randomized within these units, "
                "give them as blocks and not as clusters; designs in which units change their "
                "arm over time (stepped wedge, crossover) are not supported"
            )
        if block_codes is not None:
            pairs = np.unique(np.column_stack([codes, block_codes]), axis=0)
            if len(pairs) > len(size):
                raise ValueError("blocks vary within clusters; a cluster lies in one block")
    kept = comparable_rows(arms, codes, block_codes, to_fit)
    if to_fit and np.ptp(outcome[kept]) == 0:
        raise ValueError(f"y is constant ({outcome[kept][0]:g}): there is no effect to estimate")
    weight = None if sample_weight is None else _positive(sample_weight, n)
    known = _known_propensity(propensity, arms, codes, block_codes, kept)
    order, canonical = order_comparable(array, outcome, arms, codes, block_codes)
    limits = ColumnLimits.of(array[order], canonical)
    return TrialData(
        X=limits.apply(array[order]),
        y=outcome[order],
        treatment=arms[order],
        clusters=canonical,
        sample_weight=None if weight is None else relative_weights(weight[order]),
        blocks=None if block_codes is None else _rank_blocks(block_codes[order]),
        propensity=known[order],
        feature_names=names,
        names_given=hasattr(X, "columns"),
        n_without_counterfactual=int((~kept).sum()),
        limits=limits,
        largest_effect=_largest_effect(outcome[order]),
    )


def _positive(sample_weight: Any, n: int) -> FloatArray:
    weight = _numeric(sample_weight, "sample_weight", n)
    if (weight <= 0).any():
        raise ValueError(
            f"sample_weight has {int((weight < 0).sum())} negative values and "
            f"{int((weight == 0).sum())} zeros; weights must be positive: leave out the rows that "
            "should not count"
        )
    return weight


def _largest_effect(outcome: FloatArray) -> float:
    """Range of an outcome that has two values, but for rare ones; infinite otherwise."""
    return np.inf if pair_of_values(outcome) is None else float(np.ptp(outcome))


def _rank_blocks(codes: IntArray) -> IntArray:
    """Block numbers by first appearance in canonical order, so that labels do not matter."""
    ranked: IntArray = pd.factorize(codes)[0].astype(np.int64)
    return ranked


def _known_propensity(
    propensity: Any,
    arms: IntArray,
    codes: IntArray | None,
    blocks: IntArray | None,
    kept: BoolArray,
) -> FloatArray:
    if propensity is None:
        return design_propensity(arms, codes, blocks)
    if np.ndim(propensity) == 0:
        known = np.full(len(arms), float(propensity))
    else:
        known = _numeric(propensity, "propensity", len(arms))
    if ((known[kept] <= 0) | (known[kept] >= 1)).any():
        raise ValueError("propensity must lie strictly between 0 and 1")
    return known
