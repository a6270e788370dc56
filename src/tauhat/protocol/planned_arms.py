"""The arms of a plan, the contrasts between them, and what one contrast has of the trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tauhat.errors import TrialError
from tauhat.trial.several_arms import named_pairs
from tauhat.wording import counted

LEVEL = 0.05
_DEFAULT = "control"


def arms_of(run: Mapping[str, Any]) -> tuple[str, ...]:
    """Arms that a plan names, the control first; empty where it names none.

    Examples
    --------
    >>> arms_of({"arms": "usual, low,high"}), arms_of({"control": "usual"})
    (('usual', 'low', 'high'), ())
    """
    given = run.get("arms", ())
    return tuple(
        str(one).strip() for one in (given.split(",") if isinstance(given, str) else given)
    )


def compared(run: Mapping[str, Any]) -> tuple[str, str]:
    """The control and all that it is compared with.

    Examples
    --------
    >>> compared({"control": "usual"}), compared({"arms": "usual, low,high"})
    (('usual', 'treatment'), ('usual', 'low or high'))
    """
    control, *others = arms_of(run) or (str(run.get("control", "control")), "treatment")
    return control, " or ".join(others)


def arm_words(run: Mapping[str, Any]) -> str:
    """What units are randomized to.

    Examples
    --------
    >>> arm_words({"arms": ["usual", "low", "high"]}), arm_words({"control": "usual"})
    ('usual, low or high', 'treatment or usual')
    """
    arms, (control, treated) = arms_of(run), compared(run)
    if len(arms) > 2:
        return f"{', '.join(arms[:-1])} or {arms[-1]}"
    return f"{treated} or {control}"


def contrasts_of(run: Mapping[str, Any]) -> list[str]:
    """Names of the contrasts of a plan of several arms; none where it is of two.

    Examples
    --------
    >>> contrasts_of({"arms": ["usual", "low", "high"], "contrasts": "sequential"})
    ['low against usual', 'high against low']
    >>> contrasts_of({"arms": ["usual", "high"]})
    []
    """
    arms = arms_of(run)
    return list(named_pairs(arms, run.get("contrasts", _DEFAULT))) if len(arms) > 2 else []


def level_of(run: Mapping[str, Any]) -> float:
    """Level of one contrast, which share 5% equally (Bonferroni)."""
    return LEVEL / max(len(contrasts_of(run)), 1)


def of_a_contrast(number: int, run: Mapping[str, Any]) -> int:
    """How many of a trial's units are in the two arms of a contrast, arms being of one size.

    Examples
    --------
    >>> of_a_contrast(400, {"arms": ["usual", "low", "high"]}), of_a_contrast(401, {})
    (266, 401)
    """
    arms = len(arms_of(run))
    return 2 * (number // arms) if arms > 2 else number


def check_arms(run: Mapping[str, Any], expected: Mapping[str, Any], where: str) -> None:
    """Refuse contrasts that nothing is known by, and shares of two arms where there are more.

    Parameters
    ----------
    run, expected
        Tables of the plan.
    where
        Its file, for messages.

    Raises
    ------
    TrialError
        If ``contrasts`` is no name of them, or ``share-treated`` is given with several arms.
    """
    if contrasts_of(run) and "share-treated" in expected:
        raise TrialError(
            f"{where}: [expected] share-treated belongs to plans of two arms; the power of several "
            "takes them to be of one size"
        )


def power_words(run: Mapping[str, Any]) -> list[str]:
    """Which comparison the power told is that of; nothing where there is one."""
    contrasts = contrasts_of(run)
    if not contrasts:
        return []
    return [
        f"Power is that of one contrast: in two of {counted(len(arms_of(run)), 'arm')} of one size "
        f"and at the {100 * level_of(run):.3g}% level, which makes {100 * LEVEL:g}% for all "
        f"{counted(len(contrasts), 'contrast')} (Bonferroni)."
    ]


def multiplicity_words(run: Mapping[str, Any], modifiers: int) -> list[str]:
    """How p-values allow for the number of contrasts and of named modifiers."""
    contrasts = len(contrasts_of(run))
    texts = []
    if contrasts:
        texts.append(
            "The primary test is one over all contrasts. In which of them effects differ is told "
            "by closed testing. Of each kind of average effect, p-values are adjusted by Holm for "
            "the number of contrasts; intervals are not."
        )
    if modifiers:
        texts.append(
            f"The {counted(modifiers, 'named modifier')} {'is' if modifiers == 1 else 'are'} "
            "adjusted by Holm for their number"
            + (f" times that of contrasts ({modifiers * contrasts} in all)" if contrasts else "")
            + "; unadjusted p-values stand beside."
        )
    return texts
