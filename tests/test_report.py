from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.report import ReportInput, render_fragment, render_html

N = 600


def estimate(value: float, se: float, p_value: float) -> dict[str, float]:
    return {
        "estimate": value,
        "se": se,
        "lower": value - 2 * se,
        "upper": value + 2 * se,
        "p_value": p_value,
        "degrees_of_freedom": 28.0,
    }


def example_run(**changes: Any) -> dict[str, Any]:
    """Content of a run.json of a cluster trial, with some keys replaced."""
    names = ["LMM", "BART-RE", "X-RF"]
    kendall = [[1.0, 0.7, 0.4], [0.7, 1.0, 0.3], [0.4, 0.3, 1.0]]
    run: dict[str, Any] = {
        "versions": {"tauhat": "0.1.0", "numpy": "2.0"},
        "seed": 1,
        "command": "tauhat run trial.csv --outcome sbp_12m",
        "finished": "2026-01-01T00:00:00Z",
        "seconds": {"models": 12.0},
        "data": {"file": "trial.csv"},
        "data_sha256": "ab" * 32,
        "synthetic": None,
        "roles": {"outcome": "sbp_12m", "treatment": "arm"},
        "design": {
            "type": "cluster",
            "n": N,
            "clusters": 30,
            "n_missing_outcome": 60,
            "icc": 0.03,
            "blocks": None,
            "cluster_covariates": ["urban"],
            "arms": {
                "control": {"label": "HIC", "n": 300, "clusters": 15},
                "treated": {"label": "TASSH", "n": 300, "clusters": 15},
            },
        },
        "check": {"passed": True, "warnings": ["There are few clusters."], "failures": [], "notes": ["A note."]},
        "average_effect": {
            "individual": estimate(-3.21, 1.43, 0.031),
            "cluster": estimate(-2.95, 1.52, 0.062),
            "difference": estimate(-0.26, 0.4, 0.52),
            "method": "Model-robust estimate over 30 clusters",
        },
        "heterogeneity_test": {
            "statistic": 4.2,
            "p_value": 0.012,
            "method": "Permutation of whole clusters",
            "text": "The effect differs.",
            "parts": {"linear": 0.01, "curvature": 0.4},
        },
        "modifiers": [
            {
                "covariate": "age",
                "level": "person",
                "share_explained": 0.6,
                "lowest_label": "around 70",
                "lowest_effect": -6.0,
                "highest_label": "around 40",
                "highest_effect": -1.0,
                "p_adjusted": 0.02,
            },
            {
                "covariate": "urban",
                "level": "cluster",
                "share_explained": 0.1,
                "lowest_label": "yes",
                "lowest_effect": -4.0,
                "highest_label": "no",
                "highest_effect": -3.0,
                "p_adjusted": 0.6,
            },
        ],
        "models": [
            {
                "name": name,
                "role": "member",
                "weight": weight,
                "kept": weight > 0,
                "seconds": 1.5,
                "mean_effect": mean,
                "sd_effect": 1.2,
                "failure": None,
            }
            for name, weight, mean in zip(names, [0.5, 0.5, 0.0], [-3.0, -3.4, -2.0], strict=True)
        ],
        "reported_model": {"name": "CBA", "text": "CBA averages the models that agree."},
        "agreement": {"models": names, "kendall": kendall, "mean": 0.467},
        "variance_components": [
            {"model": "LMM", "between_cluster": 8.0, "residual": 240.0, "icc": 0.032}
        ],
        "interval": {"method": "bootstrap of whole clusters", "provisional": True, "level": 0.95},
        "effects": {
            "mean": -3.2,
            "sd": 1.4,
            "mean_interval_width": 9.0,
            "share_interval_excludes_zero": 0.3,
            "quantiles": {
                q: v
                for q, v in zip(
                    ["0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95"],
                    [-5.5, -5.0, -4.2, -3.2, -2.2, -1.4, -0.9],
                    strict=True,
                )
            },
        },
    }
    return {**run, **changes}


def example_input(run: dict[str, Any] | None = None, **names: str) -> ReportInput:
    """Report input with 600 persons; ``names`` renames covariates."""
    rng = np.random.default_rng(1)
    age = rng.normal(55, 10, N).round(1)
    frame = pd.DataFrame(
        {
            "age": age,
            "female": rng.integers(0, 2, N),
            "region": rng.choice(["north", "south", "east"], N),
            "urban": rng.choice(["yes", "no"], N),
        }
    ).rename(columns=names)
    effect = -3.2 - 0.12 * (age - 55) + rng.normal(0, 0.5, N)
    return ReportInput(
        run=example_run() if run is None else run,
        frame=frame,
        effect=effect,
        lower=effect - 4.5,
        upper=effect + 4.5,
        check_table=pd.DataFrame({"item": ["persons", "clusters"], "value": ["600", "30"]}),
        balance=pd.DataFrame({"covariate": list(frame.columns), "difference": [0.1, -0.2, 0, 0.3]}),
    )
