"""What ``run.json`` holds: one typed record for each of its objects, each key with its meaning."""

# No "from __future__ import annotations": with it TypedDict does not see NotRequired.
from typing import Annotated, Any, NotRequired, TypedDict

from tauhat.analysis.missing_schema import MissingOutcomesRecord
from tauhat.analysis.models_schema import Agreement, Model, ReportedModel
from tauhat.analysis.named_schema import NamedModifiersRecord, RelevanceRecord
from tauhat.analysis.outcome_schema import (
    AverageRatesRecord,
    AverageRisksRecord,
    CalibrationOfRisk,
    Count,
    EffectByRisk,
    EstimateWithTest,
    Interval,
    Number,
    RatiosRecord,
    SurvivalRecord,
)
from tauhat.analysis.period_schema import OverPeriodsRecord
from tauhat.analysis.target_schema import GroupRecord, Policy, TargetRecord

#: Goes up when a key is renamed, removed, or changes its meaning; new keys leave it.
SCHEMA = 1


class ReadFile(TypedDict):
    format: Annotated[str, "kind of file"]
    library: Annotated[str, "what read it, with versions"]
    table: Annotated[str | None, "member, sheet or object that was read"]
    title: Annotated[str | None, "title in the file"]
    heading: Annotated[str | None, "title that was asked for"]
    rows: Annotated[int, "rows of the file"]
    rows_short: Annotated[int, "rows of a text file with fewer cells than its first line has names"]
    first_short: Annotated[int | None, "line of the first of them"]
    where: Annotated[str | None, "condition that rows had to fulfil"]
    rows_dropped: Annotated[int, "rows that did not"]
    rows_unknown: Annotated[int, "those of them where a missing value left it open"]
    labels: Annotated[dict[str, str], "labels of columns"]
    units: Annotated[dict[str, str], "units of columns"]
    formats: Annotated[dict[str, str], "display formats of columns"]
    value_labels: Annotated[dict[str, Any], "codes and labels of columns, in code order"]
    missing: Annotated[
        dict[str, Any], "values made missing by rule and column; null where it would tell of few"
    ]
    left_as_numbers: Annotated[dict[str, str], "columns left as they are, and why"]
    notes: Annotated[list[str], "what else was done"]


class Data(TypedDict):
    file: Annotated[str | None, "name of the input file; null for a table in memory"]
    sha256: Annotated[str, "SHA-256 of the file, or of the columns used"]
    read: NotRequired[
        Annotated[ReadFile | None, "what was read of a file; null for a table in memory"]
    ]


class ClusterSize(TypedDict):
    min: Annotated[int, "persons in the smallest cluster"]
    median: Annotated[float, "median"]
    max: Annotated[int, "persons in the largest cluster"]
    cv: Annotated[float, "coefficient of variation"]


class IncompleteBlocks(TypedDict):
    blocks: Annotated[int, "blocks with one arm only"]
    persons: Annotated[int, "persons in them"]
    units: Annotated[int, "randomized units in them"]
    named: Annotated[str, "the blocks, in words"]


class Arm(TypedDict):
    label: Annotated[str, "the arm as the data call it"]
    n: Annotated[int, "persons compared"]
    clusters: Annotated[
        Count, "their clusters, 0 where persons are single; null when no arm has any"
    ]
    n_missing_outcome: Annotated[Count, "persons enrolled who have no outcome"]


class Arms(TypedDict):
    control: Annotated[Arm, "the control arm"]
    treated: Annotated[Arm, "the treated arm"]


class LevelRecord(TypedDict):
    column: Annotated[str, "column of the level"]
    units: Annotated[int, "units compared"]
    icc: Annotated[Number, "correlation of two outcomes of one unit within arm; null if untold"]


