"""Validated arrays of one trial: what every estimator works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.design import Design, design_of
from tauhat.design.comparable_rows import comparable_rows, order_comparable
from tauhat.design.nested_codes import nested_codes
from tauhat.endpoint import Endpoint, FollowUp, MissingOutcomes, Times
from tauhat.endpoint.follow_up import Slopes
from tauhat.learning import LearningView
from tauhat.numerics.cluster_sums import means_of
from tauhat.numerics.far_values import ColumnLimits
from tauhat.numerics.latent import ProbitOutcome
from tauhat.numerics.missing_outcomes import MadeOutcome
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.standardised_columns import (
    LEAST_SPREAD_OF_OUTCOME,
    constant_within,
    scale_fault,
)
from tauhat.numerics.weights import relative_weights
from tauhat.tables.covariate_arrays import check_covariates, column_names
from tauhat.tables.vectors import (
    columns_of,
    label_codes,
    number_or_vector,
    numeric,
    positive,
    vector,
)

# Of the model of outcomes that some persons lack.
FOLDS_OF_MISSING = 5


@dataclass(frozen=True)
class TrialData:
    """One trial as arrays, in canonical row order.

    Attributes
    ----------
    X
        Covariates, shape (n, p), without values far outside their column.
    measured
        What was measured of the outcome as it stands in the table, one column each,
        shape (n, k); the first is ``y``. Where ``y`` is made of right-censored times
        (`tauhat.endpoint.FollowUp`), these and what happened then are the second and third;
        where it is made of outcomes that some lack, these are the second.
    design
        Who was randomized, and how (`tauhat.design.Design`).
    sample_weight
        Positive weights of mean one, shape (n,), or None where all weigh the same.
    feature_names
        Names of the columns of ``X``.
    rows
        Position of each row among those that the user gave, shape (n,).
    endpoint
        What kind of outcome it is, and what follows for effects on it.
    names_given
        Whether these came with the covariates; else they are x1, x2, ...
    cluster_labels
        The user's label of each cluster, shape (m,), or None.
    learning
        What learners see (`tauhat.fitting.learning_view`); None in the trial as it is.
    n_without_counterfactual
        Rows that were left out since their block has one arm only.
    limits
        How far the columns of ``X`` go (`tauhat.numerics.far_values.ColumnLimits`), or None.
    probability_followed
        Smallest probability of not being censored that ``y`` was divided by; 1 without times.
    missing
        Who lacks an outcome (`tauhat.endpoint.MissingOutcomes`), or None where nobody does.
    n_without_outcome
        Persons enrolled who are none of these rows, since they lack an outcome.
    """

    X: FloatArray
    measured: FloatArray
    design: Design
    sample_weight: FloatArray | None
    feature_names: tuple[str, ...]
    rows: IntArray
    endpoint: Endpoint
    names_given: bool = False
    cluster_labels: AnyArray | None = None
    learning: LearningView | None = None
    n_without_counterfactual: int = 0
    limits: ColumnLimits | None = None
    probability_followed: float = 1.0
    missing: MissingOutcomes | None = None
    n_without_outcome: int = 0

    @property
    def n(self) -> int:
        """Number of persons."""
        return len(self.measured)

    @property
    def y(self) -> FloatArray:
        """The outcome as it was measured, or made of what was measured, shape (n,)."""
        return self.measured[:, 0]

    @property
    def times(self) -> tuple[FloatArray, IntArray]:
        """Right-censored times and causes (0 censored, 1 the event, 2 another), each (n,)."""
        return self.measured[:, 1], self.measured[:, 2].astype(np.int64)

    @property
    def n_units(self) -> int:
        """Number of randomized units."""
        return self.design.n_units

    @property
    def treatment(self) -> IntArray:
        """Arm of each row, 0 (control) or 1 (treated), shape (n,)."""
        return self.design.treatment

    @property
    def clusters(self) -> IntArray | None:
        """Cluster number 0 to m - 1 of each row, shape (n,), or None."""
        return self.design.clusters

    @property
    def blocks(self) -> IntArray | None:
        """Block number of each row, shape (n,), or None."""
        return self.design.blocks

    @property
    def propensity(self) -> FloatArray:
        """Known probability of treatment of each row, shape (n,)."""
        return self.design.propensity

    def sample_weight_of(self, rows: IntArray) -> FloatArray | None:
        """Weights of some rows, or None where all weigh the same."""
        return None if self.sample_weight is None else self.sample_weight[rows]

    @property
    def unit_labels(self) -> AnyArray:
        """The user's label of each randomized unit, row numbers for persons, shape (m,)."""
        if self.clusters is None:
            return self.rows
        # A saved model does not hold the labels.
        return np.arange(self.n_units) if self.cluster_labels is None else self.cluster_labels

    @property
    def working(self) -> FloatArray:
        """Outcome that regressions learn from, shape (n,): ``y`` in the trial as it is."""
        return self.y if self.learning is None else self.learning.outcome

    @property
    def working_with_blocks(self) -> FloatArray:
        """The same with the levels of the blocks, for models that have intercepts of these."""
        level = None if self.learning is None else self.learning.block_level
        return self.working if level is None else self.working + level

    def latent(self, *, with_blocks: bool = False) -> ProbitOutcome | None:
        """What lies behind the outcome for samplers; None if they take the outcome itself.

        Block intercepts are left to samplers that have intercepts of these (``with_blocks``).
        """
        working = self.working_with_blocks if with_blocks else self.working
        return self.endpoint.latent(self.y, self.sample_weight, self.y - working)

    def as_it_is(self) -> TrialData:
        """Return the trial as it is, whatever learners see of it."""
        return self if self.learning is None else replace(self, X=self.learning.X, learning=None)

    def less(
        self, part: FloatArray, *, of_blocks: bool = False, X: FloatArray | None = None
    ) -> TrialData:
        """Return the trial with a part taken out of its working outcome; ``y`` stays.

        Parameters
        ----------
        part
            What to take out, shape (n,).
        of_blocks
            Whether it is the level of each row's block.
        X
            Covariates that learners see from now on, shape (n, p); None for the same.
        """
        before = self.learning or LearningView(self.y, None, self.X)
        level = part if of_blocks else before.block_level
        learning = replace(before, outcome=before.outcome - part, block_level=level)
        return replace(self, X=self.X if X is None else X, learning=learning)

    @property
    def cluster_level(self) -> BoolArray:
        """Which covariates are constant within every cluster, shape (p,)."""
        return constant_within(self.X, self.clusters)

    def take(self, rows: IntArray | BoolArray) -> TrialData:
        """Return the rows named, with the design numbered anew."""
        return self._picked(rows, self.design.take(rows))

    def resample(self, seed: int) -> TrialData:
        """Return whole units drawn with replacement (`tauhat.design.Design.resample`)."""
        return self._picked(*self.design.resample(seed)).with_outcome_made_anew()

    def with_outcome_made_anew(
        self, slopes: Slopes = "by arm", n_folds: int = 0, *, with_arms: bool = False
    ) -> TrialData:
        """Return the trial with ``y`` made of its own rows, of times or where some lack it.

        The curve of censoring and the like are estimated from these rows, a resample's own.

        Parameters
        ----------
        slopes
            As in `tauhat.endpoint.FollowUp.outcome`; where outcomes are missing, of their model.
        n_folds
            Folds of whole units, whose models are fitted to the others; 0 for one of everyone.
        with_arms
            Whether to learn how it changes with the units' arms (`MissingOutcomes.with_arms`).
        """
        if self.endpoint.follow_up is None and self.missing is None:
            return self
        measured, missing = self.measured.copy(), self.missing
        measured[:, 0], smallest = self._outcome_seen(slopes, n_folds)
        if missing is not None:
            permuted = self.design.unit if with_arms else None
            made = self._outcome_made(missing, measured[:, 0], slopes, permuted=permuted)
            measured[:, 0], missing = made.values, missing.after(made)
        return replace(self, measured=measured, missing=missing, probability_followed=smallest)

    def outcome_changes(self, n_folds: int = 0) -> MadeOutcome | None:
        """How outcomes made for those who lack one change without clusters, and with their arms.

        Parameters
        ----------
        n_folds
            As in `with_outcome_made_anew`, which made this trial's outcomes.

        Returns
        -------
        MadeOutcome or None
            None where nobody lacks one, and where persons were randomized: one of them changes
            next to nothing in the models.
        """
        if self.missing is None or not self.design.holds_persons:
            return None
        y, unit = self._outcome_seen("by arm", n_folds)[0], self.design.unit
        return self._outcome_made(self.missing, y, "by arm", unit=unit, permuted=unit)

    def _outcome_seen(self, slopes: Slopes, n_folds: int) -> tuple[FloatArray, float]:
        """Outcome of those who have one, shape (n,), and the smallest probability in it."""
        if self.endpoint.follow_up is None:
            return self.measured[:, 1], self.probability_followed
        values = self.y.copy()
        seen = np.full(self.n, True) if self.missing is None else self.missing.observed
        fold = self.design.folds(n_folds, derive_seed(0, "follow-up"))[seen] if n_folds else None
        weight = self.sample_weight_of(np.flatnonzero(seen))
        time, cause = self.times
        times = Times(time[seen], cause[seen], self.treatment[seen], self.X[seen], weight, fold)
        made = self.endpoint.outcome_of_times(times, slopes)
        values[seen] = made.values
        return values, made.smallest

    def _outcome_made(
        self, missing: MissingOutcomes, y: FloatArray, slopes: Slopes, **units: IntArray | None
    ) -> MadeOutcome:
        """Outcomes of everybody from those of persons who have one."""
        return missing.made(
            y,
            self.treatment,
            self.X,
            self.blocks if self.clusters is None else self.clusters,
            self.design.folds(FOLDS_OF_MISSING, derive_seed(0, "missing outcomes")),
            self.sample_weight,
            by_arm=slopes == "by arm",
            **units,
        )

    def _picked(self, rows: IntArray | BoolArray, design: Design) -> TrialData:
        def pick(values: AnyArray | None) -> Any:
            return None if values is None else values[rows]

        labels = self.cluster_labels
        if labels is not None:
            labels = labels[self.design.unit[rows][design.first]]
        return replace(
            self,
            X=self.X[rows],
            measured=self.measured[rows],
            design=design,
            sample_weight=pick(self.sample_weight),
            rows=self.rows[rows],
            cluster_labels=labels,
            learning=None if self.learning is None else self.learning.take(rows),
            missing=None if self.missing is None else self.missing.take(rows),
        )


