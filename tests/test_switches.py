"""Arguments that are on or off are True or False: a text such as "no" would count as on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import tauhat as th


def clinics() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    clinic = np.repeat(np.arange(8), np.arange(6, 14))
    df = pd.DataFrame({"clinic": clinic, "arm": clinic % 2, "age": rng.normal(size=len(clinic))})
    return df.assign(y=rng.normal(size=len(clinic)))


def trial(**more: Any) -> th.Trial:
    return th.Trial(
        clinics(), outcome="y", treatment="arm", cluster="clinic", covariates=["age"], **more
    )


@pytest.mark.parametrize("name", ["cluster_size", "log_cluster_size", "normalise_labels"])
@pytest.mark.parametrize("value", ["no", 0, 1, None])
def test_a_trial_refuses_what_is_neither(name: str, value: Any) -> None:
    with pytest.raises(th.TrialError, match=f"^{name} must be True or False, got {value!r}$"):
        trial(**{name: value})


def test_numpy_knows_true_and_false_too() -> None:
    assert trial(cluster_size=np.bool_(False)).covariate_names == ("age",)
    assert trial(cluster_size=np.bool_(True)).covariate_names == ("age", "cluster size")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"higher_is_better": "no"}, "higher_is_better must be True or False, got 'no'"),
        ({"progress": "no"}, "progress must be True, False or a function, got 'no'"),
        ({"progress": 1}, "progress must be True, False or a function, got 1"),
    ],
)
def test_an_analysis_refuses_what_is_neither(given: dict[str, Any], said: str) -> None:
    with pytest.raises(th.TrialError, match=f"^{said}$"):
        th.analyze(trial(), **given)
