"""Which covariates there are, copies of each other, and identifiers among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tauhat.numerics.balance import duplicate_columns
from tauhat.trial.checks.finding import Finding
from tauhat.trial.identifier_columns import why_identifier
from tauhat.trial.used_covariates import used_covariates
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable


def covariate_findings(trial: TrialTable) -> Iterator[Finding]:
    """Give what was left out or pooled, copies of other covariates, and identifiers."""
    yield Finding(
        "covariates",
        f"{len(used_covariates(trial))} ({counted(trial.X.shape[1], 'column')} encoded)",
        "ok" if trial.covariates_named else "note",
        ""
        if trial.covariates_named
        else "Every column without another role is a covariate, since none were named: the data "
        "cannot tell which were measured before randomization. Name those with covariates=.",
        "" if trial.covariates_named else "covariates-not-named",
    )
    for note in trial.encoder_.notes_:
        yield Finding("encoding", note, "note", note[0].upper() + note[1:] + ".", "encoding")
    pairs = duplicate_columns(trial.X.to_numpy(), list(trial.X.columns))
    for first, second in pairs:
        yield Finding(
            "duplicate columns",
            f"{first} and {second}",
            "note",
            f"{first!r} and {second!r} carry the same information; one of them is enough.",
            "same-covariate",
        )
    groups = [
        (trial.roles[role], labels)
        for role, labels in (("cluster", trial.enrolled_clusters), ("block", trial.enrolled_blocks))
        if labels is not None
    ]
    for name in trial.covariate_names:
        why = why_identifier(trial.enrolled_frame[name], name, groups)
        if why:
            yield Finding(
                "numbering",
                name,
                "warning",
                f"{name!r} {why}: if it is an identifier, give it as id= and not as a covariate.",
                "identifier",
                columns=(name,),
            )
