"""Labels that are spelt nearly alike, and their merging under one spelling."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from tauhat._typing import AnyArray
from tauhat.tables.columns import missing_values
from tauhat.tables.labels import label_text, near_pairs, plain_letters

_LEAST_LETTERS = 5
# Beyond so many labels, pairs one letter apart are likely to be different words.
_MOST_LABELS = 2000
_SHORT = {"saint": "st", "sainte": "st", "mount": "mt", "center": "ctr", "centre": "ctr"}
_SHORT |= {"cntr": "ctr", "hospital": "hosp", "university": "univ", "department": "dept"}
_SHORT |= {"and": "&", "number": "no", "nr": "no"}
# Words of a unit's name that some leave out.
_KINDS_OF_PLACES = frozenset({"hosp", "clinic", "ctr", "school", "practice", "surgery"})


def near_spellings(
    labels: Iterable[Any], groups: Mapping[str, Any] | None = None
) -> list[tuple[str, str]]:
    """Pairs of labels that differ by one letter of one word, a usual abbreviation, or "Hospital".

    The word has at least five letters in both and begins alike; the last letter is
    not another one, as in "siteA" and "siteB"; numbers are the same. One of two labels may lack the
    word that says what kind of place it is, where no other one does: "St Mary" beside "St Mary
    Hospital", but not also beside "St Mary Clinic".

    Parameters
    ----------
    labels
        Labels, each at least once.
    groups
        What each label goes with, such as the arm of a cluster: pairs that differ in it are
        different.

    Returns
    -------
    list of pairs of str
        Sorted, without those of `tauhat.tables.labels.near_pairs`.

    Examples
    --------
    >>> near_spellings(["Harlem", "Harlam", "Ward 1", "Ward 2", "Saint Luke", "St Luke"])
    [('Harlam', 'Harlem'), ('Saint Luke', 'St Luke')]
    >>> near_spellings(["St Mary", "St Mary Hospital", "Kent Hospital", "Kent Clinic"])
    [('St Mary', 'St Mary Hospital')]
    >>> near_spellings(["male", "female", "inpatient", "outpatient", "northeast", "northwest"])
    []
    """
    texts = sorted({label_text(label) for label in labels})
    if len(texts) > _MOST_LABELS:
        return []
    tokens = {text: _tokens(text) for text in texts}
    words = {
        text: tuple(_SHORT.get(token, token) for token in found) for text, found in tokens.items()
    }
    alike = {frozenset(pair) for pair in near_pairs(texts)}
    near: defaultdict[Any, list[str]] = defaultdict(list)
    for text in texts:
        for key in _keys(words[text]):
            near[key].append(text)
    found = {
        pair
        for pair in _without_kind(words)
        if groups is None or groups.get(pair[0]) == groups.get(pair[1])
    }
    for several in near.values():
        for k, first in enumerate(several):
            for second in several[k + 1 :]:
                same = groups is None or groups.get(first) == groups.get(second)
                # Where only signs differ, other rules say whether labels are alike.
                new = frozenset((first, second)) not in alike and tokens[first] != tokens[second]
                if same and new and _one_apart(words[first], words[second]):
                    found.add((first, second))
    return sorted(found)


def _tokens(text: str) -> list[str]:
    """Words, numbers and signs of a label, in plain letters, with its humps apart."""
    apart = plain_letters(re.sub(r"([a-z])([A-Z])", r"\1 \2", text))
    kept = "".join(c for c in apart if not unicodedata.combining(c))
    return re.findall(r"[^\W\d_]+|\d+|[&<>+%]", kept)


def _keys(words: tuple[str, ...]) -> set[Any]:
    """What labels one letter apart have in common."""
    keys: set[Any] = {words}
    for k, word in enumerate(words):
        if len(word) >= _LEAST_LETTERS and word.isalpha():
            shorter = [word, *(word[:i] + word[i + 1 :] for i in range(len(word)))]
            keys.update((words[:k], one, words[k + 1 :]) for one in shorter)
    return keys


def _without_kind(words: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """Pairs of labels of which one has a word more, that of a kind of place."""
    longer: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for text, those in words.items():
        for k, word in enumerate(those):
            if word in _KINDS_OF_PLACES and len(those) > 1:
                longer[those[:k] + those[k + 1 :]].append(text)
    for text, those in words.items():
        if len(longer[those]) == 1:
            first, second = sorted([text, longer[those][0]])
            yield first, second


def _one_apart(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    if first == second:
        return True
    differ = [(a, b) for a, b in zip(first, second, strict=True) if a != b]
    return len(differ) == 1 and _one_letter(*differ[0])


def _one_letter(first: str, second: str) -> bool:
    """Whether two words differ by one letter left out, added, changed, or swapped with the next."""
    if first[0] != second[0] or min(len(first), len(second)) < _LEAST_LETTERS:
        return False
    start = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    if start is None:
        return abs(len(first) - len(second)) == 1
    if len(first) != len(second):
        long, short = (first, second) if len(first) > len(second) else (second, first)
        return long[start + 1 :] == short[start:]
    changed = first[start + 1 :] == second[start + 1 :] and start < len(first) - 1
    swapped = first[start : start + 2] == second[start : start + 2][::-1]
    return changed or (swapped and first[start + 2 :] == second[start + 2 :])


@dataclass
class MergedLabels:
    """Labels that were taken for the same, column by column.

    Attributes
    ----------
    spelling
        For each column, the spelling that stands for each other one.
    rows
        For each column, how many rows had another spelling.
    """

    spelling: dict[str, dict[str, str]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def merge(self, column: pd.Series[Any], groups: AnyArray | None = None) -> pd.Series[Any]:
        """A column with labels that are nearly alike as one, spelt as most rows have it.

        Examples
        --------
        >>> merged = MergedLabels()
        >>> merged.merge(pd.Series(["Drug", "drug ", "Drug", "none"], name="arm")).tolist()
        ['Drug', 'Drug', 'Drug', 'none']
        >>> merged.spelling, merged.rows
        ({'arm': {'drug': 'Drug'}}, {'arm': 1})
        """
        name = str(column.name)
        texts = column.astype(object).where(~missing_values(column), None).map(_text)
        counts = Counter(text for text in texts if text is not None)
        pairs = near_labels(counts, None if groups is None else labels_with(texts, groups))
        into = _spellings(pairs, counts)
        if not into:
            return column
        self.spelling[name] = into
        self.rows[name] = sum(counts[text] for text in into)
        return self.spelt(column)

    def spelt(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """A column of the same name with the labels as they were merged."""
        into = self.spelling.get(str(column.name))
        if not into:
            return column

        def one(value: Any) -> Any:
            return into.get(label_text(value), value)

        if isinstance(column.dtype, pd.CategoricalDtype):
            levels = list(dict.fromkeys(map(one, column.cat.categories)))
            dtype = pd.CategoricalDtype(levels, ordered=column.cat.ordered)
            return column.astype(object).map(one, na_action="ignore").astype(dtype)
        return column.map(one, na_action="ignore")

    def spelt_table(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table with all its merged columns so."""
        names = [name for name in self.spelling if name in table.columns]
        return table.assign(**{name: self.spelt(table[name]) for name in names})

    def label(self, name: str, given: Any) -> Any:
        """A label as the column has it now."""
        return self.spelling.get(name, {}).get(label_text(given), given)


