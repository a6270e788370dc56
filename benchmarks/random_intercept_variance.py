"""Posterior of the between-cluster variance: stochtree's update against exact samplers and REML.

The mean is one level, so that nothing but the random intercept is at stake:
y = level + b + e with Var(b) = ICC, Var(e) = 1 - ICC and 25 persons a cluster.

- "stochtree": the engine's random-effect block, b = alpha * xi, alpha ~ N(0, 1),
  xi ~ N(0, s2), s2 ~ IG(1, 1).
- "stochtree's model, exact": the same model by the conjugate updates written out here.
- "tauhat": `InterceptSampler`, half-Cauchy prior, variance drawn with the intercepts summed out.
- "tauhat's model, exact": the same model by conjugate updates, the half-Cauchy as a mixture of
  inverse gammas.
- "REML": the point estimate only.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from stochtree import (
    RNG,
    RandomEffectsContainer,
    RandomEffectsDataset,
    RandomEffectsModel,
    RandomEffectsTracker,
    Residual,
)

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.convergence import effective_sample_size
from tauhat.numerics.intercept_draws import InterceptSampler
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.seeds import derive_seed

N_PERSONS = 25
N_BURN_IN = 500
LEVEL = 0.98


def draw_variance(residual: FloatArray, rng: np.random.Generator) -> float:
    """Residual variance under the prior 1 / variance."""
    return float(residual @ residual) / 2 / rng.standard_gamma(len(residual) / 2)


def stochtree_block(y: FloatArray, clusters: IntArray, seed: int) -> Iterator[float]:
    """The engine's random-effect block, its defaults, beside a flat level."""
    rng, engine = np.random.default_rng(seed), RNG(seed % (2**31 - 1))
    m = int(clusters.max()) + 1
    data = RandomEffectsDataset()
    data.add_group_labels(clusters)
    data.add_basis(np.ones((len(y), 1)))
    tracker = RandomEffectsTracker(clusters)
    model = RandomEffectsModel(1, m)
    model.set_working_parameter(np.zeros(1))
    model.set_group_parameters(np.zeros((1, m)))
    model.set_working_parameter_covariance(np.eye(1))
    model.set_group_parameter_covariance(np.eye(1))
    model.set_variance_prior_shape(1.0)
    model.set_variance_prior_scale(1.0)
    level, variance = float(y.mean()), float(y.var())
    residual = Residual(y - level)
    while True:
        container = RandomEffectsContainer()
        container.load_new_container(1, m, tracker)
        model.sample(data, residual, tracker, container, True, variance, engine)
        left = residual.get_residual().ravel() + level
        level = left.mean() + np.sqrt(variance / len(y)) * rng.standard_normal()
        residual.update_data(left - level)
        variance = draw_variance(left - level, rng)
        found = container.extract_parameter_samples()
        yield float(found["alpha_samples"] ** 2 * found["sigma_samples"])


def expanded_gibbs(y: FloatArray, clusters: IntArray, seed: int) -> Iterator[float]:
    """The engine's model with conjugate updates."""
    rng = np.random.default_rng(seed)
    m, n = int(clusters.max()) + 1, np.bincount(clusters)
    level, variance, alpha, spread = float(y.mean()), float(y.var()), 0.3, 1.0
    while True:
        sums = np.bincount(clusters, y - level)
        precision = 1 / spread + alpha**2 * n / variance
        xi = alpha * sums / variance / precision + rng.standard_normal(m) / np.sqrt(precision)
        precision = 1 + (n @ xi**2) / variance
        alpha = xi @ sums / variance / precision + rng.standard_normal() / np.sqrt(precision)
        spread = (1 + xi @ xi / 2) / rng.standard_gamma(1 + m / 2)
        left = y - alpha * xi[clusters]
        level = left.mean() + np.sqrt(variance / len(y)) * rng.standard_normal()
        variance = draw_variance(left - level, rng)
        yield float(alpha**2 * spread)


