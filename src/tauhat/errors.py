"""Errors and warnings that a user may want to catch."""

from __future__ import annotations


class TrialError(ValueError):
    """The data or the arguments do not describe a usable two-arm trial (exit code 2)."""


class DesignError(TrialError):
    """The data contradict the stated design, such as a treatment that varies within a cluster."""


class NothingToTestError(TrialError):
    """The covariates or the number of clusters leave no test of differing effects."""


class TauhatWarning(UserWarning):
    """Something worth knowing that does not stop the analysis."""


class UnsafeCovariatesError(TrialError):
    """Covariates that nobody named look measured after randomization, or cannot be covariates.

    Parameters
    ----------
    message
        What is wrong.
    usable
        All columns without another role that can be covariates, safe or not.
    """

    def __init__(self, message: str, usable: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.usable = usable
