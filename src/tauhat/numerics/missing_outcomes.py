"""Outcomes that are missing at random: one for everybody, doubly robust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.left_out import ChangesWithout, PartOfChange, WeightedRows
from tauhat.numerics.mixed_model import MixedModel
from tauhat.numerics.responses import Binomial
from tauhat.numerics.two_arm_logit import TwoArmModel

#: Smallest probability of an outcome that is divided by.
SMALLEST_PROBABILITY = 0.05


@dataclass(frozen=True)
class MadeOutcome:
    """An outcome for everybody.

    Attributes
    ----------
    values
        Shape (n,).
    probability
        Probability that the outcome is seen, floored, shape (n,).
    n_floored
        Persons whose probability was below the floor.
    without
        How the values change without each unit, at the same variances; None if not asked for.
    """

    values: FloatArray
    probability: FloatArray
    n_floored: int
    without: ChangesWithout | None = None


def made_outcome(
    y: FloatArray,
    observed: BoolArray,
    treatment: IntArray,
    outcome_columns: Sequence[FloatArray],
    observed_columns: Sequence[FloatArray],
    groups: IntArray | None,
    fold: IntArray,
    weight: FloatArray | None = None,
    *,
    by_arm: bool = True,
    unit: IntArray | None = None,
) -> MadeOutcome:
    r"""Outcome with the mean that everybody's would have if it were seen.

    .. math::
        \tilde Y_i = \frac{R_i}{\kappa_i} Y_i + \Big(1 - \frac{R_i}{\kappa_i}\Big) m_i, \qquad
        \kappa_i = P(R_i = 1 \mid A_i, X_i, b_{c(i)}), \quad
        m_i = \mathrm E(Y_i \mid A_i, X_i, u_{c(i)})

    with R whether the outcome is seen. Both models hold the arm, columns, their products with the
    arm and a random intercept of each group; :math:`\kappa` is a mixed logit, m a linear mixed
    model of the outcomes seen. The coefficients of m come from the other folds, its intercepts
    from the residuals of the group's own outcomes from that. The mean is right if either model is.
    A fold without which nobody seen is left in an arm learns from everybody.

    Parameters
    ----------
    y
        Outcomes, shape (n,); where they are missing, any number.
    observed
        Who has an outcome, shape (n,).
    treatment
        0 or 1, shape (n,).
    outcome_columns, observed_columns
        Blocks of columns in standard units for the models of the outcome and of whether it is seen.
    groups
        Cluster, or block, 0 to m - 1 of each person, shape (n,), or None.
    fold
        Fold of whole units of each person, shape (n,).
    weight
        Positive weights of mean one, shape (n,), or None.
    by_arm
        Whether the columns' coefficients in the model of the outcome differ between the arms.
    unit
        Randomized unit 0 to m - 1 of each person, a group where there are groups, to learn how
        the outcomes change without each; None not to.

    References
    ----------
    Robins, Rotnitzky and Zhao (1994), Journal of the American Statistical Association 89:846-866.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x, arm = rng.normal(size=4000), np.arange(4000) % 2
    >>> y = 1 + x + rng.normal(size=4000)
    >>> seen = rng.random(4000) < 1 / (1 + np.exp(-x))
    >>> made = made_outcome(y, seen, arm, [x[:, None]], [x[:, None]], None, np.arange(4000) % 5)
    >>> bool(y[seen].mean() > 1.3), bool(abs(made.values.mean() - 1) < 0.07)
    (True, True)
    """
    probability, by_chance = _probability(
        observed, treatment, observed_columns, groups, weight, unit
    )
    floored = np.maximum(probability, SMALLEST_PROBABILITY)
    # Far from zero, squares of outcomes would drown what they differ by.
    centre = y[observed].mean()
    from_centre = np.where(observed, y - centre, 0.0)
    expected, parts = _expected(
        from_centre, observed, treatment, outcome_columns, groups, fold, weight, by_arm, unit
    )
    expected += centre
    inverse = observed / floored
    residual = np.where(observed, y - expected, 0.0)
    without = None
    if unit is not None and by_chance is not None:
        moves = -inverse * residual * (1 - probability) * (probability > SMALLEST_PROBABILITY)
        parts = [
            replace(part, slopes=part.slopes * (1 - inverse)[part.rows, None]) for part in parts
        ]
        parts.append(replace(by_chance, slopes=by_chance.slopes * moves[:, None]))
        without = ChangesWithout(parts, unit)
    return MadeOutcome(
        expected + inverse * residual,
        floored,
        int((probability < SMALLEST_PROBABILITY).sum()),
        without,
    )


def _probability(
    observed: BoolArray,
    treatment: IntArray,
    columns: Sequence[FloatArray],
    groups: IntArray | None,
    weight: FloatArray | None,
    unit: IntArray | None,
) -> tuple[FloatArray, PartOfChange | None]:
    """Probability that each outcome is seen, in the person's own arm and group, shape (n,).

    With what each unit does to its log odds.
    """
    response = Binomial(observed.astype(np.float64))
    arm = treatment.astype(np.float64)
    # The arm may make the covariates matter: no prior against it, as there is for effects.
    model = TwoArmModel(
        response, arm, columns, columns, clusters=groups, weight=weight, prior_rate=0.0
    )
    fit = model.fit().model
    probability: FloatArray = 1 / (1 + np.exp(-fit.predictor))
    if unit is None:
        return probability, None
    ratio = 0.0 if groups is None else float(fit.cluster_variances[0])
    score, curvature = fit.response.score_and_weight(fit.predictor)
    counted = np.ones(len(unit)) if weight is None else weight
    rows = WeightedRows(model.model.columns, counted * curvature, unit, int(unit.max()) + 1, ratio)
    without = rows.without_each(counted * score, fit.covariance_root)
    slopes = rows.slopes_of(rows.columns, unit)
    return probability, PartOfChange(np.arange(len(unit)), slopes, without)


def _expected(
    y: FloatArray,
    observed: BoolArray,
    treatment: IntArray,
    columns: Sequence[FloatArray],
    groups: IntArray | None,
    fold: IntArray,
    weight: FloatArray | None,
    by_arm: bool,
    unit: IntArray | None,
) -> tuple[FloatArray, list[PartOfChange]]:
    """Expected outcome of each person in the own arm and group, shape (n,).

    With what each unit does to it, fold by fold.
    """
    half = (treatment - 0.5)[:, None]
    fixed = np.hstack([np.ones((len(y), 1)), half])
    blocks = [*columns, *((half * block for block in columns) if by_arm else ())]
    everything = np.hstack([fixed, *blocks])
    # Where nothing is shared, each person is a group whose intercept is zero.
    of = np.arange(len(y)) if groups is None else groups
    counted = np.ones(len(y)) if weight is None else weight
    expected = np.empty(len(y))
    parts = []
    for number in np.unique(fold):
        here = np.flatnonzero(fold == number)
        others = np.flatnonzero(observed & (fold != number))
        if len(np.unique(treatment[others])) < 2:
            others = np.flatnonzero(observed)
        own = None if groups is None else np.unique(groups[others], return_inverse=True)[1]
        model = MixedModel(
            y[others],
            fixed[others],
            [block[others] for block in blocks],
            own,
            None if weight is None else weight[others],
        )
        fit = model.fit()
        expected[here] = everything[here] @ fit.coefficients
        ratio = fit.between_cluster_variance / fit.residual_variance if groups is not None else 0.0
        m = int(of.max()) + 1
        seen = here[observed[here]]
        own_rows = WeightedRows(everything[seen], counted[seen], of[seen], m, ratio)
        expected[here] += own_rows.effects(y[seen] - expected[seen])[of[here]]
        if unit is None:
            continue
        learned = WeightedRows(
            everything[others], counted[others], unit[others], int(unit.max()) + 1, ratio
        )
        residual = y[others] - learned.columns @ fit.coefficients
        residual -= learned.effects(residual)[learned.unit]
        without = learned.without_each(learned.weight * residual, fit.covariance_root)
        parts.append(PartOfChange(here, own_rows.slopes_of(everything[here], of[here]), without))
    return expected, parts
