"""What an analysis found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tauhat.analysis.held_out import HeldOutEffects
from tauhat.analysis.record import run_record
from tauhat.cate_estimator import CateEstimator
from tauhat.design_check import DesignCheck
from tauhat.ensembles.explanation import Explanation
from tauhat.files import write_files
from tauhat.inference.average_effects import AverageEffects
from tauhat.inference.heterogeneity import HeterogeneityTest
from tauhat.inference.modifiers import EffectModifiers
from tauhat.provenance import Provenance
from tauhat.report import ReportInput, render_fragment, render_html
from tauhat.report.text import summary
from tauhat.trial import Trial


@dataclass(frozen=True)
class IntervalMethod:
    """How the intervals of persons' effects were made.

    Attributes
    ----------
    method
        In words.
    level
        Nominal coverage of one person's interval, averaged over persons.
    """

    method: str
    level: float


@dataclass(frozen=True)
class Analysis:
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
    modifiers
        Covariates by how much the estimated effect varies with them.
    effects
        One row an analysed person: ``row`` (its number in the input table, the
        first data row being 1), ``effect``, ``lower``, ``upper``, and the id
        column if the trial has one. Persons without an outcome have no row.
    models
        One row a model; see `tauhat.analysis.models.models_table`.
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
    rerun
        What to type to make the same numbers again.
    provenance
        Versions, seed, fingerprint of the data, times.
    synthetic
        What to say about data that were made up, or None.
    """

    trial: Trial
    check: DesignCheck
    average_effects: AverageEffects
    heterogeneity: HeterogeneityTest
    modifiers: EffectModifiers
    effects: pd.DataFrame
    models: pd.DataFrame
    agreement: pd.DataFrame | None
    variance_components: pd.DataFrame
    interval: IntervalMethod
    model: CateEstimator
    reported_model: str
    reported_text: str
    explanation: Explanation | None
    held_out: HeldOutEffects | str
    rerun: str
    provenance: Provenance
    synthetic: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``run.json``: every number but those of single persons."""
        return run_record(self)

    @property
    def text(self) -> str:
        """The result in a paragraph."""
        return summary(self.to_json())

    def to_html(self) -> str:
        """Return the report as one self-contained HTML page."""
        balance = self.check.balance
        effect, lower, upper = (
            self.effects[name].to_numpy(dtype=np.float64) for name in ("effect", "lower", "upper")
        )
        return render_html(
            ReportInput(
                run=self.to_json(),
                frame=self.trial.frame,
                effect=effect,
                lower=lower,
                upper=upper,
                check_table=self.check.table,
                balance=pd.DataFrame(
                    {
                        "covariate": balance["column"],
                        "difference": balance["standardized_difference"],
                    }
                ),
            )
        )

    def report(self, path: str | Path) -> Path:
        """Write the report to a file, which appears whole or not at all.

        Parameters
        ----------
        path
            Such as ``"report.html"``; an existing file is replaced.

        Returns
        -------
        Path

        Raises
        ------
        TrialError
            If the file cannot be written.
        """
        path = Path(path)
        return write_files(path.parent, {path.name: self.to_html()})[0]

    def _repr_html_(self) -> str:
        return render_fragment(self.to_json())
