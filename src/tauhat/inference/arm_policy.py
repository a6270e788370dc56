"""Which of several arms for whom, and what that is worth against the best single arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.arguments import check_level, check_switch
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.fitted_contrasts import FittedContrasts, best_arms
from tauhat.inference.cross_fitting import (
    DEFAULT_ESTIMATOR,
    CrossFit,
    RandomState,
    cross_fit,
)
from tauhat.inference.descriptive import (
    DESCRIPTIVE,
    estimate_columns,
    interval_text,
    score_means,
)
from tauhat.inference.estimate import Estimate
from tauhat.inference.inputs import refuse_no_trial
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread
from tauhat.trial.trial import Trial
from tauhat.wording import join_words


@dataclass(frozen=True)
class ArmPolicyValue(Shown):
    """Value of giving everyone the arm that is best for them; the result of `arm_policy_value`.

    Attributes
    ----------
    over_control
        Mean gain a person over giving everyone the control.
    over_best
        Mean gain a person over giving everyone the best single arm.
    best_over_control
        Mean gain a person of the best single arm over the control.
    best_arm
        Label of the arm with the best average outcome.
    shares
        Share of persons to whom the model gives each arm, by its label; mean over splits.
    method
        How it was estimated.
    """

    over_control: Estimate
    over_best: Estimate
    best_over_control: Estimate
    best_arm: str
    shares: Mapping[str, float]
    method: str

    @property
    def table(self) -> pd.DataFrame:
        """One row per comparison of two policies."""
        named = {
            "by the model against control for all": self.over_control,
            f"by the model against {self.best_arm} for all": self.over_best,
            f"{self.best_arm} for all against control for all": self.best_over_control,
        }
        return pd.DataFrame([{"giving": k, **estimate_columns(e)} for k, e in named.items()])

    @property
    def text(self) -> str:
        """The result in sentences."""
        if self.over_best.lower > 0:
            verdict = f"better than {self.best_arm} for everyone"
        elif self.over_best.upper < 0:
            verdict = f"worse than {self.best_arm} for everyone"
        else:
            verdict = f"not clearly better or worse than {self.best_arm} for everyone"
        given = join_words([f"{arm} to {share:.0%}" for arm, share in self.shares.items()])
        return (
            f"The model would give {given} of persons. The best single arm is {self.best_arm}. "
            f"The mean gain a person is {interval_text(self.over_best)} over {self.best_arm} for "
            f"everyone and {interval_text(self.over_control)} over the control for everyone: "
            f"{verdict}. Gains are in units of the outcome, positive when the outcome is better, "
            f"without the cost of treatment. {DESCRIPTIVE} {self.method}."
        )


@on_one_thread
def arm_policy_value(
    trial: Trial,
    estimator: str | CateEstimator | None = None,
    *,
    fits: Mapping[str, CrossFit] | None = None,
    higher_is_better: bool = True,
    level: float = 0.95,
    n_splits: int = 5,
    n_folds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int = 1,
) -> ArmPolicyValue:
    r"""Compare giving each person the arm that is best for them with the best single arm.

    The decision :math:`d_i` is the arm with the best estimated outcome by effects of models
    that never saw the person or the cluster: of a contrast that the person is in, those
    cross-fitted; of the others, those of a model of all its persons. With the model-robust
    scores :math:`\psi_i^a` of the contrast of arm a with the control,

    .. math:: \hat V = \sum_a \frac1{n_a} \sum_{i \in \{0, a\}} 1(d_i = a) \psi_i^a

    is the mean gain over the control for everyone, :math:`n_a` the persons in either arm;
    less the mean of :math:`\psi_i^b` it is that over the best single arm b. That arm is chosen
    by the same data, which favours it. Errors are by leaving out each unit from all contrasts
    at once, within arms; t with (units) - (arms) degrees of freedom.

    Parameters
    ----------
    trial
        A `tauhat.Trial` of more than two arms, in which each is compared with the control.
    estimator
        Name or unfitted estimator of the effects; None for the additive mixed model.
    fits
        Cross-fits of the contrasts by their names, made with this estimator, the same splits.
    higher_is_better
        Whether a larger outcome is the better one.
    level
        Coverage of the intervals.
    n_splits, n_folds, random_state, n_jobs
        As in `tauhat.inference.cross_fit`.

    Returns
    -------
    ArmPolicyValue

    Raises
    ------
    TrialError
        If some arm is not compared with the control.

    References
    ----------
    Athey and Wager (2021), Econometrica 89:133-161; Zhou, Athey and Wager (2023), Operations
    Research 71:148-183, for several arms.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"drug": np.arange(900) % 3, "x": rng.normal(size=900)})
    >>> df["y"] = np.select([df.drug == 1, df.drug == 2], [df.x, -df.x]) + rng.normal(size=900)
    >>> found = arm_policy_value(Trial(df, outcome="y", treatment="drug"), "LMM", n_splits=2)
    >>> found.over_best.lower > 0, bool(abs(found.over_control.estimate - 0.8) < 0.25)
    (True, True)
    """
    check_switch(higher_is_better, "higher_is_better")
    check_level(level)
    refuse_no_trial(trial, arrays=False)
    names = _against_control(trial)
    seed = resolve_seed(random_state)
    estimator = DEFAULT_ESTIMATOR if estimator is None else estimator
    if fits is None:
        fits = {
            name: cross_fit(
                trial.contrasts[name],
                estimator,
                n_splits=n_splits,
                n_folds=n_folds,
                random_state=seed,
                n_jobs=n_jobs,
            )
            for name in names.values()
        }
    whole = trial.fit(estimator, random_state=derive_seed(seed, "policy"))
    assert isinstance(whole, FittedContrasts)
    placed = [_Placed.of(trial, arm, name, fits[name]) for arm, name in names.items()]
    sign = 1.0 if higher_is_better else -1.0
    order = [list(trial.pairs).index(name) for name in names.values()]
    # Persons without an outcome are given an arm too: they count in the cross-fits.
    elsewhere = whole.effect(trial.encoder_.transform(trial.enrolled_frame))[:, order]
    averages = [
        sign * float(np.mean([score_means(p.fit, s, np.ones((p.fit.data.n, 1))).estimate[0]
                              for s in range(p.fit.n_splits)]))
        for p in placed
    ]  # fmt: skip
    best = int(np.argmax([0.0, *averages]))
    splits, shares = [], np.zeros(trial.n_arms)
    counts = pd.Index(trial.enrolled_rows).get_indexer(
        pd.Index(trial.rows[trial.has_counterfactual])
    )
    weight = np.ones(trial.n) if trial.sample_weight is None else trial.sample_weight
    for split in range(placed[0].fit.n_splits):
        effects = elsewhere.copy()
        for column, part in enumerate(placed):
            effects[part.rows, column] = part.fit.effects[split]
        decision = best_arms(effects, [(0, part.arm) for part in placed], higher_is_better)
        shares += np.bincount(decision[counts], weight[trial.has_counterfactual], trial.n_arms)
        splits.append(_gains(trial, placed, decision, best, split, sign))
    arm = trial.enrolled_randomization.arm[
        np.unique(np.concatenate([part.units for part in placed]))
    ]
    over_control, over_best, best_over_control = _over_splits(arm, splits, level)
    labels = list(map(str, trial.arm_labels))
    method = placed[0].fit.method
    return ArmPolicyValue(
        over_control,
        over_best,
        best_over_control,
        labels[best],
        dict(zip(labels, (shares / shares.sum()).tolist(), strict=True)),
        f"Policy value over {trial.n_arms} arms, {method}; delete-one-"
        f"{trial.randomization.unit_word} jackknife within arms, all contrasts at once",
    )


def _against_control(trial: Trial) -> dict[int, str]:
    """Name of the contrast of each arm with the control, by the arm's number."""
    names = {pair[1]: name for name, pair in trial.pairs.items() if pair[0] == 0}
    if len(names) < trial.n_arms - 1 or trial.n_arms == 2:
        raise TrialError(
            "a policy over several arms needs each arm compared with the control: contrasts="
            "'control' or 'all'; of two arms use tauhat.inference.policy_value"
        )
    return dict(sorted(names.items()))


