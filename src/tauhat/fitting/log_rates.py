"""Mixed models of the log rates of both arms, read as their rates in a new cluster."""

from __future__ import annotations

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.fitting.two_arm_form import AdditiveForm, TwoArmForm
from tauhat.numerics.mixed_logit import GeneralisedFit
from tauhat.numerics.responses import Counts


class LogRatesForm(TwoArmForm):
    r"""Log rates that are a sum of column blocks, and so is what treatment adds to them.

    .. math::
        \log \mathrm{E}(N_{ij} \mid b, g) = \log t_{ij} + \eta_{ij}, \qquad
        \mathrm{Var}(N \mid b, g) = m + \kappa m^2, \qquad
        \mu_a(x) = \exp\{\eta_a + (\sigma_b^2 + \sigma_g^2) / 2\}

    with counts N over times at risk t, m their mean, and the linear predictor of
    `tauhat.fitting.two_arm_form.TwoArmForm`: negative binomial counts, Poisson ones where
    they scatter no more than these (:math:`\kappa = 0`).
    """

    def response(self, data: TrialData) -> Counts:
        """Counts: the rates that the outcome holds, times the times at risk."""
        return Counts(data.y * self._times(data), fits_overdispersion=True)

    def offset(self, data: TrialData) -> FloatArray:
        """Logs of the times at risk, shape (n,)."""
        return np.log(self._times(data))

    def likelihood_weight(self, data: TrialData) -> None:
        """None: the weights of the trial are the times at risk."""
        return

    def residual_variance(self, fit: GeneralisedFit) -> float:
        r"""Variance of the log of a count with the mean of all, by the lognormal approximation.

        .. math:: \log(1 + 1 / \bar m + \kappa)

        References
        ----------
        Nakagawa, Johnson and Schielzeth (2017), Journal of the Royal Society Interface
        14:20170213.
        """
        mean = float(np.exp(fit.predictor).mean())
        return float(np.log1p(1 / mean + fit.response.overdispersion))

    def _times(self, data: TrialData) -> FloatArray:
        return data.endpoint.times_at_risk(data.sample_weight, data.n)


class AdditiveLogRates(AdditiveForm, LogRatesForm):
    """`LogRatesForm` of lines and smooth curves."""
