"""Model-robust average effects: individual-average and cluster-average."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.arguments import check_level
from tauhat.data import TrialData
from tauhat.endpoint import SCALES, Endpoint
from tauhat.errors import TrialError
from tauhat.inference.arm_means import (
    ArmMeans,
    arm_difference_p,
    clusters_left_out,
    errors_of_persons,
    large_block_dummies,
)
from tauhat.inference.average_risks import average_risks
from tauhat.inference.averages import AverageEffects
from tauhat.inference.estimate import Estimate
from tauhat.inference.imputations import averages_over_imputations
from tauhat.inference.informative_size import informative_size_p
from tauhat.inference.inputs import TrialLike, counted_data
from tauhat.inference.period_averages import average_over_periods
from tauhat.inference.transport import target_population
from tauhat.numerics.arm_variances import expected_of_averages, words
from tauhat.numerics.missing_outcomes import MadeOutcome
from tauhat.numerics.working_models import (
    WORKING_CORRELATION,
    ExchangeableWorkingModel,
    outcomes_by_arm,
)
from tauhat.runtime.parallel import on_one_thread
from tauhat.trial.trial import Trial
from tauhat.wording import counted, with_degrees

# Randomization makes arms alike in cluster size but for chance; beyond this p-value the size is
# taken to be a result of the treatment (small against regular classes), and adjusting for it
# would adjust part of the effect away.
SIZE_DIFFERS_P = 0.001
NO_TARGET_OVER_PERIODS = "persons of another population have no weights within periods"
# Of models of the event where outcomes are made of times.
FOLDS_OF_TIMES = 5
# Cluster sizes that differ by less than this share are equal.
_SAME_SIZE = 1e-9


@on_one_thread
def average_effects(
    trial: TrialLike,
    *,
    level: float = 0.95,
    target: Any = None,
    imputations: int | None = None,
    random_state: int = 0,
) -> AverageEffects:
    r"""Model-robust average effects of a two-arm trial.

    Cluster-randomized: for cluster weights :math:`w_i` (the number of persons
    for the individual-average, 1 for the cluster-average) the mean outcome of
    an arm is

    .. math::
        \hat\mu(a) = \frac{\sum_i w_i \bar\eta_a(i)}{\sum_i w_i}
        + \frac{\sum_{A_i = a} (w_i / \pi_{ia}) (\bar Y_i - \bar\eta_a(i))}
               {\sum_{A_i = a} w_i / \pi_{ia}},

    with :math:`\bar\eta_a(i)` the cluster mean of a working regression of the
    outcome on arm, covariates, log cluster size and block, with blocks also on
    arm by log size (exchangeable correlation .05, a light ridge penalty; size is left
    out when the arms differ in it with p < .001, since it is then a result of the
    treatment),
    and :math:`\pi_{ia}` the known probability of arm ``a``. The working
    regression need not be true: it moves the precision, not the target. The
    standard error is the delete-one-cluster jackknife with the regression refitted,

    .. math:: v_a = c \sum_{A_i = a} f_i (\hat\theta_{(-i)} - \bar\theta)^2,

    where :math:`f_i` is one less the leverage of cluster i in a regression on blocks
    and arm and c makes their mean :math:`1 - B/m` for m clusters in B blocks (Li, Tong,
    Fang, Cheng, Kahan and Wang, Statistics in Medicine 2025, whose error this is when
    both arms have as many clusters). The variances of both arms moderate each other,
    and the interval uses t with Satterthwaite's degrees of freedom
    (`tauhat.numerics.arm_variances`): (clusters) - (blocks) - 1 when both arms have
    about as many clusters, that is m - 2 without blocks, and fewer when one arm has few, or where
    weights let few clusters speak (`tauhat.numerics.arm_variances.design_degrees_of_freedom`).

    Individually randomized: the augmented inverse-probability-weighted mean
    with the known propensity and one ridge regression an arm, its penalty chosen
    by leave-one-out error and own-arm predictions leave-one-out. An arm with fewer than
    three persons for its level and each covariate, and at most half as many as the other, takes
    the other's slopes with a level of its own: fewer persons learn slopes that are off by
    more than they explain. Variances and degrees of freedom are by the same rule, n - 2 in
    equal arms. With blocks, what a block shares does not count as error
    (`tauhat.design.Design.errors`). There
    are no clusters to average over, so ``cluster`` and ``difference`` are None.

    An outcome that is made of right-censored times is made here of Cox models of the event that
    are fitted without a person's own fold of whole units: otherwise it follows the models too
    closely, and errors are too small.

    Where outcomes are missing, everyone enrolled counts: an outcome is made for those who lack one
    (`tauhat.numerics.missing_outcomes.made_outcome`), which is right if missing outcomes have
    nothing to do with what they would have been, given arm, covariates, cluster and auxiliary
    columns. ``Trial(missing="complete-cases")`` leaves these persons out. Clusters without any
    outcome are left out either way.

    Over periods, in a stepped wedge or a cluster crossover:
    `tauhat.inference.period_averages.average_over_periods`. ``individual`` and ``cluster`` are the
    horizontal averages, and ``over_periods`` has the vertical ones too.

    Blocks with one arm only tell nothing about the effect and are left out.

    Parameters
    ----------
    trial
        A `tauhat.Trial`, a `tauhat.data.TrialData`, or an iterable of X, y,
        treatment, clusters, sample_weight, blocks, propensity. Sample weights
        count persons; their scale does not matter.
    level
        Coverage of the intervals.
    target
        Table of another population with the trial's covariates, a row per person or one row of
        means: persons count by weights that give them its means
        (`tauhat.inference.transport.target_population`). There is then no cluster-average.
    imputations
        How often missing covariates are drawn (`tauhat.inference.completed_trials`); results are
        put together by Rubin's rules (`tauhat.inference.pooled`). None to fill them in once and
        mark them, which randomization makes valid. Not together with ``target``.
    random_state
        Seed of these draws.

    Returns
    -------
    AverageEffects

    Raises
    ------
    ValueError
        If ``level`` is not between 0 and 1 or the trial is not valid.
    TrialError
        If the target lies outside of what the trial saw, or ``imputations`` is not to be had.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(20), 30)
    >>> arm = clusters % 2
    >>> X = rng.normal(size=(600, 2))
    >>> y = 2 * arm + X[:, 0] + rng.normal(size=20)[clusters] * 0.3 + rng.normal(size=600)
    >>> result = average_effects((X, y, arm, clusters))
    >>> result.individual.lower < 2 < result.individual.upper
    True
    """
    check_level(level)
    if imputations is not None:
        if target is not None:
            raise TrialError("imputations= and target= cannot be given together")
        return averages_over_imputations(trial, imputations, random_state, _of_data, level)
    data = counted_data(trial)
    if target is not None:
        if data.design.fixed_effects.shape[1]:
            raise TrialError(f"target= is not supported with period= yet: {NO_TARGET_OVER_PERIODS}")
        population = target_population(trial, data, target)
        weighed = replace(data, sample_weight=population.weight)
        found = _of_data(data if np.ptp(population.weight) == 0 else weighed, level)
        found = replace(found, cluster=None, cluster_risks=None, cluster_ratio=None)
        found = replace(found, cluster_means=None, difference=None, size_p_value=None)
        return replace(found, target=population)
    found = _of_data(data, level)
    if not isinstance(trial, Trial) or trial.data is data:
        return found
    return replace(found, complete_cases=_of_data(trial.data, level))


def _of_data(data: TrialData, level: float) -> AverageEffects:
    """Average effects of a trial's arrays."""
    if data.endpoint.follow_up is not None:
        data = data.with_outcome_made_anew(n_folds=FOLDS_OF_TIMES)
    estimate = {
        "individual": _individually_randomized,
        "cluster": _cluster_randomized,
        "clusters in one arm": _cluster_randomized,
        "stepped wedge": average_over_periods,
        "cluster crossover": average_over_periods,
        "parallel trial with a baseline period": average_over_periods,
    }
    found = estimate[data.design.name](data, level)
    method = found.method if data.missing is None else f"{found.method}; {data.missing.text}"
    found = replace(found, weighted=data.sample_weight is not None, method=method)
    if not data.n_without_counterfactual:
        return found
    count = data.n_without_counterfactual
    left_out = f"{counted(count, 'person')} in blocks with one arm only"
    verb = "is" if count == 1 else "are"
    return replace(found, method=f"{found.method}; {left_out} {verb} left out")


