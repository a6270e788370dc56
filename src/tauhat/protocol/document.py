"""The section of a statistical analysis plan, made of a locked plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tauhat.endpoint import COMPLETE_CASES
from tauhat.inference.heterogeneity import DEFAULT_WEIGHTS
from tauhat.protocol.analysis_plan import AnalysisPlan
from tauhat.protocol.deviations import FAR, FAR_SHARE
from tauhat.protocol.lock import Lock
from tauhat.protocol.planned_arms import (
    arm_words,
    compared,
    contrasts_of,
    multiplicity_words,
    power_words,
)
from tauhat.protocol.planned_permutations import permutation_words
from tauhat.protocol.planned_power import POWER, ModifierPower, lacking, modifier_powers
from tauhat.protocol.planned_survival import average_power
from tauhat.report.numbers import format_percent
from tauhat.report.view import Section, TableView
from tauhat.wording import counted, join_words

_EXPECTED = {
    "persons": "Persons randomized",
    "clusters": "Clusters randomized",
    "size-cv": "Coefficient of variation of the cluster sizes",
    "icc": "Intracluster correlation of the outcome",
    "share-treated": "Share of units treated",
    "drop-out": "Share of persons without an outcome",
    "sd": "Standard deviation of the outcome within arm",
    "risk-control": "Risk of the event in the control arm",
    "risk-treated": "Risk of the event in the treated arm",
    "survival-control": "Probability of no event by the horizon in the control arm",
    "survival-treated": "Probability of no event by the horizon in the treated arm",
    "shape": "Shape of the Weibull distributions of times",
    "accrual": "Time over which persons come",
    "follow-up": "Follow-up of the person who came last",
    "frailty-sd": "Standard deviation of the log hazard between clusters",
}
# What decides nothing about the numbers is no part of the table of settings.
_SHOWN_ELSEWHERE = ("title", "modifiers", "subgroup", "adjust")


def plan_document(plan: AnalysisPlan, lock: Lock, defaults: Mapping[str, Any]) -> list[Section]:
    """The sections of the plan's document.

    Parameters
    ----------
    plan
        The plan.
    lock
        Its lock.
    defaults
        Value of each option that the plan leaves out and that has one.

    Returns
    -------
    list of Section
    """
    powers = modifier_powers(plan)
    made = [
        _trial(plan),
        _estimand(plan),
        _average(plan),
        _primary_test(plan, powers, defaults),
        _modifiers(plan, powers),
        _multiplicity(plan),
        _missing(plan),
        _exploratory(plan, defaults),
        _sensitivity(plan),
        _data(lock),
        _settings(plan, defaults),
        _deviations(plan),
        _software(lock, plan, defaults),
    ]
    return [section for section in made if section is not None]


def _remark(plan: AnalysisPlan, key: str) -> list[str]:
    """The user's own words on a matter."""
    return [plan.remarks[key]] if key in plan.remarks else []


def _unit(plan: AnalysisPlan) -> str:
    return "clusters" if plan.clustered else "persons"


def _trial(plan: AnalysisPlan) -> Section:
    run = plan.run
    unit = f" ({run['unit']})" if "unit" in run else ""
    levels = run.get("cluster", [])
    name = levels if isinstance(levels, str) else ", which hold ".join(levels)
    randomized = f"Clusters ({name})" if plan.clustered else "Persons"
    within = f", within blocks of {run['block']}," if "block" in run else ""
    better = ""
    if "higher-is-better" in run:
        better = f" A {'larger' if run['higher-is-better'] else 'smaller'} value is better."
    rows = [
        [_EXPECTED[key], _number(plan.expected[key])] for key in _EXPECTED if key in plan.expected
    ]
    kind = f"{run['endpoint']} outcome" if "endpoint" in run else "outcome"
    horizon = f" up to {_number(run['horizon'])}" if "horizon" in run else ""
    return Section(
        "trial",
        "The trial",
        paragraphs=[
            f"{randomized} are randomized{within} to {arm_words(run)} (column "
            f"{run['treatment']}). The {kind} is {run['outcome']}{unit}{horizon}."
            f"{better}{_baseline(run)}"
        ],
        tables=[TableView("What the trial is expected to be", ["Quantity", "Expected"], rows)],
    )


