"""What was randomized, in words: clusters, persons, or participants with several rows each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from tauhat.wording import of_participants

PARTICIPANT = "participant"
# No text for readers.
_VERBATIM = ("source", "anchor")
_T = TypeVar("_T")


def in_clusters(run: Mapping[str, Any]) -> bool:
    """Whether randomized units hold several rows: clusters, also over periods, or participants."""
    return run["design"]["clusters"] is not None


def units_told(shown: _T, run: Mapping[str, Any]) -> _T:
    """What is shown, a text or views of texts, in the words of what was randomized.

    Examples
    --------
    >>> units_told("12 clusters, 36 persons", {"design": {"type": "participant"}})
    '12 participants, 36 rows'
    >>> units_told("12 clusters, 36 persons", {"design": {"type": "cluster"}})
    '12 clusters, 36 persons'
    """
    return _told(shown) if of_participants_alone(run) else shown


def of_participants_alone(run: Mapping[str, Any]) -> bool:
    """Whether persons were randomized of whom each may have several rows."""
    of_two_arms = run if "design" in run else next(iter(run["contrasts"].values()))
    return bool(of_two_arms["design"]["type"] == PARTICIPANT)


def _told(shown: Any) -> Any:
    if isinstance(shown, str):
        return of_participants(shown)
    if isinstance(shown, (list, tuple)):
        return [_told(one) for one in shown]
    if is_dataclass(shown) and not isinstance(shown, type):
        names = [field.name for field in fields(shown) if field.name not in _VERBATIM]
        return replace(shown, **{name: _told(getattr(shown, name)) for name in names})
    return shown
