"""The findings of a run in plain sentences; all of it computed from ``run.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tauhat.report.numbers import Scale, decimals_for, format_p, format_percent
from tauhat.report.per_hundred import per_words
from tauhat.report.randomized_units import in_clusters
from tauhat.report.time_units import at_horizon, in_units, unit_of_time
from tauhat.report.voice import effects_differ, ends_told, order_words, unless_shown
from tauhat.wording import counted, join_words

Run = Mapping[str, Any]

# Standard errors by which a two-sided test at 5% rejects in half of all trials.
NOTICED = 2.0
# In the same errors: estimated effects that differ by less hardly vary.
HARDLY = 0.5


@dataclass(frozen=True)
class Answer:
    """A question of the first page, its answer in a few words, and what stands behind it."""

    question: str
    headline: str
    text: str

    @property
    def whole(self) -> str:
        """Question and answer in a line."""
        return f"{self.question} {self.headline}. {self.text}"


def scale_of(run: Run) -> Scale:
    """Decimals that fit the uncertainty of the average effect."""
    return Scale(decimals_for(float(run["average_effect"]["individual"]["se"])))


def estimands(run: Run) -> list[str]:
    """The average effects that were estimated, the primary one first.

    Examples
    --------
    >>> estimands({"average_effect": {"primary": "cluster", "individual": {}, "cluster": {}}})
    ['cluster', 'individual']
    """
    effects = run["average_effect"]
    found = [name for name in ("individual", "cluster") if effects[name] is not None]
    return sorted(found, key=lambda name: name != effects["primary"])


def primary_effect(run: Run) -> Mapping[str, Any]:
    """The average effect that leads: the individual-average, or what a plan made primary."""
    found: Mapping[str, Any] = run["average_effect"][run["average_effect"]["primary"]]
    return found


def effects_in_words(run: Run) -> str:
    """What effects are, such as "RMST differences in months, horizon 24".

    Examples
    --------
    >>> endpoint = {"effect": "RMST difference", "horizon": 24, "in_time": True}
    >>> effects_in_words({"endpoint": endpoint, "roles": {"outcome": "os_months"}})
    'RMST differences in months, horizon 24'
    """
    endpoint = run["endpoint"]
    noun, _, rest = endpoint["effect"].partition(" in ")
    words, outcome = f"{noun}s{' in ' + rest if rest else ''}", run["roles"]["outcome"]
    if endpoint["horizon"] is None:
        return f"{words}{per_words(run)} in {outcome}"
    if endpoint["in_time"]:
        return f"{words} in {unit_of_time(run)}, horizon {endpoint['horizon']:g}"
    return f"{words}{per_words(run)} at {at_horizon(run)}"


def arm_name(run: Run, arm: str) -> str:
    """Name of the control or the treated arm in a sentence."""
    return label_name(run, str(run["design"]["arms"][arm]["label"]))


def how_persons_count(run: Run) -> str:
    """How persons count in the individual-average effect: the same, or by what."""
    weight = run["endpoint"]["weight"]
    if weight is None:
        return "the same"
    rates = run.get("average_rates")
    by_time = rates is not None and rates["exposure"] is not None
    return f"by the time at risk ({weight})" if by_time else f"by the weights in {weight}"


def label_name(run: Run, label: str) -> str:
    """Label of an arm in a sentence; one that is a number needs its column."""
    try:
        float(label)
    except ValueError:
        return label
    return f"{run['roles']['treatment']} = {label}"


def held_out_units(run: Run) -> str:
    """What is left out as a whole when a prediction is judged."""
    if in_one_arm(run):
        return "units"
    return "clusters" if in_clusters(run) else "persons"


def in_one_arm(run: Run) -> bool:
    """Whether one arm only has clusters: randomized units are these and single persons."""
    return 0 in (arm["clusters"] for arm in run["design"]["arms"].values())


def covers_zero(estimate: Mapping[str, Any]) -> bool:
    """Whether an interval holds zero; one that could not be made does.

    Examples
    --------
    >>> covers_zero({"lower": 0.1, "upper": 2.0}), covers_zero({"lower": None, "upper": None})
    (False, True)
    """
    lower, upper = estimate["lower"], estimate["upper"]
    return lower is None or upper is None or lower <= 0 <= upper


def units_sentence(run: Run) -> str:
    """Who was randomized to what, how many were analysed, and how many averages count."""
    enrolled = enrolled_counted(run)
    if enrolled is None:
        return _analysed_sentence(run)
    design = run["design"]
    everyone = enrolled == design["n"] + design["n_missing_outcome"]
    who = f"all {enrolled:,} enrolled" if everyone else f"{enrolled:,} of those enrolled"
    return (
        f"{_analysed_sentence(run)} Averages and tests count {who}, with an outcome or without; "
        "models are fitted to those who have one."
    )


def _analysed_sentence(run: Run) -> str:
    design = run["design"]
    control, treated = design["arms"]["control"], design["arms"]["treated"]
    to_treated, to_control = arm_name(run, "treated"), arm_name(run, "control")
    if run.get("over_periods"):
        return (
            f"{design['clusters']:,} clusters with {design['n']:,} analysed persons were "
            f"randomized to {len(run['over_periods']['sequences'])} sequences of {to_control} "
            f"({control['n']:,} persons) and {to_treated} ({treated['n']:,} persons) over "
            f"{len(run['over_periods']['periods'])} periods."
        )
    if in_one_arm(run):
        persons = [
            f"{arm['n']:,} persons "
            + (f"in {arm['clusters']} clusters" if arm["clusters"] else "alone")
            for arm in (treated, control)
        ]
        return (
            f"{design['n']:,} analysed persons were randomized to {to_treated} ({persons[0]}) or "
            f"{to_control} ({persons[1]})."
        )
    if in_clusters(run):
        return (
            f"{design['clusters']:,} clusters with {design['n']:,} analysed persons were "
            f"randomized to {to_treated} ({treated['clusters']} clusters, "
            f"{treated['n']:,} persons) or {to_control} ({control['clusters']} clusters, "
            f"{control['n']:,} persons)."
        )
    return (
        f"{design['n']:,} analysed persons were randomized to {to_treated} "
        f"({treated['n']:,}) or {to_control} ({control['n']:,})."
    )


def enrolled_counted(run: Run) -> int | None:
    """Number of persons whom averages count, if it is told and more than have an outcome.

    Examples
    --------
    >>> enrolled_counted({"design": {"n": 342, "n_counted": 400}})
    400
    >>> enrolled_counted({"design": {"n": 400, "n_counted": 400}})
    """
    n, counted = run["design"]["n"], run["design"].get("n_counted")
    return None if counted is None or counted <= n else int(counted)


def counts_enrolled(run: Run) -> bool:
    """Whether averages count persons without an outcome, also where their number is not told."""
    alone = run["average_effect"].get("complete_cases")
    return alone is not None or enrolled_counted(run) is not None


def plan_sentence(plan: Mapping[str, Any]) -> str:
    """Whether an analysis was as planned, with the date and the hash of the plan.

    Examples
    --------
    >>> plan_sentence({"date": "2026-11-28", "sha256": "3fa9c1d2e4b5" * 5, "deviations": []})
    'As planned on 2026-11-28, hash 3fa9c1d2e4b5.'
    """
    told = f"planned on {plan['date']}, hash {plan['sha256'][:12]}"
    deviations = plan["deviations"]
    if not deviations:
        return f"As {told}."
    return f"{told[:1].upper()}{told[1:]}, with {counted(len(deviations), 'deviation')}."


def evidence(p_value: float) -> tuple[str, str]:
    """Headline and wording for the p-value of the test of heterogeneity.

    Examples
    --------
    >>> evidence(0.3)
    ('Not shown', 'no clear evidence')
    """
    if p_value < 0.01:
        return "Yes, by strong evidence", "strong evidence"
    if p_value < 0.05:
        return "Probably", "moderate evidence"
    if p_value < 0.10:
        # One voice: what does not pass the test is shown nowhere.
        return "Not shown", "at most weak evidence"
    return "Not shown", "no clear evidence"


def heterogeneity_answer(run: Run) -> Answer:
    """Answer whether the effect differs between people."""
    test = run["heterogeneity_test"]
    question = "Does the effect differ between people?"
    if test["p_value"] is None:
        return Answer(question, "Not tested", test["text"])
    headline, words = evidence(test["p_value"])
    text = (
        f"The primary test gives {words} that the effect differs between people "
        f"({format_p(test['p_value'])})."
    )
    if test["p_value"] >= 0.05:
        text += (
            " This does not show that effects are equal; a trial of this size would miss moderate "
            "differences."
        )
    return Answer(question, headline, text)


def named_modifiers(run: Run, level: float = 0.05) -> list[Mapping[str, Any]]:
    """Covariates whose own test, adjusted for the number of covariates, is below ``level``."""
    tested = [m for m in run["modifiers"] if m["p_adjusted"] is not None]
    return sorted(
        (m for m in tested if m["p_adjusted"] < level), key=lambda m: float(m["p_adjusted"])
    )


def for_whom_answer(run: Run) -> Answer:
    """Answer for whom the effect is larger or smaller."""
    scale = scale_of(run)
    question = "For whom?"
    p_value = run["heterogeneity_test"]["p_value"]
    test_shows = effects_differ(run)
    shown = named_modifiers(run)
    passed = join_words([f"{m['covariate']} ({format_p(m['p_adjusted'])})" for m in shown])
    if shown and test_shows:
        contrast = f" {contrast_phrase(shown[0], scale)}" if shown[0]["lowest_label"] else ""
        return Answer(
            question,
            f"It differs by {join_words([m['covariate'] for m in shown[:3]])}",
            "Tested one by one and adjusted for their number, the effect goes with "
            f"{passed}.{contrast}",
        )
    strongest = [m for m in run["modifiers"] if _stands_out(m, run)][:2]
    if not strongest:
        return Answer(
            question,
            "No covariate stands out",
            "The estimated effects hardly vary with any one covariate.",
        )
    names = join_words([m["covariate"] for m in strongest])
    own = f"Only {passed} would pass a test alone" if shown else "No covariate passes its own test"
    if p_value is None:
        own = "Nothing was tested"
    return Answer(
        question,
        "No single covariate explains it" if test_shows else "This trial cannot say",
        f"The estimated effects vary most with {names}. {contrast_phrase(strongest[0], scale)} "
        f"{own}, so take this as a lead for other trials.",
    )


def _stands_out(modifier: Mapping[str, Any], run: Run) -> bool:
    """Whether the estimated effects vary with a covariate by more than next to nothing."""
    if modifier["strength"] < 0.05 or not modifier["lowest_label"]:
        return False
    spread = float(modifier["highest_effect"]) - float(modifier["lowest_effect"])
    return spread >= HARDLY * float(run["average_effect"]["individual"]["se"])


def contrast_phrase(modifier: Mapping[str, Any], scale: Scale) -> str:
    """Where along a covariate the estimated effect is smallest and largest."""

    def where(label: str) -> str:
        joint = " " if label.startswith("around ") else " = "
        return f"{modifier['covariate']}{joint}{label}"

    return (
        f"The mean estimated effect is {scale(modifier['lowest_effect'])} at "
        f"{where(modifier['lowest_label'])} and {scale(modifier['highest_effect'])} at "
        f"{where(modifier['highest_label'])}."
    )


def use_of(model: Mapping[str, Any]) -> str:
    """What became of a model: reported, kept, left out, failed or fitted beside the others."""
    if model["failure"]:
        return "failed"
    use = "kept" if model["kept"] else "left out"
    if model["role"] != "member":
        use = str(model["role"])
    return f"{use}, not converged" if astray_chains(model) else use


def astray_chains(model: Mapping[str, Any]) -> bool:
    """Whether the chains of a model disagree on its average effect."""
    return model.get("converged") is False


def models_astray(run: Run) -> list[Mapping[str, Any]]:
    """Models in use whose mean effect is farther from the average effect than its error allows."""
    average = run["average_effect"]["individual"]
    return [
        model
        for model in run["models"]
        if model["kept"] or model["role"] == "also fitted"
        if model["mean_effect"] is not None
        if abs(model["mean_effect"] - average["estimate"]) > NOTICED * average["se"]
    ]


def agreement_words(correlation: float) -> str:
    """Mean Kendall correlation in words.

    Examples
    --------
    >>> agreement_words(0.7)
    'well'
    """
    if correlation >= 0.6:
        return "well"
    return "moderately" if correlation >= 0.3 else "poorly"


def far_from_learned(run: Run) -> str:
    """Why learned weights may not suit the trial; empty where nothing says so."""
    explanation = run["reported_model"]["explanation"]
    return "" if explanation is None else explanation["warning"] or ""


def certainty_answer(run: Run) -> Answer:
    """Answer how sure we are."""
    scale = scale_of(run)
    average = primary_effect(run)
    named = "Average" if average is run["average_effect"]["individual"] else "Cluster-average"
    about_average = average["lower"] > 0 or average["upper"] < 0
    level = format_percent(run["interval"]["level"])
    said = [
        f"{named} effect: {scale(average['estimate'])}{in_units(run)} ({level} interval "
        f"{scale.interval(average['lower'], average['upper'])}, {format_p(average['p_value'])}).",
        "Interval of one person's expected effect: "
        f"{scale(run['effects']['mean_interval_width'])}{in_units(run)} wide on average.",
    ]
    if run["agreement"]:
        correlation = float(run["agreement"]["mean"])
        said.append(
            f"The models agree {agreement_words(correlation)} on the order of the persons (mean "
            f"Kendall correlation {correlation:.2f})."
        )
    if run["held_out"]["given"]:
        said.append(_held_out_sentence(run))
    astray = models_astray(run)
    if astray:
        means = join_words([f"{m['name']} ({scale(m['mean_effect'])})" for m in astray])
        said.append(
            f"Warning: the mean effect by {means} is more than two standard errors from the "
            "average effect, which needs no model to be true: do not rely on these effects."
        )
    if far_from_learned(run):
        said.append(f"Warning: {far_from_learned(run)}")
    headline = (
        "More certain about the average effect than about any individual"
        if about_average
        else "Not even certain about the direction of the average effect"
    )
    return Answer("How sure are we?", headline, " ".join(said))


def _held_out_sentence(run: Run) -> str:
    """Whether predicted differences came true in persons not used for the prediction."""
    scale = scale_of(run)
    difference = run["held_out"]["difference"]
    if difference["estimate"] is None:
        return "Differences between groups cannot be judged."
    verdict, deferred = "are not shown to differ", ""
    if not covers_zero(difference):
        verdict = "do differ" if effects_differ(run) else "lie apart"
        deferred = unless_shown(run)
    quarters = ends_told("the largest and the smallest predicted effect", run)
    return (
        f"Judged on held-out {held_out_units(run)}, the quarters with {quarters} "
        f"{verdict} ({scale(difference['estimate'])}, "
        f"{scale.interval(difference['lower'], difference['upper'])}).{order_words(run)}{deferred}"
    )


def answers(run: Run) -> list[Answer]:
    """The three answers of the first page."""
    return [heterogeneity_answer(run), for_whom_answer(run), certainty_answer(run)]


def summary(run: Run) -> str:
    """The whole result in a paragraph."""
    return " ".join([units_sentence(run), *(answer.whole for answer in answers(run))])
