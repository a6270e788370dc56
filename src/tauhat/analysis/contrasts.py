"""The analysis of a trial with more than two arms: its contrasts, and what joins them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tauhat.analysis.average_record import estimate_record
from tauhat.analysis.group_counts import hide_follow_up, hide_groups
from tauhat.analysis.held_out import HeldOutEffects
from tauhat.analysis.named import named_over_contrasts
from tauhat.analysis.parts import effects_table
from tauhat.analysis.record import check_record, plain, records
from tauhat.analysis.result import Analysis, figures_as_files, written_page
from tauhat.analysis.run_schema import SCHEMA
from tauhat.inference.arm_policy import ArmPolicyValue, arm_policy_value
from tauhat.inference.contrast_effects import ContrastEffects
from tauhat.inference.contrast_test import ContrastTests, test_contrasts
from tauhat.report.contrast_report import contrast_answers, contrast_fragment, contrast_html
from tauhat.report.gallery import gallery
from tauhat.report.per_hundred import told_per_hundred
from tauhat.report.plots import Plot
from tauhat.report.view import ReportInput
from tauhat.runtime.provenance import Provenance
from tauhat.trial.checks.design_check import DesignCheck
from tauhat.trial.checks.file_checks import file_record
from tauhat.trial.hidden_counts import hides_all_lost
from tauhat.trial.trial import Trial


@dataclass(frozen=True)
class ContrastAnalysis:
    """What `analyze` found in a trial with more than two arms.

    Attributes
    ----------
    trial
        The trial.
    check
        The design check of all contrasts.
    contrasts
        `Analysis` of each contrast by its name: what `analyze` of its two arms alone gives, but
        that p-values of named modifiers are adjusted for all contrasts too.
    average_effects
        Average effects of the contrasts side by side.
    heterogeneity
        The primary test: whether the effect of any contrast differs between persons.
    policy
        Which arm for whom, by which outcome is better ("higher", "lower"), or why not.
    effects
        One row for each person with an outcome and each contrast: ``row``, ``contrast``,
        ``effect``, ``lower``, ``upper``, and the id column if the trial has one.
    rerun
        What to type to make the same numbers again.
    provenance
        Versions, seed, fingerprint of the data, times.
    synthetic
        What to say about data that were made up, or None.
    """

    trial: Trial
    check: DesignCheck
    contrasts: Mapping[str, Analysis]
    average_effects: ContrastEffects
    heterogeneity: ContrastTests
    policy: Mapping[str, ArmPolicyValue] | str
    effects: pd.DataFrame
    rerun: str
    provenance: Provenance
    synthetic: str | None = None

    def effect(self, X: Any, *, contrast: Any, scale: str = "difference") -> Any:
        """Return the effects of a contrast for persons with covariates X, shape (k,).

        Parameters
        ----------
        X
            Covariates, shape (k, p), as `tauhat.Trial.encode` makes them.
        contrast
            Its name, the label of its arm, or labels of both arms, the reference first.
        scale
            As in `tauhat.CateEstimator.effect`.
        """
        return self.contrasts[self.trial.contrast_name(contrast)].model.effect(X, scale=scale)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``run.json``: every number but those of single persons."""
        return deepcopy(self._record)

    @cached_property
    def _record(self) -> dict[str, Any]:
        return contrast_record(self)

    @property
    def table(self) -> pd.DataFrame:
        """The key results, one row each: ``result``, ``estimate``, ``lower``, ``upper``, ``p``."""
        rows = []
        for name, one in self.contrasts.items():
            part = one.table
            rows.append(part.assign(result=[f"{name}: {said}" for said in part["result"]]))
        joint = {"result": "test of constant effects in all contrasts"}
        rows.append(pd.DataFrame([{**joint, "p": self.heterogeneity.p_value}]))
        return pd.concat(rows, ignore_index=True)

    @property
    def text(self) -> str:
        """The result in a paragraph."""
        return " ".join(
            answer.whole for answer in contrast_answers(told_per_hundred(self.to_json()))
        )

    def to_html(self, *, patient_level: bool = False) -> str:
        """Return the report, arms side by side, as one self-contained HTML page.

        Parameters
        ----------
        patient_level
            As in `Analysis.to_html`.
        """
        return contrast_html(self.to_json(), self._inputs(patient_level=patient_level))

    def report(self, path: str | Path, *, patient_level: bool = False) -> Path:
        """Write the report to a file; see `Analysis.report`."""
        page = self.to_html(patient_level=patient_level)
        return written_page(Path(path), page, patient_level=patient_level)

    def plots(self) -> dict[str, Plot]:
        """Return every figure of the report; names begin with the number of the contrast."""
        return {
            f"contrast-{number}-{name}": drawn
            for number, one in enumerate(self._inputs().values(), start=1)
            for name, drawn in gallery(one).items()
        }

    def _inputs(self, *, patient_level: bool = False) -> dict[str, ReportInput]:
        """What the report of each contrast is made of, without what the others hide."""
        told = self.to_json()["contrasts"]
        return {
            name: replace(one.report_input(patient_level=patient_level), run=told[name])
            for name, one in self.contrasts.items()
        }

    def figure_files(
        self, *, formats: tuple[str, ...] = ("svg", "png", "csv")
    ) -> dict[str, str | bytes]:
        """Return the content of each figure's files by name; see `Analysis.figure_files`."""
        return figures_as_files(self.plots(), formats)

    def _repr_html_(self) -> str:
        return contrast_fragment(self.to_json())


