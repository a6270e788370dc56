"""What a trial cannot show."""

from __future__ import annotations

from tauhat.report.numbers import format_percent
from tauhat.report.randomized_units import in_clusters
from tauhat.report.text import (
    NOTICED,
    Run,
    astray_chains,
    far_from_learned,
    in_one_arm,
    primary_effect,
    scale_of,
)
from tauhat.report.time_units import at_horizon, in_units
from tauhat.report.voice import ends_told
from tauhat.wording import counted, join_words

FEW_CLUSTERS = 40
VERY_FEW_CLUSTERS = 20
FEW_PERSONS = 400


def limits(run: Run) -> list[str]:
    """What this very trial cannot show."""
    design, test = run["design"], run["heterogeneity_test"]
    found: list[str] = []
    if run["synthetic"]:
        found.append("The data are synthetic: nothing here is a finding about people.")
    if in_clusters(run):
        found.extend(_cluster_limits(run))
    elif design["n"] < FEW_PERSONS:
        found.append(
            f"With {design['n']} persons, differences between effects are estimated with large "
            "errors; effects of subgroups are leads, not results."
        )
    alone = design.get("incomplete_blocks") or {"persons": 0}
    if alone["persons"]:
        found.append(
            f"{counted(alone['persons'], 'person', form=',')} in blocks with one arm only "
            f"({alone['named']}) {'is' if alone['persons'] == 1 else 'are'} left "
            "out: results do not refer to these blocks. Their effects are "
            "predicted, from persons elsewhere."
        )
    missing = design["n_missing_outcome"]
    if missing != 0:
        who = "Some persons"
        if missing is not None:
            enrolled = design["n"] + alone["persons"] + missing
            who = f"{missing:,} of {enrolled:,} persons ({format_percent(missing / enrolled)})"
        found.append(f"{who} have no outcome{_missing_words(run)}")
    endpoint = run["endpoint"]
    if endpoint["horizon"] is not None:
        found.append(
            f"What happens after {at_horizon(run)} does not count. Censoring "
            "is harmless only if, given arm and covariates, who is censored has nothing to do "
            "with what would have happened to them later."
        )
    if run["held_out"]["given"]:
        found.extend(_detectable(run))
    found.append(
        "The intervals of individual effects cover on average over persons. Where the effect "
        "changes sharply, or at rare values of a covariate, they cover less often than their "
        "level says."
    )
    if run["effects"]["n_cut"]:
        found.append(
            f"The estimates of {run['effects']['n_cut']:,} of {run['design']['n']:,} persons were "
            f"larger than {run['endpoint']['beyond']} and were cut: a model that is linear "
            "in the covariates goes too far there."
        )
    if far_from_learned(run):
        found.append(far_from_learned(run))
    failed = [m["name"] for m in run["models"] if m["failure"]]
    if failed:
        found.append(f"Models that failed and are left out: {join_words(failed)}.")
    astray = [f"{m['name']} (R-hat {m['r_hat']:.2f})" for m in run["models"] if astray_chains(m)]
    if astray:
        found.append(
            f"The chains of {join_words(astray)} had not converged when they ended, so what these "
            "models say depends on where the chains started. Longer chains would show."
        )
    if test["p_value"] is None:
        found.append(
            "Whether effects differ could not be tested. Whatever the figures suggest about who "
            "gains more may be noise."
        )
    elif test["p_value"] >= 0.05:
        found.append(
            "The test did not show that effects differ. Whatever the figures suggest about who "
            "gains more may be noise."
        )
    if run["check"]["failures"]:
        found.append("The design check failed and the analysis was run all the same.")
    found.append(
        "Unless this analysis was written down before the outcomes were seen, it is exploratory."
    )
    return found


def _missing_words(run: Run) -> str:
    """What was done about missing outcomes, and what that supposes."""
    alone, reported = run["average_effect"].get("complete_cases"), primary_effect(run)
    if alone is None:
        return (
            " and are left out. This is harmless only if, given arm and covariates, missingness is "
            "unrelated to the outcome."
        )
    scale = scale_of(run)
    return (
        ". Models are fitted without them; averages, the test and groups count them by outcomes "
        "made for them from those of similar persons. This is right only if, given arm, "
        "covariates and what else tells who has an outcome, missingness is unrelated to the "
        f"outcome. Of persons with an outcome only, the average effect is "
        f"{scale(alone['estimate'])} ({scale.interval(alone['lower'], alone['upper'])}), "
        f"{scale(alone['estimate'] - reported['estimate'])} from the reported one."
    )


def _detectable(run: Run) -> list[str]:
    """How large a difference between groups would have to be to show, and in how few units."""
    scale = scale_of(run)
    difference, subgroups = run["held_out"]["difference"], run["held_out"]["subgroups"]["subgroups"]
    found = []
    if difference["se"] is not None:
        quarters = ends_told("the largest and the smallest predicted effect", run)
        found.append(
            f"The effects of the quarters of persons with {quarters} differ with a standard "
            f"error of {scale(difference['se'])}: a true difference "
            f"under about {scale(NOTICED * difference['se'])}{in_units(run)} would probably not be "
            "detected here."
        )
    if subgroups and in_clusters(run):
        fewest = min(min(g["control_units"], g["treated_units"]) for g in subgroups)
        found.append(
            f"The subgroups' effects rest on as few as {counted(fewest, 'cluster')} in an arm; "
            "what those clusters have in common cannot be separated from the rule."
        )
    return found


def _cluster_limits(run: Run) -> list[str]:
    design = run["design"]
    m = int(design["clusters"])
    found: list[str] = []
    if m < FEW_CLUSTERS:
        strength = "very few" if m < VERY_FEW_CLUSTERS else "few"
        what = (
            "what is known of the arm that has them"
            if in_one_arm(run)
            else "everything that compares clusters, the average effect included,"
        )
        found.append(
            f"{m} clusters are {strength}: {what} rests on {m} independent units, however many "
            "persons they hold."
        )
    smaller = min(int(arm["clusters"]) for arm in design["arms"].values())
    if in_one_arm(run):
        found.append(
            "Persons were randomized and one arm only was treated in clusters: what these did to "
            "their persons is a part of the effect and cannot be told from it."
        )
    elif 3 * smaller < m:
        found.append(
            f"Only {smaller} of the {m} clusters {'is' if smaller == 1 else 'are'} in the "
            "smaller arm: the average effect and its interval rest above all on these."
        )
    level = design["cluster_covariates"]
    scarce = design["too_few_clusters_for"]
    if scarce:
        found.append(
            f"There are too few clusters to learn how the effect varies with cluster-level "
            f"covariates ({join_words(scarce[:5])}{' and others' if len(scarce) > 5 else ''}): the "
            "models adjust for them, and their effects do not vary with them."
        )
    elif level:
        found.append(
            f"Differences of the effect along cluster-level covariates ({join_words(level[:5])}"
            f"{' and others' if len(level) > 5 else ''}) rest on the same {m} units; only large "
            "ones can be seen."
        )
    difference = run["average_effect"]["difference"]
    if difference and difference["p_value"] < 0.05:
        found.append(
            "The average over persons and the average over clusters differ, so the effect seems "
            "to go with cluster size; say which of the two is meant."
        )
    return found
