"""Statistics of the heterogeneity test over many assignments at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.inference.heterogeneity_components import principal_directions


@dataclass(frozen=True)
class UnitScores:
    """Scores of the randomized units that two arms are compared on.

    Attributes
    ----------
    scores
        Shape (m, K).
    basis
        Basis and residual whose product the scores are, when the arm's own means
        must be taken out of them (individual randomization: the treatment's main
        effect), shapes (m, K) and (m,), else None. Of groups of persons, their sums.
    grouped
        Where the units are groups of persons and the scores their sums: persons and
        sums of squared scores of each, shapes (m,) and (m, K), else None.
    """

    scores: FloatArray
    basis: tuple[FloatArray, FloatArray] | None = None
    grouped: tuple[FloatArray, FloatArray] | None = None

    def counts(
        self, assigned: FloatArray, controls: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Treated and controls of every assignment, shape (k,) each."""
        if self.grouped is None:
            treated = assigned.sum(axis=1)
            if controls is not None:
                return treated, controls.sum(axis=1)
            return treated, assigned.shape[1] - treated
        treated = assigned @ self.grouped[0]
        return treated, _of_others(self.grouped[0], treated, controls)

    @property
    def squares(self) -> FloatArray:
        """Sums of squared scores of each unit, shape (m, K)."""
        return self.scores**2 if self.grouped is None else self.grouped[1]

    def differences(
        self, assigned: FloatArray, controls: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mean of the treated less mean of the controls, and each arm's sums of scores.

        Parameters
        ----------
        assigned
            1 for treated units, shape (k, m).
        controls
            1 for controls, shape (k, m), where units of other arms are in neither; None for
            all that are not treated.

        Returns
        -------
        difference, treated_sums, control_sums
            Shape (k, K).
        """
        n_treated, n_control = (count[:, None] for count in self.counts(assigned, controls))
        treated = assigned @ self.scores
        control = _of_others(self.scores, treated, controls)
        difference = treated / n_treated - control / n_control
        if self.basis is not None:
            columns, residual = self.basis
            column_sums = assigned @ columns
            residual_sums = (assigned @ residual)[:, None]
            difference = difference - column_sums * residual_sums / n_treated**2
            other = _of_others(columns, column_sums, controls)
            other = other * _of_others(residual[:, None], residual_sums, controls)
            difference = difference + other / n_control**2
        return difference, treated, control


def _of_others(values: FloatArray, treated: FloatArray, controls: FloatArray | None) -> FloatArray:
    """Sums over the controls: over all that are not treated, or over those named."""
    sums: FloatArray = values.sum(axis=0) - treated if controls is None else controls @ values
    return sums


def component_statistic(
    units: UnitScores, assigned: FloatArray, controls: FloatArray | None = None
) -> FloatArray:
    r"""Squared distance between arms over its variance, for every assignment.

    .. math::
        T = \frac{|\bar S_1 - \bar S_0|^2}
                 {\mathrm{tr}(\hat\Sigma_1) / m_1 + \mathrm{tr}(\hat\Sigma_0) / m_0}

    Parameters
    ----------
    units
        Scores of the units.
    assigned, controls
        As in `UnitScores.differences`.

    Returns
    -------
    ndarray, shape (k,)

    Examples
    --------
    >>> units = UnitScores(np.array([[0.0], [1.0], [4.0], [5.0]]))
    >>> component_statistic(units, np.array([[0.0, 0.0, 1.0, 1.0]])).tolist()
    [32.0]
    """
    difference, treated, control = units.differences(assigned, controls)
    n_treated, n_control = units.counts(assigned, controls)
    squares = units.squares.sum(axis=1)
    treated_squares = assigned @ squares
    other_squares = _of_others(squares, treated_squares, controls)
    variance = _mean_variance(treated_squares, (treated**2).sum(axis=1), n_treated)
    variance += _mean_variance(other_squares, (control**2).sum(axis=1), n_control)
    return _ratio((difference**2).sum(axis=1), variance)


def column_statistics(units: UnitScores, assigned: FloatArray) -> FloatArray:
    """Welch t of every column of the scores, shape (k, K)."""
    difference, treated, control = units.differences(assigned)
    n_treated, n_control = (count[:, None] for count in units.counts(assigned))
    squares = units.squares
    treated_squares = assigned @ squares
    variance = _mean_variance(treated_squares, treated**2, n_treated)
    variance += _mean_variance(squares.sum(axis=0) - treated_squares, control**2, n_control)
    return _ratio(difference, np.sqrt(np.maximum(variance, 0.0)))


def _mean_variance(squares: FloatArray, sums_squared: FloatArray, count: FloatArray) -> FloatArray:
    """Squared standard error of a mean from sums."""
    variance: FloatArray = (squares - sums_squared / count) / (count - 1) / count
    return variance


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Quotient that is 0 where nothing varies."""
    ratio: FloatArray = np.where(
        denominator > 0, numerator / np.where(denominator > 0, denominator, 1.0), 0.0
    )
    return ratio


class ClusterLevelComponent:
    r"""Interaction of the treatment with cluster-level covariates, on cluster means.

    The treatment's average effect, estimated once by weighted least squares of
    the cluster outcomes on arm and covariates, is taken out; every assignment is
    then compared by the F of its products with the covariates, added to its main
    effect. The plug-in makes this component approximate, unlike the others.

    Parameters
    ----------
    outcome
        Cluster means of the outcome less its predicted person-level part, shape (m,).
    covariates
        Cluster-level columns, standardized, shape (m, q).
    arm
        Observed arm, 0 to k - 1, shape (m,).
    stratum
        Stratum of each cluster, shape (m,).
    sampling_variance
        Variance of each cluster's mean from its persons, shape (m,).
    most_terms
        Most columns to test; more are replaced by their leading principal components.

    Attributes
    ----------
    n_terms
        Number of columns tested.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> arm, v = np.arange(20) % 2, rng.normal(size=20)
    >>> zero, error = np.zeros(20, int), np.full(20, 0.1)
    >>> component = ClusterLevelComponent(2 * arm * v, v[:, None], arm, zero, error)
    >>> bool(component.joint(arm[None, :].astype(float))[0] > 100)
    True
    """

    def __init__(
        self,
        outcome: FloatArray,
        covariates: FloatArray,
        arm: IntArray,
        stratum: IntArray,
        sampling_variance: FloatArray,
        *,
        most_terms: int | None = None,
    ) -> None:
        if most_terms is not None and covariates.shape[1] > most_terms:
            covariates = principal_directions(covariates, most_terms)
        self.n_terms = covariates.shape[1]
        strata = np.eye(int(stratum.max()) + 1)[stratum]
        main = np.column_stack([strata, covariates])
        in_arm = np.eye(int(arm.max()) + 1)[arm][:, 1:]
        weight = _cluster_weights(outcome, np.column_stack([main, in_arm]), sampling_variance)
        root = np.sqrt(weight)
        full = np.column_stack([main, in_arm]) * root[:, None]
        effects = np.linalg.lstsq(full, outcome * root, rcond=None)[0][main.shape[1] :]
        left, values, _ = np.linalg.svd(main * root[:, None], full_matrices=False)
        # One orthonormal basis of everything that every assignment is adjusted for.
        self._main: FloatArray = left[:, values > 1e-9 * values[0]]
        adjusted = (outcome - in_arm @ effects) * root
        self._outcome: FloatArray = adjusted - self._main @ (self._main.T @ adjusted)
        self._root = root
        self._covariates = covariates
        self._unequal = 2 * int(arm.sum()) != len(arm)

    def joint(self, assigned: FloatArray, controls: FloatArray | None = None) -> FloatArray:
        """Statistic of all products with the covariates together, shape (k,)."""
        if self._unequal or controls is not None:
            difference, variance = self._slopes(assigned, self._covariates, controls)
            distance: FloatArray = (_solve(variance, difference) * difference).sum(axis=1)
            return distance
        gram, cross, df = self._moments(assigned, self._covariates)
        q = gram.shape[1]
        explained = (_solve(gram, cross) * cross).sum(axis=1)
        left = np.maximum(self._residual_squares(assigned) - explained, 0.0)
        return _ratio(explained / q, left / max(df - q, 1))

    def each(self, assigned: FloatArray, columns: FloatArray) -> FloatArray:
        """Student or Welch t of the product with each column on its own, shape (k, columns)."""
        if self._unequal:
            pairs = [self._slopes(assigned, columns[:, [j]]) for j in range(columns.shape[1])]
            difference = np.column_stack([pair[0][:, 0] for pair in pairs])
            return _ratio(difference, np.sqrt(np.column_stack([p[1][:, 0, 0] for p in pairs])))
        gram, cross, df = self._moments(assigned, columns)
        own = np.diagonal(gram, axis1=1, axis2=2)
        own = np.where(own > 1e-9, own, 0.0)
        explained = _ratio(cross**2, own)
        left = np.maximum(self._residual_squares(assigned)[:, None] - explained, 0.0)
        return _ratio(cross, np.sqrt(own * left / max(df - 1, 1)))

    def _slopes(
        self, assigned: FloatArray, columns: FloatArray, controls: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Difference of the arms' slopes, (k, q), and its covariance, (k, q, q)."""
        m, q = columns.shape
        weight, outcome = self._root**2, self._outcome / self._root
        squares = (weight[:, None, None] * columns[:, :, None] * columns[:, None, :]).reshape(m, -1)
        weighted = weight[:, None] * columns
        # A column that does not vary within an arm gets a slope of 0 with a huge variance there.
        ridge = 1e-8 * np.diag(np.maximum((weighted * columns).sum(axis=0), 1e-300))
        difference: FloatArray = np.zeros((len(assigned), q))
        variance: FloatArray = np.zeros((len(assigned), q, q))
        others = 1 - assigned if controls is None else controls
        for members, sign in ((assigned, 1.0), (others, -1.0)):
            total = members @ weight
            mean = members @ weighted / total[:, None]
            center = members @ (weight * outcome) / total
            gram = (members @ squares).reshape(-1, q, q)
            gram -= total[:, None, None] * mean[:, :, None] * mean[:, None, :]
            cross = members @ (weighted * outcome[:, None]) - (total * center)[:, None] * mean
            inverse = np.linalg.inv(gram + ridge)
            slope = np.einsum("kij,kj->ki", inverse, cross)
            left = members @ (weight * outcome**2) - total * center**2 - (slope * cross).sum(axis=1)
            residual = np.maximum(left, 0.0) / np.maximum(members.sum(axis=1) - q - 1, 1)
            variance += inverse * residual[:, None, None]
            difference += sign * slope
        return difference, variance

    def _main_effect(self, assigned: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Projections, squared length and outcome product of the adjusted treatment."""
        weighted = self._root[:, None] * self._main
        projected = assigned @ weighted
        length = assigned @ self._root**2 - (projected**2).sum(axis=1)
        return projected, np.maximum(length, 1e-12), assigned @ (self._root * self._outcome)

    def _residual_squares(self, assigned: FloatArray) -> FloatArray:
        _, length, product = self._main_effect(assigned)
        total: FloatArray = float(self._outcome @ self._outcome) - product**2 / length
        return total

    def _moments(
        self, assigned: FloatArray, columns: FloatArray
    ) -> tuple[FloatArray, FloatArray, int]:
        """Gram matrix (k, q, q) and outcome products (k, q) of the adjusted interactions.

        Arms are 0/1, so that every moment is a matrix product with the
        assignments: the square of an interaction column is the assignment
        times the squared covariate.
        """
        m, q = columns.shape
        rank = self._main.shape[1]
        projected, length, product = self._main_effect(assigned)
        squared = self._root**2
        raw = (
            assigned
            @ (squared[:, None, None] * columns[:, :, None] * columns[:, None, :]).reshape(m, q * q)
        ).reshape(-1, q, q)
        onto_main = (
            assigned
            @ (self._root[:, None, None] * self._main[:, :, None] * columns[:, None, :]).reshape(
                m, rank * q
            )
        ).reshape(-1, rank, q)
        with_treatment = assigned @ (squared[:, None] * columns)
        with_treatment = with_treatment - np.einsum("kr,krq->kq", projected, onto_main)
        gram = raw - np.einsum("krp,krq->kpq", onto_main, onto_main)
        gram -= with_treatment[:, :, None] * with_treatment[:, None, :] / length[:, None, None]
        cross = assigned @ (columns * (self._root * self._outcome)[:, None])
        cross = cross - with_treatment * (product / length)[:, None]
        return gram, cross, m - rank - 1


def _solve(gram: FloatArray, cross: FloatArray) -> FloatArray:
    """Solutions of a stack of systems, (k, q, q) and (k, q).

    A trace of ridge solves assignments in which a column repeats another.
    """
    size = gram.shape[1]
    ridge = np.maximum(1e-9 * np.trace(gram, axis1=1, axis2=2), 1e-300)
    solved: FloatArray = np.linalg.solve(
        gram + ridge[:, None, None] * np.eye(size), cross[:, :, None]
    )[:, :, 0]
    return solved


def _cluster_weights(
    outcome: FloatArray, design: FloatArray, sampling_variance: FloatArray
) -> FloatArray:
    """Inverse variances of cluster means: between-cluster variance plus that of the mean."""
    coefficients, _, rank, _ = np.linalg.lstsq(design, outcome, rcond=None)
    residual = outcome - design @ coefficients
    variance = float(residual @ residual) / max(len(outcome) - int(rank), 1)
    between = max(variance - float(sampling_variance.mean()), 0.0)
    total = between + sampling_variance
    weight: FloatArray = total.mean() / np.maximum(total, 1e-12 * max(total.mean(), 1e-300))
    return weight
