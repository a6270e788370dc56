"""Sections on the models: weights, agreement, variance components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from tauhat.report import gallery, plots
from tauhat.report.numbers import Scale, decimals_for, format_fixed, format_percent, typeset
from tauhat.report.pieces import cell, figure_of
from tauhat.report.randomized_units import in_clusters
from tauhat.report.text import agreement_words, scale_of, use_of
from tauhat.report.view import FigureView, ReportInput, Section, TableView
from tauhat.wording import join_words

OUTCOME = "outcome"
RULE_NOTE = (
    "Typical: the weight that the rule gives in a trial with typical clues. Mean: how much the "
    "member's mean effect counts. "
)
WEIGHTS_NOTE = (
    "Given: the share that a member has whatever the data say. Earned: the share for predicting "
    "persons it had not seen, with its standard deviation when the randomized units are weighted "
    "at random. "
)
AGREEMENT_NOTE = (
    "Agreement: mean Kendall correlation with the other members; a dash stands for a member whose "
    "effects are next to the same for everyone."
)


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
    weights, spread = gallery.member_weights(data), gallery.member_spread(data)
    if weights is not None:
        figures.append(_weights_figure(weights))
    agreement, explanation = run["agreement"], run["reported_model"]["explanation"]
    paragraphs = [run["reported_model"]["text"]]
    if explanation:
        paragraphs.append(typeset(explanation["text"]))
    matrix = gallery.agreement(data)
    if agreement and matrix is not None:
        some_left_out = any(use_of(model).startswith("left out") for model in run["models"])
        figures.append(_agreement_figure(matrix, float(agreement["mean"]), some_left_out))
        left_out = " A model that is left out is not wrong; it disagrees."
        if explanation or not some_left_out:
            left_out = ""
        paragraphs.append(
            f"The models agree {agreement_words(agreement['mean'])} on who has the larger effect: "
            f"their mean Kendall correlation is {agreement['mean']:.2f} (1: the same order of "
            f"persons; 0: unrelated).{left_out}"
        )
    flat = [] if explanation is None else _without_order(explanation)
    if flat:
        paragraphs.append(
            f"By {join_words(flat)} everyone has next to the same effect: no order of persons."
        )
    if spread is not None:
        figures.append(_spread_figure(spread, scale))
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
            ),
            *([_weights_table(explanation)] if explanation else []),
        ],
        notes=[_weights_note(explanation)] if explanation else [],
    )


def _without_order(explanation: Mapping[str, Any]) -> list[str]:
    """Members whose effects are next to the same for everyone, beside some that are not."""
    members = explanation["members"]
    flat = [cell(row["member"]) for row in members if row["agreement"] is None]
    return flat if len(flat) < len(members) else []


def _by_rule(explanation: Mapping[str, Any]) -> bool:
    """Whether the weights are those of a learned rule."""
    return any(row["typical_weight"] is not None for row in explanation["members"])


def _by_shares(explanation: Mapping[str, Any]) -> bool:
    """Whether a part of the weights was earned."""
    return any(row["earned"] is not None for row in explanation["members"])


def _weights_note(explanation: Mapping[str, Any]) -> str:
    first = WEIGHTS_NOTE if _by_shares(explanation) else ""
    return f"{RULE_NOTE if _by_rule(explanation) else first}{AGREEMENT_NOTE}"


def _weights_table(explanation: Mapping[str, Any]) -> TableView:
    """Weight of each member of the ensemble, and where it comes from."""

    def share(value: float | None) -> str:
        return "–" if value is None else format_percent(value)

    columns: dict[str, str] = {}
    if _by_rule(explanation):
        columns = {"typical_weight": "Typical", "weight_of_mean": "Mean"}
    elif _by_shares(explanation):
        columns = {"given": "Given", "earned": "Earned", "earned_sd": "SD of earned"}
    members: Sequence[Mapping[str, Any]] = explanation["members"]
    return TableView(
        "Where the weights come from",
        ["Member", "Weight", *columns.values(), "Agreement"],
        [
            [
                cell(row["member"]),
                *(share(row[name]) for name in ("weight", *columns)),
                format_fixed(row["agreement"], 2),
            ]
            for row in members
        ],
        folded=True,
    )


def _means_figure(data: ReportInput) -> FigureView:
    scale = scale_of(data.run)
    drawn = gallery.mean_effects(data)
    return figure_of(
        drawn,
        "Mean estimated effect of each model: "
        + "; ".join(f"{row['label']} {scale(row['estimate'])}" for row in drawn.rows)
        + ".",
        "Mean estimated effect of each model, against the model-robust average effect and its "
        "interval (orange). A model far outside misses the average.",
    )


def _agreement_figure(drawn: plots.Plot, mean: float, some_left_out: bool) -> FigureView:
    matrix = drawn.data.to_numpy(dtype=np.float64)
    off_diagonal = matrix[~np.eye(len(matrix), dtype=bool)]
    return figure_of(
        drawn,
        f"Kendall correlations between {len(matrix)} models, from "
        f"{format_fixed(float(off_diagonal.min()), 2)} to "
        f"{format_fixed(float(off_diagonal.max()), 2)}, mean {mean:.2f}.",
        "Kendall correlations between the models' effects, the most agreeable first."
        + (" Bold: kept by the ensemble; grey: left out." if some_left_out else ""),
    )


def _weights_figure(drawn: plots.Plot) -> FigureView:
    told = " in the ensemble."
    if drawn.data["earned"].notna().any():
        told = (
            ": pale, the fixed part; dark, the part earned; line, the standard deviation of "
            "what was earned. This trial does not rank members whose lines overlap."
        )
    elif drawn.data["typical_weight"].notna().any():
        told = "; line, what the same rule gives in a typical trial."
    return figure_of(drawn, drawn.text, f"Weights of the members{told}")


def _spread_figure(drawn: plots.Plot, scale: Scale) -> FigureView:
    spread = float(drawn.data["spread"].mean())
    return figure_of(
        drawn,
        f"{drawn.text} The ensemble goes from {scale(drawn.data['ensemble'].iloc[0])} to "
        f"{scale(drawn.data['ensemble'].iloc[-1])}.",
        f"Where the members disagree: their mean effects (thin) and the ensemble's (thick) in "
        f"{len(drawn.data)} equal groups of persons. Band: one standard deviation of the members "
        f"about the ensemble, {scale(spread)} on average.",
    )


def variance_section(data: ReportInput) -> Section | None:
    """Between- and within-cluster variance, from the models that have them."""
    components: Sequence[Mapping[str, Any]] = data.run["variance_components"]
    if not components or not in_clusters(data.run):
        return None
    drawn = gallery.clusters(data)
    of_block = "" if data.run["design"]["blocks"] is None else " of one block"
    names, heads = ["between_cluster", "residual"], ["Between", "Within"]
    of_periods = ""
    if any(c.get("between_period") is not None for c in components):
        names.insert(1, "between_period")
        heads = ["Between clusters", "Between periods of a cluster", "Within"]
        of_periods = " The ICC is that of two persons of a cluster in different periods."
    scales = {c.get("scale", OUTCOME) for c in components}
    marked = scales != {OUTCOME}
    rows = [
        [
            c["model"],
            *([c.get("scale", OUTCOME)] if marked else []),
            *("" if c[name] is None else _three_digits(c[name]) for name in names),
            format_fixed(c["icc"], 3),
        ]
        for c in components
    ]
    first = ["Model", "Scale"] if marked else ["Model"]
    tables = [TableView("Variance components", [*first, *heads, "ICC"], rows, len(first))]
    levels = [level["column"] for level in data.run["design"]["levels"] if level["icc"] is not None]
    if len(levels) > 1:
        of_levels = _level_table(components, levels)
        tables += [of_levels] if of_levels.rows else []
    crossed = [level["column"] for level in data.run["design"].get("crossed", [])]
    tables += [_crossed_table(components, crossed)] if crossed else []
    return Section(
        "variance",
        "Differences between clusters",
        paragraphs=[
            "Variance of the outcome that the covariates do not explain, between clusters"
            f"{of_block} and within them, and the intracluster correlation (the share between "
            f"clusters).{of_periods}{_of_scales(scales)}{_of_straight(data.run, components)}"
        ],
        figures=[_clusters_figure(drawn)] if drawn is not None else [],
        tables=tables,
    )


def _of_straight(run: Mapping[str, Any], components: Sequence[Mapping[str, Any]]) -> str:
    """Whose components are of an outcome without curvature; nothing where none are."""
    straight = (run.get("missing_outcomes") or {}).get("learned_without_curvature", ())
    models = [c["model"] for c in components if c["model"] in straight]
    if not models:
        return ""
    return (
        f" Those of {join_words(models)} are without what the prognosis bends, since outcomes are "
        "missing."
    )


def _of_scales(scales: Set[str]) -> str:
    """What components on a scale of the model's own mean; nothing of those of the outcome."""
    own = sorted(scales - {OUTCOME})
    if not own:
        return ""
    return (
        f" Where the scale is the {join_words(own).replace(' and ', ' or the ')}, variances and "
        "correlation are of that, not of the outcome: do not compare them across scales."
    )


