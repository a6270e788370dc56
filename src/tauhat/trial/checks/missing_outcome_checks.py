"""What missing outcomes look like: by arm, cluster, block, covariate, and how likely they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.disclosure import (
    FEW,
    is_small,
    may_be_told,
    share_text,
    smallest_told,
    tells_few,
)
from tauhat.endpoint import COMPLETE_CASES
from tauhat.numerics.missing_outcomes import SMALLEST_PROBABILITY
from tauhat.numerics.missingness import groups_differ, losses_along, unlike_other_units
from tauhat.numerics.several_tests import holm
from tauhat.tables.encoding import TableEncoder
from tauhat.tables.labels import label_text
from tauhat.trial.checks.finding import Finding
from tauhat.trial.hidden_counts import hides_all_lost, hides_lost
from tauhat.wording import counted, first_of

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

_ATTRITION_DIFFERENCE = 0.02
# Among few clusters and rare losses the p-value is rather too small.
_CHANCE_OF_ATTRITION = 0.005
_HIGH_ATTRITION = 0.2
# What is told of blocks and of covariates by arm, of clusters, and of covariates, by p-values
# adjusted for their number.
_UNLIKELY = 0.001
_UNLIKELY_CLUSTER = 0.005
_UNLIKELY_COVARIATE = 0.01
# Clusters that lost so much more, or less, than the others are told of.
_FAR_SHARE = 0.1
# With fewer persons lost, or left, nothing is asked of covariates, clusters and blocks.
_FEWEST = 10
# Above this share of floored probabilities the result rests on models alone for too many.
_MANY_FLOORED = 0.01


@dataclass(frozen=True)
class MissingOutcomesSeen:
    """What missing outcomes look like, without a number about fewer than five persons.

    Attributes
    ----------
    persons, lost : int
        Persons enrolled, and those of them without an outcome.
    p_value : float
        Of both arms losing as many, with whole units as units.
    clusters_lost : tuple of int or None
        Clusters without any outcome, control and treated; None when persons were randomized.
    clusters : DataFrame
        ``arm``, ``clusters`` and ``share_observed`` of the clusters that have outcomes. Neighbours
        by share are taken together until five persons are lost and five left; ``unlike_others``
        is a p-value adjusted for the number of clusters, the smallest among them, and ``cluster``
        the label of the one that has it.
    blocks_p_value : float
        Of all blocks losing as many.
    predictors : DataFrame
        One row per covariate, or auxiliary column: ``covariate``, ``column``, ``difference`` (mean
        of those lost less that of the others within arms, in SD), ``control`` and ``treated`` (the
        same in each), ``p_value`` and ``p_value_of_arms`` (that it is the same in both), adjusted
        for the number of columns. Differences that would tell of few persons are NaN.
    least_likely : float
        Probability of an outcome that the five least likely to have one do not exceed; NaN where
        none was estimated.
    floored : int
        Persons whose probability was raised to the smallest that is divided by.
    """

    persons: int
    lost: int
    p_value: float
    clusters_lost: tuple[int, int] | None
    clusters: pd.DataFrame
    blocks_p_value: float
    predictors: pd.DataFrame
    least_likely: float
    floored: int


def lost_by_arm(trial: TrialTable) -> IntArray:
    """Persons without an outcome in each arm, shape (2,)."""
    lost: IntArray = np.bincount(trial.enrolled_treatment[~trial.has_outcome], minlength=2)
    return lost


def missing_outcomes_seen(
    trial: TrialTable, values: FloatArray, names: Sequence[str], p_value: float
) -> MissingOutcomesSeen | None:
    """Look at who lacks an outcome; None where nobody does.

    Parameters
    ----------
    trial
        The trial.
    values, names
        Encoded covariates of everyone enrolled, NaN where missing, shape (n, p).
    p_value
        Of both arms losing as many.
    """
    if not trial.n_missing_outcome:
        return None
    design, observed = trial.enrolled_randomization, trial.has_outcome
    with_any = np.full(len(observed), True)
    clusters_lost = None
    if design.holds_persons:
        # A single person of an arm without clusters is no cluster that was lost.
        alone = design.clusters_by_arm[design.arm] == 0 if design.n_arms == 2 else False
        some = (np.bincount(design.unit, weights=observed) > 0) | alone
        with_any = some[design.unit]
        of = design.arm[~some]
        clusters_lost = (int((of == 0).sum()), int((of == 1).sum()))
    rows = np.flatnonzero(with_any & trial.enrolled_has_counterfactual)
    lost, arm = ~observed[rows], trial.enrolled_treatment[rows]
    unit = np.unique(design.unit[rows], return_inverse=True)[1]
    enough = min(int(lost.sum()), int((~lost).sum())) >= _FEWEST
    by_cluster = _no_clusters()
    if design.holds_persons and design.can_permute and enough:
        by_cluster = _clusters(trial, rows, unit, lost, arm)
    block = np.nan
    if trial.enrolled_blocks is not None and enough:
        block = groups_differ(lost, unit, pd.factorize(trial.enrolled_blocks[rows])[0])
    sources = [trial.encoder_.sources_[name] for name in names]
    columns, more = _auxiliary(trial, rows)
    predictors = _predictors(
        np.column_stack([values[rows], columns]),
        [*names, *more.values()],
        [*sources, *more],
        (lost, arm, unit),
        enough,
    )
    probability = trial.probability_observed
    return MissingOutcomesSeen(
        persons=len(observed),
        lost=trial.n_missing_outcome,
        p_value=p_value,
        clusters_lost=clusters_lost,
        clusters=by_cluster,
        blocks_p_value=block,
        predictors=predictors,
        least_likely=np.nan if probability is None else smallest_told(probability),
        floored=0 if probability is None else int((probability <= SMALLEST_PROBABILITY).sum()),
    )


def _no_clusters() -> pd.DataFrame:
    names = ["arm", "clusters", "share_observed", "unlike_others", "cluster"]
    return pd.DataFrame(columns=names)


def _clusters(
    trial: TrialTable, rows: IntArray, unit: IntArray, lost: BoolArray, arm: IntArray
) -> pd.DataFrame:
    """Shares observed of clusters, those with few lost or left together with their neighbours."""
    labels = np.asarray(trial.enrolled_clusters)[rows]
    first = np.unique(unit, return_index=True)[1]
    of, size = arm[first], np.bincount(unit)
    gone = np.bincount(unit, weights=lost).astype(np.int64)
    p = unlike_other_units(lost, arm, unit)
    found = []
    for a in (0, 1):
        own = np.flatnonzero(of == a)
        own = own[np.argsort(-gone[own] / size[own], kind="stable")]
        whole = own[gone[own] == 0]
        groups: list[list[int]] = [[]]
        for j in own[gone[own] > 0]:
            members = groups[-1]
            if members and not _few(gone, size, members):
                groups.append([])
            groups[-1].append(int(j))
        if len(groups) > 1 and _few(gone, size, groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
        if groups[-1] and _few(gone, size, groups[-1]):
            # Too few lost in the arm to tell of: its clusters are one group without a share.
            groups, whole = [[*groups[-1], *whole]], whole[:0]
        for members in [*groups, list(whole)]:
            if not members:
                continue
            k, n = int(gone[members].sum()), int(size[members].sum())
            hidden = bool(is_small(k) or is_small(n - k))
            share = np.nan if hidden else 1 - k / n
            most = members[int(np.argmin(p[members]))]
            found.append((a, len(members), share, p[most], label_text(labels[first[most]])))
    return pd.DataFrame(found, columns=_no_clusters().columns)


def _few(gone: IntArray, size: IntArray, members: list[int]) -> bool:
    """Whether fewer than five persons of some clusters are lost, or left."""
    k, n = gone[members].sum(), size[members].sum()
    return not may_be_told(min(k, n - k))


def _auxiliary(trial: TrialTable, rows: IntArray) -> tuple[FloatArray, dict[str, str]]:
    """Auxiliary columns of some of those enrolled, first of each, with their names."""
    if not trial.auxiliary_names:
        return np.zeros((len(rows), 0)), {}
    frame = trial.source[list(trial.auxiliary_names)].iloc[trial.enrolled_rows[rows]]
    frame = frame.reset_index(drop=True)
    encoder = TableEncoder().fit(frame)
    encoded = encoder.transform(frame)
    first: dict[str, str] = {}
    for name, source in encoder.sources_.items():
        first.setdefault(source, name)
    return encoded[list(first.values())].to_numpy(dtype=np.float64), first


def _predictors(
    values: FloatArray,
    names: Sequence[str],
    sources: Sequence[str],
    losses: tuple[BoolArray, IntArray, IntArray],
    enough: bool,
) -> pd.DataFrame:
    """How losses go with covariates, the strongest column of each, strongest first."""
    columns = ["covariate", "column", "difference", "control", "treated", "p_value"]
    columns.append("p_value_of_arms")
    if not enough or not values.shape[1]:
        return pd.DataFrame(columns=columns)
    lost, arm, unit = losses
    found = losses_along(values, lost, arm, unit)
    few = np.any([tells_few(values[arm == a], lost[arm == a].astype(int)) for a in (0, 1)], axis=0)
    few |= any(is_small((lost & (arm == a)).sum()) for a in (0, 1))
    hidden = np.where(few, np.nan, 1.0)
    table = pd.DataFrame(
        {
            "covariate": sources,
            "column": names,
            "difference": np.round(found.difference * hidden, 2),
            "control": np.round(found.by_arm[0] * hidden, 2),
            "treated": np.round(found.by_arm[1] * hidden, 2),
            "p_value": holm(found.p_value.tolist()),
            "p_value_of_arms": holm(found.p_value_of_arms.tolist()),
        }
    )
    size = table["difference"].abs().fillna(0)
    order = table.assign(size=-size).sort_values(["p_value", "size"], kind="stable").index
    return table.loc[order].drop_duplicates("covariate").reset_index(drop=True)


def missing_outcome_findings(
    trial: TrialTable, seen: MissingOutcomesSeen | None, attrition: pd.DataFrame
) -> Iterator[Finding]:
    """Give how many outcomes are missing, whether evenly, and what goes with it."""
    if seen is None:
        yield Finding("missing outcomes", "0")
        return
    yield _by_arm(trial, attrition)
    yield from _clusters_lost(seen)
    yield from _unlike_clusters(seen, hidden=hides_lost(trial))
    if seen.blocks_p_value < _UNLIKELY:
        yield Finding(
            "missing outcomes by block",
            f"p = {seen.blocks_p_value:.2g}",
            "note",
            f"Blocks ({trial.roles['block']}) lost different shares of their persons "
            f"(p = {seen.blocks_p_value:.2g}).",
            "missing-by-block",
        )
    yield from _by_covariate(trial, seen)
    yield from _positivity(seen)


def _by_arm(trial: TrialTable, attrition: pd.DataFrame) -> Finding:
    shares, p_value = attrition["share_missing"].to_numpy(), attrition["p_value"].iloc[2]
    share = trial.n_missing_outcome / len(trial.has_outcome)
    by_arm = f"{shares[0]:.1%} control, {shares[1]:.1%} treated"
    # The arms are compared without blocks of one arm, which count among all that were lost.
    where = "" if trial.enrolled_has_counterfactual.all() else " in blocks with both arms"
    told = (
        f"{shares[0]:.1%} of the control and {shares[1]:.1%} of the treated arm{where} "
        f"(p = {p_value:.2g})"
    )
    if hides_lost(trial):
        by_arm = told = f"{FEW} of an arm among them"
    uneven = abs(shares[2]) >= _ATTRITION_DIFFERENCE and p_value < _CHANCE_OF_ATTRITION
    number = str(trial.n_missing_outcome)
    who = f"{number} of {len(trial.has_outcome)} persons ({share:.1%}) have no outcome"
    if hides_all_lost(trial):
        number, who = "some", "Some persons have no outcome"
        by_arm = told = f"how many is not told, as an arm of the trial lost {FEW}"
    return Finding(
        "missing outcomes",
        f"{number} ({by_arm})",
        "warning" if uneven or share > _HIGH_ATTRITION else "note",
        f"{who}: {told}. "
        + (
            "The arms lost persons unevenly, so those left may not be comparable."
            if uneven
            else "The analysis assumes that they are like the others with the same covariates."
        ),
        "missing-outcome",
    )


def _clusters_lost(seen: MissingOutcomesSeen) -> Iterator[Finding]:
    if seen.clusters_lost is None or not sum(seen.clusters_lost):
        return
    control, treated = seen.clusters_lost
    gone = control + treated
    was = "was" if gone == 1 else "were"
    yield Finding(
        "clusters without any outcome",
        f"{gone} ({control} control, {treated} treated)",
        "warning",
        f"{counted(gone, 'cluster has', 'clusters have')} no outcome at all "
        f"({control} control, {treated} treated) and {was} left out. Nobody in "
        f"{'it' if gone == 1 else 'them'} tells what the others would have shown, so these "
        "outcomes are not missing at random within clusters: they count as randomized units "
        "that were lost, and averages are about the clusters that are left.",
        "clusters-lost",
    )


def _unlike_clusters(seen: MissingOutcomesSeen, *, hidden: bool) -> Iterator[Finding]:
    table = seen.clusters
    for a, arm in enumerate(("control", "treated")):
        own = table[(table["arm"] == a) & table["share_observed"].notna()]
        n = own["clusters"].sum()
        if n == 0:
            continue
        usual = float((own["share_observed"] * own["clusters"]).sum() / n)
        far = own[
            (own["unlike_others"] < _UNLIKELY_CLUSTER)
            & ((own["share_observed"] - usual).abs() >= _FAR_SHARE)
        ]
        for row in rows_of(far):
            share = f"{1 - row['share_observed']:.0%}"
            if row["clusters"] > 1:
                # Fewer than five of its own persons are lost, or left.
                share = "nearly all" if row["share_observed"] < usual else "hardly any"
            # The share of an arm tells how many it lost.
            others = (
                ""
                if hidden
                else f", where the clusters of the {arm} arm lost {1 - usual:.0%} on average"
            )
            yield Finding(
                "missing outcomes by cluster",
                f"{row['cluster']} ({share})",
                "warning",
                f"Cluster {row['cluster']!r} lost {share} of its persons{others}: ask what "
                "happened there.",
                "missing-by-cluster",
            )


def _by_covariate(trial: TrialTable, seen: MissingOutcomesSeen) -> Iterator[Finding]:
    table = seen.predictors
    along = table[table["p_value"] < _UNLIKELY_COVARIATE]
    told = [_how(row["covariate"], row["difference"]) for row in rows_of(along)]
    handled = (
        "complete cases are others than those enrolled"
        if trial.missing == COMPLETE_CASES
        else "averages, the test and held-out effects take it into account"
    )
    if told:
        yield Finding(
            "missing outcomes by covariate",
            first_of([str(name) for name in along["covariate"]], 5),
            "note",
            f"Who has no outcome goes with {first_of(told, 5)}: {handled}.",
            "missing-by-covariate",
        )
    apart = table[table["p_value_of_arms"] < _UNLIKELY]
    if len(apart):
        names = first_of([str(name) for name in apart["covariate"]], 5)
        complete = trial.missing == COMPLETE_CASES
        yield Finding(
            "missing outcomes by covariate and arm",
            names,
            "warning" if complete else "note",
            f"How losing persons goes with {names} differs between the arms: those left are not "
            f"comparable in it, and {handled}.",
            "missing-by-covariate",
        )


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table, each by the names of its columns."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _how(name: str, difference: float) -> str:
    return name if np.isnan(difference) else f"{name} (those lost {difference:+.2f} SD)"


def _positivity(seen: MissingOutcomesSeen) -> Iterator[Finding]:
    if np.isnan(seen.least_likely):
        return
    many = may_be_told(seen.floored) and seen.floored >= _MANY_FLOORED * seen.persons
    floored = share_text(seen.floored, seen.persons)
    yield Finding(
        "probability of an outcome",
        f"{seen.least_likely:.2f} for the five persons least likely to have one",
        "warning" if many else "ok",
        f"{floored[0].upper() + floored[1:]} of the persons were so unlikely to have an outcome "
        f"that the probability was raised to {SMALLEST_PROBABILITY:g}: what they would have shown "
        "rests on the model of the outcome alone."
        if many
        else "",
        "rarely-observed" if many else "",
    )
