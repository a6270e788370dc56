"""Whether the effect changes with the time since a cluster began to be treated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from tauhat.arguments import check_level
from tauhat.design import ClustersOverPeriods
from tauhat.inference.estimate import Estimate
from tauhat.inference.inputs import TrialLike, as_trial_data
from tauhat.inference.period_averages import working_columns
from tauhat.numerics.nested_model import mixed_model
from tauhat.numerics.standardised_columns import independent_columns
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread
from tauhat.wording import p_words


@dataclass(frozen=True)
class ExposureEffects(Shown):
    """Effects by exposure time; the result of `exposure_effects`.

    Attributes
    ----------
    effects
        Effect in the first, second, ... period under treatment.
    mean
        Their mean, each exposure time counted the same.
    p_value
        Of the hypothesis that they are the same; NaN where there is one exposure time.
    statistic, degrees_of_freedom
        F and its two numbers of degrees of freedom.
    """

    effects: tuple[Estimate, ...]
    mean: Estimate
    p_value: float
    statistic: float
    degrees_of_freedom: tuple[int, int]

    @property
    def table(self) -> pd.DataFrame:
        """One row per exposure time, then their mean."""
        names = [str(k + 1) for k in range(len(self.effects))]
        columns = ["estimate", "se", "lower", "upper", "p_value"]
        return pd.DataFrame(
            [
                {"exposure": name, **{column: getattr(row, column) for column in columns}}
                for name, row in zip([*names, "mean"], [*self.effects, self.mean], strict=True)
            ]
        )

    @property
    def text(self) -> str:
        """Whether the effect changes with exposure time, in sentences."""
        if np.isnan(self.p_value):
            return "There is one exposure time, so that no change of the effect can be seen."
        p = p_words(self.p_value)
        if self.p_value <= 0.05:
            return (
                f"The effect changes with the time under treatment ({p}): averages and models that "
                "take it to be the same from the first period on may be far from what treatment "
                f"does in the long run. The mean over the exposure times is {self.mean.text}."
            )
        return (
            f"There is no clear sign that the effect changes with the time under treatment ({p}); "
            "that is not evidence that it does not. The averages and the models take it to be the "
            f"same from the first period on. The mean over the exposure times is {self.mean.text}."
        )


@on_one_thread
def exposure_effects(trial: TrialLike, *, level: float = 0.95) -> ExposureEffects | None:
    r"""Effects by exposure time in a stepped wedge.

    .. math::
        y = \alpha_t + x'\beta + \sum_s \delta_s 1(\text{exposure} = s) + b_i + c_{it} + e

    with fixed levels of the periods and of the exposure times s (the first period under treatment
    is 1), and intercepts of clusters and of their periods, by REML. A model with one effect can
    be far from the mean of :math:`\delta_s` where these differ, even of another sign (Kenny and
    others 2022). The test that they are the same is Wald's F with m less the number of exposure
    times and one as its second degrees of freedom; intervals use t with as many.

    Parameters
    ----------
    trial
        A `tauhat.Trial` with ``period``.
    level
        Coverage of the intervals.

    Returns
    -------
    ExposureEffects or None
        None where clusters go back to control, so that exposure time says too little.

    References
    ----------
    Kenny, Voldal, Xia, Heagerty and Hughes (2022), Statistics in Medicine 41:4311-4339.

    Examples
    --------
    >>> import tauhat as th
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"clinic": np.repeat(np.arange(12), 40), "age": rng.normal(size=480)})
    >>> df["month"] = np.tile(np.repeat(np.arange(4), 10), 12)
    >>> df["arm"] = (df.month > df.clinic % 3).astype(int)
    >>> df["y"] = df.arm * (df.month - df.clinic % 3) + rng.normal(size=480)
    >>> roles = {"outcome": "y", "treatment": "arm", "cluster": "clinic", "period": "month"}
    >>> found = exposure_effects(th.Trial(df, **roles))
    >>> [round(one.estimate) for one in found.effects], found.p_value < 0.001
    ([1, 2, 3], True)
    """
    check_level(level)
    data = as_trial_data(trial)
    design = data.design
    if not isinstance(design, ClustersOverPeriods) or design.name != "stepped wedge":
        return None
    fixed, blocks = working_columns(data, np.arange(data.n))
    # In periods without controls the effect cannot be told from the period.
    times = np.unique(design.exposure[design.exposure > 0])
    of_exposure = (design.exposure[:, None] == times).astype(np.float64)
    others = np.delete(fixed, 1, axis=1)
    columns = np.hstack([others, of_exposure])
    kept = independent_columns(columns)
    place = [
        int(np.flatnonzero(kept == others.shape[1] + k)[0])
        for k in range(len(times))
        if others.shape[1] + k in kept
    ]
    scale = float(data.y.std()) or 1.0
    intercepts = design.intercepts()
    model = mixed_model(
        (data.y - data.y.mean()) / scale,
        columns[:, kept],
        blocks,
        intercepts.groups,
        nesting=intercepts.nesting,
    )
    fit = model.fit()
    k = len(place)
    pick = np.zeros((k, len(fit.coefficients)))
    pick[np.arange(k), place] = scale
    effect = pick @ fit.coefficients
    solved = np.linalg.solve(fit.covariance_root.T, pick.T)
    covariance = fit.residual_variance * solved.T @ solved
    free = max(design.n_units - k - 1, 1)

    def estimate(weight: np.ndarray) -> Estimate:
        return Estimate.from_t(
            float(weight @ effect),
            float(np.sqrt(weight @ covariance @ weight)),
            degrees_of_freedom=free,
            level=level,
        )

    statistic = p_value = float("nan")
    if k > 1:
        contrast = np.diff(np.eye(k), axis=0)
        apart = contrast @ effect
        spread = contrast @ covariance @ contrast.T
        statistic = float(apart @ np.linalg.solve(spread, apart)) / (k - 1)
        p_value = float(stats.f.sf(statistic, k - 1, free))
    return ExposureEffects(
        tuple(estimate(row) for row in np.eye(k)),
        estimate(np.full(k, 1 / k)),
        p_value,
        statistic,
        (k - 1, free),
    )
