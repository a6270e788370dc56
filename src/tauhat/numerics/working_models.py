"""Working regressions for covariate adjustment, with exact leave-one-out refits."""

from __future__ import annotations

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.left_out import ChangesWithout

# Working correlation between two persons of a cluster; it moves the precision of estimates, never
# what is estimated.
WORKING_CORRELATION = 0.05
# An arm learns slopes of its own if it has this many persons for its level and for each
# covariate, or more than half as many persons as the other arm.
_PERSONS_A_COEFFICIENT = 3


class ExchangeableWorkingModel:
    r"""Ridge-penalized GLS of an outcome with an exchangeable correlation within clusters.

    With :math:`V_i = (1 - \rho) I + \rho 1 1'` the Gram matrix is a sum over
    clusters, so that leaving a cluster out is a subtraction and a small solve.
    Covariates are scaled to standard deviation 1 and penalized by their number,
    the posterior mean under independent normal coefficients that share the
    outcome's variance equally; fixed columns are free.

    Parameters
    ----------
    y
        Outcome, shape (n,).
    fixed
        Columns never penalized, the treatment among them, shape (n, k). The
        last one is the treatment, which `adjusted_means` does not subtract.
    covariates
        Penalized columns, shape (n, p).
    clusters
        Cluster 0 to m - 1 of each row, shape (n,).
    weight
        Weight of each row, mean 1, shape (n,).
    correlation
        Working correlation between two members of a cluster.
    penalty
        Penalty of a covariate over the number of covariates.

    Attributes
    ----------
    sizes
        Total weight of each cluster, shape (m,).

    Examples
    --------
    >>> clusters = np.repeat([0, 1, 2, 3], 2)
    >>> y = np.array([0.0, 1, 2, 3, 1, 2, 3, 4])
    >>> arm = (clusters % 2).astype(float)
    >>> model = ExchangeableWorkingModel(
    ...     y, np.column_stack([np.ones(8), arm]), np.arange(8.0)[:, None] % 2,
    ...     clusters=clusters, weight=np.ones(8), correlation=0.05)
    >>> coefficients, without_each, moved = model.jackknife()
    >>> without_each.shape
    (4, 3)
    """

    def __init__(
        self,
        y: FloatArray,
        fixed: FloatArray,
        covariates: FloatArray,
        *,
        clusters: IntArray,
        weight: FloatArray,
        correlation: float,
        penalty: float = 3.0,
    ) -> None:
        scaled = standardize(covariates, weight)
        share = weight / weight.sum()
        self._spread = np.sqrt(share @ (covariates - share @ covariates) ** 2)
        design = np.column_stack([fixed, scaled])
        n_clusters = int(clusters.max()) + 1
        self.sizes: FloatArray = np.zeros(n_clusters)
        np.add.at(self.sizes, clusters, weight)
        self._free = fixed.shape[1]
        center = float((weight * y).sum() / weight.sum())
        variance = float((weight * (y - center) ** 2).sum() / weight.sum())
        # The outcome is scaled so that the penalty does not depend on its units.
        self._center, self._scale = center, float(np.sqrt(variance))
        outcome = (y - center) / self._scale
        starts = np.flatnonzero(np.r_[True, np.diff(clusters) != 0])
        self._bounds = list(zip(starts, np.r_[starts[1:], len(y)], strict=True))
        self._design, self._weighted = design, design * weight[:, None]
        self._weight = weight
        self._outcome = outcome
        self._sums = np.add.reduceat(self._weighted, starts, axis=0)
        self._outcome_sums = np.add.reduceat(weight * outcome, starts)
        self._correlation = correlation
        self._means: FloatArray = self._sums / self.sizes[:, None]
        self._outcome_means: FloatArray = self._outcome_sums / self.sizes
        ridge = np.full(design.shape[1], penalty * max(scaled.shape[1], 1))
        # Enough to solve when a block's only cluster is left out, too little to shrink.
        ridge[: self._free] = 1e-8 * len(y)
        self._ridge = np.diag(ridge)

    def _moments(self, i: int) -> tuple[FloatArray, FloatArray]:
        """Contribution of cluster ``i`` to the Gram matrix and to the cross products."""
        start, stop = self._bounds[i]
        weighted, rho = self._weighted[start:stop], self._correlation
        shrink = rho / (1 - rho + rho * self.sizes[i])
        sums = self._sums[i]
        gram = weighted.T @ self._design[start:stop] - shrink * np.outer(sums, sums)
        cross = weighted.T @ self._outcome[start:stop] - shrink * sums * self._outcome_sums[i]
        return gram / (1 - rho), cross / (1 - rho)

    def _normal_equations(self) -> tuple[FloatArray, FloatArray]:
        """Penalized Gram matrix and cross products of all clusters."""
        gram: FloatArray = self._ridge.copy()
        cross: FloatArray = np.zeros(len(gram))
        for i in range(len(self._bounds)):
            own_gram, own_cross = self._moments(i)
            gram += own_gram
            cross += own_cross
        return gram, cross

    def coefficients(self) -> FloatArray:
        """Coefficients of the columns in standard units, in units of the outcome, (k + p,)."""
        gram, cross = self._normal_equations()
        return self._scale * np.asarray(np.linalg.solve(gram, cross), dtype=np.float64)

    def jackknife(
        self, changes: ChangesWithout | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coefficients on all clusters, and without each of them.

        Parameters
        ----------
        changes
            How the outcomes of the others change without each cluster; None if they do not.

        Returns
        -------
        coefficients, without_each
            Shapes (k + p,) and (m, k + p).
        moved
            What the cluster means change without each cluster, in units of the outcome, (m, m).
        """
        gram, cross = self._normal_equations()
        full = np.asarray(np.linalg.solve(gram, cross), dtype=np.float64)
        without_each: FloatArray = np.empty((len(self._bounds), len(gram)))
        in_cross, moved = self._moved(changes)
        for i in range(len(self._bounds)):
            own_gram, own_cross = self._moments(i)
            right = cross - own_cross + in_cross[i]
            without_each[i] = np.linalg.solve(gram - own_gram, right)
        return full, without_each, moved

    def _moved(self, changes: ChangesWithout | None) -> tuple[FloatArray, FloatArray]:
        """Changes of the cross products and of the cluster means without each cluster."""
        m, q = self._sums.shape
        if changes is None:
            return np.zeros((m, q)), np.zeros((m, m))
        unit, rho = changes.unit, self._correlation
        shrink = rho / (1 - rho + rho * self.sizes)
        weight = self._weight[:, None]
        of_rows = (self._weighted - weight * (shrink[:, None] * self._sums)[unit]) / (1 - rho)
        return (
            changes.sums(of_rows / self._scale),
            changes.sums_of_units(self._weight) / self.sizes,
        )

    def adjusted_means(self, coefficients: FloatArray) -> FloatArray:
        """Cluster means of the outcome less everything the model explains but the treatment.

        Parameters
        ----------
        coefficients
            Shape (k + p,) or (r, k + p).

        Returns
        -------
        ndarray, shape (m,) or (r, m)
            In units of the outcome.
        """
        columns = np.delete(self._means, self._free - 1, axis=1)
        used = np.delete(coefficients, self._free - 1, axis=-1)
        remainder: FloatArray = self._outcome_means - used @ columns.T
        return remainder * self._scale

    def explained(self, coefficients: FloatArray) -> FloatArray:
        """Cluster means of the outcome less `adjusted_means`: all but the treatment explains.

        Parameters and shapes as there.
        """
        columns = np.delete(self._means, self._free - 1, axis=1)
        used = np.delete(coefficients, self._free - 1, axis=-1)
        explained: FloatArray = self._center + self._scale * (used @ columns.T)
        return explained

    def slope(self, coefficients: FloatArray) -> FloatArray:
        """Slope of the last covariate, which must vary, in units of the outcome by its own.

        Parameters
        ----------
        coefficients
            Shape (k + p,) or (r, k + p).

        Returns
        -------
        ndarray, shape () or (r,)
        """
        slope: FloatArray = coefficients[..., -1] * (self._scale / self._spread[-1])
        return slope


def standardize(columns: FloatArray, weight: FloatArray) -> FloatArray:
    """Columns with weighted mean 0 and standard deviation 1; constant ones become 0.

    Examples
    --------
    >>> standardize(np.array([[0.0, 5.0], [2.0, 5.0]]), np.ones(2)).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    share = weight / weight.sum()
    mean = share @ columns
    centered = columns - mean
    spread = np.sqrt(share @ centered**2)
    small = spread <= 1e-10 * np.maximum(np.abs(mean), 1e-300)
    scaled: FloatArray = np.where(small, 0.0, centered / np.where(small, 1.0, spread))
    return scaled


def leave_one_out_ridge(
    X: FloatArray, y: FloatArray, rows: BoolArray, weight: FloatArray
) -> FloatArray:
    """Ridge predictions for all rows from some of them, leave-one-out for these.

    The penalty is the one of a grid with the smallest leave-one-out squared
    error, from a single singular value decomposition (Golub, Heath and Wahba
    1979 give the identity).

    Parameters
    ----------
    X
        Covariates, shape (n, p).
    y
        Outcome, shape (n,).
    rows
        Rows to learn from, shape (n,).
    weight
        Weight of each row, shape (n,).

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> X = np.arange(6.0)[:, None]
    >>> rows = np.array([True, True, True, True, True, False])
    >>> leave_one_out_ridge(X, 2 * X[:, 0], rows, np.ones(6)).round(1).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    learning = weight[rows]
    share = learning / learning.sum()
    means = share @ X[rows]
    spread = np.sqrt(share @ (X[rows] - means) ** 2)
    spread = np.where(spread <= 1e-10 * np.maximum(np.abs(means), 1e-300), np.inf, spread)
    scaled = (X - means) / spread
    center = float(share @ y[rows])
    root = np.sqrt(share)
    left, values, right = np.linalg.svd(scaled[rows] * root[:, None], full_matrices=False)
    target = (y[rows] - center) * root
    projected = left.T @ target
    best: tuple[float, FloatArray, FloatArray] | None = None
    for penalty in np.logspace(-4, 2, 13):
        shrunk = values**2 / (values**2 + penalty)
        fitted = left @ (shrunk * projected)
        # The free intercept has leverage `share`, orthogonal to the centred columns.
        leverage = np.minimum(left**2 @ shrunk + share, 1 - 1e-6)
        residual = (target - fitted) / (1 - leverage)
        error = float(residual @ residual)
        if best is None or error < best[0] * (1 - 1e-9):
            coefficients = right.T @ (values / (values**2 + penalty) * projected)
            best = (error, coefficients, residual)
    assert best is not None
    predicted = center + scaled @ best[1]
    predicted[rows] = y[rows] - best[2] / root
    result: FloatArray = predicted
    return result


def outcomes_by_arm(
    X: FloatArray, y: FloatArray, arm: IntArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Expected outcome of everyone in the control arm and in the treated arm.

    Each is a `leave_one_out_ridge` from its own arm. An arm with fewer than three persons for
    its level and each covariate, and at most half as many as the other, takes the other's
    slopes, with a level of its own. Outcomes have no part in the choice.

    Parameters
    ----------
    X
        Covariates, shape (n, p).
    y
        Outcome, shape (n,).
    arm
        0 or 1 for each person, at least two of each, shape (n,).
    weight
        Weight of each person, shape (n,).

    Returns
    -------
    control, treated
        Each of shape (n,).

    Examples
    --------
    >>> x, arm = np.arange(12.0), np.repeat([0, 1], [10, 2])
    >>> control, treated = outcomes_by_arm(x[:, None], 2 * x + 5 * arm, arm, np.ones(12))
    >>> (treated - control).round(1).tolist() == [5.0] * 12
    True
    """
    rows = (arm == 0, arm == 1)
    persons = [int(own.sum()) for own in rows]
    few, many = (1, 0) if persons[1] < persons[0] else (0, 1)
    enough = _PERSONS_A_COEFFICIENT * (1 + X.shape[1])
    if persons[few] >= enough or 2 * persons[few] > persons[many]:
        control, treated = (leave_one_out_ridge(X, y, own, weight) for own in rows)
        return control, treated
    of_many = leave_one_out_ridge(X, y, rows[many], weight)
    no_covariates = np.empty((len(y), 0))
    of_few = of_many + leave_one_out_ridge(no_covariates, y - of_many, rows[few], weight)
    return (of_few, of_many) if few == 0 else (of_many, of_few)
