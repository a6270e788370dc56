"""Which arms are compared, and which of them is the control."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import IntArray
from tauhat.errors import TrialError
from tauhat.tables.labels import (
    alike_text,
    label_text,
    match_label,
    read_labels,
    words_read_as_missing,
    zero_and_one,
)
from tauhat.tables.spelling import near_labels
from tauhat.trial.design_hints import control_hint
from tauhat.wording import first_of

# Letters that two labels must share if one is part of the other.
_LEAST = 3
# More labels than this are a dose, an identifier or a misspelt column rather than arms.
_MOST_ARMS = 8
_MOST_LISTED = 12

Label = str | int | float | bool


def _find_label(
    given: Any, counts: Mapping[Label, int], argument: str, codes: Mapping[str, Any]
) -> Label:
    found: Label | None = match_label(given, counts)
    if found is None:
        by_code = {codes[str(label)]: label for label in counts if str(label) in codes}
        code = match_label(given, by_code)
        found = None if code is None else by_code[code]
    if found is None:
        near = [repr(label) for label in counts if _alike(given, label)]
        if not near and argument == "control":
            said = control_hint(list(counts)).removeprefix("control=")
            near = [] if " or " in said else [said]
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise TrialError(
            f"{argument}: there is no arm {given!r}; the arms are {_listed(counts)}{hint}"
        )
    return found


def _alike(given: Any, label: Label) -> bool:
    """Whether a label is written nearly as one that was given, or holds it, or is held by it."""
    first, second = (
        re.sub(r"[\W_]+", " ", str(text)).strip().casefold() for text in (given, label)
    )
    if min(len(first), len(second)) >= _LEAST and (first in second or second in first):
        return True
    return bool(difflib.get_close_matches(first, [second], cutoff=0.6))


def _shown(counts: Mapping[Label, int]) -> list[str]:
    return [f"{label!r} ({count})" for label, count in counts.items()]


def _listed(counts: Mapping[Label, int]) -> str:
    return ", ".join(_shown(counts))


def choose_arms(
    column: pd.Series[Any],
    *,
    control: Any,
    arms: Sequence[Any] | None,
    codes: Mapping[str, Any] | None = None,
) -> tuple[IntArray, tuple[Label, ...]]:
    """Arm of each row from the labels of the treatment column.

    Parameters
    ----------
    column
        Treatment column, any type, shape (n,).
    control
        Label of the control arm; not needed for 0/1 (or 0, 1, 2, ...), booleans or with ``arms``.
    arms
        Labels of the arms to compare, two or more, control first; None for all that there are.
    codes
        Code of each label, if the file has labels for codes: arms can be named by either,
        and codes 0 and 1 say which is the control.

    Returns
    -------
    arm
        0 (control), 1 and so on (the others), or -1 (an arm left out), shape (n,).
    labels
        Of the arms, control first, as `tauhat.tables.labels.read_labels` reads them.

    Raises
    ------
    TrialError
        On missing labels, one arm, an unnamed control, or more than eight arms or labels
        that are nearly alike without ``arms``; the message lists the arms with their counts.

    Examples
    --------
    >>> arm, labels = choose_arms(pd.Series(["b", "a", "b"]), control="b", arms=None)
    >>> arm.tolist(), labels
    ([0, 1, 0], ('b', 'a'))
    """
    given = [control, *([] if arms is None or isinstance(arms, str) else arms)]
    # "None" is an arm when the call itself names it as one.
    read = read_labels(column, keep=[label_text(label) for label in given if label is not None])
    if read.missing.any():
        raise TrialError(
            f"treatment column {column.name!r} is missing in {int(read.missing.sum())} of "
            f"{len(column)} rows{words_read_as_missing(read)}; every randomized person has an "
            "arm: fill it in, and leave out rows that are no persons, such as one of totals"
        )
    positions, found = pd.factorize(read.values, sort=False)
    # Arms of a categorical in its order, others sorted.
    rank = _ranks(column)
    order = sorted(
        range(len(found)),
        key=lambda k: (rank.get(label_text(found[k]), -1), str(type(found[k])), found[k]),
    )
    labels = [found[k].item() if isinstance(found[k], np.generic) else found[k] for k in order]
    counts: dict[Label, int] = {
        label: int((positions == k).sum()) for k, label in zip(order, labels, strict=True)
    }
    if len(labels) < 2:
        raise TrialError(
            f"treatment column {column.name!r} has one arm only, {_listed(counts)}; two are needed"
        )
    chosen = _chosen(str(column.name), counts, control, arms, codes or {})
    arm = np.full(len(positions), -1, dtype=np.int64)
    for number, label in enumerate(chosen):
        arm[positions == order[labels.index(label)]] = number
    return arm, chosen


def _ranks(column: pd.Series[Any]) -> dict[str, int]:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return {}
    return {label_text(label): k for k, label in enumerate(column.cat.categories)}


def _chosen(
    name: str,
    counts: Mapping[Label, int],
    control: Any,
    arms: Sequence[Any] | None,
    codes: Mapping[str, Any],
) -> tuple[Label, ...]:
    """Labels of the arms to compare, control first."""
    if arms is not None:
        if isinstance(arms, str) or len(arms) < 2:
            raise TrialError(
                "arms must name two arms or more, control first: arms=(control, treated)"
            )
        found = tuple(_find_label(label, counts, "arms", codes) for label in arms)
        for label in found:
            if found.count(label) > 1:
                raise TrialError(f"arms names {label!r} twice")
        if control is not None and _find_label(control, counts, "control", codes) != found[0]:
            raise TrialError(f"control={control!r} is not the first of arms={tuple(arms)!r}")
        return found
    labels = list(counts)
    if len(labels) > 2:
        _refuse_unlikely_arms(name, counts)
    if control is not None:
        first = _find_label(control, counts, "control", codes)
    else:
        first = _evident_control(name, counts, codes)
    return first, *(label for label in labels if label != first)


def _evident_control(name: str, counts: Mapping[Label, int], codes: Mapping[str, Any]) -> Label:
    """The control of arms that are numbered 0, 1, ... or are booleans."""
    labels = list(counts)
    by_code = {codes.get(str(label), label): label for label in labels}
    if len(labels) == 2:
        zero_one = zero_and_one(by_code)
        if zero_one is not None:
            return by_code[zero_one[0]]
        raise TrialError(
            f"treatment column {name!r} has the arms {_listed(counts)}; "
            f"say which is the control: {control_hint(labels)} (--control on the command line)"
        )
    numbered = {label_text(code): label for code, label in by_code.items()}
    if set(numbered) == {str(number) for number in range(len(labels))}:
        return numbered["0"]
    raise TrialError(
        f"treatment column {name!r} has {len(labels)} arms: {_listed(counts)}; say which is the "
        f"control, {control_hint(labels)}, and each of the others is compared with it; or choose "
        "some with arms=(control, treated, ...), on the command line --arms CONTROL,TREATED"
    )


def _refuse_unlikely_arms(name: str, counts: Mapping[Label, int]) -> None:
    """Raise a `TrialError` where labels that nobody chose look misspelt, or are too many."""
    near = near_labels(counts)
    if not near and len(counts) <= _MOST_ARMS:
        return
    listed = first_of(_shown(counts), _MOST_LISTED)
    alike = " and ".join(alike_text(*pair) for pair in near[:3])
    raise TrialError(
        f"treatment column {name!r} has {len(counts)} arms: {listed}; "
        "choose two or more with arms=(control, treated); on the command line --arms "
        "CONTROL,TREATED"
        + (f"; write alike what means the same: {alike} (--normalise-labels does)" if alike else "")
    )
