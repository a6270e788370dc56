"""Risks or rates of both arms beside an effect, and intervals of ratios that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.endpoint import EffectScale
from tauhat.fitting.additive_forms import ADDITIVE_FORMS
from tauhat.fitting.hazards_form import HazardsForm
from tauhat.fitting.risk_form import RiskForm
from tauhat.numerics.standardised_columns import row_parts

# Arrays of the size of the draws that are held while they are made.
_COPIES = 4


@dataclass(frozen=True, eq=False)
class AverageRisk:
    r"""Marginal risk averaged over the arms, by a mixed logistic regression.

    .. math::
        m(x) = (1 - \pi)\,p_0(x) + \pi\,p_1(x), \qquad
        p_a(x) = \mathrm{E}_b\,\mathrm{expit}\{\alpha + f(x) + (a - \tfrac12)\delta + b\}

    with lines and smooth curves in f (`tauhat.fitting.log_odds.AdditiveLogOdds`; of counts the
    rate, `tauhat.fitting.log_rates.AdditiveLogRates`; of times what hazards make of them, as a
    share of the largest effect that can be, `tauhat.fitting.hazards_form.HazardsForm`). The
    treatment has one coefficient: what is
    learned here says who is at risk, not whom the treatment helps.

    Attributes
    ----------
    form
        The regression, fitted.
    treated_share
        :math:`\pi`.
    least
        Smallest risk or rate that such a trial can tell from none: half an event.
    most
        What a risk cannot pass, 1; infinite for rates.

    Examples
    --------
    >>> from tauhat.data import validate_trial
    >>> from tauhat.fitting.learning_view import learning_view
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(900, 1)), np.arange(900) % 2
    >>> y = rng.random(900) < 1 / (1 + np.exp(1.4 - X[:, 0]))
    >>> model = AverageRisk.of(learning_view(validate_trial(X, y, A)), seed=1)
    >>> bool(abs(model.risk(np.array([[1.4]]))[0] - 0.5) < 0.08)
    True
    """

    form: RiskForm
    treated_share: float
    least: float
    most: float = 1.0

    @classmethod
    def of(cls, data: TrialData, seed: int) -> Self:
        """Fit to a trial as its learners see it; of an event, counts or times."""
        share = float(np.average(data.propensity, weights=data.sample_weight))
        endpoint = data.endpoint
        if endpoint.follow_up is not None:
            hazards = HazardsForm(interactions=False).fit(data, seed)
            return cls(hazards, share, 0.5 / data.n)
        make = ADDITIVE_FORMS["log" if endpoint.mean_exposure else "logit"]
        time, most = endpoint.mean_exposure or 1.0, np.inf if endpoint.mean_exposure else 1.0
        return cls(make(interactions=False).fit(data, seed), share, 0.5 / (data.n * time), most)

    def _averaged(self, risks: FloatArray) -> FloatArray:
        average: FloatArray = risks @ np.array([1 - self.treated_share, self.treated_share])
        return average

    def risk(self, X: FloatArray) -> FloatArray:
        """Average risk at checked covariates of shape (k, p), shape (k,)."""
        return self._averaged(self.form.risks(X))

    def draws(self, X: FloatArray) -> FloatArray:
        """Posterior draws of the average risk, shape (draws, k)."""
        return self._averaged(self.form.risk_draws(X))

    def with_effect(self, average: FloatArray, effect: FloatArray) -> FloatArray:
        r"""Risks without and with treatment that have an average and a difference.

        .. math:: p_0 = m - \pi\tau, \qquad p_1 = m + (1 - \pi)\tau

        Both are moved together where one would leave what is possible, so that their
        difference stays; only effects that no two risks have are cut.

        Parameters
        ----------
        average, effect
            Of the same shape, such as (k,) or (draws, k).

        Returns
        -------
        ndarray, shape (..., 2)
            Each at least half an event away from none and from all.
        """
        lowest, highest = self.least, self.most - self.least
        possible = np.clip(effect, lowest - highest, highest - lowest)
        control = average - self.treated_share * possible
        control = np.clip(
            control, np.maximum(lowest, lowest - possible), np.minimum(highest, highest - possible)
        )
        return np.stack([control, control + possible], axis=-1)

    def interval(
        self,
        X: FloatArray,
        risks: FloatArray,
        of_difference: tuple[FloatArray, FloatArray],
        scale: EffectScale,
        quantile: float,
    ) -> tuple[FloatArray, FloatArray]:
        r"""Interval of a ratio from that of the difference and the error of the average risk.

        With g(m, d) the log of the ratio of two risks that have the average m and the
        difference d, and (l, u) the interval of the difference,

        .. math::
            g(\hat m, \hat d) - \sqrt{\{g(\hat m, \hat d) - g(\hat m, l)\}^2 + q^2 s_m^2}
            \quad\text{to}\quad
            g(\hat m, \hat d) + \sqrt{\{g(\hat m, u) - g(\hat m, \hat d)\}^2 + q^2 s_m^2},

        where :math:`s_m` is the standard deviation of :math:`g(m, \hat d)` over draws of m.
        Where there is no effect the average risk does not matter, so that intervals leave out
        one where those of the difference leave out zero, but for cases on the border.

        Parameters
        ----------
        X
            Checked covariates, shape (k, p).
        risks
            Estimated risks without and with treatment, shape (k, 2).
        of_difference
            Lower and upper ends of the risk difference, each of shape (k,).
        scale
            A ratio.
        quantile
            q, of the t distribution.

        Returns
        -------
        lower, upper
            Each of shape (k,).

        References
        ----------
        Zou and Donner (2008), Statistics in Medicine 27:1693-1702, for limits of a function of
        two estimates from those of each.
        """
        average, effect = self._averaged(risks), risks[:, 1] - risks[:, 0]
        estimate = scale.working(risks)
        centre = scale.working(self.with_effect(average, effect))
        below, above = (
            np.abs(scale.working(self.with_effect(average, end)) - centre) for end in of_difference
        )
        spread = np.empty(len(X))
        for rows in row_parts(len(X), _COPIES * len(self.draws(X[:1]))):
            apart = self.draws(X[rows]) - self.risk(X[rows])
            drawn = self.with_effect(average[rows] + apart, effect[rows])
            spread[rows] = scale.working(drawn).std(axis=0)
        lower = estimate - np.hypot(below, quantile * spread)
        return scale.back(lower), scale.back(estimate + np.hypot(above, quantile * spread))