def validate_trial(
    X: Any,
    y: Any,
    treatment: Any,
    clusters: Any = None,
    sample_weight: Any = None,
    blocks: Any = None,
    propensity: Any = None,
    *,
    endpoint: str | None = None,
    to_fit: bool = True,
    cause: IntArray | None = None,
    follow_up: FollowUp | None = None,
    missing: MissingOutcomes | None = None,
    weight_is_time: bool = False,
    period: IntArray | None = None,
    crossed: Sequence[AnyArray] = (),
    n_without_outcome: int = 0,
) -> TrialData:
    """Check the arrays of a trial and put them in canonical order.

    Rows of blocks with one arm only are left out and counted: nothing tells what the
    other arm would have done there (`tauhat.design.blocks.has_counterfactual`).

    Parameters
    ----------
    X, y, treatment, clusters, sample_weight, blocks, propensity
        As in `tauhat.CateEstimator.fit`.
    endpoint
        Name of the kind of outcome, see `tauhat.endpoint.KINDS`; None to tell it from ``y``.
    to_fit
        Whether there must be enough to estimate an effect: two arms of two units
        each, and outcomes that differ. False for a part of a trial.
    cause, follow_up
        Where ``y`` is a right-censored time, what happened then, shape (n,), and what to
        make of it (`tauhat.endpoint.FollowUp`); ``endpoint`` is then such a kind.
    missing
        Who lacks an outcome; ``y`` holds any outcome of the others for them. None if nobody does.
    weight_is_time
        Whether sample weights are the times at risk of counts.
    period
        Period 0 to T - 1 of each row where clusters change their arm over time, shape (n,). The
        outcome is then taken as a number, of an event too.
    crossed
        Labels of units that cross the clusters, shape (n,) each.
    n_without_outcome
        Persons who are left out since they lack an outcome.

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
    outcome = numeric(y, "y", n)
    arm = numeric(treatment, "treatment", n)
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
    clusters, *within = columns_of(clusters) or [None]
    codes = None if clusters is None else label_codes(clusters, "clusters", n)
    levels = [label_codes(labels, "clusters", n) for labels in within]
    crossing = [label_codes(labels, "crossed", n) for labels in crossed]
    block_codes = None if blocks is None else label_codes(blocks, "blocks", n)
    known = number_or_vector(propensity, "propensity", n)
    # Of all rows, so that what is wrong within clusters is found in blocks of one arm too.
    design_of(arms, codes, block_codes, known, period=period)
    kept = comparable_rows(arms, codes, block_codes, to_fit, period)
    if to_fit and np.ptp(outcome[kept]) == 0:
        raise ValueError(f"y is constant ({outcome[kept][0]:g}): there is no effect to estimate")
    if known is not None and ((known[kept] <= 0) | (known[kept] >= 1)).any():
        raise ValueError("propensity must lie strictly between 0 and 1")
    weight = None if sample_weight is None else positive(sample_weight, n)
    measured = outcome[:, None]
    ties = [] if weight is None else [weight]
    if cause is not None:
        # The first column is made of the others below.
        measured = np.column_stack([outcome, outcome, cause])
        ties.append(cause.astype(np.float64))
    if missing is not None:
        measured = measured if cause is not None else np.column_stack([outcome, outcome])
        ties += [missing.observed.astype(np.float64), *missing.auxiliary.T]
    if codes is not None:
        # By what they hold, so that neither labels nor the order of rows matters.
        ties += [means_of(units, outcome) for units in (*nested_codes(codes, levels), *crossing)]
    if period is not None:
        ties.append(period.astype(np.float64))
    order, canonical = order_comparable(array, outcome, arms, codes, block_codes, ties)
    limits = ColumnLimits.of(array[order], canonical)
    described = (
        Endpoint.of(outcome[order], endpoint)
        if follow_up is None or endpoint is None
        else Endpoint.of_times(endpoint, follow_up)
    ).of_exposure(None if weight is None else weight[order], is_time=weight_is_time)
    if missing is not None:
        described = described.as_numbers()
    elif period is not None:
        described = described.with_linear_models()
    data = TrialData(
        X=limits.apply(array[order]),
        measured=measured[order],
        design=design_of(
            arms[order],
            canonical,
            # Numbered by first appearance in canonical order, so that labels do not matter.
            None if block_codes is None else block_codes[order],
            None if known is None else known[order],
            [level[order] for level in levels],
            None if period is None else period[order],
            [units[order] for units in crossing],
        ),
        sample_weight=None if weight is None else relative_weights(weight[order]),
        feature_names=names,
        rows=order,
        endpoint=described,
        names_given=hasattr(X, "columns"),
        cluster_labels=None if clusters is None else _labels(clusters, n, order, canonical),
        n_without_counterfactual=int((~kept).sum()),
        limits=limits,
        missing=None if missing is None else missing.take(order),
        n_without_outcome=n_without_outcome,
    )
    return data.with_outcome_made_anew()


def _labels(clusters: Any, n: int, order: IntArray, canonical: IntArray | None) -> AnyArray:
    """The user's labels of clusters 0, 1, ..., shape (m,)."""
    first = pd.Series(canonical).drop_duplicates().index.to_numpy()
    labels: AnyArray = vector(clusters, "clusters", n)[order][first]
    return labels
