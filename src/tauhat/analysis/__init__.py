"""The workflow: from a trial to its report."""

from tauhat.analysis.contrasts import ContrastAnalysis
from tauhat.analysis.parts import IntervalMethod
from tauhat.analysis.result import Analysis
from tauhat.analysis.workflow import Source, analyze

__all__ = ["Analysis", "ContrastAnalysis", "IntervalMethod", "Source", "analyze"]