class DesignRecord(TypedDict):
    type: Annotated[
        str,
        '"individual", "cluster", "participant" (with several rows each), "stepped wedge", '
        '"cluster crossover" or "parallel trial with a baseline period" (its rows modelled): what '
        "was randomized",
    ]
    n: Annotated[int, "persons compared, those of all other numbers"]
    n_rows: Annotated[int, "rows of the input"]
    n_counted: NotRequired[
        Annotated[
            Count,
            "persons whom averages and tests count, with an outcome or without; null in contrasts "
            "of several arms of which one lost one to four",
        ]
    ]
    n_missing_outcome: Annotated[Count, "persons without an outcome; null likewise"]
    n_excluded: Annotated[Count, "rows of other arms; null likewise"]
    incomplete_blocks: Annotated[IncompleteBlocks | None, "who is left out of comparisons"]
    clusters: Annotated[Count, "clusters compared"]
    cluster_size: Annotated[ClusterSize | None, "persons compared in a cluster"]
    levels: Annotated[list[LevelRecord], "clusters and what lies within; empty without levels"]
    crossed: NotRequired[Annotated[list[LevelRecord], "what crosses clusters"]]
    arms: Annotated[Arms, "counts by arm"]
    icc: Annotated[Number, "intracluster correlation of the outcome within arm"]
    blocks: Annotated[Count, "blocks compared; null without blocks"]
    covariates: Annotated[list[str], "columns used as covariates"]
    cluster_covariates: Annotated[list[str], "those that are constant within clusters"]
    too_few_clusters_for: Annotated[list[str], "those adjusted for only"]
    propensity_given: Annotated[bool, "whether the probability of treatment was given"]


class EndpointRecord(TypedDict):
    kind: Annotated[str, '"binary", "continuous", "rmst", "survival" or "time-lost"']
    link: Annotated[str, "link between the mean of the outcome and the models"]
    scale: Annotated[str, "scale of the effects"]
    effect: Annotated[str, "what an effect is called"]
    largest_effect: Annotated[Number, "largest effect that can be, either way; null without bounds"]
    beyond: Annotated[str, "what bounds effects, in words"]
    horizon: Annotated[Number, "time up to which persons are compared; null without times"]
    censoring: Annotated[str | None, '"arm" or "covariates": what censoring may depend on']
    in_time: Annotated[bool, "whether effects are in the unit of a time to an event"]
    in_risks: Annotated[bool, "whether effects are differences of risks of an event"]
    weight: Annotated[str | None, "column of sample weights"]
    effective_n: Annotated[Number, "equally weighted persons that tell as much of a mean"]


class FindingRecord(TypedDict):
    code: Annotated[str, "kind of finding, see [the design check](design-check.md)"]
    grade: Annotated[str, '"error", "warning" or "note"']
    item: Annotated[str, "what was looked at"]
    value: Annotated[str, "what was found"]
    sentence: Annotated[str, "what it means and what to do"]
    accepted: Annotated[bool, "whether a warning was answered with accept"]


class Check(TypedDict):
    passed: Annotated[bool, "whether nothing graded warning or worse is left unanswered"]
    failures: Annotated[list[str], "errors"]
    warnings: Annotated[list[str], "warnings that nobody answered"]
    accepted: Annotated[list[str], "warnings that were answered with accept"]
    notes: Annotated[list[str], "what was decided on the way"]
    findings: Annotated[list[FindingRecord], "errors, warnings and notes with their codes"]


class AverageEffect(TypedDict):
    primary: Annotated[
        str, 'which of the two leads: "individual", or "cluster" where the plan says so'
    ]
    individual: Annotated[EstimateWithTest, "every person counts the same"]
    cluster: Annotated[EstimateWithTest | None, "every cluster counts the same"]
    difference: Annotated[EstimateWithTest | None, "individual-average less cluster-average effect"]
    ratio: Annotated[
        RatiosRecord | None, "of restricted means, probabilities or rates; null for others"
    ]
    size_p_value: Annotated[Number, "of effects that do not go with cluster size, by permutation"]
    method: Annotated[str, "estimator, in words"]
    complete_cases: NotRequired[
        Annotated[
            EstimateWithTest | None,
            "primary average effect of persons with an outcome only; null where nobody else "
            "was counted",
        ]
    ]


