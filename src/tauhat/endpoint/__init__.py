"""What was measured: the endpoint of a trial, and one file for each kind of outcome."""

from __future__ import annotations

from tauhat.endpoint.endpoint import KINDS, Endpoint, outcome_values
from tauhat.endpoint.kind import OutcomeKind, Words
from tauhat.endpoint.sample_weights import effective_size, weight_values

__all__ = [
    "KINDS",
    "Endpoint",
    "OutcomeKind",
    "Words",
    "effective_size",
    "outcome_values",
    "weight_values",
]
