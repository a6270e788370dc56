"""Risks of both arms of a contrast, each by its name: the other one may be a treatment too."""

from __future__ import annotations

from tauhat.report.paper_results import risks_told
from tauhat.report.text import Run, arm_name


def risks_of_contrast(run: Run) -> str:
    """The risks of a contrast's arms, where the outcome is an event.

    Examples
    --------
    >>> text = "3.1 of 100 persons have the event with treatment and 5.4 without, a risk difference"
    >>> arms = {"treated": {"label": "high"}, "control": {"label": "low"}}
    >>> risks_of_contrast({"average_risks": {"individual": {"text": text}},
    ...     "average_effect": {"primary": "individual"}, "design": {"arms": arms}})
    '3.1 of 100 persons have the event with high and 5.4 with low, a risk difference'
    """
    first, other = arm_name(run, "treated"), arm_name(run, "control")
    text = risks_told(run)
    for plain, named in (
        ("with treatment", f"with {first}"),
        ("without treatment", f"with {other}"),
        (" without, ", f" with {other}, "),
        ("persons treated", f"persons given {first} in place of {other}"),
    ):
        text = text.replace(plain, named)
    return text
