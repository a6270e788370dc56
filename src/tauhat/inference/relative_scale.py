"""A trial of events as one of numbers on which only relative effects that differ show."""

from __future__ import annotations

from dataclasses import replace

from tauhat.data import TrialData
from tauhat.endpoint import Endpoint
from tauhat.fitting.identified_intercepts import identified_intercepts
from tauhat.fitting.learning_view import learning_view
from tauhat.fitting.log_odds import AdditiveLogOdds
from tauhat.numerics.weights import relative_weights


def on_log_odds(data: TrialData) -> TrialData:
    r"""The trial with what one odds ratio for everyone leaves unexplained as its outcome.

    The mixed logistic regression with one coefficient of treatment,

    .. math::
        \mathrm{logit}\,P(Y_i = 1) = \alpha + f(x_i) + (A_i - \tfrac12)\delta + b_{c(i)},

    is fitted (`tauhat.fitting.log_odds.AdditiveLogOdds`), and outcome and weight become those of
    its last step,

    .. math::
        z_i = \hat b_{c(i)} + (y_i - \hat\mu_i) / \hat v_i, \qquad
        \hat v_i = \hat\mu_i (1 - \hat\mu_i),

    so that a sum of a covariate, centred with these weights, times :math:`\hat v_i z_i` is the
    score of its interaction with treatment. Centring within clusters makes that score orthogonal
    to their intercepts and to :math:`\delta`; where persons were randomized, taking each arm's
    mean out does so.

    Parameters
    ----------
    data
        A trial whose outcome is an event.

    Returns
    -------
    TrialData
        The same persons and design.

    Raises
    ------
    TrialError
        If the outcome is no event.

    Examples
    --------
    >>> import numpy as np
    >>> from tauhat.data import validate_trial
    >>> rng = np.random.default_rng(1)
    >>> X, A = rng.normal(size=(2000, 1)), np.arange(2000) % 2
    >>> y = rng.random(2000) < 1 / (1 + np.exp(2 - 2 * X[:, 0] - A))
    >>> made = on_log_odds(validate_trial(X, y, A))
    >>> bool(abs(np.average(made.y, weights=made.sample_weight)) < 0.02), made.endpoint.kind_name
    (True, 'continuous')
    """
    data.endpoint.refuse_without_events("a test on the scale of odds ratios")
    view = learning_view(data)
    intercepts, _ = identified_intercepts(view, by_arm=False)
    intercepts = intercepts.at_most_two()
    form = AdditiveLogOdds(interactions=False).with_columns(view)
    two_arms = form.two_arm_model(view, intercepts)
    fit = two_arms.fit().model
    score, weight = fit.response.score_and_weight(fit.predictor)
    levels = fit.predictor - two_arms.model.columns @ fit.coefficients
    own = weight if data.sample_weight is None else weight * data.sample_weight
    return replace(
        data,
        measured=(levels + score / weight)[:, None],
        sample_weight=relative_weights(own),
        endpoint=Endpoint(),
    )
