"""Weights that make a trial's persons like another population."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.endpoint import effective_size
from tauhat.errors import TrialError
from tauhat.inference.target_weights import TargetWeights
from tauhat.runtime.display import Shown
from tauhat.tables.columns import level_labels, missing_values
from tauhat.tables.covariate_arrays import check_covariates
from tauhat.tables.reading import as_pandas
from tauhat.trial.trial import Trial
from tauhat.wording import counted, first_of


@dataclass(frozen=True)
class TargetPopulation(Shown):
    """A population that a trial's average effects were carried over to.

    Attributes
    ----------
    n
        Rows that describe it.
    effective_n
        Equally weighted persons of the trial that tell as much of a mean as those weighted.
    overlap
        One row per covariate in the trial's columns: ``covariate``, ``trial`` and ``target`` means,
        and their difference in standard deviations of the trial, ``shift``, and after weighting,
        ``left``.
    weight
        Weight of each person of the trial, mean one, in the order of the arrays.
    effective_clusters
        Clusters of equal weight that tell as much; None where persons were randomized.
    """

    n: int
    effective_n: float
    overlap: pd.DataFrame
    weight: FloatArray
    effective_clusters: float | None = None

    @property
    def table(self) -> pd.DataFrame:
        """The covariates' means."""
        return self.overlap

    @property
    def text(self) -> str:
        """The result in a sentence."""
        shift = self.overlap["shift"].abs()
        worst = self.overlap["covariate"][int(shift.argmax())]
        clusters = ""
        if self.effective_clusters is not None:
            clusters = f", in as many as {self.effective_clusters:.1f} clusters of equal weight"
        rows = counted(self.n, "row", form=",")
        return (
            f"Effects are those of a population described by {rows}; for it the "
            f"{len(self.weight):,} persons of the trial tell as much as {self.effective_n:.0f} "
            f"would that are like it{clusters}. It differs most in {worst!r}, by "
            f"{shift.max():.2f} standard deviations."
        )


def target_population(trial: Any, data: TrialData, target: Any) -> TargetPopulation:
    r"""Entropy-balancing weights of a trial's persons for another population.

    The weights nearest to the trial's own with which all covariates have the target's means:

    .. math::
        q_i \propto w_i \exp(\lambda' x_i), \qquad \sum_i q_i x_i / \sum_i q_i = \bar x_{target}

    Parameters
    ----------
    trial
        The `tauhat.Trial`, which reads the target as it read its own covariates; or anything else,
        where the target has the columns of ``data.X``.
    data
        Its arrays.
    target
        Table with a row for each person of the population, or one row of means; or what this
        function gave for the same trial.

    Raises
    ------
    TrialError
        If the target has categories that the trial lacks, lies outside of what the trial saw, or
        is so far off that few persons would speak for it.

    References
    ----------
    Hainmueller (2012), Political Analysis 20:25-46; Dahabreh, Robertson, Petito, Hernan and
    Steingrimsson (2023), Biometrics 79:1057-1072.

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> rng = np.random.default_rng(1)
    >>> data = validate_trial(rng.normal(size=(200, 1)), rng.normal(size=200), np.arange(200) % 2)
    >>> found = target_population(None, data, np.array([[0.5], [0.7]]))
    >>> bool(abs(np.average(data.X[:, 0], weights=found.weight) - 0.6) < 1e-3)
    True
    """
    if isinstance(target, TargetPopulation):
        if len(target.weight) != data.n:
            raise TrialError(
                f"target has weights of {len(target.weight)} persons, the trial {data.n}: it was "
                "made for another trial"
            )
        return target
    encoded = _encoded(trial, target) if isinstance(trial, Trial) else target
    rows = check_covariates(encoded, data.feature_names if data.names_given else None)
    if rows.shape[1] != data.X.shape[1]:
        raise TrialError(f"target has {rows.shape[1]} columns, the trial {data.X.shape[1]}")
    sources = trial.encoder_.sources_ if isinstance(trial, Trial) else {}
    found = TargetWeights(data, rows, sources)
    if not found.enough:
        raise TrialError(found.refusal)
    overlap = pd.DataFrame(
        {
            "covariate": list(data.feature_names),
            "trial": found.scales[0],
            "target": rows.mean(axis=0),
            "shift": found.shift,
            "left": found.left,
        }
    )
    clusters = None
    if data.design.holds_persons:
        of_units = np.bincount(data.design.unit, weights=found.weight)
        clusters = effective_size(of_units.astype(np.float64))
    return TargetPopulation(len(rows), found.effective_n, overlap, found.weight, clusters)


def _encoded(trial: Trial, target: Any) -> pd.DataFrame:
    """The target's covariates in the trial's columns; messages say that it is the target's."""
    try:
        table = as_pandas(target)
        _refuse_missing_columns(trial, table)
        _refuse_empty_columns(trial, table)
        _refuse_other_categories(trial, table)
        return trial.encode(table)
    except TrialError as error:
        raise TrialError(f"target: {error}") from error


def _refuse_missing_columns(trial: Trial, table: pd.DataFrame) -> None:
    """Raise a `TrialError` that says what a target is where it lacks columns of the trial's."""
    given = [name for name in trial.covariate_names if name in trial.source.columns]
    absent = [repr(name) for name in given if name not in table.columns]
    if absent:
        raise TrialError(
            f"the table lacks covariates of the trial: {first_of(absent, 5)}. A target has a "
            "column for each covariate, and a row for each of its persons or one row of their "
            "means (shares, for 0 and 1)"
        )


def _refuse_empty_columns(trial: Trial, table: pd.DataFrame) -> None:
    """Raise a `TrialError` for covariates that nobody in the target has a value of."""
    for name in trial.covariate_names:
        if name in table.columns and len(table) and missing_values(table[name]).all():
            raise TrialError(
                f"column {name!r} is missing in all rows: what the population is like in it "
                "is not known. Leave it out of the trial's covariates"
            )


def _refuse_other_categories(trial: Trial, table: pd.DataFrame) -> None:
    """Raise a `TrialError` if a category of the target is none of the trial's."""
    for name in trial.covariate_names:
        if name not in table.columns or pd.api.types.is_numeric_dtype(trial.frame[name].dtype):
            continue
        both = [
            set(level_labels(column[~missing_values(column)]))
            for column in (trial.frame[name], table[name])
        ]
        unknown = sorted(map(str, both[1] - both[0]))
        if unknown:
            raise TrialError(
                f"column {name!r} has {first_of(unknown, 3)}, which nobody in the trial "
                "has: the trial says nothing of such persons"
            )
