"""Every figure of a report by name, from plain results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat.report import plots
from tauhat.report.effects_told import effects_told
from tauhat.report.grouping import (
    EffectGroups,
    covariate_groups,
    histogram,
    sorted_groups,
    two_way_groups,
)
from tauhat.report.held_out_figures import (
    calibration,
    covariate_forest,
    qini,
    quarters,
    risk_calibration,
    subgroup_forest,
    targeting,
)
from tauhat.report.per_hundred import per_words
from tauhat.report.pieces import average_interval, axis_label
from tauhat.report.text import estimands
from tauhat.report.time_units import at_horizon, outcome_name, unit_of_time
from tauhat.report.view import ReportInput

ROWS_OF_BALANCE = 14
FIGURES_OF_COVARIATES = 6
ROWS_OF_PREDICTORS = 6
# Covariates with less than this share of the variation get no figure of their own.
STRENGTH_WORTH_A_FIGURE = 0.01
_ENDS = ("estimate", "lower", "upper")


def balance(data: ReportInput) -> plots.Plot | None:
    """Differences between the arms before treatment, the largest ones."""
    # A covariate that is constant within both arms has no standard deviation to divide by.
    known = data.balance[np.isfinite(data.balance["difference"])]
    if not len(known):
        return None
    size = known["difference"].abs().sort_values(ascending=False, kind="stable")
    largest = known.reindex(size.index).head(ROWS_OF_BALANCE)
    names = [str(name) for name in largest["covariate"]]
    return plots.balance_plot(names, largest["difference"].to_numpy(dtype=np.float64))


def missing_outcomes(data: ReportInput) -> plots.Plot | None:
    """Who has an outcome, and what losses go with; None where nobody lacks one."""
    found = data.run.get("missing_outcomes")
    if found is None:
        return None
    told = [row for row in found["predictors"] if row["difference"] is not None]
    return plots.missing_outcomes_plot(found["arms"], found["clusters"], told[:ROWS_OF_PREDICTORS])


def target_overlap(data: ReportInput) -> plots.Plot | None:
    """How far another population is from the trial, and the weights; None without one."""
    found = data.run.get("target")
    if found is None:
        return None
    shifts = sorted(found["shifts"], key=lambda row: -abs(float(row["shift"])))
    return plots.target_overlap_plot(shifts[:ROWS_OF_PREDICTORS], found["weights"])


def average_effects_figure(data: ReportInput) -> plots.Plot:
    """Both average effects with intervals."""
    effects = data.run["average_effect"]
    rows = [
        plots.Interval(
            f"{name.capitalize()}-average",
            effects[name]["estimate"],
            effects[name]["lower"],
            effects[name]["upper"],
        )
        for name in estimands(data.run)
    ]
    return plots.interval_plot(rows, axis_label=axis_label(data))


def effect_by_risk(data: ReportInput) -> plots.Plot | None:
    """Effects by the risk without treatment; None where the outcome is no event."""
    found = data.run["relative_effect"]
    # Of one group there is no gradient.
    return (
        None
        if found is None or len(found["by_risk"]) < 2
        else plots.effect_by_risk_plot(found["by_risk"])
    )


def survival_by_arm(data: ReportInput) -> plots.Plot | None:
    """Both arms' curves of the time to the event; None where the outcome is no time."""
    found = data.run["survival_by_arm"]
    if found is None:
        return None
    return plots.survival_plot(
        found["curves"],
        horizon=found["horizon"],
        time_label=_time_label(data),
        label=_curve_label(found),
        area=data.run["endpoint"]["in_time"],
    )


def _time_label(data: ReportInput) -> str:
    return f"{unit_of_time(data.run)} since randomization"


def _curve_label(found: Mapping[str, Any]) -> str:
    return "Had the event" if found["incidence"] else "Without an event"


def survival_of_groups(data: ReportInput) -> list[tuple[str, plots.Plot]]:
    """Curves of the quarters with the largest and the smallest held-out effects, by name."""
    found = data.run["survival_by_arm"]
    groups = [] if found is None else found["groups"][::-1]
    return [
        (
            one["group"],
            plots.survival_plot(
                one["curves"],
                horizon=found["horizon"],
                time_label=_time_label(data),
                label=_curve_label(found),
                area=data.run["endpoint"]["in_time"],
            ),
        )
        for one in groups
    ]


def effect_over_horizons(data: ReportInput) -> plots.Plot | None:
    """Average effects up to several horizons; None where there is one only."""
    found = data.run["survival_by_arm"]
    if found is None or len(found["over_horizons"]) < 2:
        return None
    rows = [
        plots.Interval(
            at_horizon(data.run, row["horizon"]),
            *(np.nan if row[name] is None else row[name] for name in _ENDS),
        )
        for row in found["over_horizons"]
    ]
    return plots.interval_plot(rows, axis_label=axis_label(data))


