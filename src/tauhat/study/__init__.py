"""Simulation studies: a plan, a store that survives kills, tables and figures.

`run_study` runs a plan on the cores of this machine, on a Dask or on a Ray
cluster; `read_study` reads what is done. The same is on the command line as
``tauhat study``.
"""

from tauhat.study.plan import EstimatorSpec, Plan, Row, StudyError
from tauhat.study.plan_file import load_plan, plan_names
from tauhat.study.results import Study, read_study
from tauhat.study.runner import Progress, run_study

__all__ = [
    "EstimatorSpec",
    "Plan",
    "Progress",
    "Row",
    "Study",
    "StudyError",
    "load_plan",
    "plan_names",
    "read_study",
    "run_study",
]