class HeterogeneityTestRecord(TypedDict):
    tested: Annotated[bool, "whether it could be tested"]
    statistic: Annotated[Number, "test statistic"]
    p_value: Annotated[Number, "of the hypothesis that the effect is the same for everyone"]
    method: Annotated[str, "test, in words"]
    text: Annotated[str, "result, in a sentence"]
    parts: Annotated[dict[str, Number], "p-value by component of the test"]
    exact: Annotated[bool, "whether all assignments were used and not a sample of them"]
    notes: Annotated[list[str], "what was left out and why"]


class RelativeEffectRecord(TypedDict):
    test: Annotated[HeterogeneityTestRecord, "secondary test of one odds ratio for everyone"]
    by_risk: Annotated[
        list[EffectByRisk],
        "fifths of persons by risk, smallest first; one group if it hardly differs",
    ]


class Modifier(TypedDict):
    covariate: Annotated[str, "column of the input"]
    columns: Annotated[str, "encoded columns behind it"]
    strength: Annotated[Number, "the larger of the two shares"]
    share: Annotated[Number, "of the effects' variance that it tells alone"]
    partial_share: Annotated[Number, "that no other covariate tells"]
    trend: Annotated[Number, "Kendall's tau-b with the effect"]
    direction: Annotated[str, "the trend in words"]
    p_adjusted: Annotated[Number, "from the test, adjusted for looking at all covariates"]
    measured_on: Annotated[str, '"person" or "cluster"']
    lowest_label: Annotated[str | None, "group with the smallest mean effect"]
    lowest_effect: Annotated[Number, "its mean estimated effect"]
    highest_label: Annotated[str | None, "group with the largest mean effect"]
    highest_effect: Annotated[Number, "its mean estimated effect"]


class Classification(TypedDict):
    covariate: Annotated[str, "encoded column"]
    source: Annotated[str, "column of the input"]
    binary: Annotated[bool, "whether its values are 0 and 1, so that means are shares"]
    fewer_than_five: Annotated[bool, "whether the numbers are hidden for that reason"]
    largest: Annotated[Number, "mean in the quarter with the largest predicted effects"]
    smallest: Annotated[Number, "mean in the quarter with the smallest"]
    difference: Annotated[Number, "between the two"]
    se: Annotated[Number, "its standard error"]
    lower: Annotated[Number, "lower end of its interval"]
    upper: Annotated[Number, "upper end of its interval"]
    standardized: Annotated[Number, "difference in standard deviations"]


class Calibration(TypedDict):
    slope: Annotated[Interval, "1 when predicted effects come true"]
    bias: Annotated[Interval, "mean predicted less mean observed effect"]
    spread: Annotated[Number, "standard deviation of the predicted effects"]
    curve: Annotated[list[GroupRecord], "predicted and observed effects by group"]
    risks: NotRequired[
        Annotated[list[CalibrationOfRisk] | None, "fifths of each arm by risk, smallest first"]
    ]


class CurvePoint(Interval):
    share: Annotated[float, "of the persons that the rule treats"]
    qini: Annotated[Number, "share times estimate"]


class Ranking(TypedDict):
    better: Annotated[str, 'which outcome is better: "higher" or "lower"']
    autoc: Annotated[Interval, "area under the curve"]
    qini: Annotated[Interval, "area under the Qini curve"]
    curve: Annotated[list[CurvePoint], "effect in those first in rank, less that in all"]


class CovariateGroup(Interval):
    covariate: Annotated[str, "column of the input"]
    group: Annotated[str, "range or category"]
    persons: Annotated[Count, "its persons"]
    control_units: Annotated[Count, "randomized units in control"]
    treated_units: Annotated[Count, "randomized units treated"]


class SubgroupRecord(Interval):
    subgroup: Annotated[str, "which end of the effect it is for"]
    rule: Annotated[str, "who belongs to it"]
    persons: Annotated[Count, "its persons"]
    control_units: Annotated[Count, "randomized units in control"]
    treated_units: Annotated[Count, "randomized units treated"]
    agreement: Annotated[Number, "with the rules of the splits"]