def strong_modifiers(data: ReportInput) -> list[tuple[Mapping[str, Any], EffectGroups]]:
    """Covariates that get a figure, strongest first, with the mean effects along them."""
    found = []
    for modifier in data.run["modifiers"]:
        if modifier["strength"] < STRENGTH_WORTH_A_FIGURE:
            continue
        groups = drawn_groups(data, modifier["covariate"])
        if groups is not None:
            found.append((modifier, groups))
        if len(found) == FIGURES_OF_COVARIATES:
            break
    return found


def drawn_groups(data: ReportInput, name: str) -> EffectGroups | None:
    """Mean estimated effects along a covariate."""
    return covariate_groups(data.frame[name], data.effect)


def covariate_group_figures(
    data: ReportInput, drawn: Sequence[tuple[Mapping[str, Any], EffectGroups]]
) -> list[plots.Plot]:
    """Figures of several covariates on one axis of effects."""
    if not drawn:
        return []
    average = average_interval(data)
    limits = _common_axis([groups for _, groups in drawn], average)
    return [
        plots.effect_by_covariate_plot(
            groups, average=average, axis_label=axis_label(data), limits=limits
        )
        for _, groups in drawn
    ]


def _common_axis(drawn: Sequence[EffectGroups], average: plots.Interval) -> tuple[float, float]:
    """Range that holds every mean, and the average effect with its interval."""
    means = np.concatenate([groups.effect for groups in drawn])
    low = min(float(means.min()), average.lower)
    high = max(float(means.max()), average.upper)
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def effect_map(data: ReportInput, first: str, second: str) -> plots.Plot | None:
    """Map of the estimated effects over two covariates; None when one makes no groups."""
    cells = two_way_groups(data.frame[first], data.frame[second], data.effect)
    if cells is None:
        return None
    return plots.effect_map_plot(
        cells,
        names=(first, second),
        axis_label=axis_label(data),
    )


def map_of_the_strongest(data: ReportInput) -> tuple[tuple[str, str], plots.Plot] | None:
    """Names and map of the two strongest covariates."""
    names = [str(modifier["covariate"]) for modifier, _ in strong_modifiers(data)[:2]]
    if len(names) < 2:
        return None
    drawn = effect_map(data, names[0], names[1])
    return None if drawn is None else ((names[0], names[1]), drawn)


def sorted_effects(data: ReportInput) -> plots.Plot:
    """Mean effects of equal groups of persons, smallest first."""
    groups = sorted_groups(data.effect)
    return plots.sorted_effects_plot(
        groups, average=average_interval(data), axis_label=axis_label(data)
    )


def effect_distribution(data: ReportInput) -> plots.Plot:
    """How many persons have which estimated effect."""
    average = average_interval(data)
    # The interval of the average is drawn too: bars much narrower than it could not be seen.
    edges, counts = histogram(data.effect, least=(average.upper - average.lower) / 20)
    return plots.effect_distribution_plot(
        edges, counts, average=average, axis_label=axis_label(data)
    )


def named_comparisons(data: ReportInput) -> plots.Plot | None:
    """Differences of the effect along the named modifiers; None without any estimate."""
    named = data.run["named_modifiers"]
    if named is None:
        return None
    rows: list[dict[str, Any]] = [
        *map(dict, named["comparisons"]),
        *map(dict, named["all_clusters"]),
    ]
    for row in rows:
        if row["question"] == "all clusters":
            row["comparison"] = f"{row['comparison']}, all clusters"
    order = {test["modifier"]: place for place, test in enumerate(named["tests"])}
    rows.sort(key=lambda row: order[row["modifier"]])
    table = pd.DataFrame(rows)
    table = table.astype(dict.fromkeys(("estimate", "lower", "upper"), float))
    if table["estimate"].isna().all():
        return None
    outcome = f"{outcome_name(data.run)}{per_words(data.run)}"
    return plots.interaction_forest_plot(table, axis_label=f"Difference of the effect on {outcome}")


def named_groups(data: ReportInput) -> plots.Plot | None:
    """Effects within the groups of the named modifiers that are no numbers; None without any."""
    named = data.run["named_modifiers"]
    if named is None:
        return None
    rows = [row for row in named["groups"] if row["value"] is None and row["estimate"] is not None]
    if not rows:
        return None
    return plots.covariate_forest_plot(
        pd.DataFrame(rows).rename(columns={"modifier": "covariate"}),
        average=average_interval(data),
        axis_label=axis_label(data),
    )


