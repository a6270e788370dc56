"""What a trial says of itself: its facts in a table, and what was decided on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tauhat.endpoint import COMPLETE_CASES, effective_size
from tauhat.trial.crossed_levels import decision_on_crossed
from tauhat.trial.hidden_counts import hides_all_lost
from tauhat.trial.incomplete_blocks import named_blocks
from tauhat.trial.used_covariates import used_covariates
from tauhat.wording import counted, join_words

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable


_EXCLUDED = ("row of another arm was", "rows of other arms were")
_LOST = ("person without an outcome is", "persons without an outcome are")
_SOME_LOST = "Persons without an outcome are"


def facts(trial: TrialTable) -> pd.DataFrame:
    """One row for each fact of the trial: item, value."""
    persons = np.bincount(trial.treatment, minlength=trial.n_arms)
    others = ["treated"] if trial.n_arms == 2 else ["arm"] * (trial.n_arms - 1)
    rows: list[tuple[str, str]] = [
        ("design", trial.randomization.randomized),
        ("outcome", _outcome(trial)),
        ("persons analysed", str(trial.n)),
        *(
            (role, f"{label}: {counted(count, 'person')}")
            for role, label, count in zip(
                ["control", *others], trial.arm_labels, persons, strict=True
            )
        ),
        ("persons without outcome", str(trial.n_missing_outcome)),
        (
            "covariates",
            f"{len(used_covariates(trial))} ({counted(trial.X.shape[1], 'column')} encoded)",
        ),
    ]
    if trial.randomization.holds_persons:
        rows.insert(3, ("clusters", f"{trial.n_clusters} ({trial.roles['cluster']})"))
        for place, (name, level) in enumerate(
            zip(trial.level_names.values(), trial.randomization.within, strict=True), start=4
        ):
            rows.insert(place, ("within clusters", f"{int(level.max()) + 1} ({name})"))
        of_clusters = used_covariates(trial, trial.cluster_level_names)
        rows.append(("cluster-level covariates", ", ".join(of_clusters) or "none"))
    if trial.baseline is not None:
        periods = ", ".join(map(str, trial.baseline.labels))
        size = counted(trial.baseline.n_persons, "person")
        rows.append(("baseline period", f"{periods} ({trial.roles['period']}): {size}"))
    if trial.blocks is not None:
        rows.append(("blocks", f"{len(pd.unique(trial.blocks))} ({trial.roles['block']})"))
    if trial.sample_weight is not None:
        size = f"effective sample size {effective_size(trial.sample_weight):.1f}"
        rows.append(("weights", f"{trial.roles['weight']}, {size}"))
    if trial.n_without_counterfactual:
        rows.append(
            ("in blocks with one arm only", counted(trial.n_without_counterfactual, "person"))
        )
    if trial.n_excluded:
        rows.append(("rows of other arms", str(trial.n_excluded)))
    return pd.DataFrame(rows, columns=["item", "value"])


def in_sentences(trial: TrialTable) -> str:
    """Who is in which arm, and what was decided on the way."""
    persons = np.bincount(trial.treatment, minlength=trial.n_arms)
    inside = f" in {trial.n_clusters} clusters" if trial.randomization.holds_persons else ""
    others = (
        [f"{persons[1]} in the treated arm ({trial.arm_labels[1]})"]
        if trial.n_arms == 2
        else [
            f"{count} in arm {label}"
            for count, label in zip(persons[1:], trial.arm_labels[1:], strict=True)
        ]
    )
    arms = join_words([f"{persons[0]} are in the control arm ({trial.arm_labels[0]})", *others])
    return " ".join([f"Of {trial.n} persons{inside}, {arms}.", *trial.notes])


def decisions(trial: TrialTable) -> list[str]:
    """Who was left out and how covariates were read, in sentences."""
    notes = decision_on_crossed(trial.roles)
    if trial.baseline is not None:
        notes.append(
            f"{counted(trial.baseline.n_persons, 'person is', 'persons are')} those of a baseline "
            f"period ({trial.roles['period']}: {', '.join(map(str, trial.baseline.labels))}), and "
            f"count as the covariate {trial.baseline.name!r} of their clusters only."
        )
    if not trial.randomization.can_permute:
        notes.append(
            f"{trial.roles['cluster']} is empty for everybody in one arm, or another for each "
            "person: they stand alone, and clusters are in the other arm only."
        )
    if trial.n_excluded:
        notes.append(f"{counted(trial.n_excluded, *_EXCLUDED)} left out.")
    if trial.n_missing_outcome:
        rest = "." if trial.missing == COMPLETE_CASES else " of models only (missing=)."
        lost = counted(trial.n_missing_outcome, *_LOST)
        notes.append(f"{_SOME_LOST if hides_all_lost(trial) else lost} left out{rest}")
    if trial.n_without_counterfactual:
        notes.append(
            f"{counted(trial.n_without_counterfactual, 'person')} in blocks with one arm only "
            f"({trial.roles['block']}: {named_blocks(trial.incomplete_blocks)}): effects are "
            "predicted for them, and they are otherwise left out."
        )
    notes.extend(note[0].upper() + note[1:] + "." for note in trial.encoder_.notes_)
    return notes


def _outcome(trial: TrialTable) -> str:
    """The column of the outcome, and of a time its event and horizon."""
    name, follow_up = trial.roles["outcome"], trial.outcome.follow_up
    if follow_up is None:
        label = trial.outcome.label
        return f"{name}, event {label}" if label else name
    words = trial.endpoint.words
    return f"{name}, event {trial.roles['event']}: {words.effect} at {follow_up.horizon:g}"
