"""Whether an outcome with two values has enough of either, and how many counts are zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tauhat.disclosure import FEW, is_small, share_text
from tauhat.trial.checks.finding import Finding
from tauhat.trial.hidden_counts import hides_all_events, hides_events
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

# With fewer, of all and of an arm, individual effects are no better than one for everyone, and
# intervals of ratios go over a factor of ten (benchmarks/rare_events.py).
_FEW_EVENTS, _FEW_IN_ARM = 30, 5
_MANY_ZEROS = 0.6


def spread_text(trial: TrialTable) -> str:
    """Mean and SD of the outcome, but where they tell that one to four have one of two values."""
    if trial.endpoint.codes is not None:
        events = int(trial.endpoint.events(trial.y).sum())
        if is_small(events) or is_small(trial.n - events):
            return f"two values, one of {FEW}"
    # With the average effect, the mean of both arms tells that of each.
    told_by_mean = trial.endpoint.codes is not None or trial.endpoint.kind.counts_events
    if told_by_mean and hides_events(trial):
        return f"mean not told, as an arm has {FEW} with an event, or without"
    spread = f"mean {trial.y.mean():.4g}, SD {trial.y.std(ddof=1):.4g}"
    weight = trial.sample_weight
    if trial.endpoint.kind.counts_events and trial.weighs_by == "exposure" and weight is not None:
        rate = np.average(trial.y, weights=weight)
        return f"{rate:.4g} events per unit of {trial.roles['weight']}; of persons' rates {spread}"
    return spread


def event_findings(trial: TrialTable) -> Iterator[Finding]:
    """What is found of an outcome that is an event; nothing of others."""
    if trial.rows_of_events is not None:
        rows = counted(len(trial.rows_of_events), "row")
        persons = counted(trial.n_rows, "person")
        yield Finding(
            "rows of events",
            f"{rows}, {persons}",
            "note",
            f"{rows} with numbers of events were read as {persons}, each with the event or "
            "without.",
            "rows-of-events",
        )
    if trial.endpoint.codes is not None:
        yield _events_of_arms(trial)
    if trial.endpoint.kind.counts_events:
        yield _zeros(trial)
        yield from _arms_without_events(trial)


def _zeros(trial: TrialTable) -> Finding:
    """How many have no event at all; a note where they are most."""
    none, n = int((trial.y == 0).sum()), trial.n
    shown = "not told" if hides_all_events(trial) else f"{share_text(none, n)} without an event"
    if none <= _MANY_ZEROS * n:
        return Finding("counts", shown)
    sentence = (
        "Most persons have no event: where the treatment may act on whether there is any, look at "
        "that too, as an outcome with two values."
    )
    return Finding("counts", shown, "note", sentence, "many-zeros")


def _arms_without_events(trial: TrialTable) -> Iterator[Finding]:
    """A warning where hardly anybody of an arm had an event that is counted."""
    compared = trial.has_counterfactual
    had = np.bincount(trial.treatment[compared], weights=trial.y[compared] > 0, minlength=2)
    if int(had.min()) >= _FEW_IN_ARM:
        return
    count = FEW if hides_events(trial) else "nobody"
    yield Finding(
        "events",
        f"{count} in an arm",
        "warning",
        f"In arm {trial.arm_labels[int(had.argmin())]}, {count} had an event: how effects vary can "
        "hardly be learned, and ratios of rates mean little.",
        "rare-events",
    )


def _events_of_arms(trial: TrialTable) -> Finding:
    """Events of each arm; a warning where there are few, or few without one."""
    compared, endpoint = trial.has_counterfactual, trial.endpoint
    event, arm = endpoint.events(trial.y[compared]), trial.treatment[compared]
    persons = np.bincount(arm, minlength=2)
    events = np.bincount(arm, weights=event, minlength=2).astype(np.int64)
    others = persons - events
    rarer, what = (events, "the event") if events.sum() <= others.sum() else (others, "no event")
    few_in_arm = int(rarer.min()) < _FEW_IN_ARM
    # Beside the difference of risks, nobody in one arm would tell how many few are in the other.
    hidden = hides_events(trial)
    sentence = ""
    if few_in_arm:
        label = trial.arm_labels[int(rarer.argmin())]
        count = FEW if hidden else "nobody"
        sentence = (
            f"In arm {label}, {count} had {what}: how effects vary can hardly be learned, "
            "and ratios of risks mean little."
        )
    elif rarer.sum() < _FEW_EVENTS:
        sentence = (
            f"Fewer than {_FEW_EVENTS} persons had {what}: the average effect may be learned, but "
            "hardly how it varies."
        )
    if hidden:
        # One arm's number would tell the other's, by the average effect.
        own = is_small(np.concatenate([events, others])).any()
        shown = f"all but {FEW} in an arm" if own else f"not told, as another arm has {FEW}"
        if few_in_arm:
            shown = f"{what} rare: {FEW} in an arm"
    else:
        shown = ", ".join(
            f"{share_text(int(count), int(n))} {name}"
            for name, count, n in zip(("control", "treated"), events, persons, strict=True)
        )
    if not sentence:
        return Finding("events", shown)
    return Finding("events", shown, "warning", sentence, "rare-events")
