"""The trial: what a user has, checks and fits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator, refuse_no_estimator
from tauhat.fitting.fitted_contrasts import FittedContrasts
from tauhat.tables.encoding import TableEncoder
from tauhat.tables.extremes import warn_of_far_values
from tauhat.trial.checks.contrast_checks import check_contrasts
from tauhat.trial.checks.design_check import DesignCheck, check_design
from tauhat.trial.checks.order_checks import order_findings
from tauhat.trial.checks.repeated_rows import row_findings
from tauhat.trial.checks.time_checks import time_findings
from tauhat.trial.cluster_size import SIZE_COVARIATES
from tauhat.trial.enrolled import EnrolledArrays
from tauhat.trial.facts import decisions, facts, in_sentences
from tauhat.trial.no_covariates import why_no_covariates
from tauhat.trial.outcome_columns import OutcomeColumns
from tauhat.trial.several_arms import chances_of_arms, find_contrast, pair_propensity
from tauhat.trial.trial_table import TrialTable
from tauhat.trial.unsafe_covariates import refuse_unsafe


class Trial(TrialTable):
    """A randomized trial: a table and the role of each of its columns.

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
        Label of the control arm; not needed for 0/1 (or 0, 1, 2, ...) and booleans.
    cluster
        Column with the randomized cluster, or None if persons were randomized. Several columns,
        such as ``["clinic", "provider"]``, are levels: the first is what was randomized and the
        others lie within, outermost first. Where labels start again in every cluster (1, 2, ...)
        those of different clusters are different units. If providers were randomized within
        clinics, they are the ``cluster`` and clinics the ``block``. Empty for everybody in one
        arm: persons were randomized, and treated in clusters in the other arm only.
    covariates
        Columns measured before randomization; None for all others, unless one looks later.
    cluster_covariates
        Covariates that belong to the cluster. They must not vary within it; a
        value missing for some of its persons is taken from the others. They need
        not be named: any covariate constant within clusters counts as one.
    block
        Column with the randomization block (stratum, matched pair, site).
    propensity
        Probability of treatment by design: a number, or a mapping from block to
        number; None for the share of treated units (in each block). Of more than two
        arms, a mapping from each arm to its probability.
    id
        Column with the person's identifier; never a covariate. Repeated
        identifiers are refused unless each is a cluster of its own
        (``id`` and ``cluster`` may be one column) or persons are numbered anew in
        each cluster or block; ``participant`` says that several rows are meant.
    cluster_size
        Whether to add the number of persons enrolled in the cluster as covariate.
    log_cluster_size
        Whether to add its logarithm, as the covariate ``log cluster size``.
    arms
        Labels of the arms to compare, two or more, control first; None for all that there
        are. Rows of other arms are left out and counted.
    weight
        Column of sample weights, positive for everyone with an outcome: persons count in
        proportion to them in fits, averages and tests.
    endpoint
        Kind of the outcome: "binary" (two values), "count" (of events, see ``exposure``) or
        "continuous"; None to tell it from the values, which never makes a count.
        With ``event``: "rmst" (restricted mean survival time, the default), "survival"
        (probability to be without an event at the horizon) or "time-lost" (restricted mean
        time lost to the event where others compete).
    event
        Column that says whether the time in ``outcome`` ended with the event or the person was
        censored then: 0 and 1, booleans, or labels. Times count from randomization.
    event_value
        Label of the event in that column, or a list of labels; needed unless it has 0 and 1,
        booleans, 1 and 2 (where 2 is the event, as in R), or is CNSR of ADaM (where 0 is the
        event). Other labels are censored; for
        "time-lost" they are other events, but for 0 and "censored". Without ``event``: which of
        the two values of ``outcome`` is the event; of two numbers it is the higher one unless
        this says otherwise.
    exposure
        Column of the number of persons whose events ``outcome`` counts, where a row stands for
        several, such as the births of a clinic. Each row is read as that many persons with its
        covariates; ``cluster`` must be given. Numbers of rows, and ``rows``, are then of persons.
        With ``endpoint="count"``: column of each person's time at risk. The outcome becomes the
        rate, and persons are weighted by that time.
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
    contrasts
        Which of more than two arms are compared: "control" (each arm against the control),
        "sequential" (each against the one before it) or "all" (each pair).
    participant
        Column of the participant where one may have several rows, such as visits that all count:
        the innermost level within clusters, or the randomized unit without ``cluster``.
    period
        Column of the periods over which clusters change their arm by design, as in a stepped
        wedge or a cluster crossover: numbers, dates, an ordered categorical, or text that says
        its order, such as months, or "pre" and "post" (`tauhat.tables.text_order.PAIRS`).
        ``treatment`` is the arm that the cluster has in the period. Each period has other
        persons. Periods before parallel arms are a baseline; of two, ``treatment`` may be the arm
        allocated in both.
    baseline_rows
        "covariate" (the cluster's mean outcome then) or "model" (rows like others, no effect).
    crossed
        Column, or columns, of what crosses the clusters, such as the neighbourhoods that pupils of
        several schools come from: mixed models of numbers have a random intercept of it.

    Attributes
    ----------
    X : DataFrame, shape (n, p)
        Encoded covariates of the analysed persons, numbered 0 to n - 1.
    y : ndarray, shape (n,)
        Outcome. Of times: what has the same mean as the time cut at the horizon (or as what
        else was asked for) although some are censored; it can lie outside of 0 to the horizon.
    treatment : ndarray of int, shape (n,)
        0 (control) or 1 (treated); of several arms 0 to their number less one.
    clusters, blocks : ndarray, shape (n,), or None
        Labels: numbers or text, without needless blanks.
    level_names : dict
        Column of each level within clusters by its role, outermost first.
    within, crossed : tuple of ndarray, each of shape (n,)
        Labels of these, and of what crosses clusters.
    period : ndarray of int, shape (n,), or None
        Number of each person's period.
    period_labels : tuple
        Labels of the periods in their order.
    baseline, modelled_baseline : BaselinePeriod or None
        What was found in a baseline period, a covariate (``period`` is None then) or modelled.
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
        One row per block with one arm only: ``block``, ``arms``, ``persons``, ``units``.
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
    no_covariates : dict of str
        Why each other column of the table is none of the covariates.
    encoder_ : TableEncoder
        What made ``X`` of ``frame``.
    arm_labels : tuple
        Labels of the arms, control first.
    contrasts : dict
        Trials of two arms by the contrast's name ("b against a"); one where there are two arms.
        They have the covariates of the whole trial, encoded as there.
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
        known = (self.roles, self.covariate_names, self.auxiliary_names)
        self.no_covariates = why_no_covariates(map(str, analysed.columns), *known)
        # Of several arms, what rows tell is found in each contrast.
        self.row_findings = (
            ()
            if self.n_arms > 2
            else (
                *row_findings(analysed, kept, self),
                *order_findings(self),
                *time_findings(analysed, self),
            )
        )
        self.notes = (*self.notes, *decisions(self))
        if not self.covariates_named:
            varying = {column.source for column in self.encoder_.columns_ if column.names}
            names = [name for name in self.covariate_names if name in varying]
            refuse_unsafe(self.check().findings, names, self.unusable_covariates)

    def _set_enrolled(self, kept: pd.DataFrame, columns: OutcomeColumns, propensity: Any) -> None:
        self._enrolled = EnrolledArrays.of(self, kept, columns, propensity)

    @cached_property
    def enrolled_data(self) -> TrialData:
        """The trial as averages, tests and held-out effects take it.

        All who were enrolled, with an outcome made for those who lack one
        (`tauhat.numerics.missing_outcomes`); ``data`` where nobody does, or complete cases were
        asked for. Its rows are those of `counted_frame`.
        """
        return self.data if self._enrolled is None else self._enrolled.data(self)

    @property
    def probability_observed(self) -> FloatArray | None:
        """How likely the outcome of each person of `enrolled_data` was to be seen, floored.

        None where nobody lacks one, or complete cases were asked for.
        """
        missing = None if self._enrolled is None else self.enrolled_data.missing
        return None if missing is None else missing.probability

    @property
    def counted_rows(self) -> IntArray:
        """Positions in the table of the persons whose rows `enrolled_data` names."""
        return self.rows if self._enrolled is None else self.enrolled_rows

    @property
    def counted_frame(self) -> pd.DataFrame:
        """Covariates before encoding of the persons whose rows `enrolled_data` names."""
        return self.frame if self._enrolled is None else self.enrolled_frame

    def _set_contrasts(self, df: Any, given: Mapping[str, Any]) -> None:
        arms = self._table[self.roles["treatment"]]
        given = {**given, "propensity": chances_of_arms(given["propensity"], self.arm_labels, arms)}
        self._contrasts = {name: ContrastTrial(self, df, given, name) for name in self.pairs}
        if self.outcome.follow_up is not None:
            self.y = np.empty(self.n)
            place = pd.Index(self.rows)
            for part in self._contrasts.values():
                self.y[place.get_indexer(pd.Index(part.rows))] = part.y

    @property
    def contrasts(self) -> dict[str, Trial]:
        """The trials of two arms that the arms are compared by, under their names."""
        return dict(self._contrasts) if self.n_arms > 2 else {next(iter(self.pairs)): self}

    def contrast(self, contrast: Any) -> Trial:
        """Return the trial of two of the arms.

        Parameters
        ----------
        contrast
            Name of a contrast, label of an arm that is compared with one other, or labels of
            both arms, the reference first.

        Raises
        ------
        TrialError
            If the trial has no such contrast.

        Examples
        --------
        >>> df = pd.DataFrame({"dose": ["none", "low", "high"] * 8, "age": range(24)})
        >>> df["pain"] = df.age % 7 + df.dose.map({"none": 3.0, "low": 2.0, "high": 0.0})
        >>> trial = Trial(df, outcome="pain", treatment="dose", control="none")
        >>> list(trial.contrasts)
        ['high against none', 'low against none']
        >>> trial.contrast("low")
        Trial(n=16, arms=none 8 / low 8, covariates=1)
        """
        return self.contrasts[self.contrast_name(contrast)]

    def fit(
        self, estimator: str | CateEstimator, **parameters: Any
    ) -> CateEstimator | FittedContrasts:
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
        CateEstimator or FittedContrasts
            Fitted; with more than two arms a copy to each contrast, and methods take ``contrast=``.
        """
        refuse_no_estimator(estimator)
        if isinstance(estimator, str):
            # Here, so that a trial is read and checked without loading the engines.
            from tauhat.registry import estimator as registered_estimator

            estimator = registered_estimator(estimator)
        if self.n_arms == 2:
            return self._fit_two_arms(estimator, parameters)
        fits = {
            name: part._fit_two_arms(clone(estimator), parameters)
            for name, part in self.contrasts.items()
        }
        return FittedContrasts(fits, self.pairs, self.arm_labels, self.contrast_name)

    def _fit_two_arms(
        self, estimator: CateEstimator, parameters: Mapping[str, Any]
    ) -> CateEstimator:
        warn_of_far_values(self.X.to_numpy(dtype=np.float64), self.data)
        fitted: CateEstimator = estimator.set_params(**parameters).fit_data(self.data)
        return fitted

    def contrast_name(self, contrast: Any) -> str:
        """Return the name of the contrast that is meant; see `contrast`."""
        return find_contrast(contrast, self.arm_labels, self.pairs)

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
        if self.n_arms > 2:
            return check_contrasts(
                self, {name: part.check() for name, part in self.contrasts.items()}
            )
        return check_design(self)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each fact of the trial: item, value."""
        return facts(self)

    @property
    def text(self) -> str:
        """The trial in a few sentences."""
        return in_sentences(self)

    def __repr__(self) -> str:
        persons = np.bincount(self.treatment, minlength=self.n_arms)
        arms = " / ".join(map("{} {}".format, self.arm_labels, persons))
        clusters = f"clusters={self.n_clusters}, " if self.randomization.holds_persons else ""
        return f"Trial(n={self.n}, {clusters}arms={arms}, covariates={len(self.covariate_names)})"

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return self.table.to_html(index=False, escape=True) + (f"<ul>{notes}</ul>" if notes else "")


class ContrastTrial(Trial):
    """Two arms of a trial that has more, with covariates chosen and encoded as in the whole.

    Parameters
    ----------
    whole
        The trial with all arms.
    df, given
        The table that it was made of, and the other arguments.
    name
        Of the contrast.
    """

    def __init__(self, whole: Trial, df: Any, given: Mapping[str, Any], name: str) -> None:
        self.whole: Trial = whole
        pair = whole.pairs[name]
        kind = whole.outcome.kind
        chosen = {
            "control": None,
            "arms": [whole.arm_labels[arm] for arm in pair],
            "covariates": [one for one in whole.covariate_names if one not in SIZE_COVARIATES],
            "propensity": pair_propensity(given["propensity"], pair),
            "endpoint": given["endpoint"] if kind is None else kind,
            # Codes of warnings are answered in the check of all arms.
            "accept": (),
            "contrasts": "control",
        }
        try:
            super().__init__(df, **{**given, **chosen})
        except TrialError as error:
            raise type(error)(f"{name}: {error}") from None
        self.covariates_named = given["covariates"] is not None

    def _fitted_encoder(self, frame: pd.DataFrame) -> TableEncoder:
        return self.whole.encoder_
