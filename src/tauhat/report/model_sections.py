"""Sections on the models: weights, agreement, variance components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tauhat.report import plots
from tauhat.report.numbers import format_fixed, format_percent
from tauhat.report.parts import average_interval, cell
from tauhat.report.text import agreement_words, scale_of, use_of
from tauhat.report.view import FigureView, ReportInput, Section, TableView

WEIGHTS_NOTE = (
    "Given: the share that a member has whatever the data say. Earned: the share for predicting "
    "persons it had not seen, with its standard deviation when the randomized units are weighted "
    "at random. Agreement: mean Kendall correlation with the other members."
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
    agreement, explanation = run["agreement"], run["reported_model"]["explanation"]
    paragraphs = [run["reported_model"]["text"]]
    if explanation:
        paragraphs.append(explanation["text"])
    if agreement:
        figures.append(_agreement_figure(run))
        left_out = "" if explanation else " A model that is left out is not wrong; it disagrees."
        paragraphs.append(
            f"The models agree {agreement_words(agreement['mean'])} on who has the larger effect: "
            f"their mean Kendall correlation is {agreement['mean']:.2f} (1: the same order of "
            f"persons; 0: unrelated).{left_out}"
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
            ),
            *([_weights_table(explanation["members"])] if explanation else []),
        ],
        notes=[WEIGHTS_NOTE] if explanation else [],
    )


def _weights_table(members: Sequence[Mapping[str, Any]]) -> TableView:
    """Weight of each member of the ensemble: what was given and what was earned."""

    def share(value: float | None) -> str:
        return "–" if value is None else format_percent(value)

    return TableView(
        "Where the weights come from",
        ["Member", "Weight", "Given", "Earned", "SD of earned", "Agreement"],
        [
            [
                cell(row["member"]),
                *(share(row[name]) for name in ("weight", "given", "earned", "earned_sd")),
                format_fixed(row["agreement"], 2),
            ]
            for row in members
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
    if not components or data.run["design"]["type"] != "cluster":
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
