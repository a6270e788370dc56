"""The TASSH trial: a synthetic look-alike, and a loader for the real one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tauhat._typing import FloatArray, IntArray
from tauhat.errors import TrialError
from tauhat.numerics.seeds import derive_seed
from tauhat.tables.reading import read_table
from tauhat.trial.roles import require_column
from tauhat.trial.trial import Trial

TASSH_ARMS = ("HIC", "TASSH")
"""Labels of the arms of TASSH, control first."""

_TASSH_REQUIRED = ("clinic", "arm", "sbp_12m")
_TASSH_PERSON = ("age", "female", "education", "smoker", "bmi", "sbp_0", "dbp_0")
_TASSH_CLINIC = ("urban", "n_nurses")
_TASSH_COLUMNS = ("patient_id", *_TASSH_REQUIRED, *_TASSH_PERSON, *_TASSH_CLINIC)
# Plausible ranges, wide enough for any patient; outside them units or columns are mixed up.
_TASSH_RANGES = {
    "sbp_12m": (60.0, 300.0),
    "sbp_0": (60.0, 300.0),
    "dbp_0": (30.0, 200.0),
    "age": (0.0, 120.0),
    "bmi": (8.0, 100.0),
    "n_nurses": (0.0, 1000.0),
}
_SBP_MEAN, _SBP_CHANGE, _AVERAGE_EFFECT = 155.9, -16.8, -3.6
_RESIDUAL_SD, _ICC = 15.5, 0.02
_CLINICS_PER_ARM, _PATIENTS, _SHARE_FOLLOWED = 16, {"HIC": 389, "TASSH": 368}, 0.85


def make_tassh_like(seed: int = 1) -> pd.DataFrame:
    r"""Make a synthetic trial that looks like TASSH. No patient is real.

    TASSH (task-shifting strategies for hypertension, Ghana; Ogedegbe et al.
    2018) compared nurse-led management of hypertension plus health insurance
    coverage (arm ``TASSH``) with insurance coverage alone (``HIC``) in 32
    community health centres. Its published facts are met: 16 centres and 389
    (HIC) and 368 (TASSH) patients, 85% of them with the blood pressure at 12
    months, 60% women, systolic pressure at baseline 140 to 179 with mean 155.9
    mmHg, diastolic mean 89.6, change in HIC -16.8, average effect -3.6 mmHg.
    Assumed: residual SD 15.5 mmHg, ICC .02, all other columns, and how the
    effect varies (`tassh_like_effect`).

    .. math::
        Y = 139.1 + 0.5 (S_0 - 155.9) + 0.15 (age - 58) + 0.3 (bmi - 26)
            + \tau(x, v) A + b_{clinic} + e

    Parameters
    ----------
    seed
        Seed.

    Returns
    -------
    DataFrame, shape (757, 13)
        ``patient_id`` ("synthetic-001", ...), ``clinic``, ``arm``, ``age``
        (years), ``female``, ``education``, ``smoker``, ``bmi`` (kg/m2, some
        missing), ``sbp_0`` and ``dbp_0`` (mmHg), ``urban`` and ``n_nurses`` (of
        the clinic), ``sbp_12m`` (mmHg, missing without follow-up).
        ``df.attrs["synthetic"]`` is True.

    Examples
    --------
    >>> df = make_tassh_like(seed=1)
    >>> df.shape, df["arm"].value_counts().to_dict()
    ((757, 13), {'HIC': 389, 'TASSH': 368})
    """
    rng = np.random.default_rng(derive_seed(seed, "tassh-like"))
    n_clinics = 2 * _CLINICS_PER_ARM
    treated_clinic = rng.permutation(np.repeat([0, 1], _CLINICS_PER_ARM))
    clinic = np.concatenate(
        [_deal(np.flatnonzero(treated_clinic == a), _PATIENTS[TASSH_ARMS[a]], rng) for a in (0, 1)]
    )
    clinic.sort()
    n = len(clinic)
    urban = rng.permutation(np.repeat([0, 1], n_clinics // 2))
    nurses = np.clip(rng.poisson(3 + 2 * urban) + 1, 2, 12)
    df = pd.DataFrame(
        {
            "patient_id": [f"synthetic-{k + 1:03d}" for k in range(n)],
            "clinic": [f"C{k + 1:02d}" for k in clinic],
            "arm": np.array(TASSH_ARMS)[treated_clinic[clinic]],
            "age": np.clip(rng.normal(58, 12.4, n), 18, 95).round(),
            "female": (rng.random(n) < 0.6).astype(np.int64),
            "education": rng.choice(
                ["none", "primary", "secondary", "tertiary"], n, p=[0.33, 0.31, 0.28, 0.08]
            ),
            "smoker": (rng.random(n) < 0.05).astype(np.int64),
            "bmi": np.clip(rng.normal(26, 5, n), 14, 50).round(1),
            # Between the limits of eligibility, denser towards the lower one.
            "sbp_0": (140 + 39 * rng.beta(1.4, 2.034, n)).round(),
            "dbp_0": np.clip(rng.normal(89.6, 10, n), 55, 130).round(),
            "urban": urban[clinic],
            "n_nurses": nurses[clinic],
        }
    )
    between = rng.normal(0, _RESIDUAL_SD * np.sqrt(_ICC / (1 - _ICC)), n_clinics)
    outcome = (
        _SBP_MEAN
        + _SBP_CHANGE
        + 0.5 * (df["sbp_0"] - _SBP_MEAN)
        + 0.15 * (df["age"] - 58)
        + 0.3 * (df["bmi"] - 26)
        + tassh_like_effect(df) * (df["arm"] == TASSH_ARMS[1])
        + between[clinic]
        + rng.normal(0, _RESIDUAL_SD, n)
    )
    df["sbp_12m"] = outcome.round().astype(np.float64)
    lost = rng.permutation(n)[: n - round(_SHARE_FOLLOWED * n)]
    df.loc[lost, "sbp_12m"] = np.nan
    df.loc[rng.random(n) < 0.02, "bmi"] = np.nan
    df.attrs.update(synthetic=True, name="synthetic look-alike of the TASSH trial")
    return df


def _deal(clinics: IntArray, n_patients: int, rng: np.random.Generator) -> IntArray:
    """Clinic of each patient: sizes that vary with a CV of about .3, none below six."""
    share = rng.gamma(12, size=len(clinics))
    size = 6 + rng.multinomial(n_patients - 6 * len(clinics), share / share.sum())
    return np.repeat(clinics, size)


def tassh_like_effect(df: pd.DataFrame) -> FloatArray:
    r"""Give the true effect of the synthetic trial for each row, in mmHg.

    .. math::
        \tau = -3.6 - 0.15 (S_0 - 155.9) - 2.5 (urban - 0.5)
               - 0.8 (urban \cdot (nurses - 6))

    A larger fall with a higher pressure at baseline, in urban centres, and among
    those the larger the more nurses there are; urban centres have six on average.

    Parameters
    ----------
    df
        Table with ``sbp_0``, ``urban`` and ``n_nurses``.

    Returns
    -------
    ndarray, shape (n,)
        Negative where TASSH lowers the pressure more.

    Examples
    --------
    >>> tassh_like_effect(pd.DataFrame({"sbp_0": [155.9], "urban": [0], "n_nurses": [4]}))
    array([-2.35])
    """
    pressure, urban, nurses = (
        df[name].to_numpy(dtype=np.float64) for name in ("sbp_0", "urban", "n_nurses")
    )
    effect: FloatArray = (
        _AVERAGE_EFFECT
        - 0.15 * (pressure - _SBP_MEAN)
        - 2.5 * (urban - 0.5)
        - 0.8 * urban * (nurses - 6)
    )
    return effect


def load_tassh(path: str | Path, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Load the TASSH trial, or one like it, from a file under this package's names.

    The trial's data are public (Dryad, doi:10.5061/dryad.16c9m51) but their
    columns are not known to this package, so say which is which.

    Parameters
    ----------
    path
        File of any format that `read_table` reads.
    columns
        This package's name of each column you have and its name in the file,
        such as ``{"clinic": "facility", "sbp_12m": "SBP_M12"}``. Needed:
        ``clinic``, ``arm``, ``sbp_12m``; known: ``patient_id``, ``age``,
        ``female``, ``education``, ``smoker``, ``bmi``, ``sbp_0``, ``dbp_0``,
        ``urban``, ``n_nurses``. Columns that have these names need no mention.

    Returns
    -------
    DataFrame
        With the columns found, in a fixed order; `tassh_trial` makes it a trial.

    Raises
    ------
    TrialError
        Naming unknown or missing columns, or values that cannot be pressures,
        ages and so on.

    Examples
    --------
    >>> load_tassh("tassh.csv", columns={"sbp": "SBP_M12"})
    Traceback (most recent call last):
    tauhat.errors.TrialError: columns: 'sbp' is not a column of this data set; known are ...
    """
    given = dict(columns or {})
    for name in given:
        if name not in _TASSH_COLUMNS:
            raise TrialError(
                f"columns: {name!r} is not a column of this data set; known are "
                f"{', '.join(_TASSH_COLUMNS)}"
            )
    labels = [given.get(name, name) for name in ("patient_id", "clinic", "arm")]
    table = read_table(path, labels=labels)
    source = {
        name: require_column(table, given.get(name, name), name)
        for name in _TASSH_COLUMNS
        if name in given or name in _TASSH_REQUIRED or name in table.columns
    }
    df = pd.DataFrame({name: table[column] for name, column in source.items()})
    for name, (low, high) in _TASSH_RANGES.items():
        if name not in df:
            continue
        if not pd.api.types.is_numeric_dtype(df[name].dtype):
            raise TrialError(f"{name} (column {source[name]!r}) is not numeric")
        odd = int(((df[name] < low) | (df[name] > high)).sum())
        if odd:
            raise TrialError(
                f"{name} (column {source[name]!r}) has {odd} values outside {low:g} to {high:g}; "
                "is it the right column, in the right units, with missing values left blank?"
            )
    return df


def tassh_trial(df: pd.DataFrame, *, control: Any = "HIC") -> Trial:
    """Make a trial of TASSH or its look-alike, with all roles given.

    Parameters
    ----------
    df
        Table of `make_tassh_like` or `load_tassh`.
    control
        Label of the control arm.

    Examples
    --------
    >>> tassh_trial(make_tassh_like(seed=1))
    Trial(n=643, clusters=32, arms=HIC ... / TASSH ..., covariates=9)
    """
    return Trial(
        df,
        outcome="sbp_12m",
        treatment="arm",
        control=control,
        cluster="clinic",
        covariates=[name for name in _TASSH_PERSON if name in df],
        cluster_covariates=[name for name in _TASSH_CLINIC if name in df],
        id="patient_id" if "patient_id" in df else None,
    )