def analyze_contrasts(
    trial: Trial,
    analyze: Callable[..., Any],
    *,
    seed: int,
    n_permutations: int,
    level: float,
    higher_is_better: bool | None,
    progress: Callable[[str, int, int], None] | None,
    provenance: Callable[[dict[str, float]], Provenance],
    rerun: str,
    **arguments: Any,
) -> ContrastAnalysis:
    """Analyse every contrast by ``analyze`` with the same seed, and join the results.

    Parameters
    ----------
    trial
        A trial with more than two arms.
    analyze
        The analysis of two arms.
    seed, n_permutations, level, higher_is_better, progress
        As in `tauhat.analyze`.
    provenance
        Makes the record of the run from the time of each step.
    rerun
        What to type to make the same numbers again.
    **arguments
        Others of ``analyze``.
    """

    def of(name: str) -> Callable[[str, int, int], None] | None:
        if progress is None:
            return None
        return lambda step, done, total: progress(f"{name}: {step}", done, total)

    check = trial.check()
    parts = {
        name: analyze(
            part,
            random_state=seed,
            n_permutations=n_permutations,
            level=level,
            higher_is_better=higher_is_better,
            progress=of(name),
            **arguments,
        )
        for name, part in trial.contrasts.items()
    }
    named = {n: one.named_modifiers for n, one in parts.items() if one.named_modifiers is not None}
    for name, adjusted in named_over_contrasts(named).items():
        parts[name] = replace(parts[name], named_modifiers=adjusted)
    test = test_contrasts(
        trial,
        random_state=seed,
        n_permutations=n_permutations,
        tests={name: one.heterogeneity for name, one in parts.items()},
    )
    seconds: dict[str, float] = {}
    for one in parts.values():
        for step, taken in one.provenance.seconds.items():
            seconds[step] = seconds.get(step, 0.0) + taken
    return ContrastAnalysis(
        trial=trial,
        check=check,
        contrasts=parts,
        average_effects=ContrastEffects({name: one.average_effects for name, one in parts.items()}),
        heterogeneity=test,
        policy=_policy(trial, parts, seed, level, higher_is_better),
        effects=_effects(trial, parts, level),
        rerun=rerun,
        provenance=provenance(seconds),
        synthetic=next(iter(parts.values())).synthetic,
    )