def _cluster_randomized(data: TrialData, level: float) -> AverageEffects:
    design = data.design
    clusters, first, arm, block = design.unit, design.first, design.arm, design.block
    weight = np.ones(data.n) if data.sample_weight is None else data.sample_weight
    weight = weight / weight.mean()
    log_size = np.log(np.bincount(clusters, weights=weight))
    # Clusters of one arm have no like in the other, whose size could be adjusted for.
    size_p = arm_difference_p(log_size, arm, block) if design.can_permute else 0.0
    n_blocks = design.n_blocks
    covariates = data.X
    if size_p >= SIZE_DIFFERS_P:
        covariates = np.column_stack([covariates, log_size[clusters]])
    # Block intercepts are means over both arms. Without a slope of the effect along size they
    # would take a part of the individual-average with them, in however many pairs.
    sloped = n_blocks > 1 and size_p >= SIZE_DIFFERS_P and np.ptp(log_size) > 1e-9
    along = log_size - log_size.mean()
    if sloped:
        # Half for either arm: the penalty is the same whichever of them is called the control.
        covariates = np.column_stack([covariates, ((arm - 0.5) * along)[clusters]])
    model = ExchangeableWorkingModel(
        data.y,
        np.column_stack([np.eye(n_blocks)[block][clusters], data.treatment]),
        covariates,
        clusters=clusters,
        weight=weight,
        correlation=WORKING_CORRELATION,
    )
    treated_share = data.propensity[first]
    inverse = np.where(arm == 1, 1 / treated_share, 1 / (1 - treated_share))
    made = data.outcome_changes(FOLDS_OF_TIMES)
    coefficients, without_each, moved = model.jackknife(None if made is None else made.without)
    adjusted = model.adjusted_means(coefficients)
    adjusted_without = model.adjusted_means(without_each) + moved
    # What each cluster counts in the individual-average and in the cluster-average.
    counted = np.column_stack([model.sizes, np.ones(len(first))])
    weights = counted * inverse[:, None]
    estimates = [float(_contrast(adjusted, weight, arm)) for weight in weights.T]
    deletions = [_deleted_contrasts(adjusted_without, weight, arm) for weight in weights.T]
    if sloped:
        for k, weight in enumerate(counted.T):
            # The slope's part of the effect, at the mean size of the clusters that count.
            total, moment = weight.sum(), weight * along
            estimates[k] += float(model.slope(coefficients) * moment.sum() / total)
            mean_without = (moment.sum() - moment) / (total - weight)
            deletions[k] = deletions[k] + model.slope(without_each) * mean_without
    # Of clusters of equal size both averages are the same: only rounding would tell them apart.
    apart = float(np.ptp(model.sizes) > _SAME_SIZE * model.sizes.max())
    estimates.append(apart * (estimates[0] - estimates[1]))
    deletions.append(apart * (deletions[0] - deletions[1]))
    persons = np.bincount(clusters).astype(np.float64)
    expected = expected_of_averages(model.sizes, persons, treated_share, arm)[:, [0, 1, 0]]
    even = None
    if data.sample_weight is not None:
        even = expected_of_averages(persons, persons, treated_share, arm)[:, [0, 1, 0]]
    without = np.column_stack(deletions)
    errors = design.errors(without, expected, refitted=True)
    free = design.degrees_of_freedom(expected, without, even)
    bounds = data.endpoint.largest_effect * np.array([1, 1, 2])
    individual, cluster, difference = (
        Estimate.from_t(estimate, error, degrees_of_freedom=df, level=level).within(largest)
        for estimate, error, df, largest in zip(estimates, errors, free, bounds, strict=True)
    )
    within = f" within {n_blocks} blocks" if n_blocks > 1 else ""
    said = " and ".join(dict.fromkeys(words(df) for df in free[:2]))
    method = (
        f"Model-robust estimate over {design.units_in_words}{within}; "
        f"delete-one-{design.unit_word} jackknife, t with {with_degrees(said)}"
    )
    if design.can_permute and size_p < SIZE_DIFFERS_P:
        method += (
            "; cluster size differs between the arms by more than chance, so it is taken for a "
            "result of the treatment and not adjusted for"
        )
    without_one = deletions[0]
    found = AverageEffects(
        individual,
        cluster,
        difference,
        method,
        (float(without_one.min()), float(without_one.max())),
        size_p_value=_size_p_value(data, model, adjusted, estimates[1], made)
        if design.can_permute
        else None,
    )
    if data.endpoint.ends is None:
        return found
    means, deleted = clusters_left_out(
        model, coefficients, without_each, moved, counted, weights, arm, along if sloped else None
    )
    even = None if even is None else even[:, :2]
    arms = ArmMeans(means, deleted, expected[:, :2], design, refitted=True, even=even)
    return _with_both_arms(found, arms, data.endpoint, level)


