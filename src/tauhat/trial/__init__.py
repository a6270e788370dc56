"""A trial as its user describes it: a table, the roles of its columns, and its design check."""

from tauhat.trial.trial import Trial

__all__ = ["Trial"]
