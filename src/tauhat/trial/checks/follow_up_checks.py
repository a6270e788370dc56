"""Follow-up of a trial with times to an event: horizon, events, censoring, ties, codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from tauhat._typing import FloatArray, IntArray
from tauhat.disclosure import FEW, is_small, share_text
from tauhat.endpoint import ArmFollowUp, arm_follow_up
from tauhat.numerics.censored_outcomes import SMALLEST_PROBABILITY
from tauhat.numerics.cox import score_statistics
from tauhat.trial.checks.event_checks import event_findings, spread_text
from tauhat.trial.checks.finding import Finding, Status
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.outcome_columns import OutcomeColumns
    from tauhat.trial.trial_table import TrialTable

_LOW_PROBABILITY = 0.2
_UNEVEN = 0.05
_COARSE = 20
_FEW_EVENTS = 20
_CONVENTIONS = {
    "R": "has the codes 1 and 2, of which 2 was read as the event, as R does; if 1 is the event, "
    "give event_value=1.",
    "ADaM": "was read as in ADaM tables: 0 is the event, other numbers are censored. If it is "
    "otherwise, say what the event is by event_value=.",
    "1 is the event": "has the name of a column that says who was censored, and 1 was read as the "
    "event. Say by event_value= which of its values is the event.",
}


def outcome_findings(trial: TrialTable) -> Iterator[Finding]:
    """What was measured: its mean and spread, or its times, and what effects are."""
    if trial.outcome.follow_up is None:
        event = f" (1 is {trial.outcome.label})" if trial.outcome.label else ""
        yield Finding("outcome", spread_text(trial) + event)
    yield from event_findings(trial)
    words = trial.endpoint.words
    if words.note:
        yield Finding("type of outcome", words.values, "note", words.note, "outcome-type")
    if trial.outcome.follow_up is not None:
        yield from _follow_up_findings(trial, trial.outcome)
    elif trial.endpoint.codes == (1.0, 2.0) and not trial.outcome.label:
        name = trial.roles["outcome"]
        yield Finding(
            "codes of the event",
            f"{name} (1, 2)",
            "warning",
            f"{name!r} has the codes 1 and 2, of which 2 was read as the event; if 1 is the event, "
            "as in many tables where 1 is yes and 2 is no, give event_value=1, otherwise "
            "event_value=2.",
            "event-codes",
        )


def _follow_up_findings(trial: TrialTable, found: OutcomeColumns) -> Iterator[Finding]:
    assert found.follow_up is not None
    assert found.cause is not None
    compared = trial.has_counterfactual
    time, cause, arm = found.values[compared], found.cause[compared], trial.treatment[compared]
    horizon = found.follow_up.horizon
    arms = [arm_follow_up(time[arm == a], cause[arm == a], horizon) for a in (0, 1)]
    yield Finding("horizon", f"{horizon:g}, in the unit of {trial.roles['outcome']}")
    yield from _event_findings(arms)
    yield from _censoring_findings(arms, horizon)
    yield _probability_finding(trial, found, arms)
    yield from _covariate_finding(trial, found)
    yield from _time_findings(trial, time)
    yield from _code_findings(found)


def _by_arm(arms: Sequence[ArmFollowUp], counts: Sequence[int]) -> str:
    if any(map(is_small, counts)):
        # The other arm's number would tell it by that of both, or by another contrast.
        return f"{FEW} in an arm"
    return ", ".join(
        f"{share_text(count, one.n)} {name}"
        for name, one, count in zip(("control", "treated"), arms, counts, strict=True)
    )


def _event_findings(arms: Sequence[ArmFollowUp]) -> Iterator[Finding]:
    counts = [one.events for one in arms]
    few = min(counts) < _FEW_EVENTS
    yield Finding(
        "events by the horizon",
        _by_arm(arms, counts),
        "warning" if few else "ok",
        f"An arm has fewer than {_FEW_EVENTS} events by the horizon: the average effect may be "
        "learned, but hardly how it varies."
        if few
        else "",
        "few-events" if few else "",
    )
    others = [one.competing for one in arms]
    if any(others):
        yield Finding("other events by the horizon", _by_arm(arms, others))


def _censoring_findings(arms: Sequence[ArmFollowUp], horizon: float) -> Iterator[Finding]:
    counts = np.array([one.censored for one in arms])
    sizes = np.array([one.n for one in arms])
    shares = counts / sizes
    pooled = counts.sum() / sizes.sum()
    error = np.sqrt(pooled * (1 - pooled) * (1 / sizes).sum())
    apart = abs(shares[1] - shares[0])
    uneven = apart >= _UNEVEN and apart > 1.96 * error
    # By how much they differ would tell how many the few are.
    uneven = uneven and not is_small(counts).any()
    yield Finding(
        "censored before the horizon",
        _by_arm(arms, counts.tolist()),
        "warning" if uneven else "note" if counts.any() else "ok",
        _censoring_sentence(counts, sizes, horizon, uneven) if counts.any() else "",
        "censoring" if counts.any() else "",
    )


def _censoring_sentence(counts: IntArray, sizes: IntArray, horizon: float, uneven: bool) -> str:
    share = share_text(int(counts.sum()), int(sizes.sum()))
    who = f"{share} of the persons" if share.endswith("%") else share
    if is_small(counts).any():
        who = "some persons"
    return (
        f"For {who} it is not known what happened up to {horizon:g}: they were censored before. "
        + ("The arms lost persons unevenly. " if uneven else "")
        + "The analysis takes them to be like those of the same arm and covariates who were still "
        "followed."
    )


def _probability_finding(
    trial: TrialTable, found: OutcomeColumns, arms: Sequence[ArmFollowUp]
) -> Finding:
    low = min(one.probability for one in arms)
    which = "of an arm"
    if found.follow_up is not None and found.follow_up.censoring != "arm":
        low, which = min(low, trial.data.probability_followed), "of a person"
    status: Status = "ok"
    sentence = ""
    if low < SMALLEST_PROBABILITY:
        status = "error"
        sentence = (
            f"The probability {which} not to be censored before the horizon is {low:.2g}, under "
            f"{SMALLEST_PROBABILITY}: the few who were followed would stand for all. Choose an "
            "earlier horizon."
        )
    elif low < _LOW_PROBABILITY:
        status = "warning"
        sentence = (
            f"The probability {which} not to be censored before the horizon is {low:.2g}, under "
            f"{_LOW_PROBABILITY}: the effects depend on the few who were followed so long. An "
            "earlier horizon makes them more certain."
        )
    code = "" if status == "ok" else "follow-up"
    return Finding("smallest probability of follow-up", f"{low:.2f}", status, sentence, code)


def _covariate_finding(trial: TrialTable, found: OutcomeColumns) -> Iterator[Finding]:
    """Whether censoring before the horizon goes with covariates, by score tests within arms."""
    assert found.follow_up is not None
    assert found.cause is not None
    left = (found.cause == 0) & (found.values < found.follow_up.horizon)
    if trial.randomization.holds_persons or left.sum() < _FEW_EVENTS:
        return
    X = trial.X.to_numpy(dtype=np.float64)
    z = score_statistics(X, found.values, left, trial.treatment)
    p = 2 * stats.norm.sf(np.abs(z)) * len(z)
    strongest = int(np.argmax(np.abs(z)))
    if p[strongest] >= 0.05 or found.follow_up.censoring != "arm":
        return
    name = trial.X.columns[strongest]
    yield Finding(
        "censoring and covariates",
        f"{name} (z = {z[strongest]:.1f})",
        "warning",
        f"Who was censored goes with {name!r} (p = {p[strongest]:.2g}, adjusted for the number of "
        "covariates). The model of the event allows for it; censoring='covariates' models it as "
        "well.",
        "censoring-by-covariates",
    )


def _time_findings(trial: TrialTable, time: FloatArray) -> Iterator[Finding]:
    zero = int((time == 0).sum())
    if zero:
        yield Finding(
            "times of zero",
            share_text(zero, len(time)),
            "warning",
            f"{trial.roles['outcome']!r} has times of zero. They count as they stand: an event at "
            "once, or nothing known at all.",
            "times-of-zero",
        )
    distinct = len(np.unique(time))
    if distinct <= _COARSE:
        yield Finding(
            "ties",
            f"{distinct} different times",
            "note",
            f"{trial.roles['outcome']!r} has {counted(distinct, 'different time')}, such as those "
            "of visits: an event counts at the visit at which it was seen, and events of a time "
            "come before its censorings.",
            "tied-times",
        )


def _code_findings(found: OutcomeColumns) -> Iterator[Finding]:
    times, event = found.times, found.names[1]
    assert times is not None
    read = "; ".join(
        f"{words}: {', '.join(labels)}"
        for words, labels in (
            ("event", times.events),
            ("another event", times.competing),
            ("censored", times.censored),
        )
        if labels
    )
    if times.convention:
        yield Finding(
            "codes of the event",
            read,
            "note" if times.convention == "ADaM" else "warning",
            f"{event!r} {_CONVENTIONS[times.convention]}",
            "event-codes",
        )
    elif len(times.censored) > 1:
        yield Finding(
            "codes of the event",
            read,
            "warning",
            f"{', '.join(map(repr, times.censored))} in {event!r} were all read as censored. One "
            "that rules the event out, such as a death, is no censoring: count it as an event "
            "(event_value= takes a list), or take endpoint='time-lost'.",
            "event-codes",
        )
    else:
        yield Finding("codes of the event", read)
