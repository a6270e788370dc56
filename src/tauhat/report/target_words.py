"""The average effect in another population, in a sentence."""

from __future__ import annotations

from tauhat.report.numbers import format_p, format_percent
from tauhat.report.text import Run, scale_of
from tauhat.report.time_units import in_units


def target_words(run: Run) -> list[str]:
    """The average effect in the population given; nothing where none was.

    Examples
    --------
    >>> target_words({"target": None})
    []
    """
    if run.get("target") is None:
        return []
    scale, effect = scale_of(run), run["target"]["individual"]
    level = format_percent(run["interval"]["level"])
    return [
        "Average effect in the population given: "
        f"{scale(effect['estimate'])}{in_units(run)} ({level} interval "
        f"{scale.interval(effect['lower'], effect['upper'])}, {format_p(effect['p_value'])})."
    ]
