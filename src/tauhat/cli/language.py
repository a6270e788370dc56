"""Messages in the language of the command: options in place of Python's arguments."""

from __future__ import annotations

import re
import shlex
from typing import Any

from tauhat.cli.options import OPTIONS

_SHOWN = {option.keyword: option.shown for option in OPTIONS.values() if option.goes_to is not None}
_SWITCHES = {
    "higher_is_better=True or False": "--higher-is-better or --lower-is-better",
    "higher_is_better=True": "--higher-is-better",
    "higher_is_better=False": "--lower-is-better",
}
_NAMES = "|".join(sorted((name for name in _SHOWN if name != "higher_is_better"), key=len)[::-1])
# A value is quoted or a list; what follows a name in another way is a label of the data.
_ARGUMENT = re.compile(
    rf"(?<![\w'\"=.\-])({_NAMES})=(?:(\[[^\]]*\]|\([^()]*\))|('[^']*'|\"[^\"]*\")|(?=$|[\s.,;:)]))"
)

# What follows this one without quotes is a code of the data all the same.
_EVENT = re.compile(r"(?<![\w'\"=.\-])event_value=(?=\d)")
# A switch, and an option after its argument: the parentheses say the same once more.
_SAID_TWICE = re.compile(rf"\b(?:{_NAMES})=True \((--[a-z-]+)\)")
# Modifiers and what they are adjusted for are covariates too.
_COLUMN = re.compile(rf"^({_NAMES}): there is no column")
_CODE = re.compile(r"^accept: ")
_COVARIATES = "--covariates, --modifiers or --adjust"
# A list, and the same as words of the command, in which names with commas are quoted.
_LIST_TWICE = re.compile(rf"\b(?:{_NAMES})=\[.*\] \((--[a-z-]+ .*)\)$")
# A name of a list loses its outer blanks unless it is quoted.
_BLANKS = re.compile(r"(did you mean (' [^']*'|'[^']* '))\?$")
_OPTION_TWICE = re.compile(
    r"(--[a-z-]+)((?: \"[^\"]*\"| '[^']*'| [^\s()]+)?) \(\1(?: on the command line|\2)?\)"
)
# An argument, and its option after a comma: the option alone, with what it takes.
_OPTION_AFTER = re.compile(r"(--[a-z-]+), on the command line (?=\1\b)")


def in_options(text: str) -> str:
    """A message with the options of the command in place of the arguments of Python.

    Examples
    --------
    >>> in_options("name those with covariates= or leave out id=; see missing='complete-cases'.")
    'name those with --covariates or leave out --id; see --missing complete-cases.'
    >>> in_options("without these it is covariates=['age', 'sex']")
    'without these it is --covariates age,sex'
    >>> in_options("named by its condition in subgroups= (--subgroup)")
    'named by its condition in --subgroup'
    >>> in_options("say control='usual care' (--control on the command line)")
    'say --control "usual care"'
    >>> in_options("merge them with normalise_labels=True (--normalise-labels)")
    'merge them with --normalise-labels'
    >>> in_options("choose some with arms=(usual, new, ...), on the command line --arms USUAL,NEW")
    'choose some with --arms USUAL,NEW'
    >>> in_options("the level 'cluster=5' is rare"), in_options("event=dead (12 persons)")
    ("the level 'cluster=5' is rare", 'event=dead (12 persons)')
    >>> in_options("give event_value=1, otherwise event_value=2.")
    'give --event-value 1, otherwise --event-value 2.'
    >>> in_options("cluster: there is no column 'clinik'; did you mean 'clinic'?")
    "--cluster: there is no column 'clinik'; did you mean 'clinic'?"
    >>> print(in_options("covariates: there is no column 'age'; did you mean ' age '?"))
    --covariates, --modifiers or --adjust: there is no column 'age'; did you mean ' age ' (in a \
list of columns, with its blanks, '" age "')?
    >>> in_options("accept: there is no code 'heaps'; did you mean 'heap'?")
    "--accept: there is no code 'heaps'; did you mean 'heap'?"
    """
    text = _CODE.sub(f"{_SHOWN['accept']}: ", _COLUMN.sub(_of_column, text))
    for words, told in _SWITCHES.items():
        text = text.replace(words, told)
    text = _LIST_TWICE.sub(r"\1", text)
    text = _BLANKS.sub(_with_blanks, text)
    text = _EVENT.sub(f"{_SHOWN['event_value']} ", text)
    text = _SAID_TWICE.sub(r"\1", text)
    text = _OPTION_TWICE.sub(r"\1\2", _ARGUMENT.sub(_option, text))
    return _OPTION_AFTER.sub("", text)


def _with_blanks(found: re.Match[str]) -> str:
    return f"{found[1]} (in a list of columns, with its blanks, '\"{found[2][1:-1]}\"')?"


def _of_column(found: re.Match[str]) -> str:
    name = found.group(1)
    shown = _COVARIATES if name == "covariates" else _SHOWN[name]
    return f"{shown}: there is no column"


def wrong_number(error: Exception | str) -> str | None:
    """What to say of an option's value that should be a number and is none; else None."""
    # What the parser says of it is in the words of the library that reads numbers for it.
    faults: list[Any] = getattr(getattr(error, "__cause__", None), "errors", list)()
    param = getattr(error, "param", None)
    if param is None or not faults:
        return None
    wanted = {"float": "a number", "int": "a whole number"}.get(faults[0]["type"].split("_")[0])
    if wanted is None:
        return None
    name = next((flag for flag in param.opts if flag.startswith("--")), param.name)
    return f"{name} must be {wanted}, got {faults[0]['input']!r}"


def _option(found: re.Match[str]) -> str:
    name, several, one = found.groups()
    names = re.findall(r"['\"]([^'\"]*)['\"]", several or one or "")
    value = ",".join(f'"{name}"' if several and "," in name else name for name in names)
    if several:
        value = shlex.quote(value) if value else ""
    elif any(mark in value for mark in " '\"$()"):
        value = f'"{value}"'
    return f"{_SHOWN[name]} {value}" if value else _SHOWN[name]