def _baseline(run: Mapping[str, Any]) -> str:
    """What the periods are of which a plan knows: those before and after parallel arms began."""
    if "period" not in run:
        return ""
    return (
        f" Periods ({run['period']}) before any cluster is treated are a baseline: their persons "
        "are not compared, and the mean outcome of each cluster in them is a covariate."
    )


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(one) for one in value)
    return str(value)


def _estimand(plan: AnalysisPlan) -> Section:
    control, treated = compared(plan.run)
    contrasts = contrasts_of(plan.run)
    of = f" of each contrast ({'; '.join(contrasts)})" if contrasts else ""
    what = (
        "the arm named first less that under the other"
        if contrasts
        else f"{treated} less that under {control}"
    )
    said = {
        "individual": "every person counts the same"
        if "weight" not in plan.run
        else f"persons count by {plan.run['weight']}",
        "cluster": "every cluster counts the same, whatever its size",
    }
    average = plan.estimand["average"]
    texts = [
        f"The primary average effect{of} is the {average}-average effect ({said[average]}): the "
        f"mean outcome under {what}, as randomized, whatever was received."
    ]
    if plan.clustered:
        other = "cluster" if average == "individual" else "individual"
        texts.append(
            f"The {other}-average effect ({said[other]}) is reported beside it, with the "
            "difference of the two, which tells whether the effect goes with the size of clusters."
        )
    texts += [f"Population: {plan.estimand['population']}"] if "population" in plan.estimand else []
    if "intercurrent" in plan.estimand:
        texts.append(f"Intercurrent events: {plan.estimand['intercurrent']}")
    return Section("estimand", "Estimand", paragraphs=texts)


def _average(plan: AnalysisPlan) -> Section:
    covariates = plan.run["covariates"]
    how = (
        "An augmented estimate over clusters: a working regression on arm, covariates, size of "
        "the cluster and block predicts, and what it misses is averaged by arm, so that the "
        "estimate is valid when the regression is wrong. Errors are by a jackknife that leaves "
        "out one cluster at a time, intervals by t with Satterthwaite's degrees of freedom."
        if plan.clustered
        else "Augmented inverse-probability weighting with the known probability of treatment and "
        "one ridge regression an arm: valid when the regression is wrong."
    )
    texts = [how, f"Adjusted for {join_words(list(map(str, covariates)))}."]
    if "adjust" in plan.run:
        texts.append(
            f"For adjustment alone, and not named as modifiers: {join_words(plan.run['adjust'])}."
        )
    texts += [plan.adjustment["rationale"]] if "rationale" in plan.adjustment else []
    power = average_power(plan)
    if power is not None:
        texts.append(f"{power.text} Covariates, which are adjusted for, are left out of this.")
        texts += power_words(plan.run)
    return Section("average", "Average effect and adjustment", paragraphs=texts)


