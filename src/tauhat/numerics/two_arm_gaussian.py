"""Gaussian model of both arms with known variances: densities and draws of its coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics import cholesky
from tauhat.numerics.cluster_sums import ClusterSums, sums_over
from tauhat.numerics.standardised_columns import row_parts

#: Prior standard deviations of the level, about the overall one, and of the treatment's
#: coefficient: with both, the posterior is proper where an arm has no events.
LEVEL_SD, TREATMENT_SD = 2.0, 1.0


@dataclass(frozen=True, eq=False)
class Values:
    """What is explained, with its products with the columns and its sums over the clusters."""

    z: FloatArray
    products: FloatArray
    sums: FloatArray


@dataclass(frozen=True, eq=False)
class TwoArmDesign:
    """Rows of the model, multiplied by the roots of their weights.

    Coefficients are those midway between the arms, then those of the effect, each the level
    first, then the intercepts of what the clusters lie in.
    """

    both: FloatArray
    contrast: FloatArray
    root: FloatArray
    clusters: IntArray | None
    nesting: IntArray | None
    slices: tuple[slice, ...]

    @property
    def width(self) -> int:
        """Number of coefficients."""
        return 2 * int(self.both.shape[1]) + self.n_nesting

    @property
    def n_nesting(self) -> int:
        """Number of blocks that clusters lie in."""
        return 0 if self.nesting is None else int(self.nesting.max()) + 1

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return 0 if self.clusters is None else int(self.clusters.max()) + 1

    def rows(self, part: slice) -> FloatArray:
        """All columns of some rows."""
        own = self.both[part]
        columns = [own, self.contrast[part, None] * own]
        if self.nesting is not None:
            indicators = self.nesting[part, None] == np.arange(self.n_nesting)
            columns.append(self.root[part, None] * indicators)
        return np.hstack(columns)

    def product(self, coefficients: FloatArray, effects: FloatArray) -> FloatArray:
        """Linear predictor of coefficients and intercepts of the clusters, shape (n,)."""
        q = self.both.shape[1]
        arms = self.both @ coefficients[: 2 * q].reshape(2, q).T
        fitted: FloatArray = arms[:, 0] + self.contrast * arms[:, 1]
        if self.nesting is not None:
            fitted = fitted + self.root * coefficients[2 * q :][self.nesting]
        if self.clusters is not None:
            fitted = fitted + self.root * effects[self.clusters]
        return fitted

    def transposed(self, z: FloatArray) -> FloatArray:
        """Products of all columns with z, shape (width,)."""
        sums: FloatArray = np.column_stack([z, self.contrast * z]).T @ self.both
        of_blocks: FloatArray = np.zeros(0)
        if self.nesting is not None:
            of_blocks = sums_over(self.nesting, self.root * z, self.n_nesting)
        return np.concatenate([sums.ravel(), of_blocks])

    def read(self, z: FloatArray) -> Values:
        """Values z, shape (n,), with what a `GaussianFactor` asks of them."""
        return Values(z, self.transposed(z), self.cluster_sums(z))

    def cluster_sums(self, values: FloatArray) -> FloatArray:
        """Sums of values times the roots over the clusters, shape (m,); empty without."""
        if self.clusters is None:
            return np.zeros(0)
        return sums_over(self.clusters, self.root * values, self.n_clusters)

    def prior_variances(self, variances: FloatArray) -> FloatArray:
        """Variance of each coefficient, given those of the blocks."""
        q = self.both.shape[1]
        own = np.empty(self.width)
        own[0], own[q] = LEVEL_SD**2, TREATMENT_SD**2
        for block, variance in zip(self.slices, variances, strict=False):
            own[block] = variance
        return own


class GaussianFactor(Protocol):
    """The Gaussian model at given variances: what does not depend on the outcome."""

    def density(self, values: Values) -> float:
        """Log density of z, shape (n,), coefficients and intercepts integrated out."""

    def draw(self, values: Values, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Coefficients and intercepts of the clusters given z."""


class GaussianForm(Protocol):
    """Algebra of the Gaussian model with residual variance 1."""

    def factor(self, log_variances: FloatArray) -> GaussianFactor:
        """The model at variances of the blocks and, where there are clusters, then of these."""


