"""Size and power of the heterogeneity test, and its time.

Run: ``python benchmarks/heterogeneity_size_power.py [--trials 300] [--permutations 499]
[--first 0] [--only TEXT] [--time]``. One line per cell: share of trials with p <= .05 for the
test, for its blocks, and for any modifier after adjustment (the family error where nothing
modifies the effect). The Monte Carlo standard error is printed beside the first.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from second_generator import SecondGenerator
from tauhat.inference import test_heterogeneity
from tauhat.numerics.seeds import derive_seed
from tauhat.simulate import scenario

BLOCKS = ("linear", "curvature", "products", "cluster-level")


@dataclass(frozen=True)
class Cell:
    """One design and truth."""

    # "crt" and "second" are scenarios, "cluster", "cluster2" and "person" are made here.
    design: str
    units: int
    truth: str = "constant"
    null: str = "base"
    icc: float = 0.1
    treated: int | None = None
    covariates: int = 7

    @property
    def label(self) -> str:
        """Design, size, truth and null in one line."""
        clustered = self.design != "person"
        size = "m" if clustered else "n"
        arms = "" if self.treated is None else f" arms {self.treated}:{self.units - self.treated}"
        icc = f" icc {self.icc:g}" if clustered else ""
        wide = "" if self.covariates == 7 else f" p={self.covariates}"
        return f"{self.design:8s} {size}={self.units}{icc} {self.truth}/{self.null}{arms}{wide}"


def effect(truth, x, binary, w1):
    """Treatment effect of each person."""
    x1, x2, x3 = x[:, 0], x[:, 1], x[:, 2]
    effects = {
        "constant": np.full(len(x), 0.4),
        "linear": 0.30 * x1 - 0.25 * x2 + 0.30 * binary[:, 0] + 0.20 * w1,
        "lin_ind": 0.30 * x1 - 0.25 * x2,
        "nonlin": 0.3
        + 0.45 * np.sin(1.5 * x1)
        + 0.5 * (x2 > 0.3)
        + 0.45 * binary[:, 0] * (x3 > 0)
        - 0.25 * np.maximum(w1, 0),
        "clus": 0.40 * w1,
        "one": 0.5 * binary[:, 0],
        "even": 0.45 * np.abs(x1),
        "interact": 0.45 * x1 * x2,
    }
    return effects[truth]


def prognosis(x, binary, w1, w2):
    """Nonlinear outcome surface without treatment."""
    return (
        0.6 * np.sin(1.5 * x[:, 0])
        + 0.4 * x[:, 1]
        + 0.4 * np.maximum(x[:, 2], 0)
        + 0.3 * x[:, 3] * binary[:, 0]
        + 0.3 * binary[:, 1]
        + 0.4 * w1
        + 0.3 * w2
    )


def standard_chi_square(rng, degrees_of_freedom, size):
    """Skewed errors with mean 0 and variance 1."""
    draws = rng.chisquare(degrees_of_freedom, size)
    return (draws - degrees_of_freedom) / np.sqrt(2 * degrees_of_freedom)


def cluster_trial(cell: Cell, rng: np.random.Generator):
    """X, y, arm, clusters of the first generator (five continuous, two binary, two cluster)."""
    m = cell.units
    cv = 0.8 if cell.null == "icsize" else 0.4
    sizes = np.maximum(5, np.round(rng.gamma(1 / cv**2, 25 * cv**2, m))).astype(int)
    g = np.repeat(np.arange(m), sizes)
    n = len(g)
    extra = cell.covariates - 2
    x = np.sqrt(0.1) * rng.normal(size=(m, extra))[g] + np.sqrt(0.9) * rng.normal(size=(n, extra))
    binary = (rng.random((n, 2)) < [0.5, 0.3]).astype(float)
    w1, w2 = rng.normal(size=m), (rng.random(m) < 0.5).astype(float)
    arm = np.zeros(m, dtype=int)
    arm[rng.permutation(m)[: cell.treated or m // 2]] = 1
    tau = effect(cell.truth, x, binary, w1[g])
    mean = prognosis(x, binary, w1[g], w2[g])
    b, e = rng.normal(size=m), rng.normal(size=n)
    if cell.null in ("skew", "icsize"):
        b = standard_chi_square(rng, 3, m)
    if cell.null == "skew":
        e = standard_chi_square(rng, 3, n)
    if cell.null == "icsize":
        mean = mean + 0.5 * np.log(sizes / 25)[g]
    if cell.null == "slopes":
        slopes = 0.3 * rng.normal(size=(m, 2))[g]
        mean = mean + (slopes * x[:, :2]).sum(axis=1)
    if cell.null == "weak":
        tau = tau + 0.3 * rng.normal(size=m)[g]
        e = e * np.where(arm[g] == 1, np.sqrt(2), 1)
    y = mean + arm[g] * tau + np.sqrt(cell.icc) * b[g] + np.sqrt(1 - cell.icc) * e
    return np.column_stack([x, binary, w1[g], w2[g]]), y, arm[g], g


def second_cluster_trial(cell: Cell, rng: np.random.Generator):
    """Mostly binary and skewed covariates, informative size, skewed errors, unequal variances."""
    m = cell.units
    sizes = np.maximum(4, rng.negative_binomial(2, 2 / 32, size=m))
    g = np.repeat(np.arange(m), sizes)
    n = len(g)
    chance = 1 / (1 + np.exp(-(rng.normal(size=m) * 0.5)[g][:, None] + [-1.5, -0.5, 0, 0.5, 1.5]))
    binary = (rng.random((n, 5)) < chance).astype(float)
    x = np.column_stack([rng.exponential(size=n), rng.poisson(2, size=n), rng.normal(size=n)])
    w1, w2 = rng.exponential(size=m), (rng.random(m) < 0.3).astype(float)
    arm = np.zeros(m, dtype=int)
    arm[rng.permutation(m)[: cell.treated or m // 2]] = 1
    mean = np.log1p(x[:, 0]) + 0.3 * np.sqrt(x[:, 1]) + 0.4 * binary[:, 0] * binary[:, 1]
    mean += 0.4 * np.log(sizes / 30)[g] + 0.3 * w1[g] + 0.3 * binary[:, 3] * x[:, 2]
    tau = effect(cell.truth, (x - [1, 2, 0]) / [1, np.sqrt(2), 1], binary[:, 2:4], w1[g] - 1)
    b = standard_chi_square(rng, 2, m)
    e = standard_chi_square(rng, 4, n) * np.where(arm[g] == 1, 1.3, 1)
    y = mean + arm[g] * tau + np.sqrt(cell.icc) * b[g] + np.sqrt(1 - cell.icc) * e
    return np.column_stack([x, binary, w1[g], w2[g]]), y, arm[g], g


def scenario_trial(cell: Cell, rng: np.random.Generator):
    """A trial of the scenario "crt", the generator of the reference study, or of the second one."""
    seed = int(rng.integers(2**31))
    settings = {"n_clusters": cell.units, "icc": cell.icc}
    if cell.treated is not None:
        settings["share_treated"] = cell.treated / cell.units
    if cell.design == "second":
        return SecondGenerator(effect=cell.truth, **settings).draw(None, seed)
    if cell.truth == "constant":
        return scenario(f"crt-null-{cell.null}", **settings).draw(None, seed)
    return scenario("crt", effect=cell.truth, **settings).draw(None, seed)


def person_trial(cell: Cell, rng: np.random.Generator):
    """X, y, arm of an individually randomized trial."""
    n = cell.units
    x = rng.normal(size=(n, cell.covariates - 2))
    binary = (rng.random((n, 2)) < [0.5, 0.3]).astype(float)
    w1, w2 = rng.normal(size=n), (rng.random(n) < 0.5).astype(float)
    arm = np.zeros(n, dtype=int)
    arm[rng.permutation(n)[: cell.treated or n // 2]] = 1
    e = rng.normal(size=n)
    if cell.null in ("skew", "skew-weak"):
        e = standard_chi_square(rng, 2, n)
    if cell.null in ("weak", "skew-weak"):
        e = e * np.where(arm == 1, np.sqrt(2), 1)
    y = prognosis(x, binary, w1, w2) + arm * effect(cell.truth, x, binary, w1) + e
    return np.column_stack([x, binary, w1, w2]), y, arm


GENERATORS = {
    "crt": scenario_trial,
    "second": scenario_trial,
    "cluster": cluster_trial,
    "cluster2": second_cluster_trial,
    "person": person_trial,
}

# Power of the reference study's wMP4 at 20 and 32 clusters, ICC .1 (Monte Carlo error .03), under
# the names of the scenario's effects.
REFERENCE_POWER = {
    "linear": (0.620, 0.888),
    "nonlinear": (0.688, 0.932),
    "cluster": (0.112, 0.324),
    "binary": (0.328, 0.564),
    "even": (0.252, 0.564),
    "linear-individual": (0.528, 0.836),
    "interaction": (0.420, 0.784),
}

CELLS = (
    *(Cell("cluster", m) for m in (8, 12)),
    *(Cell("cluster", m, icc=icc) for m in (16, 20, 32, 60) for icc in (0.01, 0.1, 0.2)),
    *(
        Cell("cluster", m, null=null)
        for m in (16, 32)
        for null in ("slopes", "icsize", "weak", "skew")
    ),
    Cell("cluster", 16, null="weak", treated=6),
    Cell("cluster", 32, null="weak", treated=12),
    Cell("cluster", 20, covariates=20),
    *(Cell("crt", m) for m in (8, 12, 16, 20, 32, 60)),
    *(Cell("crt", m, null=null) for m in (16, 32) for null in ("slopes", "icsize", "weak", "skew")),
    *(
        Cell(design, m, treated=k)
        for design in ("second", "cluster2")
        for m, k in ((16, None), (20, None), (32, None), (32, 12))
    ),
    *(
        Cell("person", n, null=null, treated=k)
        for n in (100, 250, 750)
        for null, k in (("base", None), ("skew", None), ("weak", None), ("skew-weak", n // 3))
    ),
    Cell("person", 100, covariates=20),
    *(Cell("crt", m, truth=truth) for m in (20, 32) for truth in REFERENCE_POWER),
    *(Cell("second", 32, truth=truth) for truth in ("linear", "one", "skewed")),
    *(
        Cell("cluster", m, truth=truth)
        for m in (20, 32)
        for truth in ("linear", "nonlin", "clus", "one", "even", "lin_ind", "interact")
    ),
    *(Cell("cluster2", 32, truth=truth) for truth in ("linear", "one")),
    *(Cell("person", 250, truth=truth) for truth in ("linear", "nonlin", "even", "interact")),
)


def shares(cell: Cell, trials: int, permutations: int, first: int = 0) -> dict[str, float]:
    """Shares of p <= .05 over simulated trials: the test, its blocks, any modifier; CPU seconds."""
    start = time.process_time()
    rejected = []
    for number in range(first, first + trials):
        # Cells of their own draws: a shared stream would show its luck in all of them.
        seed = derive_seed(20_260, cell.label, number)
        rng = np.random.default_rng(seed)
        result = test_heterogeneity(
            GENERATORS[cell.design](cell, rng), random_state=seed, n_permutations=permutations
        )
        by_component = result.table.set_index("component").p_value
        rejected.append(
            [
                result.p_value <= 0.05,
                *(by_component.get(block, np.nan) <= 0.05 for block in BLOCKS),
                bool((result.modifiers.p_adjusted <= 0.05).any()),
            ]
        )
    share = np.mean(rejected, axis=0)
    error = np.sqrt(max(share[0] * (1 - share[0]), 0.0475 * 0.2) / trials)
    found = dict(zip(("test", *BLOCKS, "any modifier"), share.tolist(), strict=True))
    return found | {"error": error, "seconds": (time.process_time() - start) / trials}


def run_cell(cell: Cell, trials: int, permutations: int, first: int = 0) -> str:
    """`shares` as one line, the reference study's power at its end."""
    found = shares(cell, trials, permutations, first)
    blocks = "  ".join(f"{found[name]:.3f}" for name in (*BLOCKS, "any modifier"))
    line = f"{cell.label:46s} {found['test']:.3f} ({found['error']:.3f})  {blocks}"
    reference = ""
    if cell.design == "crt" and cell.truth in REFERENCE_POWER and cell.units in (20, 32):
        reference = f"  reference {REFERENCE_POWER[cell.truth][cell.units == 32]:.3f}"
    return f"{line}  {found['seconds']:.2f}s{reference}"


