"""Power, detectable interaction and sample size of a planned trial."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import pandas as pd

from tauhat.arguments import check_numbers
from tauhat.errors import TrialError
from tauhat.power.planned_design import PlannedDesign
from tauhat.power.planned_trial import HtePower


def power_hte(
    n_clusters: int | None = None,
    cluster_size: float | None = None,
    icc: float | None = None,
    icc_x: float | None = None,
    sd_y: float = 1.0,
    delta: float | None = None,
    *,
    power: float | None = None,
    n_persons: int | None = None,
    sd_x: float | None = None,
    prevalence: float | None = None,
    size_cv: float = 0.0,
    share_treated: float = 0.5,
    significance_level: float = 0.05,
    risk_control: float | None = None,
    risk_treated: float | None = None,
    drop_out: float = 0.0,
    n_others: int = 0,
) -> HtePower:
    r"""Power, detectable interaction or sample size for an effect that differs between persons.

    In a parallel two-arm trial analysed by

    .. math::
        y_{ij} = \alpha + \beta x_{ij} + A_i(\gamma + \delta x_{ij}) + b_i + e_{ij}

    the interaction :math:`\delta` has, with m clusters of n persons, the variance

    .. math::
        \frac{\sigma_y^2}{m n\,\pi(1-\pi)\,\sigma_x^2}\,
        \frac{(1-\rho)\{1+(n-1)\rho\}}{1+(n-2)\rho-(n-1)\rho_x\rho}

    in large samples (Yang and others 2020). Three things are added for trials
    as they are: the expectation of the information over unequal cluster sizes
    (a rounded gamma distribution with the given CV), Satterthwaite's degrees of
    freedom, and the average over the spread that the modifier happens to have
    in each arm. All three vanish with many clusters of equal size.

    Give all but one of ``power``, ``delta`` and ``n_clusters``; the missing one
    is solved for. Without ``cluster_size`` persons are randomized, and
    ``n_persons`` takes the place of ``n_clusters``.

    Parameters
    ----------
    n_clusters
        Number of clusters of both arms.
    cluster_size
        Mean number of persons in a cluster.
    icc
        Intracluster correlation of the outcome given the modifier.
    icc_x
        Intracluster correlation of the modifier; 1 for a cluster-level one.
    sd_y
        Standard deviation of the outcome within arm given the modifier.
    delta
        The interaction: change of the treatment effect with one unit of the
        modifier, in units of the outcome.
    power
        Wanted power.
    n_persons
        Number of persons of both arms when persons are randomized.
    sd_x
        Standard deviation of a continuous modifier; default 1, so that ``delta``
        is by standard deviation.
    prevalence
        Share of persons with a binary modifier (0 or 1), instead of ``sd_x``.
    size_cv
        Coefficient of variation of the cluster sizes.
    share_treated
        Share of clusters (or persons) treated.
    significance_level
        Two-sided level of the test.
    risk_control, risk_treated
        Risks of the event in the two arms, instead of ``sd_y``, for a binary outcome on the scale
        of risk differences.
    drop_out
        Share of persons who will have no outcome, lost by chance. Numbers are of those randomized.
    n_others
        Further covariates without effect that the primary test looks through; only
        ``primary_power`` depends on it.

    Returns
    -------
    HtePower

    Raises
    ------
    TrialError
        If not exactly one quantity is missing, or one is out of range; the
        message begins with the argument.

    Notes
    -----
    The formula takes the slope within clusters and between them to be the same,
    as the model does, and at least 3 clusters (persons) in each arm. With the risks
    :math:`p_0, p_1` of a binary outcome the variance is
    :math:`\sigma_y^2 = (1-\pi) p_1 (1-p_1) + \pi p_0 (1-p_0)`, which gives both arms their own.
    ``primary_power`` is that of `tauhat.test_heterogeneity` (`tauhat.power.primary_power`):
    by simulation off by .012 on average and by .03 at most (``benchmarks/primary_power.py``).

    References
    ----------
    Yang S, Li F, Starks MA, Hernandez AF, Mentz RJ, Choudhury KR (2020). Sample
    size requirements for detecting treatment effect heterogeneity in cluster
    randomized trials. Statistics in Medicine 39(28):4218-4237.

    Examples
    --------
    >>> plan = power_hte(32, 25, icc=0.05, icc_x=0.1, sd_y=1, delta=0.3)
    >>> round(plan.power, 2)
    0.99
    >>> power_hte(None, 25, icc=0.05, icc_x=1, delta=0.3, power=0.8).n_clusters
    40
    >>> round(power_hte(n_persons=400, power=0.9).delta, 2)
    0.33
    """
    check_numbers(
        or_none=True,
        delta=delta,
        power=power,
        risk_control=risk_control,
        risk_treated=risk_treated,
    )
    check_numbers(share_treated=share_treated)
    if risk_control is not None or risk_treated is not None:
        sd_y = _sd_of_risks(risk_control, risk_treated, sd_y, share_treated)
    design = PlannedDesign(
        cluster_size,
        icc,
        icc_x,
        sd_y,
        sd_x,
        prevalence,
        size_cv,
        share_treated,
        significance_level,
        drop_out,
        n_others,
    )
    design.check()
    unit = design.unit
    if unit == "n_clusters" and n_persons is not None:
        which = "cluster_size" if n_clusters is None else "it"
        raise TrialError(f"n_persons belongs to trials that randomize persons; leave {which} out")
    if unit == "n_persons" and n_clusters is not None:
        raise TrialError("cluster_size, the mean number of persons in a cluster, is missing")
    number = n_persons if n_clusters is None else n_clusters
    missing = [key for key, v in ((unit, number), ("delta", delta), ("power", power)) if v is None]
    if len(missing) != 1:
        which = f"missing: {', '.join(missing)}" if missing else "all three were given"
        raise TrialError(
            f"of {unit}, delta and power leave exactly one out, to be solved for; {which}"
        )
    if power is not None and not significance_level < power < 1:
        raise TrialError(
            f"power must lie between the significance level ({significance_level:g}) and 1, "
            f"got {power:g}"
        )
    if delta is not None and not (math.isfinite(delta) and delta != 0):
        raise TrialError(f"delta must be a number other than 0, got {delta:g}")
    if number is None:
        assert delta is not None
        assert power is not None
        return design.plan(design.smallest(delta, power), delta, unit)
    number = design.checked_number(number)
    if delta is None:
        assert power is not None
        return design.plan(number, design.detectable(number, power), "delta")
    return design.plan(number, delta, "power")


def _sd_of_risks(
    control: float | None, treated: float | None, sd_y: float, share_treated: float
) -> float:
    """Standard deviation of a binary outcome, for the variance of a difference between arms."""
    for name, risk in (("risk_control", control), ("risk_treated", treated)):
        if risk is None:
            raise TrialError(f"{name} is missing: a binary outcome needs the risks of both arms")
        if not 0 < risk < 1:
            raise TrialError(f"{name} must be in (0, 1), got {risk:g}")
    if sd_y != 1:
        raise TrialError("sd_y and the risks exclude each other: the risks give the SD")
    if not 0 < share_treated < 1:
        raise TrialError(f"share_treated must be in (0, 1), got {share_treated:g}")
    assert control is not None
    assert treated is not None
    variances = treated * (1 - treated), control * (1 - control)
    return math.sqrt((1 - share_treated) * variances[0] + share_treated * variances[1])


def power_table(**arguments: Any) -> pd.DataFrame:
    """Plans over a grid, one row per combination.

    Parameters
    ----------
    **arguments
        Those of `power_hte`, by name; each a value or a list of values.

    Returns
    -------
    DataFrame
        The arguments that have a list, then what identifies the plan:
        ``n_clusters``, ``n_persons``, ``delta``, ``power``, ``se``,
        ``degrees_of_freedom``, ``large_sample_power`` and ``primary_power``.

    Raises
    ------
    TrialError
        As `power_hte`.

    Examples
    --------
    >>> table = power_table(n_clusters=[20, 40], cluster_size=25, icc=0.05, icc_x=[0, 1], delta=0.3)
    >>> table[["n_clusters", "icc_x", "power"]].round(2).values.tolist()
    [[20.0, 0.0, 0.92], [20.0, 1.0, 0.47], [40.0, 0.0, 1.0], [40.0, 1.0, 0.82]]
    """
    varied = [name for name, value in arguments.items() if len(_as_list(value)) > 1]
    rows = []
    for chosen, plan in power_plans(**arguments):
        row: dict[str, Any] = {name: chosen[name] for name in varied}
        for name in ("n_clusters", "n_persons", "delta", "power"):
            value = getattr(plan, name)
            if value is not None:
                row[name] = value
        for name in ("se", "degrees_of_freedom", "large_sample_power", "primary_power"):
            row[name] = getattr(plan, name)
        rows.append(row)
    return pd.DataFrame(rows)


def power_plans(**arguments: Any) -> Iterator[tuple[Mapping[str, Any], HtePower]]:
    """Arguments and plan of every combination of a grid, as in `power_table`."""
    grids = {name: _as_list(value) for name, value in arguments.items()}
    for combination in product(*grids.values()):
        chosen = dict(zip(grids, combination, strict=True))
        yield chosen, power_hte(**chosen)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
