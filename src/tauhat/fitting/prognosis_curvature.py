"""How the prognosis bends, for learners that are straight, where outcomes are missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import norm, rankdata

from tauhat.data import TrialData
from tauhat.endpoint.follow_up import with_squares
from tauhat.fitting.identified_intercepts import identified_intercepts
from tauhat.numerics.nested_model import mixed_model
from tauhat.numerics.standardised_columns import standard_columns

# With fewer rows for each covariate there are lines only, as in the model of missing outcomes.
_ROWS_A_CURVE = 10


def with_curvature_of_prognosis(data: TrialData) -> TrialData:
    r"""The trial with what straight learners must not see where outcomes are missing.

    Randomized arms are alike, so that a straight line through a bent prognosis is as wrong in
    one as in the other, and no effect is taken from it. Where persons lack an outcome, those who
    are left are alike no more: a line takes what the prognosis bends among other persons for an
    effect. It is

    .. math::
        \hat c(x) = q(x)'\hat\zeta, \qquad
        y_i = \alpha + x_i'\beta + q(x_i)'\zeta
        + (A_i - \tfrac12)\{\delta + x_i'\gamma + q(x_i)'\eta\} + b_{c(i)} + e_i

    with the squares q of the normal scores of many-valued covariates, where each of
    :math:`\beta, \zeta, \gamma, \eta` is a random block whose variance REML finds: nothing where
    nothing bends. Squares of the values would leave the curve to the few persons of a long tail.
    Both arms have the same taken out (`as_straight_learners_see_it`), so that every effect stays
    as it is, whoever lacks an outcome.

    Parameters
    ----------
    data
        The trial as its learners see it otherwise.

    Returns
    -------
    TrialData
        The same one where nobody lacked an outcome, where that is an event, a count or a time,
        where there are fewer than ten rows for each covariate, and where none has many values.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from tauhat.data import validate_trial
    >>> from tauhat.fitting.learning_view import learning_view
    >>> rng = np.random.default_rng(1)
    >>> X, arm = rng.normal(size=(400, 1)), np.arange(400) % 2
    >>> data = validate_trial(X, X[:, 0] ** 2 + 0.1 * rng.normal(size=400), arm)
    >>> bent = learning_view(replace(data, n_without_outcome=40))
    >>> seen = as_straight_learners_see_it(bent)
    >>> bool(seen.working.std() < 0.3 * bent.working.std())
    True
    """
    n, p = data.X.shape
    if not data.n_without_outcome or not data.endpoint.is_number or n < _ROWS_A_CURVE * p:
        return data
    outcome = data.working_with_blocks
    scores = norm.ppf((rankdata(data.X, axis=0) - 0.5) / n)
    squares = standard_columns(with_squares(scores)[:, p:])
    if not squares.shape[1] or np.ptp(outcome) == 0:
        return data
    lines, contrast = standard_columns(data.X), (data.treatment - 0.5)[:, None]
    intercepts = identified_intercepts(data, by_arm=False)[0].of_clusters()
    spread = float(outcome.std())
    model = mixed_model(
        (outcome - outcome.mean()) / spread,
        np.hstack([np.ones((n, 1)), contrast]),
        [squares, lines, contrast * lines, contrast * squares],
        intercepts.groups,
        data.sample_weight,
        None,
        intercepts.above,
    )
    found = spread * (squares @ model.fit().coefficients[model.block_slices[0]])
    assert data.learning is not None
    return replace(data, learning=replace(data.learning, curvature=found - found.mean()))


def has_curvature(data: TrialData) -> bool:
    """Whether straight learners see something else of the trial than the others."""
    return data.learning is not None and data.learning.curvature is not None


def as_straight_learners_see_it(data: TrialData) -> TrialData:
    """The trial without the curvature of its prognosis.

    Parameters
    ----------
    data
        The trial as its learners see it.

    Returns
    -------
    TrialData
        The same one where nothing is to be taken out.
    """
    view = data.learning
    if view is None or view.curvature is None:
        return data
    straight = replace(view, outcome=view.outcome - view.curvature, curvature=None)
    return replace(data, learning=straight)
