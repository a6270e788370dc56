"""Outcomes that are missing at random: one for everybody, doubly robust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics.arm_changes import ChangesWithArms, PartWithArms, covariance_of
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
    with_arms
        How they change with the arms of the units; None if not asked for.
    """

    values: FloatArray
    probability: FloatArray
    n_floored: int
    without: ChangesWithout | None = None
    with_arms: ChangesWithArms | None = None


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
    permuted: IntArray | None = None,
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
    permuted
        Randomized unit 0 to m - 1 of each person, to learn how the outcomes change with their
        arms; None not to.

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
    probability, chance = _probability(observed, treatment, observed_columns, groups, weight)
    floored = np.maximum(probability, SMALLEST_PROBABILITY)
    # Far from zero, squares of outcomes would drown what they differ by.
    centre = y[observed].mean()
    from_centre = np.where(observed, y - centre, 0.0)
    expected, models = _expected(
        from_centre, observed, treatment, outcome_columns, groups, fold, weight, by_arm
    )
    expected += centre
    inverse = observed / floored
    residual = np.where(observed, y - expected, 0.0)
    moves = -inverse * residual * (1 - probability) * (probability > SMALLEST_PROBABILITY)
    parts = [*((model, (1 - inverse)[model.rows]) for model in models), (chance, moves)]
    without = with_arms = None
    if unit is not None:
        without = ChangesWithout([part.without_each(unit, moved) for part, moved in parts], unit)
    if permuted is not None:
        half = treatment.astype(np.float64) - 0.5
        with_arms = ChangesWithArms([part.of_arms(permuted, half, moved) for part, moved in parts])
    return MadeOutcome(
        expected + inverse * residual,
        floored,
        int((probability < SMALLEST_PROBABILITY).sum()),
        without,
        with_arms,
    )


@dataclass(frozen=True, eq=False)
class _Learned:
    """A model and the persons that it was applied to.

    Attributes
    ----------
    rows, columns
        Whom it was applied to, and their columns, shapes (k,) and (k, q).
    own
        The rows that their groups' intercepts were predicted from.
    others, learned, score, root
        Whom it was learned from, as rows by group, weight times residual, and root of the
        precision.
    in_arms
        Which of the columns are products with the contrast of the arms.
    """

    rows: IntArray
    columns: FloatArray
    groups: IntArray
    own: WeightedRows
    others: IntArray
    learned: WeightedRows
    score: FloatArray
    root: FloatArray
    in_arms: IntArray

    @cached_property
    def slopes(self) -> FloatArray:
        """Derivatives of what was predicted in the coefficients, shape (k, q)."""
        return self.own.slopes_of(self.columns, self.groups[self.rows])

    def without_each(self, unit: IntArray, moved: FloatArray) -> PartOfChange:
        """What each unit changes in values that move with what was predicted."""
        m = int(unit.max()) + 1
        learned = replace(self.learned, unit=unit[self.others], m=m)
        change = learned.without_each(self.score, self.root)
        return PartOfChange(self.rows, self.slopes * moved[:, None], change)

    def of_arms(self, unit: IntArray, half: FloatArray, moved: FloatArray) -> PartWithArms:
        """What the units' arms change in them."""
        m = int(unit.max()) + 1
        slopes = self.slopes[:, self.in_arms] * (moved / half[self.rows])[:, None]
        columns = self.learned.columns[:, self.in_arms] / half[self.others][:, None]
        share = float(half.mean() + 0.5)
        covariance = share * (1 - share) * covariance_of(self.root, self.in_arms)
        return PartWithArms.of(
            self.rows, slopes, columns, self.score, unit[self.others], covariance, m
        )


def _probability(
    observed: BoolArray,
    treatment: IntArray,
    columns: Sequence[FloatArray],
    groups: IntArray | None,
    weight: FloatArray | None,
) -> tuple[FloatArray, _Learned]:
    """Probability that each outcome is seen, in the person's own arm and group, shape (n,).

    With the model of it.
    """
    response = Binomial(observed.astype(np.float64))
    arm = treatment.astype(np.float64)
    # The arm may make the covariates matter: no prior against it, as there is for effects.
    model = TwoArmModel(
        response, arm, columns, columns, clusters=groups, weight=weight, prior_rate=0.0
    )
    fit = model.fit().model
    probability: FloatArray = 1 / (1 + np.exp(-fit.predictor))
    everybody = np.arange(len(arm))
    of = everybody if groups is None else groups
    ratio = 0.0 if groups is None else float(fit.cluster_variances[0])
    score, curvature = fit.response.score_and_weight(fit.predictor)
    counted = np.ones(len(arm)) if weight is None else weight
    every = model.model.columns
    rows = WeightedRows(every, counted * curvature, of, int(of.max()) + 1, ratio)
    in_arms = np.r_[1, np.arange(every.shape[1] - model.n_effect, every.shape[1])]
    learned = _Learned(
        everybody, every, of, rows, everybody, rows, counted * score, fit.covariance_root, in_arms
    )
    return probability, learned


def _expected(
    y: FloatArray,
    observed: BoolArray,
    treatment: IntArray,
    columns: Sequence[FloatArray],
    groups: IntArray | None,
    fold: IntArray,
    weight: FloatArray | None,
    by_arm: bool,
) -> tuple[FloatArray, list[_Learned]]:
    """Expected outcome of each person in the own arm and group, shape (n,).

    With the models of it, fold by fold.
    """
    half = (treatment - 0.5)[:, None]
    fixed = np.hstack([np.ones((len(y), 1)), half])
    products = [half * block for block in columns] if by_arm else []
    blocks = [*columns, *products]
    everything = np.hstack([fixed, *blocks])
    n_columns, n_products = everything.shape[1], sum(block.shape[1] for block in products)
    in_arms = np.r_[1, np.arange(n_columns - n_products, n_columns)]
    # Where nothing is shared, each person is a group whose intercept is zero.
    of = np.arange(len(y)) if groups is None else groups
    counted = np.ones(len(y)) if weight is None else weight
    expected = np.empty(len(y))
    models = []
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
        learned = WeightedRows(everything[others], counted[others], of[others], m, ratio)
        residual = y[others] - learned.columns @ fit.coefficients
        residual -= learned.effects(residual)[learned.unit]
        score, root = learned.weight * residual, fit.covariance_root
        models.append(
            _Learned(here, everything[here], of, own_rows, others, learned, score, root, in_arms)
        )
    return expected, models