def tauhat_block(y: FloatArray, clusters: IntArray, seed: int) -> Iterator[float]:
    """The block that tauhat's Bayesian trees use."""
    rng = np.random.default_rng(seed)
    ones = np.ones(len(y))
    sampler = InterceptSampler(ones[:, None], np.full(1, 1e6), clusters, ones)
    variance = float(y.var())
    while True:
        draw = sampler.draw(y, variance, rng)
        variance = draw_variance(y - draw.fitted, rng)
        yield draw.between


def half_cauchy_gibbs(y: FloatArray, clusters: IntArray, seed: int) -> Iterator[float]:
    """The model of tauhat's block with conjugate updates (Makalic and Schmidt 2016)."""
    rng = np.random.default_rng(seed)
    m, n = int(clusters.max()) + 1, np.bincount(clusters)
    level, variance, between = float(y.mean()), float(y.var()), 0.1
    while True:
        mixing = (1 + 1 / between) / rng.standard_gamma(1)
        precision = 1 / between + n / variance
        sums = np.bincount(clusters, y - level)
        b = sums / variance / precision + rng.standard_normal(m) / np.sqrt(precision)
        between = (1 / mixing + b @ b / 2) / rng.standard_gamma((m + 1) / 2)
        left = y - b[clusters]
        level = left.mean() + np.sqrt(variance / len(y)) * rng.standard_normal()
        variance = draw_variance(left - level, rng)
        yield float(between)


SAMPLERS = {
    "stochtree": stochtree_block,
    "stochtree's model, exact": expanded_gibbs,
    "tauhat": tauhat_block,
    "tauhat's model, exact": half_cauchy_gibbs,
}


def one_set(m: int, icc: float, draw: int, n_kept: int, seed: int) -> list[dict[str, Any]]:
    """All samplers and REML on one data set."""
    own = derive_seed(seed, "variance", m, draw)
    rng = np.random.default_rng(own)
    clusters = np.repeat(np.arange(m), N_PERSONS)
    y = np.sqrt(icc) * rng.standard_normal(m)[clusters]
    y = y + np.sqrt(1 - icc) * rng.standard_normal(len(clusters))
    rows = []
    for name, sampler in SAMPLERS.items():
        start = time.process_time()
        stream = sampler(y, clusters, derive_seed(own, name))
        draws = np.array([next(stream) for _ in range(N_BURN_IN + n_kept)])[N_BURN_IN:]
        low, high = np.quantile(draws, [0.05, 0.95])
        rows.append(
            {
                "method": name, "m": m, "ICC": icc, "mean / truth": draws.mean() / icc,
                "median / truth": np.median(draws) / icc, "SD / truth": draws.std() / icc,
                "coverage of 90%": float(low <= icc <= high), "width / truth": (high - low) / icc,
                "ESS share": effective_sample_size(draws[None, :]) / n_kept,
                "CPU s": time.process_time() - start,
            }
        )  # fmt: skip
    fit = MixedModel(y, np.ones((len(y), 1)), clusters=clusters).fit()
    estimate = fit.between_cluster_variance / icc
    rows.append({"method": "REML", "m": m, "ICC": icc, "mean / truth": estimate,
                 "median / truth": estimate})  # fmt: skip
    return rows


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=40, help="data sets a cell")
    parser.add_argument("--kept", type=int, default=2000, help="posterior draws kept")
    parser.add_argument("--clusters", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--icc", type=float, nargs="+", default=[0.01, 0.1, 0.3])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows = [
        row
        for m in options.clusters
        for icc in options.icc
        for draw in range(options.draws)
        for row in one_set(m, icc, draw, options.kept, options.seed)
    ]
    table = pd.DataFrame(rows).groupby(["m", "ICC", "method"], sort=False).mean()
    with pd.option_context("display.width", 200):
        print(f"{options.draws} data sets a cell, means\n{table.round(3).to_string()}")


if __name__ == "__main__":
    main()