def run_times() -> None:
    """Seconds of one test with 1,999 permutations as trials grow."""
    for m, size, p in ((32, 23, 9), (100, 25, 25), (400, 20, 25), (851, 20, 26)):
        rng = np.random.default_rng(1)
        g = np.repeat(np.arange(m), size)
        X = rng.normal(size=(m * size, p))
        start = time.process_time()
        test_heterogeneity((X, X[:, 0] + rng.normal(size=m * size), g % 2, g), random_state=1)
        print(f"{m} clusters, {m * size} persons, {p} columns: {time.process_time() - start:.2f} s")
    for n, p in ((250, 10), (750, 10), (2500, 30), (17000, 30)):
        rng = np.random.default_rng(1)
        X = rng.normal(size=(n, p))
        start = time.process_time()
        test_heterogeneity((X, X[:, 0] + rng.normal(size=n), np.arange(n) % 2), random_state=1)
        print(f"{n} persons, {p} columns: {time.process_time() - start:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--permutations", type=int, default=499)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--only", default="", help="cells whose label holds this text")
    parser.add_argument("--time", action="store_true", help="time the test instead")
    options = parser.parse_args()
    if options.time:
        run_times()
        return
    print(f"{'cell':46s} p<=.05 (se)   {'  '.join(BLOCKS)}  any modifier  CPU a trial")
    for cell in CELLS:
        if options.only in cell.label:
            print(run_cell(cell, options.trials, options.permutations, options.first), flush=True)


if __name__ == "__main__":
    main()