def _policy(
    trial: Trial,
    parts: Mapping[str, Analysis],
    seed: int,
    level: float,
    higher_is_better: bool | None,
) -> dict[str, ArmPolicyValue] | str:
    """The policy by the held-out effects of each arm against the control, or why there is none."""
    with_control = {name: parts[name] for name, pair in trial.pairs.items() if pair[0] == 0}
    if len(with_control) < trial.n_arms - 1:
        return "A policy needs each arm compared with the control."
    held_out = {name: one.held_out for name, one in with_control.items()}
    for name, found in held_out.items():
        if isinstance(found, str):
            return found if len(set(held_out.values())) == 1 else f"{name}: {found}"
    fits = {name: one.fit for name, one in held_out.items() if isinstance(one, HeldOutEffects)}
    directions = {"higher": True, "lower": False}
    return {
        better: arm_policy_value(
            trial,
            next(iter(fits.values())).estimator,
            fits=fits,
            higher_is_better=higher,
            level=level,
            random_state=seed,
        )
        for better, higher in directions.items()
        if higher_is_better in (None, higher)
    }


def _effects(trial: Trial, parts: Mapping[str, Analysis], level: float) -> pd.DataFrame:
    """Effects of every contrast for everyone, of persons in other arms by the same model."""
    tables = []
    for name, one in parts.items():
        known = one.effects.set_index("row")
        values = np.empty((trial.n, 3))
        own = np.isin(trial.rows + 1, known.index)
        values[own] = known.loc[trial.rows[own] + 1, ["effect", "lower", "upper"]].to_numpy()
        others = trial.X[~own]
        if len(others):
            values[~own, 0] = one.model.effect(others)
            values[~own, 1:] = np.column_stack(one.model.effect_interval(others, level=level))
        effect, lower, upper = values.T
        found = {"contrast": name, "effect": effect, "lower": lower, "upper": upper}
        tables.append(effects_table(trial, found))
    return pd.concat(tables, ignore_index=True)


def contrast_record(analysis: ContrastAnalysis) -> dict[str, Any]:
    """Everything about an analysis of several arms but its rows."""
    trial, made, test = analysis.trial, analysis.provenance, analysis.heterogeneity
    persons = np.bincount(trial.treatment, minlength=trial.n_arms)
    design = trial.randomization
    units = design.arm_sizes if design.holds_persons else [None] * trial.n_arms
    policy = analysis.policy
    record = {
        "schema": SCHEMA,
        "versions": dict(made.versions),
        "seed": made.seed,
        "command": made.command,
        "rerun": analysis.rerun,
        "plan": None if made.plan is None else made.plan.record,
        "finished": made.finished,
        "seconds": dict(made.seconds),
        "data": {"file": made.source, "sha256": made.data_sha256, "read": file_record(trial)},
        "data_sha256": made.data_sha256,
        "synthetic": analysis.synthetic,
        "roles": {**trial.roles},
        "arms": [
            {"label": str(label), "n": int(n), "clusters": None if m is None else int(m)}
            for label, n, m in zip(trial.arm_labels, persons, units, strict=True)
        ],
        "check": check_record(analysis.check, trial.notes),
        "average_effects": [
            {
                "contrast": name,
                "individual": estimate_record(one.individual),
                "cluster": estimate_record(one.cluster),
                "difference": estimate_record(one.difference),
                "p_adjusted": p,
                "p_adjusted_cluster": of_clusters,
            }
            for (name, one), p, of_clusters in zip(
                analysis.average_effects.effects.items(),
                analysis.average_effects.p_adjusted,
                analysis.average_effects.p_adjusted_cluster,
                strict=True,
            )
        ],
        "heterogeneity_test": {
            "tested": test.tested,
            "p_value": test.p_value,
            "method": test.method,
            "text": test.text,
            "contrasts": records(test.table),
        },
        "policy": []
        if isinstance(policy, str)
        else [
            {
                "better": better,
                "best_arm": one.best_arm,
                "shares": dict(one.shares),
                "over_control": estimate_record(one.over_control),
                "over_best": estimate_record(one.over_best),
                "best_over_control": estimate_record(one.best_over_control),
                "text": one.text,
            }
            for better, one in policy.items()
        ],
        "no_policy": policy if isinstance(policy, str) else None,
        "contrasts": {name: one.to_json() for name, one in analysis.contrasts.items()},
    }
    result: dict[str, Any] = plain(record)
    parts = list(result["contrasts"].values())
    hide_groups(parts, lost=hides_all_lost(next(iter(trial.contrasts.values()))))
    hide_follow_up(parts)
    return result
