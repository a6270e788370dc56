"""What a baseline period is taken for, and whether it is a closed cohort's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tauhat.trial.checks.finding import Finding
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.baseline_period import BaselinePeriod
    from tauhat.trial.trial_table import TrialTable

_BY_ALLOCATION = (
    "In the baseline period, too, clusters have the label of the arm that they were allocated to, "
    "so that only the order of the periods says which came first."
)


def baseline_findings(trial: TrialTable) -> Iterator[Finding]:
    """Say that this is a parallel trial with a baseline period, and what its rows are used for.

    Where they are modelled, the design over periods says so, and here is what may be wrong in it.
    """
    found, modelled = trial.baseline, trial.modelled_baseline
    if modelled is not None and modelled.by_allocation:
        where = _where(trial, modelled)
        yield Finding(
            "baseline period",
            f"{where}; {counted(modelled.n_persons, 'person')}",
            "warning",
            f"These are parallel arms with a baseline period ({where}), whose rows are modelled as "
            f"those of untreated clusters. {_BY_ALLOCATION}",
            "baseline-period",
        )
    if found is None:
        return
    where, later = _where(trial, found), ", ".join(map(str, found.later_labels))
    means = len(found.means) - found.n_clusters_lost
    text = (
        f"These are parallel arms with a baseline period ({where}). The "
        f"{counted(found.n_persons, 'person')} in it are not compared: their mean outcome in each "
        f"of {counted(means, 'cluster')} is the cluster-level covariate {found.name!r}. All other "
        f"periods ({later}) count as one, after randomization."
    )
    if found.by_allocation:
        text += f" {_BY_ALLOCATION}"
    if found.n_clusters_without:
        text += (
            f" {counted(found.n_clusters_without, 'cluster has', 'clusters have')} no outcome in "
            "the baseline period; the covariate is filled in."
        )
    if found.n_clusters_lost:
        text += (
            f" {counted(found.n_clusters_lost, 'cluster was', 'clusters were')} seen in the "
            "baseline period only, and left out."
        )
    yield Finding(
        "baseline period",
        f"{where}; {counted(found.n_persons, 'person')}",
        "warning" if found.by_allocation else "note",
        text,
        "baseline-period",
    )
    if found.n_repeated:
        ids = trial.roles.get("participant", trial.roles.get("id"))
        repeated = counted(found.n_repeated, "participant")
        yield Finding(
            "participants in the baseline period and later",
            str(found.n_repeated),
            "warning",
            f"{repeated} of {ids!r} {'has' if found.n_repeated == 1 else 'have'} rows in the "
            "baseline period and later: this looks like a closed cohort. There each person's own "
            "baseline outcome is the better covariate: give it in a column of its own, one row a "
            "person, without period. Ignore this if identifiers start again in each period.",
            "baseline-cohort",
        )


def _where(trial: TrialTable, found: BaselinePeriod) -> str:
    return f"{trial.roles['period']}: {', '.join(map(str, found.labels))}"
