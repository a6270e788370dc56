"""Messages in the language of the command: options in place of Python's arguments."""

from __future__ import annotations

import re
import shlex

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

# A switch, and an option after its argument: the parentheses say the same once more.
_SAID_TWICE = re.compile(rf"\b(?:{_NAMES})=True \((--[a-z-]+)\)")
_OPTION_TWICE = re.compile(
    r"(--[a-z-]+)((?: \"[^\"]*\"| '[^']*'| [^\s()]+)?) \(\1(?: on the command line|\2)?\)"
)


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
    >>> in_options("the level 'cluster=5' is rare"), in_options("event=dead (12 persons)")
    ("the level 'cluster=5' is rare", 'event=dead (12 persons)')
    """
    for words, told in _SWITCHES.items():
        text = text.replace(words, told)
    text = _SAID_TWICE.sub(r"\1", text)
    return _OPTION_TWICE.sub(r"\1\2", _ARGUMENT.sub(_option, text))


def _option(found: re.Match[str]) -> str:
    name, several, one = found.groups()
    value = ",".join(re.findall(r"['\"]([^'\"]*)['\"]", several or one or ""))
    if several:
        value = shlex.quote(value) if value else ""
    elif any(mark in value for mark in " '\"$()"):
        value = f'"{value}"'
    return f"{_SHOWN[name]} {value}" if value else _SHOWN[name]