@dataclass(frozen=True)
class _Placed:
    """A contrast's cross-fit, and where its rows and units are among all enrolled."""

    arm: int
    fit: CrossFit
    rows: IntArray
    units: IntArray

    @classmethod
    def of(cls, trial: Trial, arm: int, name: str, fit: CrossFit) -> _Placed:
        part = trial.contrasts[name]
        own = pd.Index(part.counted_rows[fit.data.rows])
        rows = pd.Index(trial.enrolled_rows).get_indexer(own)
        return cls(arm, fit, rows, trial.enrolled_randomization.unit[rows[fit.design.first]])


def _gains(
    trial: Trial,
    placed: list[_Placed],
    decision: Any,
    best: int,
    split: int,
    sign: float,
) -> tuple[FloatArray, FloatArray]:
    """Gains over control and best arm, and of the latter over control, and their changes.

    Shapes (3,) and (m, 3): what they become without each unit that is in a contrast.
    """
    estimate, moved = np.zeros(3), np.zeros((trial.enrolled_randomization.n_units, 3))
    for part in placed:
        given = (decision[part.rows] == part.arm).astype(np.float64)
        always = np.full(len(given), float(part.arm == best))
        shares = sign * np.column_stack([given, given - always, always])
        found = score_means(part.fit, split, shares)
        estimate += found.estimate
        moved[part.units] += found.deleted - found.estimate
    return estimate, moved[np.unique(np.concatenate([part.units for part in placed]))]


def _over_splits(
    arm: IntArray, splits: list[tuple[FloatArray, FloatArray]], level: float
) -> list[Estimate]:
    """Means over splits; squared error that within a split plus the variance between them."""
    squares = []
    for _, moved in splits:
        total = np.zeros(3)
        for a in np.unique(arm):
            own = moved[arm == a]
            m = len(own)
            total += (m - 1) / m * ((own - own.mean(axis=0)) ** 2).sum(axis=0)
        squares.append(total)
    estimates = np.array([estimate for estimate, _ in splits])
    between = estimates.var(axis=0, ddof=1) if len(splits) > 1 else np.zeros(3)
    errors = np.sqrt(np.mean(squares, axis=0) + between)
    free = float(len(arm) - len(np.unique(arm)))
    return [
        Estimate.from_t(float(value), float(error), degrees_of_freedom=free, level=level)
        for value, error in zip(estimates.mean(axis=0), errors, strict=True)
    ]
