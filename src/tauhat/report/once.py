"""What several contrasts say in nearly the same words, said once."""

from __future__ import annotations

import re
from collections import Counter
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
    >>> left = {name: [f"Models. Left out: {one}."] for name, one in zip("bcd", "xxy")}
    >>> told_once(left)
    ['Models. Left out: x (b and c) and y (d).']
    """
    items: dict[tuple[str, int], dict[str, str]] = {}
    for name, sentences in said.items():
        begun: Counter[str] = Counter()
        for sentence in sentences:
            first = _sentences(sentence)[0]
            items.setdefault((first, begun[first]), {})[name] = sentence
            begun[first] += 1
    return [one for found in items.values() for one in _items(found, among=len(said))]


def _items(found: Mapping[str, str], *, among: int) -> list[str]:
    """The items that some contrasts begin with the same sentence: one, or that and their rests."""
    parts = {name: _sentences(sentence) for name, sentence in found.items()}
    # Some sentences name their contrast themselves.
    shared = len(found) == among or all(name in sentence for name, sentence in found.items())
    whole = "" if shared else f"{join_words(list(found))}: "
    if len({len(part) for part in parts.values()}) > 1:
        rests = [f"{name}: {' '.join(part[1:])}" for name, part in parts.items() if part[1:]]
        return [whole + next(iter(parts.values()))[0], *rests]
    alike = zip(*parts.values(), strict=True)
    return [whole + " ".join(_merged(dict(zip(found, one, strict=True))) for one in alike)]


def _merged(found: Mapping[str, str]) -> str:
    """The same sentence of some contrasts, with what differs followed by their names."""
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    alike: dict[str, list[str]] = {}
    for name, sentence in found.items():
        alike.setdefault(sentence, []).append(name)
    whose = [join_words(names) for names in alike.values()]
    # What a sentence ends with stands behind the names of what differs.
    ends = {sentence[-1] for sentence in alike}
    end = ends.pop() if len(ends) == 1 and ends <= set(".?!") else ""
    words = [sentence.removesuffix(end).split(" ") for sentence in alike]
    first, last = _shared(words), _shared([one[::-1] for one in words])
    last = min(last, min(map(len, words)) - first)
    middles = [one[first : len(one) - last] for one in words]
    if not all(0 < len(middle) <= _LONGEST for middle in middles):
        return " ".join(f"{names}: {one}" for names, one in zip(whose, alike, strict=True))
    own = [f"{' '.join(middle)} ({names})" for names, middle in zip(whose, middles, strict=True)]
    return " ".join([*words[0][:first], join_words(own), *words[0][len(words[0]) - last :]]) + end


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
