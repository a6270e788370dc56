"""What tests of simulated cluster trials share."""

from __future__ import annotations

import numpy as np
import pandas as pd


def components(values: pd.Series, clusters: np.ndarray) -> tuple[float, float]:
    """Between and within variance by the analysis of variance, clusters of one size."""
    size = np.bincount(clusters)
    mean = values.groupby(clusters).mean()
    within = float(((values - values.groupby(clusters).transform("mean")) ** 2).sum())
    within /= len(values) - len(size)
    return float(mean.var() - within * (1 / size).mean()), within
