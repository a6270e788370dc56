"""Comparison of effect estimators on a real trial, where no true effect is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.arguments import check_splits
from tauhat.data import TrialData
from tauhat.ensembles.library import default_members
from tauhat.ensembles.out_of_fold import out_of_fold_effects
from tauhat.ensembles.together import fit_together
from tauhat.errors import TrialError
from tauhat.fitting.allocation import without_level_of_allocation
from tauhat.fitting.block_intercepts import without_block_intercepts
from tauhat.fitting.cate_estimator import CateEstimator, refuse_no_estimator
from tauhat.fitting.nuisance import Nuisance, fit_nuisances, pick
from tauhat.inference.cross_fitting import RandomState
from tauhat.inference.inputs import TrialLike, as_trial_data, refuse_over_periods
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.numerics.whitening import estimated_whitening, whitening
from tauhat.outcome.gamm import AdditiveMixedModel
from tauhat.registry import estimator as registered_estimator
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread

Loss = Literal["heterogeneity", "r", "dr"]
LOSSES: tuple[Loss, ...] = ("heterogeneity", "r", "dr")

#: Name of the comparator that gives everybody the same effect.
CONSTANT = "constant effect"


@dataclass(frozen=True, eq=False)
class ModelComparison(Shown):
    """Held-out losses of effect estimators; the result of `compare`.

    Attributes
    ----------
    table
        One row per estimator, the smallest heterogeneity loss first:
        ``estimator``; and for each loss (``heterogeneity``, ``r``, ``dr``)
        ``<loss>_loss``, its mean over persons; ``<loss>_difference`` to the best
        of that loss; ``<loss>_se``, the standard error of that paired difference.
        The heterogeneity loss is in units of the residual variance, the others
        in squared units of the outcome.
    unit_losses
        For each loss the sums over the persons of each randomized unit, one row
        a unit, one column per estimator.
    unit_sizes
        Persons (or their weights) of each unit, shape (u,).
    failures
        Message by name of each estimator that could not be fitted.
    method
        How the effects were held out.
    """

    table: pd.DataFrame
    unit_losses: Mapping[Loss, pd.DataFrame]
    unit_sizes: FloatArray
    failures: Mapping[str, str]
    method: str

    @property
    def best(self) -> str:
        """Estimator with the smallest heterogeneity loss."""
        return str(self.table.estimator.iloc[0])

    def difference(
        self, first: str, second: str, loss: Loss = "heterogeneity"
    ) -> tuple[float, float]:
        """Mean loss of one estimator less that of another, and its standard error.

        Parameters
        ----------
        first, second
            Names of estimators.
        loss
            "heterogeneity", "r" or "dr".

        Returns
        -------
        difference, se
            Negative when the first is better; randomized units are the
            independent parts.
        """
        losses = self.unit_losses[loss]
        return _paired(losses[first].to_numpy() - losses[second].to_numpy(), self.unit_sizes)

    @property
    def text(self) -> str:
        """The result in sentences."""
        others = self.table.iloc[1:]
        close = others[others.heterogeneity_difference <= 2 * others.heterogeneity_se]
        if self.best == CONSTANT:
            first = (
                "No estimator predicts held-out outcomes better than one effect for everybody does."
            )
        else:
            gain, error = self.difference(CONSTANT, self.best)
            size = f"{gain:.3g} (standard error {error:.2g})"
            first = (
                f"{self.best} has the smallest held-out loss, {size} of the residual variance "
                "below one effect for everybody."
            )
        names = ", ".join(str(name) for name in close.estimator)
        second = (
            f" Within two standard errors of it: {names}."
            if names
            else " Every other one is worse by more than two standard errors."
        )
        failed = "".join(
            f" {name} could not be fitted: {why}." for name, why in self.failures.items()
        )
        return (
            f"{first}{second}{failed} Differences say which estimator to prefer, not whether the "
            f"effect differs between persons, which test_heterogeneity tests. {self.method}."
        )


@on_one_thread
def compare(
    trial: TrialLike,
    estimators: Sequence[str] | Mapping[str, str | CateEstimator] | None = None,
    *,
    n_splits: int = 1,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> ModelComparison:
    r"""Compare effect estimators by their loss on persons and clusters they did not see.

    Every estimator is refitted without each fold of whole clusters (persons in
    individual trials), and so are additive mixed models of the outcome, m over
    both arms and :math:`\mu_0, \mu_1` in each. With :math:`a = A - \pi` and the
    held-out effects :math:`\hat\tau` three losses are computed:

    * ``heterogeneity``: :math:`\lVert QW\{Y - \hat m - a \circ \hat\tau\}\rVert^2 / s^2`
      with the whitening W by a random cluster intercept and the projection Q
      off ``W [1, a]``, effects centred within fold: differences between persons
      only, blind to the level that few clusters cannot tell;
    * ``r``: :math:`\{Y - \hat m - a\hat\tau\}^2` (Nie and Wager 2021);
    * ``dr``: :math:`(\varphi - \hat\tau)^2` with the doubly robust pseudo-outcome
      :math:`\varphi = \hat\mu_1 - \hat\mu_0 + a\,(Y - \hat\mu_A) / \{\pi(1-\pi)\}`.

    The row "constant effect" gives everybody one effect, fitted without the
    fold too. In a cluster trial prefer the first loss: the others carry the
    noise of whole clusters. With blocks, Y is the outcome without their levels
    (`tauhat.fitting.block_intercepts.without_block_intercepts`), which no estimator is asked for.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, or an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity.
    estimators
        Names, or estimators (or names) by the name to show; None for the
        members that a consensus takes for the design.
    n_splits
        Number of times the whole is repeated on other folds; losses are averaged.
    n_folds
        Number of folds of a split, fewer where an arm has fewer units.
    random_state
        Seed of the folds and the fits.
    n_jobs
        Number of fits at once.

    Returns
    -------
    ModelComparison

    Raises
    ------
    TrialError
        If a name is unknown or repeated, a number is too small, or nothing could be fitted.
    ValueError
        If the trial is not valid.

    Notes
    -----
    The standard error is that of the difference to the estimator that turned
    out best, without allowance for having chosen it. Losses compare estimators
    as fitted to four fifths of the trial.

    References
    ----------
    Nie and Wager (2021), Biometrika 108:299-319; Kennedy (2023), Electronic
    Journal of Statistics 17:3008-3049.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(20), 20)
    >>> X, arm = rng.normal(size=(400, 2)), clusters % 2
    >>> y = arm * (1 + X[:, 0]) + 0.3 * rng.normal(size=20)[clusters] + rng.normal(size=400)
    >>> result = compare((X, y, arm, clusters), ["LMM"])
    >>> result.table.estimator.tolist()
    ['LMM', 'constant effect']
    """
    check_splits(n_splits, n_folds)
    data = as_trial_data(trial)
    refuse_over_periods(data, "comparing models is")
    chosen = _resolved(estimators, data)
    seed = resolve_seed(random_state)
    totals: dict[Loss, dict[str, FloatArray]] = {loss: {} for loss in LOSSES}
    failures: dict[str, str] = {}
    for split in range(n_splits):
        losses, failed = _one_split(
            chosen, data, n_folds, derive_seed(seed, "split", split), n_jobs
        )
        failures = {**failed, **failures}
        for loss, by_name in losses.items():
            for name, values in by_name.items():
                totals[loss][name] = totals[loss].get(name, 0.0) + values / n_splits
    kept = [name for name in totals["heterogeneity"] if name not in failures]
    if len(kept) < 2:
        raise TrialError(f"no estimator could be fitted: {failures}")
    unit = data.design.unit
    sizes: FloatArray = np.bincount(unit, weights=_weights(data)).astype(np.float64)
    unit_losses: dict[Loss, pd.DataFrame] = {
        loss: pd.DataFrame({name: np.bincount(unit, totals[loss][name]) for name in kept})
        for loss in LOSSES
    }
    splits = "1 split" if n_splits == 1 else f"{n_splits} splits"
    return ModelComparison(
        table=_table(unit_losses, sizes),
        unit_losses=unit_losses,
        unit_sizes=sizes,
        failures=failures,
        method=f"Cross-fitted over {n_folds} folds of {data.design.whole_units}, {splits}",
    )


def _resolved(
    estimators: Sequence[str] | Mapping[str, str | CateEstimator] | None, data: TrialData
) -> dict[str, CateEstimator]:
    """Unfitted estimators by name."""
    if estimators is None:
        return dict(default_members(data))
    if isinstance(estimators, str) or not isinstance(estimators, Iterable):
        raise TrialError(f"estimators must be a list of names, got {estimators!r}")
    if not isinstance(estimators, Mapping):
        names = list(estimators)
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise TrialError(f"estimators must differ; repeated: {', '.join(repeated)}")
        estimators = {name: name for name in names}
    if not estimators or CONSTANT in estimators:
        raise TrialError(
            f"estimators must name at least one estimator, and none {CONSTANT!r}, which is "
            "compared with anyway"
        )
    for one in estimators.values():
        refuse_no_estimator(one)
    return {
        name: registered_estimator(one) if isinstance(one, str) else one
        for name, one in estimators.items()
    }


def _weights(data: TrialData) -> FloatArray:
    weight = data.sample_weight
    return np.ones(data.n) if weight is None else weight / weight.mean()


def _one_split(
    estimators: Mapping[str, CateEstimator], data: TrialData, n_folds: int, seed: int, n_jobs: int
) -> tuple[dict[Loss, dict[str, FloatArray]], Mapping[str, str]]:
    """Loss of every person under every estimator, weights included, and what failed."""
    held_out = out_of_fold_effects(estimators, data, n_folds, seed, n_jobs=n_jobs, fit=fit_together)
    # What a block's persons share, or its share of treated tells, is no estimator's error.
    data = without_block_intercepts(without_level_of_allocation(data))
    model = AdditiveMixedModel()
    declared = [
        Nuisance("mean", model, n_folds=n_folds, seed=seed),
        Nuisance("control", model, arm=0, n_folds=n_folds, seed=seed),
        Nuisance("treated", model, arm=1, n_folds=n_folds, seed=seed),
    ]
    outcomes = pick(declared, fit_nuisances(declared, data, n_jobs=n_jobs))
    weight = _weights(data)
    clusters = identified_clusters(data.clusters)
    contrast = data.treatment - data.propensity
    residual = data.working - outcomes["mean"].cross_fitted
    white, between, variance = estimated_whitening(residual, contrast, data.X, clusters, weight)
    control, treated = outcomes["control"].cross_fitted, outcomes["treated"].cross_fitted
    own = np.where(data.treatment == 1, treated, control)
    inverse = contrast / (data.propensity * (1 - data.propensity))
    pseudo = treated - control + inverse * (data.working - own)
    ratio = between / variance
    level = _held_out_level(residual, contrast, clusters, ratio, weight, held_out.folds)
    losses: dict[Loss, dict[str, FloatArray]] = {loss: {} for loss in LOSSES}
    for name, found in {CONSTANT: level, **held_out.effects}.items():
        effect = data.endpoint.bounded(found)
        varying = _centred(effect, held_out.folds, weight)
        left = white.heterogeneity_residual(residual, contrast, varying)
        losses["heterogeneity"][name] = left**2 / variance
        losses["r"][name] = weight * (residual - contrast * effect) ** 2
        losses["dr"][name] = weight * (pseudo - effect) ** 2
    return losses, held_out.messages


def _held_out_level(
    residual: FloatArray,
    contrast: FloatArray,
    clusters: IntArray | None,
    ratio: float,
    weight: FloatArray,
    folds: IntArray,
) -> FloatArray:
    """Average effect by generalised least squares without each row's fold, shape (n,)."""
    level = np.empty(len(residual))
    for fold in range(int(folds.max()) + 1):
        learn = folds != fold
        inside = None if clusters is None else np.unique(clusters[learn], return_inverse=True)[1]
        white = whitening(contrast[learn], inside, ratio, weight[learn])
        nothing = np.zeros(int(learn.sum()))
        level[~learn] = white.level(residual[learn], contrast[learn], nothing)
    return level


