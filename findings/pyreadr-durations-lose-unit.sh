#!/usr/bin/env bash
# pyreadr 0.5.8: a follow-up time from R loses its unit, and the unit differs from file to file.
#
# Expected: a column of R's class difftime arrives as a duration, or with its unit, or is refused, as
#   a matrix column is.
# Happens: it arrives as plain numbers. R chooses the unit when two times are subtracted, by the
#   shortest of the differences: a site whose first patient was seen after two days has days, one
#   whose first was seen after twelve hours has hours. Read and put together, a follow-up of 12
#   hours, 5 and 9 days is 12, 120 and 216 beside 2, 5 and 9. Nothing is warned. (rdata 1.1.0 warns
#   of an unknown class, and gives the same numbers.)
# Source: R's ?difftime on automatic units; pyreadr's readme lists what it cannot read and does not
#   name difftime. No issue was found.
# Seen: [2, 5, 9] and [12, 120, 216], both float64.
# tauhat: reads both as durations (src/tauhat/tables/formats/r_data.py), tested with a file from R.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir"
"$dir/bin/pip" --disable-pip-version-check install --quiet pyreadr==0.5.8 pandas==2.3.3
cd "$dir"
# Written by R 4.2.2: saveRDS of id and followup = seen - enrolled, both POSIXct.
base64 -d > days.rds <<'RDS'
H4sIAAAAAAAAA12PTQrCMBCFxzQFW1AEPYF7u3ZnV55AwZ3EpoVA/2xSijtPLF7AxqRJoU0geZM33/CSWwgAHmCEwP
NVCf71cj4clbdVF6T2x+oCMARK10lV1CQRd1YKnj6dLn4QnlpvNfhGez2po+IlDOv0nathPMNYI95Z3Y8Inmb5SU44
V8VmYi4pyzLBitSF25IJF8aUvLhJnsMlKdIRRtZEjI4ZWZXnVdfWzljQVF00jupfo7c6pJQ/A3rSyQ8pESTKGqKfC/
0fqi9AEY0BAAA=
RDS
base64 -d > hours.rds <<'RDS'
H4sIAAAAAAAAA12PTQ6CMBCFxwIJkGhIvIQbWbuTlSfQxJWm8hMbgSItYeuJjReQWmibYJu0b/r6Td70HAKAAy5C4H
iyBO90PGx30lvLC5L7rXUBLgRSVymtGpzyK6k5y5/Wq3vDLNfecvKVDmPnGJX4MK0kUrr/gFmScRSz0cxF68Mg7jzL
S0vMmCyimelnpCg4qXIb7mrCbdi7065lKvqfrnGVGxppE5HMhBS0LGnfNVZb0NI+Nq3jt9FLHkKIrwIdYQ0QZpjjuG
jxOC8MPytJE9+OAQAA
RDS
"$dir/bin/python" - <<'PY'
import gzip
from pathlib import Path

import pyreadr

for unit, expected in (("days", [2.0, 5.0, 9.0]), ("hours", [12.0, 120.0, 216.0])):
    path = Path(f"{unit}.rds")
    assert unit.encode() in gzip.decompress(path.read_bytes())  # the file says it
    column = pyreadr.read_r(path)[None]["followup"]
    print(unit, column.tolist(), column.dtype, column.attrs)
    assert column.tolist() == expected and column.dtype == "float64" and not column.attrs
PY
