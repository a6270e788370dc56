"""Performance of one estimated number over the replicates of a study."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauhat.runtime.display import Shown
from tauhat.simulate.metrics import coverage, mean_width, paired, rmse


@dataclass(frozen=True)
class Performance(Shown):
    """Performance of an estimator of one number over the replicates of a study.

    Attributes
    ----------
    replicates
        Number of replicates.
    bias, bias_se
        Mean error and its Monte Carlo standard error.
    empirical_se
        SD (divisor replicates - 1) of the errors.
    rmse
        Root mean squared error.
    mean_se
        Root mean square of the stated standard errors, NaN without them.
    coverage, coverage_se
        Share of intervals that hold the truth and its Monte Carlo standard
        error, NaN without intervals.
    mean_width
        Mean width of the intervals, NaN without them.
    """

    replicates: int
    bias: float
    bias_se: float
    empirical_se: float
    rmse: float
    mean_se: float
    coverage: float
    coverage_se: float
    mean_width: float

    @property
    def table(self) -> pd.DataFrame:
        """The numbers in one row."""
        return pd.DataFrame([asdict(self)])

    @property
    def text(self) -> str:
        """The performance in a sentence."""
        covered = (
            ""
            if np.isnan(self.coverage)
            else f", coverage {100 * self.coverage:.1f}% "
            f"(standard error {100 * self.coverage_se:.1f})"
        )
        return (
            f"Over {self.replicates} replicates: bias {self.bias:.3g} (standard error "
            f"{self.bias_se:.2g}), root mean squared error {self.rmse:.3g}{covered}."
        )


def performance(
    estimate: npt.ArrayLike,
    truth: npt.ArrayLike | float,
    *,
    se: npt.ArrayLike | None = None,
    lower: npt.ArrayLike | None = None,
    upper: npt.ArrayLike | None = None,
) -> Performance:
    """Bias, standard errors and coverage of an average effect or a variance over replicates.

    Parameters
    ----------
    estimate
        One estimate a replicate, shape (replicates,).
    truth
        The true value, one number or one a replicate.
    se
        Stated standard error of each estimate, or None.
    lower, upper
        Stated intervals, or None.

    Returns
    -------
    Performance

    References
    ----------
    Morris TP, White IR, Crowther MJ (2019). Using simulation studies to
    evaluate statistical methods. Statistics in Medicine 38(11):2074-2102,
    table 6.

    Examples
    --------
    >>> result = performance([0.9, 1.1, 1.3], 1.0, lower=[0.5, 1.05, 0.8], upper=[1.5, 1.6, 1.7])
    >>> round(result.bias, 3), round(result.coverage, 3)
    (0.1, 0.667)
    """
    values = np.asarray(estimate, dtype=np.float64)
    values, true = paired(
        values, np.broadcast_to(np.asarray(truth, dtype=np.float64), values.shape)
    )
    if (lower is None) != (upper is None):
        raise ValueError("give both lower and upper, or neither")
    replicates = len(values)
    error = values - true
    spread = float(error.std(ddof=1)) if replicates > 1 else float("nan")
    mean_se = covered = covered_se = width = float("nan")
    if se is not None:
        stated, _ = paired(se, true)
        mean_se = float(np.sqrt(np.mean(stated**2)))
    if lower is not None and upper is not None:
        covered = coverage(lower, upper, true)
        covered_se = float(np.sqrt(covered * (1 - covered) / replicates))
        width = mean_width(lower, upper)
    return Performance(
        replicates=replicates,
        bias=float(error.mean()),
        bias_se=spread / float(np.sqrt(replicates)),
        empirical_se=spread,
        rmse=rmse(values, true),
        mean_se=mean_se,
        coverage=covered,
        coverage_se=covered_se,
        mean_width=width,
    )
