"""The analysis plan of a trial: what it says, its lock, and deviations of a run from it."""

from tauhat.protocol.analysis_plan import AnalysisPlan, read_plan
from tauhat.protocol.deviations import Beside, deviations
from tauhat.protocol.document import plan_document
from tauhat.protocol.lock import Lock, read_lock

__all__ = [
    "AnalysisPlan",
    "Beside",
    "Lock",
    "deviations",
    "plan_document",
    "read_lock",
    "read_plan",
]
