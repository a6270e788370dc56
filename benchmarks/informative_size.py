"""Size and power of the test of informative cluster size.

Rejections at .05 where effects are constant and outcomes go with the size of the cluster in both
arms ("size"), and where effects go with it ("power"); beside those of the t-test of the
difference of both averages.

    python benchmarks/informative_size.py --trials 1000
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

import tauhat as th


def draw(m: int, seed: int, slope: float) -> tuple[np.ndarray, ...]:
    """Clusters of 5 to 80 persons, whose outcome and, by the slope, effect go with log size."""
    rng = np.random.default_rng([seed, m])
    sizes = np.round(np.exp(rng.uniform(np.log(5), np.log(80), m))).astype(int)
    cluster = np.repeat(np.arange(m), sizes)
    arm = rng.permutation(np.arange(m) % 2)[cluster]
    along = (np.log(sizes) - np.log(20))[cluster]
    x = rng.normal(size=len(cluster))
    level = (0.3 + 0.2 * (sizes > 30)) * rng.standard_t(5, size=m)
    y = 0.5 * x + 0.3 * along + arm * (0.5 + slope * along) + level[cluster]
    return x[:, None], y + rng.normal(size=len(cluster)), arm, cluster


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--clusters", default="12,20,40")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| clusters | size, permutation | size, t | power, permutation | power, t |")
    print("|--:|--:|--:|--:|--:|")
    for m in map(int, given.clusters.split(",")):
        cells = []
        for slope in (0.0, 0.4):
            found = [th.average_effects(draw(m, s, slope)) for s in range(given.trials)]
            p = np.array([[one.size_p_value, one.difference.p_value] for one in found])
            for share in (p <= 0.05).mean(axis=0):
                error = np.sqrt(share * (1 - share) / given.trials)
                cells.append(f"{share:.3f} ({error:.3f})")
        print(f"| {m} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
