"""What `tauhat power` prints of plans that are none of one interaction in parallel arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tauhat.errors import TrialError

if TYPE_CHECKING:
    from tauhat.power import OneArmPower, RmstPower, SeveralArmsPower, SteppedWedgePower

_SHARED_WITH_TIMES = (
    "n_clusters", "n_persons", "cluster_size", "power", "prevalence", "size_cv", "share_treated",
    "significance_level",
)  # fmt: skip

# Larger numbers are not read to a fraction.
_WHOLE_FROM = 1000


def print_times(given: Mapping[str, Any], of_times: dict[str, Any], *, csv: bool) -> None:
    """A plan of a trial with times to an event."""
    from tauhat.power import power_rmst

    for name in ("survival_control", "survival_treated"):
        _require(name, of_times[name][0], "the share that has no event by then")
    unused = ("icc", "icc_x", "delta", "sd_x", "risk_control", "risk_treated", "drop_out")
    _refuse(given, unused, "outcomes that are no times")
    plan = power_rmst(
        **{name: given[name] for name in _SHARED_WITH_TIMES},
        **of_times,
    )
    print_told(plan, csv=csv)


def print_told(
    plan: RmstPower | SteppedWedgePower | SeveralArmsPower | OneArmPower, *, csv: bool
) -> None:
    """The quantities of a plan and its sentences, or its quantities as CSV."""
    from tauhat.runtime.files import csv_text

    if csv:
        row = plan.table.set_index("quantity")["value"].rename_axis(None).to_frame().T
        print(csv_text(row), end="")
        return
    print_quantities(list(plan.table.itertuples(index=False, name=None)))
    print(f"\n{plan.text}")


def print_wedge(given: Mapping[str, Any], of_wedge: dict[str, Any], *, csv: bool) -> None:
    """A plan of a stepped wedge."""
    from tauhat.power import power_stepped_wedge

    _require("cluster_period_size", given["cluster_size"], "persons of a cluster in one period")
    _require("effect", of_wedge["effect"], "the average effect to be shown")
    _require("icc", given["icc"], "the intracluster correlation of the outcome within a period")
    unused = (
        "n_persons", "icc_x", "delta", "sd_x", "prevalence", "size_cv", "risk_control",
        "risk_treated", "drop_out", "n_others",
    )  # fmt: skip
    _refuse(given, unused, "trials without periods")
    if given["share_treated"] != 0.5:
        raise TrialError("share_treated belongs to trials without periods")
    shared = ("n_clusters", "icc", "sd_y", "power", "significance_level")
    plan = power_stepped_wedge(
        cluster_period_size=given["cluster_size"],
        **{name: given[name] for name in shared},
        **of_wedge,
    )
    print_told(plan, csv=csv)


def print_one_arm(given: Mapping[str, Any], of_one_arm: dict[str, Any], *, csv: bool) -> None:
    """A plan with clusters in one arm only."""
    from tauhat.power import power_one_arm

    _require("cluster_size", given["cluster_size"], "persons in a cluster")
    _require("icc", given["icc"], "the intracluster correlation of the outcome")
    unused = (
        "n_persons", "icc_x", "prevalence", "risk_control", "risk_treated", "drop_out", "n_others",
    )  # fmt: skip
    _refuse(given, unused, "trials with clusters in both arms or none")
    share = given["share_treated"]
    if of_one_arm["n_alone"] is not None and share == 0.5:
        # The default of the option.
        share = None
    shared = (
        "n_clusters", "cluster_size", "icc", "delta", "size_cv", "sd_y", "power",
        "significance_level",
    )  # fmt: skip
    plan = power_one_arm(
        share_clustered=share,
        sd_x=1.0 if given["sd_x"] is None else given["sd_x"],
        **{name: given[name] for name in shared},
        **of_one_arm,
    )
    print_told(plan, csv=csv)


def print_quantities(rows: list[tuple[str, float]]) -> None:
    """Names and values below each other."""
    for quantity, value in rows:
        whole = value.is_integer() or abs(value) >= _WHOLE_FROM
        print(f"{quantity:<38} {value:>10{'.0f' if whole else '.4g'}}")


def _require(name: str, value: Any, what: str) -> None:
    """Raise a `TrialError` where an argument that this plan needs was not given."""
    if value is None:
        raise TrialError(f"{name} is missing: {what}")


def _refuse(given: Mapping[str, Any], names: tuple[str, ...], owners: str) -> None:
    """Raise a `TrialError` where an argument of other plans was given."""
    for name in names:
        if given[name]:
            raise TrialError(f"{name} belongs to {owners}")