def named_curves(data: ReportInput) -> list[plots.Plot]:
    """The effect along each named modifier that is a number."""
    named = data.run["named_modifiers"]
    drawn = []
    for one in [] if named is None else named["comparisons"]:
        groups = [
            row
            for row in named["groups"]
            if row["modifier"] == one["modifier"]
            if row["estimate"] is not None and row["persons"] is not None
        ]
        if one["spread"] is not None and one["estimate"] is not None and len(groups) > 1:
            drawn.append(
                plots.effect_along_plot(
                    pd.DataFrame(groups),
                    slope=one["estimate"] / one["spread"],
                    average=average_interval(data),
                    axis_label=axis_label(data),
                    modifier=one["modifier"],
                )
            )
    return drawn


def mean_effects(data: ReportInput) -> plots.Plot:
    """Mean estimated effect of each model."""
    dots = [
        plots.Interval(m["name"], m["mean_effect"], np.nan, np.nan)
        for m in data.run["models"]
        if not m["failure"]
    ]
    return plots.interval_plot(
        dots,
        axis_label=f"Mean of the estimated effects on {outcome_name(data.run)}"
        f"{per_words(data.run)}",
        average=average_interval(data),
    )


def agreement(data: ReportInput) -> plots.Plot | None:
    """Kendall correlations between the models, the most agreeable first."""
    found = data.run["agreement"]
    if not found:
        return None
    names = found["models"]
    kept = {m["name"]: bool(m["kept"]) for m in data.run["models"]}
    matrix = np.array(found["kendall"], dtype=np.float64)
    order = np.argsort(-matrix.mean(axis=1), kind="stable")
    return plots.agreement_plot(
        [names[i] for i in order],
        matrix[np.ix_(order, order)],
        [kept.get(names[i], False) for i in order],
    )


def member_weights(data: ReportInput) -> plots.Plot | None:
    """Weights of the ensemble's members; None when there are not two."""
    explanation = data.run["reported_model"]["explanation"]
    if explanation:
        return plots.member_weights_plot(pd.DataFrame(explanation["members"]))
    rows = [
        {"member": m["name"], "weight": m["weight"]}
        for m in data.run["models"]
        if m["role"] == "member" and m["weight"] is not None
    ]
    return plots.member_weights_plot(pd.DataFrame(rows)) if len(rows) > 1 else None


def member_spread(data: ReportInput) -> plots.Plot | None:
    """The members' effects along the ensemble's; None when there are not two."""
    if data.members is None or data.members.shape[1] < 2:
        return None
    return plots.member_spread_plot(
        data.effect, data.members, average=average_interval(data), axis_label=axis_label(data)
    )


def clusters(data: ReportInput) -> plots.Plot | None:
    """Intercepts of the clusters; None when persons were randomized."""
    if data.clusters is None:
        return None
    return plots.cluster_caterpillar_plot(
        data.clusters,
        axis_label=f"{outcome_name(data.run)}{per_words(data.run)}, from the mean",
    )


def gallery(data: ReportInput) -> dict[str, plots.Plot]:
    """Every figure of the report by name; names can be those of files.

    Parameters
    ----------
    data
        Plain results.

    Returns
    -------
    dict
        In the order of the report. Figures for which the analysis has nothing
        are not in it.
    """
    return {name: drawn for name, drawn in _all(effects_told(data)) if drawn is not None}


def _all(data: ReportInput) -> Iterator[tuple[str, plots.Plot | None]]:
    yield "balance", balance(data)
    yield "missing-outcomes", missing_outcomes(data)
    yield "survival-by-arm", survival_by_arm(data)
    yield "effect-over-horizons", effect_over_horizons(data)
    yield "average-effects", average_effects_figure(data)
    yield "target-overlap", target_overlap(data)
    yield "effect-by-risk", effect_by_risk(data)
    yield "named-modifiers", named_comparisons(data)
    yield "named-groups", named_groups(data)
    for k, one in enumerate(named_curves(data), 1):
        yield f"named-modifier-{k}", one
    drawn = covariate_group_figures(data, strong_modifiers(data))
    for k, one in enumerate(drawn, 1):
        yield f"effect-by-covariate-{k}", one
    mapped = map_of_the_strongest(data)
    yield "effect-map", None if mapped is None else mapped[1]
    yield "sorted-effects", sorted_effects(data)
    yield "effect-distribution", effect_distribution(data)
    held_out = data.run["held_out"]
    if held_out["given"]:
        yield "quarters", quarters(data)
        for group, drawn_curves in survival_of_groups(data):
            yield f"survival-{group}-effects", drawn_curves
        yield "covariate-forest", covariate_forest(data)
        yield "subgroup-forest", subgroup_forest(data)
        yield "calibration", calibration(data)
        yield "risk-calibration", risk_calibration(data)
        for ranked in held_out["ranking"]:
            yield f"targeting-{ranked['better']}-is-better", targeting(data, ranked)
            yield f"qini-{ranked['better']}-is-better", qini(data, ranked)
    yield "mean-effects", mean_effects(data)
    yield "agreement", agreement(data)
    yield "member-weights", member_weights(data)
    yield "member-spread", member_spread(data)
    yield "clusters", clusters(data)
