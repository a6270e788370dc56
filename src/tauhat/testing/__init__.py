"""The common suite: what every estimator of effects must do, ours or a third party's."""

from __future__ import annotations

from tauhat.testing.checks import CHECKS, Check, cate_checks, check_cate_estimator
from tauhat.testing.subject import Arrays, Subject, example_trial

__all__ = [
    "CHECKS",
    "Arrays",
    "Check",
    "Subject",
    "cate_checks",
    "check_cate_estimator",
    "example_trial",
]
