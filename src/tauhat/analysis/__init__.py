"""The workflow: from a trial to its report."""

from tauhat.analysis.workflow import Analysis, IntervalMethod, Source, analyze

__all__ = ["Analysis", "IntervalMethod", "Source", "analyze"]
