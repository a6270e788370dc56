#!/usr/bin/env bash
# pyreadstat 1.3.7 (and pandas.read_spss): a duration of an SPSS file loses its whole days.
#
# Expected: SPSS keeps differences of dates and times as seconds, with the formats TIME and DTIME
#   (days and time). A stay of 3 days and 12 hours is read as 3.5 days, in whatever form.
# Happens: it is read as the time of day 12:00, ten days as 00:00, thirty hours as 06:00. Nothing is
#   warned, also where the format itself shows days. The longest follow-up looks like the shortest.
#   With disable_datetime_conversion=True the seconds are right.
# Source: pyreadstat/_readstat_parser.pyx, transform_datetime: formats of class TIME give the time of
#   day of epoch plus seconds, without the date. The README's section on date columns speaks of times
#   of day; that durations beyond a day are cut is not said there as far as we found.
# Seen: 3.5 days as 12:00:00, 10 days as 00:00:00, 30 hours as 06:00:00, with both readers; the rank
#   correlation of the times read with the true ones is -.03 in 200 stays of up to 30 days.
# tauhat: it reads the seconds and makes durations of them, held by a test of its file formats.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet \
    pyreadstat==1.3.7 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
"$dir/bin/python" - "$dir/stays.sav" <<'PY'
import sys
import warnings
from datetime import time

import numpy as np
import pandas as pd
import pyreadstat
from scipy.stats import spearmanr

warnings.simplefilter("error")
file = sys.argv[1]
hours = np.r_[84.0, 240.0, 30.0, np.random.default_rng(1).uniform(1, 720, 200)]
stays = pd.DataFrame({"in_days": 3600 * hours, "in_hours": 3600 * hours})
pyreadstat.write_sav(stays, file, variable_format={"in_days": "DTIME12", "in_hours": "TIME8"})

seconds, _ = pyreadstat.read_sav(file, disable_datetime_conversion=True)
assert np.allclose(seconds, stays)
for name, table in (("pyreadstat", pyreadstat.read_sav(file)[0]), ("pandas", pd.read_spss(file))):
    for column in stays:
        read = list(table[column])
        print(f"{name}, {column}: 84, 240 and 30 hours are read as", *read[:3])
        assert read[:3] == [time(12), time(0), time(6)]
read = [value.hour + value.minute / 60 for value in read[3:]]
correlation = spearmanr(read, hours[3:]).statistic
print(f"rank correlation with the true stays: {correlation:.2f}")
assert abs(correlation) < 0.2
PY
