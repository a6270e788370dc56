"""Changed model files in a process of bounded memory: ``python fuzz_models.py FILE SEED COUNT``.

Each change is small and lies in one part of the file, which is then packed anew with right
checksums, so that it is the reader of the part that has to notice. What is printed: how many
files gave finite effects, and how many were refused. Anything else ends the process.
"""

from __future__ import annotations

import io
import json
import re
import resource
import sys
import warnings
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import tauhat as th

MEMORY = 3 * 2**30
NUMBERS = ["0", "-1", "1", "2", "7", "999", "65536", "2147483647", "-0.5", "1e30", "1e300", "NaN"]
SCALARS = [None, True, -1, 0, 1, 2, 7, 999, 10**6, 1.5, -1e30, "x", "", "nan"]
CHARACTERS = [*'0123456789-.e=[]{},: \n"', "\r", "\u2028", "٣"]


def changed_text(text: str, rng: np.random.Generator) -> str:
    """A text with a number, a character, a line or a word changed."""
    kind = rng.integers(4)
    if kind == 0:
        found = list(re.finditer(r"-?[0-9][0-9.e+-]*", text))
        at = found[rng.integers(len(found))]
        return text[: at.start()] + str(rng.choice(NUMBERS)) + text[at.end() :]
    at = int(rng.integers(len(text)))
    if kind == 1:
        return text[:at] + str(rng.choice(CHARACTERS)) + text[at + 1 :]
    if kind == 2:
        lines = re.split(r"(\n|,)", text)
        place = int(rng.integers(len(lines)))
        lines[place] = "" if rng.random() < 0.5 else lines[rng.integers(len(lines))]
        return "".join(lines)
    return text[:at] + text[at + int(rng.integers(1, 40)) :]


def changed_manifest(text: str, rng: np.random.Generator) -> str:
    """A manifest with a value, a key or a node changed."""
    manifest = json.loads(text)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                walk(node[key])

    walk(manifest)
    node, key = places[rng.integers(len(places))]
    kind = rng.integers(4)
    other_node, other_key = places[rng.integers(len(places))]
    if kind == 0:
        node[key] = SCALARS[rng.integers(len(SCALARS))]
    elif kind == 1:
        # A copy, so that nothing holds itself.
        node[key] = json.loads(json.dumps(other_node[other_key]))
    elif kind == 2:
        del node[key]
    elif isinstance(node, dict):
        node[f"{key}_" if rng.random() < 0.5 else str(other_key)] = node.pop(key)
    else:
        node.insert(key, SCALARS[rng.integers(len(SCALARS))])
    return json.dumps(manifest)


def changed_array(data: bytes, rng: np.random.Generator) -> bytes:
    """An array with an entry, its shape or a byte of its header changed."""
    kind = rng.integers(3)
    array = np.load(io.BytesIO(data))
    if kind == 0 and array.size:
        values = [0, 1, -1, 7, 10**6, 1e30, 1e300, np.nan, -np.inf]
        usable = values if array.dtype.kind == "f" else values[:5]
        array.flat[rng.integers(array.size)] = usable[rng.integers(len(usable))]
    elif kind == 1:
        shape = [(-1,), (1, -1), (-1, 1), (array.size, 1, 1)][rng.integers(4)]
        array = array.reshape(shape) if rng.random() < 0.5 else array.ravel()[:-1]
    else:
        at = int(rng.integers(min(len(data), 128)))
        return data[:at] + bytes([rng.integers(32, 127)]) + data[at + 1 :]
    target = io.BytesIO()
    np.save(target, array)
    return target.getvalue()


def changed_file(whole: bytes, rng: np.random.Generator) -> bytes:
    """A file with one part changed."""
    if rng.random() < 0.1:
        at = int(rng.integers(len(whole)))
        return whole[:at] + bytes([rng.integers(256)]) + whole[at + 1 :]
    with zipfile.ZipFile(io.BytesIO(whole)) as zipped:
        members = {name: zipped.read(name) for name in zipped.namelist()}
    parts = ["manifest.json", "arrays", "texts"]
    part = parts[rng.choice(3, p=[0.4, 0.3, 0.3])]
    names = [name for name in members if name.startswith(part)] or ["manifest.json"]
    name = names[rng.integers(len(names))]
    if name.endswith(".npy"):
        members[name] = changed_array(members[name], rng)
    else:
        change = changed_manifest if name == "manifest.json" else changed_text
        members[name] = change(members[name].decode(), rng).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as zipped:
        for member, data in members.items():
            zipped.writestr(member, data)
    return target.getvalue()


def main(path: Path, seed: int, count: int) -> None:
    """Try changed files one after the other."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    whole = path.read_bytes()
    model = th.load(path)
    p = model.trial_data_.X.shape[1]
    new = np.random.default_rng(1).normal(size=(30, p))
    outcomes: Counter[str] = Counter()
    changed = path.with_suffix(".changed")
    for number in range(count):
        changed.write_bytes(changed_file(whole, np.random.default_rng([seed, number])))
        try:
            effect = th.load(changed).effect(new)
            assert effect.shape == (30,)
            assert np.isfinite(effect).all()
            outcomes["fine"] += 1
        except th.TrialError:
            outcomes["refused"] += 1
        except BaseException:
            print(f"{path.name}: change {number} of seed {seed}", file=sys.stderr)
            raise
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
