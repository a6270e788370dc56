"""What the number and the sizes of clusters mean for a trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tauhat._typing import IntArray
from tauhat.fitting.few_clusters import unlearnable_covariates
from tauhat.numerics.balance import arm_differences
from tauhat.numerics.icc import IntraclusterCorrelation
from tauhat.trial.checks.finding import Finding
from tauhat.trial.checks.size_checks import degrees_of_freedom
from tauhat.wording import with_degrees

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

# Below 40 clusters, or 10 in an arm, cluster-robust errors need small-sample corrections and
# what depends on the cluster rests on very few observations (Murray 1998; Leyrat et al. 2018).
FEW_CLUSTERS = 40
FEW_CLUSTERS_PER_ARM = 10
# One trial in a thousand is warned of by chance.
_UNLIKELY = 0.001


def unit_numbers(trial: TrialTable) -> IntArray:
    """Number of the unit with one arm of everyone enrolled: over periods that of a cluster."""
    return trial.enrolled_randomization.cell


def cluster_sizes(trial: TrialTable) -> pd.DataFrame:
    """Sizes as enrolled of the clusters randomized beside the other arm, by arm and in all."""
    randomized = trial.enrolled_has_counterfactual
    codes = np.unique(unit_numbers(trial)[randomized], return_inverse=True)[1]
    size = np.bincount(codes)
    arm = np.zeros(len(size), dtype=np.int64)
    arm[codes] = trial.enrolled_treatment[randomized]
    rows = []
    groups = [(str(trial.arm_labels[a]), size[arm == a]) for a in (0, 1)]
    for label, sizes in [*groups, ("all", size)]:
        mean, sd = float(sizes.mean()), float(sizes.std(ddof=1))
        rows.append(
            (label, len(sizes), sizes.min(), np.median(sizes), sizes.max(), mean, sd / mean)
        )
    columns = ["arm", "clusters", "minimum", "median", "maximum", "mean", "cv"]
    return pd.DataFrame(rows, columns=columns)


def _analysed_clusters(trial: TrialTable) -> tuple[int, int]:
    """Clusters with persons who are compared, control and treated."""
    rows = trial.has_counterfactual
    clusters, arm = np.asarray(trial.clusters)[rows], trial.treatment[rows]
    control, treated = (len(pd.unique(clusters[arm == a])) for a in (0, 1))
    return control, treated


def told_sizes(smallest: int, largest: int, median: float, cv: float | None = None) -> str:
    """Persons in a cluster in words, one number where all are alike.

    Examples
    --------
    >>> told_sizes(10, 10, 10.0), told_sizes(7, 12, 9.5, 0.2)
    ('10 each', '7 to 12, median 9.5, CV 0.20')
    """
    if smallest == largest:
        return f"{smallest} each"
    varies = "" if cv is None else f", CV {cv:.2f}"
    return f"{smallest} to {largest}, median {median:g}{varies}"


def cluster_findings(
    trial: TrialTable, sizes: pd.DataFrame, icc: IntraclusterCorrelation, units: IntArray
) -> Iterator[Finding]:
    """Give how many clusters there are, how large they are, and how much alike their persons are.

    Parameters
    ----------
    trial
        The trial.
    sizes
        From `cluster_sizes`, of all that were enrolled.
    icc
        Intracluster correlation of the outcome within arm.
    units
        From `unit_numbers`.
    """
    control, treated, everyone = (sizes.iloc[k] for k in range(3))
    enrolled = int(everyone["clusters"])
    of_arm = _analysed_clusters(trial)
    m, few = sum(of_arm), min(of_arm)
    arms = f"{of_arm[0]} control, {of_arm[1]} treated"
    left = "" if m == enrolled else f"; {enrolled} enrolled"
    n = int(trial.has_counterfactual.sum())
    scarce = m < FEW_CLUSTERS or few < FEW_CLUSTERS_PER_ARM
    above_all = f", above all on the {few} of the smaller arm," if 3 * few < m else ""
    yield Finding(
        "clusters",
        f"{m} ({arms}{left})",
        "warning" if scarce else "ok",
        f"With {m} clusters ({arms}{left}) the average effect, and everything that depends on "
        f"the cluster, rests on these{above_all} "
        f"and not on {n} persons: tests use t with "
        f"{with_degrees(degrees_of_freedom(trial))}, intervals are wide, and how the effect "
        "depends on cluster-level covariates can hardly be learned. How it depends on the person "
        "can be, from differences within clusters."
        if scarce
        else "",
        "few-clusters" if scarce else "",
    )
    yield Finding(
        "cluster size",
        told_sizes(everyone["minimum"], everyone["maximum"], everyone["median"], everyone["cv"]),
    )
    rows = trial.enrolled_has_counterfactual
    arm = pd.Series(trial.enrolled_treatment[rows]).groupby(units[rows]).first().to_numpy()
    size = np.unique(units[rows], return_counts=True)[1].astype(np.float64)
    p_value = float(arm_differences(size[:, None], arm, np.arange(enrolled)).p_value[0])
    if p_value < _UNLIKELY:
        yield Finding(
            "cluster size by arm",
            f"mean {control['mean']:.1f} control, {treated['mean']:.1f} treated",
            "warning",
            f"Clusters differ in size between the arms (mean {control['mean']:.1f} and "
            f"{treated['mean']:.1f}, p = {p_value:.2g}): if persons were enrolled after the "
            "clusters were randomized, who was enrolled may depend on the arm.",
            "cluster-size-by-arm",
        )
    effect_of_design = 1 + (everyone["mean"] * (1 + everyone["cv"] ** 2) - 1) * max(icc.value, 0)
    yield Finding(
        "ICC of the outcome within arm",
        f"{icc.value:z.3f} ({icc.low:z.3f} to {icc.high:z.3f})",
        "ok",
        f"{max(icc.value, 0):.1%} of the outcome's variance within arm lies between clusters "
        f"(95% interval {icc.low:z.1%} to {icc.high:z.1%}); for the average effect the {n} "
        f"persons carry the information of about {n / effect_of_design:.0f} independent ones."
        if np.isfinite(icc.value)
        else "Clusters have one person each, so the ICC cannot be told.",
    )


def too_few_clusters_for(trial: TrialTable) -> list[str]:
    """Names of the covariates that the trial has too few clusters for."""
    data = trial.data
    left_out = np.array(data.feature_names)[unlearnable_covariates(data)]
    return list(dict.fromkeys(trial.encoder_.sources_[name] for name in left_out))


def unlearnable_findings(trial: TrialTable) -> Iterator[Finding]:
    """Give the cluster-level covariates for which there are too few clusters."""
    found = too_few_clusters_for(trial)
    if not found:
        return
    names = ", ".join(found)
    yield Finding(
        "too few clusters for covariates",
        names,
        "warning",
        f"There are too few clusters to learn how the effect depends on {names}: an arm needs two "
        "clusters for the mean and two for each cluster-level covariate, no cluster may have more "
        "than half of the spread of a covariate, or four fifths in its arm, and the arms may not "
        "lie so far apart in it that slopes would have to be extended beyond what an arm has "
        "seen. The models adjust for these covariates, and their effects do not vary with them.",
        "too-few-clusters",
    )
