"""Mixed models of the log odds of both arms, read as their risks in a new cluster."""

from __future__ import annotations

from typing import Final

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.two_arm_form import AdditiveForm, TwoArmForm
from tauhat.numerics.mixed_logit import GeneralisedFit
from tauhat.numerics.responses import Binomial

#: Residual variance of the latent outcome whose sign is the event, in squared log odds.
LOGISTIC_VARIANCE: Final = float(np.pi**2 / 3)


class LogOddsForm(TwoArmForm):
    r"""Log odds that are a sum of column blocks, and so is what treatment adds to them.

    .. math::
        \mathrm{logit}\,P(Y_{ij} = 1) = \eta_{ij}, \qquad
        \mu_a(x) = \mathrm{E}_{b,g}\,\mathrm{expit}(\eta_a + b + g)

    with the linear predictor of `tauhat.fitting.two_arm_form.TwoArmForm`.
    """

    def response(self, data: TrialData) -> Binomial:
        """An event or none."""
        return Binomial(data.endpoint.events(data.y))

    def residual_variance(self, fit: GeneralisedFit) -> float:
        """Variance of the logistic distribution."""
        return LOGISTIC_VARIANCE

    def log_odds(self, X: FloatArray) -> FloatArray:
        """Mean log odds without and with treatment at an intercept of zero, shape (k, 2)."""
        return self.posterior_.predictors(*self.designs(X))


class AdditiveLogOdds(AdditiveForm, LogOddsForm):
    """`LogOddsForm` of lines and smooth curves."""
