"""Names and labels of what is known only after randomization."""

from __future__ import annotations

import re

# Names made of these words alone, run together or not, speak of what happened to a person
# after randomization ...
_FOLLOW_UP = re.compile(
    r"status|stat|events?|evt|times?|visits?|follow(?:ed)?|fup?|cens(?:or(?:ed|ing)?)?|deaths?|died"
    r"|dead|mortality|days|weeks?|months|surv(?:ival)?|tte|os|pfs|dfs|rfs|ttp|lost"
)
# ... also together with these.
_FILLERS = re.compile(
    r"to|of|up|until|since|from|last|first|end|study|vital|day|week|month|years?|number|num|no|nr"
    r"|ind(?:icator)?|flag|code|overall|progression|free|disease|relapse|recurrence|point"
)
_ONLY = re.compile(rf"(?:{_FOLLOW_UP.pattern}|{_FILLERS.pattern})+")

_DURATION = re.compile(
    r"\b(?:\w*time|days|weeks|months|years|dur|duration|\w*survival|surv|tte|ttp|os|pfs|dfs|rfs|efs"
    r"|aval)\b"
)
_OTHER_TIME = re.compile(
    r"\b(?:response|reaction|full|part|bed|screen|waiting|since|diagnosis|disease|sleep|reading"
    r"|change|of day|baseline|education|schooling|age|per|time point)\b"
)

# Words of what comes later, wherever they stand in a name ...
_LATER = frozenset(
    {"adherence", "adherent", "adhered", "censor", "censored", "cens", "compliance", "compliant"}
    | {"complied", "comply", "death", "died", "discontinued", "dropout", "endline", "event"}
    | {"followup", "fup", "fu", "offtrt", "post", "posttest", "relapse", "withdrawal"}
    | {"withdrawn", "withdrew", "outcome", "outcomes", "apgar", "sae", "ae", "mortality"}
    | {"deceased", "endpoint", "responder", "completer", "attrition", "survival", "dod"}
)
_PHRASES = re.compile(
    r"\b(?:follow(?:ed)? up|adverse (?:event|reaction|effect)s?|side effects?|date of death"
    r"|death date|vital status|lost to|end of (?:study|treatment|trial)|(?:pre|post) ?post"
    r"|(?:change|chg|difference) (?:from|since|to|at)|cause of death|survival status)\b"
)
# ... unless one of these says that it was before, or it is another's.
_BEFORE = frozenset(
    {"baseline", "base", "bl", "bsl", "screening", "screen", "entry", "enrolment", "enrollment"}
    | {"pre", "prior", "previous", "previously", "past", "history", "before", "ever", "ago"}
    | {"admission", "initial", "pretest", "recent", "hx", "prev", "lifetime"}
)
_OTHERS = frozenset(
    {"life", "stressful", "traumatic", "parent", "parental", "parents", "mother", "father"}
    | {"maternal", "paternal", "family", "sibling", "spouse", "partner", "husband", "wife"}
    | {"readiness", "motivation", "stage", "stages", "climate"}
)
_NO_TIME = re.compile(
    r"\bpost(?:al)? ?(?:codes?|office|box|secondary|grad\w*|menopaus\w*|natal|partum|traumatic)\b"
)
_CHANGES = frozenset({"change", "chg", "delta"})
_UNITS = {"week": "week", "weeks": "week", "wk": "week", "wks": "week", "month": "month"}
_UNITS |= {"months": "month", "mth": "month", "mths": "month", "mo": "month", "mos": "month"}
_UNITS |= {"day": "day", "days": "day", "visit": "visit", "wave": "visit", "timepoint": "visit"}
_UNITS |= {"year": "year", "years": "year", "yr": "year", "yrs": "year"}
_OTHER_YEARS = frozenset({"school", "grade", "education", "class", "birth", "experience", "age"})
# "sbp_m12" and "pain w6", but not "vit_d3" and "area_m2"; "mri_t2" and "sf36_v2" are no times.
_SHORT = {
    "m": ("month", {"3", "6", "9", "12", "18", "24", "36"}),
    "w": ("week", {"2", "4", "6", "8", "12", "16", "24", "26", "36", "48", "52"}),
    "d": ("day", {"7", "14", "28", "30", "60", "90", "180", "365"}),
    "y": ("year", {"1", "2", "3", "5"}),
}
_MOST_YEARS = 10
# A duration in the past ends with these: "in the last 12 months".
_RECALL = frozenset({"last", "past", "in", "within", "over", "during", "per", "since", "for"})


def names_duration(name: str, label: str = "") -> bool:
    """Whether a name, or its label, is that of a time to an event.

    Examples
    --------
    >>> [names_duration(name) for name in ("survTime", "days", "response_time", "pain")]
    [True, True, False, False]
    """
    text = f"{spaced(name)} {spaced(label)}"
    return _DURATION.search(text) is not None and _OTHER_TIME.search(text) is None


def speaks_of_follow_up(name: str) -> bool:
    """Whether a name is made of words of follow-up and nothing else.

    Examples
    --------
    >>> [speaks_of_follow_up(name) for name in ("futime", "follow-up", "smoking_status", "age")]
    [True, True, False, False]
    """
    joined = "".join(name_words(name))
    return _ONLY.fullmatch(joined) is not None and _FOLLOW_UP.search(joined) is not None