class Named(TypedDict):
    covariate: Annotated[str, "column of the input"]
    share: Annotated[float, "of the splits whose rules use it"]


class Credibility(TypedDict):
    item: Annotated[str, "question of the guideline"]
    answer: Annotated[str, "answer"]
    basis: Annotated[str, "what it rests on"]


class SubgroupsRecord(TypedDict):
    found: Annotated[Number, "share of the splits that suggest a subgroup"]
    subgroups: Annotated[list[SubgroupRecord], "the subgroups"]
    difference: Annotated[Interval, "between their effects"]
    covariates: Annotated[list[Named], "covariates that the rules use"]
    credibility: Annotated[list[Credibility], "what speaks for and against them"]


class NotHeldOut(TypedDict):
    given: Annotated[bool, "whether it was estimated; if not, only reason stands here"]
    reason: Annotated[str, "why it was not estimated"]


class HeldOut(TypedDict):
    given: Annotated[bool, "whether it was estimated; if not, only reason stands here"]
    estimator: Annotated[str, "model of the held-out effects"]
    n_splits: Annotated[int, "splits into folds"]
    n_folds: Annotated[int, "folds of each"]
    method: Annotated[str, "in words"]
    groups: Annotated[list[GroupRecord], "quarters by predicted effect"]
    difference: Annotated[Interval, "last less first quarter"]
    classification: Annotated[list[Classification], "who is in the outer quarters"]
    calibration: Annotated[Calibration, "predicted against observed effects"]
    ranking: Annotated[list[Ranking], "whether the order of the persons is right"]
    policy: Annotated[list[Policy], "gain of treating by the model"]
    by_covariate: Annotated[list[CovariateGroup], "average effects along covariates"]
    subgroups: Annotated[SubgroupsRecord, "subgroups that the data suggest"]


class ChangedMember(TypedDict):
    what: Annotated[str, '"member" or "seed"']
    change: Annotated[str, "what was left out or drawn anew"]
    mean_effect: Annotated[Number, "mean effect then"]
    sd_effect: Annotated[Number, "standard deviation of the effects then"]
    kendall: Annotated[Number, "tau-b with the reported effects"]
    mean_change: Annotated[Number, "mean absolute change of a person's effect"]


class Split(TypedDict):
    split: Annotated[int, "number of the split"]
    estimate: Annotated[Number, "difference between the outer quarters"]
    lower: Annotated[Number, "lower end of its interval"]
    upper: Annotated[Number, "upper end of its interval"]


class ChangedAverage(TypedDict):
    change: Annotated[str, "other treatment of missing data"]
    estimate: Annotated[Number, "primary average effect then"]
    lower: Annotated[Number, "lower end of its interval"]
    upper: Annotated[Number, "upper end of its interval"]


class SensitivityRecord(TypedDict):
    members: Annotated[list[ChangedMember], "without a member, or with other seeds"]
    splits: Annotated[list[Split], "split by split"]
    averages: Annotated[list[ChangedAverage], "average effect under other assumptions"]
    p_value_range: Annotated[list[float] | None, "of the test under other seeds"]
    without_one_cluster: Annotated[list[float] | None, "range of the average effect"]
    tipping_point: Annotated[Number, "difference of those lost that would undo the result"]
    notes: Annotated[list[str], "what was not done and why"]


class VarianceComponent(TypedDict):
    model: Annotated[str, "model"]
    between_cluster: Annotated[Number, "variance between clusters"]
    residual: Annotated[Number, "variance within clusters, or the innermost level"]
    icc: Annotated[Number, "share of the first"]
    within_cluster: Annotated[list[float], "variance of each level within, outermost first"]
    icc_within_cluster: Annotated[list[float], "correlation of two outcomes of one unit of each"]
    crossed: NotRequired[Annotated[list[float], "variance of each level that crosses clusters"]]
    icc_crossed: NotRequired[Annotated[list[float], "correlation of these over clusters"]]
    between_period: Annotated[Number, "variance between the periods of a cluster, over periods"]
    scale: NotRequired[
        Annotated[str, '"outcome", "log odds", "probit", "log rate" or "log hazard": of what']
    ]


