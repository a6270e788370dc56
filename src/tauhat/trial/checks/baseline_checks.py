"""What a baseline period is taken for, and whether it is a closed cohort's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tauhat.trial.checks.finding import Finding
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable


def baseline_findings(trial: TrialTable) -> Iterator[Finding]:
    """Say that this is a parallel trial with a baseline period, and what its rows are used for."""
    found = trial.baseline
    if found is None:
        return
    column = trial.roles["period"]
    named, later = (", ".join(map(str, some)) for some in (found.labels, found.later_labels))
    means = len(found.means) - found.n_clusters_lost
    text = (
        f"These are parallel arms with a baseline period ({column}: {named}). The "
        f"{counted(found.n_persons, 'person')} in it are not compared: their mean outcome in each "
        f"of {counted(means, 'cluster')} is the cluster-level covariate {found.name!r}. All other "
        f"periods ({later}) count as one, after randomization."
    )
    if found.by_allocation:
        text += (
            " In the baseline period, too, clusters have the label of the arm that they were "
            "allocated to, so that only the order of the periods says which came first."
        )
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
        f"{column}: {named}; {counted(found.n_persons, 'person')}",
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
