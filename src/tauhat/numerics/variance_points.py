"""Weighted points that stand for the posterior of the variance ratios of a mixed model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize
from scipy.special import ndtr, ndtri, stdtr, stdtrit
from scipy.stats import qmc
from scipy.stats import t as student

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.kernel_model import KernelMixedModel
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.seeds import derive_seed

#: Degrees of freedom of the half-t priors on standard deviations over the residual's.
PRIOR_DEGREES = 3.0
#: Degrees of freedom of the distributions that points are taken from.
_POINT_DEGREES = 8.0
# Normal scores beyond which neither prior nor posterior has anything.
_FARTHEST = 6.0
# Flat directions still have the prior's spread, of 1; convex ones somewhat more.
_LEAST_CURVATURE = 0.6
# How far from the mode the fall of the density is measured, in curvatures, and what it may say.
_LOOK = 1.5
_SIDES = (0.6, 2.0)
# Rounds of further points when few of them have most of the weight, and when that is.
_MOST_ROUNDS = 4
_FEWEST_EFFECTIVE = 0.25
# Draws of the coefficients made at each point while its matrix is factored: a draw costs a
# fiftieth of the factor, and few points are chosen more often than this.
_READY = 2


class NormalScores:
    r"""Log variance ratios by scores that are standard normal under half-t priors.

    .. math:: \Phi(z_k) = 2 T_3(e^{x_k/2} / s_k) - 1

    In log ratios the posterior of a variance that may be zero falls slowly to one side and
    fast to the other; in these scores it falls at least as fast as a normal density to both.

    Parameters
    ----------
    scales
        Scales of the half-t priors on the standard deviations, shape (d,).

    Examples
    --------
    >>> scores = NormalScores(np.array([0.5]))
    >>> bool(np.isclose(scores.of(scores.log_ratios(np.array([-1.3])))[0], -1.3))
    True
    """

    def __init__(self, scales: FloatArray) -> None:
        self.scales = scales

    def _deviations(self, scores: FloatArray) -> FloatArray:
        """Standard deviations over their scales."""
        tail = ndtr(-np.abs(scores)) / 2
        # The tail that is small is the one that has all its digits.
        small, large = stdtrit(PRIOR_DEGREES, 0.5 + tail), -stdtrit(PRIOR_DEGREES, tail)
        found: FloatArray = np.where(scores < 0, small, large)
        return found

    def log_ratios(self, scores: FloatArray) -> FloatArray:
        """Log ratios at scores, shape (d,) or (k, d)."""
        bounded = np.clip(scores, -_FARTHEST, _FARTHEST)
        found: FloatArray = 2 * np.log(self._deviations(bounded) * self.scales)
        return found

    def slopes(self, scores: FloatArray) -> FloatArray:
        """Derivatives of the log ratios in the scores."""
        deviations = self._deviations(scores)
        density = np.exp(-(scores**2) / 2) / np.sqrt(2 * np.pi)
        found: FloatArray = density / (deviations * student.pdf(deviations, PRIOR_DEGREES))
        return found

    def of(self, log_ratios: FloatArray) -> FloatArray:
        """Scores of log ratios."""
        deviations = np.exp(log_ratios / 2) / self.scales
        above = 2 * stdtr(PRIOR_DEGREES, -deviations)
        found: FloatArray = np.where(above > 0.5, ndtri(1 - above), -ndtri(above))
        return found


@dataclass(frozen=True)
class _Cloud:
    """Student t distributions of one spread below and one above, along axes of their own."""

    centre: FloatArray
    root: FloatArray
    below: FloatArray
    above: FloatArray

    def points(self, uniform: FloatArray) -> FloatArray:
        """Where uniform numbers fall, shape (k, d)."""
        steps = stdtrit(_POINT_DEGREES, np.clip(uniform, 1e-9, 1 - 1e-9))
        sizes = np.where(steps < 0, self.below, self.above)
        found: FloatArray = self.centre + (sizes * steps) @ self.root.T
        return found

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log density at points, shape (k,), up to a constant that all clouds share."""
        steps = np.linalg.solve(self.root, (points - self.centre).T).T
        sizes = np.where(steps < 0, self.below, self.above)
        steps = steps / sizes
        kernel = -(_POINT_DEGREES + 1) / 2 * np.log1p(steps**2 / _POINT_DEGREES) - np.log(sizes)
        found: FloatArray = kernel.sum(axis=1) - np.linalg.slogdet(self.root)[1]
        return found


