"""Additive mixed models of both arms, by the link of the endpoint."""

from __future__ import annotations

from tauhat.fitting.log_odds import AdditiveLogOdds
from tauhat.fitting.log_rates import AdditiveLogRates
from tauhat.fitting.two_arm_form import AdditiveForm

#: Lines and smooth curves on the scale of each link that is not the identity.
ADDITIVE_FORMS: dict[str, type[AdditiveForm]] = {
    "logit": AdditiveLogOdds,
    "log": AdditiveLogRates,
}