def _size_p_value(
    data: TrialData,
    model: ExchangeableWorkingModel,
    adjusted: FloatArray,
    effect: float,
    made: MadeOutcome | None,
) -> float | None:
    """p-value of effects that do not go with the size of clusters."""
    moved = None
    if made is not None and made.with_arms is not None:
        share = model.sizes / model.sizes.mean() - 1
        weight = np.ones(data.n) if data.sample_weight is None else data.sample_weight
        columns = (weight / weight.mean())[:, None] * (share / model.sizes)[data.design.unit, None]
        moved = made.with_arms.corrections(columns)[:, 0]
    return informative_size_p(adjusted, model.sizes, effect, data.design, moved)


def _contrast(adjusted: FloatArray, weight: FloatArray, arm: IntArray) -> FloatArray:
    """Weighted mean of the treated minus that of the controls, along the last axis."""
    treated = weight * (arm == 1)
    control = weight * (arm == 0)
    result: FloatArray = adjusted @ (treated / treated.sum() - control / control.sum())
    return result


def _deleted_contrasts(adjusted: FloatArray, weight: FloatArray, arm: IntArray) -> FloatArray:
    """Contrast with cluster i left out, from row i of the refitted adjusted means."""
    total = []
    for this_arm in (1, 0):
        kept = weight * (arm == this_arm)
        numerator = adjusted @ kept - np.diag(adjusted) * kept
        total.append(numerator / (kept.sum() - kept))
    difference: FloatArray = total[0] - total[1]
    return difference


