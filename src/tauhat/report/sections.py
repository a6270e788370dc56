"""The sections of the report, each made of plain results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tauhat.report import plots
from tauhat.report.grouping import EffectGroups, groups_by_covariate, histogram, sorted_groups
from tauhat.report.numbers import Scale, format_count, format_fixed, format_p, format_percent
from tauhat.report.text import agreement_words, limits, scale_of, use_of
from tauhat.report.view import FigureView, ReportInput, Section, TableView

FIGURES_OF_COVARIATES = 6
# Covariates with less than this share of the variation get no figure of their own.
SHARE_WORTH_A_FIGURE = 0.01
LONGEST_CELL = 120
ROWS_OF_BALANCE = 14
KINDS_OF_HETEROGENEITY = {
    "linear": "steadily along covariates of the person",
    "curvature": "along them, with bends",
    "products": "by combinations of two covariates",
    "cluster-level": "between kinds of clusters",
}


def axis_label(data: ReportInput) -> str:
    """What the effect axes measure."""
    return f"Effect on {data.run['roles']['outcome']}"


def average_interval(data: ReportInput) -> plots.Interval:
    """The individual-average effect, to be drawn behind other figures."""
    effect = data.run["average_effect"]["individual"]
    return plots.Interval("average", effect["estimate"], effect["lower"], effect["upper"])


def cell(value: Any) -> str:
    """A value of a table as short text.

    Examples
    --------
    >>> cell(0.123456), cell(None), cell("a")
    ('0.123', '–', 'a')
    """
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return f"{value:.3g}".replace("-", "−")
    text = str(value)
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def table_of(frame: pd.DataFrame, caption: str, *, numeric_from: int | None = None) -> TableView:
    """A data frame as a table of the page."""
    rows = [[cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    headers = [str(name).replace("_", " ").capitalize() for name in frame.columns]
    return TableView(caption, headers, rows, len(headers) if numeric_from is None else numeric_from)


def design_section(data: ReportInput) -> Section:
    """Whether the trial is what it was said to be."""
    check = data.run["check"]
    figures = []
    balance = data.balance
    if len(balance):
        largest = balance.reindex(
            balance["difference"].abs().sort_values(ascending=False, kind="stable").index
        ).head(ROWS_OF_BALANCE)
        names = [str(name) for name in largest["covariate"]]
        worst = f"{names[0]} ({format_fixed(float(largest['difference'].iloc[0]), 2)})"
        figure = plots.balance_figure(names, largest["difference"].to_numpy(dtype=np.float64))
        figures.append(
            FigureView(
                plots.to_data_uri(figure),
                f"Standardised differences of {len(names)} covariates between the arms; the "
                f"largest is that of {worst}.",
                "Differences between the arms before treatment, in standard deviations"
                + (f" ({ROWS_OF_BALANCE} largest)" if len(balance) > ROWS_OF_BALANCE else "")
                + ". Grey: less than 0.1. With few clusters, larger ones arise by chance.",
            )
        )
    state = "passed" if check["passed"] else "FAILED"
    return Section(
        "design",
        "The design check",
        paragraphs=[f"The design check {state}.", *check["failures"]],
        items=[*(f"Warning: {warning}" for warning in check["warnings"]), *check["notes"]],
        figures=figures,
        tables=[table_of(data.check_table, "The trial as it was read")],
    )


def average_section(data: ReportInput) -> Section:
    """Both average effects."""
    run = data.run
    scale = scale_of(run)
    effects = run["average_effect"]
    labels = {
        "individual": "Individual-average (every person counts the same)",
        "cluster": "Cluster-average (every cluster counts the same)",
        "difference": "Difference of the two",
    }
    present = {name: effects[name] for name in labels if effects[name] is not None}
    rows = [
        [
            labels[name],
            scale(e["estimate"]),
            scale(e["se"]),
            scale.interval(e["lower"], e["upper"]),
            format_p(e["p_value"]).removeprefix("p ").removeprefix("= "),
        ]
        for name, e in present.items()
    ]
    drawn = [
        plots.Interval(f"{name.capitalize()}-average", e["estimate"], e["lower"], e["upper"])
        for name, e in present.items()
        if name != "difference"
    ]
    level = format_percent(run["interval"]["level"])
    figure = FigureView(
        plots.to_data_uri(plots.interval_figure(drawn, axis_label=axis_label(data))),
        "Average effects with intervals: "
        + "; ".join(
            f"{d.label} {scale(d.estimate)}, {scale.interval(d.lower, d.upper)}" for d in drawn
        )
        + ".",
        f"Average effects with {level} intervals. Dotted line: no effect.",
    )
    return Section(
        "average",
        "Average effects",
        paragraphs=[
            "These come from the randomization, not from the models below: a model-robust "
            "estimate, which stays valid when the working regression is wrong. Effects are "
            f"differences in {run['roles']['outcome']}, treated minus control; positive means "
            "that treatment raises it."
        ],
        figures=[figure],
        tables=[
            TableView("Average effects", ["Estimand", "Effect", "SE", f"{level} CI", "p"], rows)
        ],
        notes=[f"{effects['method']}."],
    )


def heterogeneity_section(data: ReportInput) -> Section:
    """The one primary test."""
    test = data.run["heterogeneity_test"]
    parts = test.get("parts") or {}
    tables = []
    if parts:
        rows = [
            [name, KINDS_OF_HETEROGENEITY.get(name, ""), format_fixed(p, 3)]
            for name, p in parts.items()
        ]
        headers = ["Part", "The effect differs", "p"]
        tables.append(TableView("Parts of the test", headers, rows, numeric_from=2))
    return Section(
        "test",
        "Does the effect differ? The primary test",
        paragraphs=[
            test["text"],
            "This is the one test of the hypothesis that the effect is the same for everybody. "
            "All that follows describes the estimates and is not a second chance for it.",
        ],
        tables=tables,
    )


def distribution_section(data: ReportInput) -> Section:
    """How the estimated effects are spread."""
    run = data.run
    scale = scale_of(run)
    effects = run["effects"]
    average = average_interval(data)
    groups = sorted_groups(data.effect, data.lower, data.upper)
    edges, counts = histogram(data.effect)
    spread = (
        f"from {scale(groups.effect[0])} in the lowest to {scale(groups.effect[-1])} in the "
        f"highest of {len(groups.effect)} groups"
    )
    level = format_percent(run["interval"]["level"])
    figures = [
        FigureView(
            plots.to_data_uri(
                plots.sorted_effects_figure(groups, average=average, axis_label=axis_label(data))
            ),
            f"Mean estimated effect in equal groups of persons sorted by it, {spread}, with mean "
            f"{level} intervals.",
            f"Persons sorted by estimated effect, in {len(groups.effect)} equal groups: mean "
            f"effect (dot) and mean {level} interval (bar). Orange: the average effect and its "
            "interval. Dotted: no effect.",
        ),
        FigureView(
            plots.to_data_uri(
                plots.histogram_figure(edges, counts, average=average, axis_label=axis_label(data))
            ),
            f"Histogram of the estimated effects; the middle 80% lie between "
            f"{scale(effects['quantiles']['0.1'])} and {scale(effects['quantiles']['0.9'])}.",
            "How many persons have which estimated effect. The outermost bars hold the tails; "
            "bars of fewer than five persons are not drawn.",
        ),
    ]
    shares = [("0.05", "5%"), ("0.25", "25%"), ("0.5", "50%"), ("0.75", "75%"), ("0.95", "95%")]
    table = TableView(
        "Quantiles of the estimated effects",
        ["Share of persons with a smaller estimate", *(text for _, text in shares)],
        [["Estimated effect", *(scale(effects["quantiles"][q]) for q, _ in shares)]],
    )
    return Section(
        "distribution",
        "The estimated effects of persons",
        paragraphs=[
            f"Estimates of {run['reported_model']['name']}: the expected effect for persons with "
            "the same covariates. They have a mean of "
            f"{scale(effects['mean'])} and a standard deviation of {scale(effects['sd'])}.",
            "The spread of estimates is not the spread of effects: noise widens it, shrinkage "
            "narrows it, and the persons at the ends are there partly by chance.",
        ],
        figures=figures,
        tables=[table],
        notes=[interval_note(run)],
    )


def interval_note(run: Mapping[str, Any]) -> str:
    """What the intervals are and what they cover."""
    interval = run["interval"]
    level = format_percent(interval["level"])
    note = (
        f"Intervals: {interval['method']}, {level}, pointwise (each is about one person's "
        "expected effect, not about all persons at once)."
    )
    if interval["provisional"]:
        note += (
            " They are provisional: they measure how much the estimates vary from sample to "
            "sample and not how much the models smooth, so they can be too narrow where the "
            "effect changes sharply."
        )
    return note


def covariate_groups(data: ReportInput) -> list[EffectGroups]:
    """Groups along every covariate that can be shown, the strongest first."""
    found = [
        groups_by_covariate(data.frame[name], data.effect, data.lower, data.upper)
        for name in data.frame.columns
    ]
    shown = [groups for groups in found if groups is not None]
    return sorted(shown, key=lambda groups: -groups.share_explained)


def modifier_section(data: ReportInput) -> Section:
    """Which covariates the estimated effects go with."""
    scale = scale_of(data.run)
    groups = covariate_groups(data)
    drawn = [g for g in groups if g.share_explained >= SHARE_WORTH_A_FIGURE][:FIGURES_OF_COVARIATES]
    average = average_interval(data)
    limits_of_axis: tuple[float, float] | None = None
    if drawn:
        ends = [end for g in drawn for end in (*g.lower, *g.upper, average.lower, average.upper)]
        margin = 0.04 * (max(ends) - min(ends))
        limits_of_axis = (min(ends) - margin, max(ends) + margin)
    figures = [
        FigureView(
            plots.to_data_uri(
                plots.effect_by_covariate_figure(
                    g, average=average, axis_label=axis_label(data), limits=limits_of_axis
                )
            ),
            describe_groups(g, scale),
            f"{plots.shorten(g.name, 60)}: {format_percent(g.share_explained)} of the variation "
            "of the estimated effects.",
        )
        for g in drawn
    ]
    by_name = {m["covariate"]: m for m in data.run["modifiers"]}
    rows = [_modifier_row(g, by_name.get(g.name, {}), scale) for g in groups]
    return Section(
        "modifiers",
        "What the effect depends on",
        paragraphs=[
            "Covariates by the share of the variation of the estimated effects that goes with "
            "them. This describes the fitted models; shares overlap where covariates go together, "
            "and none of them says what causes what. The last column is the covariate's own test "
            "against the data, adjusted for the number of covariates.",
        ]
        if rows
        else ["No covariate has two groups of at least five persons to compare."],
        figures=figures,
        tables=[
            TableView(
                "Estimated effects along each covariate",
                ["Covariate", "Smallest at", "Largest at", "Smallest", "Largest", "Share", "p"],
                rows,
                numeric_from=3,
            )
        ]
        if rows
        else [],
        notes=[
            "Figures: mean estimated effect (dots) and mean of the persons' intervals (blue band "
            "or bar) in groups of persons; orange, the average effect and its interval; dotted, "
            "no effect. Groups of fewer than five persons are gathered or left out."
        ]
        if figures
        else [],
    )


def _modifier_row(groups: EffectGroups, tested: Mapping[str, Any], scale: Scale) -> list[str]:
    low, high = int(np.argmin(groups.effect)), int(np.argmax(groups.effect))
    p_value = tested.get("p_adjusted")
    level = " (cluster)" if tested.get("level") == "cluster" else ""
    return [
        cell(groups.name) + level,
        cell(groups.labels[low]),
        cell(groups.labels[high]),
        scale(float(groups.effect[low])),
        scale(float(groups.effect[high])),
        format_percent(groups.share_explained),
        "–" if p_value is None else format_p(p_value).removeprefix("p ").removeprefix("= "),
    ]


def describe_groups(groups: EffectGroups, scale: Scale) -> str:
    """The content of a covariate's figure in words."""
    points = "; ".join(
        f"{label}: {scale(effect)} ({format_count(int(count))} persons)"
        for label, effect, count in zip(groups.labels, groups.effect, groups.count, strict=True)
    )
    return f"Mean estimated effect along {groups.name}. {points}."


