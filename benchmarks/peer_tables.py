"""Tables of `peers.py` from its rows, one row per fit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from process_tree import exponent

_KEYS = ["design", "group", "contender"]


def mean_se(values: pd.Series) -> str:
    """Mean with its standard error; a dash when there is none."""
    values = pd.to_numeric(values).dropna()
    if values.empty:
        return "-"
    error = f" ({values.std(ddof=1) / np.sqrt(len(values)):.3f})" if len(values) > 1 else ""
    return f"{values.mean():.3f}{error}"


def mean_or_dash(part: pd.DataFrame, column: str) -> str:
    """Mean of a column with two digits; a dash where nothing was measured."""
    values = part[column].dropna() if column in part else pd.Series(dtype=float)
    return "-" if values.empty else f"{values.mean():.2f}"


def accuracy_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over the scenarios of a design, with the standard error over its trials.

    The null scenario, whose effect is the same for all, has a root mean squared
    error only.
    """
    found = []
    for key, part in rows.groupby(_KEYS, sort=False):
        null = part.srmse.isna() & part.rmse.notna()
        mean_coverage = part.coverage if "coverage" in part else pd.Series(dtype=float)
        found.append(
            {
                **dict(zip(_KEYS, key, strict=True)),
                "sRMSE": mean_se(part.srmse),
                "RoD": mean_se(part.rod),
                "null RMSE": mean_se(part.rmse[null]),
                "error of mean": mean_se(part.average_error.abs()),
                "coverage": mean_se(mean_coverage),
                "CPU s": round(part.cpu_seconds.mean(), 2),
                "CPU s of limits": mean_or_dash(part, "limits_cpu_seconds"),
                "peak MiB": round(part.peak_MiB.max()),
                "MiB over start": round(part.peak_MiB.max() - part.start_MiB.min()),
                "failed": int(part.cpu_seconds.isna().sum()),
            }
        )
    return pd.DataFrame(found)


def pairs_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Ratios of tauhat to each peer on the same trials: below 1 tauhat needs, or errs, less.

    Ratios are geometric means over trials; the agreement is the correlation of
    the two effects over the test persons, averaged over trials that have
    heterogeneity.
    """
    found = []
    trial = ["scenario", "draw"]
    for (design, group), part in rows.groupby(["design", "group"], sort=False):
        sides = {
            name: side.dropna(subset=["cpu_seconds"]).set_index(trial)
            for name, side in part.groupby("contender", sort=False)
        }
        for first in (name for name in sides if name.startswith("tauhat")):
            for second in (name for name in sides if not name.startswith("tauhat")):
                both = sides[first].merge(
                    sides[second],
                    left_index=True,
                    right_index=True,
                    suffixes=("_ours", "_theirs"),
                )
                both = both.dropna(subset=["cpu_seconds_ours", "cpu_seconds_theirs"])
                if both.empty:
                    continue
                varied = both[both.srmse_ours.notna()]
                agreement = [
                    np.corrcoef(a, b)[0, 1] if np.std(a) > 0 and np.std(b) > 0 else np.nan
                    for a, b in zip(varied.effect_ours, varied.effect_theirs, strict=True)
                ]
                ratio = {
                    label: _ratio(both, column)
                    for label, column in (
                        ("CPU time", "cpu_seconds"),
                        ("peak memory", "peak_MiB"),
                        ("RMSE", "rmse"),
                    )
                }
                found.append(
                    {
                        "design": design,
                        "group": group,
                        "ours": first,
                        "peer": second,
                        **{f"ratio {label}": round(value, 2) for label, value in ratio.items()},
                        "ratio RMSE, 95%": _interval(both, "rmse"),
                        "agreement": round(float(np.nanmean(agreement)), 3) if agreement else None,
                        "trials": len(both),
                    }
                )
    return pd.DataFrame(found)


def _logs(both: pd.DataFrame, column: str) -> np.ndarray:
    ours, theirs = both[f"{column}_ours"], both[f"{column}_theirs"]
    return np.log(ours.to_numpy(dtype=float) / theirs.to_numpy(dtype=float))


def _ratio(both: pd.DataFrame, column: str) -> float:
    return float(np.exp(_logs(both, column).mean()))


def _interval(both: pd.DataFrame, column: str) -> str:
    """Rough 95% limits of a ratio from the spread of its logarithm over trials."""
    logs = _logs(both, column)
    if len(logs) < 3:
        return "-"
    middle, error = logs.mean(), 1.96 * logs.std(ddof=1) / np.sqrt(len(logs))
    return f"{np.exp(middle - error):.2f} to {np.exp(middle + error):.2f}"


def in_words(pairs: pd.DataFrame) -> str:
    """Which pairs differ in time by more than .15, or in error by more than its interval."""
    limits = pairs["ratio RMSE, 95%"].str.extract(r"(.+) to (.+)").astype(float)
    chosen = {
        "Slower (more than 1.15 times the CPU time)": ("CPU time", pairs["ratio CPU time"] > 1.15),
        "Faster (less than .87 times)": ("CPU time", pairs["ratio CPU time"] < 0.87),
        "Less accurate (interval of the ratio of errors above 1)": ("RMSE", limits[0] > 1),
        "More accurate (interval below 1)": ("RMSE", limits[1] < 1),
    }
    lines = []
    for label, (column, rows) in chosen.items():
        ratios = zip(pairs[rows].itertuples(), pairs[rows][f"ratio {column}"], strict=True)
        found = [f"{pair.group}, {pair.ours} to {pair.peer} {ratio}" for pair, ratio in ratios]
        lines.append(f"* **{label}:** {'; '.join(found) or 'none'}.")
    return "\n".join(lines)


def markdown(table: pd.DataFrame) -> str:
    """The table with pipes."""
    cells = table.astype(object).where(table.notna(), "-").astype(str)
    rows = [list(table.columns), ["---"] * table.shape[1], *cells.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def growth_table(rows: pd.DataFrame, measure: str) -> pd.DataFrame:
    """A measure by size, its exponent, and tauhat's over that of each peer.

    The exponent is the slope of the measure's logarithm on that of the size.
    """
    found = []
    for (by, design, group), part in rows.groupby(["by", "design", "group"], sort=False):
        done = part.dropna(subset=[measure])
        wide = done.pivot(index="contender", columns=by, values=measure)
        for contender in dict.fromkeys(done.contender):
            values = wide.loc[contender].dropna()
            ratio = (wide.loc["tauhat"] / values).dropna() if "tauhat" in wide.index else []
            found.append(
                {
                    "by": by,
                    "design": design,
                    "group": group,
                    "contender": contender,
                    "sizes": " ".join(str(int(size)) for size in values.index),
                    measure: " ".join(f"{value:.2f}" for value in values),
                    "exponent": round(exponent(list(values.index), list(values)), 2),
                    "tauhat / it": "-"
                    if contender.startswith("tauhat")
                    else " ".join(f"{value:.2f}" for value in ratio),
                }
            )
    return pd.DataFrame(found)
