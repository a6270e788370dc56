"""Squared losses of a combination of effects on an outcome that no effect was fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import nnls

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.ensembles.out_of_fold import OutOfFold
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.simplex import simplex_minimum
from tauhat.numerics.whitening import estimated_whitening

LossKind = Literal["transformed", "doubly-robust", "residual"]

# A column that projection leaves with less than this share of itself is a constant effect.
_CONSTANT = 1e-9


@dataclass(frozen=True, eq=False)
class EffectLoss:
    r"""Squared loss of a combination of effects.

    .. math:: L(w, c) = \lVert t - c\,u - Dw \rVert^2

    with the columns in ``nuisance`` taken out of all of it.

    Attributes
    ----------
    target
        t, shape (n,).
    columns
        D, one column per effect, shape (n, k).
    constant
        u, the column of an effect that is 1 for everybody, shape (n,).
    nuisance
        Columns with free coefficients, shape (n, q).
    heterogeneity_only
        Whether the level of the effect is always free, so that only its
        variation between persons is judged.
    variance
        Residual variance of the target, in squared units of the outcome.
    """

    target: FloatArray
    columns: FloatArray
    constant: FloatArray
    nuisance: FloatArray
    heterogeneity_only: bool
    variance: float

    def system(self, *, free_level: bool = False) -> tuple[FloatArray, FloatArray]:
        """Target and columns with all that has a free coefficient taken out.

        Parameters
        ----------
        free_level
            Whether the combination may be moved by a constant.

        Returns
        -------
        target
            Shape (n,).
        columns
            Shape (n, k); zero for an effect that has nothing left to judge.
        """
        removed = self.nuisance
        if free_level or self.heterogeneity_only:
            removed = np.column_stack([removed, self.constant])
        basis, _ = np.linalg.qr(removed)
        target = self.target - basis @ (basis.T @ self.target)
        columns = self.columns - basis @ (basis.T @ self.columns)
        size = np.linalg.norm(self.columns, axis=0)
        empty = np.linalg.norm(columns, axis=0) <= _CONSTANT * size
        return target, np.where(empty, 0.0, columns)

    def level(self, weights: FloatArray) -> float:
        """Least-squares constant that the weighed effects leave, in units of the outcome."""
        left = self.target - self.columns @ weights
        design = np.column_stack([self.constant, self.nuisance])
        return float(np.linalg.lstsq(design, left, rcond=None)[0][0])

    def of_each(self) -> FloatArray:
        """Loss of every effect alone over the residual variance, shape (k,)."""
        target, columns = self.system()
        losses: FloatArray = ((target[:, None] - columns) ** 2).sum(axis=0) / self.variance
        return losses

    def convex_weights(self) -> FloatArray:
        """Weights not negative that sum to one with the least loss, shape (k,)."""
        target, columns = self.system()
        return simplex_minimum(columns.T @ columns, columns.T @ target)

    def nonnegative_weights(self) -> tuple[float, FloatArray]:
        """Free level and weights not negative with the least loss."""
        target, columns = self.system(free_level=True)
        weights, _ = nnls(columns, target, maxiter=100 * columns.shape[1])
        return self.level(weights), weights

    def least_squares_weights(self) -> tuple[float, FloatArray]:
        """Free level and weights of any sign with the least loss."""
        target, columns = self.system(free_level=True)
        weights: FloatArray = np.linalg.lstsq(columns, target, rcond=None)[0].astype(np.float64)
        return self.level(weights), weights


def effect_loss(kind: LossKind, data: TrialData, held_out: OutOfFold) -> EffectLoss:
    r"""Loss of the members' out-of-fold effects.

    With persons randomized, :math:`\sum_i \{\Gamma_i - \tau(X_i)\}^2` with

    .. math::
        \Gamma_i = \frac{(A_i-\pi_i)(Y_i - \bar Y)}{\pi_i(1-\pi_i)}
        \quad\text{or}\quad
        \Gamma_i = \hat\mu_1 - \hat\mu_0
        + \frac{A_i-\pi_i}{\pi_i(1-\pi_i)}\{Y_i-\hat\mu_{A_i}\}

    ("transformed", "doubly-robust"), up to a factor, or Robinson's
    :math:`\sum_i \{Y_i - \hat m - b - (A_i-\pi_i)\tau(X_i)\}^2` with a free b
    ("residual").

    With clusters randomized a level is known no better than the clusters' noise
    allows, and would rule these losses. There the loss is on heterogeneity only,

    .. math:: \lVert Q W \{ Y - \hat m - a \circ \tau \} \rVert^2, \quad a = A - \pi

    with W the whitening by a random intercept, whose variance is estimated by
    REML given an effect linear in the covariates, and Q the projection off
    ``W [1, a]``. The doubly robust loss becomes the same; "transformed" has the
    mean outcome in place of :math:`\hat m`.

    Parameters
    ----------
    kind
        "transformed", "doubly-robust" or "residual".
    data
        The trial.
    held_out
        Out-of-fold effects and outcomes.

    Returns
    -------
    EffectLoss
    """
    pi, weight = data.propensity, data.sample_weight
    clusters = identified_clusters(data.clusters)
    if weight is not None:
        weight = weight / weight.mean()
    contrast = data.treatment - pi
    expected = held_out.mean
    if kind == "transformed":
        expected = np.full(data.n, np.average(data.working, weights=weight))
    elif kind == "doubly-robust" and clusters is None:
        expected = (1 - pi) * held_out.treated + pi * held_out.control
    if clusters is None and kind != "residual":
        # The pseudo-outcome is the residual over this contrast, so its squared distance to an
        # effect is that of the residual to the contrast times the effect, weighed by 1/contrast^2.
        contrast = pi * (1 - pi) / contrast
        precision = contrast**-2 / np.mean(contrast**-2)
        weight = precision if weight is None else weight * precision
    residual = data.working - expected
    white, _, variance = estimated_whitening(residual, contrast, data.X, clusters, weight)
    columns = [white.whiten(contrast * effect) for effect in held_out.effects.T]
    nuisance = [white.whiten(np.ones(data.n))] if clusters is not None or kind == "residual" else []
    return EffectLoss(
        target=white.whiten(residual),
        columns=np.column_stack(columns),
        constant=white.whiten(contrast),
        nuisance=np.column_stack(nuisance) if nuisance else np.zeros((data.n, 0)),
        heterogeneity_only=clusters is not None,
        variance=variance,
    )


def imputed_loss(imputed: FloatArray, data: TrialData, held_out: OutOfFold) -> EffectLoss:
    r"""Squared distance to effects imputed by the other arm, persons randomized.

    .. math::
        \sum_i \{D_i - \tau(X_i)\}^2, \qquad
        D_i = A_i\{Y_i - \hat\mu_0(X_i)\} + (1 - A_i)\{\hat\mu_1(X_i) - Y_i\}

    The noise of :math:`D` is that of one outcome, while a doubly robust score
    at a propensity of 1/2 carries four times its variance; the price is the
    error of :math:`\hat\mu`.

    Parameters
    ----------
    imputed
        D, shape (n,).
    data
        The trial.
    held_out
        Out-of-fold effects.

    Returns
    -------
    EffectLoss
    """
    root = np.ones(data.n)
    if data.sample_weight is not None:
        root = np.sqrt(data.sample_weight / data.sample_weight.mean())
    target = root * imputed
    basis = np.column_stack([root, root[:, None] * (data.X - data.X.mean(axis=0))])
    left = target - basis @ np.linalg.lstsq(basis, target, rcond=None)[0]
    return EffectLoss(
        target=target,
        columns=root[:, None] * held_out.effects,
        constant=root,
        nuisance=np.zeros((data.n, 0)),
        heterogeneity_only=False,
        variance=float(left @ left) / max(data.n - basis.shape[1], 1),
    )