@dataclass(frozen=True)
class WeightedPoints:
    """Points in the space of log variance ratios, and their posterior weights.

    Attributes
    ----------
    model
        The mixed model.
    coefficients
        Those of which means and draws are kept, q of them.
    log_ratios
        Shape (k, d).
    weights
        Weights that add up to 1, shape (k,).
    means
        Posterior means of the coefficients at each point, shape (k, q).
    drawn
        Some draws of them at each point, shape (k, r, q).
    variances
        The draws of the residual variance that belong to them, shape (k, r).
    """

    model: MixedModel | KernelMixedModel
    coefficients: list[int]
    log_ratios: FloatArray
    weights: FloatArray
    means: FloatArray
    drawn: FloatArray
    variances: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Posterior mean of the coefficients, shape (q,)."""
        found: FloatArray = self.weights @ self.means
        return found

    @property
    def effective(self) -> float:
        """Number of independent draws from the posterior that are worth as much."""
        return float(1 / (self.weights**2).sum())

    def resampled(self, count: int, rng: np.random.Generator) -> IntArray:
        """How often each point stands among so many draws, shape (k,)."""
        # Systematic: at most one draw more or less than the weight says.
        places = (rng.uniform() + np.arange(count)) / count
        found = np.searchsorted(np.cumsum(self.weights), places)
        return np.bincount(np.minimum(found, len(self.weights) - 1), minlength=len(self.weights))

    def draws(
        self, count: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Draws from the posterior, in an order that says nothing of the points.

        Points are chosen by weight; what is drawn at each of them already is used first.

        Parameters
        ----------
        count
            Number of draws.
        rng
            Random numbers.

        Returns
        -------
        log_ratios, coefficients, variances
            Shapes (count, d), (count, q) and (count,). The coefficients are moved to the mean
            of all points, which is nearer the posterior's than that of the draws.
        """
        counts, ready = self.resampled(count, rng), self.drawn.shape[1]
        places = np.repeat(np.arange(len(counts)), counts)
        rank = np.arange(count) - np.repeat(np.cumsum(counts) - counts, counts)
        own = np.minimum(rank, ready - 1)
        drawn, variances = self.drawn[places, own], self.variances[places, own]
        for place in np.flatnonzero(counts > ready):
            rows = np.flatnonzero((places == place) & (rank >= ready))
            further = self.model.conditional(self.log_ratios[place]).draws(len(rows), rng)
            drawn[rows], variances[rows] = further[0][:, self.coefficients], further[1]
        drawn += self.mean - drawn.mean(axis=0)
        # A part of the draws stands for all.
        order = rng.permutation(count)
        return self.log_ratios[places[order]], drawn[order], variances[order]


