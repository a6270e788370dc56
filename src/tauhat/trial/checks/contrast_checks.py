"""The design check of a trial with more than two arms: what is found in each contrast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tauhat.trial.checks.answers import answered
from tauhat.trial.checks.design_check import DesignCheck, randomization_finding
from tauhat.trial.checks.finding import Finding
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

# What the list of arms says.
_OF_ARMS = ("design", "control arm", "treated arm", "rows of other arms")


def check_contrasts(trial: TrialTable, checks: Mapping[str, DesignCheck]) -> DesignCheck:
    """The checks of all contrasts as one: what is the same in all of them is said once.

    Parameters
    ----------
    trial
        The trial with all arms.
    checks
        Check of each contrast by its name.

    Returns
    -------
    DesignCheck
        Its tables have one part for each contrast, under ``contrast``.
    """
    found: dict[Finding, list[str]] = {}
    for name, check in checks.items():
        for one in check.findings:
            if one.item not in _OF_ARMS:
                found.setdefault(replace(one, accepted=False), []).append(name)
    findings = _arms(trial)
    for one, names in found.items():
        if len(names) == len(checks):
            findings.append(one)
            continue
        findings += [
            replace(
                one,
                item=f"{one.item} ({name})",
                sentence=f"{name}: {one.sentence}" if one.sentence else "",
            )
            for name in names
        ]
    parts = list(checks.values())
    sizes = {name: one.cluster_sizes for name, one in checks.items()}
    return DesignCheck(
        findings=answered(findings, trial.accept),
        balance=_stacked({name: one.balance for name, one in checks.items()}),
        missingness=_stacked({name: one.missingness for name, one in checks.items()}),
        attrition=_stacked({name: one.attrition for name, one in checks.items()}),
        cluster_sizes=_stacked({name: one for name, one in sizes.items() if one is not None})
        if parts[0].cluster_sizes is not None
        else None,
        icc=parts[0].icc,
    )


def _arms(trial: TrialTable) -> list[Finding]:
    """What was randomized, and who is in which arm."""
    design = trial.randomization
    findings = [randomization_finding(trial)]
    persons = np.bincount(trial.treatment, minlength=trial.n_arms)
    for arm, label in enumerate(trial.arm_labels):
        told = counted(persons[arm], "person")
        if design.holds_persons:
            told = f"{counted(design.arm_sizes[arm], 'cluster')}, {told}"
        item = "control arm" if arm == 0 else f"arm {arm}"
        findings.append(Finding(item, f"{label}: {told} with an outcome"))
    if trial.n_excluded:
        findings.append(
            Finding(
                "rows of other arms",
                str(trial.n_excluded),
                "note",
                f"{counted(trial.n_excluded, 'row of another arm was', 'rows of other arms were')} "
                "left out.",
                "other-arms",
            )
        )
    return findings


def _stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of all contrasts one under the other."""
    return pd.concat(
        [table.assign(contrast=name) for name, table in tables.items()], ignore_index=True
    )
