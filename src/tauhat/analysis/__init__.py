"""The workflow: from a trial to its report."""

from tauhat.analysis.result import Analysis, IntervalMethod
from tauhat.analysis.workflow import Source, analyze

__all__ = ["Analysis", "IntervalMethod", "Source", "analyze"]
