"""What an analysis found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tauhat.analysis.average_record import primary_average
from tauhat.analysis.parts import AnalysisParts
from tauhat.analysis.record import run_record
from tauhat.disclosure import DIGITS_OF_DIFFERENCES
from tauhat.errors import TrialError
from tauhat.report import ReportInput, render_fragment, render_html
from tauhat.report.effects_told import effects_told
from tauhat.report.gallery import covariate_group_figures, drawn_groups, effect_map, gallery
from tauhat.report.long_names import shortened_run
from tauhat.report.per_hundred import told_per_hundred
from tauhat.report.plots import Plot
from tauhat.report.text import summary
from tauhat.runtime.files import PatientLevel, csv_text, write_files


@dataclass(frozen=True)
class Analysis(AnalysisParts):
    """Everything that `analyze` found; tables are pandas DataFrames.

    Attributes
    ----------
    trial
        The trial.
    check
        The design check.
    average_effects
        Individual-average and cluster-average effect.
    heterogeneity
        The primary test of the hypothesis that the effect is the same for everyone.
    relative
        Where the outcome is an event, whether the odds ratio differs, and effects by the risk
        without treatment; else None.
    named_modifiers
        Interactions with the modifiers and subgroups that were named
        (`tauhat.interaction_effects`); None without any.
    better
        "higher" or "lower": which outcome is better; None if nobody said.
    relevance
        Who is expected to gain at least ``mcid``; None if that was not given.
    modifiers
        Covariates by how much the estimated effect varies with them.
    frame
        Covariates of the analysed persons before encoding, with values far outside
        their column as the models read them.
    effects
        One row per person with an outcome: ``row`` (its number in the input table, the
        first data row being 1), ``effect``, ``lower``, ``upper``, and the id
        column if the trial has one. Persons in blocks with one arm only have their
        effects here, and count in nothing else.
    models
        One row per model; see `tauhat.analysis.models.models_table`.
    agreement
        Kendall's tau-b between the models' effects, or None with one model.
    variance_components
        Of the models that have a random cluster intercept.
    interval
        How ``lower`` and ``upper`` were made.
    model
        The fitted estimator whose effects are reported.
    reported_model, reported_text
        Its name, and what it made of its members.
    explanation
        Weights that were given and earned, from ensembles that explain
        themselves; None for others.
    held_out
        What held-out effects say of groups, subgroups and calibration, or the
        reason why it was not estimated.
    sensitivity
        How far the results depend on a member, the seed, a cluster and missing data.
    clusters
        Predicted intercepts of the clusters; None when persons were randomized.
    member_effects
        Effects of the single models, one column each, in the rows of ``effects``.
    n_cut
        Persons whose estimate was larger than an outcome with two values allows
        and was cut (`tauhat.CateEstimator.bounded`).
    rerun
        What to type to make the same numbers again.
    provenance
        Versions, seed, fingerprint of the data, times.
    synthetic
        What to say about data that were made up, or None.
    target_effects
        Average effect for another population, or None where none was given.
    target_groups
        Groups and policies there by held-out effects; None without.
    target_named
        Effects there within the groups of the named modifiers; None without.
    """

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``run.json``: every number but those of single persons."""
        return deepcopy(self._record)

    @cached_property
    def _record(self) -> dict[str, Any]:
        return run_record(self)

    @property
    def text(self) -> str:
        """The result in a paragraph."""
        return summary(shortened_run(told_per_hundred(self.to_json())))

    @property
    def table(self) -> pd.DataFrame:
        """The key results, one row each: ``result``, ``estimate``, ``lower``, ``upper``, ``p``."""
        average = self.average_effects
        estimands = {
            "individual-average effect": average.individual,
            "cluster-average effect": average.cluster,
        }
        rows = [
            (name, one.estimate, one.lower, one.upper, one.p_value)
            for name, one in estimands.items()
            if one is not None
        ]
        if primary_average(average, self.provenance.plan) == "cluster":
            rows.reverse()
        nothing = float("nan")
        test = self.heterogeneity.p_value
        rows.append(("test of a constant effect", nothing, nothing, nothing, test))
        effect = self.effects.loc[self.trial.has_counterfactual, "effect"]
        middle, low, high = (float(effect.quantile(q)) for q in (0.5, 0.1, 0.9))
        rows.append(("median and middle 80% of estimated effects", middle, low, high, nothing))
        if not isinstance(self.held_out, str):
            gap = self.held_out.groups.difference
            rows.append(
                ("outer quarters by predicted effect", gap.estimate, gap.lower, gap.upper, nothing)
            )
        return pd.DataFrame(rows, columns=["result", "estimate", "lower", "upper", "p"])

    def report_input(self, *, patient_level: bool = False) -> ReportInput:
        """Return what the report is made of: plain numbers and tables."""
        balance, compared = self.check.balance, self.trial.has_counterfactual
        effect, lower, upper = (
            self.effects[name].to_numpy(dtype=np.float64)[compared]
            for name in ("effect", "lower", "upper")
        )
        return ReportInput(
            run=self.to_json(),
            frame=self.frame[compared].reset_index(drop=True),
            effect=effect,
            lower=lower,
            upper=upper,
            check_table=self.check.table,
            balance=pd.DataFrame(
                {
                    "covariate": balance["column"],
                    # Not a number where it would tell how many the few are.
                    "difference": balance["standardized_difference"]
                    .round(DIGITS_OF_DIFFERENCES)
                    .mask(balance["fewer_than_five"]),
                }
            ),
            members=self.member_effects[compared].reset_index(drop=True),
            clusters=None if self.clusters is None else self.clusters.table,
            persons=self.effects if patient_level else None,
            treatment=self.trial.treatment[compared],
        )

    def to_html(self, *, patient_level: bool = False) -> str:
        """Return the report as one self-contained HTML page.

        Parameters
        ----------
        patient_level
            Whether to add the estimated effect of each person, one by one.
            Without it nothing about fewer than five persons is shown.
        """
        return render_html(self.report_input(patient_level=patient_level))

    def report(self, path: str | Path, *, patient_level: bool = False) -> Path:
        """Write the report to a file, which appears whole or not at all.

        With ``patient_level`` only the file's owner can read it.

        Parameters
        ----------
        path
            Such as ``"report.html"``; an existing file is replaced.
        patient_level
            As in `to_html`.

        Returns
        -------
        Path

        Raises
        ------
        TrialError
            If the file cannot be written.
        """
        page = self.to_html(patient_level=patient_level)
        return written_page(Path(path), page, patient_level=patient_level)

    def plots(self) -> dict[str, Plot]:
        """Return every figure of the report by name, each with its numbers.

        Examples
        --------
        >>> from tauhat import Trial
        >>> from tauhat.analysis import analyze
        >>> rng = np.random.default_rng(1)
        >>> df = pd.DataFrame({"age": rng.normal(60, 9, 200), "arm": np.arange(200) % 2})
        >>> df["y"] = df.arm * (df.age - 60) / 9 + rng.normal(size=200)
        >>> trial = Trial(df, outcome="y", treatment="arm")
        >>> found = analyze(trial, models=["LMM"], random_state=1, n_permutations=99)
        >>> found.plots()["effect-by-covariate-1"].data.columns.tolist()
        ['group', 'position', 'effect', 'persons']
        """
        return gallery(self.report_input())

    def plot_covariate(self, name: str) -> Plot:
        """Return the figure of the estimated effect along a covariate.

        Parameters
        ----------
        name
            A covariate of the trial.

        Raises
        ------
        TrialError
            If the trial has no such covariate, or it makes fewer than two groups
            of five persons.
        """
        self._require_covariate(name)
        data = effects_told(self.report_input())
        groups = drawn_groups(data, name)
        if groups is None:
            raise TrialError(f"the covariate {name!r} makes fewer than two groups of five persons")
        return covariate_group_figures(data, [({}, groups)])[0]

    def plot_map(self, first: str, second: str) -> Plot:
        """Return the map of the estimated effect over two covariates.

        Parameters
        ----------
        first, second
            Covariates of the trial: rows and columns of the map.

        Raises
        ------
        TrialError
            As in `plot_covariate`.
        """
        for name in (first, second):
            self._require_covariate(name)
        drawn = effect_map(effects_told(self.report_input()), first, second)
        if drawn is None:
            raise TrialError(f"{first!r} or {second!r} makes fewer than two groups of five persons")
        return drawn

    def _require_covariate(self, name: str) -> None:
        known = list(self.trial.covariate_names)
        if name not in known:
            raise TrialError(f"the trial has no covariate {name!r}; it has {', '.join(known)}")

    def save_plots(
        self, folder: str | Path, *, formats: Sequence[str] = ("svg", "png", "csv")
    ) -> list[Path]:
        """Write every figure to a folder, and the numbers of each as CSV.

        Parameters
        ----------
        folder
            Made when missing.
        formats
            Some of "svg", "png", "pdf" and "csv".

        Returns
        -------
        list of Path

        Raises
        ------
        TrialError
            If a format is unknown or the folder cannot be written to.
        """
        return write_files(Path(folder), self.figure_files(formats=formats))

    def figure_files(
        self, *, formats: Sequence[str] = ("svg", "png", "csv")
    ) -> dict[str, str | bytes]:
        """Return what `save_plots` writes: the content of each file by its name.

        Parameters
        ----------
        formats
            As in `save_plots`.

        Raises
        ------
        TrialError
            If a format is unknown.
        """
        return figures_as_files(self.plots(), formats)

    def _repr_html_(self) -> str:
        return render_fragment(self.to_json())


def written_page(path: Path, page: str, *, patient_level: bool) -> Path:
    """Write a report to a file, which only its owner can read if it shows single persons."""
    content = PatientLevel(page) if patient_level else page
    return write_files(path.parent, {path.name: content})[0]


def figures_as_files(plots: Mapping[str, Plot], formats: Sequence[str]) -> dict[str, str | bytes]:
    """Content of the files of figures by name; see `Analysis.figure_files`."""
    ways: dict[str, Callable[[Plot], str | bytes]] = {
        "svg": Plot.svg,
        "png": Plot.png,
        "pdf": Plot.pdf,
        "csv": lambda drawn: csv_text(drawn.data),
    }
    unknown = [kind for kind in formats if kind not in ways]
    if unknown:
        raise TrialError(f"figures are written as {', '.join(ways)}, not as {unknown[0]}")
    return {
        f"{name}.{kind}": ways[kind](drawn) for name, drawn in plots.items() for kind in formats
    }