def _level_table(components: Sequence[Mapping[str, Any]], levels: Sequence[str]) -> TableView:
    """Variance and correlation of each level, by models that have all of them."""
    rows = []
    for c in components:
        if len(c["within_cluster"]) + 1 != len(levels):
            continue
        variances = [c["between_cluster"], *c["within_cluster"]]
        iccs = [c["icc"], *c["icc_within_cluster"]]
        rows += [
            [c["model"], level, _three_digits(variance), format_fixed(icc, 3)]
            for level, variance, icc in zip(levels, variances, iccs, strict=True)
        ]
    return TableView(
        "Levels within clusters: variance of each, and correlation of two outcomes of one unit",
        ["Model", "Level", "Variance", "Correlation"],
        rows,
    )


def _crossed_table(components: Sequence[Mapping[str, Any]], names: Sequence[str]) -> TableView:
    """Variance and correlation over clusters of each crossed level, by models that have it."""
    rows = [
        [c["model"], name, _three_digits(variance), format_fixed(icc, 3)]
        for c in components
        for name, variance, icc in zip(names, c["crossed"], c["icc_crossed"], strict=False)
    ]
    return TableView(
        "Levels that cross clusters: variance, and correlation of two outcomes of one unit in "
        "different clusters",
        ["Model", "Level", "Variance", "Correlation"],
        rows,
    )


def _clusters_figure(drawn: plots.Plot) -> FigureView:
    return figure_of(
        drawn,
        drawn.text,
        f"{len(drawn.data)} clusters: predicted distance from the mean, given arm and covariates, "
        "with intervals; the fewer persons a cluster has, the more it is shrunk to the mean. "
        "Clusters are not named, and those of fewer than five persons are not drawn.",
    )


def _three_digits(value: float) -> str:
    """A variance to three significant digits."""
    return format_fixed(value, decimals_for(value / 10))
