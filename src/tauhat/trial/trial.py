"""The trial: a table, the role of each column, and the arrays that estimators take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from html import escape
from typing import Any, Literal

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.data import TrialData, validate_trial
from tauhat.design import Design, design_of
from tauhat.endpoint import Endpoint, outcome_values, weight_values
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.runtime.provenance import table_sha256
from tauhat.tables.columns import refuse_collections
from tauhat.tables.encoding import TableEncoder
from tauhat.tables.extremes import warn_of_far_values
from tauhat.tables.labels import as_written, label_text
from tauhat.tables.reading import as_pandas
from tauhat.trial.arms import choose_arms
from tauhat.trial.checks.design_check import DesignCheck, check_design
from tauhat.trial.checks.incomplete_blocks import compared_within_blocks
from tauhat.trial.checks.repeated_rows import row_findings
from tauhat.trial.covariate_choice import CovariateChoice, choose_covariates
from tauhat.trial.facts import decisions, facts
from tauhat.trial.roles import (
    check_units,
    complete_within,
    label_values,
    row_propensity,
    single_roles,
    varies_within,
)

CLUSTER_SIZE = "cluster size"


class Trial:
    """A two-arm randomized trial: a table and the role of each of its columns.

    Persons without an outcome are left out of the analysis arrays and counted;
    nobody is left out for a missing covariate (`tauhat.tables.encoding.TableEncoder`
    says what is filled in). Persons in blocks with one arm only have their effects
    predicted and count in nothing else. ``estimator.fit(*trial)`` fits an estimator.

    Parameters
    ----------
    df
        One row a person: a pandas table, or anything with ``to_pandas`` or
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
        Columns measured before randomization; None for all without another role, but
        for ``status``, ``time``, ``visit`` and the like beside a time or an event.
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
        Column with the person's identifier; never a covariate. One row a person:
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
        from the values.

    Attributes
    ----------
    X : DataFrame, shape (n, p)
        Encoded covariates of the analysed persons, numbered 0 to n - 1.
    y : ndarray, shape (n,)
        Outcome.
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
    encoder_ : TableEncoder
        What made ``X`` of ``frame``.
    arm_labels : tuple
        Labels (control, treated).
    covariate_names, cluster_level_names : tuple of str
        Covariates, and those that are constant within clusters, before encoding.
    covariates_named : bool
        Whether ``covariates`` was given.
    left_out : tuple of str
        Columns that were not made covariates for their names, when none were named.
    row_findings : tuple of Finding
        Rows that look like copies or like several rows of a person.
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

    def __init__(
        self,
        df: Any,
        *,
        outcome: str,
        treatment: str,
        control: Any = None,
        cluster: str | None = None,
        covariates: Sequence[str] | None = None,
        cluster_covariates: Sequence[str] | None = None,
        block: str | None = None,
        propensity: float | Mapping[Any, float] | None = None,
        id: str | None = None,
        cluster_size: bool = False,
        arms: Sequence[Any] | None = None,
        weight: str | None = None,
        endpoint: str | None = None,
    ) -> None:
        table = as_pandas(df)
        self.roles = single_roles(
            table,
            outcome=outcome,
            treatment=treatment,
            cluster=cluster,
            block=block,
            id=id,
            weight=weight,
        )
        self.covariates_named = covariates is not None
        choice = choose_covariates(table, self.roles, covariates, cluster_covariates)
        self.left_out = choice.left_out
        used = dict.fromkeys([*self.roles.values(), *choice.names])
        self._table = table[list(used)].copy()
        for name in used:
            refuse_collections(self._table[name], name)

        arm, self.arm_labels = choose_arms(
            self._table[self.roles["treatment"]], control=control, arms=arms
        )
        self.n_rows = len(table)
        self.n_excluded = int((arm < 0).sum())
        enrolled_rows = np.flatnonzero(arm >= 0)
        kept = self._table.iloc[enrolled_rows].reset_index(drop=True)
        self.enrolled_treatment: IntArray = arm[enrolled_rows]
        self.enrolled_clusters = self._labels(kept, "cluster")
        self.enrolled_blocks = self._labels(kept, "block")
        outcome_column = outcome_values(kept[self.roles["outcome"]])
        self.has_outcome: BoolArray = ~np.isnan(outcome_column)
        self._kind_named = endpoint
        Endpoint.of(outcome_column[self.has_outcome], endpoint, self.roles["outcome"])
        check_units(
            self.enrolled_treatment,
            self.enrolled_clusters,
            self.enrolled_blocks,
            self.has_outcome,
            table=table.iloc[enrolled_rows].drop(columns=list(self.roles.values())),
        )
        self.enrolled_frame = self._covariate_frame(kept, choice, cluster_size)
        self._set_analysed(kept, enrolled_rows, outcome_column, propensity)
        self.row_findings = tuple(row_findings(table.iloc[self.rows], kept, self))
        self.notes = (*choice.notes, *decisions(self))

    def _labels(self, kept: pd.DataFrame, role: str) -> AnyArray | None:
        return label_values(kept[self.roles[role]], role) if role in self.roles else None

    def _covariate_frame(
        self, kept: pd.DataFrame, choice: CovariateChoice, cluster_size: bool
    ) -> pd.DataFrame:
        """Covariates of everyone enrolled, cluster-level ones completed within clusters."""
        named = choice.of_cluster
        frame = kept[choice.names].copy()
        self._sizes: dict[str, int] | None = None
        self._named_cluster_covariates = tuple(named)
        codes = np.zeros(len(kept), dtype=np.int64)
        if self.enrolled_clusters is not None:
            codes, labels = pd.factorize(self.enrolled_clusters)
            for name in named:
                varying = varies_within(frame[name], codes, ignore_missing=True)
                if varying:
                    raise TrialError(
                        f"cluster covariate {name!r} varies within {varying} of {len(labels)} "
                        "clusters; give it in covariates= if it belongs to the person"
                    )
            frame = complete_within(frame, named, self.enrolled_clusters)
        if cluster_size:
            if self.enrolled_clusters is None:
                raise TrialError("cluster_size=True needs cluster=")
            if CLUSTER_SIZE in self._table.columns:
                raise TrialError(f"the table has a column {CLUSTER_SIZE!r} already; rename it")
            counts = np.bincount(codes)
            self._sizes = dict(zip(map(label_text, labels), counts.tolist(), strict=True))
            frame[CLUSTER_SIZE] = counts[codes].astype(np.float64)
        if frame.shape[1] == 0:
            raise TrialError("there are no covariates; effects need at least one to depend on")
        self.covariate_names: tuple[str, ...] = tuple(frame.columns)
        self.cluster_level_names: tuple[str, ...] = ()
        if self.enrolled_clusters is not None:
            self.cluster_level_names = tuple(
                name
                for name in frame.columns
                if name in named or not varies_within(frame[name], codes, ignore_missing=False)
            )
        return frame

    def _set_analysed(
        self, kept: pd.DataFrame, enrolled_rows: IntArray, outcome: FloatArray, propensity: Any
    ) -> None:
        """Arrays of the persons with an outcome."""
        observed = self.has_outcome
        self.rows: IntArray = enrolled_rows[observed].astype(np.int64)
        self.y: FloatArray = outcome[observed]
        self.treatment: IntArray = self.enrolled_treatment[observed]
        self.clusters, self.blocks = (
            None if labels is None else labels[observed]
            for labels in (self.enrolled_clusters, self.enrolled_blocks)
        )
        self.has_counterfactual, self.incomplete_blocks = compared_within_blocks(
            self.treatment, self.clusters, self.blocks, self.arm_labels, self.roles
        )
        self.n_without_counterfactual = int((~self.has_counterfactual).sum())
        self.propensity = row_propensity(propensity, self.blocks, self.has_counterfactual)
        self.id: AnyArray | None = (
            as_written(kept.loc[observed, self.roles["id"]]) if "id" in self.roles else None
        )
        self.sample_weight = (
            weight_values(kept[self.roles["weight"]], observed) if "weight" in self.roles else None
        )
        self.n_missing_outcome = int((~observed).sum())
        self.frame = self.enrolled_frame[observed].reset_index(drop=True)
        self.encoder_ = TableEncoder().fit(self.frame)
        self.X: pd.DataFrame = self.encoder_.transform(self.frame)

    @property
    def n(self) -> int:
        """Number of persons with an outcome."""
        return len(self.y)

    @property
    def n_clusters(self) -> int | None:
        """Number of clusters analysed, or None in an individually randomized trial."""
        return self.randomization.n_units if self.randomization.holds_persons else None

    @property
    def design(self) -> Literal["cluster", "individual"]:
        """What was randomized: clusters or persons."""
        return self.randomization.name

    @cached_property
    def randomization(self) -> Design:
        """Who of those with an outcome was randomized, and how, in the order of the rows."""
        return design_of(self.treatment, self.clusters, self.blocks, self.propensity)

    @cached_property
    def enrolled_randomization(self) -> Design:
        """Who of all enrolled was randomized, and how, in the order of the rows."""
        return design_of(self.enrolled_treatment, self.enrolled_clusters, self.enrolled_blocks)

    @property
    def cluster_level_columns(self) -> tuple[str, ...]:
        """Columns of ``X`` that come from cluster-level covariates."""
        names = set(self.cluster_level_names)
        return tuple(c for c, source in self.encoder_.sources_.items() if source in names)

    @property
    def label_columns(self) -> pd.DataFrame:
        """Columns of arms, clusters, blocks and identifiers as they were given, all rows."""
        numbers = ("outcome", "weight")
        names = dict.fromkeys(name for role, name in self.roles.items() if role not in numbers)
        return self._table[list(names)]

    @cached_property
    def data_sha256(self) -> str:
        """SHA-256 of the columns used, all rows, as given."""
        return table_sha256(self._table)

    @cached_property
    def data(self) -> TrialData:
        """The trial as validated arrays in canonical order, with the way back to its rows.

        Raises
        ------
        ValueError
            If the arrays do not make a trial.
        """
        return validate_trial(*self, endpoint=self._kind_named)

    @property
    def endpoint(self) -> Endpoint:
        """What kind of outcome it is, and what follows for effects on it."""
        return self.data.endpoint

    def __iter__(self) -> Iterator[Any]:
        """Give the arguments of `tauhat.CateEstimator.fit` in their order."""
        units = (self.treatment, self.clusters, self.sample_weight, self.blocks, self.propensity)
        return iter((self.X, self.y, *units))

    def __len__(self) -> int:
        return self.n

    def encode(self, df: Any) -> pd.DataFrame:
        """Covariates of new persons, encoded as those of the trial.

        Parameters
        ----------
        df
            Table with the trial's covariates. With ``cluster_size=True`` it also
            needs the column ``cluster size`` or the cluster column: a cluster of
            the trial then has its size in the trial, a new one the number of its
            rows in ``df``.

        Returns
        -------
        DataFrame, shape (k, p)
            With the columns of ``X`` and the index of ``df``.

        Raises
        ------
        TrialError
            Naming missing or unusable columns.
        """
        table = as_pandas(df)
        cluster = self.roles.get("cluster")
        if cluster in table.columns:
            labels = label_values(table[cluster], "cluster")
            present = [name for name in self._named_cluster_covariates if name in table.columns]
            table = complete_within(table, present, labels)
        if self._sizes is not None and CLUSTER_SIZE not in table.columns:
            if cluster not in table.columns:
                raise TrialError(
                    f"the table needs the column {CLUSTER_SIZE!r}, or {cluster!r} to count it"
                )
            texts = pd.Series(labels).map(label_text)
            here = texts.value_counts()
            sizes = [self._sizes.get(text, here[text]) for text in texts]
            table = table.assign(**{CLUSTER_SIZE: np.array(sizes, dtype=np.float64)})
        return self.encoder_.transform(table)

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
