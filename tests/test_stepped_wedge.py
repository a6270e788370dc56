"""Stepped wedges whose periods are given as clusters are refused, and ordinary designs are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat.trial.roles import check_units

ROLES: dict[str, Any] = {"outcome": "y", "treatment": "arm"}


def wedge(centres: int = 6, periods: int = 4, persons: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(centres)
    centre = np.repeat(np.arange(centres), periods * persons)
    period = np.tile(np.repeat(np.arange(periods), persons), centres)
    switch = rng.permutation(np.resize(np.arange(1, periods), centres))
    arm = (period >= switch[centre]).astype(int)
    y = 0.8 * arm + 0.4 * period + 0.3 * rng.normal(size=centres)[centre]
    return pd.DataFrame(
        {
            "centre": [f"site {k}" for k in centre],
            "month": [f"month {k + 8}" for k in period],
            "cell": rng.permutation(centres * periods)[centre * periods + period],
            "arm": arm,
            "age": rng.normal(size=len(arm)),
            "y": y + rng.normal(size=len(arm)),
        }
    )


@pytest.mark.parametrize("size", [(3, 4), (6, 4), (8, 9)])
@pytest.mark.parametrize(
    ("columns", "roles"),
    [
        (["centre", "month", "cell"], {"cluster": "cell", "block": "centre"}),
        (["centre", "month", "cell"], {"cluster": "cell"}),
        (["centre", "month", "cell"], {"cluster": "cell", "block": "month"}),
        (["centre", "month"], {"block": "centre"}),
        (["centre", "month"], {}),
    ],
)
def test_cluster_periods_are_found(
    size: tuple[int, int], columns: list[str], roles: dict[str, str]
) -> None:
    df = wedge(*size)[[*columns, "arm", "age", "y"]]
    with pytest.raises(th.DesignError, match=r"('month'|the blocks) .*stepped wedge.*as period"):
        th.Trial(df, **ROLES, **roles)


@pytest.mark.parametrize("form", ["{} - {}", "site{}p{}", "centre {} month {}", "{}0{}"])
def test_labels_that_hold_centre_and_period_are_found(form: str) -> None:
    df = wedge()
    centre, month = (df[name].str.extract(r"(\d+)")[0] for name in ("centre", "month"))
    label = [form.format(int(c) + 1, int(m) - 7) for c, m in zip(centre, month, strict=True)]
    for columns, roles in ((["arm"], {}), (["arm", "centre"], {"block": "centre"})):
        table = df[[*columns, "age", "y"]].assign(cell=label)
        with pytest.raises(th.DesignError, match="stepped wedge"):
            th.Trial(table, **ROLES, cluster="cell", **roles)


def ordinary(seed: int, kind: str) -> tuple[pd.DataFrame, dict[str, str]]:
    rng = np.random.default_rng(seed)
    n_blocks, size = int(rng.integers(3, 9)), int(rng.integers(2, 9))
    if kind == "pairs":
        n_blocks, size = int(rng.integers(6, 20)), 2
    m = n_blocks * size
    block, number = np.repeat(np.arange(n_blocks), size), np.tile(np.arange(size), n_blocks)
    half = (np.arange(size) < size // 2).astype(int)
    arm = np.concatenate([1 - half if kind == "sorted" else rng.permutation(half)] * n_blocks)
    if kind != "sorted":
        arm = np.concatenate([rng.permutation(half) for _ in range(n_blocks)])
    cluster = np.repeat(np.arange(m), 4)
    df = pd.DataFrame({"cluster": cluster, "block": block[cluster], "arm": arm[cluster]})
    df["number"] = number[cluster]
    for k in range(3):
        df[f"few{k}"] = rng.integers(0, 4, m)[cluster]
        df[f"count{k}"] = rng.poisson(2, m)[cluster]
    df["visit"] = np.tile(np.arange(4), m)
    df["y"] = rng.normal(size=4 * m)
    roles = {"cluster": "cluster", "block": "block"}
    if kind == "named":
        df["cluster"] = [f"{b}-{k}" for b, k in zip(df["block"], df["number"], strict=True)]
    if kind == "sites":
        return df.drop(columns="cluster").assign(arm=rng.permutation(np.arange(4 * m) % 2)), {}
    return df, roles


@pytest.mark.parametrize("kind", ["plain", "pairs", "named", "sorted", "sites"])
def test_ordinary_designs_are_not_refused(kind: str) -> None:
    for seed in range(40):
        df, roles = ordinary(seed, kind)
        table = df.drop(columns=["y", "arm", *roles.values()])
        labels = [df[roles[r]].to_numpy() if r in roles else None for r in ("cluster", "block")]
        check_units(df["arm"].to_numpy(), *labels, np.ones(len(df), bool), table=table)


def test_a_period_that_is_given_as_a_level_is_found() -> None:
    df = wedge().drop(columns="cell")
    with pytest.raises(th.DesignError, match=r"over 'month' clusters change.*stepped.*period"):
        th.Trial(df, cluster=["centre", "month"], **ROLES)
