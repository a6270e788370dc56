"""The trial: what a user has, checks and fits."""

from __future__ import annotations

from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.tables.extremes import warn_of_far_values
from tauhat.trial.checks.design_check import DesignCheck, check_design
from tauhat.trial.checks.order_checks import order_findings
from tauhat.trial.checks.repeated_rows import row_findings
from tauhat.trial.checks.time_checks import time_findings
from tauhat.trial.facts import decisions, facts
from tauhat.trial.trial_table import TrialTable
from tauhat.trial.unsafe_covariates import refuse_unsafe


class Trial(TrialTable):
    """A two-arm randomized trial: a table and the role of each of its columns.

    Persons without an outcome are left out of the arrays that models are fitted to, and
    counted; averages, tests and held-out effects make an outcome for them (``missing``);
    nobody is left out for a missing covariate (`tauhat.tables.encoding.TableEncoder`
    says what is filled in). Persons in blocks with one arm only have their effects
    predicted and count in nothing else. ``estimator.fit(*trial)`` fits an estimator.

    Parameters
    ----------
    df
        One row per person: a pandas table, or anything with ``to_pandas`` or
        ``to_native`` (polars, pyarrow, narwhals). See `read_table` for files.
    outcome
        Column of numbers or booleans.
    treatment
        Column with the arm.
    control
        Label of the control arm; not needed for 0/1 and booleans.
    cluster
        Column with the randomized cluster, or None if persons were randomized.
    covariates
        Columns measured before randomization; None for all without another role, which is
        refused if one of them looks measured after it.
    cluster_covariates
        Covariates that belong to the cluster. They must not vary within it; a
        value missing for some of its persons is taken from the others. They need
        not be named: any covariate constant within clusters counts as one.
    block
        Column with the randomization block (stratum, matched pair, site).
    propensity
        Probability of treatment by design: a number, or a mapping from block to
        number. None for the share of treated units (in each block), which a
        design with fixed arm sizes fixes.
    id
        Column with the person's identifier; never a covariate. One row per person:
        identifiers that repeat are refused unless each is a cluster of its own
        (``id`` and ``cluster`` may be one column) or persons are numbered anew in
        each cluster or block.
    cluster_size
        Whether to add the number of persons enrolled in the cluster, also those
        without an outcome, as the covariate ``cluster size``.
    arms
        Labels (control, treated) of the two arms to compare when there are more;
        the others' rows are left out and counted.
    weight
        Column of sample weights, positive for everyone with an outcome: persons count in
        proportion to them in fits, averages and tests.
    endpoint
        Kind of the outcome: "binary" (two values) or "continuous"; None to tell it
        from the values. With ``event``: "rmst" (restricted mean survival time, the default),
        "survival" (probability to be without an event at the horizon) or "time-lost"
        (restricted mean time lost to the event where others compete).
    event
        Column that says whether the time in ``outcome`` ended with the event or the person was
        censored then: 0 and 1, booleans, or labels. Times count from randomization.
    event_value
        Label of the event in that column, or a list of labels; needed unless it has 0 and 1,
        booleans, or 1 and 2 (where 2 is the event, as in R). Other labels are censored; for
        "time-lost" they are other events, but for 0 and "censored". Without ``event``: which of
        the two values of ``outcome`` is the event; of two numbers it is the higher one unless
        this says otherwise.
    exposure
        Column of the number of persons whose events ``outcome`` counts, where a row stands for
        several, such as the births of a clinic. Each row is read as that many persons with its
        covariates; ``cluster`` must be given. Numbers of rows, and ``rows``, are then of persons.
    horizon
        Time up to which (or at which) persons are compared, in the unit of ``outcome``.
    censoring
        What censoring may depend on: "arm" (Kaplan-Meier curves by arm), or "covariates" (ridge
        Cox models by arm).
    missing
        What averages, the test and held-out effects do about persons without an outcome:
        "doubly-robust" makes one for them (`tauhat.average_effects`), "complete-cases" leaves
        them out.
    auxiliary
        Columns measured after randomization that tell who lacks an outcome, such as visits kept.
        They are no covariates.
    where
        Condition that rows must fulfil, such as ``'PARAMCD == "SBP" and age >= 18'``
        (`tauhat.tables.where.rows_where`); the others are dropped and counted.
    accept
        Codes of warnings of the design check (`DesignCheck.table`) that were looked into and
        are no fault; they stay in the report.
    normalise_labels
        Whether labels of arms, clusters, blocks and categories that are nearly alike are
        taken for the same, written as most rows have it.

    Attributes
    ----------
    X : DataFrame, shape (n, p)
        Encoded covariates of the analysed persons, numbered 0 to n - 1.
    y : ndarray, shape (n,)
        Outcome. Of times: what has the same mean as the time cut at the horizon (or as what
        else was asked for) although some are censored; it can lie outside of 0 to the horizon.
    treatment : ndarray of int, shape (n,)
        0 (control) or 1 (treated).
    clusters, blocks : ndarray, shape (n,), or None
        Labels: numbers or text, without needless blanks.
    id : ndarray, shape (n,), or None
        Identifiers as they stand in the table.
    propensity : ndarray, shape (n,), or None
        Probability of treatment by design, if it was given.
    sample_weight : ndarray, shape (n,), or None
        Weights, if they were given.
    has_counterfactual : ndarray of bool, shape (n,)
        Whether the person's block holds both arms, so that the person takes part in
        fits, averages and tests.
    incomplete_blocks : DataFrame
        One row a block with one arm only: ``block``, ``arms``, ``persons``, ``units``.
    rows : ndarray of int, shape (n,)
        Positions of the analysed persons in the table.
    frame : DataFrame, shape (n, covariates)
        Covariates of the analysed persons before encoding.
    enrolled_data : TrialData
        Arrays of everyone who counts in averages, with the outcomes made.
    counted_frame : DataFrame
        Covariates of those whose rows ``enrolled_data`` names, before encoding.
    auxiliary_names : tuple of str
        Auxiliary columns.
    encoder_ : TableEncoder
        What made ``X`` of ``frame``.
    arm_labels : tuple
        Labels (control, treated).
    covariate_names, cluster_level_names : tuple of str
        Covariates, and those that are constant within clusters, before encoding.
    covariates_named : bool
        Whether ``covariates`` was given.
    merged_labels : MergedLabels
        Spellings that were taken for the same, with ``normalise_labels``.
    row_findings : tuple of Finding
        What the rows tell: copies, several rows of a person, their order, times.
    file : mapping or None
        What was found in the file that the table was read from.
    accept : tuple of str
        Codes of the warnings that were answered.
    n_excluded, n_missing_outcome, n_without_counterfactual
        Rows of other arms, persons without an outcome, and those of ``n`` in blocks
        with one arm only.
    notes : tuple of str
        What was decided on the way, in sentences.

    Raises
    ------
    TrialError
        If columns are missing or unusable; the message names the column, the
        count and what to do.
    DesignError
        If the data contradict the design, such as a treatment that varies
        within a cluster.

    Examples
    --------
    >>> df = pd.DataFrame({"clinic": [1, 1, 2, 2, 3, 3, 4, 4], "arm": list("aabbaabb"),
    ...                    "age": [50, 61, 47, 70, 55, 64, 58, 52],
    ...                    "sbp": [140, 150, 130, 144, None, 152, 138, 128]})
    >>> trial = Trial(df, outcome="sbp", treatment="arm", control="a", cluster="clinic")
    >>> trial
    Trial(n=7, clusters=4, arms=a 3 / b 4, covariates=1)
    >>> trial.n_missing_outcome
    1
    """

    def _look_at_rows(self, analysed: pd.DataFrame, kept: pd.DataFrame) -> None:
        self.row_findings = (
            *row_findings(analysed, kept, self),
            *order_findings(self),
            *time_findings(analysed, self),
        )
        self.notes = (*self.notes, *decisions(self))
        if not self.covariates_named:
            refuse_unsafe(self.check().findings, self.covariate_names)

    def fit(self, estimator: str | CateEstimator, **parameters: Any) -> CateEstimator:
        """Fit an estimator to the trial.

        Parameters
        ----------
        estimator
            A name of `tauhat.estimator_names`, or an estimator, which is fitted
            in place.
        **parameters
            Parameters to set first, such as ``random_state``.

        Returns
        -------
        CateEstimator
            Fitted.
        """
        if isinstance(estimator, str):
            # Here, so that a trial is read and checked without loading the engines.
            from tauhat.registry import estimator as registered_estimator

            estimator = registered_estimator(estimator)
        warn_of_far_values(self.X.to_numpy(dtype=np.float64), self.data)
        fitted: CateEstimator = estimator.set_params(**parameters).fit_data(self.data)
        return fitted

    def check(self) -> DesignCheck:
        """Check the design and the data before looking at any effect.

        Returns
        -------
        DesignCheck
            A table, sentences, warnings and failures.
        """
        return self._design_check

    @cached_property
    def _design_check(self) -> DesignCheck:
        return check_design(self)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each fact of the trial: item, value."""
        return facts(self)

    @property
    def text(self) -> str:
        """The trial in a few sentences."""
        control, treated = (int((self.treatment == a).sum()) for a in (0, 1))
        inside = f" in {self.n_clusters} clusters" if self.randomization.holds_persons else ""
        return " ".join(
            [
                f"Of {self.n} persons{inside}, {control} are in the control arm "
                f"({self.arm_labels[0]}) and {treated} in the treated arm ({self.arm_labels[1]}).",
                *self.notes,
            ]
        )

    def __repr__(self) -> str:
        control, treated = (int((self.treatment == a).sum()) for a in (0, 1))
        clusters = f"clusters={self.n_clusters}, " if self.randomization.holds_persons else ""
        return (
            f"Trial(n={self.n}, {clusters}arms={self.arm_labels[0]} {control} / "
            f"{self.arm_labels[1]} {treated}, covariates={len(self.covariate_names)})"
        )

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return self.table.to_html(index=False, escape=True) + (f"<ul>{notes}</ul>" if notes else "")
