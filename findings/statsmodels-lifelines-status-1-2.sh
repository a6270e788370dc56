#!/usr/bin/env bash
# statsmodels 0.15.0, lifelines 0.30.3: a status of 1 and 2, as in R and SAS, is read in three ways.
#
# Expected: 1 for censored and 2 for an event, R's own coding of most of its example trials, is
#   understood, as in R's Surv, or refused, as in scikit-survival.
# Happens: lifelines takes both as events (all its fitters: not zero is an event). PHReg of
#   statsmodels takes 1 as the event, so that the censored have died and the dead are censored.
#   SurvfuncRight and survdiff of statsmodels add the numbers up: a death counts as two and a
#   censored person as one. Nothing is warned.
# Source: statsmodels/duration/hazard_regression.py (status == 1) and survfunc.py (bincount with
#   weights=status); lifelines/utils, survival_table_from_events (astype(bool)). The docstrings say
#   1 for the event and 0 for the censored, not what becomes of another number.
# Seen: a log hazard ratio of -0.64 becomes 0.13 (lifelines) and 0.30 (PHReg), the p-value of the
#   logrank test .002 becomes .82 (lifelines) and .07 (survdiff), survival to time 5 .75 becomes
#   .52 (lifelines) and .39 (statsmodels).
# tauhat: it reads 1 and 2 as R does and warns of it; event_value= says otherwise.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet statsmodels==0.15.0 lifelines==0.30.3 \
    numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$dir/bin/python" - <<'PY'
import warnings

import numpy as np
import pandas as pd
import statsmodels.api as sm
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import logrank_test

rng = np.random.default_rng(0)
arm = rng.integers(0, 2, 300)
death = rng.exponential(10 * np.exp(0.7 * arm))
left = np.minimum(rng.uniform(2, 12, 300), np.where(arm == 1, 8, 20))
time = np.minimum(death, left)
died = 1 * (death <= left)


def results(status):
    """What both libraries make of times and status."""
    table = pd.DataFrame({"time": time, "status": status, "arm": arm})
    one, two = table[arm == 0], table[arm == 1]
    curve = sm.SurvfuncRight(table["time"], table["status"])
    logrank = logrank_test(one["time"], two["time"], one["status"], two["status"])
    return {
        "Cox, lifelines": CoxPHFitter().fit(table, "time", "status").params_["arm"],
        "Cox, statsmodels": sm.PHReg(table["time"], table[["arm"]], table["status"]).fit().params[0],
        "logrank p, lifelines": logrank.p_value,
        "logrank p, statsmodels": sm.duration.survdiff(table["time"], table["status"], arm)[1],
        "survival, lifelines": KaplanMeierFitter().fit(table["time"], table["status"]).predict(5.0),
        "survival, statsmodels": curve.surv_prob[curve.surv_times <= 5][-1],
    }


with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    right, coded = results(died), results(1 + died)
print(pd.DataFrame({"0 and 1": right, "1 and 2": coded}).round(4).to_string())
assert not [one for one in caught if "status" in str(one.message) or "event" in str(one.message)]
exchanged = sm.PHReg(time, arm[:, None], 1 - died).fit().params[0]
assert abs(coded["Cox, statsmodels"] - exchanged) < 1e-6
assert right["Cox, lifelines"] < -0.5 and coded["Cox, lifelines"] > 0 and exchanged > 0
assert right["survival, statsmodels"] > 0.7 > 0.6 > coded["survival, lifelines"]
assert coded["survival, lifelines"] > 0.45 > coded["survival, statsmodels"]
PY