def _individually_randomized(data: TrialData, level: float) -> AverageEffects:
    weight = np.ones(data.n) if data.sample_weight is None else data.sample_weight
    weight = weight / weight.mean()
    design, arm_of = data.design, data.design.arm
    covariates = np.column_stack([data.X, large_block_dummies(design)])
    predicted = outcomes_by_arm(covariates, data.y, data.treatment, weight)
    scores = predicted[1] - predicted[0]
    influence = scores.copy()
    estimate = 0.0
    means, by_person = np.empty(2), np.empty((data.n, 2))
    for arm, sign in ((1, 1.0), (0, -1.0)):
        chance = data.propensity if arm == 1 else 1 - data.propensity
        inverse = weight * (data.treatment == arm) / chance
        # Normalized by the realized weights (Hajek), which costs no bias and less variance.
        inverse *= weight.sum() / inverse.sum()
        residual = data.y - predicted[arm]
        correction = float((inverse * residual).sum() / weight.sum())
        estimate += sign * correction
        own = inverse / weight * (residual - correction) + correction
        influence += sign * own
        means[arm] = float((weight * predicted[arm]).sum() / weight.sum()) + correction
        by_person[:, arm] = weight * (predicted[arm] + own - means[arm]) / weight.sum()
    estimate += float((weight * scores).sum() / weight.sum())
    shares = weight * (influence - estimate) / weight.sum()
    # Of outcomes that are made, only those who were seen tell how they vary.
    seen = weight if data.missing is None else weight * data.missing.inverse
    ones, even = np.ones(data.n), None
    expected = expected_of_averages(seen, ones, data.propensity, arm_of)[:, :1]
    if data.sample_weight is not None or data.missing is not None:
        even = expected_of_averages(ones, ones, data.propensity, arm_of)[:, :1]
    df = float(design.degrees_of_freedom(expected, even=even)[0])
    se = float(errors_of_persons(design, shares[:, None], expected)[0])
    told = data.missing is None or data.missing.number_told
    persons = counted(data.n, "person") if told else "persons"
    method = (
        f"Augmented inverse-probability-weighted estimate over {persons} with the known "
        f"probability of treatment; t with {with_degrees(words(df))}"
    )
    result = Estimate.from_t(estimate, se, degrees_of_freedom=df, level=level)
    found = AverageEffects(result.within(data.endpoint.largest_effect), None, None, method)
    if data.endpoint.ends is None:
        return found
    left_out = (means - by_person)[:, None]
    arms = ArmMeans(means[None], left_out, expected, design, of_shares=True, even=even)
    return _with_both_arms(found, arms, data.endpoint, level)


def _with_both_arms(
    found: AverageEffects, arms: ArmMeans, endpoint: Endpoint, level: float
) -> AverageEffects:
    """The same with both arms' risks of the event, or the ratio of times or of rates."""
    assert endpoint.ends is not None
    low, high = endpoint.ends
    if endpoint.codes is None:
        individual_ratio, *of_clusters = arms.told_as(SCALES["ratio"], level, high)
        cluster_ratio = of_clusters[0] if of_clusters else None
        means = [(float(control), float(treated)) for control, treated in arms.means]
        return replace(
            found,
            individual_ratio=individual_ratio,
            cluster_ratio=cluster_ratio,
            individual_means=means[0],
            cluster_means=means[1] if of_clusters else None,
        )
    differences = [found.individual, *([] if found.cluster is None else [found.cluster])]
    in_risks = [one.over(high - low) for one in differences]
    individual, *cluster = average_risks(arms.risks((low, high)), in_risks, level)
    return replace(
        found, individual_risks=individual, cluster_risks=cluster[0] if cluster else None
    )
