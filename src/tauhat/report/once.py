"""What several contrasts say in nearly the same words, said once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tauhat.wording import join_words

# A longer part that differs is no number: then each contrast keeps its sentence.
_LONGEST = 3


def told_once(said: Mapping[str, Sequence[str]]) -> list[str]:
    """Items of all contrasts; those that begin alike are one, with each contrast's own numbers.

    Parameters
    ----------
    said
        Items by the name of the contrast.

    Examples
    --------
    >>> wide = "What one gains: nobody knows. It is {} wide on average."
    >>> told_once({"b": [wide.format(2), "Why."], "c": [wide.format(5), "Why.", "How."]})
    ['What one gains: nobody knows. It is 2 (b) and 5 (c) wide on average.', 'Why.', 'c: How.']
    """
    items: dict[str, dict[str, str]] = {}
    for name, sentences in said.items():
        for sentence in sentences:
            items.setdefault(_sentences(sentence)[0], {})[name] = sentence
    return [_one(found, among=len(said)) for found in items.values()]


def _one(found: Mapping[str, str], *, among: int) -> str:
    """One item from those of some contrasts, which begin with the same sentence."""
    parts = [_sentences(sentence) for sentence in found.values()]
    whole = ""
    # Some sentences name their contrast themselves.
    if len(found) < among and not all(name in sentence for name, sentence in found.items()):
        whole = f"{join_words(list(found))}: "
    if len({len(part) for part in parts}) > 1:
        rest = (f"{name}: {' '.join(part[1:])}" for name, part in zip(found, parts, strict=True)
                if part[1:])  # fmt: skip
        return whole + " ".join([parts[0][0], *rest])
    return whole + " ".join(
        _merged(dict(zip(found, alike, strict=True))) for alike in zip(*parts, strict=True)
    )


def _merged(found: Mapping[str, str]) -> str:
    """The same sentence of some contrasts, with what differs followed by their names."""
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    words = [sentence.split(" ") for sentence in found.values()]
    first, last = _shared(words), _shared([one[::-1] for one in words])
    last = min(last, min(map(len, words)) - first)
    middles = [one[first : len(one) - last] for one in words]
    if not all(0 < len(middle) <= _LONGEST for middle in middles):
        return " ".join(f"{name}: {sentence}" for name, sentence in found.items())
    own = [f"{' '.join(middle)} ({name})" for name, middle in zip(found, middles, strict=True)]
    return " ".join([*words[0][:first], join_words(own), *words[0][len(words[0]) - last :]])


def _shared(words: Sequence[Sequence[str]]) -> int:
    """Number of words with which all begin."""
    count = 0
    for alike in zip(*words, strict=False):
        if len(set(alike)) > 1:
            break
        count += 1
    return count


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?!]) (?=[A-Z])", text)