def sounds_later(name: str, outcome: str, label: str = "") -> bool:
    """Whether a name, or its label, is one of what comes after randomization.

    It has a word for it, is made of words of follow-up alone, has a time after the start
    ("week 12") or the outcome's occasion ("t2"), or is the outcome's name with a number at
    least as large: ``cd820`` or ``cd420_b`` for the outcome ``cd420``, but not ``cd40``.
    A number that both have before they part is the measure's (``hba1c_0``, ``hba1c_12``).

    Parameters
    ----------
    name, outcome
        Names of the covariate and of the outcome.
    label
        What the column holds in words, if that is known.

    Examples
    --------
    >>> [sounds_later(name, "y") for name in ("comply", "sbp_week12", "apgar5", "visit", "AEs")]
    [True, True, True, True, False]
    >>> [sounds_later(name, "y") for name in ("postcode", "sbp_week0", "drinks_last_12_months")]
    [False, False, False]
    >>> sounds_later("cd820", "cd420"), sounds_later("cd40", "cd420")
    (True, False)
    >>> sounds_later("hba1c_0", "hba1c"), sounds_later("phq9_6m", "phq9_12m")
    (False, True)
    >>> sounds_later("v17", "y", label="Date of death")
    True
    """
    if speaks_of_follow_up(name) or any(_says_later(text) for text in (name, label) if text):
        return True
    return _same_occasion(name, outcome) or (
        not says_before(name, label) and _later_than(name, outcome)
    )


def says_before(name: str, label: str = "") -> bool:
    """Whether a name, or its label, says that a column is from before the treatment.

    Examples
    --------
    >>> [says_before(name) for name in ("BASE", "sbp_baseline", "CHG")]
    [True, True, False]
    """
    return any(not _BEFORE.isdisjoint(name_words(text)) for text in (name, label))


def _same_occasion(name: str, outcome: str) -> bool:
    """Whether two names end with the same letter and number, as "qol_t2" and "pain_t2" do."""
    mine, its = (re.search(r" ([a-z]\d+)$", spaced(text)) for text in (name, outcome))
    return mine is not None and its is not None and mine[1] == its[1] and mine[1][1:] != "0"


def _later_than(name: str, outcome: str) -> bool:
    """Whether a name is the outcome's but for a number that is no smaller, or a suffix."""
    mine, its = (re.findall(r"[a-z]+|\d+", spaced(text)) for text in (name, outcome))
    if not mine or not its or name_words(name)[:1] != name_words(outcome)[:1]:
        return False
    shared = 0
    while shared < min(len(mine), len(its)) and mine[shared] == its[shared]:
        shared += 1
    known = any(token.isdigit() for token in mine[:shared])
    mine, its = mine[shared:], its[shared:]
    number = next((int(token) for token in mine if token.isdigit()), None)
    outcome_number = next((int(token) for token in its if token.isdigit()), None)
    if outcome_number is None:
        return known and not its and number != 0
    if number is None:
        return False
    if mine[1:] == its[1:] and "".join(mine[1:]) in (*_UNITS, *_SHORT):
        return number > (mine[1] in ("d", "day", "days"))  # day 1 may be the first of all
    return number >= outcome_number


def _says_later(text: str) -> bool:
    text = _NO_TIME.sub("", spaced(text))
    tokens = re.findall(r"[a-z]+|\d+", text)
    words = {token for token in tokens if token.isalpha()}
    if words & _BEFORE or words & _OTHERS:
        return False
    if words & _LATER or _PHRASES.search(text):
        return True
    if tokens and (tokens[0] in _CHANGES or tokens[-1] in _CHANGES):
        return True
    return _after_start(tokens)


def _after_start(tokens: list[str]) -> bool:
    """Whether tokens hold a time after the start: a unit beside a number that is not 0."""
    for k in range(len(tokens) - 1):
        first, second = tokens[k : k + 2]
        if k and tokens[k - 1] in _RECALL:
            continue
        if first.isdigit() and second in _UNITS:
            unit, number = _UNITS[second], int(first)
        elif second.isdigit() and first in _UNITS:
            unit, number = _UNITS[first], int(second)
        elif second.isdigit() and k and first in _SHORT and second in _SHORT[first][1]:
            return True
        else:
            continue
        # Day 1 and visit 1 may be the first of all, and "year 1998" is a date.
        if unit == "year" and (number > _MOST_YEARS or not _OTHER_YEARS.isdisjoint(tokens)):
            continue
        if number > (unit in ("visit", "day")) and number < 1000:
            return True
    return False


def name_words(name: str) -> list[str]:
    """Words of a column's name in any of the usual styles, in lower case, without digits.

    Examples
    --------
    >>> name_words("survTime_2b")
    ['surv', 'time', 'b']
    """
    return [word for word in re.split(r"[^a-z]+", spaced(name)) if word]


def spaced(name: str) -> str:
    """A name in lower case with blanks between its words and its numbers.

    Examples
    --------
    >>> spaced("sbpWeek_12")
    'sbp week 12'
    """
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()
    return re.sub(r"[^a-z0-9]+", " ", apart)