def near_labels(
    labels: Iterable[Any], groups: Mapping[str, Any] | None = None
) -> list[tuple[str, str]]:
    """Pairs of labels that may be meant to be the same, in whatever way they differ."""
    labels = list(labels)
    return [*near_pairs(labels), *near_spellings(labels, groups)]


def labels_with(labels: Iterable[Any], groups: Sequence[Any] | AnyArray) -> dict[str, Any]:
    """The group that each label goes with; all of them if it goes with several."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for label, group in zip(labels, groups, strict=True):
        if label is not None:
            found[label_text(label)].add(str(group))
    return {label: frozenset(those) for label, those in found.items()}


def _text(value: Any) -> str | None:
    return None if value is None else label_text(value)


def _spellings(pairs: Sequence[tuple[str, str]], counts: Mapping[str, int]) -> dict[str, str]:
    """For each other spelling the one that most rows have."""
    group = {text: {text} for pair in pairs for text in pair}
    for first, second in pairs:
        union = group[first] | group[second]
        for text in union:
            group[text] = union
    into = {}
    for text, those in group.items():
        best = min(those, key=lambda other: (-counts[other], other))
        if best != text:
            into[text] = best
    return dict(sorted(into.items()))


def holds_labels(column: pd.Series[Any]) -> bool:
    """Whether a column is one of words, whose spelling may differ."""
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        kind = column.cat.categories.dtype
    return pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind)