class IntervalMethodRecord(TypedDict):
    method: Annotated[str, "how persons' intervals were made"]
    level: Annotated[float, "their nominal coverage, and that of all intervals"]


class Effects(TypedDict):
    mean: Annotated[float, "mean of the estimated effects"]
    sd: Annotated[float, "their standard deviation"]
    mean_interval_width: Annotated[float, "mean width of the persons' intervals"]
    share_interval_excludes_zero: Annotated[float, "share of intervals without 0"]
    quantiles: Annotated[dict[str, float], "quantiles of the estimated effects"]
    n_cut: Annotated[int, "effects cut to what the outcome allows"]


class PlanRecord(TypedDict):
    date: Annotated[str, "day on which it was locked, UTC, ISO 8601"]
    sha256: Annotated[str, "its hash"]
    deviations: Annotated[list[str], "every deviation of the run from it; empty when as planned"]


class Run(TypedDict):
    """Content of ``run.json``."""

    schema: Annotated[int, f"version of this layout: {SCHEMA}"]
    versions: Annotated[dict[str, str], "Python and packages"]
    seed: Annotated[int, "seed of the run"]
    command: Annotated[str | None, "command as typed; null from Python"]
    rerun: Annotated[str, "what to type for the same numbers"]
    plan: Annotated[PlanRecord | None, "the locked plan that was followed; null without one"]
    finished: Annotated[str, "time, UTC, ISO 8601"]
    seconds: Annotated[dict[str, float], "time of each step"]
    data: Annotated[Data, "where the data came from"]
    data_sha256: Annotated[str, "data.sha256 again"]
    synthetic: Annotated[str | None, "what to say of data that were made up"]
    roles: Annotated[dict[str, Any], "column or columns of each role"]
    endpoint: Annotated[EndpointRecord, "what was measured, and how persons are weighed"]
    design: Annotated[DesignRecord, "who was randomized, and how many took part"]
    check: Annotated[Check, "design check"]
    missing_outcomes: NotRequired[
        Annotated[MissingOutcomesRecord | None, "who lacks an outcome; null where nobody does"]
    ]
    survival_by_arm: Annotated[SurvivalRecord | None, "curves of a time to an event"]
    average_effect: Annotated[AverageEffect, "average effects"]
    over_periods: NotRequired[
        Annotated[OverPeriodsRecord | None, "stepped wedge or crossover; null for other designs"]
    ]
    average_risks: Annotated[AverageRisksRecord | None, "risks of an outcome that is an event"]
    average_rates: NotRequired[
        Annotated[AverageRatesRecord | None, "rates of an outcome that counts events"]
    ]
    target: NotRequired[
        Annotated[TargetRecord | None, "average effect for another population; null without"]
    ]
    heterogeneity_test: Annotated[HeterogeneityTestRecord, "whether effects differ"]
    relative_effect: Annotated[RelativeEffectRecord | None, "of an outcome that is an event"]
    named_modifiers: Annotated[
        NamedModifiersRecord | None, "modifiers that were named; null without any"
    ]
    better: Annotated[str | None, 'which outcome is better: "higher" or "lower"; null if unsaid']
    relevance: Annotated[RelevanceRecord | None, "who gains what matters; null if unsaid"]
    modifiers: Annotated[list[Modifier], "covariates, strongest first"]
    held_out: Annotated[NotHeldOut | HeldOut, "what effects say that no model saw"]
    reported_model: Annotated[ReportedModel, "model whose effects are reported"]
    models: Annotated[list[Model], "every model"]
    agreement: Annotated[Agreement | None, "of the models; null with one"]
    sensitivity: Annotated[SensitivityRecord, "what the results depend on"]
    variance_components: Annotated[list[VarianceComponent], "of models with random effects"]
    interval: Annotated[IntervalMethodRecord, "intervals of persons' effects"]
    effects: Annotated[Effects, "how the estimated effects are spread"]
    files: NotRequired[Annotated[dict[str, str], "SHA-256 of each file of the set"]]
