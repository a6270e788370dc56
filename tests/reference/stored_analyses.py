"""Ten small trials of every design and what tauhat makes of them, stored in a file beside this one.

The numbers pin results, not truth: they must not move when code is put in order. A change that
is meant to move some of them stores them anew and says so in the CHANGELOG:

    python tests/reference/stored_analyses.py            # largest differences, quick analyses
    python tests/reference/stored_analyses.py --all      # and every estimator at reduced settings
    python tests/reference/stored_analyses.py --write    # store the quick analyses anew
    python tests/reference/stored_analyses.py --write --all
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_info

import tauhat as th
from tauhat.ensembles.ensemble import Ensemble
from tauhat.inference import compare, cross_fit, group_effect, rate
from tauhat.outcome import LinearMixedModel

STORED = Path(__file__).with_suffix(".json")
#: Estimators that take a fraction of a second.
CHEAP = ("LMM", "T-Linear", "X-LMM", "DR-Linear")
#: The trials that every registered estimator is fitted to.
FOR_EVERY_ESTIMATOR = ("persons in blocks", "clusters in blocks of 2 + 2", "clusters in pairs")

Draw = Callable[[np.random.Generator], dict[str, Any]]
Numbers = dict[str, list[float]]


def _covariates(rng: np.random.Generator, n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": rng.normal(60, 10, n),
            "score": rng.normal(size=n),
            "female": rng.integers(0, 2, n),
        }
    )


def _trial(
    rng: np.random.Generator,
    arm: Any,
    *,
    cluster: Any = None,
    block: Any = None,
    missing: bool = False,
) -> dict[str, Any]:
    """Columns of a trial whose effect rises with the score; clusters and blocks have levels."""
    table = _covariates(rng, len(arm))
    y = 0.03 * table.age + table.score + arm * (0.5 + 0.8 * table.score) + rng.normal(size=len(arm))
    for groups, spread in ((cluster, 0.4), (block, 1.0)):
        if groups is not None:
            y = y + spread * rng.normal(size=int(groups.max()) + 1)[groups]
    if cluster is not None:
        table["beds"] = rng.integers(10, 90, int(cluster.max()) + 1)[cluster].astype(float)
    if missing:
        table.loc[rng.random(len(table)) < 0.15, "age"] = np.nan
    table["y"], table["arm"] = y, arm
    roles: dict[str, Any] = {"outcome": "y", "treatment": "arm"}
    for name, groups in (("cluster", cluster), ("block", block)):
        if groups is not None:
            table[name], roles[name] = [f"{name} {g}" for g in groups], name
    return {"frame": table, **roles}


def _persons(rng: np.random.Generator) -> dict[str, Any]:
    return _trial(rng, rng.permutation(np.arange(150) % 2))


def _persons_in_blocks(rng: np.random.Generator) -> dict[str, Any]:
    return _trial(rng, np.tile([0, 1], 80), block=np.repeat(np.arange(8), 20))


def _pairs_of_persons(rng: np.random.Generator) -> dict[str, Any]:
    return _trial(rng, np.tile([0, 1], 70), block=np.repeat(np.arange(70), 2))


def _unequal_allocation(rng: np.random.Generator) -> dict[str, Any]:
    block = np.repeat(np.arange(4), 40)
    share = np.array([0.25, 0.5, 0.5, 0.75])[block]
    return _trial(rng, (np.tile(np.arange(40), 4) < 40 * share).astype(int), block=block)


def _missing_covariates(rng: np.random.Generator) -> dict[str, Any]:
    return _trial(rng, np.tile([0, 1], 75), missing=True)


def _members(rng: np.random.Generator, m: int, mean: int) -> Any:
    return np.repeat(np.arange(m), rng.integers(mean - 3, mean + 4, m))


def _clusters(rng: np.random.Generator) -> dict[str, Any]:
    cluster = _members(rng, 20, 9)
    return _trial(rng, rng.permutation(np.arange(20) % 2)[cluster], cluster=cluster)


def _small_blocks_of_clusters(rng: np.random.Generator) -> dict[str, Any]:
    cluster = _members(rng, 24, 8)
    block = np.repeat(np.arange(6), 4)
    return _trial(rng, np.tile([0, 0, 1, 1], 6)[cluster], cluster=cluster, block=block[cluster])


def _pairs_of_clusters(rng: np.random.Generator) -> dict[str, Any]:
    cluster = _members(rng, 24, 8)
    return _trial(rng, np.tile([0, 1], 12)[cluster], cluster=cluster, block=cluster // 2)


def _few_clusters(rng: np.random.Generator) -> dict[str, Any]:
    cluster = _members(rng, 7, 24)
    return _trial(rng, np.array([0, 1, 0, 1, 0, 1, 0])[cluster], cluster=cluster)


TRIALS: Mapping[str, tuple[Draw, bool]] = {
    "persons": (_persons, False),
    "persons in blocks": (_persons_in_blocks, False),
    "persons in pairs": (_pairs_of_persons, False),
    "unequal allocation by block": (_unequal_allocation, False),
    "missing covariates": (_missing_covariates, False),
    "clusters": (_clusters, False),
    "clusters in blocks of 2 + 2": (_small_blocks_of_clusters, False),
    "clusters in pairs": (_pairs_of_clusters, False),
    "few clusters": (_few_clusters, False),
    "weights": (_small_blocks_of_clusters, True),
}
"""How each trial is drawn, and whether its persons have weights."""


def arrays_of(name: str) -> tuple[Any, ...]:
    """X, y, treatment, clusters, sample_weight, blocks, propensity of a stored trial."""
    draw, weighted = TRIALS[name]
    rng = np.random.default_rng(list(TRIALS).index(name))
    parts = draw(rng)
    frame = parts.pop("frame")
    # A part of it in another order: row order must not matter.
    arrays = tuple(th.Trial(frame.sample(frac=1, random_state=1), **parts))
    if weighted:
        arrays = (*arrays[:4], rng.uniform(0.5, 2.0, len(frame)), *arrays[5:])
    return arrays


def _numbers(table: pd.DataFrame) -> list[float]:
    return table.select_dtypes("number").to_numpy(dtype=float).ravel().tolist()


def quick_numbers(name: str) -> Numbers:
    """Results of the quick analyses of a stored trial by their names."""
    trial = arrays_of(name)
    found: Numbers = {"average effects": _numbers(th.average_effects(trial).table)}
    test = th.test_heterogeneity(trial, random_state=3, n_permutations=199)
    found["test"] = [test.p_value, test.statistic, test.n_assignments, *_numbers(test.table)]
    outcome = LinearMixedModel()
    fit = cross_fit(trial, "LMM", n_splits=2, n_folds=3, outcome_model=outcome, random_state=5)
    found["folds"] = fit.folds.ravel().tolist()
    found["held-out effects"] = fit.effects[:, ::10].ravel().tolist()
    found["group effects"] = _numbers(group_effect(fit, "score > 0").table)
    found["rate"] = _numbers(rate(fit).table)
    posterior = None
    for estimator in CHEAP:
        model = th.estimator(estimator, random_state=7).fit(*trial)
        if posterior is not None:
            # That of the trial and the seed, which the estimators have in common.
            model.reference_posterior_ = posterior
        posterior = model.reference_posterior()
        lower, upper = model.effect_interval(trial[0][:6])
        found[estimator] = [*model.effect(trial[0][:6]), *lower, *upper]
    model = th.estimator("LMM", random_state=7).fit(*trial)
    found["bootstrap"] = np.ravel(model.effect_interval(trial[0][:6], n_bootstrap=4)).tolist()
    found["compare"] = _numbers(compare(trial, ["LMM"], n_folds=3, random_state=2).table)
    return {what: [float(number) for number in values] for what, values in found.items()}


def reduced_estimator(name: str) -> Any:
    """A registered estimator at the settings of the bootstrap; an ensemble of cheap members."""
    model = th.estimator(name, random_state=7)
    if isinstance(model, Ensemble):
        return model.set_params(members=[(own, th.estimator(own)) for own in CHEAP])
    return model.reduced()


def estimator_numbers(name: str, estimator: str) -> list[float]:
    """Effects and intervals of six persons by a registered estimator at reduced settings."""
    trial = arrays_of(name)
    model = reduced_estimator(estimator).fit(*trial)
    lower, upper = model.effect_interval(trial[0][:6])
    return [float(number) for number in (*model.effect(trial[0][:6]), *lower, *upper)]


def machine() -> dict[str, str]:
    """What the last bits of a result depend on beside the code."""
    libraries = threadpool_info()
    kernels = sorted({str(library.get("architecture")) for library in libraries})
    return {"numpy": np.__version__, "kernels": ", ".join(kernels)}


def largest_difference(stored: list[float], found: list[float]) -> float:
    """Largest distance relative to the size of the numbers; infinite where one is missing."""
    first, second = np.array(stored, dtype=float), np.array(found, dtype=float)
    if first.shape != second.shape or (np.isnan(first) != np.isnan(second)).any():
        return np.inf
    apart = np.abs(first - second) / np.maximum(np.abs(first), 1.0)
    return float(np.nanmax(apart, initial=0.0))


def main() -> None:
    """Store the numbers, or say how far today's are from those stored."""
    write = "--write" in sys.argv
    stored = json.loads(STORED.read_text(encoding="utf-8"))

    def settle(kept: dict[str, Any], name: str, what: str, numbers: list[float]) -> None:
        if not write:
            print(name, what, largest_difference(kept[name][what], numbers), flush=True)
            return
        kept.setdefault(name, {})[what] = numbers
        # After each, so that a run that is stopped keeps what it has.
        text = json.dumps({**stored, "machine": machine()})
        STORED.write_text(text + "\n", encoding="utf-8")

    for name in TRIALS:
        for what, numbers in quick_numbers(name).items():
            settle(stored["quick"], name, what, numbers)
    for name in FOR_EVERY_ESTIMATOR if "--all" in sys.argv else ():
        for estimator in th.estimator_names():
            try:
                numbers = estimator_numbers(name, estimator)
            except th.TrialError:
                continue  # it is for events or times
            settle(stored["estimators"], name, estimator, numbers)


if __name__ == "__main__":
    main()