def models_section(data: ReportInput) -> Section:
    """The models, their weights, and how far they agree."""
    run = data.run
    scale = scale_of(run)
    rows = [
        [
            model["name"],
            use_of(model),
            "–" if model["weight"] is None else format_percent(model["weight"]),
            scale(model["mean_effect"]),
            scale(model["sd_effect"]),
            "–" if model["seconds"] is None else f"{model['seconds']:.1f}",
        ]
        for model in run["models"]
    ]
    figures = [_means_figure(data)]
    agreement = run["agreement"]
    paragraphs = [run["reported_model"]["text"]]
    if agreement:
        figures.append(_agreement_figure(run))
        paragraphs.append(
            f"The models agree {agreement_words(agreement['mean'])} on who has the larger effect: "
            f"their mean Kendall correlation is {agreement['mean']:.2f} (1: the same order of "
            "persons; 0: unrelated). A model that is left out is not wrong; it disagrees."
        )
    failures = [f"{m['name']} failed: {cell(m['failure'])}" for m in run["models"] if m["failure"]]
    return Section(
        "models",
        "The models and how far they agree",
        paragraphs=paragraphs,
        items=failures,
        figures=figures,
        tables=[
            TableView(
                "Models",
                ["Model", "Use", "Weight", "Mean effect", "SD of effects", "Seconds"],
                rows,
                numeric_from=2,
            )
        ],
    )


