"""Published results to show beside a study's own."""

from __future__ import annotations

from importlib import resources

import pandas as pd

from tauhat.study.plan import Plan, StudyError


def reference_names() -> list[str]:
    """Names of the published results that come with tauhat.

    Examples
    --------
    >>> reference_names()
    ['robust-ensembles']
    """
    folder = resources.files("tauhat.study") / "reference"
    return sorted(
        item.name.removesuffix(".csv") for item in folder.iterdir() if item.name.endswith(".csv")
    )


def reference_table(plan: Plan, metric: str) -> pd.DataFrame | None:
    """Published values in the shape of the plan's median table.

    "robust-ensembles" holds the sRMSE and the rate of discordance of the
    paper's tables. It has two columns for causal forests without saying what
    tells them apart: here the first stands under CF-DML-linear and the second
    under CF-DML-forest, which may not be what they are.

    Parameters
    ----------
    plan
        A plan with a ``reference``.
    metric
        The measure.

    Returns
    -------
    DataFrame or None
        Columns ``scenario n`` and the estimators, NaN where nothing is
        published; None if the plan has no reference or it lacks the measure.

    Raises
    ------
    StudyError
        If the plan names a reference that does not exist.

    References
    ----------
    Machluf, Frostig, Shoham, Milo, Berkman and Pryluk, Robust CATE estimation
    using novel ensemble methods, arXiv:2407.03690.

    Examples
    --------
    >>> from tauhat.study import load_plan
    >>> table = reference_table(load_plan("robust-ensembles"), "srmse")
    >>> float(table.at[0, "CBA"])
    0.81
    """
    if not plan.reference:
        return None
    if plan.reference not in reference_names():
        raise StudyError(
            f"there is no reference {plan.reference!r}; there are {', '.join(reference_names())}"
        )
    path = resources.files("tauhat.study") / "reference" / f"{plan.reference}.csv"
    with path.open("r", encoding="utf-8") as file:
        published = pd.read_csv(file)
    published = published[published["metric"] == metric]
    if published.empty:
        return None
    keys = zip(published["scenario"], published["n"], published["estimator"], strict=True)
    values = dict(zip(keys, published["value"].astype(float), strict=True))
    columns: dict[str, list[float]] = {
        name: [values.get((row.label, row.n, name), float("nan")) for row in plan.rows]
        for name in plan.names
    }
    rows = pd.DataFrame(
        {
            "scenario": [row.label for row in plan.rows],
            "n": pd.array([row.n for row in plan.rows], dtype="Int64"),
        }
    )
    return pd.concat([rows, pd.DataFrame(columns)], axis=1)