def _primary_test(
    plan: AnalysisPlan, powers: list[ModifierPower], defaults: Mapping[str, Any]
) -> Section:
    covariates = plan.run["covariates"]
    weights = ", ".join(f"{name} {weight:g}" for name, weight in DEFAULT_WEIGHTS.items())
    seed = plan.run.get("seed", defaults.get("seed"))
    texts = [
        "One test, named here beforehand, asks whether the effect"
        f"{' in every contrast' if contrasts_of(plan.run) else ''} is the same for everyone: the "
        f"weighted min-p permutation test, two-sided at the 5% level, of "
        f"{counted(len(covariates), 'covariate')} ({join_words(list(map(str, covariates)))}). "
        f"Whole {_unit(plan)} are permuted{permutation_words(plan, seed)}. Its blocks have the "
        f"weights {weights}, rescaled over the blocks that the covariates allow.",
        *_remark(plan, "test"),
    ]
    named = [one for one in powers if one.power is not None]
    tables = []
    if named:
        rows = [
            [
                one.name,
                _number(one.difference)
                if one.primary_power is not None
                else f"{one.difference:.3g}",
                format_percent(one.power or 0.0),
                "–" if one.primary_power is None else format_percent(one.primary_power),
            ]
            for one in named
        ]
        headers = ["Modifier", "Difference", "Its own interaction test", "The primary test"]
        tables.append(TableView("Power to see the difference named", headers, rows))
        texts.append(
            "The primary test looks through all covariates for more than straight lines and pays "
            "for it in power: by a noncentral F approximation, the other covariates taken to be "
            "continuous and without effect. The interaction test is that of a linear model"
            f"{' with a random intercept of clusters' if plan.clustered else ''}."
            if "event" not in plan.run
            else "Power of the interaction is that of restricted means by Kaplan and Meier "
            "without covariates; that of the primary test is not known without simulation."
        )
        texts += power_words(plan.run)
    return Section("test", "Primary test of effect heterogeneity", paragraphs=texts, tables=tables)


def _modifiers(plan: AnalysisPlan, powers: list[ModifierPower]) -> Section:
    if not plan.modifiers:
        return Section(
            "modifiers",
            "Named modifiers",
            paragraphs=["No modifier is named. What is said of single covariates is exploratory."],
        )
    rows = [
        [
            one["name"],
            one["direction"],
            one["rationale"],
            one.get("evidence", "none named"),
            one.get(
                "cut-point",
                "no reason given"
                if one["name"] in plan.run.get("subgroup", ())
                else "no cut point",
            ),
        ]
        for one in plan.modifiers
    ]
    headers = ["Modifier", "Direction expected", "Rationale", "Prior evidence", "Cut point"]
    method = (
        "Of a modifier of persons: each cluster's slope on it, then the difference between the "
        "arms, with CR2 errors over clusters. Of a modifier of clusters: adjusted means of "
        "the clusters, CR2; within blocks where it is constant in them."
        if plan.clustered
        else "Least squares within blocks with HC2 errors."
    )
    found = [
        [
            one.name,
            _number(one.difference) if one.difference is not None else "–",
            f"{one.detectable:.3g}",
        ]
        for one in powers
        if one.detectable is not None
    ]
    tables = [TableView("Modifiers named beforehand (the questions of ICEMAN)", headers, rows, 5)]
    if found:
        tables.append(
            TableView(
                f"Difference of the effect that would be found with power {POWER:g}",
                ["Modifier", "Named", f"Found with power {POWER:g}"],
                found,
            )
        )
    notes = [
        f"No power for {one['name']}: the plan lacks {join_words(missing)}."
        for one in plan.modifiers
        if (missing := lacking(plan, one))
    ]
    if found:
        notes += power_words(plan.run)
    return Section(
        "modifiers",
        "Named modifiers",
        paragraphs=[
            f"{counted(len(rows), 'modifier is', 'modifiers are')} named, each with an interaction "
            "effect, its interval and its p-value: the difference between groups, or the change "
            f"with one standard deviation. {method} Degrees of freedom are the fewer of "
            "Satterthwaite's and Welch's. A wide interval is not evidence of equal effects."
        ],
        tables=tables,
        notes=notes,
    )


def _multiplicity(plan: AnalysisPlan) -> Section:
    texts = [
        "The primary test of heterogeneity is one test; the p-values of its blocks are not further "
        "tests."
    ]
    texts += multiplicity_words(plan.run, len(plan.modifiers))
    texts.append("All else is exploratory and claims nothing.")
    return Section(
        "multiplicity", "Multiplicity", paragraphs=[*texts, *_remark(plan, "multiplicity")]
    )