def _means_figure(data: ReportInput) -> FigureView:
    run = data.run
    scale = scale_of(run)
    fitted = [m for m in run["models"] if not m["failure"]]
    dots = [plots.Interval(m["name"], m["mean_effect"], np.nan, np.nan) for m in fitted]
    figure = plots.interval_figure(
        dots,
        axis_label=f"Mean of the estimated effects on {run['roles']['outcome']}",
        average=average_interval(data),
    )
    return FigureView(
        plots.to_data_uri(figure),
        "Mean estimated effect of each model: "
        + "; ".join(f"{m['name']} {scale(m['mean_effect'])}" for m in fitted)
        + ".",
        "Mean estimated effect of each model, against the model-robust average effect and its "
        "interval (orange). A model far outside misses the average.",
    )


def _agreement_figure(run: Mapping[str, Any]) -> FigureView:
    agreement = run["agreement"]
    names = agreement["models"]
    kept = {m["name"]: bool(m["kept"]) for m in run["models"]}
    matrix = np.array(agreement["kendall"], dtype=np.float64)
    order = np.argsort(-matrix.mean(axis=1), kind="stable")
    figure = plots.agreement_figure(
        [names[i] for i in order],
        matrix[np.ix_(order, order)],
        [kept.get(names[i], False) for i in order],
    )
    off_diagonal = matrix[~np.eye(len(names), dtype=bool)]
    return FigureView(
        plots.to_data_uri(figure),
        f"Kendall correlations between {len(names)} models, from "
        f"{format_fixed(float(off_diagonal.min()), 2)} to "
        f"{format_fixed(float(off_diagonal.max()), 2)}, mean {agreement['mean']:.2f}.",
        "Kendall correlations between the models' effects, the most agreeable first. "
        "Bold: kept by the ensemble; grey: left out.",
    )