def _centred(effect: FloatArray, folds: IntArray, weight: FloatArray) -> FloatArray:
    """Effects less their mean in the fold, which moves against the fold's own mean effect."""
    mean = np.bincount(folds, weights=weight * effect) / np.bincount(folds, weights=weight)
    centred: FloatArray = effect - mean[folds]
    return centred


def _paired(differences: FloatArray, sizes: FloatArray) -> tuple[float, float]:
    """Mean over persons of sums over units, and its standard error."""
    total, u = float(sizes.sum()), len(sizes)
    mean = float(differences.sum()) / total
    left = differences - mean * sizes
    return mean, float(np.sqrt(u / (u - 1) * (left @ left))) / total


def _table(unit_losses: Mapping[Loss, pd.DataFrame], sizes: FloatArray) -> pd.DataFrame:
    names = list(unit_losses["heterogeneity"].columns)
    columns: dict[str, list[float] | list[str]] = {"estimator": names}
    for loss in LOSSES:
        sums = unit_losses[loss]
        means = sums.sum() / sizes.sum()
        best = sums[str(means.idxmin())].to_numpy()
        pairs = [_paired(sums[name].to_numpy() - best, sizes) for name in names]
        columns[f"{loss}_loss"] = [float(means[name]) for name in names]
        columns[f"{loss}_difference"] = [difference for difference, _ in pairs]
        columns[f"{loss}_se"] = [se for _, se in pairs]
    table = pd.DataFrame(columns)
    return table.sort_values("heterogeneity_loss", kind="stable", ignore_index=True)
