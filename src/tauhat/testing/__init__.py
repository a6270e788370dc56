"""The common suite: what every estimator of effects must do, ours or a third party's."""

from __future__ import annotations

from tauhat.testing.checks import cate_checks, check_cate_estimator
from tauhat.testing.subject import Subject, example_trial

__all__ = [
    "Subject",
    "cate_checks",
    "check_cate_estimator",
    "example_trial",
]
