"""Counts with their nouns, singular and plural; names that are unknown."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import SupportsInt


def counted(count: SupportsInt, one: str, several: str = "", form: str = "d") -> str:
    """A count and what is counted, with a verb if the words have one.

    Parameters
    ----------
    count
        How many.
    one, several
        Words for one, and for none or several; without the latter, ``one`` with an s.
    form
        Format of the count.

    Examples
    --------
    >>> counted(1, "person"), counted(1200, "cluster has", "clusters have", ",")
    ('1 person', '1,200 clusters have')
    """
    number = int(count)
    return f"{number:{form}} {one if number == 1 else several or one + 's'}"


def with_degrees(count: str) -> str:
    """Degrees of freedom after their number, given in words.

    Examples
    --------
    >>> with_degrees("1"), with_degrees("8 and 9.5")
    ('1 degree of freedom', '8 and 9.5 degrees of freedom')
    """
    return f"{count} {'degree' if count == '1' else 'degrees'} of freedom"


def degrees_text(degrees: float) -> str:
    """Degrees of freedom as a number to read: one decimal below ten, whole above.

    Examples
    --------
    >>> degrees_text(3.72), degrees_text(18.0), degrees_text(3791.4), degrees_text(float("inf"))
    ('3.7', '18', '3,791', 'many')
    """
    if not degrees < float("inf"):
        return "many"
    return f"{degrees:.1f}" if degrees < 9.95 and degrees % 1 else f"{degrees:,.0f}"


def with_digits_alike(estimate: float, lower: float, upper: float) -> list[str]:
    """An estimate and the ends of its interval, all three with the same decimals.

    As many as show a quarter of the interval, about a standard error, to two significant digits;
    four digits each where the interval has no width or none that is known.

    Examples
    --------
    >>> with_digits_alike(-0.2933, -0.61182, 0.02521), with_digits_alike(0.0, 0.0, 0.0)
    (['-0.29', '-0.61', '0.03'], ['0', '0', '0'])
    """
    numbers, width = (estimate, lower, upper), (upper - lower) / 4
    if not 1e-6 < width < math.inf:
        return [f"{value:.4g}" for value in numbers]
    decimals = max(0, 1 - math.floor(math.log10(width)))
    # Adding zero makes minus zero one without its sign.
    return [f"{round(value, decimals) + 0.0:.{decimals}f}" for value in numbers]


def join_words(words: Sequence[str]) -> str:
    """Words as in a sentence.

    Examples
    --------
    >>> join_words(["age", "sex", "bmi"])
    'age, sex and bmi'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def first_of(words: Sequence[str], most: int) -> str:
    """The first of some words, and dots where there are more.

    Examples
    --------
    >>> first_of(["a", "b", "c"], 2), first_of(["a", "b"], 2)
    ('a, b ...', 'a, b')
    """
    return ", ".join(words[:most]) + (" ..." if len(words) > most else "")


# Not in the code of a finding, an option, or a name of the user's with an underscore.
_CLUSTERS = re.compile(r"(?<!few-)(?<!--)(?<![\w])([Cc])luster(s?)(?![\w=])")
_PERSONS_COUNTED = re.compile(
    r"((?:^|(?<=\s|\())[\d,]+ (?:independent )?(?:analysed )?)persons?\b"
    r"|\b([Ee]very |[Ee]ach |per |[Rr]ows? a )person\b"
    r"|\bpersons (?:analysed|enrolled|compared|it has|they hold|of equal)|\bPersons analysed"
)


def of_participants(text: str) -> str:
    """A text on clusters of persons, where these are participants with several rows each.

    Examples
    --------
    >>> of_participants("150 clusters with 450 analysed persons [few-clusters], --cluster")
    '150 participants with 450 analysed rows [few-clusters], --cluster'
    >>> of_participants("Every person counting the same: who gains, a person cannot know")
    'Every row counting the same: who gains, a person cannot know'
    """

    def told(found: re.Match[str]) -> str:
        words = found[0].replace("persons", "rows").replace("Persons", "Rows")
        return words.replace("person", "row")

    text = _PERSONS_COUNTED.sub(told, text)
    return _CLUSTERS.sub(
        lambda found: f"{'P' if found[1] == 'C' else 'p'}articipant{found[2]}", text
    )


def p_words(p_value: float) -> str:
    """A p-value as it stands in a sentence.

    Examples
    --------
    >>> p_words(0.0214), p_words(0.00004)
    ('p = 0.021', 'p < 0.001')
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def unknown_name(what: str, name: object, known: list[str]) -> str:
    """Message for an unknown name, with the nearest known ones.

    Examples
    --------
    >>> unknown_name("estimator", "lmn", ["LMM", "X-RF"])
    "unknown estimator 'lmn'; did you mean LMM?"
    """
    folded = {one.casefold(): one for one in known}
    near = [folded[one] for one in get_close_matches(str(name).casefold(), folded, n=3, cutoff=0.5)]
    hint = f"did you mean {', '.join(near)}?" if near else "see `tauhat estimators`"
    return f"unknown {what} {name!r}; {hint}"
