"""What leaving a unit out changes, against fits without it."""

import numpy as np

from tauhat.numerics.left_out import ChangesWithout, PartOfChange, WeightedRows
from tauhat.numerics.mixed_model import MixedModel


def test_coefficients_without_each_unit_are_those_of_a_fit_without_it() -> None:
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(9), 8)
    fixed, block = np.ones((72, 1)), rng.normal(size=(72, 4))
    weight = rng.uniform(0.5, 2, 72)
    y = block @ [1.0, -1, 0.5, 0] + rng.normal(size=9)[unit] + rng.normal(size=72)
    model = MixedModel(y, fixed, [block], unit, weight)
    fit = model.fit()
    ratio = fit.between_cluster_variance / fit.residual_variance
    rows = WeightedRows(np.hstack([fixed, block]), weight, unit, 9, ratio)
    residual = y - rows.columns @ fit.coefficients
    effects = rows.effects(residual)
    np.testing.assert_allclose(effects, fit.cluster_effects)
    change = rows.without_each(weight * (residual - effects[unit]), fit.covariance_root)
    for one in (0, 5):
        kept = unit != one
        codes = np.unique(unit[kept], return_inverse=True)[1]
        left = MixedModel(y[kept], fixed[kept], [block[kept]], codes, weight[kept])
        exact = left.at(fit.log_ratios).coefficients
        np.testing.assert_allclose(fit.coefficients + change[one], exact, atol=1e-6)
        # Predictions with intercepts move by their slopes.
        predicted = rows.columns[kept] @ exact + left.at(fit.log_ratios).cluster_effects[codes]
        before = rows.columns @ fit.coefficients + effects[unit]
        moved = rows.slopes_of(rows.columns, unit) @ change[one]
        np.testing.assert_allclose((before + moved)[kept], predicted, atol=1e-6)


def test_sums_of_changes_leave_out_the_units_own_values() -> None:
    rng = np.random.default_rng(2)
    unit = np.repeat(np.arange(4), 3)
    parts = [
        PartOfChange(rows, rng.normal(size=(len(rows), 2)), rng.normal(size=(4, 2)))
        for rows in (np.arange(12), np.array([1, 4, 11]))
    ]
    changes = np.zeros((4, 12))
    for part in parts:
        changes[:, part.rows] += part.without @ part.slopes.T
    changes[unit, np.arange(12)] = 0
    weights = rng.normal(size=(12, 3))
    made = ChangesWithout(parts, unit)
    np.testing.assert_allclose(made.sums(weights), changes @ weights)
    of_units = (changes * weights[:, 0]) @ np.eye(4)[unit]
    np.testing.assert_allclose(made.sums_of_units(weights[:, 0]), of_units, atol=1e-12)
