"""Average effects in groups of persons along each covariate, from outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import IntArray
from tauhat.arguments import check_level
from tauhat.errors import TrialError
from tauhat.inference.cross_fitting import CrossFit
from tauhat.inference.descriptive import DESCRIPTIVE, fixed_group_rows, jackknife_words
from tauhat.runtime.display import Shown
from tauhat.runtime.parallel import on_one_thread


@dataclass(frozen=True, eq=False)
class CovariateGroupEffects(Shown):
    """Average effects in groups along covariates; the result of `covariate_group_effects`.

    Attributes
    ----------
    table
        One row per group: ``covariate``, ``group``, ``persons``, ``control units``
        and ``treated units`` (randomized units with members), ``estimate``,
        ``se``, ``lower``, ``upper``; the last four are missing where an arm has
        fewer than two units.
    method
        How they were estimated.
    """

    table: pd.DataFrame
    method: str

    @property
    def text(self) -> str:
        """The result in sentences."""
        names = list(dict.fromkeys(self.table["covariate"]))
        return (
            f"Average effects in {len(self.table)} groups along {len(names)} covariates. Each "
            "interval stands alone; covariates and groups were not chosen by the outcome. "
            f"{DESCRIPTIVE} {self.method}."
        )


@on_one_thread
def covariate_group_effects(
    fit: CrossFit,
    groups: Mapping[str, tuple[IntArray, Sequence[str]]],
    *,
    level: float = 0.95,
) -> CovariateGroupEffects:
    """Average effect of the persons of each group, every person counted the same.

    The estimate and its error are those of `tauhat.group_effect`: held-out
    effects plus the mean residual in each arm, and the delete-one-unit jackknife.
    Groups must not be chosen by looking at outcomes.

    Parameters
    ----------
    fit
        Cross-fit of the trial.
    groups
        By covariate: the group 0 to k - 1 of each person in the user's row order
        (-1 for none), shape (n,), and the labels of the k groups.
    level
        Coverage of each interval.

    Returns
    -------
    CovariateGroupEffects

    Raises
    ------
    TrialError
        If the codes of a covariate are not one a person, or ``level`` is not
        between 0 and 1.

    Examples
    --------
    >>> from tauhat.inference.cross_fitting import cross_fit
    >>> rng = np.random.default_rng(1)
    >>> X, arm = rng.normal(size=(400, 2)), np.arange(400) % 2
    >>> y = arm * (X[:, 0] > 0) * 2 + rng.normal(size=400)
    >>> fit = cross_fit((X, y, arm), "LMM", n_splits=2, n_folds=2)
    >>> found = covariate_group_effects(fit, {"x1": ((X[:, 0] > 0).astype(int), ["low", "high"])})
    >>> low, high = found.table.itertuples()
    >>> bool(low.upper < high.lower), low.persons + high.persons
    (True, 400)
    """
    check_level(level)
    rows: list[dict[str, Any]] = []
    for name, (codes, labels) in groups.items():
        codes = np.asarray(codes)
        if codes.shape != (len(fit.frame),):
            raise TrialError(
                f"the groups of {name!r} have shape {codes.shape}; one is needed for each of the "
                f"{len(fit.frame)} persons of the trial"
            )
        member = (codes[fit.rows][:, None] == np.arange(len(labels))).astype(np.float64)
        of_each, _ = fixed_group_rows(fit, member, [str(label) for label in labels], level=level)
        rows += [{"covariate": name, **row} for row in of_each]
    columns = ["covariate", "group", "persons", "control units", "treated units",
               "estimate", "se", "lower", "upper"]  # fmt: skip
    method = f"Model-robust estimate, {fit.method}; {jackknife_words(fit)}"
    return CovariateGroupEffects(pd.DataFrame(rows, columns=columns), method)
