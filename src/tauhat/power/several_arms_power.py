"""Power for effects that differ between persons in a trial of several arms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from tauhat.arguments import check_numbers, is_whole
from tauhat.errors import TrialError
from tauhat.power.planned_trial import HtePower
from tauhat.power.planning import power_hte
from tauhat.runtime.display import Shown

_MOST_ARMS = 20


@dataclass(frozen=True)
class SeveralArmsPower(Shown):
    """A planned trial of several arms with its power; the result of `power_several_arms`.

    Attributes
    ----------
    n_arms
        Arms, the control among them, all of one size.
    n_clusters, n_persons
        Of all arms; no clusters where persons are randomized.
    significance_level
        Level that the contrasts share.
    contrast
        One arm against the control, at its part of the level.
    """

    n_arms: int
    n_clusters: int | None
    n_persons: int
    significance_level: float
    contrast: HtePower

    @property
    def power(self) -> float:
        """Power for the interaction in one contrast."""
        return self.contrast.power

    @property
    def table(self) -> pd.DataFrame:
        """One row per quantity: ``quantity`` and ``value``; those of one contrast named so."""
        of_all = [
            ("arms", self.n_arms),
            ("clusters", self.n_clusters),
            ("persons", self.n_persons),
            ("significance level of all contrasts", self.significance_level),
        ]
        shown = pd.DataFrame([row for row in of_all if row[1] is not None])
        shown.columns = pd.Index(["quantity", "value"])
        one = self.contrast.table
        one["quantity"] = one.quantity.replace(
            {name: f"{name} of a contrast" for name in ("clusters", "persons", "power")}
        )
        return pd.concat([shown, one], ignore_index=True).astype({"value": "float64"})

    @property
    def text(self) -> str:
        """The plan in sentences, for a protocol or a grant."""
        n, others = self.n_arms, self.n_arms - 1
        unit = "persons" if self.n_clusters is None else "clusters"
        number = self.n_persons if self.n_clusters is None else self.n_clusters
        return (
            f"With {number} {unit} in {n} arms of one size, each of {others} arms is compared with "
            f"the control at the {100 * self.contrast.significance_level:.3g}% level, which makes "
            f"{100 * self.significance_level:.3g}% for all of them (Bonferroni). Of one contrast: "
            f"{self.contrast.text}"
        )


def power_several_arms(
    n_arms: int,
    n_clusters: int | None = None,
    *,
    n_persons: int | None = None,
    significance_level: float = 0.05,
    **arguments: Any,
) -> SeveralArmsPower:
    r"""Power, detectable interaction or sample size where several arms have one control.

    Each of the K - 1 arms is compared with the control by the test of `power_hte`, in the two arms
    of the contrast and at the level :math:`\alpha / (K - 1)`. The closed testing of
    `tauhat.test_contrasts` has steps that are less strict. The power of the primary test is that
    in one contrast: of all together it is higher if effects differ in several.

    Parameters
    ----------
    n_arms
        Number of arms, the control among them.
    n_clusters, n_persons
        Of all arms, which are of one size. One that they do not share evenly is left out.
    significance_level
        Two-sided level of all contrasts together.
    **arguments
        Others of `tauhat.power_hte`, but ``share_treated``.

    Raises
    ------
    TrialError
        As `tauhat.power_hte`; if there are fewer than three arms, or one would be larger.

    Examples
    --------
    >>> given = {"cluster_size": 25, "icc": 0.05, "icc_x": 0.1, "delta": 0.3}
    >>> plan = power_several_arms(3, power=0.8, **given)
    >>> plan.n_clusters, plan.contrast.n_clusters, round(plan.power, 2)
    (27, 18, 0.81)
    >>> round(power_several_arms(3, 48, **given).power, 2)
    0.97
    """
    if not isinstance(n_arms, int) or not 3 <= n_arms <= _MOST_ARMS:
        raise TrialError(f"n_arms must be a whole number from 3 to {_MOST_ARMS}, got {n_arms}")
    if arguments.get("share_treated", 0.5) != 0.5:
        raise TrialError("share_treated belongs to trials of two arms: several have one size")
    for name, number in (("n_clusters", n_clusters), ("n_persons", n_persons)):
        if number is not None and not (is_whole(number) and number >= 3 * n_arms):
            raise TrialError(
                f"{name} must be a whole number of at least 3 an arm, {3 * n_arms}, got {number!r}"
            )
    check_numbers(significance_level=significance_level)
    contrast = power_hte(
        None if n_clusters is None else 2 * (n_clusters // n_arms),
        n_persons=None if n_persons is None else 2 * (n_persons // n_arms),
        significance_level=significance_level / (n_arms - 1),
        **arguments,
    )
    # Of an odd number in two arms the larger one tells how large all are.
    arm = max(contrast.treated, contrast.control)
    if contrast.n_clusters is None:
        return SeveralArmsPower(n_arms, None, n_arms * arm, significance_level, contrast)
    persons = round(n_arms * arm * contrast.n_persons / contrast.n_clusters)
    return SeveralArmsPower(n_arms, n_arms * arm, persons, significance_level, contrast)
