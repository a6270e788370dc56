"""Size, width and power of `interaction_effects` with few clusters.

Share of trials in which the interaction with a modifier that changes nothing is called
significant at .05, median width of its 95% interval and power for a difference of .3 SD, by
cell. Estimates move with the effect, so coverage is one minus the size. Then the same of the
second line, over all clusters, in trials that have it; and the coverage of the effects within
the groups.

    python benchmarks/interaction_effects.py --trials 400
    python benchmarks/interaction_effects.py --trials 600 --seed 211 --only "same in pairs"
    python benchmarks/interaction_effects.py --trials 300 --permutation --only "12 clusters"
    python benchmarks/interaction_effects.py --pair-means 40000

With `--permutation` the primary test, which permutes the arms, is made beside it of this modifier
alone. The last draws the clusters' means of the cell with a modifier that is the same in pairs
without their persons, and compares the pairs' differences by t with equal weights.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

import tauhat as th
from tauhat.numerics.seeds import derive_seed

DIFFERENCE, EFFECT = 0.3, 0.2
SEED = 20261129


@dataclass(frozen=True)
class Cell:
    """A design: clusters, shares of the treated, where the modifier varies, and by how much.

    ``slope_sd`` is the SD of the clusters' own slopes on the modifier, in the control and in the
    treated arm; ``extra_sd`` that of the effect between treated clusters; ``single`` the share
    of clusters that hold one group only; ``together`` the correlation of a cluster's slope and
    level; ``event`` says that the outcome is an event, whose log odds have them.
    """

    clusters: int
    treated: float = 0.5
    level: str = "person"
    slope_sd: tuple[float, float] = (0.25, 0.25)
    extra_sd: float = 0.0
    single: float = 0.0
    continuous: bool = False
    pairs: str = ""
    size: int = 25
    informative: bool = False
    together: float = 0.0
    event: bool = False

    @property
    def effect(self) -> float:
        """Effect for everyone; none of an event, so that it is the same on each scale."""
        return 0.0 if self.event else EFFECT


CELLS = {
    "12 clusters": Cell(12),
    "12 clusters, slopes alike": Cell(12, slope_sd=(0.0, 0.0)),
    "12 clusters, continuous": Cell(12, continuous=True),
    "20 clusters, a third treated, a third of one group": Cell(20, 1 / 3, single=0.3),
    "20 clusters, a third treated, slopes vary in it": Cell(20, 1 / 3, slope_sd=(0.0, 0.5)),
    "20 clusters, effect by size": Cell(20, informative=True),
    "40 clusters in pairs": Cell(40, pairs="varies"),
    "60 clusters, a third treated": Cell(60, 1 / 3, single=0.3),
    "12 clusters, modifier of clusters": Cell(12, level="cluster"),
    "20 clusters, modifier of clusters": Cell(20, level="cluster"),
    "20 clusters, modifier of clusters, treated vary more": Cell(
        20, 1 / 3, level="cluster", extra_sd=0.6
    ),
    "20 clusters, continuous modifier of clusters": Cell(20, level="cluster", continuous=True),
    "20 pairs, modifier the same in pairs": Cell(40, level="cluster", pairs="same"),
    "100 persons": Cell(100, size=1),
    "100 persons, a fifth treated, continuous": Cell(100, 0.2, size=1, continuous=True),
    "50 pairs of persons": Cell(100, size=1, pairs="varies"),
    "12 clusters, half of one group": Cell(12, single=0.5),
    "20 clusters, a third treated, a third of one group, slopes vary in it": Cell(
        20, 1 / 3, slope_sd=(0.0, 0.5), single=0.3
    ),
    "20 clusters, slopes go with levels": Cell(20, together=0.7),
    "24 clusters, events": Cell(24, event=True),
}


def draw(cell: Cell, seed: int, difference: float = 0.0) -> th.Trial:
    """One trial whose effect depends on the modifier M by ``difference``, of a number."""
    rng = np.random.default_rng(seed)
    m = cell.clusters
    pair = np.arange(m) // 2
    if cell.pairs:
        arm = (np.arange(m) + rng.integers(0, 2, m // 2)[pair]) % 2
    else:
        arm = rng.permutation(np.arange(m) < round(cell.treated * m)).astype(int)
    persons = cell.size == 1
    sizes = np.ones(m, int)
    if not persons:
        sizes = np.maximum(rng.gamma(4, cell.size / 4, m).round(), 5).astype(int)
    unit = np.repeat(np.arange(m), sizes)
    n = len(unit)
    if cell.level == "cluster":
        own = rng.normal(size=m) if cell.continuous else two_groups(rng, arm, m, cell, pair)
        modifier = own[unit].astype(float)
    elif cell.continuous:
        modifier = 0.3 * rng.normal(size=m)[unit] + rng.normal(size=n)
    else:
        modifier = (rng.random(n) < rng.beta(1.2, 1.2, m)[unit]).astype(float)
        alone = rng.permutation(m)[: round(cell.single * m)]
        for k, cluster in enumerate(alone):
            modifier[unit == cluster] = k % 2
    shared = rng.normal(size=m // 2 + 1)[pair] if cell.pairs else np.zeros(m)
    level = 0.42 * (rng.normal(size=m) + shared) / (np.sqrt(2) if cell.pairs else 1)
    slope = np.sqrt(1 - cell.together**2) * rng.normal(size=m) + cell.together * level / 0.42
    slope = np.array(cell.slope_sd)[arm] * slope
    extra = cell.extra_sd * rng.normal(size=m) * arm
    effect = cell.effect + (0.3 * (sizes / sizes.mean() - 1) if cell.informative else 0.0)
    x = 0.5 * modifier + rng.normal(size=n)
    noise = rng.normal(size=n)
    y = 0.3 * modifier + 0.4 * x + noise + (effect * arm + extra)[unit]
    y = y + difference * modifier * arm[unit]
    if not persons:
        y = y + level[unit] + slope[unit] * (modifier - modifier.mean())
    else:
        y = y + shared[unit]
    if cell.event:
        # The same sum without its noise are the log odds, of an event in a quarter.
        y = (y - noise + rng.logistic(size=n) > 1.2).astype(float)
    df = pd.DataFrame({"y": y, "arm": arm[unit], "M": modifier, "x": x, "unit": unit})
    roles = {} if persons else {"cluster": "unit"}
    if cell.pairs:
        df["pair"] = pair[unit]
        roles["block"] = "pair"
    return th.Trial(df, outcome="y", treatment="arm", covariates=["M", "x"], **roles)


def two_groups(
    rng: np.random.Generator, arm: np.ndarray, m: int, cell: Cell, pair: np.ndarray
) -> np.ndarray:
    """Half the clusters in each group, two or more of each arm in both."""
    if cell.pairs == "same":
        return rng.permutation(np.arange(m // 2) % 2)[pair]
    while True:
        group = rng.permutation(np.arange(m) % 2)
        if min(np.bincount(2 * arm + group, minlength=4)) >= 2:
            return group


def of_modifier_alone(trial: th.Trial, seed: int) -> float:
    """P-value of the permutation test, of the modifier alone."""
    data, settings = trial.data, {"random_state": seed, "n_permutations": 199}
    alone = (data.X[:, [trial.X.columns.get_loc("M")]], data.y, data.treatment, data.clusters)
    return float(th.test_heterogeneity(alone, **settings).p_value)


def measured(
    cell: Cell, number: int, trials: int, seed: int = SEED, permutation: bool = False
) -> dict[str, float]:
    """Size, median width, power and mean degrees of freedom of one cell."""
    rows, second, covered, permuted = [], [], [], []
    for k in range(trials):
        stream = derive_seed(seed, str(number), k)
        trial = draw(cell, stream)
        unit = float(trial.data.y.std()) if cell.event else 1.0
        found = th.interaction_effects(trial, "M")
        rows.append(judged(found.table.iloc[0], unit))
        if len(found.all_clusters):
            second.append(judged(found.all_clusters.iloc[0], unit))
        known = found.groups[found.groups.se.notna()]
        covered += ((known.lower < cell.effect) & (known.upper > cell.effect)).tolist()
        if permutation:
            both = (trial, draw(cell, stream, DIFFERENCE))
            permuted.append([of_modifier_alone(one, k) < 0.05 for one in both])
    values, others = (known_of(one) for one in (rows, second))
    size = values[:, 0].mean()
    result = {
        "size": size,
        "error": np.sqrt(size * (1 - size) / len(values)),
        "median width": np.median(values[:, 1]),
        "power for .3": values[:, 2].mean(),
        "df": values[:, 3].mean(),
        "groups": np.mean(covered),
    }
    if permutation:
        rejected = np.mean(permuted, axis=0)
        result |= {"permutation: size": rejected[0], "permutation: power": rejected[1]}
    if len(others):
        result |= {
            "all clusters: size": others[:, 0].mean(),
            "width": np.median(others[:, 1]),
            "power": others[:, 2].mean(),
        }
    return result


def pair_means(trials: int, seed: int) -> float:
    """Size of t on the differences within pairs, half of the pairs in each group."""
    cell, rng = CELLS["20 pairs, modifier the same in pairs"], np.random.default_rng(seed)
    pairs = cell.clusters // 2
    sizes = np.maximum(rng.gamma(4, cell.size / 4, (trials, cell.clusters)).round(), 5)
    group = rng.permuted(np.tile(np.arange(pairs) % 2, (trials, 1)), axis=1)
    modifier = np.repeat(group, 2, axis=1)
    centre = (sizes * modifier).sum(axis=1, keepdims=True) / sizes.sum(axis=1, keepdims=True)
    # What is shared in a pair has no part in its difference.
    variance = 0.42**2 / 2 + (cell.slope_sd[0] * (modifier - centre)) ** 2 + 1 / sizes
    means = np.sqrt(variance) * rng.standard_normal(sizes.shape)
    apart = means[:, ::2] - means[:, 1::2]
    sides = [apart[group == one].reshape(trials, -1) for one in (0, 1)]
    p_value = stats.ttest_ind(*sides, axis=1).pvalue
    return float(np.mean(p_value < 0.05))


def judged(found: pd.Series, unit: float) -> list[float]:
    """Whether an estimate is significant, its width, whether it would be with an effect, df."""
    quantile = (found.upper - found.lower) / (2 * found.se)
    away = abs(found.estimate + DIFFERENCE * unit) > quantile * found.se
    width = (found.upper - found.lower) / unit
    return [found.p_value < 0.05, width, away, found.degrees_of_freedom]


def known_of(rows: list[list[float]]) -> np.ndarray:
    """Rows of trials in which there was an estimate."""
    values = np.array(rows, dtype=float).reshape(-1, 4)
    return values[np.isfinite(values[:, 1])]


def main() -> None:
    """Print one row per cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the names of cells")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--permutation", action="store_true")
    parser.add_argument("--pair-means", type=int, default=0, metavar="TRIALS")
    given = parser.parse_args()
    if given.pair_means:
        print(f"size {pair_means(given.pair_means, given.seed):.4f}")
        return
    rows = {
        name: measured(cell, number, given.trials, given.seed, given.permutation)
        for number, (name, cell) in enumerate(CELLS.items())
        if any(words in name for words in given.only)
    }
    digits = {"median width": 2, "power for .3": 2, "df": 1, "width": 2, "power": 2}
    print(pd.DataFrame(rows).T.round(3).round(digits).to_string())


if __name__ == "__main__":
    main()
