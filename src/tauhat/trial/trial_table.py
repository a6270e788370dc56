"""A table, the role of each column, and the arrays that estimators take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import AnyArray, BoolArray, FloatArray, IntArray
from tauhat.arguments import as_listed, check_switch
from tauhat.data import TrialData, validate_trial
from tauhat.design import Design, DesignName, design_of
from tauhat.design.blocks import has_counterfactual
from tauhat.endpoint import (
    DOUBLY_ROBUST,
    OF_COUNTS,
    OF_TWO_VALUES,
    Endpoint,
    checked_way,
    weight_values,
)
from tauhat.errors import TrialError
from tauhat.runtime.provenance import table_sha256
from tauhat.tables.account import account_of, as_codes, codes_of, refuse_shared_labels
from tauhat.tables.columns import refuse_collections
from tauhat.tables.encoding import TableEncoder
from tauhat.tables.labels import as_written
from tauhat.tables.reading import as_pandas, keep_where
from tauhat.tables.spelling import MergedLabels
from tauhat.trial.arms import choose_arms
from tauhat.trial.baseline_period import BaselinePeriod, baseline_period
from tauhat.trial.checks.answers import known_codes
from tauhat.trial.checks.finding import Finding
from tauhat.trial.cluster_size import CLUSTER_SIZE, LOG_CLUSTER_SIZE
from tauhat.trial.covariate_choice import CovariateChoice, choose_covariates
from tauhat.trial.covariates_of_clusters import CovariatesOfClusters
from tauhat.trial.crossed_levels import crossed_columns, crossed_labels, refuse_crossed_beside
from tauhat.trial.events_of_trials import RowsOfEvents, one_row_a_person, refuse_beside_exposure
from tauhat.trial.incomplete_blocks import compared_within_blocks
from tauhat.trial.levels import clusters_and_levels, is_level, level_columns, with_levels
from tauhat.trial.merged_labels import with_merged_labels
from tauhat.trial.one_arm import refuse_covariates_of_clusters
from tauhat.trial.outcome_columns import OutcomeColumns
from tauhat.trial.periods_of_trials import read_periods, refuse_beside_any_period
from tauhat.trial.rates_of_trials import counts_as_rates
from tauhat.trial.roles import check_units, label_values, row_propensity, single_roles
from tauhat.trial.several_arms import check_one_arm_each, named_pairs
from tauhat.trial.unobserved import auxiliary_columns, refuse_lost_arms, refuse_lost_blocks
from tauhat.trial.unsafe_covariates import set_aside


class TrialTable:
    """A trial's table with the role of each column: `tauhat.Trial` but for what is made of it.

    Parameters and attributes are those of `tauhat.Trial`, which adds the design check, its
    sentences and fits; the parts of the check look at this.
    """

    whole: TrialTable | None = None  # the trial of all arms, of which this is a contrast
    enrolled_period: IntArray | None = None
    period_labels: tuple[Any, ...] = ()
    baseline: BaselinePeriod | None = None
    modelled_baseline: BaselinePeriod | None = None

    def __init__(
        self,
        df: Any,
        *,
        outcome: str,
        treatment: str,
        control: Any = None,
        cluster: str | Sequence[str] | None = None,
        covariates: Sequence[str] | None = None,
        cluster_covariates: Sequence[str] | None = None,
        block: str | None = None,
        propensity: float | Mapping[Any, float] | None = None,
        id: str | None = None,
        cluster_size: bool = False,
        log_cluster_size: bool = False,
        arms: Sequence[Any] | None = None,
        weight: str | None = None,
        endpoint: str | None = None,
        event: str | None = None,
        event_value: Any = None,
        exposure: str | None = None,
        horizon: float | None = None,
        censoring: str = "arm",
        missing: str = DOUBLY_ROBUST,
        auxiliary: Sequence[str] | None = None,
        where: str | None = None,
        accept: Sequence[str] = (),
        normalise_labels: bool = False,
        contrasts: str = "control",
        participant: str | None = None,
        period: str | None = None,
        baseline_rows: str = "covariate",
        crossed: str | Sequence[str] | None = None,
    ) -> None:
        covariates, cluster_covariates = as_listed(covariates), as_listed(cluster_covariates)
        arms, auxiliary, accept = as_listed(arms, "arms"), as_listed(auxiliary), as_listed(accept)
        given = {name: value for name, value in locals().items() if name not in ("self", "df")}
        for name in ("cluster_size", "log_cluster_size", "normalise_labels"):
            check_switch(given[name], name)
        table = as_pandas(df)
        levels = level_columns(cluster, participant) | crossed_columns(crossed, cluster)
        if where is not None:
            table = keep_where(table, where)
        self.file = account_of(table)
        self.rows_of_events: RowsOfEvents | None = None
        self.units_are_participants = cluster is None and participant is not None
        self.weight_is_time = endpoint == OF_COUNTS and exposure is not None
        if period is not None or baseline_rows != "covariate":
            refuse_beside_any_period(given)
        if exposure is not None:
            refuse_beside_exposure(endpoint, event, event_value)
        # A time at risk weighs persons, and messages call it what the user does.
        self.weighs_by = "exposure" if self.weight_is_time else "weight"
        if endpoint == OF_COUNTS:
            table, weight = counts_as_rates(table, outcome, exposure, weight)
        elif exposure is not None:
            endpoint = OF_TWO_VALUES if endpoint is None else endpoint
            of_cluster = levels["cluster"]
            table, self.rows_of_events = one_row_a_person(table, outcome, exposure, of_cluster)
        self.accept = known_codes(accept)
        named = single_roles(
            table,
            outcome=outcome,
            treatment=treatment,
            **levels,
            block=block,
            id=id,
            event=event,
            **{self.weighs_by: weight},
            period=period,
        )
        self.missing = checked_way(missing)
        self.auxiliary_names = auxiliary_columns(table, named, auxiliary, covariates)
        self.covariates_named = covariates is not None
        others = table.drop(columns=list(self.auxiliary_names))
        choice = choose_covariates(others, named, covariates, cluster_covariates)
        self.roles = {"weight" if role == "exposure" else role: n for role, n in named.items()}
        self.merged_labels = MergedLabels()
        if normalise_labels:
            table = with_merged_labels(table, choice.names, self.roles, self.merged_labels)
            name = self.roles["treatment"]
            control = self.merged_labels.label(name, control)
            if arms is not None and not isinstance(arms, str):
                arms = [self.merged_labels.label(name, label) for label in arms]
        used = dict.fromkeys([*self.roles.values(), *choice.names, *self.auxiliary_names])
        self._table = table[list(used)].copy()
        for name in used:
            refuse_collections(self._table[name], name)
        treatment_column = self._table[self.roles["treatment"]]
        refuse_shared_labels(treatment_column, self.file)
        arm, self.arm_labels = choose_arms(
            treatment_column,
            control=control,
            arms=arms,
            codes=codes_of(treatment_column, self.file),
        )
        self.pairs = named_pairs(self.arm_labels, contrasts)
        self.n_rows, self.n_excluded = len(table), int((arm < 0).sum())
        enrolled = arm >= 0
        if period is not None:
            self.baseline, self.modelled_baseline, arm = baseline_period(
                self._table, self.roles, arm, self.file, given
            )
        if self.baseline is not None:
            enrolled &= ~self.baseline.rows
        self.enrolled_rows: IntArray = np.flatnonzero(enrolled).astype(np.int64)
        kept = self._table.iloc[self.enrolled_rows].reset_index(drop=True)
        self.enrolled_treatment: IntArray = arm[self.enrolled_rows]
        self.enrolled_clusters, self.enrolled_within = clusters_and_levels(
            kept, self.roles, self.enrolled_treatment, self.arm_labels, participant
        )
        self.enrolled_crossed = crossed_labels(kept, self.roles, self.enrolled_clusters)
        self.enrolled_blocks = self._labels(kept, "block")
        self.level_names = {role: name for role, name in self.roles.items() if is_level(role)}
        columns = OutcomeColumns.of(
            kept, self.roles, endpoint, self.file, event_value=event_value, horizon=horizon
        )
        self.has_outcome: BoolArray = columns.observed
        outcome_name = self.roles["outcome"]
        refuse_lost_arms(self.enrolled_treatment, self.has_outcome, outcome_name, self.arm_labels)
        refuse_lost_blocks(self.enrolled_blocks, self.has_outcome, self.roles)
        if period is not None and self.baseline is None:
            self.enrolled_period, self.period_labels = read_periods(
                kept, self.roles, self.file, n_arms=self.n_arms, missing=missing,
                observed=self.has_outcome, arm=self.enrolled_treatment,
                clusters=self.enrolled_clusters, blocks=self.enrolled_blocks,
            )  # fmt: skip
        elif self.n_arms == 2:
            # Time is sometimes taken for a level, and then tells what the design is.
            taken = [n for n in self.roles.values() if n not in self.level_names.values()]
            units = (self.enrolled_treatment, self.enrolled_clusters, self.enrolled_blocks)
            unnamed = table.iloc[self.enrolled_rows].drop(columns=taken)
            check_units(*units, self.has_outcome, table=unnamed)
        else:
            check_one_arm_each(
                self.enrolled_treatment,
                self.arm_labels,
                self.enrolled_clusters,
                kept[self.roles["id"]] if "id" in self.roles else None,
            )
        sizes = {CLUSTER_SIZE: cluster_size, LOG_CLUSTER_SIZE: log_cluster_size}
        wanted = tuple(name for name, given_so in sizes.items() if given_so)
        self.enrolled_frame = self._covariate_frame(kept, choice, wanted)
        if self.n_arms == 2:
            design = self.enrolled_randomization
            refuse_covariates_of_clusters(self.enrolled_frame, design, self.arm_labels)
        self._set_analysed(kept, propensity)
        self._set_outcome(columns, horizon, censoring)
        if self.crossed and self.n_arms == 2:
            refuse_crossed_beside(self.roles, self.endpoint.link)
        self._set_enrolled(kept, columns, propensity)
        self.notes = choice.notes
        self.row_findings: tuple[Finding, ...] = ()
        if self.n_arms > 2:
            self._set_contrasts(df, given)
        self._look_at_rows(table.iloc[self.rows], kept)

    def _look_at_rows(self, analysed: pd.DataFrame, kept: pd.DataFrame) -> None:
        """Hook for what is found in the rows of those analysed, and of those kept."""

    def _set_enrolled(self, kept: pd.DataFrame, columns: OutcomeColumns, propensity: Any) -> None:
        """Hook for who counts where outcomes are missing."""

    @property
    def probability_observed(self) -> FloatArray | None:
        """Hook for how likely each person's outcome was to be seen; None if not estimated."""
        return None

    def _set_contrasts(self, df: Any, given: Mapping[str, Any]) -> None:
        """Hook for the trials of two arms that more arms are compared by."""

    def _fitted_encoder(self, frame: pd.DataFrame) -> TableEncoder:
        return TableEncoder().fit(frame)

    def _labels(self, kept: pd.DataFrame, role: str) -> AnyArray | None:
        return label_values(kept[self.roles[role]], role) if role in self.roles else None

    def _covariate_frame(
        self, kept: pd.DataFrame, choice: CovariateChoice, sizes: tuple[str, ...]
    ) -> pd.DataFrame:
        """Covariates of everyone enrolled, cluster-level ones completed within clusters."""
        self._of_clusters = CovariatesOfClusters(
            self.roles.get("cluster"), tuple(choice.of_cluster), self.baseline
        )
        frame = self._of_clusters.completed(
            kept[choice.names].copy(), self.enrolled_clusters, sizes, self._table.columns
        )
        if frame.shape[1] == 0:
            raise TrialError("there are no covariates; effects need at least one to depend on")
        self.covariate_names: tuple[str, ...] = tuple(frame.columns)
        self.cluster_level_names = self._of_clusters.shared(frame, self.enrolled_clusters)
        return frame

    def _set_analysed(self, kept: pd.DataFrame, propensity: Any) -> None:
        """Arrays of the persons with an outcome."""
        observed = self.has_outcome
        self.rows: IntArray = self.enrolled_rows[observed]
        self.treatment: IntArray = self.enrolled_treatment[observed]
        self.clusters, self.blocks = (
            None if labels is None else labels[observed]
            for labels in (self.enrolled_clusters, self.enrolled_blocks)
        )
        self.within = tuple(labels[observed] for labels in self.enrolled_within)
        self.crossed = tuple(labels[observed] for labels in self.enrolled_crossed)
        period = self.enrolled_period
        self.period: IntArray | None = None if period is None else period[observed]
        self.has_counterfactual, self.incomplete_blocks = compared_within_blocks(
            self.treatment, self.clusters, self.blocks, self.arm_labels, self.roles, self.period
        )
        self.n_without_counterfactual = int((~self.has_counterfactual).sum())
        self.propensity: FloatArray | None = None
        if self.n_arms == 2:
            self.propensity = row_propensity(propensity, self.blocks, self.has_counterfactual)
        self.id: AnyArray | None = (
            as_written(kept.loc[observed, self.roles["id"]]) if "id" in self.roles else None
        )
        self.sample_weight = (
            weight_values(as_codes(kept[self.roles["weight"]], self.file), observed)
            if "weight" in self.roles
            else None
        )
        self.n_missing_outcome = int((~observed).sum())
        self.frame = self.enrolled_frame[observed].reset_index(drop=True)
        self.unusable_covariates: dict[str, str] = {}
        try:
            self.encoder_ = self._fitted_encoder(self.frame)
        except TrialError as error:
            aside = self.unusable_covariates = set_aside(self.frame, error, self.covariates_named)
            self.frame = self.frame.drop(columns=list(aside))
            self.enrolled_frame = self.enrolled_frame.drop(columns=list(aside))
            self.covariate_names = tuple(n for n in self.covariate_names if n not in aside)
            self.cluster_level_names = tuple(n for n in self.cluster_level_names if n not in aside)
            self.encoder_ = self._fitted_encoder(self.frame)
        self.X: pd.DataFrame = self.encoder_.transform(self.frame)

    def _set_outcome(self, columns: OutcomeColumns, horizon: Any, censoring: str) -> None:
        """The outcome of the persons who have one: as measured, or made of their times."""
        self.outcome = columns.of_analysed(self.treatment, horizon, censoring)
        self.y: FloatArray = self.outcome.values
        if self.outcome.follow_up is not None and self.n_arms == 2:
            self.y = np.empty(len(self.rows))
            if self.n_without_counterfactual:
                # Of those who are in no comparison, from everyone's times.
                made = self.outcome.made(self.treatment, self.X, self.sample_weight)
                self.y = made.values
            self.y[self.data.rows] = self.data.y

    @property
    def n_arms(self) -> int:
        """Number of arms that are compared."""
        return len(self.arm_labels)

    @property
    def n(self) -> int:
        """Number of persons with an outcome."""
        return len(self.rows)

    @property
    def n_clusters(self) -> int | None:
        """Number of clusters analysed, or None in an individually randomized trial."""
        return self.randomization.n_clusters if self.randomization.holds_persons else None

    @property
    def design(self) -> DesignName:
        """What was randomized: clusters or persons, or sequences of clusters over periods."""
        return self.randomization.name

    @cached_property
    def randomization(self) -> Design:
        """Who of those with an outcome was randomized, and how, in the order of the rows."""
        parts = (self.treatment, self.clusters, self.blocks, self.propensity, self.within)
        return design_of(*parts, self.period, self.crossed)

    @cached_property
    def enrolled_randomization(self) -> Design:
        """Who of all enrolled was randomized, and how, in the order of the rows."""
        units = (self.enrolled_treatment, self.enrolled_clusters, self.enrolled_blocks)
        return design_of(*units, period=self.enrolled_period)

    @cached_property
    def enrolled_has_counterfactual(self) -> BoolArray:
        """Who of all enrolled was randomized beside the other arm, in the order of the rows."""
        return has_counterfactual(self.enrolled_treatment, self.enrolled_blocks, least=2)

    @property
    def cluster_level_columns(self) -> tuple[str, ...]:
        """Columns of ``X`` that come from cluster-level covariates."""
        names = set(self.cluster_level_names)
        return tuple(c for c, source in self.encoder_.sources_.items() if source in names)

    @property
    def source(self) -> pd.DataFrame:
        """The columns used, as they were given, all rows."""
        return self._table

    @property
    def label_columns(self) -> pd.DataFrame:
        """Columns of arms, clusters, blocks and identifiers as they were given, all rows."""
        numbers = ("outcome", "weight", "event")
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
        TrialError
            If the trial has more than two arms.
        ValueError
            If the arrays do not make a trial.
        """
        if self.n_arms > 2:
            raise TrialError(
                f"this trial has {self.n_arms} arms, and two are compared here: take one of its "
                f"contrasts, trial.contrast({next(iter(self.pairs))!r}); tauhat.analyze, "
                "trial.fit, tauhat.contrast_effects, tauhat.test_contrasts and "
                "tauhat.arm_policy_value take all of them"
            )
        found = self.outcome
        return validate_trial(
            self.X,
            found.values,
            *self._units,
            endpoint=found.kind,
            cause=found.cause,
            follow_up=found.follow_up,
            weight_is_time=self.weight_is_time,
            period=self.period,
            crossed=self.crossed,
            n_without_outcome=self.n_missing_outcome if self.missing == DOUBLY_ROBUST else 0,
        )

    @property
    def endpoint(self) -> Endpoint:
        """What kind of outcome it is, and what follows for effects on it."""
        return self.data.endpoint

    def __iter__(self) -> Iterator[Any]:
        """Give the arguments of `tauhat.CateEstimator.fit` in their order."""
        if self.period is not None or self.crossed:
            name = "period" if self.period is not None else "crossed"
            raise TrialError(f"fit(*trial) has no place for {name}=: use trial.fit(name)")
        return iter((self.X, self.y, *self._units))

    @property
    def _units(self) -> tuple[Any, ...]:
        """Who was randomized, as `tauhat.data.validate_trial` takes it."""
        clusters = with_levels(self.clusters, self.within)
        return (self.treatment, clusters, self.sample_weight, self.blocks, self.propensity)

    def __len__(self) -> int:
        return self.n

    def encode(self, df: Any) -> pd.DataFrame:
        """Covariates of new persons, encoded as those of the trial.

        Parameters
        ----------
        df
            Table with the trial's covariates. With ``cluster_size=True`` it also needs the column
            ``cluster size`` (of ``log_cluster_size=True``, ``log cluster size``) or the cluster
            column: a cluster of the trial then has its size in the trial, a new one the number of
            its rows in ``df``. A mean of a baseline period is looked up by the cluster, too.

        Returns
        -------
        DataFrame, shape (k, p)
            With the columns of ``X`` and the index of ``df``.

        Raises
        ------
        TrialError
            Naming missing or unusable columns.
        """
        table = self.merged_labels.spelt_table(as_pandas(df))
        return self.encoder_.transform(self._of_clusters.added_to(table))