def variance_section(data: ReportInput) -> Section | None:
    """Between- and within-cluster variance, from the models that have them."""
    components: Sequence[Mapping[str, Any]] = data.run["variance_components"]
    if not components:
        return None
    rows = [
        [c["model"], *(cell(float(c[k])) for k in ("between_cluster", "residual", "icc"))]
        for c in components
    ]
    return Section(
        "variance",
        "Differences between clusters",
        paragraphs=[
            "Variance of the outcome that the covariates do not explain, between clusters and "
            "within them, and the intracluster correlation (the share between clusters)."
        ],
        tables=[
            TableView("Variance components", ["Model", "Between", "Within", "ICC"], rows),
        ],
    )


def reading_section() -> Section:
    """How to read this."""
    return Section(
        "reading",
        "How to read this",
        items=[
            "The average effects stand on the randomization alone. Begin with them.",
            "One test, named beforehand, asks whether the effect differs at all. If it shows "
            "nothing, the figures of who gains more are leads and not findings.",
            "An estimated effect is the expected effect for persons with the same covariates, in "
            "a new cluster. Nobody's own effect is seen: each person had one of the treatments.",
            "A covariate that the effect goes with need not cause the difference; it can travel "
            "with another one that does.",
            "Where models of different kinds agree on the order of persons, it does not hang on "
            "one model's habits. Where they do not, the honest summary is the average effect.",
            "Before acting on a difference: a reason stated in advance, agreement of the models, "
            "an interval that supports it, and other data that confirm it.",
        ],
    )


def limits_section(data: ReportInput) -> Section:
    """What this trial cannot show."""
    return Section("limits", "Limits of this analysis", items=limits(data.run))


def made_section(data: ReportInput) -> Section:
    """How this was made."""
    run = data.run
    facts = [
        ["Command", run["command"] or "run from Python"],
        ["Data", run["data"]["file"] or "a table in memory"],
        ["SHA-256 of the data", run["data_sha256"]],
        ["Seed", str(run["seed"])],
        ["Finished (UTC)", run["finished"]],
        ["Time", f"{sum(run['seconds'].values()):.0f} s"],
        ["Versions", ", ".join(f"{name} {number}" for name, number in run["versions"].items())],
    ]
    return Section(
        "made",
        "How this was made",
        paragraphs=["The same version, data and seed give the same numbers."],
        tables=[TableView("Provenance", ["Fact", "Value"], facts, numeric_from=2)],
    )