def _missing(plan: AnalysisPlan) -> Section:
    done = (
        "left out of the analysis"
        if plan.run.get("missing") == COMPLETE_CASES
        else "left out of models, where those of straight lines do not see how the prognosis "
        "bends; averages, tests and groups count them by outcomes made for them, doubly robustly, "
        "under outcomes missing at random"
    )
    return Section(
        "missing",
        "Missing data",
        paragraphs=[
            f"Persons without an outcome are counted by arm and {done}. Missing "
            "covariates are filled in without looking at arm or outcome, with a mark of "
            "missingness that is adjusted for and is no modifier. A person without a value of a "
            "named modifier takes no part in its comparisons.",
            *_remark(plan, "missing"),
        ],
    )


def _exploratory(plan: AnalysisPlan, defaults: Mapping[str, Any]) -> Section:
    models = _number(plan.run.get("models", defaults.get("models")))
    return Section(
        "exploratory",
        "Exploratory analyses",
        paragraphs=[
            f"Effects of persons are estimated by the models {models}. Groups, "
            "calibration and subgroups are described by held-out effects. These describe and "
            "generate hypotheses, whatever the primary test says."
        ],
    )


def _sensitivity(plan: AnalysisPlan) -> Section:
    seeds = plan.run.get("seeds", 0)
    items = [
        "the average effect under other treatments of missing data, and the difference of those "
        "lost that would undo the result",
        f"the average effect without one of the {_unit(plan)}" if plan.clustered else "",
        "the reported effects without each model"
        + (f", and with {counted(seeds, 'other seed')}" if seeds else ""),
        "the p-value of the primary test under other seeds",
    ]
    return Section(
        "sensitivity",
        "Sensitivity analyses",
        items=[item for item in items if item],
        paragraphs=_remark(plan, "sensitivity"),
    )


def _data(lock: Lock) -> Section | None:
    if lock.columns is None:
        return None
    rows = [[name, kind] for name, kind in lock.columns.items()]
    return Section(
        "data",
        "Blinded data",
        paragraphs=[
            "The plan was made with these columns at hand. Outcome and arm were taken out of the "
            "table before anything was read from it."
        ],
        tables=[TableView("Columns", ["Column", "Values"], rows, numeric_from=2)],
        collapsed=True,
    )


def _settings(plan: AnalysisPlan, defaults: Mapping[str, Any]) -> Section:
    rows = [
        # A seed is no count.
        [key, str(value) if key == "seed" else _number(value)]
        for key, value in plan.run.items()
        if key not in _SHOWN_ELSEWHERE
    ]
    rows += [
        [key, f"{_number(value)} (default)"]
        for key, value in defaults.items()
        if key not in plan.run
    ]
    return Section(
        "settings",
        "What will be run",
        paragraphs=["`tauhat run --plan plan.lock DATA` runs this and nothing else."],
        tables=[TableView("Settings", ["Option", "Value"], rows, numeric_from=2)],
    )


def _deviations(plan: AnalysisPlan) -> Section:
    return Section(
        "deviations",
        "Deviations",
        paragraphs=[
            "The report says that the analysis was as planned, with the date and the hash below, "
            "or lists every deviation: options given beside the plan, covariates that are not "
            "there or are of another kind, other versions of the software, numbers of persons"
            f"{' or clusters' if plan.clustered else ''} that differ from those expected by more "
            f"than {format_percent(FAR)}, and a share without an outcome that differs by more than "
            f"{100 * FAR_SHARE:g} percentage points. A lock that was edited is refused."
        ],
    )


def _software(lock: Lock, plan: AnalysisPlan, defaults: Mapping[str, Any]) -> Section:
    seed = plan.run.get("seed", defaults.get("seed"))
    facts = [
        ["Locked on (UTC)", lock.date],
        ["SHA-256 of the plan", lock.hash],
        ["Seed", str(seed)],
        ["Versions", ", ".join(f"{name} {number}" for name, number in lock.versions.items())],
    ]
    return Section(
        "software",
        "Seeds, software and lock",
        paragraphs=[
            "Put the hash into the trial's registration: whoever has the lock can then show that "
            "the plan was not changed."
        ],
        tables=[TableView("Lock", ["Fact", "Value"], facts, numeric_from=2)],
    )