def weighted_points(
    model: MixedModel | KernelMixedModel,
    scales: FloatArray,
    coefficients: list[int],
    seed: int,
    n_points: int,
) -> WeightedPoints:
    r"""Importance sampling of the variance ratios under half-t priors.

    .. math::
        w_k \propto \frac{p(y \mid z_k)\,\phi(z_k)}{\sum_r n_r q_r(z_k)}, \qquad
        E(\beta \mid y) \approx \sum_k w_k E(\beta \mid y, z_k)

    over scores z (`NormalScores`), scrambled Sobol sequences of which half as many points come
    from the curvature at the mode (:math:`q_1`) and ``n_points`` from the mean and the
    covariance that the first have (:math:`q_2`); further rounds as the last where the effective
    number is below a quarter of ``n_points``. The coefficients are integrated out exactly.

    Parameters
    ----------
    model
        The mixed model.
    scales
        Scales of the half-t priors on the standard deviations over the residual's, shape (d,).
    coefficients
        Those of which means are wanted.
    seed
        Seed of the scrambling.
    n_points
        Points of the second round, a power of two.

    References
    ----------
    Cappé, Guillin, Marin and Robert (2004), Journal of Computational and Graphical Statistics
    13:907-929; weights of all rounds after Veach and Guibas (1995).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> Z = rng.normal(size=(100, 5))
    >>> model = MixedModel(Z[:, 0] + rng.normal(size=100), np.ones((100, 1)), [Z])
    >>> points = weighted_points(model, np.array([1.0]), [1, 2], 1, 64)
    >>> points.effective > 50, (points.mean > [0.7, -0.3]).tolist()
    (True, [True, True])
    """
    scores, d = NormalScores(scales), len(scales)
    rng = np.random.default_rng(seed)
    of_coefficients = np.random.default_rng(derive_seed(seed, "coefficients"))

    def log_density(place: FloatArray, deviance: float) -> float:
        return -0.5 * (deviance + float(place @ place))

    def look(places: FloatArray) -> list[FloatArray]:
        densities, means, drawn, variances = [], [], [], []
        for place in places:
            given = model.conditional(scores.log_ratios(place))
            densities.append(log_density(place, given.deviance))
            means.append(given.mean()[coefficients])
            draws, own = given.draws(_READY, of_coefficients)
            drawn.append(draws[:, coefficients])
            variances.append(own)
        return [np.array(found) for found in (densities, means, drawn, variances)]

    if d == 0:
        nowhere = np.zeros((1, 0))
        return WeightedPoints(model, coefficients, nowhere, np.ones(1), *look(nowhere)[1:])

    def at(place: FloatArray) -> float:
        return log_density(place, model.deviance(scores.log_ratios(place)))

    clouds = [_around_the_mode(model, scores, at)]
    places = clouds[0].points(qmc.Sobol(d, seed=rng).random(n_points // 2))
    counts = [len(places)]
    density, *looked = look(places)
    while True:
        # Each point counts by the density of all rounds, as if it might have come from any.
        rounds = [
            np.log(n) + cloud.log_density(places) for n, cloud in zip(counts, clouds, strict=True)
        ]
        log_weight = density - np.logaddexp.reduce(rounds, axis=0)
        weights = np.exp(log_weight - log_weight.max())
        weights /= weights.sum()
        log_ratios = scores.log_ratios(places)
        found = WeightedPoints(model, coefficients, log_ratios, weights, *looked)
        enough = found.effective >= _FEWEST_EFFECTIVE * n_points
        if len(counts) > 1 and (enough or len(counts) > _MOST_ROUNDS):
            return found
        clouds.append(_refitted(clouds[0], places, weights))
        fresh = clouds[-1].points(qmc.Sobol(d, seed=rng).random(n_points))
        counts.append(n_points)
        own = look(fresh)
        places = np.vstack([places, fresh])
        density, *looked = (
            np.concatenate(pair) for pair in zip([density, *looked], own, strict=True)
        )


def _around_the_mode(
    model: MixedModel | KernelMixedModel,
    scores: NormalScores,
    log_density: Callable[[FloatArray], float],
) -> _Cloud:
    """Where the density is highest, and how it falls from there along each axis."""
    d = len(scores.scales)

    def target(place: FloatArray) -> tuple[float, FloatArray]:
        value, slope = model.objective(scores.log_ratios(place))
        return (value + float(place @ place)) / 2, slope * scores.slopes(place) / 2 + place

    found = optimize.minimize(
        target,
        scores.of(2 * np.log(0.5 * scores.scales)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(1 - _FARTHEST, _FARTHEST - 1)] * d,
        options={"maxiter": 60, "ftol": 1e-6, "gtol": 2e-2},
    )
    mode = np.asarray(found.x, dtype=np.float64)
    slope, step = target(mode)[1], 0.1
    hessian = np.array([(target(mode + step * axis)[1] - slope) / step for axis in np.eye(d)])
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    root = vectors / np.sqrt(np.maximum(values, _LEAST_CURVATURE))
    top = log_density(mode)
    sides = []
    for sign in (-1, 1):
        fall = np.array([2 * (top - log_density(mode + sign * _LOOK * axis)) for axis in root.T])
        sides.append(np.clip(_LOOK / np.sqrt(np.maximum(fall, 1e-3)), *_SIDES))
    return _Cloud(mode, root, sides[0], sides[1])


def _refitted(first: _Cloud, places: FloatArray, weights: FloatArray) -> _Cloud:
    """Cloud with the mean and the covariance of weighted points, shrunk to those of the first."""
    # A few points that have most of the weight would leave a covariance of lower rank.
    weights = np.minimum(weights, 1 / np.sqrt(len(weights)))
    weights = weights / weights.sum()
    d = places.shape[1]
    mean = weights @ places
    covariance = (weights[:, None] * (places - mean)).T @ (places - mean)
    share = d / (d + 1 / (weights**2).sum())
    values, vectors = np.linalg.eigh((1 - share) * covariance + share * first.root @ first.root.T)
    root = vectors * np.sqrt(values * (_POINT_DEGREES - 2) / _POINT_DEGREES)
    return _Cloud(mean, root, np.ones(d), np.ones(d))
