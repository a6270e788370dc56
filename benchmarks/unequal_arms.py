"""Coverage of average effects where the arms have very different numbers of units.

Clusters of 15 persons (or of sizes with CV .8), groups of about 20 persons against single ones,
persons, and clusters in blocks of unequal sizes; errors of the same or of different variance in
the arms, normal or skewed, with three covariates, none, or (persons) ten. The last table has
blocks: there the target is the effect on the persons of the trial, which may differ from block
to block.

Usage: python benchmarks/unequal_arms.py --trials 600 [--only clusters]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from tauhat.inference import average_effects
from tauhat.numerics.seeds import derive_seed

# Treated and control clusters.
CLUSTERS = ((2, 30), (3, 40), (2, 4), (3, 3), (4, 12), (10, 10), (16, 16))
PERSONS = ((2, 30), (3, 40), (2, 198), (5, 195), (10, 190), (30, 60), (100, 100))
GROUPS = ((5, 100), (2, 30))
# Control and treated clusters of each block.
BLOCKS = {
    "6 of 2 + 2": ((2, 2),) * 6,
    "3 of 8 + 2": ((8, 2),) * 3,
    "2 of 15 + 2": ((15, 2),) * 2,
    "10 of 4 + 1": ((4, 1),) * 10,
    "8 of 1 + 2 or 2 + 1": ((1, 2), (2, 1)) * 4,
    "12 pairs": ((1, 1),) * 12,
    "40 pairs": ((1, 1),) * 40,
    "8 pairs, 2 of 4 + 4": ((1, 1),) * 8 + ((4, 4),) * 2,
    "8 of 4 to 8": ((2, 2), (3, 3), (2, 4), (4, 2), (2, 6), (6, 2), (3, 3), (2, 2)),
}


@dataclass(frozen=True)
class Setting:
    """Everything about a simulated trial but its numbers of units."""

    icc: float = 0.1
    treated_variance: float = 1.0
    covariates: int = 3
    skewed: bool = False
    size_cv: float = 0.0
    informative: float = 0.0
    effect_sd: float = 0.0


SETTINGS = {
    "ICC .02": Setting(icc=0.02),
    "ICC .1": Setting(),
    "ICC .3": Setting(icc=0.3),
    "variance x 1/4": Setting(treated_variance=0.25),
    "variance x 2": Setting(treated_variance=2.0),
    "variance x 4": Setting(treated_variance=4.0),
    "no covariates": Setting(covariates=0),
    "skewed": Setting(skewed=True),
    "sizes": Setting(size_cv=0.8),
    "informative sizes": Setting(size_cv=0.8, informative=0.5),
}
BLOCK_SETTINGS = {
    "same effect": Setting(),
    "effect by block": Setting(effect_sd=0.4),
    "sizes": Setting(size_cv=0.8),
    "sizes, effect by block": Setting(size_cv=0.8, effect_sd=0.4),
    "informative sizes": Setting(size_cv=0.8, informative=0.5),
}


def draw(rng, arm, block, setting, sizes=None):
    """X, y, arm, clusters, weights, blocks of a trial, and the effect of each cluster."""
    m, cv = len(arm), setting.size_cv
    if sizes is None:
        drawn = rng.gamma(1 / cv**2, 20 * cv**2, m) if cv else np.full(m, 15)
        sizes = np.maximum(3, np.round(drawn)).astype(int)
    noise = (lambda k: rng.exponential(size=k) - 1) if setting.skewed else rng.standard_normal
    unit = np.repeat(np.arange(m), sizes)
    X = rng.normal(size=(len(unit), max(setting.covariates, 1)))
    X[:, -1] = rng.normal(size=m)[unit]
    slopes = np.zeros(X.shape[1])
    if setting.covariates:
        slopes[[0, -1]] = 0.5, 0.2
    shift = setting.informative * np.log(sizes / 20)
    effect = shift + (setting.effect_sd * rng.normal(size=block.max() + 1))[block]
    level = shift + (0.8 * rng.normal(size=block.max() + 1))[block]
    error = np.sqrt(setting.icc) * noise(m)[unit] + np.sqrt(1 - setting.icc) * noise(len(unit))
    error *= np.where(arm == 1, np.sqrt(setting.treated_variance), 1.0)[unit]
    y = X @ slopes + (level + effect * arm)[unit] + error
    blocks = block[unit] if block.any() else None
    clusters = None if sizes.max() == 1 else unit
    X = X if setting.covariates else np.zeros((len(unit), 1))
    return (X, y, arm[unit], clusters, None, blocks), sizes, effect


def population_effects(setting):
    """Individual- and cluster-average effect over very many clusters."""
    if not setting.informative:
        return 0.0, 0.0
    drawn = np.random.default_rng(0).gamma(1 / setting.size_cv**2, 20 * setting.size_cv**2, 10**6)
    sizes = np.maximum(3, np.round(drawn))
    effect = setting.informative * np.log(sizes / 20)
    return float((sizes * effect).sum() / sizes.sum()), float(effect.mean())


def coverage(treated, control, setting, trials, kind="clusters"):
    """Coverage of both averages, median width and degrees of freedom of the first."""
    aims = population_effects(setting)
    arm = np.repeat([1, 0], [treated, control])
    block = np.zeros(len(arm), dtype=int)
    covered, widths = [], []
    for number in range(trials):
        rng = np.random.default_rng(derive_seed(20261128, treated, control, str(setting), number))
        sizes = None
        if kind == "groups":
            sizes = np.r_[np.maximum(3, rng.poisson(20, treated)), np.ones(control, dtype=int)]
        elif kind == "persons":
            sizes = np.ones(len(arm), dtype=int)
        found = average_effects(draw(rng, arm, block, setting, sizes)[0])
        both = [found.individual, found.cluster or found.individual]
        covered.append([e.lower <= aim <= e.upper for e, aim in zip(both, aims, strict=True)])
        widths.append(found.individual.upper - found.individual.lower)
    share = np.mean(covered, axis=0)
    return share, float(np.median(widths)), found.individual.degrees_of_freedom


def coverage_in_blocks(blocks, setting, trials):
    """Coverage of both averages over the clusters of the trial, and the same two figures."""
    block = np.repeat(np.arange(len(blocks)), [sum(pair) for pair in blocks])
    covered, widths = [], []
    for number in range(trials):
        rng = np.random.default_rng(derive_seed(20261128, str(blocks), str(setting), number))
        arm = np.concatenate([rng.permutation(np.repeat([0, 1], pair)) for pair in blocks])
        trial, sizes, effect = draw(rng, arm, block, setting)
        found = average_effects(trial)
        aims = (float((sizes * effect).sum() / sizes.sum()), float(effect.mean()))
        both = [found.individual, found.cluster]
        covered.append([e.lower <= aim <= e.upper for e, aim in zip(both, aims, strict=True)])
        widths.append(found.individual.upper - found.individual.lower)
    share = np.mean(covered, axis=0)
    return share, float(np.median(widths)), found.individual.degrees_of_freedom


def _row(name, results):
    """Coverage by setting; df and median width of the plain setting (the first with one)."""
    row = {"design": name}
    for setting, (share, _, _) in results.items():
        different = abs(share[0] - share[1]) > 1e-12
        row[setting] = " / ".join(f"{s:.3f}" for s in (share if different else share[:1]))
    _, width, free = results.get("ICC .1") or results["same effect"]
    return row | {"df": f"{free:.1f}", "width": f"{width:.2f}"}


def of_clusters(trials):
    """Clusters against clusters."""
    return [
        _row(f"{t} : {c}", {n: coverage(t, c, s, trials) for n, s in SETTINGS.items()})
        for t, c in CLUSTERS
    ]


def of_groups(trials):
    """Groups against persons."""
    settings = {n: s for n, s in SETTINGS.items() if not s.size_cv}
    return [
        _row(
            f"{t} groups : {c} persons",
            {n: coverage(t, c, s, trials, "groups") for n, s in settings.items()},
        )
        for t, c in GROUPS
    ]


def of_persons(trials):
    """Persons against persons."""
    settings = {
        n: replace(s, icc=0.0)
        for n, s in SETTINGS.items()
        if not s.size_cv and n not in ("ICC .02", "ICC .3")
    }
    settings["10 covariates"] = Setting(icc=0.0, covariates=10)
    return [
        _row(f"{t} : {c}", {n: coverage(t, c, s, trials, "persons") for n, s in settings.items()})
        for t, c in PERSONS
    ]


def of_blocks(trials):
    """Clusters in blocks."""
    return [
        _row(name, {n: coverage_in_blocks(b, s, trials) for n, s in BLOCK_SETTINGS.items()})
        for name, b in BLOCKS.items()
    ]


TABLES = {"clusters": of_clusters, "groups": of_groups, "persons": of_persons, "blocks": of_blocks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    options = parser.parse_args()
    with threadpool_limits(limits=1):
        for name in options.only:
            table = pd.DataFrame(TABLES[name](options.trials))
            print(table.fillna("").to_string(index=False), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