class ByColumns:
    """With a matrix of as many rows as there are coefficients."""

    def __init__(self, design: TwoArmDesign) -> None:
        self.design = design
        q, m = design.width, design.n_clusters
        self.gram, sums = np.zeros((q, q), order="F"), np.zeros((m, q))
        for part in row_parts(len(design.both), q):
            columns = design.rows(part)
            self.gram += columns.T @ columns
            if design.clusters is not None:
                own = design.root[part, None] * columns
                sums += sums_over(design.clusters[part], own, m)
        self.sums = ClusterSums(design.cluster_sums(design.root), sums, np.zeros(m))

    def factor(self, log_variances: FloatArray) -> _ColumnFactor:
        """The model at these variances."""
        return _ColumnFactor(self, np.exp(log_variances))


class _ColumnFactor:
    def __init__(self, form: ByColumns, variances: FloatArray) -> None:
        self.design, self.sums = form.design, form.sums
        own = self.design.prior_variances(variances)
        weight = self.sums.weight
        between = variances[-1] if len(weight) else 0.0
        self.share = between / (1 + between * weight)
        precision = self.sums.less(form.gram, self.share)
        precision.flat[:: len(own) + 1] += 1 / own
        self.root = cholesky.factor(precision)
        volume = 2 * np.log(np.diag(self.root)).sum() + np.log(own).sum()
        self.volume = float(volume + np.log1p(between * weight).sum())

    def _half(self, values: Values) -> FloatArray:
        """Right-hand side divided by the root."""
        right = values.products - self.sums.columns.T @ (self.share * values.sums)
        return cholesky.solve_transposed(self.root, right)

    def density(self, values: Values) -> float:
        half = self._half(values)
        square = values.z @ values.z - self.share @ values.sums**2 - half @ half
        return -0.5 * (self.volume + float(square))

    def draw(self, values: Values, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        half, sums = self._half(values), values.sums
        coefficients = cholesky.solve(self.root, half + rng.standard_normal(len(half)))
        mean = self.share * (sums - self.sums.columns @ coefficients)
        return coefficients, mean + np.sqrt(self.share) * rng.standard_normal(len(mean))


class ByRows:
    """With a matrix of as many rows as the trial has, for fewer rows than coefficients."""

    def __init__(self, design: TwoArmDesign) -> None:
        self.design, self.columns = design, design.rows(slice(None))
        q = design.both.shape[1]
        known = self.columns[:, [0, q]] * [LEVEL_SD, TREATMENT_SD]
        blocks = [self.columns[:, block] for block in design.slices]
        self.kernels = [block @ block.T for block in blocks]
        if design.clusters is not None:
            same = np.equal.outer(design.clusters, design.clusters)
            self.kernels.append(same * np.outer(design.root, design.root))
        self.known = known @ known.T + np.eye(len(known))

    def factor(self, log_variances: FloatArray) -> _RowFactor:
        """The model at these variances."""
        return _RowFactor(self, np.exp(log_variances))


class _RowFactor:
    def __init__(self, form: ByRows, variances: FloatArray) -> None:
        self.form, self.variances = form, variances
        covariance = form.known.copy()
        for variance, kernel in zip(variances, form.kernels, strict=True):
            covariance += variance * kernel
        # Symmetric, so that its transpose is the column-major matrix that is overwritten.
        self.root = cholesky.factor(covariance.T)
        self.volume = 2 * float(np.log(np.diag(self.root)).sum())

    def density(self, values: Values) -> float:
        half = cholesky.solve_transposed(self.root, values.z)
        return -0.5 * (self.volume + float(half @ half))

    def draw(self, values: Values, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        # Draws from the prior, corrected by what z says (Bhattacharya, Chakraborty and
        # Mallick 2016).
        design, columns = self.form.design, self.form.columns
        own = design.prior_variances(self.variances)
        m = design.n_clusters
        between = self.variances[-1] if m else 0.0
        coefficients = np.sqrt(own) * rng.standard_normal(len(own))
        effects = np.sqrt(between) * rng.standard_normal(m)
        simulated = design.product(coefficients, effects) + rng.standard_normal(len(values.z))
        left = cholesky.solve_transposed(self.root, values.z - simulated)
        weighted = cholesky.solve(self.root, left)
        coefficients += own * (weighted @ columns)
        effects += between * design.cluster_sums(weighted)
        return coefficients, effects
